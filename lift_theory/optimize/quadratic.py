"""Quadratic models of a path's cost, minimised over monotone paths with the same ends.

The Hessian is a band matrix. A primal-dual interior-point method on bands finds which steps stand still; with those
fixed the problem is solved once more exactly, so that they stand still to the last bit and the multipliers are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float, Int

from lift_theory.optimize.derivatives import PathDerivatives

BLENDS = (0.0, 1e-3, 1e-2, 0.05, 0.2, 0.5, 1.0)
"""Shares of the convex model that are tried in turn."""

STIFFNESS = 1e4
"""Stiffness that keeps held steps still until they are fixed exactly, relative to the largest second derivative."""


def quadratic_program(
    here: PathDerivatives,
    logsnr: Float[np.ndarray, "points scales"],
    held: Bool[np.ndarray, "steps scales"],
) -> tuple[Float[np.ndarray, "points scales"], Float[np.ndarray, "steps scales"]]:
    """Minimiser of the convexified quadratic model over monotone paths with the same ends, and its multipliers.

    Steps that are held stand still, whatever the sign of their multipliers.
    """
    force = max(here.force, 1e-300)
    moving = logsnr[-1] > logsnr[0]
    target, multipliers = logsnr.copy(), np.zeros_like(here.before)
    for k in np.flatnonzero(~moving):
        rising = np.cumsum(here.gradient[1:-1, k])
        multipliers[1:, k] = -rising
        multipliers[:, k] += max(0.0, rising.max(initial=0.0))
    if moving.any():
        matrix = _Band.of(here.hessians[:, :, moving][..., moving] / force)
        gradient, old = here.gradient[1:-1][:, moving] / force, logsnr[:, moving]
        slack, dual = _interior_point(matrix, gradient, np.diff(old, axis=0), held[:, moving])
        new, dual = _on_active_set(matrix, gradient, old, slack, dual, held[:, moving])
        target[:, moving] = new
        multipliers[:, moving] = dual * force
    return target, multipliers


@dataclass(frozen=True, kw_only=True, eq=False)
class _Band:
    """A symmetric positive definite band matrix over the interior points, upper form of `scipy.linalg`."""

    band: Float[np.ndarray, "width unknowns"]
    scales: int

    @staticmethod
    def of(hessians: Float[np.ndarray, "steps 2 scales 2 scales"]) -> _Band:
        """The Hessian of the interior points, made positive definite by as little as possible.

        Blended with the same sum in which the eigenvalues of each step's part are replaced by their absolute values.
        """
        size = 2 * hessians.shape[2]
        values, vectors = np.linalg.eigh(hessians.reshape(-1, size, size))
        convex = ((vectors * np.abs(values)[:, None, :]) @ np.swapaxes(vectors, 1, 2)).reshape(hessians.shape)
        for share in BLENDS:
            matrix = _Band._assembled(
                (1.0 - share) * hessians + share * convex, shift=1e-9 if share else 1e-13
            )
            try:
                scipy.linalg.cholesky_banded(matrix.band)
            except np.linalg.LinAlgError:
                continue
            break
        return matrix

    @staticmethod
    def _assembled(hessians: Float[np.ndarray, "steps 2 scales 2 scales"], shift: float) -> _Band:
        diagonal = hessians[:-1, 1, :, 1, :] + hessians[1:, 0, :, 0, :]
        coupling = hessians[1:-1, 0, :, 1, :]
        count, scales = diagonal.shape[:2]
        width = 2 * scales
        band = np.zeros((width, count * scales))
        for k in range(scales):
            for m in range(scales):
                if m >= k:
                    band[width - 1 - (m - k), m::scales] = diagonal[:, k, m]
                band[width - 1 - (scales + m - k), scales + m :: scales] = coupling[:, k, m]
        size = np.abs(band[-1])
        band[-1] += shift * np.maximum(size, 1e-12 * max(size.max(), 1e-300))
        return _Band(band=band, scales=scales)

    def times(self, x: Float[np.ndarray, "points scales"]) -> Float[np.ndarray, "points scales"]:
        flat = x.ravel()
        result = self.band[-1] * flat
        width = len(self.band)
        for offset in range(1, min(width, len(flat))):
            upper = self.band[width - 1 - offset, offset:]
            result[:-offset] += upper * flat[offset:]
            result[offset:] += upper * flat[:-offset]
        return result.reshape(x.shape)

    def solver(
        self, weights: Float[np.ndarray, "steps scales"]
    ) -> Callable[[Float[np.ndarray, "points scales"]], Float[np.ndarray, "points scales"]]:
        """Solve with `H + C^T diag(weights) C`, C the differences of neighbouring points."""
        factor = scipy.linalg.cholesky_banded(self.with_springs(weights).band)
        return lambda right: scipy.linalg.cho_solve_banded((factor, False), right.ravel()).reshape(
            right.shape
        )

    def with_springs(self, weights: Float[np.ndarray, "steps scales"]) -> _Band:
        """The matrix `H + C^T diag(weights) C`."""
        band = self.band.copy()
        band[-1] += (weights[:-1] + weights[1:]).ravel()
        if band.shape[1] > self.scales:
            band[-1 - self.scales, self.scales :] -= weights[1:-1].ravel()
        return _Band(band=band, scales=self.scales)

    def tied(
        self, groups: Int[np.ndarray, " unknowns"], right: Float[np.ndarray, " unknowns"]
    ) -> Float[np.ndarray, " groups"]:
        """Minimiser of the quadratic form with slope `-right` when unknowns of one group are equal.

        Groups are numbered from zero, nearly in the order of the unknowns, which keeps the matrix a band; those with
        negative numbers are zero.
        """
        width, size = self.band.shape
        offset, column = np.divmod(np.arange(width * size), size)
        offset = width - 1 - offset
        inside = column >= offset
        offset, column, entry = offset[inside], column[inside], self.band.ravel()[inside]
        first, second = groups[column - offset], groups[column]
        inside = (first >= 0) & (second >= 0)
        first, second, entry, offset = first[inside], second[inside], entry[inside], offset[inside]
        apart, later = np.abs(first - second), np.maximum(first, second)
        band = np.zeros((apart.max() + 1, later.max() + 1))
        np.add.at(band, (apart.max() - apart, later), np.where((apart == 0) & (offset > 0), 2.0, 1.0) * entry)
        sums = np.bincount(groups[groups >= 0], weights=right[groups >= 0])
        return scipy.linalg.solveh_banded(band, sums)


def _differences(x: Float[np.ndarray, "points scales"]) -> Float[np.ndarray, "steps scales"]:
    """Steps between neighbouring points when the ends do not move."""
    return np.diff(x, axis=0, prepend=0.0, append=0.0)


def _transposed(z: Float[np.ndarray, "steps scales"]) -> Float[np.ndarray, "points scales"]:
    return z[:-1] - z[1:]


def _interior_point(
    matrix: _Band,
    gradient: Float[np.ndarray, "points scales"],
    steps: Float[np.ndarray, "steps scales"],
    held: Bool[np.ndarray, "steps scales"],
) -> tuple[Float[np.ndarray, "steps scales"], Float[np.ndarray, "steps scales"]]:
    """Mehrotra's predictor-corrector for `min q.d + d.H.d/2` with `steps + C d >= 0`: new steps and multipliers.

    Steps that are held have stiff springs instead of a constraint, and neither slack nor multiplier.
    """
    if held.any():
        matrix = matrix.with_springs(STIFFNESS * matrix.band[-1].max() * held)
    d = np.zeros_like(gradient)
    room = steps.sum(axis=0) / len(steps)
    slack = np.maximum(steps, 0.1 * room)
    dual = 0.1 * max(1e-3, float(np.abs(gradient).max())) * room.max() / np.broadcast_to(room, steps.shape)
    slack, dual = np.where(held, 1.0, slack), np.where(held, 0.0, dual)
    for _ in range(80):
        stationarity = gradient + matrix.times(d) - _transposed(dual)
        primal = np.where(held, 0.0, slack - (steps + _differences(d)))
        gap = float(np.mean(slack * dual))
        if gap < 1e-16 and np.abs(stationarity).max() < 1e-13 and np.abs(primal).max() < 1e-13:
            break
        weights = dual / slack
        try:
            solve = matrix.solver(weights)
        except np.linalg.LinAlgError:
            break

        def direction(
            product: Float[np.ndarray, "steps scales"],
            solve: Callable[[np.ndarray], np.ndarray] = solve,
            stationarity: np.ndarray = stationarity,
            primal: np.ndarray = primal,
            weights: np.ndarray = weights,
            slack: np.ndarray = slack,
            dual: np.ndarray = dual,
        ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            move = solve(-stationarity + _transposed((product - slack * dual) / slack + weights * primal))
            ds = _differences(move) - primal
            return move, ds, (product - slack * dual) / slack - weights * ds

        _, ds, dz = direction(np.zeros_like(slack))
        reach = min(_reach(slack, ds), _reach(dual, dz))
        after = float(np.mean((slack + reach * ds) * (dual + reach * dz)))
        centre = (after / gap) ** 3 * gap if gap > 0 else 0.0
        move, ds, dz = direction(np.where(held, 0.0, centre - ds * dz))
        reach = min(1.0, 0.995 * min(_reach(slack, ds), _reach(dual, dz)))
        d, slack, dual = d + reach * move, slack + reach * ds, dual + reach * dz
    return np.where(held, 0.0, slack), dual


def _reach(x: np.ndarray, dx: np.ndarray) -> float:
    """How far x can go along dx before a component vanishes, at most 1 / 0.995."""
    falling = dx < 0
    return float(min(1.0 / 0.995, np.min(-x[falling] / dx[falling], initial=np.inf)))


def _on_active_set(
    matrix: _Band,
    gradient: Float[np.ndarray, "points scales"],
    logsnr: Float[np.ndarray, "points scales"],
    slack: Float[np.ndarray, "steps scales"],
    dual: Float[np.ndarray, "steps scales"],
    held: Bool[np.ndarray, "steps scales"],
) -> tuple[Float[np.ndarray, "points scales"], Float[np.ndarray, "steps scales"]]:
    """The quadratic program solved exactly on the steps that the interior point holds at zero.

    Steps that come out negative join the active ones, negative multipliers leave; if that does not settle, the
    interior point itself is the answer.
    """
    active = (dual > slack) | held
    for _ in range(20):
        if active.all(axis=0).any():
            break
        target = _tied(matrix, gradient, logsnr, active)
        if target is None:
            break
        force = gradient + matrix.times(target[1:-1] - logsnr[1:-1])
        multipliers = np.stack([_along(force[:, k], active[:, k]) for k in range(matrix.scales)], axis=1)
        backward = np.diff(target, axis=0) < 0
        pulled = (multipliers < -1e-12) & ~held
        if not backward.any() and not pulled.any():
            return target, np.where(held, multipliers, np.maximum(multipliers, 0.0))
        active = (active & ~pulled) | backward
    target = logsnr.copy()
    target[1:-1] = logsnr[0] + np.cumsum(slack, axis=0)[:-1]
    target[1:-1] = np.clip(np.maximum.accumulate(target[1:-1], axis=0), logsnr[0], logsnr[-1])
    return target, dual


def _tied(
    matrix: _Band,
    gradient: Float[np.ndarray, "points scales"],
    logsnr: Float[np.ndarray, "points scales"],
    active: np.ndarray,
) -> Float[np.ndarray, "points scales"] | None:
    """Minimiser of the quadratic model when points joined by active steps coincide, at an end if joined to it."""
    count, scales = gradient.shape
    target = logsnr.copy()
    unknown = np.full((count, scales), -1)
    used = 0
    for k in range(scales):
        first, last = np.flatnonzero(~active[:, k])[[0, -1]]
        target[: first + 1, k] = logsnr[0, k]
        target[last + 1 :, k] = logsnr[-1, k]
        for i in range(first + 1, last + 1):
            used += not active[i - 1, k]
            unknown[i - 1, k] = used - 1
    if used:
        flat = unknown.ravel()
        free = flat >= 0
        _, begins, groups = np.unique(flat[free], return_index=True, return_inverse=True)
        flat[free] = np.argsort(np.argsort(begins))[groups]
        fixed = np.where(free, 0.0, target[1:-1].ravel()).reshape(count, scales)
        right = -gradient - matrix.times(fixed - logsnr[1:-1])
        try:
            values = matrix.tied(flat, right.ravel())
        except np.linalg.LinAlgError:
            return None
        target[1:-1] = np.where(free, values[np.maximum(flat, 0)], fixed.ravel()).reshape(count, scales)
    return target


def _along(force: Float[np.ndarray, " points"], active: np.ndarray) -> Float[np.ndarray, " steps"]:
    """Multipliers of one scale from `force[i] = z[i] - z[i + 1]`, zero on the steps that are free."""
    z = np.zeros(len(active))
    first = int(np.argmin(active))
    for i in range(first - 1, -1, -1):
        z[i] = z[i + 1] + force[i]
    for i in range(first + 1, len(active)):
        z[i] = z[i - 1] - force[i - 1] if active[i] else 0.0
    return z
