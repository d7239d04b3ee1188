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
from lift_theory.measured import MeasuredModel  # noqa: E402
from lift_theory.mixtures import GaussianMixture, MixtureModel, MixturePosterior, StandardErrors  # noqa: E402
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
from lift_theory.schedules import published_path  # noqa: E402
from lift_theory.surfaces import error_surface  # noqa: E402

try:
    __version__ = version("lift-theory")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"

if TYPE_CHECKING:
    from lift_theory.design import BandDesign, ClockDesign, best_bands, best_groups
    from lift_theory.optimize import (
        ComputePath,
        GeodesicCurve,
        OptimizedPath,
        PathKL,
        PublishedCost,
        break_even_price,
        compute_aware_path,
        gaussian_curvature,
        geodesic_curve,
        optimal_path,
    )
    from lift_theory.sampling import (
        DDIM,
        DDPM,
        RK4,
        Ancestral,
        DPMSolverPP2M,
        Euler,
        EulerMaruyama,
        ExponentialIntegrator,
        Heun,
        OutputCurve,
        OutputError,
        Sampler,
        SamplingError,
        VPLinear,
        sampling_error,
    )

_SAMPLING = (
    "DDIM",
    "DDPM",
    "RK4",
    "Ancestral",
    "DPMSolverPP2M",
    "Euler",
    "EulerMaruyama",
    "ExponentialIntegrator",
    "Heun",
    "OutputCurve",
    "OutputError",
    "Sampler",
    "SamplingError",
    "VPLinear",
    "sampling_error",
)
"""Names that load the samplers only when asked for."""

_OPTIMIZER = (
    "ComputePath",
    "GeodesicCurve",
    "OptimizedPath",
    "PathKL",
    "PublishedCost",
    "break_even_price",
    "compute_aware_path",
    "gaussian_curvature",
    "geodesic_curve",
    "optimal_path",
)
"""Names that load the optimizer, whose kernels are compiled, only when asked for."""

_DESIGN = ("BandDesign", "ClockDesign", "best_bands", "best_groups")
"""Names that load both."""


def __getattr__(name: str) -> Any:
    for module, names in (("optimize", _OPTIMIZER), ("sampling", _SAMPLING), ("design", _DESIGN)):
        if name in names:
            return getattr(import_module(f"lift_theory.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "DDIM",
    "DDPM",
    "RK4",
    "Ancestral",
    "AveragePyramid",
    "BandDesign",
    "ClockDesign",
    "ComputePath",
    "Covariance",
    "DPMSolverPP2M",
    "DctBands",
    "DecoupledModel",
    "Euler",
    "EulerMaruyama",
    "ExponentialIntegrator",
    "GaussianMixture",
    "GaussianModel",
    "GeodesicCurve",
    "HaarBands",
    "Heun",
    "LinearScales",
    "MeasuredModel",
    "MixtureModel",
    "MixturePosterior",
    "Model",
    "OptimizedPath",
    "OutputCurve",
    "OutputError",
    "Path",
    "PathKL",
    "PublishedCost",
    "Representation",
    "ResidualPyramid",
    "Sampler",
    "SamplingError",
    "SingleScale",
    "Spectrum",
    "StandardErrors",
    "VPLinear",
    "best_bands",
    "best_groups",
    "break_even_price",
    "compute_aware_path",
    "constant_lead_path",
    "decoupled",
    "diagonal_path",
    "equal_information_path",
    "error_surface",
    "gaussian_curvature",
    "geodesic_curve",
    "lower_bound",
    "optimal_path",
    "path_kl",
    "plot_surface",
    "published_path",
    "sampling_error",
    "staged_path",
    "to_orthogonal",
    "to_pyramid",
]
