"""The best path with n steps: lattice program, refinement from several starts, and a certificate."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from lift_theory._validation import per_scale, whole_number
from lift_theory.channels import excess
from lift_theory.gaussian import GaussianModel
from lift_theory.optimize.certificates import Certificate
from lift_theory.optimize.lattice import LatticeSolution, lattice_axes, lattice_points
from lift_theory.optimize.objectives import Objective, PathKL
from lift_theory.optimize.refine import Refinement, refine
from lift_theory.optimize.traceable import evaluate_mmse
from lift_theory.paths import Path

SCOUT = {1: 64, 2: 40, 3: 10}
"""Lattice points per scale of the first, evenly spaced lattice."""


SETTLED = 1e-6
"""KKT residual above which a further start is tried."""

PATIENCE = 12
"""Iterations after which a start that has not reached the best cost so far is given up."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One stage of a search.

    Attributes:
        method: what was tried.
        cost: what it reached.
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
    points: int = 96,
) -> OptimizedPath:
    """The best monotone path with exactly `steps` steps, with a proof of how good it is.

    A coarse lattice finds the region, Newton's method the optimum in it; then a lattice fitted to that optimum is
    searched completely, its best path refined as well, and the same lattice carries the lower bound.

    Args:
        model: an error-surface model such as `GaussianModel`.
        steps: number of steps; the path has one point more.
        start: first log-SNR in nats, for all scales or one per scale.
        stop: last log-SNR, likewise, not below `start`.
        objective: what to minimise; `PathKL()` if not given.
        points: lattice points per scale of the fitted lattice: the bound's gap falls as their square.

    Raises:
        TypeError: if `steps` or `points` is not an integer.
        ValueError: if an end is not finite, the ends are out of order, or `points` is below 2.
    """
    began = time.perf_counter()
    objective = PathKL() if objective is None else objective
    steps = whole_number(steps, name="steps", least=1)
    points = whole_number(points, name="points", least=2)
    first, last = checked_ends(model, start, stop)
    search = _Search(model=model, objective=objective, steps=steps, history=[])

    scout = lattice_axes(first, last, min(points, SCOUT.get(len(first), 6)))
    coarse = search.lattice("coarse lattice", scout)
    best = search.refine("coarse lattice, refined", coarse.logsnr())
    axes = fitted_axes(model, best.logsnr, points)
    errors = evaluate_mmse(model, lattice_points(axes))
    fine = search.lattice("fitted lattice", axes, errors)
    best = search.challenge("fitted lattice, refined", fine.logsnr(), best)
    if best.kkt_residual > SETTLED:
        straight = np.linspace(0.0, 1.0, steps + 1)[:, None]
        best = search.challenge("diagonal, refined", first + straight * (last - first), best)
    method = next(a.method for a in search.history if a.cost == best.cost and a.method.endswith("refined"))

    certificate = objective.certificate(model, steps, axes, errors)
    bounds = (
        np.zeros(steps) if certificate is None else _with_floor(objective, model, certificate, first, last)
    )
    return OptimizedPath(
        path=Path(best.logsnr, tuple(model.scales)),
        cost=best.cost,
        lower_bound=min(float(bounds[-1]), best.cost),
        method=method,
        history=tuple(search.history),
        kkt_residual=best.kkt_residual,
        multipliers=best.multipliers,
        costs_by_steps=np.minimum(coarse.costs, fine.costs),
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
    model: Any, logsnr: Float[np.ndarray, "points scales"], points: int
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
    metric = np.asarray(model.metric(0.5 * (dense[1:] + dense[:-1])), dtype=float)
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
        density = density / max(density.mean(), 1e-300) + 0.25
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

    def lattice(
        self, method: str, axes: tuple[Float[np.ndarray, " points"], ...], errors: np.ndarray | None = None
    ) -> LatticeSolution:
        began = time.perf_counter()
        solution = self.objective.lattice(self.model, self.steps, axes, errors)
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
