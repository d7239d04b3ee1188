"""LIFT's table of FID by training epoch, as published, and what a line through it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

EPOCHS = tuple(range(200, 2001, 200))
RAW = {
    "one scale": (33.07, 41.54, 34.04, 40.82, 41.05, 52.32, 45.85, 48.13, 45.61, 59.37),
    "two scales, diagonal": (87.22, 49.60, 50.07, 49.07, 82.11, 72.69, 76.40, 64.89, 101.76, 69.61),
    "two scales, DP-64": (85.75, 51.77, 49.77, 48.39, 76.58, 61.05, 63.39, 60.91, 82.96, 51.83),
    "two scales, DP-Total": (80.53, 39.35, 46.48, 40.43, 63.59, 40.11, 40.55, 40.28, 53.96, 36.65),
}
"""FID of raw weights, mean of five seeds, by epoch. The three rows of two scales are paths of the same networks."""

EMA_EPOCHS = (400, 1000, 2000)
EMA = {
    "one scale": (27.90, 33.05, 38.62),
    "two scales, diagonal": (31.04, 46.12, 50.39),
    "two scales, DP-64": (29.68, 35.05, 39.12),
    "two scales, DP-Total": (28.91, 34.95, 38.55),
}
"""FID of averaged weights, one seed."""

SETTLED = 400
"""First epoch of the trends that leave out the least trained networks: at 200 two scales are at twice their later FID."""


@dataclass(frozen=True, kw_only=True)
class Trend:
    """A straight line through values over epochs, by least squares.

    Attributes:
        slope: per 1000 epochs.
        standard_error: of the slope, from the scatter about the line.
        scatter: standard deviation of the values about the line.
        rank: Spearman's rank correlation with the epoch.
    """

    slope: float
    standard_error: float
    scatter: float
    rank: float


def trend(epochs: Sequence[float], values: Sequence[float]) -> Trend:
    """The line through values over epochs.

    Raises:
        ValueError: for fewer than three points.

    >>> found = trend([0, 1000, 2000, 3000], [0.0, 1.0, 2.0, 3.0])
    >>> round(found.slope, 9), round(found.scatter, 9)
    (1.0, 0.0)
    """
    if len(epochs) != len(values) or len(epochs) < 3:
        raise ValueError(
            f"a trend needs three points or more, one value an epoch; got {len(epochs)} and {len(values)}"
        )
    times, found = np.asarray(epochs, dtype=float) / 1000.0, np.asarray(values, dtype=float)
    centred = times - times.mean()
    slope = float(centred @ found / (centred @ centred))
    rest = found - found.mean() - slope * centred
    scatter = float(np.sqrt(rest @ rest / (len(found) - 2)))
    return Trend(
        slope=slope,
        standard_error=scatter / float(np.sqrt(centred @ centred)),
        scatter=scatter,
        rank=float(spearmanr(times, found).statistic),
    )


def published_trend(name: str, since: int = EPOCHS[0]) -> Trend:
    """The trend of a row of raw weights from some epoch on."""
    chosen = [i for i, epoch in enumerate(EPOCHS) if epoch >= since]
    return trend([EPOCHS[i] for i in chosen], [RAW[name][i] for i in chosen])


def apart(first: Trend, second: Trend) -> float:
    """Difference of two slopes, first less second, in its standard errors."""
    return (first.slope - second.slope) / float(np.hypot(first.standard_error, second.standard_error))


def degradation(values: Sequence[float]) -> float:
    """Percent by which the last value lies above the least.

    >>> degradation([4.0, 2.0, 3.0])
    50.0
    """
    return 100.0 * (values[-1] / min(values) - 1.0)
