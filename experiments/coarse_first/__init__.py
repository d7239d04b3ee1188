"""When, if ever, is it right to go coarse first?

The cost of L-shaped paths, lock-step and the optimum for data laws beyond Gaussian, from independent scales to a fine
part that is a function of the coarse one; what a cheap coarse step changes; and ten residual scales as VAR has them.
What theory predicts is written to `predictions.json` first.

    python -m experiments.coarse_first --preset quick
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console

import lift_theory as lt
from experiments import experiment
from experiments.coarse_first import figures
from experiments.coarse_first.answers import answer
from experiments.coarse_first.cases import FIRST, LAST, Case, Sizes
from experiments.coarse_first.laws import REPRESENTATIONS, Law, clustered, image_laws
from experiments.coarse_first.page import overview, page
from experiments.coarse_first.predictions import PREDICTIONS
from experiments.coarse_first.residuals import SIDES, Residuals
from experiments.coarse_first.verdicts import verdicts
from experiments.experiment import Job
from experiments.sweeps import sweep

TIES = {
    "none": (0.0, 0.0),
    "half": (0.5, 0.0),
    "cluster": (1.0, 0.0),
    "cluster + 90 %": (1.0, 0.9),
    "function": (1.0, 1.0),
}
"""Axis of the phase diagram: dependence of the clusters, and share of the fine variance inside them that is explained."""

COARSE = 4
"""Coarse coefficients in the phase diagram, as in a 4x4 image."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes of a run.

    Attributes:
        image: pixels on a side of the images of the laws.
        ratio: variance of a coarse coefficient over that of a fine one, in the laws made up here.
        pyramids: names of the laws that are asked about as pyramids, too.
        components: of the mixture fitted to photographs.
        laws: how closely the laws are looked at.
        phase: how closely the cases of the phase diagram are.
        ties: names of `TIES`.
        fine: numbers of fine coefficients to one coarse one, in the phase diagram.
        exponents: of spectra 1/f^a, in the phase diagram: variances of neighbouring octaves have the ratio 2^a.
        kinds: representations, in the phase diagram.
        spectra: of the ten residual scales: "photographs" or an exponent.
        sides: of the residual scales; the last is the size of the images.
        residual_steps: step counts of the residual scales, the first is that of the answer.
    """

    image: int = 4
    ratio: float = 16.0
    pyramids: tuple[str, ...] = ("independent", "hierarchical", "determined", "scale_mixture", "photographs")
    components: int
    laws: Sizes
    phase: Sizes
    ties: tuple[str, ...]
    fine: tuple[int, ...]
    exponents: tuple[float, ...]
    kinds: tuple[str, ...]
    spectra: tuple[str, ...]
    sides: tuple[int, ...] = SIDES
    residual_steps: tuple[int, ...]


PRESETS = {
    "quick": Preset(
        pyramids=("hierarchical",),
        components=4,
        laws=Sizes(steps=12, draws=256, judged=1024, grid=13),
        phase=Sizes(steps=12, draws=256, judged=1024, grid=13),
        ties=("none", "cluster", "function"),
        fine=(3, 1),
        exponents=(0.0, 4.0),
        kinds=("bands",),
        spectra=("photographs",),
        residual_steps=(40,),
    ),
    "standard": Preset(
        components=6,
        laws=Sizes(steps=16, draws=1024, judged=8192, grid=19),
        phase=Sizes(steps=12, draws=1024, judged=4096, grid=13),
        ties=tuple(TIES),
        fine=(1, 3, 6),
        exponents=(0.0, 2.0, 4.0),
        kinds=("bands", "pyramid"),
        spectra=("photographs", "2"),
        residual_steps=(40,),
    ),
    "full": Preset(
        image=8,
        components=8,
        laws=Sizes(steps=16, draws=4096, judged=32768, grid=25),
        phase=Sizes(steps=16, draws=2048, judged=8192, grid=19),
        ties=tuple(TIES),
        fine=(1, 3, 6, 12),
        exponents=(0.0, 1.0, 2.0, 3.0, 4.0),
        kinds=tuple(REPRESENTATIONS),
        spectra=("photographs", "1", "2", "3"),
        residual_steps=(40, 20, 80),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Options(experiment.Options):
    """Ask when an L-shaped, coarse-first path is right."""

    preset: Literal["quick", "standard", "full"] = "quick"
    """quick: 19 small cases, about 7 minutes on two cores; standard: 102 cases, an hour and a half; full: 8x8 images, hours."""
    cluster: str | None = None
    """Address of a Dask scheduler, such as tcp://host:8786; all cores of this machine if not given."""


