"""A model from measured denoising errors, by the nearest mutual information that could have caused them.

Half the squared errors of an exact denoiser are the gradient of one function of the SNRs, the mutual information I,
which is concave and has I = 0 where nothing is observed. Errors that were measured, of a trained network moreover,
are no exact gradient. They are explained as well as possible by

    I(g) = sum_m w_m (1 - exp(-a_m . g)) + b . g        with w_m, a_m, b >= 0,

fitted to all `mmse_k = 2 dI/dg_k` of the surface at once by non-negative least squares. Such functions are dense among
those whose derivatives alternate in sign (Choquet 1969). The information of Gaussian data is one of them for one and
for two scales: its derivatives are traces of words in two positive semi-definite matrices, summed over all words
with the same letters, and Stahl 2013 (Acta Math. 211, Thm 1) proved such sums to be non-negative. So are independent
mixtures of such data. The rates a_m begin on a grid that is even in log-SNR; those in use are then joined by
neighbours at half the distance, again and again.

What the fit cannot follow is left out and reported as `misfit`: noise of the measurement, the curl of the field of
errors (no potential has one), and rises of an error with an SNR (no posterior mean has any). The term b is an error
that no observation reduces; it costs no path anything, as the cost of a step is a difference of errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float
from scipy.interpolate import make_interp_spline
from scipy.optimize import nnls

from lift_theory._validation import logsnr_array, one_of, real_array
from lift_theory.gaussian import _WORK, PREDICTIONS, LogSNR, _evaluate

if TYPE_CHECKING:
    import xarray

SPACING = {1: 0.7, 2: 1.0, 3: 2.4}
"""Distance of neighbouring rates in nats at the beginning of a fit; wider for more scales."""

ROUNDS = 4
"""Times that the distance is halved, at most."""

MARGIN = (3.0, 2.0)
"""Nats by which rates reach beyond the surface: knees above its highest and below its lowest log-SNR."""

PRECISE = 2e-5
"""Relative misfit at which a fit is finished."""

FLOOR = 1e-4
"""Least relative standard error that a fit believes."""

CLOSE = {1: 0.45, 2: 0.45, 3: 0.95}
"""Nats between points to which errors are interpolated before a fit, so that it cannot ripple between them."""

POINTS = 4096
"""Points of a surface that a fit looks at; of larger surfaces, as many chosen by chance."""

RIDGE = 1e-12
"""Relative diagonal added to the normal equations."""

PADDED = 64
"""Numbers of terms are multiples of this, so that few sizes are ever compiled."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True, eq=False)
class _Information:
    """`sum_m w_m (1 - exp(-a_m . g)) + b . g` with what follows from it, each for one point.

    Attributes:
        rates: a.
        weights: w.
        linear: b.
        sizes: number of coefficients of each scale.
    """

    rates: Float[Array, "terms scales"]
    weights: Float[Array, " terms"]
    linear: Float[Array, " scales"]
    sizes: tuple[int, ...] = field(metadata={"static": True})

    def information(self, g: Any) -> Any:
        return -self.weights @ jnp.expm1(-self.rates @ g) + self.linear @ g

    def mmse(self, g: Any) -> Any:
        return 2.0 * ((self.weights * jnp.exp(-self.rates @ g)) @ self.rates + self.linear)

    def gram(self, g: Any) -> Any:
        return 2.0 * jnp.einsum(
            "m,mk,ml->kl", self.weights * jnp.exp(-self.rates @ g), self.rates, self.rates
        )

    def step(self, g: Any, dg: Any) -> Any:
        moved = self.rates @ dg
        small = jnp.abs(moved) < 1e-3
        series = moved**2 * (0.5 - moved * (1.0 / 6.0 - moved * (1.0 / 24.0 - moved / 120.0)))
        safe = jnp.where(small, 1.0, moved)
        return (self.weights * jnp.exp(-self.rates @ g)) @ jnp.where(small, series, safe + jnp.expm1(-safe))

    def complement(self, g: Any) -> Any:
        """`E||1 - g_k Phi_kk||^2` and `E tr Phi_kk (1 - g_k Phi_kk)`, as far as errors tell them, not negative."""
        error, own = self.mmse(g), jnp.diagonal(self.gram(g))
        squares = jnp.asarray(self.sizes) - 2.0 * g * error + g**2 * own
        return jnp.maximum(squares, 0.0), jnp.maximum(error - g * own, 0.0)


