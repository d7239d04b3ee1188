"""Local minima of an output error over monotone paths between fixed ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lift_theory.sampling.propagation import Loss

ITERATIONS = 200
"""Quadratic programs of a descent, at most."""

TOLERANCE = 1e-10
"""Relative change of the squared error at which a descent ends."""

Points = Float[np.ndarray, "points scales"]


@dataclass(frozen=True, eq=False)
class Descent:
    """Descent over the interior points of a monotone path between fixed ends."""

    loss: Loss
    first: Float[np.ndarray, " scales"]
    last: Float[np.ndarray, " scales"]

    def descend(self, start: Points, iterations: int = ITERATIONS) -> tuple[float, Points, int]:
        """Squared W2 or KL, path, and iterations of a local minimum.

        The unknowns are the steps, in units of those of the start: along a good curve the error then has a Hessian
        close to a multiple of the identity, and few quadratic programs are needed.
        """
        from scipy.optimize import minimize

        start = np.concatenate([self.first[None], start[1:-1], self.last[None]])
        lowest, where = self.loss(start)[0], start
        rises = np.diff(start, axis=0)
        total = self.last - self.first
        if len(rises) == 1 or lowest == 0.0 or not np.isfinite(lowest) or not total.any():
            return lowest, where, 0
        unit = np.maximum(rises, 0.02 * total / len(rises))
        unit = np.where(unit > 0, unit, 1.0)

        def whole(relative: np.ndarray) -> Points:
            rise = np.maximum(relative.reshape(unit.shape), 0.0) * unit
            points = self.first + np.concatenate([np.zeros((1, len(total))), np.cumsum(rise, axis=0)])
            points[-1] = self.last
            return np.minimum(points, self.last)

        def logarithm(relative: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal lowest, where
            points = whole(relative)
            value, gradient = self.loss(points)
            if not np.isfinite(value):
                return 1e30, np.zeros_like(relative)
            if value < lowest:
                lowest, where = value, points
            onward = np.cumsum(gradient[-2:0:-1], axis=0)[::-1]  # a step moves all inner points after it
            slope = np.concatenate([onward, np.zeros((1, len(total)))]) * unit
            small = max(value, 1e-300)
            return float(np.log(small)), slope.ravel() / small

        moving = total > 0
        sums = np.zeros((int(moving.sum()), *unit.shape))
        for row, k in enumerate(np.flatnonzero(moving)):
            sums[row, :, k] = unit[:, k] / total[k]
        sums = sums.reshape(len(sums), -1)
        result = minimize(
            logarithm,
            (rises / unit).ravel(),
            jac=True,
            method="SLSQP",
            bounds=[(0.0, None)] * unit.size,
            constraints={"type": "eq", "fun": lambda x: sums @ x - 1.0, "jac": lambda x: sums},
            options={"maxiter": iterations, "ftol": TOLERANCE},
        )
        return lowest, where, int(result.nit)

    def conditions(self, points: Points) -> tuple[Float[np.ndarray, "steps scales"], float]:
        """Multipliers of the monotone steps, and the largest slope of the log of the error that they leave, per nat."""
        from scipy.optimize import nnls

        steps, count = len(points) - 1, points.shape[1]
        multipliers = np.zeros((steps, count))
        value, gradient = self.loss(points)
        if steps == 1 or value == 0.0:
            return multipliers, 0.0
        slope = gradient[1:-1] / value
        residual = 0.0
        for k in range(count):
            standing = np.flatnonzero(np.diff(points[:, k]) < 1e-9)
            pull = np.zeros((steps + 1, len(standing)))
            pull[standing + 1, np.arange(len(standing))] += 1.0
            pull[standing, np.arange(len(standing))] -= 1.0
            if len(standing):
                multipliers[standing, k] = nnls(pull[1:-1], slope[:, k])[0]
            rest = slope[:, k] - pull[1:-1] @ multipliers[standing, k]
            residual = max(residual, float(np.abs(rest).max(initial=0.0)))
        return multipliers, residual
