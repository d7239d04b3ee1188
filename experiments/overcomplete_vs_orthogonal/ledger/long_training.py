"""Networks trained for long on few images, and how far their samples are from these and from others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.contenders import PROVED_WITHIN
from experiments.overcomplete_vs_orthogonal.ledger.reference_set import ReferenceSet
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.overcomplete_vs_orthogonal.trained.networks import configuration, train_all
from experiments.processes import quiet, spread
from experiments.workspace import Workspace
from lift_train import Run, TrainConfig, checkpoints, data, features, load_denoiser, sample
from lift_train.measure.storage import fingerprint
from lift_train.runs import metric_lines, settings_of

NETWORKS = ("single", "pyramid")
WEIGHTS = {"raw": False, "ema": True}
REFERENCES = ("training", "pool", "held_out")
"""The few training images; the other patches of the same photographs; patches of other photographs."""


def chosen(bench: Bench) -> np.ndarray:
    """Numbers of the training images that are trained on, evenly over all of them."""
    count = len(bench.images.train)
    return np.unique(
        np.linspace(0, count - 1, min(bench.sizes.stability_images, count // 2)).round().astype(int)
    )


def few(bench: Bench) -> data.Images:
    """The chosen images, with the same held-out ones as always."""
    picked = chosen(bench)
    return dataclasses.replace(
        bench.images,
        train=bench.images.train[picked],
        train_sources=tuple(bench.images.train_sources[i] for i in picked),
        name=f"{bench.images.name}, {len(picked)} images",
    )


def long_configuration(bench: Bench, name: str, seed: int) -> TrainConfig:
    """Settings of a long run: constant learning rate, no mirrored images, every checkpoint kept."""
    sizes = bench.sizes
    every = -(-sizes.stability_steps // sizes.stability_checkpoints)
    config = configuration(sizes, name, seed)
    return dataclasses.replace(
        config,
        steps=sizes.stability_steps,
        decay="constant",
        flips=False,
        save_every=every,
        evaluate_every=every,
        log_every=min(config.log_every, every),
        keep=sizes.stability_checkpoints,
    )


def long_runs(bench: Bench) -> dict[str, list[Run]]:
    """One-scale and two-scale networks of all seeds, trained to their end."""
    keys = [(name, seed) for seed in range(bench.sizes.seeds) for name in NETWORKS]
    configs = [long_configuration(bench, name, seed) for name, seed in keys]
    found: dict[str, list[Run]] = {name: [] for name in NETWORKS}
    for (name, _), run in zip(keys, train_all(bench, "long training", configs, few(bench)), strict=True):
        found[name].append(run)
    return found


def measured(bench: Bench) -> dict[str, list[dict[str, Any]]]:
    """Distances, losses and nearness to the training images at every checkpoint, per network and seed."""
    runs = long_runs(bench)
    sets = references(bench)
    jobs = []
    for name in NETWORKS:
        path = _path(bench, name)
        for seed, run in enumerate(runs[name]):
            key = {
                "weights": fingerprint(load_denoiser(run.folder, False, step=run.step)),
                "images": list(sets.values()),
                "path": path,
                "samples": max(bench.sizes.samples // 2, 2),
                "name": name,
                "seed": seed,
                "version": lt.__version__,
            }
            jobs.append(partial(_of_run, bench.work.folder, run.folder, key, sets))
    found = iter(spread(bench.work, "long training: samples", jobs))
    return {name: [next(found) for _ in runs[name]] for name in NETWORKS}


def references(bench: Bench) -> dict[str, np.ndarray]:
    """What samples are compared with: evenly chosen where there are very many."""
    picked = chosen(bench)
    sets = (bench.images.train[picked], np.delete(bench.images.train, picked, axis=0), bench.images.held_out)
    most = bench.sizes.reference  # kernel distances take all pairs
    return {name: part[:: -(-len(part) // most)] for name, part in zip(REFERENCES, sets, strict=True)}


def nearness(samples: np.ndarray, training: np.ndarray, others: np.ndarray) -> float:
    """Median distance of samples to the nearest training image, over that of other images of the same law.

    One where samples are as far from the training images as new ones are, zero where they are copies.
    """
    return float(np.median(nearest(samples, training)) / np.median(nearest(others, training)))


def nearest(images: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Euclidean distance of every image to the nearest training image, all pixels together."""
    a, b = (part.reshape(len(part), -1).astype(np.float64) for part in (images, training))
    squares = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1) - 2.0 * a @ b.T
    return np.sqrt(np.maximum(squares.min(axis=1), 0.0))


def _path(bench: Bench, name: str) -> list[list[float]]:
    """The path of least path KL in closed form, without its last step to clean data."""

    def compute() -> list[list[float]]:
        options: dict[str, Any] = {"points": 48, "gap": PROVED_WITHIN}
        found = lt.optimal_path(
            bench.models[name], max(bench.sizes.steps - 1, 1), *bench.ends(name), **options
        )
        return found.path.logsnr.tolist()

    key = {**bench.inputs, "contender": repr(bench.contenders[name]), "steps": bench.sizes.steps - 1}
    return bench.work.table(f"stability-path-{name}", key, compute)


def _of_run(folder: Path, run: Path, key: dict[str, Any], sets: dict[str, np.ndarray]) -> dict[str, Any]:
    """Everything about one network."""
    work = Workspace(folder=folder, console=quiet())
    steps = checkpoints.steps(run / "checkpoints")
    known = {name: ReferenceSet(part) for name, part in sets.items()}
    result: dict[str, Any] = {"steps": steps, "losses": _losses(run, steps)}
    for weights in WEIGHTS:
        rows = [
            work.table(
                f"stability-{key['name']}-{key['seed']}-{weights}-{step}",
                {**key, "weights_are": weights, "step": step},
                partial(_at, run, step, weights, key, sets, known),
            )
            for step in steps
        ]
        result[weights] = {name: [row[name] for row in rows] for name in rows[0]}
    return result


def _at(
    run: Path,
    step: int,
    weights: str,
    key: dict[str, Any],
    sets: dict[str, np.ndarray],
    known: dict[str, ReferenceSet],
) -> dict[str, float]:
    denoiser = load_denoiser(run, WEIGHTS[weights], step=step)
    path = lt.Path(np.array(key["path"]), denoiser.scales.names).to_clean_data()
    images = np.asarray(sample(denoiser, path, key["samples"], "ancestral", seed=key["seed"], batch=128))
    vectors = features.RandomConvolutions()(images)
    found = {f"pixels_{name}": part.pixels(images) for name, part in known.items()}
    found |= {f"textures_{name}": part.textures(vectors) for name, part in known.items()}
    return {**found, "nearness": nearness(images, sets["training"], sets["pool"])}


def _losses(run: Path, steps: Sequence[int]) -> dict[str, list[float]]:
    """Training loss, and held-out loss of both kinds of weights, at every checkpoint."""
    lines = {int(line["step"]): line for line in metric_lines(run / "metrics.jsonl")}
    longest = max(settings_of(run).ema)
    names = {"training": "loss", "raw": "held_out_loss", "ema": f"held_out_loss_ema_{longest:g}"}
    return {name: [float(lines[step][entry]) for step in steps] for name, entry in names.items()}
