"""The half that needs no network: closed forms on the measured spectrum, every stage done once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import xarray

import lift_theory as lt
from experiments.experiment import Job
from experiments.overcomplete_vs_orthogonal.contenders import (
    PATHS,
    START,
    STOP,
    Contender,
    contenders,
    costs,
    surface_of,
    transfer,
)
from experiments.overcomplete_vs_orthogonal.predictions import verdicts
from experiments.processes import Stage, tables
from experiments.rows import find_path


@dataclass(frozen=True, kw_only=True)
class Theory:
    """What the closed forms say.

    Attributes:
        entries: representations compared.
        spectra: of training and held-out photographs.
        models: closed forms on the spectrum of the training photographs.
        surfaces: their error surfaces.
        rows: cost of every path.
        held_out: cost of the best paths on the spectrum of the held-out photographs.
        verdicts: predictions with what was computed.
        inputs: everything the numbers depend on.
    """

    entries: list[Contender]
    spectra: dict[str, lt.Spectrum]
    models: dict[str, lt.GaussianModel]
    surfaces: dict[str, xarray.Dataset]
    rows: list[dict[str, Any]]
    held_out: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]
    inputs: dict[str, Any]


def theory(job: Job, preset: Any) -> Theory:
    """Surfaces, paths and their transfer to held-out photographs."""
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
    stages = [
        Stage(
            name=f"paths-{c.name}-{steps}",
            inputs={
                **inputs,
                "contender": repr(c),
                "steps": steps,
                "points": preset.points,
                "paths": list(PATHS),
            },
            compute=partial(costs, models[c.name], c, steps, preset.points),
        )
        for c in entries
        for steps in preset.steps
    ]
    rows = [row for found in tables(work, "paths", stages) for row in found]
    surfaces, held_out = {}, []
    with work.progress() as progress:
        task = progress.add_task("error surfaces", total=len(entries))
        for c in entries:
            key = {**inputs, "contender": repr(c), "grid": preset.grid}
            surfaces[c.name] = work.dataset(
                f"surface-{c.name}", key, partial(surface_of, models[c.name], c, preset.grid)
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
    return Theory(
        entries=entries,
        spectra=spectra,
        models=models,
        surfaces=surfaces,
        rows=rows,
        held_out=held_out,
        verdicts=verdicts(models, surfaces, rows, entries, preset.steps),
        inputs=inputs,
    )
