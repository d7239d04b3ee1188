"""From a good path to a local optimum over all log-SNRs, with multipliers that prove it.

The problem is: minimise a sum of step costs over the interior points of a path, subject to `l[i] <= l[i + 1]` in
every scale. The solver is sequential quadratic programming. The exact Hessian is block tridiagonal, hence a band
matrix; where it is not positive definite, it is blended with a convex one, no more than needed. Each quadratic
program is solved by a primal-dual interior-point method on bands, then solved again exactly on the constraints found
active, so that scales that stand still stand still to the last bit. A backtracking line search between two feasible
paths keeps monotonicity and never lets the cost rise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from lift_theory.optimize.derivatives import PathDerivatives
from lift_theory.optimize.quadratic import quadratic_program

ARMIJO = 1e-4
"""Share of the predicted decrease that a step must achieve."""

SLOW_RESIDUAL, SLOW_PROGRESS = 1e-7, 1e-8
"""A path this close to optimal, whose cost falls relatively no faster than this, is taken as it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Refinement:
    """A refined path and the evidence that it is a local optimum.

    Attributes:
        logsnr: the path.
        cost: its cost, never above that of the path refinement began with.
        multipliers: one per step and scale, non-negative: the rate at which the cost would fall if that
            coordinate could go back. Of either sign where a step is held.
        kkt_residual: largest of the stationarity error and of the complementarity products, relative to the largest
            derivative of a single step's cost.
        costs: cost after each iteration, beginning with that of the first path.
    """

    logsnr: Float[np.ndarray, "points scales"]
    cost: float
    multipliers: Float[np.ndarray, "steps scales"]
    kkt_residual: float
    costs: tuple[float, ...]

    @property
    def iterations(self) -> int:
        """Number of quadratic programs solved."""
        return len(self.costs) - 1


def refine(
    derivatives: Callable[[Float[np.ndarray, "points scales"]], PathDerivatives],
    logsnr: Float[np.ndarray, "points scales"],
    *,
    held: Bool[np.ndarray, "steps scales"] | None = None,
    tolerance: float = 1e-9,
    max_iterations: int = 60,
) -> Refinement:
    """Descend from a monotone path to one that satisfies the optimality conditions.

    Args:
        derivatives: cost, gradient and Hessian blocks of a path.
        logsnr: monotone path to begin with; its ends stay.
        held: for every step and scale, whether it has to stand still, as it does in `logsnr`; none if not given.
        tolerance: relative KKT residual at which to stop.
        max_iterations: largest number of quadratic programs.
    """
    logsnr = np.array(logsnr, dtype=float)
    held = np.zeros((len(logsnr) - 1, logsnr.shape[1]), dtype=bool) if held is None else held
    here = derivatives(logsnr)
    costs = [here.cost]
    multipliers, residual = np.zeros_like(here.before), 0.0
    while len(logsnr) > 2:
        target, multipliers = quadratic_program(here, logsnr, held)
        residual = _kkt_residual(here, logsnr, multipliers)
        if residual <= tolerance or len(costs) > max_iterations:
            break
        decrease = float(np.sum(here.gradient * (target - logsnr)))
        for share in 0.5 ** np.arange(24):
            trial = target if share == 1.0 else logsnr + share * (target - logsnr)
            there = derivatives(trial)
            if there.cost <= here.cost + ARMIJO * share * min(decrease, 0.0):
                break
        if there.cost >= here.cost:
            break
        logsnr, here = trial, there
        snapped = _snapped(here, logsnr)
        if snapped is not None and not np.any(np.diff(snapped, axis=0)[held]):
            there = derivatives(snapped)
            if there.cost < here.cost:
                logsnr, here = snapped, there
        costs.append(here.cost)
        if residual <= SLOW_RESIDUAL and costs[-2] - costs[-1] <= SLOW_PROGRESS * costs[-1]:
            break
    if len(logsnr) > 2:
        _, multipliers = quadratic_program(here, logsnr, held)
        residual = _kkt_residual(here, logsnr, multipliers)
    return Refinement(
        logsnr=logsnr, cost=here.cost, multipliers=multipliers, kkt_residual=residual, costs=tuple(costs)
    )


def _snapped(
    here: PathDerivatives, logsnr: Float[np.ndarray, "points scales"]
) -> Float[np.ndarray, "points scales"] | None:
    """The path with coordinates that only matter exponentially little joined to the neighbour they move towards.

    Far below the noise a cost is linear in the SNR, exponential in the log-SNR; Newton's method then creeps by one
    nat per iteration towards a bound that it will reach in the end.
    """
    slope = here.gradient
    curvature = np.zeros_like(slope)
    diagonal = np.einsum("sikik->sik", here.hessians)
    curvature[:-1] += diagonal[:, 0]
    curvature[1:] += diagonal[:, 1]
    creeping = (curvature > 0) & (np.abs(slope) > 0.5 * curvature) & (np.abs(slope) < 1e-2 * here.force)
    creeping[[0, -1]] = False
    if not creeping.any():
        return None
    snapped = logsnr.copy()
    for i in range(1, len(logsnr) - 1):
        snapped[i] = np.where(creeping[i] & (slope[i] > 0), snapped[i - 1], snapped[i])
    for i in range(len(logsnr) - 2, 0, -1):
        snapped[i] = np.where(creeping[i] & (slope[i] < 0), snapped[i + 1], snapped[i])
    return None if np.array_equal(snapped, logsnr) else snapped


def _kkt_residual(
    here: PathDerivatives,
    logsnr: Float[np.ndarray, "points scales"],
    multipliers: Float[np.ndarray, "steps scales"],
) -> float:
    """Stationarity of the Lagrangian and complementarity, in units of the largest force of one step."""
    force = here.force
    if force == 0.0 or len(logsnr) == 2:
        return 0.0
    stationarity = here.gradient[1:-1] - multipliers[:-1] + multipliers[1:]
    products = multipliers * np.diff(logsnr, axis=0)
    return float(max(np.abs(stationarity).max(), products.max())) / force
