"""What is a second clock worth?

One optimised schedule against the best path through two noise levels, in the exact error of what a sampler returns on
Gaussian data: the pyramid that LIFT used, Haar and cosine bands, residuals. What theory predicts is written to
`predictions.json` first.

    python -m experiments.second_clock --preset quick
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from threadpoolctl import threadpool_limits

import lift_theory as lt
from experiments import experiment
from experiments.experiment import Job
from experiments.rows import find
from experiments.second_clock import figures
from experiments.second_clock.answers import answer
from experiments.second_clock.contenders import FIRST, LAST, Contender, contenders, one_clock
from experiments.second_clock.gains import gains
from experiments.second_clock.measures import (
    CONTROLS,
    Run,
    control_rows,
    cutoff_rows,
    one_clock_row,
    two_clock_row,
)
from experiments.second_clock.page import overview, page
from experiments.second_clock.predictions import PREDICTIONS, verdicts
from experiments.workspace import Workspace

MEASURED = "measured"
"""Name of the spectrum of the images; the others are called by their exponents."""
WORKERS = 2
"""Representations that are worked on at a time; most of the time goes into compiling, which does not hold the others."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes of a run.

    Attributes:
        size: pixels on a side; grey.
        headline: step count of the answer, of the controls and of most pictures.
        spectrum: the power law of the answer, an exponent.
        controls: spectra on which the controls are costed.
        runs: what is optimised.
    """

    size: int
    headline: int
    spectrum: str = "2"
    controls: tuple[str, ...] = (MEASURED,)
    runs: tuple[Run, ...]

    def spectra(self) -> list[str]:
        """All spectra, power laws first."""
        names = {name for run in self.runs for name in run.spectra}
        return sorted(names - {MEASURED}, key=float) + sorted(names & {MEASURED})


BOTH = ("2", MEASURED)
FIVE = ("1", "1.5", "2", "2.5", "3", MEASURED)
ELSEWHERE = (
    Run(init="standard", spectra=BOTH, steps=(10, 20)),
    Run(metric="kl", spectra=("1", "2", "3", MEASURED), steps=(10, 20)),
    Run(metric="kl", init="standard", spectra=BOTH, steps=(10,)),
    Run(output="scales", spectra=BOTH, steps=(10,)),
    *(
        Run(sampler=sampler, metric=metric, spectra=BOTH, steps=(10, 20))
        for sampler in ("ancestral", "heun")
        for metric in ("w2", "kl")
    ),
)
PRESETS = {
    "quick": Preset(
        size=32,
        headline=10,
        runs=(
            Run(spectra=("1", "2", "3", MEASURED), steps=(10,)),
            Run(spectra=BOTH, steps=(5,)),
            Run(metric="kl", representations=("pyramid", "dct"), spectra=BOTH, steps=(10,)),
        ),
    ),
    "standard": Preset(
        size=64,
        headline=10,
        controls=BOTH,
        runs=(Run(spectra=FIVE, steps=(5, 10, 20, 40)), *ELSEWHERE),
    ),
    "full": Preset(
        size=128,
        headline=10,
        controls=BOTH,
        runs=(Run(spectra=FIVE, steps=(5, 7, 10, 14, 20, 28, 40)), *ELSEWHERE),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Options(experiment.Options):
    """Compare the best path through two noise levels with the best single schedule."""

    preset: Literal["quick", "standard", "full"] = "quick"
    """quick: 32x32, under 3 minutes on two cores; standard: 64x64, all samplers, an hour or two; full: 128x128."""


def main(options: Options, console: Console | None = None) -> Path:
    """Run every stage that is not done yet and write the report.

    Returns:
        The path of `report.html`.
    """
    preset = PRESETS[options.preset]
    job = Job.begin("second_clock", options, console, PREDICTIONS, size=preset.size, channels=1)
    work, images = job.work, job.images
    spectra = {
        name: lt.Spectrum.from_images(images.train)
        if name == MEASURED
        else lt.Spectrum.power_law((preset.size, preset.size), float(name))
        for name in preset.spectra()
    }
    inputs = {
        "variances": {name: spectrum.variances for name, spectrum in spectra.items()},
        "ends": [FIRST, LAST],
        "version": lt.__version__,
    }
    entries = contenders(preset.size)
    # Programs of a few dozen unknowns: threads of the linear algebra would only wait for each other.
    with threadpool_limits(1, user_api="blas"), work.progress() as progress:
        one_rows, controls = _represented(work, progress, preset, spectra, None, one_clock())
        with ThreadPoolExecutor(WORKERS) as pool:
            work_on = partial(_represented, work, progress, preset, spectra, one_rows)
            waiting = pool.map(work_on, entries)
            cutoffs = pool.submit(_cutoffs, work, preset, spectra, one_rows).result()
            parts = list(waiting)
    rows = [row for part, _ in parts for row in part]
    controls += [row for _, part in parts for row in part]
    table = gains(rows, one_rows, entries)
    judged = verdicts(table, one_rows, controls, preset)
    results = {
        "question": "What is a second clock worth?",
        "answer": answer(table, controls, preset),
        **job.facts(preset, inputs),
        "units": "W2 in pixel units of the whole image, KL in nats; gains in percent of the best single clock's error",
        "ends": [FIRST, LAST],
        "predictions": judged,
        "gains": table,
        "controls": controls,
        "cutoffs": cutoffs,
        "paths": rows,
        "one_clock": one_rows,
    }
    job.record(results)
    pictures = figures.draw(work.folder / "figures", table, rows, controls, entries, preset)
    return job.finish(
        results, page(results, entries, pictures, job, preset), overview(results, entries, preset)
    )


def _cutoffs(
    work: Workspace, preset: Preset, spectra: dict[str, lt.Spectrum], one_rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Cosine bands split at octaves, on the spectra of the controls and the power law of the answer."""
    sizes = tuple(preset.size >> octave for octave in range(1, 6) if preset.size >> octave)
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys((preset.spectrum, *preset.controls)):
        run = Run(spectra=(name,), steps=(preset.headline,))
        one = find(one_rows, **run.key(), spectrum=name, steps=preset.headline)
        inputs = {
            "variances": spectra[name].variances,
            "cutoffs": sizes,
            "steps": preset.headline,
            "one": one["logsnr"],
            "version": lt.__version__,
        }
        compute = partial(cutoff_rows, spectra[name], sizes, run, preset.headline, one)
        rows += [{**row, "spectrum": name} for row in work.table(f"cutoffs-{name}", inputs, compute)]
    return rows


