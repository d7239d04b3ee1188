"""Geodesics of the information metric among monotone curves: the limit of many steps, one curve for every step count.

A short step costs `(1/2) dlam^T M dlam` in log-SNR, so that n steps along a curve of length L, at constant speed, cost
`L^2 / (2 n)` to leading order, and the shortest monotone curve is what optimal paths tend to. It is found by
minimising the discrete energy of many short steps with the solver of `refine`: the symmetrised divergence of
a step is half its squared length up to fourth order, and its derivatives are those of the divergence, forwards and
backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift_theory._validation import logsnr_array, whole_number
from lift_theory.compilation import jit
from lift_theory.optimize.derivatives import path_derivatives, symmetric_steps
from lift_theory.optimize.lattice import lattice_axes
from lift_theory.optimize.objectives import Objective, PathKL, SearchingObjective
from lift_theory.optimize.refine import refine
from lift_theory.optimize.starts import SCOUT, checked_ends, fitted_axes
from lift_theory.optimize.traceable import traceable
from lift_theory.paths import Path


@dataclass(frozen=True, kw_only=True, eq=False)
class GeodesicCurve:
    """A shortest monotone curve between two points of log-SNR.

    Attributes:
        logsnr: densely spaced points of the curve.
        arc: length of the curve up to each of them, square root of nats.
        scales: names of the scales.
        kkt_residual: error of the optimality conditions of the discrete energy.
    """

    logsnr: Float[np.ndarray, "points scales"]
    arc: Float[np.ndarray, " points"]
    scales: tuple[str, ...]
    kkt_residual: float

    @property
    def length(self) -> float:
        """Length L in the information metric; the best n-step path costs `L^2 / (2 n)` nats to leading order."""
        return float(self.arc[-1])

    def path(self, steps: int) -> Path:
        """Points at equal arc length: optimal to leading order for every step count.

        Raises:
            TypeError: if `steps` is not an integer.
            ValueError: if `steps < 1`.
        """
        steps = whole_number(steps, name="steps", least=1)
        where = np.linspace(0.0, self.length, steps + 1)
        points = np.stack(
            [_monotone(where, self.arc, self.logsnr[:, k]) for k in range(self.logsnr.shape[1])], axis=1
        )
        points[0], points[-1] = self.logsnr[0], self.logsnr[-1]
        return Path(np.maximum.accumulate(points, axis=0), self.scales)


def geodesic_curve(
    model: Any,
    start: Any = -9.0,
    stop: Any = 9.0,
    objective: Objective | SearchingObjective | None = None,
    points: int = 96,
) -> GeodesicCurve:
    """The shortest monotone curve from start to stop in the information metric.

    Args:
        model: an error-surface model such as `GaussianModel`.
        start: first log-SNR in nats, for all scales or one per scale.
        stop: last log-SNR, likewise, not below `start`.
        objective: `PathKL()`, whose second order the metric is; or `OutputError()`, for the self-consistent curve of
            a sampler's output error.
        points: number of steps the energy is summed over.

    Raises:
        TypeError: if `points` is not an integer.
        ValueError: if an end is not finite, the ends are out of order, or the objective has no metric.

    References:
        Sivak and Crooks 2012 (thermodynamic length and the excess of finite-time protocols).
    """
    points = whole_number(points, name="points", least=2)
    first, last = checked_ends(model, start, stop)
    if isinstance(objective, SearchingObjective):
        return objective.curve(model, first, last)
    if objective is not None and objective != PathKL():
        raise ValueError(
            f"objective must be PathKL() or an OutputError, which have a metric; got {objective!r}."
        )
    scales = tuple(model.scales)
    kl = PathKL()
    scout = kl.lattice(model, 24, lattice_axes(first, last, SCOUT.get(len(first), 6)))
    rough = refine(kl.derivatives(model), scout.logsnr())
    if len(first) <= 2:
        rough = refine(
            kl.derivatives(model), kl.lattice(model, 24, fitted_axes(model, rough.logsnr, 96)).logsnr()
        )
    begin = np.linspace(0.0, 1.0, points + 1)
    knots = np.linspace(0.0, 1.0, 25)
    dense = np.stack([np.interp(begin, knots, rough.logsnr[:, k]) for k in range(len(first))], axis=1)
    energy = partial(path_derivatives, symmetric_steps, model)
    found = refine(energy, dense)
    lengths = np.sqrt(2.0 * np.maximum(energy(found.logsnr).costs, 0.0))
    arc = np.concatenate([[0.0], np.cumsum(lengths)])
    return GeodesicCurve(logsnr=found.logsnr, arc=arc, scales=scales, kkt_residual=found.kkt_residual)


def gaussian_curvature(model: Any, logsnr: Float[Array, "... 2"]) -> Float[Array, "..."]:
    """Gaussian curvature of the information metric of two scales, per nat; zero where the scales separate.

    In SNR coordinates the metric is the Hessian of minus the information, `H_kl = E||Phi_kl||^2 / 2`, and the
    curvature needs no more than its first derivatives `T_klm`:

        curvature = sum_rs (H^-1)_rs (T_12r T_12s - T_11r T_22s) / (4 det H)

    Raises:
        ValueError: if the model does not have two scales.

    References:
        Shima 2007, The Geometry of Hessian Structures, Prop. 2.3.
    """
    if len(model.scales) != 2:
        raise ValueError(f"gaussian_curvature needs two scales; the model has {tuple(model.scales)}.")
    points = logsnr_array(logsnr, scales=tuple(model.scales))
    view = traceable(model)
    return _curvature(view, points.reshape(-1, 2)).reshape(points.shape[:-1])


@jit
def _curvature(model: Any, points: Float[Array, "points 2"]) -> Float[Array, " points"]:
    def at(point: Float[Array, " 2"]) -> Array:
        def relative(shift: Float[Array, " 2"]) -> Array:
            """The Hessian in SNRs measured in units of their values at the point."""
            return model.metric(point + jnp.log1p(shift)) / ((1.0 + shift)[:, None] * (1.0 + shift))

        zero = jnp.zeros(2)
        hessian, third = relative(zero), jax.jacfwd(relative)(zero)
        det = hessian[0, 0] * hessian[1, 1] - hessian[0, 1] ** 2
        adjugate = jnp.array([[hessian[1, 1], -hessian[0, 1]], [-hessian[0, 1], hessian[0, 0]]])
        mixed = third[0, 1] @ adjugate @ third[0, 1] - third[0, 0] @ adjugate @ third[1, 1]
        return jnp.where(det > 0, mixed / (4.0 * jnp.where(det > 0, det, 1.0) ** 2), 0.0)

    return jax.lax.map(at, points)


def _monotone(
    where: Float[np.ndarray, " targets"],
    arc: Float[np.ndarray, " points"],
    values: Float[np.ndarray, " points"],
) -> Float[np.ndarray, " targets"]:
    """Monotone cubic interpolation over the distinct arc lengths."""
    from scipy.interpolate import PchipInterpolator

    moving = np.concatenate([[True], np.diff(arc) > 0])
    if moving.sum() < 3:
        return np.interp(where, arc, values)
    return np.asarray(PchipInterpolator(arc[moving], values[moving])(where))
