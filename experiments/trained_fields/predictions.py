"""What a network that has found the posterior mean must show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from experiments.predictions import Prediction, judged

if TYPE_CHECKING:
    from experiments.trained_fields import Preset

SIGMAS = 2.6
"""Standard errors within which a Monte Carlo estimate agrees: 99 of 100 correct ones do."""


def predictions(preset: Preset, representations: Sequence[str]) -> list[Prediction]:
    """Four predictions for every representation."""
    result: list[Prediction] = []
    for name in representations:
        result += [
            {
                "name": f"{name}_mean",
                "claim": f"{name}: the mean excess of the network's errors over the closed form, worse scale (%).",
                "source": "gaussian_information",
                "interval": [0.0, preset.mean_excess],
            },
            {
                "name": f"{name}_worst",
                "claim": f"{name}: the largest excess at any noise levels (%).",
                "source": "gaussian_information",
                "interval": [0.0, preset.worst_excess],
            },
            {
                "name": f"{name}_path",
                "claim": f"{name}: the path that is best for the measured errors, by its true cost, above the optimum (%).",
                "source": "bregman_path_kl",
                "interval": [0.0, preset.path_excess],
            },
            {
                "name": f"{name}_ays",
                "claim": f"{name}: the Monte Carlo bound of Align Your Steps less the Bregman cost (standard errors).",
                "source": "ays_objective_is_the_gap",
                "interval": [-SIGMAS, SIGMAS],
            },
        ]
    return result


def verdicts(asked: list[Prediction], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Predictions with what was measured."""
    found: dict[str, float | None] = {}
    for row in rows:
        name = row["representation"]
        found |= {
            f"{name}_mean": max(row["mean_excess"]),
            f"{name}_worst": max(row["worst_excess"]),
            f"{name}_path": row["path_excess"],
            f"{name}_ays": row["ays_sigmas"],
        }
    return judged(asked, found)


def answer(results: dict[str, Any]) -> list[str]:
    """What was found, in sentences."""
    failed = [v for v in results["predictions"] if v["verdict"] == "failed"]
    rows = results["networks"]
    mean = max(max(row["mean_excess"]) for row in rows)
    path = max(row["path_excess"] for row in rows)
    images = rows[0]["images_seen"]
    first = (
        f"After {images:,} fields the networks' errors are at most {mean:.2g} % above the closed form in the mean, "
        f"and the paths that are best for them cost at most {path:.2g} % more than the optimum."
    )
    if not failed:
        return [
            first,
            "Every prediction was confirmed: training, measuring and path search find what theory says.",
        ]
    return [
        first,
        f"{len(failed)} of {len(results['predictions'])} predictions failed: "
        + ", ".join(v["name"] for v in failed)
        + ".",
    ]
