"""Networks by name, and networks of equal size for different representations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from lift_train.networks.lift import LiftConfig, LiftUNet
from lift_train.networks.unet import MultiScaleUNet, UNetConfig
from lift_train.scales import Scales

Config = UNetConfig | LiftConfig

PRESETS: dict[str, Config] = {
    "tiny": UNetConfig(channels=(12, 16, 24), embedding=32),
    "small": UNetConfig(channels=(24, 48, 72), embedding=96),
    "lift64": LiftConfig(),
    "base64": UNetConfig(
        channels=(96, 192, 288, 384),
        blocks=3,
        embedding=512,
        attention=(2, 3),
        middle_attention=True,
        dropout=0.1,
    ),
}
"""Configurations by name; `matched` makes them as large for one representation as they are for another.

With the two-scale pyramid: "tiny", 80 thousand parameters, learns something on 8 to 16 pixels in seconds. "small",
0.65 million, is for 16 to 32 pixels on a processor. "lift64", 58.5 million and 8.2 billion multiplications per image
of 64 pixels, is the published network. "base64", 57.9 million and 18.0 billion, spends more of as many parameters at
high resolution: three blocks a level, scale and shift by the noise levels, attention on 16 and 8 pixels, dropout.
"""


def configuration(source: str | Config | Mapping[str, Any]) -> Config:
    """The configuration that is meant by a preset's name, by a configuration, or by what was saved of one.

    Raises:
        ValueError: for an unknown name or kind.

    >>> from dataclasses import asdict
    >>> configuration(asdict(configuration("tiny"))) == PRESETS["tiny"]
    True
    """
    if isinstance(source, str):
        if source not in PRESETS:
            raise ValueError(f"unknown preset {source!r}; choose one of {', '.join(PRESETS)}")
        return PRESETS[source]
    if isinstance(source, Mapping):
        kinds = {"multi-scale": UNetConfig, "lift": LiftConfig}
        kind = source.get("kind", "multi-scale")
        if kind not in kinds:
            raise ValueError(f"unknown kind of network {kind!r}; known are {', '.join(kinds)}")
        return kinds[kind](**source)
    return source


def network(
    source: str | Config | Mapping[str, Any], scales: Scales, *, seed: int | None = None
) -> nn.Module:
    """A network for some scales.

    Args:
        source: name of a preset, a configuration, or what `dataclasses.asdict` made of one.
        scales: what goes in and comes out.
        seed: makes the initial weights, and leaves PyTorch's generator alone; without it that one is used.

    >>> import lift_theory as lt
    >>> scales = Scales(lt.AveragePyramid(), (1, 16, 16))
    >>> parameter_count(network("small", scales, seed=0)) // 1000
    649
    """
    config = configuration(source)
    if seed is None:
        return LiftUNet(config, scales) if isinstance(config, LiftConfig) else MultiScaleUNet(config, scales)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network(config, scales)


def parameter_count(module: nn.Module) -> int:
    """How many numbers training adjusts."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def _size(config: Config, scales: Scales) -> int:
    with torch.device("meta"):
        return parameter_count(network(config, scales))


def matched(source: str | Config | Mapping[str, Any], scales: Scales, reference: Scales) -> Config:
    """The configuration for `scales` with the parameters that `source` has for `reference`, within one per cent.

    Only the width of the embedding differs, so that resolutions and channels, and with them the cost of an evaluation
    and what the network can see, stay the same.

    Args:
        source: name of a preset, or a configuration.
        scales: representation that the result is for.
        reference: representation for which `source` has the number of parameters wanted.

    Raises:
        ValueError: if no width comes within one per cent.

    >>> import lift_theory as lt
    >>> one, two = Scales(lt.SingleScale(), (1, 16, 16)), Scales(lt.AveragePyramid(), (1, 16, 16))
    >>> baseline = matched("small", one, two)
    >>> baseline.embedding > configuration("small").embedding
    True
    """
    config = configuration(source)
    wanted = _size(config, reference)
    # layers of the embedding are square, all others see it from one side: the count is quadratic in its width
    counts = [_size(replace(config, embedding=width), scales) for width in (1, 2, 3)]
    square = (counts[2] - 2 * counts[1] + counts[0]) / 2
    slope = counts[1] - counts[0] - 3 * square
    missing = wanted - (counts[0] - slope - square)
    width = 2 * missing / (slope + math.sqrt(max(0.0, slope**2 + 4 * square * missing)))
    found = replace(config, embedding=max(1, round(width)))
    size = _size(found, scales)
    if abs(size - wanted) > 0.01 * wanted:
        raise ValueError(
            f"no width of the embedding brings {config} on {scales.representation} within 1 % of "
            f"{wanted} parameters; the nearest, {found.embedding}, has {size}. Change its channels"
        )
    return found
