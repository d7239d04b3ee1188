"""Measurements repeated over seeds: a mean and the interval in which it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over independent repetitions.

    Attributes:
        mean: of the repetitions.
        half_width: of the 95 % interval by Student's law; the mean alone says nothing about one repetition, whose
            half width is infinite.
        values: the repetitions.
    """

    mean: float
    half_width: float
    values: tuple[float, ...]

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half_width

    def to_json(self) -> dict[str, Any]:
        """Numbers as JSON holds them; no half width if it is infinite."""
        width = self.half_width if np.isfinite(self.half_width) else None
        return {"mean": self.mean, "half_width": width, "values": list(self.values)}

    def __str__(self) -> str:
        return f"{self.mean:.4g} ± {self.half_width:.2g}"


def over_seeds(values: Sequence[float]) -> Estimate:
    """The mean of repetitions and its 95 % interval by Student's law.

    Raises:
        ValueError: if there is no value, or one is not finite.

    >>> over_seeds([1.0, 2.0, 3.0])
    Estimate(mean=2.0, half_width=2.484..., values=(1.0, 2.0, 3.0))
    """
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"repetitions must be finite numbers, at least one; got {values}")
    count = len(array)
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2.0, count - 1) if count > 1 else np.inf
    spread = quantile * array.std(ddof=1) / np.sqrt(count) if count > 1 else np.inf
    return Estimate(mean=float(array.mean()), half_width=float(spread), values=tuple(array.tolist()))
