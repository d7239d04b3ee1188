"""Error surfaces of Gaussian mixtures, with standard errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift_theory._validation import logsnr_array, one_of, real_array, whole_number
from lift_theory.compilation import jit
from lift_theory.gaussian import PREDICTIONS, LogSNR, _normalized, _pairs, resolved
from lift_theory.mixtures.channels import MixtureChannels
from lift_theory.mixtures.law import GaussianMixture
from lift_theory.paths import Path, checked_path
from lift_theory.representations import Representation, _shape_of

BLOCK = 8
"""Points per compiled call."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StandardErrors:
    """Standard errors of Monte Carlo averages, in the units of what they belong to.

    They count pairs of opposite draws as independent; drawing components in proportion makes the averages a little
    better than that. Errors at different log-SNRs come from the same draws and move together.

    Attributes:
        mutual_information: nats.
        mmse: one per scale.
        metric: one per pair of scales.
    """

    mutual_information: Float[Array, "..."]
    mmse: Float[Array, "... scales"]
    metric: Float[Array, "... scales scales"]


@dataclass(frozen=True, kw_only=True, eq=False)
class MixturePosterior:
    """What one noisy observation says: exact, no draws involved.

    Attributes:
        responsibilities: probability of each component.
        mean: posterior mean of the data.
        covariance: posterior covariance of the data.
    """

    responsibilities: Float[np.ndarray, "observations components"]
    mean: Float[np.ndarray, "observations size"]
    covariance: Float[np.ndarray, "observations size size"]


