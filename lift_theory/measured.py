"""Models from measured denoising errors, such as those of a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Array, Float

from lift_theory._validation import logsnr_array, one_of, real_array
from lift_theory.fitting import FittedInformation, fit_information
from lift_theory.gaussian import _WORK, PREDICTIONS, LogSNR, _evaluate, _pairs

if TYPE_CHECKING:
    import xarray

LEAST_POINTS = 4
"""Log-SNRs per scale that a fit needs."""


@jax.tree_util.register_pytree_node_class
class MeasuredModel:
    """A model from measured squared errors, such as those of a trained network, within the grid they were measured on.

    It answers what `GaussianModel` answers, so that path costs, optimal paths, geodesics and surfaces work as they
    do there. All answers follow from one function, the mutual information whose errors are nearest to the measured
    ones: information that adds up along any path, errors that fall with every SNR, and costs of steps that are
    not negative. They say as much about the measured errors as `misfit` allows. `optimal_path` proves no lower
    bound for it: the proof needs Gaussian data.

    Log-SNRs outside the measured grid are refused. Traced values cannot be checked; there, errors below the grid are
    extrapolated by constants and above it by exponentials.

    Args:
        surface: as from `error_surface`: dimensions `logsnr_<scale>` for every scale and `scale`, the variable `mmse`,
            the coordinate `size`, and, if known, `mmse_standard_error`. Each value counts in inverse proportion to
            its standard error, or to itself where that is not known.

    Raises:
        TypeError: if `surface` is not a dataset.
        ValueError: if a dimension, `mmse` or `size` is missing, an axis has fewer than four points, an error is
            not positive and finite, or errors fall with no log-SNR.

    Examples:
        >>> import lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.AveragePyramid())
        >>> measured = lt.MeasuredModel(lt.error_surface(model, np.linspace(-5, 5, 12)))
        >>> path = lt.diagonal_path(measured, 8, -5.0, 5.0)
        >>> bool(abs(lt.path_kl(measured, path) / lt.path_kl(model, path) - 1) < 1e-3)
        True
    """

    def __init__(self, surface: xarray.Dataset) -> None:
        axes, sizes, errors, uncertainty = _read(surface)
        self.measurement: xarray.Dataset | None = surface
        self.scales = tuple(str(name) for name in surface["scale"].values)
        self.range = tuple((float(axis[0]), float(axis[-1])) for axis in axes)
        self._channels, fitted = fit_information(axes, sizes, errors, uncertainty)
        self.residuals: Float[np.ndarray, "*grid scales"] | None = fitted / errors - 1.0

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of coefficients of each scale."""
        return self._channels.sizes

    @property
    def misfit(self) -> float:
        """Root mean square of fitted over measured error minus one, over the grid and all scales.

        Zero for the posterior mean of Gaussian data on one or two scales, but for rounding of the fit (up to about
        3e-4). For other data an exact posterior mean may have some, too: two pixels of +1 or -1 and their mean leave
        1.4 to 5 % (at most 6 to 18 %), the more the higher their SNRs; a sparse mixture of two Gaussians on one scale
        leaves 1.5 % (at most 4 %). `residuals` holds the values, one per grid point and scale.

        Raises:
            ValueError: of a copy that JAX made of the fit alone, such as the argument of a compiled function.
        """
        if self.residuals is None:
            raise ValueError(
                "misfit needs the measured errors, which stay behind when JAX takes a model apart; "
                "ask the model that was made of the surface."
            )
        return float(np.sqrt(np.mean(self.residuals**2)))

    def mutual_information(self, logsnr: LogSNR) -> Float[Array, "..."]:
        """Mutual information between image and noisy scales in nats, zero at SNR zero by extrapolation."""
        return self._evaluated("information", logsnr)

    def mmse(self, logsnr: LogSNR) -> Float[Array, "... scales"]:
        """Squared error summed over the coefficients of each scale."""
        return self._evaluated("mmse", logsnr)

    def metric(self, logsnr: LogSNR) -> Float[Array, "... scales scales"]:
        """Information metric in log-SNR coordinates, `-g_k g_l d2I/dg_k dg_l`, positive semi-definite."""
        return self._evaluated("metric", logsnr)

    def step_kl(self, start: LogSNR, stop: LogSNR) -> Float[Array, "..."]:
        """Discretization error of one ancestral step in nats, not negative, accurate also for tiny steps.

        Args:
            start: log-SNRs before the step, (..., K).
            stop: log-SNRs after the step, broadcast against `start`.
        """
        begin, end = self._checked(start, "start"), self._checked(stop, "stop")
        return _evaluate("step", self._channels, self._chunk, _pairs(begin, end))

    def coupling(self, logsnr: LogSNR) -> Float[Array, "... scales scales"]:
        """Posterior coupling of the scales, between 0 and 1, that the errors imply."""
        return self._evaluated("coupling", logsnr)

    def jacobian_norms(self, logsnr: LogSNR, prediction: str = "x0") -> Float[Array, "... scales scales"]:
        """Squared Frobenius norms of the Jacobians that a posterior mean with these errors has.

        Those of a network itself have to be measured; the two differ as far as it is no posterior mean.

        Args:
            logsnr: (..., K).
            prediction: "x0", "eps" or "v", as for `GaussianModel`.
        """
        return self._evaluated(f"jacobian_{one_of(prediction, PREDICTIONS, name='prediction')}", logsnr)

    @property
    def _chunk(self) -> int:
        return max(1, _WORK // self._channels.rates.size)

    def _evaluated(self, quantity: str, logsnr: LogSNR) -> Array:
        points = self._checked(logsnr, "logsnr")
        return _evaluate(quantity, self._channels, self._chunk, points[..., None, :])

    def _checked(self, logsnr: LogSNR, name: str) -> Float[Array, "... scales"]:
        points = logsnr_array(logsnr, scales=self.scales, name=name)
        if not isinstance(points, jax.core.Tracer) and points.size:
            for k, (low, high) in enumerate(self.range):
                least, most = float(points[..., k].min()), float(points[..., k].max())
                if least < low - 1e-9 or most > high + 1e-9:
                    raise ValueError(
                        f"{name} of {self.scales[k]} must lie within [{low:g}, {high:g}] nats, where errors were "
                        f"measured; got [{least:g}, {most:g}]. Choose ends inside, or measure a wider surface."
                    )
        return points

    def tree_flatten(self) -> tuple[tuple[FittedInformation], tuple[Any, ...]]:
        """The fit as a JAX tree; measured values stay behind."""
        return (self._channels,), (self.scales, self.range)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], children: Sequence[Any]) -> MeasuredModel:
        """A model for use inside compiled functions: without `measurement` and `residuals`."""
        model = object.__new__(cls)
        model.scales, model.range = static
        model._channels = children[0]
        model.measurement, model.residuals = None, None
        return model

    def __repr__(self) -> str:
        ranges = ", ".join(
            f"{name} [{low:g}, {high:g}]" for name, (low, high) in zip(self.scales, self.range, strict=True)
        )
        return f"MeasuredModel({ranges} nats)"


