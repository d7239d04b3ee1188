"""How much of a good two-scale path is spacing, how much is lead, and how much is representation?

LIFT optimised a path through two noise levels and compared it with a diagonal of uniform timesteps, which changes
spacing and lead at once. Here every control is computed side by side on the spectrum of photographs, in the exact
path KL of Gaussian data: what theory predicts is written to `predictions.json` first.

    python -m experiments.path_optimization --preset quick
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

import lift_theory as lt
from experiments import experiment
from experiments.experiment import Job
from experiments.path_optimization import figures
from experiments.path_optimization.contenders import (
    OTHER_OBJECTIVES,
    PATHS,
    contenders,
    controls,
    other_objectives,
    published_paths,
    surface_of,
)
from experiments.path_optimization.decomposition import decomposition
from experiments.path_optimization.page import answer, overview, page
from experiments.path_optimization.predictions import PREDICTIONS, verdicts
from experiments.path_optimization.published import ends


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes of a run."""

    size: int
    channels: int
    steps: tuple[int, ...]
    headline: int
    """The step count of the answer and its pictures; one of `steps`, at least 6 for LIFT's five-cell moves."""
    grid: int
    points: int
    weighted_points: int
    """Lattice points per scale where only the fine scale's error counts: all pairs of points are tabulated."""


PRESETS = {
    "quick": Preset(
        size=32, channels=1, steps=(5, 10, 18, 40), headline=18, grid=49, points=48, weighted_points=24
    ),
    "standard": Preset(
        size=64, channels=3, steps=(5, 10, 18, 20, 40), headline=18, grid=97, points=96, weighted_points=40
    ),
    "full": Preset(
        size=128,
        channels=3,
        steps=(5, 7, 10, 14, 18, 20, 28, 40),
        headline=18,
        grid=129,
        points=128,
        weighted_points=40,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Options(experiment.Options):
    """Separate spacing, lead and representation in paths through two noise levels."""


def main(options: Options, console: Console | None = None) -> Path:
    """Run every stage that is not done yet and write the report.

    Returns:
        The path of `report.html`.
    """
    preset = PRESETS[options.preset]
    job = Job.begin(
        "path_optimization", options, console, PREDICTIONS, size=preset.size, channels=preset.channels
    )
    work, images = job.work, job.images
    spectrum = lt.Spectrum.from_images(images.train)
    entries = contenders(preset.size)
    models = {c.name: lt.GaussianModel(spectrum, c.representation) for c in entries}
    inputs = {"variances": spectrum.variances, "ends": list(ends()), "version": lt.__version__}
    rows = []
    with work.progress() as progress:
        task = progress.add_task("paths", total=len(entries) * (len(preset.steps) + 1))
        for c in entries:
            model, key = models[c.name], {**inputs, "contender": repr(c)}
            for steps in preset.steps:
                stage = {**key, "steps": steps, "points": preset.points, "paths": list(PATHS)}
                rows += work.table(
                    f"controls-{c.name}-{steps}", stage, partial(controls, model, c, steps, preset.points)
                )
                progress.advance(task)
            stage = {**key, "steps": preset.steps}
            rows += work.table(f"published-{c.name}", stage, partial(published_paths, model, c, preset.steps))
            progress.advance(task)
        task = progress.add_task("other objectives", total=1)
        pyramid, model = entries[0], models["pyramid"]
        stage = {
            **inputs,
            "contender": repr(pyramid),
            "steps": preset.headline,
            "paths": list(OTHER_OBJECTIVES),
        }
        stage |= {"points": preset.weighted_points}
        rows += work.table(
            "other-objectives",
            stage,
            partial(other_objectives, model, pyramid, preset.headline, preset.weighted_points),
        )
        progress.advance(task)
        surface = work.dataset(
            "surface-pyramid",
            {**inputs, "contender": repr(pyramid), "grid": preset.grid},
            partial(surface_of, model, pyramid, preset.grid),
        )
    table = decomposition(rows, [c.name for c in entries], preset.steps)
    judged = verdicts(rows, table, entries, preset.headline)
    results = {
        "question": "How much of a good path is spacing, how much is lead, how much is representation?",
        "answer": answer(rows, table, judged, preset.headline),
        **job.facts(preset, inputs),
        "units": "path KL in nats; nats per pixel divides by the number of pixel values",
        "pixel_values": spectrum.size,
        "ends": list(ends()),
        "predictions": judged,
        "decomposition": table,
        "paths": rows,
    }
    job.record(results)
    work.write_dataset("surfaces/pyramid.nc", surface)
    pictures = figures.draw(work.folder / "figures", surface, rows, table, entries, preset)
    return job.finish(results, page(results, entries, pictures, job), overview(results, entries))
