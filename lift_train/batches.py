"""Images, log-SNRs and noise of every update, and the errors made on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lift_train import data
from lift_train.config import TrainConfig
from lift_train.denoisers import per_scale
from lift_train.scales import Scales, Values


class Batches:
    """Images, log-SNRs and noise of every update, the same whatever has gone before."""

    def __init__(
        self, images: Float[Tensor, "n c h w"], scales: Scales, config: TrainConfig, stream: int = 1
    ) -> None:
        self.images, self.scales, self.config, self.stream = images, scales, config, stream
        self.path = config.noise.points(len(scales.names))
        self._order: tuple[int, Tensor] = -1, torch.empty(0)

    def draw(self, step: int) -> tuple[Tensor, Tensor, Values]:
        """Images, log-SNRs and white noise on the grids for update number `step`."""
        config = self.config
        generator = _generator(config.seed, self.stream, step)
        first = step * config.batch
        images = self.images[torch.tensor([self._index(first + i) for i in range(config.batch)])]
        if config.flips:
            mirrored = torch.rand(config.batch, generator=generator) < 0.5
            images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
        logsnr = config.noise.draw(config.batch, len(self.scales.names), generator, self.path)
        noise = [
            torch.randn(config.batch, *grid, generator=generator, dtype=images.dtype)
            for grid in self.scales.grids
        ]
        return images, logsnr, noise

    def _index(self, position: int) -> int:
        """Every image once an epoch, in an order of the epoch's own."""
        epoch, place = divmod(position, len(self.images))
        if self._order[0] != epoch:
            self._order = (
                epoch,
                torch.randperm(len(self.images), generator=_generator(self.config.seed, 2, epoch)),
            )
        return int(self._order[1][place])


def stream_seed(*numbers: int) -> int:
    """A seed for every tuple of numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def _generator(*numbers: int) -> torch.Generator:
    """A stream of its own for every tuple of numbers."""
    return torch.Generator().manual_seed(stream_seed(*numbers))


def noisy(scales: Scales, clean: Values, logsnr: Tensor, noise: Values) -> Values:
    """`y_k + sigma_k e_k` for white noise on the grids."""
    sigma = torch.exp(-0.5 * logsnr)
    return [
        y + per_scale(sigma, k).to(y.dtype) * e
        for k, (y, e) in enumerate(zip(clean, scales.project(noise), strict=True))
    ]


def squared_errors(predictions: Values, clean: Values) -> Float[Tensor, "batch scales"]:
    """Squared errors summed over the coefficients of each scale."""
    return torch.stack(
        [(d.float() - y.float()).square().flatten(1).sum(1) for d, y in zip(predictions, clean, strict=True)],
        dim=1,
    )


def load_images(config: TrainConfig, images: Any) -> Any:
    """Training and held-out images, with what tells them from others."""
    if images is None:
        return data.load(config.data, size=config.size, channels=config.channels, limit=config.limit)
    if isinstance(images, data.Images):
        return images
    array = np.asarray(images, dtype=np.float32)
    if array.ndim not in (3, 4) or len(array) < 2 or not np.isfinite(array).all():
        raise ValueError(
            f"images must be two or more finite arrays (n, height, width[, channels]); got shape {array.shape}"
        )
    kept = max(1, len(array) // 10)
    names = [f"image {i}" for i in range(len(array))]
    return data.Images(
        train=array[:-kept],
        held_out=array[-kept:],
        train_sources=tuple(names[:-kept]),
        held_out_sources=tuple(names[-kept:]),
        name="array",
        license="unknown",
        preparation="given as an array, the last tenth held out",
        bounded=False,
    )
