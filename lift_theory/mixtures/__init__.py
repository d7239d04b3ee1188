"""Gaussian mixtures: data with clusters, whose posterior is exact and whose averages are Monte Carlo."""

from lift_theory.mixtures.law import GaussianMixture
from lift_theory.mixtures.model import MixtureModel, MixturePosterior, StandardErrors

__all__ = ["GaussianMixture", "MixtureModel", "MixturePosterior", "StandardErrors"]
