"""Is an over-complete representation (image and downsampled image) different in kind from an orthogonal one?

Theory half: from photographs to a spectrum, to the error surfaces of every representation, to the best path on each,
to a table in nats per pixel and as percent of the anisotropic floor. What theory predicts is written to
`predictions.json` before anything is computed from the images; the report shows prediction beside measurement.

    python -m experiments.overcomplete_vs_orthogonal --preset quick
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

import lift_theory as lt
from experiments import experiment
from experiments.experiment import Job
from experiments.overcomplete_vs_orthogonal import figures
from experiments.overcomplete_vs_orthogonal.contenders import (
    PATHS,
    START,
    STOP,
    contenders,
    costs,
    surface_of,
    transfer,
)
from experiments.overcomplete_vs_orthogonal.explorer_views import closed_form_views
from experiments.overcomplete_vs_orthogonal.page import answer, overview, page
from experiments.overcomplete_vs_orthogonal.predictions import PREDICTIONS, verdicts
from experiments.rows import find_path


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes of a run."""

    size: int
    channels: int
    steps: tuple[int, ...]
    headline: int
    """The step count of the answer and its pictures; one of `steps`."""
    grid: int
    points: int


PRESETS = {
    "quick": Preset(size=32, channels=1, steps=(5, 10, 20), headline=20, grid=65, points=64),
    "standard": Preset(size=64, channels=3, steps=(5, 10, 18, 20, 40), headline=20, grid=97, points=96),
    "full": Preset(
        size=128, channels=3, steps=(4, 5, 7, 10, 14, 18, 20, 28, 40), headline=20, grid=129, points=160
    ),
}


@dataclass(frozen=True, kw_only=True)
class Options(experiment.Options):
    """Answer the question with theory on the spectrum of real images."""


def main(options: Options, console: Console | None = None) -> Path:
    """Run every stage that is not done yet and write the report.

    Returns:
        The path of `report.html`.
    """
    preset = PRESETS[options.preset]
    job = Job.begin(
        "overcomplete_vs_orthogonal",
        options,
        console,
        PREDICTIONS,
        size=preset.size,
        channels=preset.channels,
    )
    work, images = job.work, job.images
    spectra = {
        part: lt.Spectrum.from_images(array)
        for part, array in (("train", images.train), ("held_out", images.held_out))
    }
    entries = contenders(preset.size)
    models, judges = (
        {c.name: lt.GaussianModel(spectra[part], c.representation) for c in entries}
        for part in ("train", "held_out")
    )
    inputs = {"variances": spectra["train"].variances, "ends": [START, STOP], "version": lt.__version__}

    surfaces, rows, held_out = {}, [], []
    with work.progress() as progress:
        task = progress.add_task("error surfaces", total=len(entries))
        for c in entries:
            key = {**inputs, "contender": repr(c), "grid": preset.grid}
            surfaces[c.name] = work.dataset(
                f"surface-{c.name}", key, partial(surface_of, models[c.name], c, preset.grid)
            )
            progress.advance(task)
        task = progress.add_task("paths", total=len(entries) * len(preset.steps))
        for c in entries:
            for steps in preset.steps:
                key = {
                    **inputs,
                    "contender": repr(c),
                    "steps": steps,
                    "points": preset.points,
                    "paths": list(PATHS),
                }
                rows += work.table(
                    f"paths-{c.name}-{steps}", key, partial(costs, models[c.name], c, steps, preset.points)
                )
                progress.advance(task)
        task = progress.add_task("held-out photographs", total=len(entries))
        for c in entries:
            best = find_path(rows, c.name, "best", preset.headline)
            key = {"held_out": spectra["held_out"].variances, "contender": repr(c), "points": preset.points}
            key |= {"version": lt.__version__, "path": best["logsnr"]}
            held_out.append(
                work.table(
                    f"held-out-{c.name}", key, partial(transfer, judges[c.name], c, best, preset.points)
                )
            )
            progress.advance(task)
    judged = verdicts(models, surfaces, rows, entries, preset.steps)
    results = {
        "question": "Is an over-complete representation different in kind from an orthogonal one?",
        "answer": answer(rows, judged, {c.name: c.label for c in entries}, preset.headline),
        **job.facts(preset, inputs),
        "units": "path KL in nats; nats per pixel divides by the number of pixel values",
        "pixel_values": spectra["train"].size,
        "predictions": judged,
        "paths": rows,
        "held_out": held_out,
    }
    job.record(results)
    for name, dataset in surfaces.items():
        work.write_dataset(f"surfaces/{name}.nc", dataset)
    pictures = figures.draw(work.folder / "figures", spectra, models, surfaces, rows, entries, PATHS, preset)
    views = closed_form_views(surfaces, models, rows, entries, preset)
    return job.finish(results, page(results, entries, pictures, views, job), overview(results, entries))
