"""Error surfaces of Gaussian data in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift_theory._validation import logsnr_array, one_of
from lift_theory.channels import DenseBlocks, ModeChannels
from lift_theory.compilation import jit
from lift_theory.laws import Covariance, Spectrum
from lift_theory.representations import Channels, Representation, _shape_of

PREDICTIONS = ("x0", "eps", "v")
LogSNR = Float[Array, "... scales"] | Float[np.ndarray, "... scales"] | Sequence[Any]
"""Log-SNRs in nats with one value per scale, finest first, on the last axis."""
_WORK = 1 << 14
"""Modes times points handled at once: what stays in the cache is up to five times faster than large batches."""


class Model(Protocol):
    """What paths and surfaces need from a model: names, sizes, and four functions of log-SNRs in nats."""

    @property
    def scales(self) -> tuple[str, ...]:
        """Names, finest first."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of coefficients of each scale."""

    def mutual_information(self, logsnr: Any) -> Float[Array, "..."]:
        """Nats."""

    def mmse(self, logsnr: Any) -> Float[Array, "... scales"]:
        """Squared error summed over the coefficients of each scale."""

    def metric(self, logsnr: Any) -> Float[Array, "... scales scales"]:
        """Information metric in log-SNR coordinates."""

    def step_kl(self, start: Any, stop: Any) -> Float[Array, "..."]:
        """Discretization error of one step, nats."""


