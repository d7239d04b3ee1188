"""The best path of a shape for what a sampler returns, followed from many starts.

`OutputError.optimize` chooses its starts itself. Here they are chosen to lie far apart, so that how far their ends are
from each other tells how sure the optimum is, and paths of fewer steps are padded to one length: a standing step
changes nothing, and every step count then shares one compiled function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

import lift_theory as lt
from lift_theory.sampling import OutputError
from lift_theory.sampling.propagation import Loss, loss
from lift_theory.sampling.state import state_of

RANDOM = 2
ITERATIONS = 250
TOLERANCE = 1e-8
FAR = 3.0
"""Nats by which the coarse scale leads or lags in two of the starts."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Paths that are steered by one or two rising parameters.

    Attributes:
        first: parameters at the beginning.
        last: parameters at the end.
        points: log-SNRs of given parameters.
        slope: derivative of every log-SNR with respect to every parameter, (points, parameters, scales).
    """

    first: np.ndarray
    last: np.ndarray
    points: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


def free(first: np.ndarray, last: np.ndarray) -> Shape:
    """Every scale has a clock of its own."""
    eye = np.eye(len(first))
    return Shape(
        first=first,
        last=last,
        points=lambda x: x,
        slope=lambda x: np.broadcast_to(eye, (len(x), *eye.shape)),
    )


def constant_lead(first: np.ndarray, last: np.ndarray, lead: float) -> Shape:
    """One clock for two scales: the coarse one leads by a constant beyond its ends' own, clipped at the ends."""
    shift = first - first[0] + np.array([0.0, lead])
    low, high = (first - shift).min(), (last - shift).max()

    def points(x: np.ndarray) -> np.ndarray:
        return np.clip(x + shift, first, last)

    def slope(x: np.ndarray) -> np.ndarray:
        inside = (x + shift > first) & (x + shift < last)
        return inside[:, None, :].astype(float)

    return Shape(first=np.array([low]), last=np.array([high]), points=points, slope=slope)


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where one start led.

    Attributes:
        start: its name.
        cost: W2 in pixel units or KL in nats.
        logsnr: the path.
        iterations: quadratic programs solved.
    """

    start: str
    cost: float
    logsnr: np.ndarray
    iterations: int


@dataclass(frozen=True, kw_only=True)
class Search:
    """Descent to the least error of what a sampler returns.

    Attributes:
        model: Gaussian data and its scales.
        objective: the error.
        length: steps to which paths are padded.
    """

    model: lt.GaussianModel
    objective: OutputError
    length: int

    def cost(self, points: np.ndarray) -> float:
        """W2 (pixel units) or KL (nats) of one path."""
        value = self._loss(padded(points, self.length))[0]
        return float(np.sqrt(value)) if self.objective.metric == "w2" else float(value)

    @property
    def _loss(self) -> Loss:
        return loss(state_of(self.model), self.objective.setting, self.objective.metric)

    def descend(self, name: str, shape: Shape, start: np.ndarray, moves: np.ndarray | None = None) -> Found:
        """A local minimum by sequential quadratic programs over the steps of the parameters.

        Args:
            name: kept in the result.
            shape: what the parameters steer.
            start: parameters, (n + 1, parameters).
            moves: (n, parameters), false where a parameter has to stand still; all move if not given.
        """
        value_and_gradient = self._loss
        rises = np.diff(start, axis=0)
        total = shape.last - shape.first
        unit = np.maximum(rises, 0.02 * total / len(rises))
        lowest, where = np.inf, start

        def parameters(x: np.ndarray) -> np.ndarray:
            rise = np.maximum(x.reshape(unit.shape), 0.0) * unit
            grown = shape.first + np.concatenate([np.zeros((1, len(total))), np.cumsum(rise, axis=0)])
            grown[-1] = shape.last
            return np.minimum(grown, shape.last)

        def logarithm(x: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal lowest, where
            at = parameters(x)
            value, gradient = value_and_gradient(padded(shape.points(at), self.length))
            if not np.isfinite(value):
                return 1e30, np.zeros_like(x)
            if value < lowest:
                lowest, where = value, at
            own = np.einsum("ik,ipk->ip", gradient[-len(at) :], shape.slope(at))
            onward = np.cumsum(own[-2:0:-1], axis=0)[::-1]  # a step moves all inner points after it
            slope = np.concatenate([onward, np.zeros((1, len(total)))]) * unit
            return float(np.log(max(value, 1e-300))), slope.ravel() / max(value, 1e-300)

        sums = np.zeros((len(total), *unit.shape))
        for k in range(len(total)):
            sums[k, :, k] = unit[:, k] / total[k]
        sums = sums.reshape(len(total), -1)
        moving = np.ones(unit.shape, dtype=bool) if moves is None else moves
        result = minimize(
            logarithm,
            (rises / unit).ravel(),
            jac=True,
            method="SLSQP",
            bounds=[(0.0, None if there else 0.0) for there in moving.ravel()],
            constraints={"type": "eq", "fun": lambda x: sums @ x - 1.0, "jac": lambda x: sums},
            options={"maxiter": ITERATIONS, "ftol": TOLERANCE},
        )
        cost = float(np.sqrt(lowest)) if self.objective.metric == "w2" else float(lowest)
        return Found(
            start=name, cost=cost, logsnr=shape.points(np.asarray(where)), iterations=int(result.nit)
        )

    def best(self, first: np.ndarray, last: np.ndarray, starts: dict[str, np.ndarray]) -> list[Found]:
        """Where all starts lead, the best first."""
        shape = free(first, last)
        found = [self.descend(name, shape, start) for name, start in starts.items()]
        return sorted(found, key=lambda f: f.cost)


def padded(points: np.ndarray, length: int) -> np.ndarray:
    """The path with standing steps in front."""
    return np.concatenate([np.repeat(points[:1], length - (len(points) - 1), axis=0), points])


def one_clock_starts(
    search: Search, steps: int, first: np.ndarray, last: np.ndarray
) -> dict[str, np.ndarray]:
    """Starts for one clock."""
    model = search.model
    starts = {
        spacing: lt.diagonal_path(model, steps, first, last, spacing=spacing).logsnr
        for spacing in ("logsnr", "karras", "arctan")
    }
    return {**_curves(search, steps, first, last), **starts, **random_paths(steps, first, last, 1)}


def two_clock_starts(steps: int, first: np.ndarray, last: np.ndarray, one: Any) -> dict[str, np.ndarray]:
    """Starts for two clocks.

    Lock-step on the grid that is best for one clock, the coarse scale late and early on it, and random paths.
    """
    fine = np.asarray(one)
    starts = {
        name: through(fine[:, 0], first, last, lead)
        for name, lead in (("lock-step", 0.0), ("coarse late", -FAR), ("coarse early", FAR))
    }
    return {**starts, **random_paths(steps, first, last, RANDOM)}


def through(fine: np.ndarray, first: np.ndarray, last: np.ndarray, lead: float) -> np.ndarray:
    """The given fine grid, the coarse scale leading by a constant beyond its ends' own where these allow it."""
    coarse = np.clip(fine + (first[1] - first[0]) + lead, first[1], last[1])
    points = np.stack([fine, coarse], axis=1)
    points[0], points[-1] = first, last
    return points


def random_paths(steps: int, first: np.ndarray, last: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Monotone paths with independent uniform log-SNRs, the same ones in every run."""
    rng = np.random.default_rng(20240)
    result = {}
    for i in range(count):
        inner = np.sort(rng.uniform(first, last, size=(steps - 1, len(first))), axis=0)
        result[f"random {i + 1}"] = np.concatenate([first[None], inner, last[None]])
    return result


def _curves(search: Search, steps: int, first: np.ndarray, last: np.ndarray) -> dict[str, np.ndarray]:
    try:
        curve = search.objective.curve(search.model, first, last).path(steps).logsnr.copy()
    except ValueError:  # no leading error is known for this sampler
        return {}
    curve[0], curve[-1] = first, last
    return {"own curves": curve}
