"""Networks that denoise several scales at once, their configurations, and presets by name.

`network` makes one from a preset's name or a configuration; `NetworkDenoiser` of `lift_train.denoisers` turns it
into a denoiser. `matched` finds the configuration for another representation with the same number of parameters.
"""

from lift_train.networks.lift import LiftConfig, LiftUNet
from lift_train.networks.presets import (
    PRESETS,
    Config,
    configuration,
    matched,
    network,
    parameter_count,
)
from lift_train.networks.unet import MultiScaleUNet, UNetConfig

__all__ = [
    "PRESETS",
    "Config",
    "LiftConfig",
    "LiftUNet",
    "MultiScaleUNet",
    "UNetConfig",
    "configuration",
    "matched",
    "network",
    "parameter_count",
]