def _represented(
    work: Workspace,
    progress: Any,
    preset: Preset,
    spectra: dict[str, lt.Spectrum],
    one_rows: list[dict[str, Any]] | None,
    entry: Contender,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All rows of one representation: what was optimised, and the controls. Without `one_rows` it is the one clock."""
    models = {name: lt.GaussianModel(spectrum, entry.representation) for name, spectrum in spectra.items()}
    runs = [run for run in preset.runs if run.asks(entry.name)]
    jobs = [(run, name, steps) for run in runs for name in run.spectra for steps in run.steps]
    task = progress.add_task(entry.label, total=len(jobs) + len(preset.controls))
    rows: list[dict[str, Any]] = []
    for run, name, steps in jobs:
        key = {**run.key(), "spectrum": name, "steps": steps}
        inputs = {
            **key,
            "contender": repr(entry),
            "variances": spectra[name].variances,
            "ends": [FIRST, LAST],
            "version": lt.__version__,
        }
        if one_rows is None:
            compute = partial(one_clock_row, models[name], entry, run, steps)
        else:
            one = find(one_rows, **{**key, "output": "image"})
            inputs["one"] = one["logsnr"]
            compute = partial(two_clock_row, models[name], entry, run, steps, one)
        stage = "-".join([entry.name, *map(str, key.values())])
        rows.append({**work.table(stage, inputs, compute), "spectrum": name})
        progress.advance(task)
    controls: list[dict[str, Any]] = []
    for name in preset.controls:
        wanted = {"sampler": "ddim", "init": "exact", "output": "image", "spectrum": name}
        at = {
            row["metric"]: np.array(row["logsnr"])
            for row in rows
            if row["steps"] == preset.headline and all(row[k] == value for k, value in wanted.items())
        }
        grid = np.array(find(one_rows or rows, **wanted, metric="w2", steps=preset.headline)["logsnr"])
        inputs = {
            "contender": repr(entry),
            "variances": spectra[name].variances,
            "ends": [FIRST, LAST],
            "one": grid,
            "best": at,
            "paths": list(CONTROLS),
            "version": lt.__version__,
        }
        costed = partial(control_rows, models[name], entry, preset.headline, grid, at)
        found = work.table(f"controls-{entry.name}-{name}", inputs, costed)
        controls += [{**row, "spectrum": name} for row in found]
        progress.advance(task)
    return rows, controls