class _ClosedForm:
    """The public methods of a model, answered by closed-form channels."""

    @property
    def scales(self) -> tuple[str, ...]:
        """Names of the scales, finest first."""
        raise AttributeError("scales")

    @property
    def _channels(self) -> Any:
        raise AttributeError("_channels")

    def mutual_information(self, logsnr: LogSNR) -> Float[Array, "..."]:
        """Mutual information between image and noisy scales in nats, `(1/2) logdet(1 + S^(1/2) Lam S^(1/2))`.

        Examples:
            >>> import numpy as np
            >>> from lift_theory import SingleScale, Spectrum
            >>> model = GaussianModel(Spectrum(np.ones((2, 2))), SingleScale())
            >>> bool(np.isclose(model.mutual_information([0.0]), 2 * np.log(2)))
            True
        """
        return self._evaluate("information", logsnr)

    def mmse(self, logsnr: LogSNR) -> Float[Array, "... scales"]:
        """Squared error of the posterior mean, summed over the coefficients of each scale (not a mean)."""
        return self._evaluate("mmse", logsnr)

    def metric(self, logsnr: LogSNR) -> Float[Array, "... scales scales"]:
        """Information metric in log-SNR coordinates, `g_k g_l ||Phi_kl||_F^2 / 2` (Payaro & Palomar 2009).

        It is minus the Hessian of the mutual information with respect to the SNRs, times `g_k g_l`; a small step
        costs `(1/2) dlam^T metric dlam` nats.
        """
        return self._evaluate("metric", logsnr)

    def step_kl(self, start: LogSNR, stop: LogSNR) -> Float[Array, "..."]:
        """Discretization error of one ancestral step in nats, accurate also for tiny steps.

        The Bregman divergence `(1/2) sum_k (g'_k - g_k) mmse_k(g) - [I(g') - I(g)]` of minus the mutual information.

        Args:
            start: log-SNRs before the step, (..., K).
            stop: log-SNRs after the step, broadcast against `start`.
        """
        begin = logsnr_array(start, scales=self.scales, name="start")
        end = logsnr_array(stop, scales=self.scales, name="stop")
        return resolved(_evaluate("step", self._channels, self._chunk, _pairs(begin, end)))

    def coupling(self, logsnr: LogSNR) -> Float[Array, "... scales scales"]:
        """Posterior coupling of the scales, `||Phi_kl||^2 / sqrt(||Phi_kk||^2 ||Phi_ll||^2)`, between 0 and 1.

        It does not depend on the parametrisation of the network, unlike the Jacobian norms. A scale without any
        variance has coupling zero to the others and one to itself.
        """
        return self._evaluate("coupling", logsnr)

    def jacobian_norms(self, logsnr: LogSNR, prediction: str = "x0") -> Float[Array, "... scales scales"]:
        """Squared Frobenius norms `||d prediction_k / d x_l||^2` of the optimal denoiser.

        Inputs are variance preserving, `x_l = alpha_l y_l + sigma_l e_l` with `alpha_l^2 + sigma_l^2 = 1`. Row k is
        the predicted scale, column l the input scale.

        Args:
            logsnr: (..., K).
            prediction: "x0" (clean data), "eps" (noise) or "v" (`alpha eps - sigma x0`).
        """
        return self._evaluate(f"jacobian_{one_of(prediction, PREDICTIONS, name='prediction')}", logsnr)

    def surface(self, logsnr: LogSNR) -> dict[str, Array]:
        """`mutual_information`, `mmse` and `metric` in one pass, sharing what they have in common.

        Examples:
            >>> from lift_theory import SingleScale, Spectrum
            >>> model = GaussianModel(Spectrum.power_law((8, 8)), SingleScale())
            >>> {name: value.shape for name, value in model.surface(np.zeros((5, 1))).items()}
            {'metric': (5, 1, 1), 'mmse': (5, 1), 'mutual_information': (5,)}
        """
        array = logsnr_array(logsnr, scales=self.scales)
        return resolved(_evaluate("surface", self._channels, self._chunk, array[..., None, :]))

    @property
    def _chunk(self) -> int:
        """Points evaluated at once: one where matrices are factorized, see `lift_theory.channels._one_by_one`."""
        if isinstance(getattr(self._channels, "inner", self._channels), DenseBlocks):
            return 1
        return max(1, _WORK // max(1, _work_per_point(self._channels)))

    def _evaluate(self, quantity: str, logsnr: Any) -> Array:
        array = logsnr_array(logsnr, scales=self.scales)
        return resolved(_evaluate(quantity, self._channels, self._chunk, array[..., None, :]))


@dataclass(frozen=True, eq=False)
class GaussianModel(_ClosedForm):
    """The exact error surfaces of a Gaussian law seen through the scales of a representation.

    Scale k is seen as `z_k = A_k x + g_k^(-1/2) e_k` with white noise of its own; `g_k` is the SNR (power) and
    `log g_k` the log-SNR in nats. Every method takes log-SNRs `(..., K)`, finest scale first, NumPy or JAX, broadcasts
    over leading axes, returns float64, and works under `jax.jit`, `jax.vmap` and `jax.grad`. Log-SNRs must be finite
    and within +-200 nats. Representations without a closed form for the law factorize matrices and refuse points where
    these lose all digits: where one scale, but not all, reaches a variance times SNR of some 1e12.

    Attributes:
        law: `Spectrum` or `Covariance`.
        representation: the scales, e.g. `AveragePyramid()`.

    Raises:
        TypeError: if the arguments are swapped or of the wrong kind.
        ValueError: if the representation does not fit the shape of the law.

    Examples:
        >>> from lift_theory import AveragePyramid, Spectrum
        >>> model = GaussianModel(Spectrum.power_law((16, 16)), AveragePyramid())
        >>> model.scales, model.sizes
        (('fine', 'coarse'), (256, 64))
        >>> [round(float(v), 3) for v in model.mmse([-1.0, 2.0])]
        [26.157, 3.028]
    """

    law: Spectrum | Covariance
    representation: Representation

    def __post_init__(self) -> None:
        if not isinstance(self.law, Spectrum | Covariance):
            raise TypeError(
                f"the first argument must be a Spectrum or a Covariance; got {type(self.law).__name__}. "
                "Wrap an array of DCT variances in Spectrum(...)."
            )
        if isinstance(self.representation, type) or not hasattr(self.representation, "channels"):
            raise TypeError(
                "the second argument must be a representation such as AveragePyramid(); "
                f"got {self.representation!r}."
            )
        _ = self._channels

    @cached_property
    def _channels(self) -> Channels:
        return self.representation.channels(self.law)

    @property
    def scales(self) -> tuple[str, ...]:
        """Names of the scales, finest first."""
        return self.representation.scales

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of coefficients of each scale."""
        return self.representation.sizes(_shape_of(self.law))

    def log_precision_ratios(self, start: LogSNR, stop: LogSNR) -> np.ndarray:
        """Log of the eigenvalues of the posterior precision at `stop` relative to that at `start`, ascending.

        Their absolute values measure how far the two are apart (affine-invariant distance of matrices).

        Args:
            start: log-SNRs, (K,).
            stop: log-SNRs, (K,), not below `start` in any scale.

        Returns:
            One value per pixel value, and zeros for members that only pad blocks.
        """
        begin, end = (
            logsnr_array(point, scales=self.scales, name=name)
            for point, name in ((start, "start"), (stop, "stop"))
        )
        if begin.ndim != 1 or end.ndim != 1 or bool((end < begin).any()):
            raise ValueError(
                f"start and stop must be single points with start <= stop; got {start} and {stop}."
            )
        g, dg = jnp.exp(begin), jnp.exp(begin) * jnp.expm1(end - begin)
        if isinstance(self._channels, ModeChannels):
            ratios = [dg[k] * c / (1.0 + g[k] * c) for k, c in enumerate(self._channels.variances)]
            return np.sort(np.log1p(np.concatenate(ratios)))
        blocks = self.representation.blocks(self.law)
        ratios = resolved(blocks.relative(g, blocks.precision(dg)))
        return np.sort(np.log1p(np.maximum(ratios, 0.0)), axis=None)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _OwnChannelOnly:
    """Channels in which nothing is learned about one scale from another."""

    inner: Any

    def _each(self, function: Any, *points: Any) -> Any:
        """`function(k, *points of scale k alone)` for every scale k, one after the other."""

        def of_scale(k: Any) -> Any:
            return function(k, *(jnp.where(jnp.arange(len(p)) == k, p, 0.0) for p in points))

        return jax.lax.map(of_scale, jnp.arange(len(points[0])))

    def information(self, g: Any) -> Any:
        return jnp.sum(self._each(lambda _, own: self.inner.information(own), g))

    def mmse(self, g: Any) -> Any:
        return self._each(lambda k, own: self.inner.mmse(own)[k], g)

    def gram(self, g: Any) -> Any:
        return jnp.diag(self._each(lambda k, own: self.inner.gram(own)[k, k], g))

    def step(self, g: Any, dg: Any) -> Any:
        return jnp.sum(self._each(lambda _, own, change: self.inner.step(own, change), g, dg))

    def complement(self, g: Any) -> Any:
        return self._each(lambda k, own: tuple(part[k] for part in self.inner.complement(own)), g)


@dataclass(frozen=True, eq=False)
class DecoupledModel(_ClosedForm):
    """A model whose scales are each denoised from their own noisy channel only; made by `decoupled`.

    Its mutual information is the sum of what each channel tells about its own scale.

    Attributes:
        joint: the model whose scales are taken apart.
    """

    joint: GaussianModel

    def __post_init__(self) -> None:
        if not isinstance(self.joint, GaussianModel):
            raise TypeError(f"joint must be a GaussianModel; got {type(self.joint).__name__}.")

    @property
    def scales(self) -> tuple[str, ...]:
        """Names of the scales, finest first."""
        return self.joint.scales

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of coefficients of each scale."""
        return self.joint.sizes

    @cached_property
    def _channels(self) -> _OwnChannelOnly:
        return _OwnChannelOnly(self.joint._channels)


def decoupled(model: GaussianModel) -> DecoupledModel:
    """The same model with every scale denoised from its own channel only.

    It is what a network that ignores the other scales can reach at best, with `mmse_k(0, .., g_k, .., 0)`.

    Raises:
        TypeError: if `model` is not a `GaussianModel`.

    Examples:
        >>> from lift_theory import AveragePyramid, Spectrum
        >>> model = GaussianModel(Spectrum.power_law((8, 8)), AveragePyramid())
        >>> bool((decoupled(model).mmse([0.0, 0.0]) >= model.mmse([0.0, 0.0])).all())
        True
    """
    if not isinstance(model, GaussianModel):
        raise TypeError(f"decoupled needs a GaussianModel; got {type(model).__name__}.")
    return DecoupledModel(model)


def _information(channels: Channels, point: Any) -> Any:
    return channels.information(jnp.exp(point[0]))


def _mmse(channels: Channels, point: Any) -> Any:
    return channels.mmse(jnp.exp(point[0]))


def _metric(channels: Channels, point: Any) -> Any:
    g = jnp.exp(point[0])
    return 0.5 * (g[:, None] * channels.gram(g) * g[None, :])


def _step(channels: Channels, point: Any) -> Any:
    g = jnp.exp(point[0])
    return channels.step(g, g * jnp.expm1(point[1] - point[0]))


def _coupling(channels: Channels, point: Any) -> Any:
    return _normalized(channels.gram(jnp.exp(point[0])))


def _normalized(gram: Float[Array, "scales scales"]) -> Float[Array, "scales scales"]:
    """Coupling from the squared sizes themselves: times SNRs, as in the metric, they leave the range of float64."""
    own = jnp.diagonal(gram)
    size = jnp.sqrt(jnp.where(own > 0, own, 1.0))
    return jnp.where(jnp.eye(len(gram), dtype=bool), 1.0, gram / size[:, None] / size)


def _jacobian_x0(channels: Channels, point: Any) -> Any:
    g = jnp.exp(point[0])
    return channels.gram(g) * (g * (1.0 + g))


def _jacobian_eps(channels: Channels, point: Any) -> Any:
    g = jnp.exp(point[0])
    across = channels.gram(g) * g[:, None] * (g * (1.0 + g))
    own, _ = channels.complement(g)
    return jnp.where(jnp.eye(len(g), dtype=bool), jnp.diag(own * (1.0 + g)), across)


def _jacobian_v(channels: Channels, point: Any) -> Any:
    g = jnp.exp(point[0])
    gram = channels.gram(g)
    across = gram * (1.0 + g[:, None]) * (g * (1.0 + g))
    squares, traces = channels.complement(g)
    own = g * jnp.maximum(squares - 2.0 * traces + jnp.diagonal(gram), 0.0)
    return jnp.where(jnp.eye(len(g), dtype=bool), jnp.diag(own), across)


def _surface(channels: Channels, point: Any) -> Any:
    parts: dict[str, Any] = {"mutual_information": _information(channels, point)}
    for name, function in (("mmse", _mmse), ("metric", _metric)):
        parts[name] = function(channels, point)
    return parts


_QUANTITIES = {
    "surface": _surface,
    "information": _information,
    "mmse": _mmse,
    "metric": _metric,
    "step": _step,
    "coupling": _coupling,
    "jacobian_x0": _jacobian_x0,
    "jacobian_eps": _jacobian_eps,
    "jacobian_v": _jacobian_v,
}


def resolved(found: Any) -> Any:
    """`found`, with a refusal of what factorizations could not resolve; what is being traced passes.

    Raises:
        ValueError: if a number is NaN.
    """
    for leaf in jax.tree.leaves(found):
        if not isinstance(leaf, jax.core.Tracer) and np.isnan(leaf).any():
            raise ValueError(
                "log-SNRs must be so close together, or variances so small, that a matrix of one plus variance times "
                f"SNR keeps some digits; {int(np.isnan(leaf).sum())} of {np.size(leaf)} values have none left. Keep "
                "variance times SNR below 1e12, or give a Spectrum to a representation with a closed form."
            )
    return found


def _pairs(
    start: Float[Array, "... scales"], stop: Float[Array, "... scales"]
) -> Float[Array, "... 2 scales"]:
    """Start and stop of steps, broadcast against each other."""
    try:
        start, stop = jnp.broadcast_arrays(start, stop)
    except ValueError:
        raise ValueError(
            f"start and stop must have shapes that broadcast; got {start.shape} and {stop.shape}. "
            "Give both the same leading axes, or one of them none."
        ) from None
    return jnp.stack([start, stop], axis=-2)


@partial(jit, static_argnames=("quantity", "chunk"))
def _evaluate(
    quantity: str, channels: Channels, chunk: int, points: Float[Array, "... points scales"]
) -> Any:
    """One quantity at many points, in chunks so that memory stays bounded."""
    function = partial(_QUANTITIES[quantity], channels)
    leading = points.shape[:-2]
    flat = points.reshape(-1, *points.shape[-2:])
    if len(flat) == 0:
        single = jax.eval_shape(function, jnp.zeros(points.shape[-2:]))
        return jax.tree.map(lambda part: jnp.zeros((*leading, *part.shape)), single)
    result = jax.vmap(function)(flat) if len(flat) <= chunk else jax.lax.map(function, flat, batch_size=chunk)
    return jax.tree.map(lambda part: part.reshape(*leading, *part.shape[1:]), result)


def _work_per_point(channels: Channels) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(channels))
