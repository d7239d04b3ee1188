"""A U-Net in which every scale enters and leaves at its own resolution."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from torch import cat, nn

from lift_train.denoisers import LogSNR
from lift_train.networks.layers import (
    Attention,
    Down,
    Embedding,
    Features,
    Head,
    LogSNREmbedding,
    ResidualBlock,
    Up,
    conv,
)
from lift_train.scales import Scales, Values


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """The sizes of a `MultiScaleUNet`.

    Attributes:
        channels: channels at the resolution of the finest scale, at half of it, and so on.
        blocks: residual blocks on each level, as many on the way down as on the way up.
        embedding: width of the vector that log-SNRs become; also what `matched` searches over.
        attention: levels (0 is the finest) with attention behind every residual block.
        middle_attention: whether positions attend to each other on the coarsest level, between the ways.
        head: channels of one attention head.
        dropout: probability with which a hidden feature is dropped in training.
        kind: tells configurations of different networks apart when they are read back.

    Raises:
        ValueError: if a size is not positive, or a level does not exist.
        TypeError: if a size is not a whole number.
    """

    channels: tuple[int, ...]
    blocks: int = 1
    embedding: int = 128
    attention: tuple[int, ...] = ()
    middle_attention: bool = False
    head: int = 64
    dropout: float = 0.0
    kind: Literal["multi-scale"] = "multi-scale"

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "attention", tuple(self.attention))
        check_whole(self, "channels", "blocks", "embedding", "head")
        if any(level not in range(len(self.channels)) for level in self.attention):
            raise ValueError(
                f"attention must name levels 0 to {len(self.channels) - 1}; got {self.attention}"
            )
        attending = {self.channels[level] for level in self.attention}
        if self.middle_attention:
            attending.add(self.channels[-1])
        if any(size % max(1, size // self.head) for size in attending):
            raise ValueError(
                f"channels with attention must split evenly into heads of about {self.head}; got "
                f"{sorted(attending)}: choose multiples of it"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be a probability in [0, 1); got {self.dropout!r}")
        if self.kind != "multi-scale":
            raise ValueError(f"kind of a UNetConfig is 'multi-scale'; got {self.kind!r}")


def check_whole(config: Any, *names: str) -> None:
    """Sizes, and every one of several sizes, are positive whole numbers."""
    for name in names:
        value = getattr(config, name)
        sizes = value if isinstance(value, tuple) else (value,)
        if not sizes or any(
            isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes
        ):
            raise ValueError(f"{name} must be of positive whole numbers; got {value!r}")


def levels(scales: Scales) -> tuple[int, ...]:
    """How often the finest grid must be halved to reach the grid of each scale.

    Raises:
        ValueError: if scales are not images, or a grid is no power-of-two fraction of the finest.

    >>> import lift_theory as lt
    >>> levels(Scales(lt.AveragePyramid(3), (3, 16, 16)))
    (0, 1, 2)
    """
    planes = [grid[1:] for grid in scales.grids]
    finest = max(planes)
    if finest != tuple(scales.shape[1:]):
        raise ValueError(
            "this network takes scales that are images, the finest of the images' own size "
            f"{tuple(scales.shape[1:])}; the scales of {scales.representation} lie on grids {scales.grids}. "
            "Use LinearDenoiser, or a representation named in lift_train.scales.NAMES"
        )
    found = []
    for plane in planes:
        level = max(0, (finest[0] // plane[0]).bit_length() - 1)
        if (plane[0] << level, plane[1] << level) != finest:
            raise ValueError(
                f"every grid must be {finest} divided by a power of two; got {plane} of {scales.grids}"
            )
        found.append(level)
    return tuple(found)


def halvings(scales: Scales, times: int) -> None:
    """Images can be halved so many times.

    Raises:
        ValueError: if not.
    """
    if any(size % 2**times for size in scales.shape[1:]):
        raise ValueError(
            f"images {tuple(scales.shape[1:])} cannot be halved {times} times, as the levels of the "
            "configuration need; give fewer channels, or images of another size"
        )


def check_inputs(inputs: Values, logsnr: LogSNR, scales: int) -> None:
    """There are as many inputs and log-SNRs as scales.

    Raises:
        ValueError: if not.
    """
    if len(inputs) != scales or logsnr.ndim != 2 or logsnr.shape[1] != scales:
        raise ValueError(
            f"expected {scales} scales and log-SNRs (batch, {scales}); got {len(inputs)} scales and "
            f"log-SNRs {tuple(logsnr.shape)}"
        )


class MultiScaleUNet(nn.Module):
    """A U-Net in which every scale enters and leaves at its own resolution.

    On the way down a scale is added, by a convolution of its own, to the features on the level of its grid; on the
    way up its output is read from the features on that level, by a convolution of its own that starts at zero. Scales
    on one grid share the level and nothing else. All log-SNRs together scale and shift the features of every block.

    Args:
        config: the sizes.
        scales: what goes in and comes out.

    Raises:
        ValueError: if scales are not images, or the levels of the configuration do not suit their grids.

    >>> import torch, lift_theory as lt
    >>> scales = Scales(lt.AveragePyramid(), (1, 8, 8))
    >>> net = MultiScaleUNet(UNetConfig(channels=(8, 16)), scales)
    >>> [tuple(y.shape) for y in net([torch.ones(2, 1, 8, 8), torch.ones(2, 1, 4, 4)], torch.zeros(2, 2))]
    [(2, 1, 8, 8), (2, 1, 4, 4)]
    """

    def __init__(self, config: UNetConfig, scales: Scales) -> None:
        super().__init__()
        self.config = config
        self.levels = levels(scales)
        deepest = len(config.channels) - 1
        if max(self.levels) > deepest:
            raise ValueError(
                f"the coarsest scale of {scales.representation} is {max(self.levels)} halvings below the "
                f"finest; channels {config.channels} reach {deepest}: give one for every level"
            )
        halvings(scales, deepest)
        channels, width = config.channels, config.embedding
        planes = [scales.grids[k][0] for k in range(len(self.levels))]

        self.embedding = LogSNREmbedding(len(self.levels), width)
        self.enter = nn.ModuleList(
            conv(plane, channels[level]) for plane, level in zip(planes, self.levels, strict=True)
        )
        self.leave = nn.ModuleList(
            Head(channels[level], plane, width) for plane, level in zip(planes, self.levels, strict=True)
        )

        def stage(inputs: int, level: int) -> _Stage:
            return _Stage(inputs, level, config)

        self.encoder = nn.ModuleList(
            stage(size, level) for level, size in enumerate(channels) for _ in range(config.blocks)
        )
        self.middle = _Stage(channels[-1], len(channels) - 1, config, attention=config.middle_attention)
        self.decoder = nn.ModuleList(
            stage(2 * size, level) for level, size in enumerate(channels) for _ in range(config.blocks)
        )
        self.down = nn.ModuleList(Down(fine, coarse) for fine, coarse in pairwise(channels))
        self.up = nn.ModuleList(Up(coarse, fine) for fine, coarse in pairwise(channels))

    def forward(self, inputs: Values, logsnr: LogSNR) -> Values:
        """Raw outputs on the grids of the inputs."""
        check_inputs(inputs, logsnr, len(self.levels))
        embedding = self.embedding(logsnr)
        depth, blocks = len(self.config.channels), self.config.blocks
        features: Features | None = None
        kept = []
        for level in range(depth):
            if level:
                features = self.down[level - 1](features)
            for scale, enter in enumerate(self.enter):
                if self.levels[scale] == level:
                    entered = enter(inputs[scale])
                    features = entered if features is None else features + entered
            for stage in self.encoder[level * blocks : (level + 1) * blocks]:
                features = stage(features, embedding)
                kept.append(features)
        features = self.middle(features, embedding)
        outputs: dict[int, Features] = {}
        for level in reversed(range(depth)):
            for stage in self.decoder[level * blocks : (level + 1) * blocks]:
                features = stage(cat([features, kept.pop()], dim=1), embedding)
            for scale, leave in enumerate(self.leave):
                if self.levels[scale] == level:
                    outputs[scale] = leave(features, embedding)
            if level:
                features = self.up[level - 1](features)
        return [outputs[scale] for scale in range(len(self.levels))]


class _Stage(nn.Module):
    """A residual block and, on chosen levels, attention behind it."""

    def __init__(self, inputs: int, level: int, config: UNetConfig, *, attention: bool = False) -> None:
        super().__init__()
        size = config.channels[level]
        self.block = ResidualBlock(inputs, size, config.embedding, config.dropout)
        attend = attention or level in config.attention
        self.attention = Attention(size, max(1, size // config.head)) if attend else nn.Identity()

    def forward(self, features: Features, embedding: Embedding) -> Features:
        return self.attention(self.block(features, embedding))
