"""Does a trained network find the closed form?

On Gaussian fields everything is known: the errors of the best denoiser, the cost of every path, the best path. A
network is trained on samples alone, measured as a user would measure one, and held to what theory says. What has to
hold is written to `predictions.json` first.

    python -m experiments.trained_fields --preset quick
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table as ConsoleTable

from experiments import experiment
from experiments.experiment import Job
from experiments.trained_fields import figures
from experiments.trained_fields.page import page
from experiments.trained_fields.predictions import answer, predictions, verdicts
from experiments.trained_fields.stages import measured, trained
from lift_train import NoiseLevels, TrainConfig

REPRESENTATIONS = ("pyramid", "haar")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes of a run.

    Attributes:
        training: settings of the networks, of which the representation is varied.
        end: log-SNRs from minus this to this are measured, nats.
        points: of each axis of the surface.
        images: fresh fields for every measurement.
        steps: of the paths.
        mean_excess: largest mean excess error that counts as agreement, percent.
        worst_excess: largest excess error of any noise level, percent.
        path_excess: largest excess cost of the path found on the measured surface, percent.
    """

    training: TrainConfig
    end: float = 5.0
    points: int
    images: int
    steps: int = 20
    mean_excess: float
    worst_excess: float
    path_excess: float


PRESETS = {
    "quick": Preset(
        training=TrainConfig(
            data="fields:2",
            size=8,
            channels=1,
            flips=False,
            network="tiny",
            noise=NoiseLevels(low=-6.0, high=6.0),
            steps=700,
            batch=128,
            learning_rate=5e-3,
            warmup=50,
            ema=(0.99,),
            save_every=100,
            evaluate_every=100,
            log_every=20,
        ),
        points=7,
        images=256,
        mean_excess=4.0,
        worst_excess=15.0,
        path_excess=1.0,
    ),
    "standard": Preset(
        training=TrainConfig(
            data="fields:2",
            size=16,
            channels=1,
            flips=False,
            network="small",
            noise=NoiseLevels(low=-6.0, high=6.0),
            steps=2600,
            batch=128,
            learning_rate=3e-3,
            warmup=100,
            ema=(0.99, 0.999),
            save_every=200,
            evaluate_every=600,
            log_every=100,
        ),
        points=13,
        images=768,
        mean_excess=1.0,
        worst_excess=5.0,
        path_excess=1.0,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Options(experiment.Options):
    """Train networks on Gaussian fields and hold them to the closed form."""

    preset: Literal["quick", "standard"] = "quick"
    """quick: 8x8, few minutes on two cores; standard: 16x16, 20 minutes of training for each of two networks."""
    data: str = "fields:2"
    """fields:EXPONENT; nothing else has a closed form."""


def main(options: Options, console: Console | None = None) -> Path:
    """Run every stage that is not done yet and write the report.

    Returns:
        The path of `report.html`.
    """
    preset = PRESETS[options.preset]
    if not options.data.startswith("fields:"):
        raise ValueError(f"data must be fields:EXPONENT, whose closed form is known; got {options.data!r}")
    preset = dataclasses.replace(preset, training=dataclasses.replace(preset.training, data=options.data))
    asked = predictions(preset, REPRESENTATIONS)
    size = preset.training.size
    job = Job.begin("trained_fields", options, console, asked, size=size, channels=1)
    rows: list[dict[str, Any]] = []
    surfaces = {}
    for name in REPRESENTATIONS:
        config = dataclasses.replace(preset.training, representation=name)
        run = trained(job.work, config, job.images)
        surfaces[name], row = measured(job.work, run, preset)
        rows.append(row)
    results = {
        "question": "Does a trained network find the closed form?",
        **job.facts(preset, [row["excess"] for row in rows]),
        "units": "errors in percent of the closed form, costs in nats per image",
        "networks": rows,
        "predictions": verdicts(asked, rows),
    }
    results["answer"] = answer(results)
    job.record(results)
    pictures = figures.draw(job.work.folder / "figures", surfaces, rows)
    return job.finish(results, page(results, pictures, job), overview(rows))


def overview(rows: list[dict[str, Any]]) -> ConsoleTable:
    """Numbers of both networks for the terminal."""
    table = ConsoleTable(title="Trained on Gaussian fields")
    for column in (
        "representation",
        "mean excess error, %",
        "worst, %",
        "path above optimum, %",
        "AYS - cost, sigma",
    ):
        table.add_column(column, justify="left" if column == "representation" else "right")
    for row in rows:
        table.add_row(
            row["representation"],
            ", ".join(f"{v:.2f}" for v in row["mean_excess"]),
            f"{max(row['worst_excess']):.2f}",
            f"{row['path_excess']:.3f}",
            f"{row['ays_sigmas']:+.2f}",
        )
    return table
