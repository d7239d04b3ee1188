"""Error surfaces, optimal paths and exact sampler errors for multi-scale diffusion models.

Importing this package switches JAX to 64-bit floats: results are float64 everywhere.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import jax

jax.config.update("jax_enable_x64", True)

from lift_theory.bounds import lower_bound  # noqa: E402
from lift_theory.controls import (  # noqa: E402
    constant_lead_path,
    diagonal_path,
    equal_information_path,
    staged_path,
)
from lift_theory.gaussian import DecoupledModel, GaussianModel, Model, decoupled  # noqa: E402
from lift_theory.laws import Covariance, Spectrum  # noqa: E402
from lift_theory.paths import Path, path_kl, to_orthogonal, to_pyramid  # noqa: E402
from lift_theory.plotting import plot_surface  # noqa: E402
from lift_theory.representations import (  # noqa: E402
    AveragePyramid,
    DctBands,
    HaarBands,
    LinearScales,
    Representation,
    ResidualPyramid,
    SingleScale,
)
from lift_theory.surfaces import error_surface  # noqa: E402

try:
    __version__ = version("lift-theory")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"

if TYPE_CHECKING:
    from lift_theory.optimize.objectives import PathKL
    from lift_theory.optimize.search import OptimizedPath, optimal_path

# the optimizer compiles its kernels on import, so it is only loaded when it is asked for
_LAZY = {
    "OptimizedPath": "lift_theory.optimize.search",
    "PathKL": "lift_theory.optimize.objectives",
    "optimal_path": "lift_theory.optimize.search",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "AveragePyramid",
    "Covariance",
    "DctBands",
    "DecoupledModel",
    "GaussianModel",
    "HaarBands",
    "LinearScales",
    "Model",
    "OptimizedPath",
    "Path",
    "PathKL",
    "Representation",
    "ResidualPyramid",
    "SingleScale",
    "Spectrum",
    "constant_lead_path",
    "decoupled",
    "diagonal_path",
    "equal_information_path",
    "error_surface",
    "lower_bound",
    "optimal_path",
    "path_kl",
    "plot_surface",
    "staged_path",
    "to_orthogonal",
    "to_pyramid",
]
