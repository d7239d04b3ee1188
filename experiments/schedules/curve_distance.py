"""How far the self-consistent curve, which knows no step count, is from the optimum of every count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import lift_theory as lt
from experiments.schedules.contenders import METRICS, entry
from lift_theory.sampling import OutputError

SAMPLERS = ("ddim", "ancestral")
ENDS = (-8.0, 8.0)
"""First and last log-SNR."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Where curves are compared with optima.

    Attributes:
        size: pixels on a side, one channel.
        exponents: of the power-law spectra.
        steps: step counts.
    """

    size: int = 32
    exponents: tuple[float, ...]
    steps: tuple[int, ...]

    def cases(self) -> list[tuple[str, str, float]]:
        """Samplers, metrics and exponents."""
        return [(s, m, e) for s in SAMPLERS for m in METRICS for e in self.exponents]


def curve_distances(
    size: int, sampler: str, metric: str, exponent: float, steps: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Error of the path that the curve gives and of the best path, and the excess in percent of the latter."""
    model = lt.GaussianModel(lt.Spectrum.power_law((size, size), exponent), lt.SingleScale())
    objective = OutputError(entry(sampler).sampler, metric)
    first, last = (np.array([level]) for level in ENDS)
    curve, rows = objective.curve(model, first, last), []
    for count in steps:
        best = objective.optimize(model, count, first, last)
        cost = objective.cost(model, curve.path(count))
        rows.append(
            {
                "sampler": sampler,
                "metric": metric,
                "exponent": exponent,
                "steps": count,
                "curve": cost,
                "best": best.cost,
                "excess_percent": 100 * (cost / best.cost - 1),
                "kkt_residual": best.kkt_residual,
            }
        )
    return rows
