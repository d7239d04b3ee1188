"""What LIFT published: its noise schedule, its diagonal, and the beginning of its optimised path."""

from __future__ import annotations

from typing import Any

import numpy as np

from lift_theory.optimize import published_axes

LAST_TIMESTEP = 999
BEGINNING = {
    "fine": (999, 999, 999, 964, 930, 930, 895, 895, 861),
    "coarse": (999, 964, 930, 895, 895, 861, 861, 826, 792),
}
"""First nine timesteps per scale of the path made with gamma_B, 18 steps, after 400 epochs."""
UNIT = 2 * float(np.log(2.0))
"""Lead of 2x2 means at which both channels tell the same about the low band, nats."""


def logsnr_at(timesteps: Any) -> np.ndarray:
    """Log-SNR of timesteps of the clipped cosine schedule, linear in between."""
    (levels,) = published_axes(scales=1, points=LAST_TIMESTEP + 1)
    return np.interp(LAST_TIMESTEP - np.asarray(timesteps, dtype=float), np.arange(len(levels)), levels)


def ends() -> tuple[float, float]:
    """First and last log-SNR of the schedule."""
    first, last = logsnr_at([LAST_TIMESTEP, 0])
    return float(first), float(last)


def uniform_timesteps(steps: int) -> np.ndarray:
    """Log-SNRs at evenly spaced timesteps from 999 to 0, (steps + 1,).

    LIFT's own diagonal ran 990, 935, ..., 0; the first point is moved to the end that all paths here share.
    """
    return logsnr_at(np.linspace(LAST_TIMESTEP, 0, steps + 1))


def beginning() -> tuple[np.ndarray, np.ndarray]:
    """Fine log-SNR and unit-free lead, `coarse - fine - 2 log 2`, along the published beginning."""
    fine, coarse = (logsnr_at(BEGINNING[name]) for name in ("fine", "coarse"))
    return fine, coarse - fine - UNIT
