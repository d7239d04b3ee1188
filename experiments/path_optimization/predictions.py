"""What theory predicts about paths, with the interval that counts as agreement, and what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.path_optimization.contenders import Contender
from experiments.path_optimization.decomposition import share
from experiments.path_optimization.published import UNIT, beginning
from experiments.predictions import Prediction, judged
from experiments.rows import find_path

INFINITY = float("inf")
PREDICTIONS: list[Prediction] = [
    {
        "name": "floor",
        "claim": "No path of any kind costs less than the anisotropic floor (smallest ratio to it).",
        "source": "anisotropic_floor",
        "interval": [1.0 - 1e-9, INFINITY],
    },
    {
        "name": "certificate",
        "claim": "No path costs less than the lower bound proved for its representation, ends and step count "
        "(smallest ratio to it).",
        "source": "bregman_path_kl",
        "interval": [1.0 - 1e-9, INFINITY],
    },
    {
        "name": "optimum",
        "claim": "No control costs less than the path called best (smallest ratio to it).",
        "source": "bregman_path_kl",
        "interval": [1.0 - 1e-9, INFINITY],
    },
    {
        "name": "spacing",
        "claim": "Pyramid: spacing alone does nearly everything that spacing and lead do together "
        "(share of the saving at the headline step count).",
        "source": "overcomplete_equivalence",
        "interval": [0.9, 1.0],
    },
    {
        "name": "lead",
        "claim": "Pyramid: lead alone, on LIFT's own fine grid, does little (share of the same saving).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 0.25],
    },
    {
        "name": "second_clock",
        "claim": "After the best spacing, a second clock is worth more to DCT bands than to the pyramid "
        "(ratio of relative savings).",
        "source": "orthogonal_separability",
        "interval": [2.0, INFINITY],
    },
    {
        "name": "representation",
        "claim": "Haar bands never cost more than the pyramid that is their image (largest ratio of best paths).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 1.0 + 1e-6],
    },
    {
        "name": "unit_conversion",
        "claim": "The lead of LIFT's published path is mostly a change of units: its median over the published points "
        "after the first is the nominal 1.386 nats, give or take half (unit-free lead, nats).",
        "source": "equal_information_lead",
        "interval": [-UNIT / 2, UNIT / 2],
    },
    {
        "name": "fine_ahead",
        "claim": "The optimum of the exact denoiser has the coarse channel behind that of LIFT: its median unit-free lead "
        "over inner points is negative (nats).",
        "source": "equal_information_lead",
        "interval": [-INFINITY, 0.0],
    },
    {
        "name": "decoupled",
        "claim": "Denoisers that ignore the other scale want the coarse scale slightly ahead in nominal log-SNR "
        "(median over inner points of their best path, nats).",
        "source": "orthogonal_separability",
        "interval": [0.0, 2 * UNIT],
    },
    {
        "name": "fine_only",
        "claim": "Optimising the fine scale's error alone sends the coarse scale ahead at its own expense (total cost over "
        "that of the best path).",
        "source": "bregman_path_kl",
        "interval": [1.5, INFINITY],
    },
    {
        "name": "published_factor",
        "claim": "Of LIFT's four factors gamma_B, which it found best, also gives the cheapest path for the pyramid (its "
        "cost over that of the best factor, headline step count).",
        "source": "bregman_path_kl",
        "interval": [1.0, 1.0 + 1e-9],
    },
    {
        "name": "l_shape",
        "claim": "An L-shaped, coarse-first path costs at most about twice the best one, never less (ratio for DCT bands, "
        "headline step count).",
        "source": "orthogonal_separability",
        "interval": [1.0, 2.2],
    },
]


def verdicts(
    rows: list[dict[str, Any]], table: list[dict[str, Any]], entries: list[Contender], headline: int
) -> list[dict[str, Any]]:
    """Every prediction with what was measured."""
    best = {(r["representation"], r["steps"]): r for r in rows if r["path"] == "best"}
    ratios = [(r, best[r["representation"], r["steps"]]) for r in rows]
    pyramid = find_path(rows, "pyramid", "best", headline)
    apart = np.array(find_path(rows, "pyramid", "decoupled", headline)["logsnr"])
    at = {e.name: share(table, e.name, headline) for e in entries}
    published = {
        r["path"][-1]: r["nats"]
        for r in rows
        if r["representation"] == "pyramid" and r["steps"] == headline and r["path"].startswith("published")
    }
    measured = {
        "floor": min(r["nats"] / r["floor_nats"] for r in rows),
        "certificate": min(r["nats"] / b["certified_nats"] for r, b in ratios),
        "optimum": min(r["nats"] / b["nats"] for r, b in ratios),
        "spacing": at["pyramid"]["spacing_of_saving"],
        "lead": at["pyramid"]["lead_of_saving"],
        "second_clock": at["dct"]["lead_after_spacing"] / max(at["pyramid"]["lead_after_spacing"], 1e-12),
        "representation": max(
            best["haar", n]["nats"] / best["pyramid", n]["nats"] for name, n in best if name == "haar"
        ),
        "unit_conversion": float(np.median(beginning()[1][1:])),
        "fine_ahead": float(np.median(_inner_lead(pyramid["logsnr"]) - UNIT)),
        "decoupled": float(np.median(_inner_lead(apart))),
        "fine_only": find_path(rows, "pyramid", "fine_only", headline)["nats"] / pyramid["nats"],
        "published_factor": published["B"] / min(published.values()),
        "l_shape": find_path(rows, "dct", "coarse_first", headline)["nats"] / best["dct", headline]["nats"],
    }
    return judged(PREDICTIONS, measured)


def _inner_lead(logsnr: Any) -> np.ndarray:
    points = np.asarray(logsnr)
    return (points[:, 1] - points[:, 0])[1:-1]