@jax.tree_util.register_pytree_node_class
class MeasuredModel:
    """A model from measured squared errors, such as those of a trained network, within the grid they were measured on.

    It answers what `GaussianModel` answers, so that path costs, optimal paths, geodesics and surfaces work as they
    do there. Everything is exact for the fitted information `I` (see the module), and says as much about the
    measured errors as `misfit` allows. `optimal_path` proves no lower bound for it: the proof needs Gaussian data.

    Log-SNRs outside the measured grid are refused. Traced values cannot be checked; there, errors below the grid are
    extrapolated by constants and above it by exponentials.

    Args:
        surface: as from `error_surface`: dimensions `logsnr_<scale>` for every scale and `scale`, the variable `mmse`,
            the coordinate `size`, and, if known, `mmse_standard_error`. Each value counts in inverse proportion to
            its standard error, or to itself where that is not known.

    Raises:
        TypeError: if `surface` is not a dataset.
        ValueError: if a dimension, `mmse` or `size` is missing, an axis has fewer than four points, or an
            error is not positive and finite.

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
        self._channels, fitted = _fit(axes, sizes, errors, uncertainty)
        self.residuals = errors / fitted - 1.0

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of coefficients of each scale."""
        return self._channels.sizes

    @property
    def misfit(self) -> float:
        """Root mean square of measured over fitted error minus one, over the grid and all scales.

        Zero for the errors of an exact posterior mean, but for rounding of the fit (up to about 3e-4). `residuals`
        holds the values, one per grid point and scale.
        """
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
        try:
            begin, end = jnp.broadcast_arrays(begin, end)
        except ValueError:
            raise ValueError(
                f"start and stop must have shapes that broadcast; got {begin.shape} and {end.shape}. "
                "Give both the same leading axes, or one of them none."
            ) from None
        return _evaluate("step", self._channels, self._chunk, jnp.stack([begin, end], axis=-2))

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

    def tree_flatten(self) -> tuple[tuple[_Information], tuple[Any, ...]]:
        """The fit as a JAX tree; measured values stay behind."""
        return (self._channels,), (self.scales, self.range)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], children: Sequence[Any]) -> MeasuredModel:
        """A model for use inside compiled functions: without `measurement` and `residuals`."""
        model = object.__new__(cls)
        model.scales, model.range = static
        model._channels = children[0]
        model.measurement, model.residuals = None, np.zeros(0)
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
        if len(axis) < 4 or np.any(np.diff(axis) <= 0):
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


