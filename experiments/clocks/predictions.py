"""What theory predicts, with the interval that counts as agreement; written down before anything was measured.

When these lines were written, timing the search had shown path KL at 64 pixels and 10 steps for the pyramid, Haar and
octave DCT bands with two and four scales, and the single scale; nothing had been seen of other edges, of W2, of
limits, or of other sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.predictions import Prediction
from experiments.rows import find

TOLERANCE = 0.02
"""The recommended number of clocks is the smallest whose best bands cost at most this share more than the limit."""

INFINITY = float("inf")

PREDICTIONS: list[Prediction] = [
    {
        "name": "two_bands",
        "claim": "Two clocks with the best edge come down to this share of the floor in path KL (% of the floor; one clock: "
        "140). Quantising log-variance in K cells leaves 1/K^2 of its spread for many cells, a bit more for two.",
        "source": "orthogonal_separability",
        "interval": [112.0, 119.0],
    },
    {
        "name": "two_bands_w2",
        "claim": "The same for W2 of DDIM.",
        "source": "self_consistent_geodesic",
        "interval": [118.0, 132.0],
    },
    {
        "name": "octave_loss",
        "claim": "In path KL octaves are nearly the best place to cut (largest saving of better edges, two to four bands, %).",
        "source": "orthogonal_separability",
        "interval": [0.3, 5.0],
    },
    {
        "name": "octave_loss_w2",
        "claim": "In W2 they are not: two bands cut at half the size leave this saving to the best edge (%).",
        "source": "self_consistent_geodesic",
        "interval": [15.0, 28.0],
    },
    {
        "name": "edge",
        "claim": "The best single edge for path KL is among high frequencies, where most modes are (share of the size).",
        "source": "orthogonal_separability",
        "interval": [0.3, 0.75],
    },
    {
        "name": "edge_w2",
        "claim": "The best single edge for W2 is among low frequencies, where most of the variance is (share of the size).",
        "source": "self_consistent_geodesic",
        "interval": [0.01, 0.13],
    },
    {
        "name": "clocks",
        "claim": "Recommended number of clocks for path KL (largest over sizes and step counts).",
        "source": "anisotropic_floor",
        "interval": [3.0, 5.0],
    },
    {
        "name": "clocks_w2",
        "claim": "Recommended number of clocks for W2 of DDIM (the same).",
        "source": "self_consistent_geodesic",
        "interval": [4.0, 7.0],
    },
    {
        "name": "sizes",
        "claim": "The recommended number hardly depends on size and step count (largest difference, both costs).",
        "source": "anisotropic_floor",
        "interval": [0.0, 1.0],
    },
    {
        "name": "decay",
        "claim": "What K bands lack to the limit of all bands falls like K^-p: p from one to four clocks, path KL.",
        "source": "orthogonal_separability",
        "interval": [1.5, 2.5],
    },
    {
        "name": "squares",
        "claim": "Square bands, however narrow, stay above the floor in path KL, as a square band holds frequencies of "
        "different length (excess of the limit, %).",
        "source": "anisotropic_floor",
        "interval": [0.5, 5.0],
    },
    {
        "name": "free_groups",
        "claim": "Four clocks for groups of like variance, not bound to squares, save this over four best bands (path KL, %).",
        "source": "anisotropic_floor",
        "interval": [0.5, 4.0],
    },
    {
        "name": "pyramid",
        "claim": "No number of levels helps the pyramid of image and means (largest saving over one clock, in points of "
        "percent of its own floor, path KL).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 3.0],
    },
    {
        "name": "haar",
        "claim": "Three Haar bands are no better than three octaves of the DCT: their filters leak (cost over cost, path KL).",
        "source": "orthogonal_separability",
        "interval": [1.0, 1.06],
    },
    {
        "name": "separable",
        "claim": "The joint search over all clocks of octave bands ends where the searches of single bands end (largest "
        "relative difference).",
        "source": "orthogonal_separability",
        "interval": [0.0, 1e-6],
    },
]


def recommended(estimates: Sequence[float]) -> int:
    """The smallest number of clocks whose best bands cost at most `TOLERANCE` more than the limit of all bands."""
    return int(np.argmax(np.array(estimates) <= (1.0 + TOLERANCE) * estimates[-1])) + 1


def measured(results: dict[str, Any]) -> dict[str, float | None]:
    """The number that each prediction is about; nothing where the run is too small for it."""
    rows, settings = results["rows"], results["settings"]
    at = {"size": settings["headline_size"], "steps": settings["headline"]}

    def row(family: str, clocks: int, objective: str = "path_kl") -> dict[str, Any]:
        return find(rows, **at, family=family, clocks=clocks, objective=objective)

    def percent(*which: Any) -> float:
        return float(100.0 * row(*which)["cost"] / row(*which)["floor"])

    def saving(clocks: int, objective: str) -> float:
        octave = row("octave", clocks, objective)["cost"]
        return float(100.0 * (1.0 - row("best", clocks, objective)["cost"] / octave))

    limit = row("best", 1)["estimates"][-1]
    numbers = {
        objective: [r["recommended"] for r in results["recommended"] if r["objective"] == objective]
        for objective in ("path_kl", "w2")
    }
    levels = [r["clocks"] for r in rows if r["family"] == "pyramid"]
    lack = [row("best", clocks)["cost"] - limit for clocks in (1, 4)]
    size = settings["headline_size"]
    return {
        "two_bands": percent("best", 2),
        "two_bands_w2": percent("best", 2, "w2"),
        "octave_loss": max(saving(clocks, "path_kl") for clocks in (2, 3, 4)),
        "octave_loss_w2": saving(2, "w2"),
        "edge": row("best", 2)["edges"][0] / size,
        "edge_w2": row("best", 2, "w2")["edges"][0] / size,
        "clocks": max(numbers["path_kl"]),
        "clocks_w2": max(numbers["w2"]),
        "sizes": max(max(found) - min(found) for found in numbers.values()),
        "decay": float(np.log(lack[0] / lack[1]) / np.log(4.0)),
        "squares": 100.0 * (limit / row("best", 1)["floor"] - 1.0),
        "free_groups": 100.0 * (1.0 - row("free", 4)["cost"] / row("best", 4)["cost"]),
        "pyramid": max(percent("best", 1) - percent("pyramid", k) for k in set(levels)),
        "haar": row("haar", 3)["cost"] / row("octave", 3)["cost"] if 3 in levels else None,
        "separable": max(abs(r["together"] / r["alone"] - 1.0) for r in results["joint"]),
    }
