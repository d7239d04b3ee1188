"""Which log-SNRs a network is trained at, and what an error there counts."""

from __future__ import annotations

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

    def draw(self, count: int, scales: int, generator: torch.Generator) -> Float[Tensor, "count scales"]:
        """Log-SNRs of a batch.

        Each scale is stratified: the batch holds one value of each of `count` equal intervals, in an order of its
        own, so that scales stay independent while the average over a batch varies less (Kingma et al. 2021, app. I).
        On a path images are uniform in the index of the step, linear in log-SNR between its points.
        """

        def stratified() -> Tensor:
            order = torch.randperm(count, generator=generator)
            return (order + torch.rand(count, generator=generator, dtype=torch.float64)) / count

        levels = torch.stack([self.low + (self.high - self.low) * stratified() for _ in range(scales)], dim=1)
        if self.path is not None:
            chosen = torch.rand(count, generator=generator, dtype=torch.float64) < self.along
            where = stratified().numpy()
            points = self._points(scales)
            index = np.linspace(0.0, 1.0, len(points))
            on = torch.stack(
                [torch.from_numpy(np.interp(where, index, points[:, k])) for k in range(scales)], dim=1
            )
            on += self.spread * torch.randn(count, scales, generator=generator, dtype=torch.float64)
            levels = torch.where(chosen[:, None], on, levels)
        return levels.float()

    def _points(self, scales: int) -> Float[np.ndarray, "points scales"]:
        points = lt.Path.load(str(self.path)).logsnr
        points = points[np.isfinite(points).all(axis=1)]
        if points.shape[1] != scales:
            raise ValueError(f"{self.path} is a path of {points.shape[1]} scales; the model has {scales}")
        return points


def loss_weights(
    weighting: Weighting, logsnr: Float[Tensor, "batch scales"], std: Float[Tensor, " scales"]
) -> Float[Tensor, "batch scales"]:
    """What a squared error of the clean scale counts.

    - "path_kl": `g_k / 2`. The path cost is `(1/2) sum_k int mse_k dg_k` less the information, and `dg = g dlogsnr`,
      so that under the uniform law of log-SNRs the loss, times the width of the range, is the cost of many small
      steps and its gradient that of the bound on the KL divergence of the samples. Equal to a squared error of the
      noise.
    - "unit": `(sigma^2 + s^2) / (sigma s)^2`, the squared error of the raw output of the "v" parametrisation: every
      noise level counts alike at the beginning (Karras et al. 2022, eq. 8).

    The optimum is the posterior mean under both.

    >>> loss_weights("path_kl", torch.zeros(1, 2), torch.ones(2))
    tensor([[0.5000, 0.5000]])
    """
    if weighting == "path_kl":
        return 0.5 * torch.exp(logsnr)
    if weighting == "unit":
        return torch.exp(logsnr) + std**-2
    raise ValueError(f"weighting must be 'unit' or 'path_kl'; got {weighting!r}")