def main(options: Options, console: Console | None = None) -> Path:
    """Run every stage that is not done yet and write the report.

    Returns:
        The path of `report.html`.
    """
    preset = PRESETS[options.preset]
    job = Job.begin("coarse_first", options, console, PREDICTIONS, size=preset.sides[-1], channels=1)
    entries = image_laws(
        preset.image, preset.ratio, patches(job.images.train, preset.image), preset.components
    )
    compared = [
        Case(law=law, kind=kind, sizes=preset.laws, priced=kind == "bands")
        for law in entries
        for kind in REPRESENTATIONS
        if kind == "bands" or law.name in preset.pyramids
    ]
    diagram = phase_cases(preset)
    rows = [
        Residuals(
            name=name,
            spectrum=_spectrum(name, job.images.train),
            sides=preset.sides,
            steps=steps,
        )
        for steps in preset.residual_steps
        for name in preset.spectra
    ]
    stages = [
        *[row.stage() for row in rows],
        *[case.stage() for case in compared],
        *[case.stage() for case, _ in diagram],
    ]
    found = sweep(job.work, "cases", stages, options.cluster)
    residuals, costs = found[: len(rows)], found[len(rows) : len(rows) + len(compared)]
    phase = [
        {**place, **row} for (_, place), row in zip(diagram, found[len(rows) + len(compared) :], strict=True)
    ]
    results: dict[str, Any] = {
        "question": "When is it right to go coarse first?",
        **job.facts(preset, [stage.inputs for stage in stages]),
        "units": "path KL and standard errors in nats per image or vector; leads in nats",
        "ends": [FIRST, LAST],
        "labels": {law.name: law.label for law in entries},
        "laws": costs,
        "phase": phase,
        "residuals": residuals,
    }
    results["predictions"] = verdicts(results)
    results["answer"] = answer(results)
    job.record(results)
    pictures = figures.draw(job.work.folder / "figures", results)
    return job.finish(results, page(results, pictures, job), overview(results))


def phase_cases(preset: Preset) -> list[tuple[Case, dict[str, Any]]]:
    """The cases of the phase diagram, each with its place in it."""
    cases = []
    for kind, fine, tie, exponent in product(preset.kinds, preset.fine, preset.ties, preset.exponents):
        dependence, explained = TIES[tie]
        mixture = clustered(
            fine=fine * COARSE, coarse=COARSE, dependence=dependence, explained=explained, ratio=2**exponent
        )
        law = Law(name="clusters", label=tie, mixture=mixture, coarse=COARSE)
        place = {"tie": tie, "fine": fine, "exponent": exponent, "ratio": 2**exponent}
        cases.append((Case(law=law, kind=kind, sizes=preset.phase), place))
    return cases


def patches(images: np.ndarray, size: int, limit: int = 8000) -> np.ndarray:
    """Square patches side by side, at most so many of them, evenly taken from all."""
    count, height, width = images.shape
    rows, columns = height // size, width // size
    cut = images[:, : rows * size, : columns * size].reshape(count, rows, size, columns, size)
    every = np.moveaxis(cut, 3, 2).reshape(-1, size, size).astype(float)
    return every[:: max(1, -(-len(every) // limit))]


def _spectrum(name: str, images: np.ndarray) -> lt.Spectrum:
    if name == "photographs":
        return lt.Spectrum.from_images(images)
    return lt.Spectrum.power_law(images.shape[1:], float(name))
