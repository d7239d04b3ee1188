"""What one law costs along the paths that are compared. Every function gives rows for JSON."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import lift_theory as lt
from experiments.coarse_first.laws import UNIT, Law
from experiments.coarse_first.prices import PRICES, moved, priced
from experiments.processes import Stage
from lift_theory.optimize import PathKL
from lift_theory.optimize.refine import refine

FIRST, LAST = -9.0, 9.0
"""Log-SNR of both ends of both scales, nats."""
GAP = 0.05
"""Share of the cost of the fit's optimum up to which it is proved: it is where the search on the draws begins."""
ITERATIONS = 10
"""Quadratic programs for the optimum after the search on the fit."""
PATHS = {
    "optimal": "optimal",
    "lock_step": "lock-step, best spacing",
    "coarse_first": "coarse first, best split",
    "fine_first": "fine first, best split",
}


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How closely one case is looked at.

    Attributes:
        steps: of every path; the compute budget where steps have prices.
        draws: of the Monte Carlo averages that paths are searched on.
        judged: draws of the averages that they are costed with.
        grid: log-SNRs per scale of the surface that paths are searched on.
    """

    steps: int
    draws: int
    judged: int
    grid: int


@dataclass(frozen=True, kw_only=True)
class Case:
    """A law, its representation, and the coordinates it has in a diagram.

    Attributes:
        law: the data.
        kind: "pyramid" or "bands".
        sizes: of the computation.
        priced: whether cheap coarse steps are asked about.
    """

    law: Law
    kind: str
    sizes: Sizes
    priced: bool = False

    def stage(self) -> Stage:
        """The case as a stage of a workspace."""
        mixture = self.law.mixture
        inputs = {
            "weights": mixture.weights,
            "means": mixture.means,
            "covariances": mixture.covariances,
            "shape": mixture.shape,
            "coarse": self.law.coarse,
            "kind": self.kind,
            "sizes": vars(self.sizes),
            "prices": PRICES if self.priced else (),
            "ends": (FIRST, LAST),
            "version": lt.__version__,
        }
        return Stage(name=f"{self.law.name}-{self.kind}", inputs=inputs, compute=partial(measured, self))


def measured(case: Case) -> dict[str, Any]:
    """Costs and leads of all paths.

    Paths are searched on a smooth fit to the error surface of some draws, optimum and stages are refined on the draws
    themselves, and all are costed with other draws, the same for every path: what a path owes to chance in the draws
    that chose it does not count.
    """
    sizes, representation = case.sizes, case.law.representation(case.kind)
    searched = lt.MixtureModel(case.law.mixture, representation, sizes.draws, seed=0)
    judge = lt.MixtureModel(case.law.mixture, representation, sizes.judged, seed=1)
    fit = lt.MeasuredModel(lt.error_surface(searched, np.linspace(FIRST, LAST, sizes.grid)))
    fine, coarse = fit.scales
    ends = (sizes.steps, FIRST, LAST)
    others = {
        "lock_step": lt.diagonal_path(fit, *ends),
        "coarse_first": moved(searched, lt.staged_path(fit, *ends, order=(coarse, fine))),
        "fine_first": moved(searched, lt.staged_path(fit, *ends, order=(fine, coarse))),
    }
    derivatives = PathKL().derivatives(searched)
    starts = [lt.optimal_path(fit, *ends, gap=GAP).path, *others.values()]
    best = min(starts, key=lambda path: derivatives(path.logsnr).cost)
    found = refine(derivatives, best.logsnr, max_iterations=ITERATIONS)
    paths = {"optimal": lt.Path(found.logsnr, fit.scales), **others}
    row: dict[str, Any] = {
        "law": case.law.name,
        "kind": case.kind,
        "misfit": fit.misfit,
        "paths": {name: costed(judge, path, paths["optimal"]) for name, path in paths.items()},
        **lead(paths["optimal"], case.kind),
    }
    if case.priced:
        row["priced"] = priced(fit, searched, judge, paths)
    return row


def costed(judge: lt.MixtureModel, path: lt.Path, optimum: lt.Path) -> dict[str, Any]:
    """Path KL in nats, its standard error, and that of how much more it costs than the optimum."""
    return {
        "cost": float(lt.path_kl(judge, path)),
        "standard_error": judge.path_kl_standard_error(path),
        "difference_standard_error": judge.path_kl_standard_error(path, optimum),
        "logsnr": path.logsnr.tolist(),
    }


def lead(path: lt.Path, kind: str) -> dict[str, float]:
    """Median over the calls between the ends of how far the coarse scale is ahead, nats."""
    nominal = float(np.median(path.lead()[1:-1]))
    return {"lead_nominal": nominal, "lead": nominal - UNIT[kind]}
