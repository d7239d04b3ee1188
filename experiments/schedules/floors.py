"""What no schedule can beat: the error of a sampler if every eigenmode had a clock of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

import lift_theory as lt
from experiments.schedules.contenders import Entry
from lift_theory.sampling import OutputError
from lift_theory.sampling.floors import ddim_floor

VANISHING = 1e-6
"""Relative error of one mode below which its own clock is said to make the error vanish."""


def mode_floor(
    spectrum: lt.Spectrum, which: Entry, steps: int, first: float, last: float, points: int
) -> dict[str, Any]:
    """The floor of W2 and KL, numerical except for DDIM.

    One mode is optimised for itself on a grid of log-variances, and the logarithm of its error is interpolated. The
    nearest standard deviation is best in W2 and in KL, so that one search serves both. `check` is the largest
    relative error that the same grid and interpolation make of DDIM's floor, which is known exactly.

    Returns:
        `w2`, `kl`, `check`, and `worst_mode`, the largest relative W2 of one mode.
    """
    variances = spectrum.variances[spectrum.variances > 0].ravel()
    grid = np.linspace(np.log(variances.min()), np.log(variances.max()), points)
    sought = np.log(variances)
    true = variances + np.exp(-last)
    exact = _ddim(variances, steps, first, last)
    one = np.array([_ddim(np.exp([level]), steps, first, last) for level in grid])
    one[:, 0] /= np.exp(grid) + np.exp(-last)
    interpolated = _summed(grid, one, sought, true)
    check = float(np.max(np.abs(interpolated / exact - 1.0)))
    if which.name != "ddim":
        one = np.array([_own_clock(np.exp(level), which, steps, first, last) for level in grid])
        one[:, 0] /= np.exp(grid) + np.exp(-last)
        exact = _summed(grid, one, sought, true)
    return {
        "w2": float(np.sqrt(exact[0])),
        "kl": float(exact[1]),
        "check": check,
        "worst_mode": float(np.sqrt(one[:, 0].max())),
    }


def vanishes(floor: dict[str, Any]) -> bool:
    """Whether a clock per mode leaves no error worth the name."""
    return bool(floor["worst_mode"] < VANISHING)


def _ddim(
    variances: Float[np.ndarray, " modes"], steps: int, first: float, last: float
) -> Float[np.ndarray, " 2"]:
    counts = np.ones(len(variances))
    return np.array([ddim_floor(variances, counts, first, last, steps, m, "exact") for m in ("w2", "kl")])


def _own_clock(
    variance: float, which: Entry, steps: int, first: float, last: float
) -> Float[np.ndarray, " 2"]:
    """Least KL of one mode, and the squared W2 of the same path, zero where it rounds below that."""
    model = lt.GaussianModel(lt.Spectrum(np.full((1, 1), variance)), lt.SingleScale())
    found = OutputError(which.sampler, "kl").optimize(model, steps, np.array([first]), np.array([last]))
    with np.errstate(invalid="ignore"):
        error = lt.sampling_error(model, found.path, which.sampler)
    return np.array([np.nan_to_num(error.w2) ** 2, max(error.kl, 0.0)])


def _summed(grid: np.ndarray, one: np.ndarray, sought: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Sums over all modes of what holds on a grid of log-variances, squared W2 relative to the true variance."""
    if np.ptp(grid) == 0:
        values = np.repeat(one[:1], len(sought), axis=0)
    else:
        logs = np.log(np.maximum(one, 1e-300))
        values = np.exp(PchipInterpolator(grid, logs, axis=0)(np.clip(sought, grid[0], grid[-1])))
    return np.array([np.sum(values[:, 0] * true), np.sum(values[:, 1])])
