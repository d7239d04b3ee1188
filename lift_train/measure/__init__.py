"""Measurements of a denoiser: its errors, the costs of its paths, its Jacobians, and how consistent it is.

All take a denoiser and images, use the same images and noise at every noise level, are deterministic, and keep what
they have finished in a folder if one is given. Surfaces have the layout of `lift_theory.error_surface`.
"""

from lift_train.measure.consistency import curl, explained_variance
from lift_train.measure.costs import AysBound, PathCost, ays_bound, path_cost
from lift_train.measure.jacobians import flow_sensitivity, jacobian_norms, lift_error_map
from lift_train.measure.surfaces import error_surface

__all__ = [
    "AysBound",
    "PathCost",
    "ays_bound",
    "curl",
    "error_surface",
    "explained_variance",
    "flow_sensitivity",
    "jacobian_norms",
    "lift_error_map",
    "path_cost",
]
