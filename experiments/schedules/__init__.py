"""Which schedule of noise levels is best for which sampler and metric, and which cheap objective finds it?

Published one-clock schedules and optimised ones are compared between the same ends, on the spectrum of photographs,
by the exact error of what samplers return. What theory predicts is written to `predictions.json` first.

    python -m experiments.schedules --preset quick
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

import lift_theory as lt
from experiments import experiment
from experiments.experiment import Job
from experiments.schedules import figures
from experiments.schedules.audit import rankings, transfer
from experiments.schedules.contenders import COMMON, ends
from experiments.schedules.curve_distance import Curves
from experiments.schedules.explanations import explain
from experiments.schedules.page import answer, overview, page
from experiments.schedules.predictions import PREDICTIONS, verdicts
from experiments.schedules.stages import Stages


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes of a run."""

    size: int
    channels: int
    steps: tuple[int, ...]
    """Step counts; with twice some count among them, for comparisons at equal calls."""
    headline: int
    """The step count of the answer, one of `steps`: that of the published lists is 10."""
    calls: tuple[int, ...]
    """Network calls of the samplers in time; divided by 2 and 4 for Heun and RK4 these are among `steps`."""
    floor_points: int
    """Log-variances at which one mode is optimised for itself."""
    bands: tuple[tuple[str, str], ...]
    """Samplers and metrics for which two bands are optimised."""
    curves: Curves
    """Where the self-consistent curve is compared with the optimum."""


ALL_CURVES = Curves(exponents=(1.0, 2.0, 3.0), steps=(4, 6, 10, 20, 40, 100))
ALL_BANDS = tuple((s, m) for s in ("ddim", "ancestral", "heun", "dpm") for m in ("w2", "kl"))
PRESETS = {
    "quick": Preset(
        size=32,
        channels=1,
        steps=(5, 10, 20),
        headline=10,
        calls=(20,),
        floor_points=9,
        bands=(("ddim", "w2"), ("ddim", "kl"), ("ancestral", "w2")),
        curves=Curves(exponents=(1.0, 2.0, 3.0), steps=(4, 10, 20)),
    ),
    "standard": Preset(
        size=64,
        channels=3,
        steps=(4, 5, 7, 10, 14, 20, 28, 40),
        headline=10,
        calls=(20, 40),
        floor_points=17,
        bands=ALL_BANDS,
        curves=ALL_CURVES,
    ),
    "full": Preset(
        size=128,
        channels=3,
        steps=(4, 5, 7, 10, 14, 20, 28, 40),
        headline=10,
        calls=(20, 40),
        floor_points=25,
        bands=ALL_BANDS,
        curves=ALL_CURVES,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Options(experiment.Options):
    """Compare published and optimised schedules by what samplers return, and audit the objectives."""


def main(options: Options, console: Console | None = None) -> Path:
    """Run every stage that is not done yet and write the report.

    Returns:
        The path of `report.html`.
    """
    preset = PRESETS[options.preset]
    job = Job.begin("schedules", options, console, PREDICTIONS, size=preset.size, channels=preset.channels)
    work, images = job.work, job.images
    spectrum = lt.Spectrum.from_images(images.train)
    inputs = {"variances": spectrum.variances, "ends": list(ends(COMMON)), "version": lt.__version__}
    stages = Stages(work=work, spectrum=spectrum, inputs=inputs, preset=preset)
    found = stages.run()
    results: dict[str, Any] = {
        "question": "Which schedule is best for which sampler and metric, and which cheap objective finds it?",
        **job.facts(preset, inputs),
        "units": "W2 in pixel units of images in [-1, 1], KL in nats; per image",
        "pixel_values": spectrum.size,
        "ends": list(ends(COMMON)),
        **found,
        "rankings": rankings(found["errors"], found["schedules"]),
        "transfer": transfer(found["errors"], found["floors"]),
    }
    results["predictions"] = verdicts(results)
    results["explanations"] = explain(results, spectrum.variances[spectrum.variances > 0].ravel())
    results["answer"] = answer(results)
    job.record(results)
    pictures = figures.draw(work.folder / "figures", results)
    return job.finish(results, page(results, pictures, job), overview(results))
