"""The best path with n steps: lattice program, refinement from several starts, and a certificate."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import real_number, whole_number
from lift_theory.gaussian import GaussianModel
from lift_theory.optimize.geodesics import geodesic_curve
from lift_theory.optimize.lattice import lattice_axes
from lift_theory.optimize.objectives import Objective, PathKL, SearchingObjective
from lift_theory.optimize.refine import Refinement, refine
from lift_theory.optimize.starts import SCOUT, checked_ends, diagonal, equal_information, fitted_axes, spaced
from lift_theory.paths import Path

FITTED = {1: 80, 2: 80, 3: 20, 4: 6}
"""Lattice points per scale of the fitted lattice; fewer for more scales, as time grows with their power 2 K - 1. Of
more scales than these no lattice is searched."""

CELLS = {1: 64, 2: 28, 3: 10, 4: 6}
"""Lattice points per scale that the proof begins with, at most; fewer for more scales."""

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

    def __repr__(self) -> str:
        return f"OptimizedPath({self.path!r}, cost={self.cost:.6g}, lower_bound={self.lower_bound:.6g})"

    @property
    def gap(self) -> float:
        """Largest possible relative saving, `1 - lower_bound / cost`."""
        return 0.0 if self.cost <= self.lower_bound else 1.0 - self.lower_bound / self.cost


def optimal_path(
    model: Any,
    steps: int,
    start: Any = -9.0,
    stop: Any = 9.0,
    objective: Objective | SearchingObjective | None = None,
    points: int = 80,
    gap: float = 0.009,
) -> OptimizedPath:
    """The best monotone path with exactly `steps` steps, with a proof of how good it is.

    A coarse lattice finds the region, Newton's method the optimum in it, and cells fitted to that optimum carry the
    proof that nothing is cheaper by more than `gap`. The first start that satisfies the optimality conditions and
    is proved so good ends the search: another start may still lead to a path that is cheaper, by less than
    `gap`. Until then the best path over a fitted lattice, the geodesic, the diagonal and the equal-information path
    are refined, too.

    Of five scales and more no lattice could be searched, and no cells proved anything, in reasonable time: there the
    best diagonal, the geodesic and the equal-information path are refined, and the anisotropic floor is the bound.

    Args:
        model: an error-surface model such as `GaussianModel`.
        steps: number of steps; the path has one point more.
        start: first log-SNR in nats, for all scales or one per scale.
        stop: last log-SNR, likewise, not below `start`.
        objective: what to minimise; `PathKL()` if not given. An objective with a method `optimize` searches by itself.
        points: lattice points per scale, at most; the fitted lattice of two scales has as many.
        gap: relative gap to prove, 0 for all starts and as narrow a gap as the work allowed for the proof gives.

    Raises:
        TypeError: if `steps` or `points` is not an integer, or model or objective of the wrong kind.
        ValueError: if an end is not finite, the ends are out of order, `points` is below 2, or
            `gap` is not between 0 and 1.
    """
    began = time.perf_counter()
    objective = PathKL() if objective is None else objective
    if not hasattr(model, "scales"):
        raise TypeError(
            f"model must be an error-surface model such as GaussianModel; got {type(model).__name__}. "
            "A spectrum becomes one with GaussianModel(spectrum, SingleScale())."
        )
    if isinstance(objective, type) or not (
        isinstance(objective, SearchingObjective) or hasattr(objective, "step_costs")
    ):
        raise TypeError(f"objective must be one such as PathKL() or OutputError(DDIM()); got {objective!r}.")
    steps = whole_number(steps, name="steps", least=1)
    points = whole_number(points, name="points", least=2)
    gap = real_number(gap, name="gap")
    if not 0.0 <= gap < 1.0:
        raise ValueError(f"gap must be a share of the cost, at least 0 and below 1; got {gap:g}.")
    first, last = checked_ends(model, start, stop)
    if isinstance(objective, SearchingObjective):
        return objective.optimize(model, steps, first, last, thorough=gap == 0.0)
    search = _Search(model=model, objective=objective, steps=steps, first=first, last=last, points=points)

    if search.has_lattice:
        scout = lattice_axes(first, last, min(points, SCOUT.get(len(first), 6)))
        best = search.refine("coarse lattice, refined", search.lattice("coarse lattice", scout))
    else:
        best = search.refine("diagonal, refined", spaced(model, steps, diagonal(first, last)))
    bounds = search.bounds(best, gap)
    for name, begin in search.further_starts(best):
        if best.kkt_residual <= SETTLED and bounds[-1] >= (1.0 - gap) * best.cost:
            break
        known = best.cost
        best = search.challenge(f"{name}, refined", begin, best)
        if best.cost < (1.0 - 1e-6) * known:
            bounds = np.maximum(bounds, search.bounds(best, gap))
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
        costs_by_steps=search.costs_by_steps(best),
        bounds_by_steps=bounds,
        seconds=time.perf_counter() - began,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Search:
    """The stages of one search and their record."""

    model: Any
    objective: Objective
    steps: int
    first: Float[np.ndarray, " scales"]
    last: Float[np.ndarray, " scales"]
    points: int
    history: list[Attempt] = field(default_factory=list)
    costs: list[Float[np.ndarray, " steps"]] = field(default_factory=list)

    @property
    def has_lattice(self) -> bool:
        """Whether there are few enough scales for lattices and cells."""
        return len(self.first) in FITTED

    def costs_by_steps(self, best: Refinement) -> Float[np.ndarray, " steps"]:
        """Least cost over all lattices by number of steps; without a lattice that of the best path alone."""
        if self.costs:
            return np.min(self.costs, axis=0)
        return np.append(np.full(self.steps - 1, np.inf), best.cost)

    def lattice(
        self, method: str, axes: tuple[Float[np.ndarray, " points"], ...]
    ) -> Float[np.ndarray, "points scales"]:
        """The best path over a lattice."""
        began = time.perf_counter()
        solution = self.objective.lattice(self.model, self.steps, axes)
        self.costs.append(solution.costs)
        self._record(method, float(solution.costs[-1]), 0, began)
        return solution.logsnr()

    def further_starts(
        self, best: Refinement
    ) -> Iterator[tuple[str, Callable[[], Float[np.ndarray, "points scales"]]]]:
        """Names of paths to begin with after the coarse lattice, and how to get them."""
        model, steps, ends = self.model, self.steps, (self.first, self.last)
        if self.has_lattice:
            axes = fitted_axes(model, best.logsnr, min(self.points, FITTED[len(self.first)]))
            yield "fitted lattice", lambda: self.lattice("fitted lattice", axes)
        yield "geodesic", lambda: geodesic_curve(model, *ends, points=24).path(steps).logsnr
        if self.has_lattice:
            yield "diagonal", lambda: spaced(model, steps, diagonal(*ends))
        if len(self.first) > 1:
            yield "equal information", lambda: spaced(model, steps, equal_information(*ends))

    def refine(self, method: str, logsnr: Float[np.ndarray, "points scales"]) -> Refinement:
        """Refine the first start."""
        began = time.perf_counter()
        found = refine(self.objective.derivatives(self.model), logsnr)
        self._record(method, found.cost, found.iterations, began)
        return found

    def challenge(
        self, method: str, begin: Callable[[], Float[np.ndarray, "points scales"]], best: Refinement
    ) -> Refinement:
        """Refine another start, in full only where it overtakes the best so far, and keep the better one."""
        began = time.perf_counter()
        derivatives = self.objective.derivatives(self.model)
        found = refine(derivatives, begin(), max_iterations=PATIENCE)
        iterations = found.iterations
        if found.cost < best.cost and found.kkt_residual > best.kkt_residual:
            found = refine(derivatives, found.logsnr)
            iterations += found.iterations
        self._record(method, found.cost, iterations, began)
        return found if found.cost < best.cost else best

    def bounds(self, best: Refinement, gap: float) -> Float[np.ndarray, " steps"]:
        """Lower bounds for 1, ..., n steps, the last proved from cells fitted to the best path."""
        began = time.perf_counter()
        if not self.has_lattice:
            return self._with_floor(np.zeros(self.steps))
        count = min(self.points, CELLS[len(self.first)])
        axes = fitted_axes(self.model, best.logsnr, count, SPREAD)
        certificate = self.objective.certificate(self.model, self.steps, axes, (1.0 - gap) * best.cost)
        if certificate is None:
            return np.zeros(self.steps)
        bounds = self._with_floor(np.array(certificate.bounds))
        self._record("certificate", float(bounds[-1]), 0, began)
        return bounds

    def _with_floor(self, bounds: Float[np.ndarray, " steps"]) -> Float[np.ndarray, " steps"]:
        """The bounds, raised to the floor of all linear representations where that is higher."""
        if self.objective == PathKL() and isinstance(self.model, GaussianModel):
            counts = np.arange(1, self.steps + 1)
            try:
                ratios = self.model.log_precision_ratios(self.first, self.last)
            except ValueError:  # no digits of it left, so far apart are the ends
                return bounds
            rates = ratios / counts[:, None]
            excess = np.where(rates < 1e-5, 0.5 * rates**2, np.expm1(rates) - rates)
            bounds = np.maximum(bounds, 0.5 * counts * excess.sum(axis=1))
        return bounds

    def _record(self, method: str, cost: float, iterations: int, began: float) -> None:
        seconds = time.perf_counter() - began
        self.history.append(Attempt(method=method, cost=cost, iterations=iterations, seconds=seconds))
