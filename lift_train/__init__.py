"""Data, training, sampling and measuring for multi-scale denoisers.

``lift_train.data`` needs NumPy and an image library only. The parts that need PyTorch live in modules of
their own and are imported when they are used, so that ``import lift_train`` works without it.
"""

from __future__ import annotations

import importlib
from typing import Any

from lift_theory import __version__
from lift_train import data

_HOMES = {
    "TrainConfig": "config",
    "Run": "runs",
    "train": "training",
    "load_denoiser": "runs",
    "NoiseLevels": "noise",
    "Samples": "sampling",
    "sample": "sampling",
    "Scales": "scales",
    "representation": "scales",
    "FunctionDenoiser": "denoisers",
    "LinearDenoiser": "denoisers",
    "NetworkDenoiser": "denoisers",
    "adapters": "",
    "features": "",
    "measure": "",
    "metrics": "",
}

__all__ = ["__version__", "data", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    try:
        if not home:
            return importlib.import_module(f"{__name__}.{name}")
        return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        raise ModuleNotFoundError(
            f"lift_train.{name} needs PyTorch; install the extra 'train': pip install -e '.[train]' in a clone",
            name=error.name,
        ) from error