def _fit(
    axes: list[np.ndarray], sizes: tuple[int, ...], errors: np.ndarray, uncertainty: np.ndarray | None
) -> tuple[_Information, np.ndarray]:
    """The information nearest to the errors, and the errors it has itself."""
    count = len(axes)
    relative = np.ones_like(errors) if uncertainty is None else np.hypot(uncertainty / errors, FLOOR)
    dense = [_refined(axis, CLOSE.get(count, np.inf)) for axis in axes]
    logs = _interpolated(np.log(errors), axes, dense, degree=5)
    spread = np.exp(_interpolated(np.log(relative), axes, dense, degree=1)).reshape(-1, count).T.ravel()
    values = np.exp(logs).reshape(-1, count).T.ravel()
    snr = _snr(dense)
    if len(snr) > POINTS:
        chosen = np.sort(np.random.default_rng(0).choice(len(snr), POINTS, replace=False))
        values, spread = (part.reshape(count, -1)[:, chosen].ravel() for part in (values, spread))
        snr = snr[chosen]

    def solved(rates: np.ndarray) -> tuple[np.ndarray, float]:
        matrix = _errors_of_terms(snr, rates) / (values * spread)[:, None]
        norms = np.linalg.norm(matrix, axis=0)
        matrix *= np.where(norms > 0, 1.0 / np.where(norms > 0, norms, 1.0), 0.0)
        gram = matrix.T @ matrix
        gram[np.diag_indices_from(gram)] += RIDGE
        factor = np.linalg.cholesky(gram)
        target = scipy.linalg.solve_triangular(factor, matrix.T @ (1.0 / spread), lower=True)
        found, _ = nnls(factor.T, target, maxiter=20 * len(gram))
        rest = np.linalg.norm(matrix @ found - 1.0 / spread) / np.linalg.norm(1.0 / spread)
        return found / np.where(norms > 0, norms, 1.0), float(rest)

    distance = SPACING.get(count, 3.0)
    moves = np.unique(np.concatenate([np.eye(count), np.ones((1, count))]), axis=0)
    candidates = _grid(axes, distance)
    best: tuple[np.ndarray, np.ndarray] | None = None
    least = np.inf
    for _ in range(ROUNDS + 1):
        try:
            weights, rest = solved(np.exp(candidates))
        except (
            RuntimeError
        ):  # no convergence among too many like candidates: what was found before is as good
            if best is None:
                raise
            break
        improved = rest < least
        used = weights[:-count] > 0
        if improved:
            best = (candidates[used], weights[np.append(used, np.ones(count, dtype=bool))])
        if not improved or rest > 0.95 * least or rest < PRECISE:
            break
        least = rest
        distance /= 2.0
        around = distance * np.concatenate([np.zeros((1, count)), moves, -moves])
        candidates = np.unique(np.round((candidates[used][:, None] + around).reshape(-1, count), 9), axis=0)
    assert best is not None
    rates, weights = np.exp(best[0]), best[1]
    fitted = (_errors_of_terms(_snr(axes), rates) @ weights).reshape(count, -1).T.reshape(errors.shape)
    padding = -len(rates) % PADDED
    information = _Information(
        rates=jnp.asarray(np.pad(rates, ((0, padding), (0, 0)))),
        weights=jnp.asarray(np.pad(weights[:-count], (0, padding)) / 2.0),
        linear=jnp.asarray(weights[-count:] / 2.0),
        sizes=sizes,
    )
    return information, fitted


def _snr(axes: list[np.ndarray]) -> Float[np.ndarray, "points scales"]:
    return np.exp(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes)))


def _errors_of_terms(
    snr: Float[np.ndarray, "points scales"], rates: Float[np.ndarray, "terms scales"]
) -> Float[np.ndarray, "errors columns"]:
    """What terms of unit weight add to the errors, scale after scale; one constant per scale behind them."""
    decay = np.exp(-snr @ rates.T)
    blocks = [decay * own for own in rates.T]
    constants = np.kron(np.eye(len(blocks)), np.ones((len(snr), 1)))
    return np.concatenate([np.concatenate(blocks), constants], axis=1)


def _refined(axis: np.ndarray, distance: float) -> np.ndarray:
    """The axis with points added evenly until neighbours are close."""
    parts = max(1, int(np.ceil(np.diff(axis).max() / distance)))
    return np.interp(np.arange(parts * (len(axis) - 1) + 1) / parts, np.arange(len(axis)), axis)


def _interpolated(
    values: Float[np.ndarray, "*grid scales"], axes: list[np.ndarray], dense: list[np.ndarray], degree: int
) -> Float[np.ndarray, "*finer scales"]:
    """Splines along one axis after the other."""
    for k, (axis, finer) in enumerate(zip(axes, dense, strict=True)):
        if len(finer) > len(axis):
            order = degree if len(axis) > degree else min(degree, 3)
            values = make_interp_spline(axis, values, k=order, axis=k)(finer)
    return values


def _grid(axes: list[np.ndarray], distance: float) -> Float[np.ndarray, "candidates scales"]:
    """Logarithms of rates whose knees lie on or about the surface; minus infinity for scales that do not matter."""
    choices = []
    for axis in axes:
        low, high = -axis[-1] - MARGIN[0], -axis[0] + MARGIN[1]
        even = np.linspace(low, high, int(np.ceil((high - low) / distance)) + 1)
        choices.append(np.append(-np.inf, even))
    return np.stack(np.meshgrid(*choices, indexing="ij"), axis=-1).reshape(-1, len(axes))[1:]
