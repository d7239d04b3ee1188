"""How many clocks are worth having, and where should an image be cut into bands?

The best cost with 1 to 8 clocks for pyramids, Haar bands, DCT bands cut at octaves and at the best edges, and groups of
modes that need not be bands, on the spectrum of photographs. What theory predicts is written to `predictions.json`
first.

    python -m experiments.clocks --preset quick
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

import lift_theory as lt
from experiments import experiment
from experiments.clocks import figures, stages
from experiments.clocks.page import answer, overview, page
from experiments.clocks.predictions import PREDICTIONS, TOLERANCE, measured, recommended
from experiments.experiment import Job
from experiments.predictions import judged
from experiments.processes import Stage, tables
from lift_train import data


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes of a run.

    Attributes:
        sizes: pixels on a side.
        channels: 1 for grey images, 3 for colour.
        steps: step counts.
        headline_size: the size of the answer and of the pictures, one of `sizes`.
        headline: the step count of the answer, one of `steps`.
        most: largest number of clocks.
        levels: largest number of levels of pyramids and Haar bands; a fourth takes minutes to compile.
    """

    sizes: tuple[int, ...]
    channels: int = 1
    steps: tuple[int, ...] = (10, 20)
    headline_size: int = 64
    headline: int = 10
    most: int = 8
    levels: int = 3


PRESETS = {
    "quick": Preset(sizes=(32, 64)),
    "standard": Preset(sizes=(64, 128, 256), levels=4),
    "full": Preset(sizes=(64, 128, 256), channels=3, steps=(5, 10, 20, 40), levels=4),
}


@dataclass(frozen=True, kw_only=True)
class Options(experiment.Options):
    """Compare numbers of clocks, and places to cut."""

    preset: Literal["quick", "standard", "full"] = "quick"
    """quick: 32 and 64 pixels, grey, under 3 minutes on two cores; standard: 64 to 256 pixels; full: colour, 5 to 40 steps."""


def main(options: Options, console: Console | None = None) -> Path:
    """Run every stage that is not done yet and write the report.

    Returns:
        The path of `report.html`.
    """
    preset = PRESETS[options.preset]
    job = Job.begin(
        "clocks", options, console, PREDICTIONS, size=preset.headline_size, channels=preset.channels
    )
    images = {
        size: job.images
        if size == preset.headline_size
        else data.load(options.data, size=size, channels=preset.channels)
        for size in preset.sizes
    }
    variances = {size: lt.Spectrum.from_images(found.train).variances for size, found in images.items()}
    found = _stages(job, preset, variances)
    rows = [row for part in found["designs"] for row in part] + found["coupled"]
    results: dict[str, Any] = {
        "question": "How many clocks are worth having, and where should an image be cut into bands?",
        **job.facts(preset, {"variances": variances, "ends": [stages.START, stages.STOP]}),
        "units": "path KL in nats, W2 in pixel units, of whole images",
        "ends": [stages.START, stages.STOP],
        "tolerance": TOLERANCE,
        "rows": rows,
        "recommended": [
            {
                **{name: row[name] for name in ("objective", "size", "steps")},
                "recommended": recommended(row["estimates"]),
                "limit": row["estimates"][-1],
                "floor": row["floor"],
            }
            for row in rows
            if "estimates" in row
        ],
        "joint": found["joint"],
    }
    results["predictions"] = judged(PREDICTIONS, measured(results))
    results["answer"] = answer(results)
    job.record(results)
    pictures = figures.draw(job.work.folder / "figures", results, variances[preset.headline_size])
    return job.finish(results, page(results, pictures, job), overview(results))


def _stages(job: Job, preset: Preset, variances: dict[int, Any]) -> dict[str, list[Any]]:
    """Everything that is computed, on all cores, the slowest first."""
    planned: list[tuple[str, Stage]] = []

    def plan(kind: str, name: str, size: int, compute: Any, **options: Any) -> None:
        inputs = {**options, "variances": variances[size], "version": lt.__version__}
        ends = {"ends": [stages.START, stages.STOP]}
        stage = Stage(
            name=name, inputs={**inputs, **ends}, compute=partial(compute, variances[size], **options)
        )
        planned.append((kind, stage))

    for levels in range(preset.levels, 1, -1):
        for size in preset.sizes:
            for steps in preset.steps:
                for family in stages.COUPLED:
                    name = f"{family}-{levels}-{size}-{steps}"
                    plan("coupled", name, size, stages.coupled, family=family, levels=levels, steps=steps)
    for size in reversed(preset.sizes):
        for steps in preset.steps:
            for objective in stages.OBJECTIVES:
                name = f"designs-{objective}-{size}-{steps}"
                options = {"objective": objective, "steps": steps, "most": preset.most}
                plan("designs", name, size, stages.designs, **options)
    size = preset.headline_size
    for clocks in range(2, min(preset.most, size.bit_length()) + 1):
        plan("joint", f"joint-{clocks}", size, stages.joint, clocks=clocks, steps=preset.headline)
    made = tables(job.work, "Clocks", [stage for _, stage in planned])
    found: dict[str, list[Any]] = {"coupled": [], "designs": [], "joint": []}
    for (kind, _), result in zip(planned, made, strict=True):
        found[kind].append(result)
    return found
