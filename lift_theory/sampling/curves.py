"""One curve of noise levels from which good schedules of every step count are read off.

A solver of order p that takes n steps along a smooth path lambda(u), u = i / n, leaves mode k with a relative error of
its standard deviation `e_k = n^-p int_0^1 rho_k (dlambda/du)^(p+1) du` to leading order. The total, `W2^2 = sum v_k
e_k^2` (v_k the true variance at the end) or `KL = sum e_k^2`, is least along the curve whose speed is
`(sum_k w_k rho_k)^(1/(p+1))` with the weights `w_k = v_k e_k` (KL: `e_k`) of that same curve: a fixed point without
n in it. As a function of the density `du / dlambda` every e_k is convex and not negative, so a fixed point is the
minimum. Scales that are independent of each other have a curve each, followed at the same u.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory.optimize.geodesics import GeodesicCurve
from lift_theory.sampling.samplers import DDIM, Ancestral, DPMSolverPP2M, HeunSigma

POINTS = 513
"""Points of a curve."""

Values = Float[np.ndarray, "..."]


@dataclass(frozen=True, kw_only=True)
class LocalError:
    """Leading error of a sampler on one mode.

    Attributes:
        order: p, the power of 1 / n.
        density: rho, a function of log-SNR plus log-variance (the nominal excess over the mode's knee) and of the true
            variance at the end in units of the mode's variance.
    """

    order: int
    density: Callable[[Values, Values], Values]


def _sech(half: Values) -> Values:
    return 1.0 / np.cosh(half)


def _ddim(excess: Values, end: Values) -> Values:
    return _sech(0.5 * excess) ** 2 / 32.0


def _ancestral(excess: Values, end: Values) -> Values:
    share = 1.0 / (1.0 + np.exp(-excess))  # c / (c + sigma^2)
    return 0.5 * share**2 * (1.0 - share) * end


def _heun(excess: Values, end: Values) -> Values:
    share = 1.0 / (1.0 + np.exp(-excess))
    return share * (1.0 - share) ** 2 / 16.0


def _multistep(excess: Values, end: Values) -> Values:
    share = 1.0 / (1.0 + np.exp(-excess))
    return share * (1.0 - share) * np.abs(6.0 * (1.0 - share) - 9.0 * share) / 96.0


LOCAL_ERRORS: dict[type, LocalError] = {
    DDIM: LocalError(order=1, density=_ddim),
    Ancestral: LocalError(order=1, density=_ancestral),
    HeunSigma: LocalError(order=2, density=_heun),
    DPMSolverPP2M: LocalError(order=2, density=_multistep),
}
"""Samplers whose leading error is known in closed form.

DPM-Solver++(2M) has an error of both signs; its absolute value is used, an upper bound. The others do not change sign.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class OutputCurve(GeodesicCurve):
    """A curve of noise levels for the output error of a sampler.

    Attributes:
        order: power of 1 / n with which the error falls.
        constant: n^order times the error (W2, or the square root of KL) along the curve, to leading order; nan-free,
            zero where nothing is predicted.
    """

    order: int
    constant: float

    def predicted(self, steps: int) -> float:
        """Leading-order error (W2, or the square root of KL) of the path with that many steps."""
        return self.constant / steps**self.order


def self_consistent_curve(
    variances: Float[np.ndarray, " modes"],
    counts: Float[np.ndarray, " modes"],
    first: float,
    last: float,
    error: LocalError,
    metric: str,
) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"], float, float]:
    """The curve of one clock: log-SNRs, progress u in [0, 1], squared constant, residual of the fixed point.

    Modes are gathered into narrow classes of log-variance, a mode between two class centres counting for both, so that
    the work does not grow with the number of modes.
    """
    logsnr = np.linspace(first, last, POINTS)
    seen = variances > 0
    if last <= first or not seen.any():  # nothing moves, or nothing can go wrong
        return logsnr, np.linspace(0.0, 1.0, POINTS), 0.0, 0.0
    level, weight = np.log(variances[seen]), counts[seen]
    width = max(1e-9, np.ptp(level)) * (1.0 + 1e-12)
    number = int(np.clip(np.ceil(width / 0.04), 2, 2048)) + 1
    centres = level.min() + width * np.arange(number) / (number - 1)
    place = (level - level.min()) / width * (number - 1)
    below = np.minimum(place.astype(int), number - 2)
    part = place - below
    end = 1.0 + np.exp(-last - centres)  # true end variance over the mode's own
    worth = weight * (np.exp(level) + np.exp(-last) if metric == "w2" else 1.0)
    gathered = np.bincount(below, worth * (1.0 - part), number) + np.bincount(below + 1, worth * part, number)
    density = error.density(logsnr[:, None] + centres, end)
    power = error.order
    step = logsnr[1] - logsnr[0]
    errors = np.ones(number)
    residual = np.inf
    for _ in range(200):
        speed = (density @ (gathered * errors)) ** (1.0 / (power + 1))
        speed = np.maximum(speed, 1e-12 * speed.max())
        length = step * (speed.sum() - 0.5 * (speed[0] + speed[-1]))
        inverse = speed**-power
        inverse[[0, -1]] *= 0.5
        updated = length**power * step * (inverse @ density)
        residual = float(np.max(np.abs(updated - errors)) / max(updated.max(), 1e-300))
        errors = updated
        if residual < 1e-12:
            break
    progress = np.concatenate([[0.0], np.cumsum(0.5 * step * (speed[1:] + speed[:-1]))])
    squared = float(np.sum(gathered * errors**2))
    return logsnr, progress / progress[-1], squared, residual


def joined_curve(
    parts: list[tuple[Any, Any, float, float]], scales: tuple[str, ...], order: int
) -> OutputCurve:
    """Curves of single scales, followed at the same progress."""
    progress = np.unique(np.concatenate([u for _, u, _, _ in parts]))
    logsnr = np.stack([np.interp(progress, u, levels) for levels, u, _, _ in parts], axis=1)
    return OutputCurve(
        logsnr=np.maximum.accumulate(logsnr, axis=0),
        arc=progress,
        scales=scales,
        kkt_residual=max(residual for *_, residual in parts),
        order=order,
        constant=float(np.sqrt(sum(squared for _, _, squared, _ in parts))),
    )
