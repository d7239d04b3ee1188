"""The curves of SLOT's lead scan: closed form of every reading, and what networks make of the same paths."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.ledger.lead_laws import squared_w2
from experiments.overcomplete_vs_orthogonal.ledger.lead_schedules import (
    READINGS,
    Reading,
    lead_path,
    levels,
    middle_lead,
)
from experiments.overcomplete_vs_orthogonal.ledger.reference_set import ReferenceSet
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.processes import quiet, spread
from experiments.workspace import Workspace
from lift_train import load_denoiser, sample

PUBLISHED = (70.21, 68.01, 66.67, 65.04, 63.21, 61.70, 62.12, 63.21, 66.38, 73.14, 81.90, 92.86, 107.16)
"""FID of 1000 images by lead, 0 to 12 steps: SLOT, as published."""

SIGMAS = (80.0, 0.002)
CALLS = 18
LEADS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12)
"""Leads at which networks are sampled."""

TRIED: tuple[Reading, ...] = ("truncated", "cut", "respaced")
"""Readings in which networks are sampled."""


def measure(bench: Bench) -> dict[str, Any]:
    """Closed-form curves of every reading, and pixel Frechet distances of the pyramid's networks."""
    grid = levels(CALLS, *(-2.0 * np.log(SIGMAS)))
    exact = bench.work.table(
        "lead-scan-exact", {**bench.inputs, "published": list(PUBLISHED)}, partial(_exact, bench)
    )
    jobs = [
        partial(
            _distances,
            bench.work.folder,
            run.folder,
            {
                **bench.identity("pyramid", seed),
                "images": bench.images.provenance["sha256"],
                "ends": [bench.sizes.start, bench.sizes.stop],
                "calls": bench.sizes.steps,
                "samples": bench.sizes.samples,
                "leads": leads_of(bench),
                "reading": reading,
                "seed": seed,
            },
            bench.images.train,
        )
        for seed, run in enumerate(bench.runs["pyramid"])
        for reading in TRIED
    ]
    found = iter(spread(bench.work, "lead scan", jobs))
    measured: dict[str, list[list[float]]] = {reading: [] for reading in TRIED}
    for _ in bench.runs["pyramid"]:
        for reading in TRIED:
            measured[reading].append(next(found))
    for reading in ("cut", "respaced"):  # sync is the same path in all readings
        measured[reading] = [
            [one[0], *other] for one, other in zip(measured["truncated"], measured[reading], strict=True)
        ]
    own = levels(bench.sizes.steps, bench.sizes.start, bench.sizes.stop)
    return {
        "published": list(PUBLISHED),
        "exact": exact,
        "lead_nats": [middle_lead(grid, lead) for lead in range(len(PUBLISHED))],
        "last_sigma": [float(np.exp(-0.5 * grid[-max(lead, 1)])) for lead in range(len(PUBLISHED))],
        "leads": leads_of(bench),
        "trained_lead_nats": [middle_lead(own, lead) for lead in leads_of(bench)],
        "calls": bench.sizes.steps,
        "samples": bench.sizes.samples,
        "closed_form": closed_form(bench),
        "measured": measured,
    }


def leads_of(bench: Bench) -> list[int]:
    """Leads that a schedule of the bench has room for."""
    return [lead for lead in LEADS if lead <= bench.sizes.steps - 2]


def closed_form(bench: Bench) -> dict[str, list[float]]:
    """Squared W2 of the paths that networks are sampled along, on the spectrum of the bench."""
    grid = levels(bench.sizes.steps, bench.sizes.start, bench.sizes.stop)
    return {
        reading: squared_w2(
            bench.models["pyramid"], [lead_path(reading, grid, lead) for lead in leads_of(bench)], "ddim"
        )
        for reading in TRIED
    }


def _exact(bench: Bench) -> dict[str, Any]:
    """Squared W2 of three scales by spectrum, solver and reading; three channels count three times."""
    pyramid, grid = lt.AveragePyramid(3), levels(CALLS, *(-2.0 * np.log(SIGMAS)))
    laws = {"power_law": (lt.Spectrum.power_law((32, 32), 2.0), 3.0), "images": (bench.spectrum, 1.0)}
    return {
        name: {
            solver: {
                reading: [
                    weight * value
                    for value in squared_w2(
                        lt.GaussianModel(law, pyramid),
                        [lead_path(reading, grid, lead, scales=3) for lead in range(len(PUBLISHED))],
                        solver,
                    )
                ]
                for reading in READINGS
            }
            for solver in ("heun", "ddim")
        }
        for name, (law, weight) in laws.items()
    }


def _distances(folder: Path, run: Path, key: dict[str, Any], images: np.ndarray) -> list[float]:
    """Pixel Frechet distances of one network's samples to the training images, by lead."""
    reading: Reading = key["reading"]
    leads = [lead for lead in key["leads"] if lead > 0 or reading == "truncated"]

    def compute() -> list[float]:
        denoiser, reference = load_denoiser(run), ReferenceSet(images)
        grid = levels(key["calls"], *key["ends"])
        paths = [lead_path(reading, grid, lead) for lead in leads]
        return [
            reference.pixels(sample(denoiser, path, key["samples"], seed=key["seed"], batch=128).images)
            for path in paths
        ]

    name = f"lead-scan-{reading}-{key['seed']}"
    return Workspace(folder=folder, console=quiet()).table(name, key, compute)
