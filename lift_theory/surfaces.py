"""Error surfaces as labelled arrays: every quantity of a model on a grid of log-SNRs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lift_theory._validation import logsnr_array, real_array
from lift_theory.gaussian import DecoupledModel, GaussianModel, Model
from lift_theory.laws import Spectrum
from lift_theory.mixtures import GaussianMixture, MixtureModel

if TYPE_CHECKING:
    import xarray

UNITS = {
    "mutual_information": ("mutual information between data and noisy scales", "nat"),
    "mmse": ("squared error of the posterior mean, summed over coefficients", "squared data unit"),
    "metric": ("information metric in log-SNR coordinates", "nat per squared nat"),
    "coupling": ("posterior coupling of two scales, between 0 and 1", "1"),
    "step_cost": (
        "leading cost density of a lock-step move, metric summed over scale_other over 2",
        "nat per squared nat",
    ),
}
"""Long name and unit of every variable of a surface."""


def error_surface(model: Model, logsnr: Any = None) -> xarray.Dataset:
    """Everything a model says about a grid of noise levels, as an `xarray.Dataset` with units and provenance.

    Dimensions are `logsnr_<scale>` for every scale, finest first, then `scale` and `scale_other`. Variables are
    `mutual_information`, `mmse(scale)`, `metric(scale, scale_other)`, `coupling(scale, scale_other)` and
    `step_cost(scale)`: a small step `dlam` common to all scales costs `dlam^2` times the sum of `step_cost`. A
    `MixtureModel` adds the standard errors of the first three, `mutual_information_standard_error` and so on.

    Args:
        model: `GaussianModel`, or any object with the same methods.
        logsnr: increasing log-SNRs in nats for all scales, or a sequence of one such array per scale;
            `numpy.linspace(-9, 9, 128)` if not given.

    Raises:
        TypeError: if `model` has no such methods or the log-SNRs are not real numbers.
        ValueError: if an axis is empty, not increasing, not finite, or there is not one per scale.

    Examples:
        >>> import numpy as np, lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.AveragePyramid())
        >>> surface = lt.error_surface(model, logsnr=np.linspace(-4, 4, 5))
        >>> dict(surface.mmse.sizes)
        {'logsnr_fine': 5, 'logsnr_coarse': 5, 'scale': 2}
        >>> surface.mmse.attrs["units"]
        'squared data unit'
    """
    import xarray

    axes = grid_axes(model, np.linspace(-9.0, 9.0, 128) if logsnr is None else logsnr)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    if hasattr(model, "surface"):
        found = {name: np.asarray(value) for name, value in model.surface(points).items()}
    else:
        found = {
            name: np.asarray(getattr(model, name)(points))
            for name in ("mutual_information", "mmse", "metric")
        }
    metric = found["metric"]
    own = np.sqrt(np.maximum(np.diagonal(metric, axis1=-2, axis2=-1), 0.0))
    own = np.where(own > 0, own, 1.0)
    coupling = metric / own[..., :, None] / own[..., None, :]
    coupling[..., np.arange(len(axes)), np.arange(len(axes))] = 1.0
    grid = tuple(f"logsnr_{name}" for name in model.scales)
    variables = {
        "mutual_information": (grid, found["mutual_information"]),
        "mmse": ((*grid, "scale"), found["mmse"]),
        "metric": ((*grid, "scale", "scale_other"), metric),
        "coupling": ((*grid, "scale", "scale_other"), coupling),
        "step_cost": ((*grid, "scale"), 0.5 * metric.sum(axis=-1)),
    }
    for name in ("mutual_information", "mmse", "metric"):
        if f"{name}_standard_error" in found:
            variables[f"{name}_standard_error"] = (variables[name][0], found[f"{name}_standard_error"])
    coordinates = {
        **{
            name: (name, axis, {"long_name": f"log-SNR of scale {scale}", "units": "nat"})
            for name, axis, scale in zip(grid, axes, model.scales, strict=True)
        },
        "scale": ("scale", list(model.scales), {"long_name": "scale, finest first"}),
        "scale_other": ("scale_other", list(model.scales), {"long_name": "scale, finest first"}),
        "size": ("scale", list(model.sizes), {"long_name": "number of coefficients", "units": "1"}),
    }
    return xarray.Dataset(
        {name: (dims, values, _described(name)) for name, (dims, values) in variables.items()},
        coords=coordinates,
        attrs=_provenance(model),
    )


def _described(name: str) -> dict[str, str]:
    """Long name and unit of a variable, or of its standard error."""
    quantity = name.removesuffix("_standard_error")
    long_name, unit = UNITS[quantity]
    return {"long_name": long_name if name == quantity else f"standard error of {quantity}", "units": unit}


def grid_axes(model: Model, logsnr: Any) -> list[np.ndarray]:
    """One increasing axis of log-SNRs per scale, from one array for all or a sequence of one each."""
    missing = [
        name for name in ("mutual_information", "mmse", "metric", "scales") if not hasattr(model, name)
    ]
    if missing:
        raise TypeError(
            f"model must have {', '.join(missing)}; {type(model).__name__} does not. Pass a GaussianModel."
        )
    return scale_axes(tuple(model.scales), logsnr)


def scale_axes(scales: Sequence[str], logsnr: Any) -> list[np.ndarray]:
    """One increasing axis of log-SNRs for each of the scales."""
    listed = isinstance(logsnr, Sequence) or (isinstance(logsnr, np.ndarray) and logsnr.ndim > 0)
    several = listed and len(logsnr) > 0 and np.ndim(logsnr[0]) == 1
    chosen = list(logsnr) if several else [logsnr] * len(scales)
    if len(chosen) != len(scales):
        raise ValueError(
            f"logsnr must be one array, or one for each of {tuple(scales)}; got {len(chosen)} arrays."
        )
    axes = []
    for name, values in zip(scales, chosen, strict=True):
        axis = real_array(values, name=f"logsnr of {name}")
        if axis.ndim != 1 or axis.size == 0 or np.any(np.diff(axis) <= 0):
            raise ValueError(
                f"logsnr of {name} must be a one-dimensional, strictly increasing, non-empty array; "
                f"got shape {axis.shape}. Sort it and drop repetitions."
            )
        axes.append(np.asarray(logsnr_array(axis[:, None], scales=(name,), name=f"logsnr of {name}"))[:, 0])
    return axes


def _provenance(model: Model) -> dict[str, str]:
    """Where a surface comes from, in strings that netCDF can hold."""
    import jax

    from lift_theory import __version__

    attributes = {
        "title": "error surface of a multi-scale denoiser",
        "source": f"lift_theory {__version__}, jax {jax.__version__}",
        "model": type(model).__name__,
        "conventions": "scales finest first; log-SNR in nats; errors summed over coefficients",
    }
    joint = model.joint if isinstance(model, DecoupledModel) else model
    if isinstance(joint, MixtureModel):
        attributes["draws"] = f"{joint.draws} with seed {joint.seed}"
    if isinstance(joint, GaussianModel | MixtureModel):
        law = joint.law
        if isinstance(law, GaussianMixture):
            values = np.concatenate([law.weights, law.means.ravel(), law.covariances.ravel()])
        else:
            values = law.variances if isinstance(law, Spectrum) else law.matrix
        attributes["representation"] = repr(joint.representation)
        attributes["law"] = f"{type(law).__name__} of shape {law.shape or (law.size,)}"
        attributes["law_sha256"] = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
    return attributes
