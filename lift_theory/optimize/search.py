"""The best path with n steps: lattice program, refinement from several starts, and a certificate."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from lift_theory._validation import per_scale, real_number, whole_number
from lift_theory.channels import excess
from lift_theory.gaussian import GaussianModel
from lift_theory.optimize.certificates import Certificate
from lift_theory.optimize.lattice import LatticeSolution, lattice_axes
from lift_theory.optimize.objectives import Objective, PathKL
from lift_theory.optimize.refine import Refinement, refine
from lift_theory.optimize.traceable import evaluate_tangents
from lift_theory.paths import Path

SCOUT = {1: 64, 2: 40, 3: 10}
"""Lattice points per scale of the first, evenly spaced lattice."""

CELLS = {1: 64, 2: 28, 3: 8}
"""Lattice points per scale that the proof begins with, at most."""

SPREAD = 0.4
"""Cells that the proof spreads evenly over each axis, relative to those near the path."""

SETTLED = 1e-6
"""KKT residual above which a further start is tried."""

PATIENCE = 12
"""Iterations after which a start that has not reached the best cost so far is given up."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One stage of a search.

    Attributes:
        method: what was tried.
        cost: what it reached; of a certificate, what it proved.
        iterations: quadratic programs solved.
        seconds: time it took.
    """

    method: str
    cost: float
    iterations: int
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class OptimizedPath:
    """A path, its cost, and how much better any other path could be.

    Attributes:
        path: the best path found.
        cost: its cost in nats (in the objective's units otherwise).
        lower_bound: no monotone path with as many steps between the same ends costs less; 0 where nothing is proved.
        method: the stage that gave the path.
        history: all stages, in order.
        kkt_residual: error of the optimality conditions, relative to the largest derivative of one step's cost.
        multipliers: one per step and scale: how fast the cost would fall if that coordinate could go backwards.
        costs_by_steps: least cost over the lattice for 1, 2, ..., n steps.
        bounds_by_steps: lower bounds for 1, 2, ..., n steps, zeros where nothing is proved.
        seconds: wall-clock time of the whole search.
    """

    path: Path
    cost: float
    lower_bound: float
    method: str
    history: tuple[Attempt, ...]
    kkt_residual: float
    multipliers: Float[np.ndarray, "steps scales"]
    costs_by_steps: Float[np.ndarray, " steps"]
    bounds_by_steps: Float[np.ndarray, " steps"]
    seconds: float

    @property
    def gap(self) -> float:
        """Largest possible relative saving, `1 - lower_bound / cost`."""
        return 0.0 if self.cost <= self.lower_bound else 1.0 - self.lower_bound / self.cost


def optimal_path(
    model: Any,
    steps: int,
    start: Any = -9.0,
    stop: Any = 9.0,
    objective: Objective | None = None,
    points: int = 80,
    gap: float = 0.009,
) -> OptimizedPath:
    """The best monotone path with exactly `steps` steps, with a proof of how good it is.

    A coarse lattice finds the region, Newton's method the optimum in it, and cells fitted to that optimum carry the
    proof that nothing is cheaper by more than `gap`. The first start that satisfies the optimality conditions and
    is proved so good ends the search: another start may still lead to a path that is cheaper, by less than
    `gap`. Otherwise the best path over a fitted lattice and the diagonal are refined too.

    Args:
        model: an error-surface model such as `GaussianModel`.
        steps: number of steps; the path has one point more.
        start: first log-SNR in nats, for all scales or one per scale.
        stop: last log-SNR, likewise, not below `start`.
        objective: what to minimise; `PathKL()` if not given.
        points: lattice points per scale of the fitted lattice, whose cells the proof begins with.
        gap: relative gap to prove, 0 for all starts and as narrow a gap as the work allowed for the proof gives.

    Raises:
        TypeError: if `steps` or `points` is not an integer.
        ValueError: if an end is not finite, the ends are out of order, `points` is below 2, or
            `gap` is not between 0 and 1.
    """
    began = time.perf_counter()
    objective = PathKL() if objective is None else objective
    steps = whole_number(steps, name="steps", least=1)
    points = whole_number(points, name="points", least=2)
    gap = real_number(gap, name="gap")
    if not 0.0 <= gap < 1.0:
        raise ValueError(f"gap must be a share of the cost, at least 0 and below 1; got {gap:g}.")
    first, last = checked_ends(model, start, stop)
    search = _Search(model=model, objective=objective, steps=steps, history=[])

    scout = lattice_axes(first, last, min(points, SCOUT.get(len(first), 6)))
    solution = search.lattice("coarse lattice", scout)
    least = solution.costs
    best = search.refine("coarse lattice, refined", solution.logsnr())
    bounds = search.bounds(best, first, last, points, gap)
    if best.kkt_residual > SETTLED or bounds[-1] < (1.0 - gap) * best.cost:
        axes = fitted_axes(model, best.logsnr, points)
        solution = search.lattice("fitted lattice", axes)
        least = np.minimum(least, solution.costs)
        known = best.cost
        best = search.challenge("fitted lattice, refined", solution.logsnr(), best)
        straight = np.linspace(0.0, 1.0, steps + 1)[:, None]
        best = search.challenge("diagonal, refined", first + straight * (last - first), best)
        if best.cost < (1.0 - 1e-6) * known:
            bounds = np.maximum(bounds, search.bounds(best, first, last, points, gap))
    method = next(a.method for a in search.history if a.cost == best.cost and a.method.endswith("refined"))
    if bounds[-1] > best.cost * (1.0 + 1e-9):
        warnings.warn(
            f"the lower bound {bounds[-1]:.12g} exceeds the cost {best.cost:.12g} by more than rounding: the model's "
            "mmse and mutual information do not agree well enough to prove anything. The path is still valid; "
            "check the conditioning of the model.",
            RuntimeWarning,
            stacklevel=2,
        )
        bounds = np.zeros(steps)
    return OptimizedPath(
        path=Path(best.logsnr, tuple(model.scales)),
        cost=best.cost,
        lower_bound=min(float(bounds[-1]), best.cost),
        method=method,
        history=tuple(search.history),
        kkt_residual=best.kkt_residual,
        multipliers=best.multipliers,
        costs_by_steps=least,
        bounds_by_steps=bounds,
        seconds=time.perf_counter() - began,
    )


def checked_ends(
    model: Any, start: Any, stop: Any
) -> tuple[Float[np.ndarray, " scales"], Float[np.ndarray, " scales"]]:
    """Both ends of a path as one log-SNR per scale, in order."""
    scales = tuple(model.scales)
    first = per_scale(start, scales=scales, name="start")
    last = per_scale(stop, scales=scales, name="stop")
    if np.any(last < first):
        raise ValueError(
            f"stop must not be below start in any scale; got start {first} and stop {last} for {scales}. "
            "Log-SNR rises from noise to data."
        )
    return first, last


def fitted_axes(
    model: Any, logsnr: Float[np.ndarray, "points scales"], points: int, spread: float = 0.25
) -> tuple[Float[np.ndarray, " points"], ...]:
    """Lattice axes that are dense where a given path makes small steps through a curved part of the surface.

    The error of a cell of width h at a step of size D is about `h^2 M_kk`, so that the best density of lattice
    points along scale k is proportional to the cube root of `M_kk / D`. A fifth of the points is spread evenly, for
    paths elsewhere.
    """
    steps, scales = len(logsnr) - 1, logsnr.shape[1]
    time_fine = np.linspace(0.0, 1.0, 16 * steps + 1)
    dense = np.stack(
        [np.interp(time_fine, np.linspace(0.0, 1.0, steps + 1), logsnr[:, k]) for k in range(scales)], axis=1
    )
    _, metric = evaluate_tangents(model, 0.5 * (dense[1:] + dense[:-1]))
    axes = []
    for k in range(scales):
        first, last = logsnr[0, k], logsnr[-1, k]
        if last <= first:
            axes.append(np.array([first]))
            continue
        edges = np.linspace(first, last, 2001)
        size = 16.0 * np.diff(dense[:, k])
        moving = size > 1e-6
        weight = np.cbrt(np.maximum(metric[moving, k, k], 0.0) / size[moving])
        middle = 0.5 * (dense[1:, k] + dense[:-1, k])[moving]
        density = np.interp(0.5 * (edges[1:] + edges[:-1]), middle, weight)
        density = density / max(density.mean(), 1e-300) + spread
        share = np.concatenate([[0.0], np.cumsum(density)])
        axis = np.interp(np.linspace(0.0, share[-1], points), share, edges)
        axis[[0, -1]] = first, last
        axes.append(axis)
    return tuple(axes)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Search:
    """The stages of one search and their record."""

    model: Any
    objective: Objective
    steps: int
    history: list[Attempt]

    def lattice(self, method: str, axes: tuple[Float[np.ndarray, " points"], ...]) -> LatticeSolution:
        began = time.perf_counter()
        solution = self.objective.lattice(self.model, self.steps, axes)
        seconds = time.perf_counter() - began
        self.history.append(
            Attempt(method=method, cost=float(solution.costs[-1]), iterations=0, seconds=seconds)
        )
        return solution

    def refine(self, method: str, logsnr: Float[np.ndarray, "points scales"]) -> Refinement:
        began = time.perf_counter()
        found = refine(self.objective.derivatives(self.model), logsnr)
        seconds = time.perf_counter() - began
        self.history.append(
            Attempt(method=method, cost=found.cost, iterations=found.iterations, seconds=seconds)
        )
        return found

    def bounds(
        self, best: Refinement, first: np.ndarray, last: np.ndarray, points: int, gap: float
    ) -> Float[np.ndarray, " steps"]:
        """Lower bounds for 1, ..., n steps, the last proved from cells fitted to the best path."""
        began = time.perf_counter()
        share = CELLS.get(len(first), 6)
        axes = fitted_axes(self.model, best.logsnr, min(points, share), SPREAD)
        certificate = self.objective.certificate(self.model, self.steps, axes, (1.0 - gap) * best.cost)
        if certificate is None:
            return np.zeros(self.steps)
        bounds = _with_floor(self.objective, self.model, certificate, first, last)
        seconds = time.perf_counter() - began
        self.history.append(
            Attempt(method="certificate", cost=float(bounds[-1]), iterations=0, seconds=seconds)
        )
        return bounds

    def challenge(
        self, method: str, logsnr: Float[np.ndarray, "points scales"], best: Refinement
    ) -> Refinement:
        """Refine another start, in full only where it overtakes the best so far, and keep the better one."""
        began = time.perf_counter()
        derivatives = self.objective.derivatives(self.model)
        found = refine(derivatives, logsnr, max_iterations=PATIENCE)
        iterations = found.iterations
        if found.cost < best.cost and found.kkt_residual > best.kkt_residual:
            found = refine(derivatives, found.logsnr)
            iterations += found.iterations
        seconds = time.perf_counter() - began
        self.history.append(Attempt(method=method, cost=found.cost, iterations=iterations, seconds=seconds))
        return found if found.cost < best.cost else best


def _with_floor(
    objective: Objective, model: Any, certificate: Certificate, first: np.ndarray, last: np.ndarray
) -> Float[np.ndarray, " steps"]:
    """The certificate's bounds, raised to the floor of all linear representations where that is higher."""
    bounds = np.array(certificate.bounds)
    if objective == PathKL() and isinstance(model, GaussianModel):
        counts = np.arange(1, len(bounds) + 1)
        ratios = model.log_precision_ratios(jnp.asarray(first), jnp.asarray(last)).ravel()
        floors = [0.5 * count * float(jnp.sum(excess(jnp.expm1(ratios / count)))) for count in counts]
        bounds = np.maximum(bounds, floors)
    return bounds