@jax.tree_util.register_pytree_node_class
class MixtureModel:
    """The error surfaces of a Gaussian mixture seen through the scales of a representation.

    It answers what `GaussianModel` answers, so that path costs, optimal paths, geodesics and surfaces work as they do
    there. Posteriors are exact; averages over data are Monte Carlo over draws that are fixed once and used at every
    log-SNR, so that all answers are smooth and their differences precise. What Gaussians allow in closed form is taken
    in closed form: a mixture of one component is a `GaussianModel`, with standard error zero.

    Information, mmse, metric and the cost of a step are averages of four quantities with little spread of their own:
    the entropy of the responsibilities, the posterior variance, the squared posterior covariance, and its integral over
    the step. Errors are positive, metrics positive semi-definite and costs not negative for every set of draws, while
    identities between them hold within standard errors, not to the last digit. `optimal_path` takes gradients from mmse
    and metric and costs from `step_kl`, so that it stops with a `kkt_residual` of the order of their disagreement;
    it proves no lower bound, because the proof needs Gaussian data. `MeasuredModel(error_surface(model))` is a model
    without such noise, as far as its fit goes.

    Where SNR is so high that clusters hardly overlap, rare draws decide what little they add to the closed form, and
    standard errors of it come out too small.

    Where variance times SNR exceeds some 1e12, matrices may have no digits left and points are refused; points without
    variances of their own are not.

    A point of a surface takes about `draws * J * D^2` multiplications with a shared covariance, for J components and D
    coefficients in all scales together, and several times more if components have their own. Memory is bounded
    whatever the number of draws and points.

    Args:
        law: the mixture.
        representation: the scales, e.g. `AveragePyramid()`, or `LinearScales` for operators of your own.
        draws: number of draws, even, at least two per component.
        seed: of the draws; the same seed gives the same draws.

    Raises:
        TypeError: if the arguments are swapped or of the wrong kind.
        ValueError: if the representation does not fit the shape of the law, or draws are too few.

    Examples:
        >>> import lift_theory as lt
        >>> law = lt.GaussianMixture([0.5, 0.5], [[-1.0, -0.3], [1.0, 0.3]], 0.01)
        >>> model = lt.MixtureModel(law, lt.LinearScales({"fine": np.eye(2), "coarse": [[0.5, 0.5]]}), draws=400)
        >>> model.scales, model.sizes
        (('fine', 'coarse'), (2, 1))
        >>> mmse, error = model.mmse([0.0, 0.0]), model.standard_errors([0.0, 0.0]).mmse
        >>> bool(error[0] < 0.1 * mmse[0])
        True
    """

    def __init__(
        self, law: GaussianMixture, representation: Representation, draws: int = 4096, seed: int = 0
    ) -> None:
        if not isinstance(law, GaussianMixture):
            raise TypeError(
                f"the first argument must be a GaussianMixture; got {type(law).__name__}. "
                "Make one with GaussianMixture(weights, means, covariances)."
            )
        if isinstance(representation, type) or not hasattr(representation, "matrices"):
            raise TypeError(
                "the second argument must be a representation such as AveragePyramid(); "
                f"got {representation!r}. Wrap your own operators in LinearScales."
            )
        draws = whole_number(draws, name="draws", least=2)
        seed = whole_number(seed, name="seed", least=0)
        if draws % 2 or draws < 2 * law.components:
            raise ValueError(
                f"draws must be even and at least two per component, {2 * law.components}; got {draws}."
            )
        matrices = representation.matrices(_shape_of(law))  # type: ignore[arg-type]
        self.law = law
        self.representation = representation
        self.draws = draws
        self.seed = seed
        self.scales = tuple(representation.scales)
        self.sizes = tuple(len(matrix) for matrix in matrices.values())
        self._frames, operators = zip(*(_full_rank(matrix) for matrix in matrices.values()), strict=True)
        self._channels = MixtureChannels.of(law, list(operators), draws, seed)

    @classmethod
    def fit(
        cls,
        images: Any,
        components: int,
        representation: Representation,
        form: str = "tied",
        draws: int = 4096,
        seed: int = 0,
    ) -> MixtureModel:
        """The model of the mixture that `GaussianMixture.fit` finds for small images or patches.

        Args:
            images: (n, d), (n, H, W) or (n, H, W, C), pixels in [-1, 1].
            components: number of components.
            representation: the scales.
            form: "tied" (one covariance for all), "full", "diag" or "spherical".
            draws: number of draws.
            seed: of the fit and of the draws.

        Examples:
            >>> import lift_theory as lt
            >>> images = lt.Spectrum.power_law((4, 4)).sample(300)
            >>> MixtureModel.fit(images, 2, lt.AveragePyramid(), draws=64)
            MixtureModel(2 components of size 16, scales ('fine', 'coarse'), 64 draws)
        """
        return cls(GaussianMixture.fit(images, components, form, seed), representation, draws, seed)

    def mutual_information(self, logsnr: LogSNR) -> Float[Array, "..."]:
        """Mutual information between data and noisy scales in nats."""
        return self._evaluated("mutual_information", logsnr)[0]

    def mmse(self, logsnr: LogSNR) -> Float[Array, "... scales"]:
        """Squared error of the posterior mean, summed over the coefficients of each scale (not a mean)."""
        return self._evaluated("mmse", logsnr)[0]

    def metric(self, logsnr: LogSNR) -> Float[Array, "... scales scales"]:
        """Information metric in log-SNR coordinates, `g_k g_l E||Phi_kl||_F^2 / 2`, positive semi-definite."""
        return self._evaluated("metric", logsnr)[0]

    def step_kl(self, start: LogSNR, stop: LogSNR) -> Float[Array, "..."]:
        """Discretization error of one ancestral step in nats, not negative, accurate also for tiny steps.

        Args:
            start: log-SNRs before the step, (..., K).
            stop: log-SNRs after the step, broadcast against `start`.
        """
        return self._steps(start, stop)[0]

    def coupling(self, logsnr: LogSNR) -> Float[Array, "... scales scales"]:
        """Posterior coupling of the scales, `E||Phi_kl||^2 / sqrt(E||Phi_kk||^2 E||Phi_ll||^2)`, between 0 and 1."""
        return self._evaluated("coupling", logsnr)

    def jacobian_norms(self, logsnr: LogSNR, prediction: str = "x0") -> Float[Array, "... scales scales"]:
        """Mean squared Frobenius norms `E||d prediction_k / d x_l||^2` of the optimal denoiser.

        Inputs are variance preserving, `x_l = alpha_l y_l + sigma_l e_l`; row k is the predicted scale, column l the
        input scale. Those of noise and velocity on the diagonal are differences, which lose digits where the
        posterior variance comes within rounding of the noise's.

        Args:
            logsnr: (..., K).
            prediction: "x0" (clean data), "eps" (noise) or "v" (`alpha eps - sigma x0`).
        """
        one_of(prediction, PREDICTIONS, name="prediction")
        points = logsnr_array(logsnr, scales=self.scales)
        g = jnp.exp(points)
        gram = 2.0 * self.metric(points)  # in units of 1 / (g_k g_l)
        column = 1.0 + g[..., None, :]
        if prediction == "x0":
            return gram * column / g[..., :, None]
        relative = g * self.mmse(points)
        own = jnp.diagonal(gram, axis1=-2, axis2=-1)
        sizes = jnp.asarray(self.sizes, dtype=float)
        if prediction == "eps":
            across = gram * column
            diagonal = (1.0 + g) * (sizes - 2.0 * relative + own)
        else:
            ratio = (1.0 + g) / g
            across = gram * column * ratio[..., :, None]
            diagonal = g * (sizes - 2.0 * ratio * relative + ratio**2 * own)
        same = jnp.eye(len(self.scales), dtype=bool)
        return jnp.where(same, jnp.maximum(diagonal, 0.0)[..., None], across)

    def standard_errors(self, logsnr: LogSNR) -> StandardErrors:
        """Standard errors of mutual information, mmse and metric."""
        found = self._evaluated("surface", logsnr)
        return StandardErrors(**{name: error for name, (_, error) in found.items()})

    def step_kl_standard_error(self, start: LogSNR, stop: LogSNR) -> Float[Array, "..."]:
        """Standard error of `step_kl`, nats."""
        return self._steps(start, stop)[1]

    def path_kl_standard_error(self, path: Path, other: Path | None = None) -> float:
        """Standard error of the cost of a path, or of how much it costs more than another, in nats.

        Both costs use the same draws, so that their difference is known better than either.

        Args:
            path: the path.
            other: the path to compare with; none for the cost itself.
        """
        total: Any = 0.0
        for sign, each in ((1.0, path), (-1.0, other)):
            if each is not None:
                points = checked_path(each, self).logsnr
                points = np.concatenate([points, np.repeat(points[-1:], -(len(points) - 1) % BLOCK, axis=0)])
                for i in range(0, len(points) - 1, BLOCK):
                    block = points[i : i + BLOCK + 1]
                    total = total + sign * _path_draws(self._channels, block[:-1], block[1:])
        return float(self._channels.standard_error(total))

    def surface(self, logsnr: LogSNR) -> dict[str, np.ndarray]:
        """`mutual_information`, `mmse` and `metric` with their standard errors, in one pass over the draws.

        Returns:
            The three arrays, and three named `*_standard_error`.
        """
        from lift_theory.optimize.traceable import in_chunks

        points = np.asarray(logsnr_array(logsnr, scales=self.scales))
        flat = points.reshape(-1, points.shape[-1])
        if len(flat) == 0:
            flat = np.zeros((1, points.shape[-1]))
        columns = resolved(in_chunks(_surface_rows, self, flat, size=min(BLOCK, len(flat))))
        names = [f"{name}{suffix}" for name in _SURFACE for suffix in ("", "_standard_error")]
        return {
            name: column[: points[..., 0].size].reshape(*points.shape[:-1], *column.shape[1:])
            for name, column in zip(names, columns, strict=True)
        }

    def posterior(self, noisy: Mapping[str, Any], logsnr: Any) -> MixturePosterior:
        """Exact posterior of the data given noisy scales, one observation per row.

        Args:
            noisy: for every scale the observations `z_k = A_k x + g_k^(-1/2) e_k`, (n, d_k).
            logsnr: (K,), at which they were made.

        Raises:
            TypeError: if `noisy` is no dict of the scales.
            ValueError: if a shape does not fit.

        Examples:
            >>> import lift_theory as lt
            >>> law = lt.GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], 0.0)
            >>> model = lt.MixtureModel(law, lt.SingleScale(), draws=4)
            >>> found = model.posterior({"fine": [[0.5]]}, [0.0])
            >>> bool(np.isclose(found.mean[0, 0], np.tanh(0.5)))
            True
        """
        point = logsnr_array(logsnr, scales=self.scales)
        if point.ndim != 1:
            raise ValueError(f"logsnr must be one point with {len(self.scales)} values; got {point.shape}.")
        if not isinstance(noisy, Mapping) or set(noisy) != set(self.scales):
            raise TypeError(
                f"noisy must be a dict with the observations of each of the scales {self.scales}."
            )
        rows = [real_array(noisy[name], name=f"noisy[{name!r}]") for name in self.scales]
        for name, row, size in zip(self.scales, rows, self.sizes, strict=True):
            if row.ndim != 2 or row.shape != (len(rows[0]), size):
                raise ValueError(
                    f"noisy[{name!r}] must have shape (n, {size}), n alike for all scales; got {row.shape}."
                )
        g = np.exp(np.asarray(point))
        scaled = [np.sqrt(gk) * row @ frame for gk, row, frame in zip(g, rows, self._frames, strict=True)]
        shift = np.asarray(self._channels._front(jnp.asarray(g))) @ self.law.mean
        found = self._channels.posterior(jnp.asarray(g), jnp.asarray(np.concatenate(scaled, axis=1) - shift))
        weights, means, covariances = (np.asarray(part) for part in resolved(found))
        mean = np.einsum("nj,njd->nd", weights, means)
        centred = means - mean[:, None]
        own = np.broadcast_to(covariances, (weights.shape[1], *covariances.shape[1:]))
        within = np.einsum("nj,jde->nde", weights, own)
        between = np.einsum("nj,njd,nje->nde", weights, centred, centred)
        return MixturePosterior(
            responsibilities=weights, mean=mean + self.law.mean, covariance=within + between
        )

    def _evaluated(self, quantity: str, logsnr: LogSNR) -> Any:
        return resolved(_in_blocks(quantity, self._channels, logsnr_array(logsnr, scales=self.scales)))

    def _steps(self, start: LogSNR, stop: LogSNR) -> Any:
        begin = logsnr_array(start, scales=self.scales, name="start")
        end = logsnr_array(stop, scales=self.scales, name="stop")
        pairs = _pairs(begin, end)
        return resolved(_in_blocks("step", self._channels, pairs[..., 0, :], pairs[..., 1, :]))

    def tree_flatten(self) -> tuple[tuple[MixtureChannels], tuple[Any, ...]]:
        """Mixture and draws as a JAX tree."""
        return (self._channels,), (self.scales, self.sizes)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], children: Sequence[Any]) -> MixtureModel:
        """A model for use inside compiled functions: with the draws but without the law they come from."""
        model = object.__new__(cls)
        model.scales, model.sizes = static
        model._channels = children[0]
        return model

    def __repr__(self) -> str:
        count, size = self._channels.means.shape
        pairs = np.count_nonzero(self._channels.share)
        return f"MixtureModel({count} components of size {size}, scales {self.scales}, {2 * pairs} draws)"


