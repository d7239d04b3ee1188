"""Two-scale representations between ends at which the image has the noise of one clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import lift_theory as lt

FIRST, LAST = (float(-2 * np.log(sigma)) for sigma in (80.0, 0.02))
"""Log-SNR of the ends: from sigma = 80, pure noise, to sigma = 0.02, invisible noise, for pixels in [-1, 1]."""
MEAN = float(2 * np.log(2.0))
"""Log of the factor by which 2x2 means lower the variance of white noise."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A representation and the units of its lead.

    Attributes:
        name: short key.
        label: words for tables.
        representation: the scales.
        shift: coarse log-SNR above the fine one at both ends; zero lead of shapes and controls is there.
        unit: nominal lead that counts as none, nats.
    """

    name: str
    label: str
    representation: Any
    shift: float
    unit: float

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last log-SNR of every scale."""
        shifts = np.array([0.0, self.shift])[: len(self.representation.scales)]
        return FIRST + shifts, LAST + shifts

    def lead(self, logsnr: Any) -> np.ndarray:
        """Unit-free lead of the coarse scale at every inner point of a path, nats."""
        points = np.asarray(logsnr)
        return (points[:, 1] - points[:, 0] - self.unit)[1:-1]


def one_clock() -> Contender:
    """The image alone."""
    return Contender(name="one", label="one clock", representation=lt.SingleScale(), shift=0.0, unit=0.0)


def contenders(size: int) -> list[Contender]:
    """Pyramid, Haar bands, DCT bands, and residuals after bilinear up-sampling.

    The pyramid's lead is free of units where both channels tell the same about the low band, 2 log 2 nats. Bands of an
    orthonormal basis have none where they share one clock. Means of a residual pyramid have the noise that averaging
    leaves where they lead by 2 log 2 nats.
    """
    return [
        Contender(
            name="pyramid",
            label="image + 2x2 means",
            representation=lt.AveragePyramid(),
            shift=0.0,
            unit=MEAN,
        ),
        Contender(
            name="bilinear",
            label="bilinear residual",
            representation=lt.ResidualPyramid(upsampling="bilinear"),
            shift=MEAN,
            unit=MEAN,
        ),
        Contender(name="haar", label="Haar bands", representation=lt.HaarBands(), shift=0.0, unit=0.0),
        bands(size // 2),
    ]


def bands(cutoff: int) -> Contender:
    """Cosine bands, the low one with frequencies below the cutoff in both directions."""
    return Contender(
        name="dct",
        label="DCT bands",
        representation=lt.DctBands(cutoffs=(cutoff,)),
        shift=0.0,
        unit=0.0,
    )
