"""Which log-SNRs a network is trained at, and what an error there counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import lift_theory as lt

Weighting = Literal["unit", "path_kl"]


@dataclass(frozen=True, kw_only=True)
class NoiseLevels:
    """The law of the log-SNRs of training images: independent and uniform, along a path, or a mixture.

    Attributes:
        low: least log-SNR of the uniform law, nats.
        high: largest log-SNR of the uniform law, nats.
        path: file of a `lift_theory.Path` to train along; needed where `along` is not zero.
        along: fraction of the images whose log-SNRs lie on the path; the others are uniform over the square.
        spread: standard deviation by which log-SNRs depart from the path, nats, independently for every scale.

    Raises:
        ValueError: if a number is out of its range, or `along` and `path` do not go together.

    >>> levels = NoiseLevels(low=-6.0, high=6.0).draw(1000, 2, torch.Generator().manual_seed(0))
    >>> levels.shape, bool((levels >= -6).all() & (levels <= 6).all())
    (torch.Size([1000, 2]), True)
    """

    low: float = -9.0
    high: float = 9.0
    path: Path | None = None
    along: float = 0.0
    spread: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise ValueError(
                f"low must lie below high, both finite; got low={self.low:g}, high={self.high:g}"
            )
        if not 0.0 <= self.along <= 1.0:
            raise ValueError(f"along must be a fraction between 0 and 1; got {self.along:g}")
        if not (self.spread >= 0.0 and np.isfinite(self.spread)):
            raise ValueError(f"spread must be finite and not negative; got {self.spread:g}")
        if (self.along > 0.0) != (self.path is not None):
            raise ValueError(
                f"a path to train along needs both its file and along > 0; got path={self.path}, along={self.along:g}"
            )

    def points(self, scales: int) -> Float[np.ndarray, "points scales"] | None:
        """The finite points of the path to train along, read from its file.

        Raises:
            ValueError: if it has another number of scales.
        """
        if self.path is None:
            return None
        points = lt.Path.load(str(self.path)).logsnr
        points = points[np.isfinite(points).all(axis=1)]
        if points.shape[1] != scales:
            raise ValueError(f"{self.path} is a path of {points.shape[1]} scales; the model has {scales}")
        return points

    def draw(
        self,
        count: int,
        scales: int,
        generator: torch.Generator,
        points: Float[np.ndarray, "points scales"] | None = None,
    ) -> Float[Tensor, "count scales"]:
        """Log-SNRs of a batch; `points` are those of the path, read from its file if not given.

        Each scale is stratified: the batch holds one value of each of `count` equal intervals, in an order of its
        own, so that scales stay independent while the average over a batch varies less (Kingma et al. 2021, app. I).
        On a path images are uniform in the index of the step, linear in log-SNR between its points.
        """

        def stratified() -> Tensor:
            order = torch.randperm(count, generator=generator)
            return (order + torch.rand(count, generator=generator, dtype=torch.float64)) / count

        levels = torch.stack([self.low + (self.high - self.low) * stratified() for _ in range(scales)], dim=1)
        points = self.points(scales) if points is None else points
        if points is not None:
            chosen = torch.rand(count, generator=generator, dtype=torch.float64) < self.along
            where = stratified().numpy()
            index = np.linspace(0.0, 1.0, len(points))
            on = torch.stack(
                [torch.from_numpy(np.interp(where, index, points[:, k])) for k in range(scales)], dim=1
            )
            on += self.spread * torch.randn(count, scales, generator=generator, dtype=torch.float64)
            levels = torch.where(chosen[:, None], on, levels)
        return levels.float()


def loss_weights(
    weighting: Weighting,
    logsnr: Float[Tensor, "batch scales"],
    std: Float[Tensor, " scales"],
    sizes: Sequence[int],
) -> Float[Tensor, "batch scales"]:
    """What a squared error, summed over the coefficients of a scale, counts.

    - "path_kl": `g_k / (2 n)`, n the number of all coefficients. Fine steps along a path make the error
      `(1/2) sum_k mse_k dg_k` less the information, and `dg = g dlogsnr`. So where all scales move in lock-step and
      uniformly in log-SNR, the loss times n and the width of the range is that sum, and its gradient that of the bound
      on the KL divergence of the samples. With independent scales it is the mean of that density over the square. In
      other words: the squared error of the noise.
    - "unit": `(sigma^2 + s^2) / (sigma s)^2 / n_k`, the mean squared error of the raw output of the "v"
      parametrisation: every scale and every noise level counts alike at the beginning (Karras et al. 2022, eq. 8).

    The optimum is the posterior mean under both.

    Args:
        weighting: one of the two.
        logsnr: of the images, nats.
        std: root mean square of each clean scale.
        sizes: number of coefficients of each scale.

    Raises:
        ValueError: for another word.

    >>> loss_weights("path_kl", torch.zeros(1, 2), torch.ones(2), (4, 1))
    tensor([[0.1000, 0.1000]])
    """
    if weighting == "path_kl":
        return 0.5 * torch.exp(logsnr) / sum(sizes)
    if weighting == "unit":
        return (torch.exp(logsnr) + std**-2) / torch.tensor(sizes, device=logsnr.device)
    raise ValueError(f"weighting must be 'unit' or 'path_kl'; got {weighting!r}")