_SURFACE = ("mutual_information", "mmse", "metric")


def _full_rank(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal columns U and a matrix H of full row rank with `matrix = U H`."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    rank = int(np.sum(values > 1e-12 * values[0]))
    if rank == len(matrix):
        return np.eye(rank), matrix
    return left[:, :rank], values[:rank, None] * right[:rank]


def _summed(channels: MixtureChannels, parts: Any) -> tuple[Array, Array]:
    base, per_draw = parts
    return base + channels.mean(per_draw), channels.standard_error(per_draw)


def _information(channels: MixtureChannels, point: Any) -> Any:
    return _summed(channels, channels.information(jnp.exp(point)))


def _mmse(channels: MixtureChannels, point: Any) -> Any:
    return _summed(channels, channels.mmse(jnp.exp(point)))


def _metric(channels: MixtureChannels, point: Any) -> Any:
    g = jnp.exp(point)
    return tuple(0.5 * (g[:, None] * part * g) for part in _summed(channels, channels.gram(g)))


def _coupling(channels: MixtureChannels, point: Any) -> Any:
    return _normalized(_summed(channels, channels.gram(jnp.exp(point)))[0])


def _surface(channels: MixtureChannels, point: Any) -> Any:
    g = jnp.exp(point)
    found = channels.surface(g)
    gram = _summed(channels, found["gram"])
    return {
        "mutual_information": _summed(channels, found["information"]),
        "mmse": _summed(channels, found["mmse"]),
        "metric": tuple(0.5 * (g[:, None] * part * g) for part in gram),
    }


def _step(channels: MixtureChannels, start: Any, stop: Any) -> Any:
    g = jnp.exp(start)
    return _summed(channels, channels.step(g, g * jnp.expm1(stop - start)))


_QUANTITIES: dict[str, Callable[..., Any]] = {
    "mutual_information": _information,
    "mmse": _mmse,
    "metric": _metric,
    "coupling": _coupling,
    "surface": _surface,
    "step": _step,
}


def _in_blocks(quantity: str, channels: MixtureChannels, *points: Float[Array, "... scales"]) -> Any:
    """The same as `_evaluate`, in blocks of one size, so that no other number of points is ever compiled."""
    leading = points[0].shape[:-1]
    count = int(np.prod(leading))
    if count <= 1 or any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((channels, points))):
        return _evaluate(quantity, channels, *points)
    flat = [np.asarray(part).reshape(count, -1) for part in points]
    flat = [np.concatenate([part, np.repeat(part[-1:], -count % BLOCK, axis=0)]) for part in flat]
    blocks = [
        _evaluate(quantity, channels, *(part[i : i + BLOCK] for part in flat))
        for i in range(0, len(flat[0]), BLOCK)
    ]
    return jax.tree.map(
        lambda *parts: jnp.concatenate(parts)[:count].reshape(*leading, *parts[0].shape[1:]), *blocks
    )