def _read(surface: Any) -> tuple[list[np.ndarray], tuple[int, ...], np.ndarray, np.ndarray | None]:
    """Axes, sizes, errors and standard errors (..., scales) of a surface."""
    import xarray

    if not isinstance(surface, xarray.Dataset):
        raise TypeError(
            f"surface must be an xarray.Dataset from error_surface; got {type(surface).__name__}. "
            "Open a file with xarray.load_dataset(file) first."
        )
    missing = [name for name in ("mmse", "scale", "size") if name not in surface.variables]
    if missing:
        raise ValueError(f"surface must hold mmse, scale and size; {', '.join(missing)} is missing.")
    names = [str(name) for name in surface["scale"].values]
    dims = [f"logsnr_{name}" for name in names]
    if set(surface["mmse"].dims) != {*dims, "scale"} or not set(dims) <= set(surface.coords):
        raise ValueError(
            f"mmse must have the dimensions {(*dims, 'scale')} with coordinates; got {surface['mmse'].dims}."
        )
    axes = [real_array(surface[dim].values, name=dim) for dim in dims]
    for dim, axis in zip(dims, axes, strict=True):
        if len(axis) < LEAST_POINTS or np.any(np.diff(axis) <= 0):
            raise ValueError(
                f"{dim} must hold at least four increasing log-SNRs; got {axis}. Measure a finer grid."
            )
    errors = real_array(surface["mmse"].transpose(*dims, "scale").values, name="mmse")
    if errors.min() <= 0:
        raise ValueError(f"mmse must be positive; the least value is {errors.min():g}.")
    uncertainty = None
    if "mmse_standard_error" in surface.data_vars:
        found = surface["mmse_standard_error"].transpose(*dims, "scale").values
        uncertainty = real_array(found, name="mmse_standard_error")
        if uncertainty.min() < 0:
            raise ValueError(f"standard errors must not be negative; got {uncertainty.min():g}.")
    return axes, tuple(int(size) for size in surface["size"].values), errors, uncertainty
