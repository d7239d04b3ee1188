"""The trained half from end to end: predictions on paper, training, measuring, sampling, the ledger."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from experiments.overcomplete_vs_orthogonal.ledger import FINDINGS
from experiments.overcomplete_vs_orthogonal.ledger.finding import Page
from experiments.overcomplete_vs_orthogonal.trained import predictions
from experiments.overcomplete_vs_orthogonal.trained.bench import NETWORKS, Bench
from experiments.overcomplete_vs_orthogonal.trained.equivalence import equivalence
from experiments.overcomplete_vs_orthogonal.trained.networks import trained
from experiments.overcomplete_vs_orthogonal.trained.routes import all_routes
from experiments.overcomplete_vs_orthogonal.trained.samples import sampled
from experiments.overcomplete_vs_orthogonal.trained.surfaces import measure_all, measured_surface
from experiments.predictions import Prediction, written
from experiments.processes import one_thread


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the networks did.

    Attributes:
        bench: with its networks.
        verdicts: predictions with what was measured.
        surfaces: mean ratio of every network's errors to the closed form.
        apart: how far pyramid and Haar networks are from each other.
        samples: every network along every path.
        numbers: of every finding of the ledger, by name.
        pages: every finding ruled on, by name.
    """

    bench: Bench
    verdicts: list[dict[str, Any]]
    surfaces: list[dict[str, Any]]
    apart: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    numbers: dict[str, Any]
    pages: dict[str, Page]

    def to_json(self) -> dict[str, Any]:
        """Everything but pictures."""
        return {
            "sizes": json.loads(json.dumps(dataclasses.asdict(self.bench.sizes), default=str)),
            "data": {**self.bench.images.provenance},
            "predictions": self.verdicts,
            "surfaces": self.surfaces,
            "equivalence": self.apart,
            "samples": self.samples,
            "ledger": [
                {
                    "name": finding.NAME,
                    "title": finding.TITLE,
                    "claim": finding.CLAIM,
                    "ruling": self.pages[finding.NAME].ruling,
                    "why": self.pages[finding.NAME].why,
                    "predictions": list(self.pages[finding.NAME].verdicts),
                    "numbers": self.numbers[finding.NAME],
                }
                for finding in FINDINGS
            ],
        }


def judge(bench: Bench, figures: Path) -> Judged:
    """Predict, then train, measure and sample, then rule; every stage done once."""
    one_thread()
    asked, ledger = _predictions(bench)
    bench = trained(bench)
    measure_all(bench)
    surfaces = [
        _ratio(bench, name, seed, measured_surface(bench, name, seed))
        for name in NETWORKS
        for seed in range(bench.sizes.seeds)
    ]
    apart, samples = equivalence(bench), sampled(bench)
    numbers, pages = {}, {}
    for finding in FINDINGS:
        bench.work.console.print(f"Ledger: {finding.TITLE}")
        numbers[finding.NAME] = finding.measure(bench)
        pages[finding.NAME] = finding.page(numbers[finding.NAME], ledger[finding.NAME], figures)
    return Judged(
        bench=bench,
        verdicts=predictions.verdicts(asked, bench, samples, surfaces, apart),
        surfaces=surfaces,
        apart=apart,
        samples=samples,
        numbers=numbers,
        pages=pages,
    )


def _predictions(bench: Bench) -> tuple[list[Prediction], dict[str, list[Prediction]]]:
    """All predictions, written to a file before anything is trained."""
    bench.work.console.print("Predicting what networks will do ...")
    all_routes(bench)
    asked = predictions.predictions(bench)
    ledger = {finding.NAME: finding.predictions(bench) for finding in FINDINGS}
    page = {"networks": asked, **ledger}
    text = json.dumps({name: [written(p) for p in found] for name, found in page.items()}, indent=1)
    bench.work.write("predictions_trained.json", text + "\n")
    return asked, ledger


def _ratio(bench: Bench, name: str, seed: int, surface: xarray.Dataset) -> dict[str, Any]:
    """Errors of a network over those of the best linear denoiser, of the training images' spectrum."""
    points = np.stack(np.meshgrid(*bench.axes(name), indexing="ij"), axis=-1)
    ratio = surface["mmse"].values / np.asarray(bench.models[name].mmse(points))
    return {
        "representation": name,
        "seed": seed,
        "over_closed_form": float(ratio.mean()),
        "least": float(ratio.min()),
        "most": float(ratio.max()),
    }
