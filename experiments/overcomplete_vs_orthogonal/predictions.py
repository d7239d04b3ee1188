"""What theory predicts, with the interval that counts as agreement, and what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.contenders import Contender
from experiments.predictions import Prediction, judged
from experiments.rows import find_path

PREDICTIONS: list[Prediction] = [
    {
        "name": "equivalence",
        "claim": "The pyramid's information and errors equal those of its Haar image at every grid point "
        "(largest relative difference).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 1e-9],
    },
    {
        "name": "path_equivalence",
        "claim": "Every pyramid path costs what its Haar image costs (largest relative difference).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 1e-9],
    },
    {
        "name": "redundancy_never_helps",
        "claim": "Between the same ends, the best pyramid path never costs less than the best Haar path "
        "(smallest ratio over step counts).",
        "source": "overcomplete_equivalence",
        "interval": [1.0 - 1e-6, float("inf")],
    },
    {
        "name": "nearest_is_haar",
        "claim": "A residual with nearest up-sampling costs what the Haar split costs (largest relative difference).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 1e-6],
    },
    {
        "name": "floor",
        "claim": "No path of any representation beats the anisotropic floor (smallest ratio to it).",
        "source": "anisotropic_floor",
        "interval": [1.0 - 1e-9, float("inf")],
    },
    {
        "name": "no_order",
        "claim": "For independent orthogonal bands order is pure loss: the cost of the coarse-first path over the best, "
        "at the largest step count, relative to its limit (sum L)^2 / sum L^2.",
        "source": "orthogonal_separability",
        "interval": [0.9, 1.25],
    },
    {
        "name": "orthogonal_lead",
        "claim": "The best path of DCT bands has the high band ahead in nominal log-SNR (median lead of the low band "
        "over inner points at the largest step count, nats).",
        "source": "orthogonal_separability",
        "interval": [float("-inf"), 0.0],
    },
    {
        "name": "pyramid_lead",
        "claim": "The best pyramid path has the coarse channel behind the equal-information line (median unit-free lead "
        "over inner points at the largest step count, nats).",
        "source": "equal_information_lead",
        "interval": [float("-inf"), 0.0],
    },
]


def verdicts(
    models: dict[str, lt.GaussianModel],
    surfaces: dict[str, xarray.Dataset],
    rows: list[dict[str, Any]],
    entries: list[Contender],
    steps: tuple[int, ...],
) -> list[dict[str, Any]]:
    """Every prediction with what was measured."""
    most = max(steps)
    cost = {(r["representation"], r["path"], r["steps"]): r["nats"] for r in rows}
    dct = find_path(rows, "dct", "best", most)["logsnr"]
    pyramid = find_path(rows, "pyramid", "best", most)["logsnr"]
    measured = {
        "equivalence": _surface_gap(models["haar"], surfaces["pyramid"]),
        "path_equivalence": max(
            abs(lt.path_kl(models["haar"], lt.to_orthogonal(lt.Path(r["logsnr"]))) / r["nats"] - 1)
            for r in rows
            if r["representation"] == "pyramid"
        ),
        "redundancy_never_helps": min(cost["pyramid", "best", n] / cost["haar", "best", n] for n in steps),
        "nearest_is_haar": max(abs(cost["nearest", "best", n] / cost["haar", "best", n] - 1) for n in steps),
        "floor": min(r["nats"] / r["floor_nats"] for r in rows),
        "no_order": cost["dct", "coarse_first", most]
        / cost["dct", "best", most]
        / _staging_limit(models["dct"], entries),
        "orthogonal_lead": float(np.median(lt.Path(dct).lead()[1:-1])),
        "pyramid_lead": float(np.median(lt.Path(pyramid).lead(ratio=2.0)[1:-1])),
    }
    return judged(PREDICTIONS, measured)


def _surface_gap(haar: lt.GaussianModel, surface: xarray.Dataset) -> float:
    """Largest relative difference between a pyramid's surface and its Haar image."""
    fine, coarse = np.meshgrid(surface["logsnr_fine"], surface["logsnr_coarse"], indexing="ij")
    image = np.stack([fine, np.log(np.exp(fine) + np.exp(coarse) / 4)], axis=-1)
    high, low = np.moveaxis(np.asarray(haar.mmse(image)), -1, 0)
    expected = {"fine": high + low, "coarse": low / 4}
    gaps = [
        np.abs(surface["mmse"].sel(scale=name).values / value - 1).max() for name, value in expected.items()
    ]
    information = np.asarray(haar.mutual_information(image))
    return float(max(*gaps, np.abs(surface["mutual_information"].values / information - 1).max()))


def _staging_limit(model: lt.GaussianModel, entries: list[Contender]) -> float:
    """`(sum L)^2 / sum L^2` with L the information length of each band's own range."""
    start, stop = next(c for c in entries if c.name == "dct").ends()
    points = np.linspace(start, stop, 4001)
    rates = np.sqrt(np.diagonal(np.asarray(model.metric(points)), axis1=1, axis2=2))
    lengths = np.trapezoid(rates, points[:, 0], axis=0)
    return float(lengths.sum() ** 2 / np.sum(lengths**2))
