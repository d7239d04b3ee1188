"""Training: every contender's networks, on the same images, equal in size."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

from experiments.overcomplete_vs_orthogonal.trained.bench import NETWORKS, Bench, Sizes
from experiments.processes import quiet, spread
from experiments.workspace import digest
from lift_train import Run, TrainConfig, checkpoints, data, train
from lift_train.runs import metric_lines


def configuration(sizes: Sizes, name: str, seed: int) -> TrainConfig:
    """Settings of a contender's network: all have as many parameters as that of the pyramid, within 1 %."""
    return dataclasses.replace(
        sizes.training,
        representation=NETWORKS[name],
        match=None if name == "pyramid" else "pyramid",
        seed=seed,
    )


def trained(bench: Bench) -> Bench:
    """The bench with all networks trained to their end, each done once."""
    keys = [(name, seed) for seed in range(bench.sizes.seeds) for name in NETWORKS]
    runs = train_all(
        bench, "training", [configuration(bench.sizes, name, seed) for name, seed in keys], bench.images
    )
    found: dict[str, list[Run]] = {name: [] for name in NETWORKS}
    for (name, _), run in zip(keys, runs, strict=True):
        found[name].append(run)
    return dataclasses.replace(bench, runs=found)


def train_all(bench: Bench, label: str, configs: list[TrainConfig], images: data.Images) -> list[Run]:
    """Runs of some configurations on the same images, each in a folder under the hash of both."""
    folders = [_folder(bench, config, images) for config in configs]
    left = [i for i, config in enumerate(configs) if _updates(folders[i]) < config.steps]

    def done(job: int) -> float:
        lines = metric_lines(folders[left[job]] / "metrics.jsonl")
        return min(lines[-1]["step"] / configs[left[job]].steps, 1.0) if lines else 0.0

    spread(bench.work, label, [partial(_train, configs[i], folders[i], images) for i in left], done)
    return [
        Run(folder=folder, config=config, step=config.steps)
        for folder, config in zip(folders, configs, strict=True)
    ]


def _updates(folder: Path) -> int:
    """Of the newest checkpoint of a run."""
    return max(checkpoints.steps(folder / "checkpoints"), default=0)


def _train(config: TrainConfig, folder: Path, images: data.Images) -> Run:
    return train(config, folder, images=images, console=quiet())


def _folder(bench: Bench, config: TrainConfig, images: data.Images) -> Path:
    key: Any = {"config": config.to_json(), "images": images.provenance}
    return bench.work.folder / "runs" / f"{config.representation}-{config.seed}-{digest(key)[:12]}"
