"""The network that LIFT was published with, for reproduction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, cat, nn
from torch.nn.functional import interpolate, silu

from lift_train.denoisers import LogSNR
from lift_train.networks.layers import Attention, Embedding, Features, LogSNRFeatures
from lift_train.networks.unet import check_inputs, check_whole, halvings, levels
from lift_train.scales import Scales, Values

GROUPS = 8


@dataclass(frozen=True, kw_only=True)
class LiftConfig:
    """The sizes of a `LiftUNet`; the defaults are the published ones.

    Attributes:
        channels: channels at full resolution, at half of it, and so on; multiples of 8.
        embedding: width of the embedding of the noise levels; what `matched` searches over.
        features: sines and cosines of one noise level.
        attention_from: levels with at least so many channels have attention.
        heads: number of attention heads.
        kind: tells configurations of different networks apart when they are read back.

    Raises:
        ValueError: if a size is not positive or not divisible as it must be.
    """

    channels: tuple[int, ...] = (64, 128, 256, 512)
    embedding: int = 256
    features: int = 64
    attention_from: int = 128
    heads: int = 4
    kind: Literal["lift"] = "lift"

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        check_whole(self, "channels", "embedding", "features", "attention_from", "heads")
        if any(size % GROUPS or size % self.heads for size in self.channels):
            raise ValueError(
                f"channels must be multiples of {GROUPS} and of the {self.heads} heads; got {self.channels}"
            )
        if self.features % 2:
            raise ValueError(f"features must be even, a sine and a cosine each; got {self.features}")
        if self.kind != "lift":
            raise ValueError(f"kind of a LiftConfig is 'lift'; got {self.kind!r}")


class LiftUNet(nn.Module):
    """LIFT's network: coarse scales up-sampled beside the finest one, a U-Net at full resolution, outputs means.

    Published (repository of the project, model and read-me): the coarse image is up-sampled bilinearly and
    concatenated, six channels in all; the six output channels are two noise predictions at full resolution, of which
    the coarse one is reduced by bilinear interpolation, and at a factor of two that is the mean of 2x2 pixels. Four
    levels of two residual blocks each way, attention with four heads from 128 channels on, every level (the last as
    well) halved by a 4x4 convolution and doubled by a transposed one, two blocks around attention in the middle, one
    skip connection a level. One two-layer embedding serves both noise levels, two more layers join the results;
    the embedding is added between the convolutions of a block. Initial weights are PyTorch's defaults. 58.5 million
    parameters; the one-scale baseline, without the joining layers, 58.3 million.

    Our reading: published were sinusoids of time steps 0 to 999; here they are sinusoids of log-SNRs, as many, so
    that the network is independent of a schedule. Beyond two scales, and for factors other than two, every coarse
    scale is up-sampled to the finest grid and its output reduced by means.

    Args:
        config: the sizes.
        scales: what goes in and comes out.

    Raises:
        ValueError: if scales are not images, or images cannot be halved once per level.

    >>> import torch, lift_theory as lt
    >>> scales = Scales(lt.AveragePyramid(), (1, 8, 8))
    >>> net = LiftUNet(LiftConfig(channels=(8, 16), embedding=16), scales)
    >>> [tuple(y.shape) for y in net([torch.ones(2, 1, 8, 8), torch.ones(2, 1, 4, 4)], torch.zeros(2, 2))]
    [(2, 1, 8, 8), (2, 1, 4, 4)]
    """

    def __init__(self, config: LiftConfig, scales: Scales) -> None:
        super().__init__()
        self.config = config
        self.levels = levels(scales)
        halvings(scales, len(config.channels))
        self.planes = [grid[0] for grid in scales.grids]
        channels, width = config.channels, config.embedding

        self.features = LogSNRFeatures(config.features // 2)
        self.level_embedding = nn.Sequential(
            nn.Linear(config.features, width), nn.SiLU(), nn.Linear(width, width)
        )
        count = len(self.planes)
        self.joined: nn.Module = (
            nn.Sequential(nn.Linear(count * width, width), nn.SiLU(), nn.Linear(width, width))
            if count > 1
            else nn.Identity()
        )
        self.enter = nn.Conv2d(sum(self.planes), channels[0], 3, padding=1)
        before = (channels[0], *channels[:-1])
        behind = (*channels[1:], channels[-1])
        self.encoder = nn.ModuleList(
            _Pair(inputs, size, config) for inputs, size in zip(before, channels, strict=True)
        )
        self.down = nn.ModuleList(nn.Conv2d(size, size, 4, stride=2, padding=1) for size in channels)
        self.middle = _Pair(channels[-1], channels[-1], config, between=True)
        self.up = nn.ModuleList(nn.ConvTranspose2d(size, size, 4, stride=2, padding=1) for size in behind)
        self.decoder = nn.ModuleList(
            _Pair(inputs + size, size, config) for inputs, size in zip(behind, channels, strict=True)
        )
        self.norm = nn.GroupNorm(GROUPS, channels[0])
        self.leave = nn.Conv2d(channels[0], sum(self.planes), 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.reset_parameters()

    def forward(self, inputs: Values, logsnr: LogSNR) -> Values:
        """Raw outputs on the grids of the inputs."""
        check_inputs(inputs, logsnr, len(self.planes))
        embedding = self.joined(self.level_embedding(self.features(logsnr)).flatten(1))
        size = max((value.shape[-2:] for value in inputs), key=tuple)
        wide = [
            value if value.shape[-2:] == size else interpolate(value, size, mode="bilinear")
            for value in inputs
        ]
        hidden = self.enter(cat(wide, dim=1))
        kept: list[Tensor] = []
        for pair, down in zip(self.encoder, self.down, strict=True):
            kept.append(pair(hidden, embedding))
            hidden = down(kept[-1])
        hidden = self.middle(hidden, embedding)
        for level in reversed(range(len(kept))):
            hidden = cat([self.up[level](hidden), kept[level]], dim=1)
            hidden = self.decoder[level](hidden, embedding)
        outputs = self.leave(silu(self.norm(hidden))).split(self.planes, dim=1)
        return [
            output if level == 0 else nn.functional.avg_pool2d(output, 2**level)
            for output, level in zip(outputs, self.levels, strict=True)
        ]


class _Pair(nn.Module):
    """Two residual blocks and, where there are channels enough, attention behind or between them."""

    def __init__(self, inputs: int, outputs: int, config: LiftConfig, *, between: bool = False) -> None:
        super().__init__()
        self.first = _Block(inputs, outputs, config.embedding)
        self.second = _Block(outputs, outputs, config.embedding)
        attend = between or outputs >= config.attention_from
        attention = Attention(outputs, config.heads, GROUPS) if attend else nn.Identity()
        self.between: nn.Module = attention if between else nn.Identity()
        self.behind: nn.Module = nn.Identity() if between else attention

    def forward(self, features: Features, embedding: Embedding) -> Features:
        features = self.between(self.first(features, embedding))
        return self.behind(self.second(features, embedding))


class _Block(nn.Module):
    """Features plus what two convolutions make of them, the embedding added in between."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.shift = nn.Linear(embedding, outputs)
        self.second_norm = nn.GroupNorm(GROUPS, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, features: Features, embedding: Embedding) -> Features:
        hidden = self.first(silu(self.norm(features)))
        hidden = hidden + self.shift(silu(embedding))[..., None, None]
        return self.skip(features) + self.second(silu(self.second_norm(hidden)))