@partial(jit, static_argnames=("quantity",))
def _evaluate(quantity: str, channels: MixtureChannels, *points: Float[Array, "... scales"]) -> Any:
    """One quantity and its standard error at many points, one after the other."""
    leading = points[0].shape[:-1]
    function = partial(_QUANTITIES[quantity], channels)
    if leading == ():
        return function(*points)
    flat = tuple(part.reshape(-1, part.shape[-1]) for part in points)
    if len(flat[0]) == 0:
        single = jax.eval_shape(function, *(jnp.zeros(part.shape[-1]) for part in points))
        return jax.tree.map(lambda part: jnp.zeros((*leading, *part.shape)), single)
    found = jax.lax.map(lambda point: function(*point), flat)
    return jax.tree.map(lambda part: part.reshape(*leading, *part.shape[1:]), found)


@jit
def _surface_rows(model: Any, points: Float[Array, "points scales"]) -> tuple[Array, ...]:
    found = _evaluate("surface", model._channels, points)
    return tuple(part for name in _SURFACE for part in found[name])


@jit
def _path_draws(channels: MixtureChannels, starts: Array, stops: Array) -> Array:
    """What each draw adds to the cost of a piece of a path."""

    def add(total: Any, ends: Any) -> tuple[Any, None]:
        g = jnp.exp(ends[0])
        return total + channels.step(g, g * jnp.expm1(ends[1] - ends[0]))[1], None

    return jax.lax.scan(add, jnp.zeros(channels.share.shape), (starts, stops))[0]
