"""Exact laws of samplers on Gaussian data, and their errors."""

from lift_theory.sampling.curves import OutputCurve
from lift_theory.sampling.errors import SamplingError, sampling_error
from lift_theory.sampling.output import OutputError
from lift_theory.sampling.samplers import DDIM, Ancestral, DPMSolverPP2M, Sampler
from lift_theory.sampling.variance_preserving import (
    DDPM,
    RK4,
    Euler,
    EulerMaruyama,
    ExponentialIntegrator,
    Heun,
    VPLinear,
)

__all__ = [
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
]
