"""The parts that networks are built of."""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.forward_ad import unpack_dual
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import interpolate, scaled_dot_product_attention, silu

from lift_train.denoisers import LogSNR

Features = Float[Tensor, "batch channels height width"]
Embedding = Float[Tensor, "batch width"]

SQUASH_NATS = 20.0
"""Log-SNRs beyond about this size are told apart less and less; infinite ones are allowed."""

PERIODS_NATS = (4.0, 80.0)
"""Shortest and longest period of the features of a log-SNR."""

FREQUENCIES = 8


def conv(inputs: int, outputs: int, size: int = 3, *, zero: bool = False) -> nn.Conv2d:
    """A convolution that keeps sizes and, unless it is to start at zero, the variance of white inputs."""
    layer = nn.Conv2d(inputs, outputs, size, padding=size // 2)
    _initialise(layer, inputs * size**2, zero)
    return layer


def linear(inputs: int, outputs: int, *, zero: bool = False) -> nn.Linear:
    """A linear layer that keeps the variance of white inputs, unless it is to start at zero."""
    layer = nn.Linear(inputs, outputs)
    _initialise(layer, inputs, zero)
    return layer


def _initialise(layer: nn.Conv2d | nn.Linear, fan_in: int, zero: bool) -> None:
    if zero:
        nn.init.zeros_(layer.weight)
    else:
        nn.init.normal_(layer.weight, std=fan_in**-0.5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


def norm(channels: int, group: int = 8) -> nn.GroupNorm:
    """Normalisation over groups of about `group` channels that divide them evenly."""
    groups = max(1, channels // group)
    return nn.GroupNorm(math.gcd(groups, channels), channels)


class LogSNRFeatures(nn.Module):
    """Sines and cosines of log-SNRs squashed by `20 tanh(lam / 20)`.

    A clean scale (log-SNR +inf) and one without information (-inf) are thereby ordinary inputs.

    >>> LogSNRFeatures(4)(torch.tensor([[0.0, torch.inf]])).shape
    torch.Size([1, 2, 8])
    """

    frequencies: Tensor

    def __init__(self, frequencies: int) -> None:
        super().__init__()
        short, long = PERIODS_NATS
        periods = torch.logspace(math.log10(long), math.log10(short), frequencies, dtype=torch.float64)
        self.register_buffer("frequencies", (2 * torch.pi / periods).float(), persistent=False)

    def forward(self, logsnr: LogSNR) -> Float[Tensor, "batch scales features"]:
        """The features of every log-SNR, of about unit mean square."""
        squashed = SQUASH_NATS * torch.tanh(logsnr.to(self.frequencies.dtype) / SQUASH_NATS)
        angles = squashed[..., None] * self.frequencies
        return math.sqrt(2) * torch.cat([angles.sin(), angles.cos()], dim=-1)


class LogSNREmbedding(nn.Module):
    """The log-SNRs of all scales as one vector: their features through two layers."""

    def __init__(self, scales: int, width: int) -> None:
        super().__init__()
        self.features = LogSNRFeatures(FREQUENCIES)
        self.first = linear(scales * 2 * FREQUENCIES, width)
        self.second = linear(width, width)

    def forward(self, logsnr: LogSNR) -> Embedding:
        """One vector per row of log-SNRs."""
        features = self.features(logsnr).flatten(1)
        return silu(self.second(silu(self.first(features))))


class ResidualBlock(nn.Module):
    """Features plus what two convolutions make of them; the second sees them scaled and shifted by the embedding.

    Starts as the identity, or as a 1x1 convolution where the number of channels changes.
    """

    def __init__(self, inputs: int, outputs: int, embedding: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = norm(inputs)
        self.first = conv(inputs, outputs)
        self.modulate = linear(embedding, 2 * outputs, zero=True)
        self.second_norm = norm(outputs)
        self.dropout = nn.Dropout(dropout)
        self.second = conv(outputs, outputs, zero=True)
        self.skip = conv(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, features: Features, embedding: Embedding) -> Features:
        """Features of the same size."""
        scale, shift = self.modulate(embedding)[..., None, None].chunk(2, dim=1)
        hidden = self.first(silu(self.norm(features)))
        hidden = silu(torch.addcmul(shift, self.second_norm(hidden), 1 + scale))
        return self.skip(features) + self.second(self.dropout(hidden))


class Attention(nn.Module):
    """Features plus what every position gathers from all others. Starts as the identity."""

    def __init__(self, channels: int, heads: int, groups: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, channels) if groups else norm(channels)
        self.inputs = conv(channels, 3 * channels, 1)
        self.outputs = conv(channels, channels, 1, zero=True)

    def forward(self, features: Features) -> Features:
        """Features of the same size."""
        batch, channels, height, width = features.shape
        together = self.inputs(self.norm(features)).reshape(batch, 3, self.heads, -1, height * width)
        query, key, value = together.transpose(-1, -2).contiguous().unbind(1)
        # fused kernels have no forward derivatives, which Jacobian-vector products need
        dual = unpack_dual(query).tangent is not None
        with sdpa_kernel(SDPBackend.MATH) if dual else nullcontext():
            gathered = scaled_dot_product_attention(query, key, value)
        return features + self.outputs(gathered.transpose(-1, -2).reshape(batch, channels, height, width))


class Down(nn.Module):
    """Features at half the resolution, by a convolution of stride two."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        _initialise(self.conv, 9 * inputs, zero=False)

    def forward(self, features: Features) -> Features:
        """Features of half the size."""
        return self.conv(features)


class Up(nn.Module):
    """Features at twice the resolution: every position repeated, then a convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = conv(inputs, outputs)

    def forward(self, features: Features) -> Features:
        """Features of twice the size."""
        return self.conv(interpolate(features, scale_factor=2.0, mode="nearest"))


class Head(nn.Module):
    """The output of one scale, read from features at its resolution. Starts at zero.

    The best denoiser of Gaussian images is linear, with factors that depend on the log-SNRs; normalised features
    have lost how large they were. A second path therefore reads them as they are, scaled by the embedding.
    """

    def __init__(self, channels: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.conv = conv(channels, outputs, zero=True)
        self.modulate = linear(embedding, channels, zero=True)
        self.linear = conv(channels, outputs, zero=True)

    def forward(self, features: Features, embedding: Embedding) -> Features:
        """Raw outputs."""
        scaled = features * (1 + self.modulate(embedding)[..., None, None])
        return self.conv(silu(self.norm(features))) + self.linear(scaled)
