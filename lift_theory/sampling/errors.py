"""Exact errors of samplers on Gaussian data: the law of what they return against the true law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from lift_theory._validation import one_of
from lift_theory.gaussian import GaussianModel
from lift_theory.paths import Path, checked_path, path_kl
from lift_theory.sampling.blocks import Blocks
from lift_theory.sampling.distances import divergence, squared_wasserstein, triangular
from lift_theory.sampling.samplers import DDIM, Sampler
from lift_theory.sampling.state import State, state_of

INITS = ("exact", "standard")
TARGETS = ("marginal", "data")
OUTPUTS = ("scales", "image")


@dataclass(frozen=True)
class Setting:
    """What is compared with what.

    Attributes:
        sampler: the sampler.
        init: "exact" for the true law at the first point, "standard" for pure noise N(0, sigma^2).
        target: "marginal" for the true law at the last noise level, "data" for that of the clean coefficients.
        output: "scales" for all scales together, "image" for the image read from them.

    Raises:
        TypeError: if the sampler is not one.
        ValueError: for another word.
    """

    sampler: Sampler
    init: str = "exact"
    target: str = "marginal"
    output: str = "scales"

    def __post_init__(self) -> None:
        if isinstance(self.sampler, type) or not hasattr(self.sampler, "step"):
            raise TypeError(
                f"sampler must be a sampler object such as DDIM(); got {self.sampler!r}. "
                "Call the class to make one; those in time take a VPLinear()."
            )
        one_of(self.init, INITS, name="init")
        one_of(self.target, TARGETS, name="target")
        one_of(self.output, OUTPUTS, name="output")


class Shares(NamedTuple):
    """Contributions of the rows of one group of blocks."""

    w2_squared: Float[Array, "rows blocks"]
    kl: Float[Array, "rows blocks"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SamplingError:
    """Distances between what a sampler returns and the true law.

    Attributes:
        w2: 2-Wasserstein distance (not squared), in pixel units; squared it is the Frechet distance in pixel space.
        kl: KL(true || sampled) in nats; infinite where the true law has no density with respect to the sampled one.
        setting: sampler, initial law, target and output.
    """

    w2: float
    kl: float
    setting: Setting
    _model: GaussianModel
    _path: Path
    _shares: tuple[Shares, ...]

    def __repr__(self) -> str:
        return f"SamplingError(w2={self.w2:.6g}, kl={self.kl:.6g}, path_kl={self.path_kl:.6g})"

    @cached_property
    def path_kl(self) -> float:
        """Cost of the path in nats, which bounds `kl` of `Ancestral` from the exact law; infinite to clean data."""
        if np.isinf(self._path.logsnr[-1]).any():
            return float("inf")
        return path_kl(self._model, self._path)

    @cached_property
    def per_mode(self) -> xr.Dataset:
        """`w2_squared` and `kl` on the DCT grid of the image; they sum to the totals.

        A coefficient made of several DCT modes shares its part among them in proportion to its squared loadings. With
        a covariance in place of a spectrum and one scale, modes are its eigenvectors in order of their variance.
        """
        state = state_of(self._model)
        count = int(np.prod(state.shape[1:]))
        grids = {name: np.zeros((state.shape[0], count)) for name in Shares._fields}
        for place, shares in zip(state.places, self._shares, strict=True):
            for name, grid in grids.items():
                value = np.asarray(getattr(shares, name))
                if self.setting.output == "scales":
                    finite = np.isfinite(value)
                    spread = np.einsum("mrb,rb->mb", place.share, np.where(finite, value, 0.0))
                    spread = np.where(np.einsum("mrb,rb->mb", place.share, ~finite) > 0, np.inf, spread)
                else:
                    spread = value
                if len(place.modes) == len(spread):
                    np.add.at(grid.reshape(-1), place.channel * count + place.modes, spread)
        dims = ("channel", "vertical", "horizontal") if len(state.shape) == 3 else ("channel", "mode")
        arrays = {name: (dims, grid.reshape(state.shape)) for name, grid in grids.items()}
        return xr.Dataset(
            arrays,
            attrs={"kl_units": "nats", "w2_units": "squared pixel units", "output": self.setting.output},
        )

    @cached_property
    def per_band(self) -> xr.Dataset:
        """`w2_squared` and `kl` per octave of spatial frequency: band b holds modes with `2^(b-1) <= |k| < 2^b`."""
        modes = self.per_mode
        if "vertical" not in modes.dims:
            raise ValueError("octaves need an image: the law of this model has no image shape.")
        frequency = np.hypot(*np.ogrid[: modes.sizes["vertical"], : modes.sizes["horizontal"]])
        octave = np.where(frequency < 1, 0, np.floor(np.log2(np.maximum(frequency, 1.0))) + 1).astype(int)
        labels = xr.DataArray(octave, dims=("vertical", "horizontal"), name="octave")
        return modes.sum("channel").groupby(labels).sum()

    @cached_property
    def per_scale(self) -> xr.Dataset:
        """`w2` and `kl` of each scale's own law, whatever the others do."""
        values = _per_scale(self._model, self._path, self.setting)
        return xr.Dataset(
            {"w2": ("scale", np.sqrt(values[:, 0])), "kl": ("scale", values[:, 1])},
            coords={"scale": list(self._model.scales)},
        )


def sampling_error(
    model: GaussianModel,
    path: Path,
    sampler: Sampler | None = None,
    init: str = "exact",
    target: str = "marginal",
    output: str = "scales",
) -> SamplingError:
    """The exact error of a sampler with the optimal denoiser on Gaussian data.

    A linear sampler takes Gaussian laws to Gaussian laws; the law it ends with is compared with the true one. Blocks
    of coupled coefficients are carried exactly, and distances are sums of non-negative terms without cancellation.

    Args:
        model: Gaussian data and its scales.
        path: noise levels. A last point at +inf is clean data, sigma = 0.
        sampler: `DDIM()` if not given; also `Ancestral()`, `Heun()`, `DPMSolverPP2M()`, and in the time of a
            variance-preserving diffusion `EulerMaruyama(vp)`, `ExponentialIntegrator(vp)`, `DDPM(vp)`, `Euler(vp)`,
            `Heun(vp)`, `RK4(vp)`, whose state and output are the variance-preserving x_t.
        init: "exact" begins with the true law at the first point, "standard" with pure noise, N(0, sigma^2) (with
            N(0, 1) in time): the mismatch is then part of the error.
        target: "marginal" compares with the true law at the last noise level, "data" with that of clean coefficients.
        output: "scales" compares the joint law of all scales, "image" that of the image read from them: the finest
            scale of a pyramid, the sum of bands, or whatever the representation's `synthesis` says.

    Raises:
        TypeError: if model, path or sampler is of the wrong kind.
        ValueError: if path and model have different scales, for another word, or a path the sampler cannot follow.

    References:
        Pierret and Galerne 2025 (one scale); Gelbrich 1990 (Wasserstein distance of Gaussian laws).

    Examples:
        >>> import lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.SingleScale())
        >>> errors = [lt.sampling_error(model, lt.diagonal_path(model, n, -6.0, 6.0)).w2 for n in (10, 20)]
        >>> bool(1.8 < errors[0] / errors[1] < 2.2)  # DDIM is of first order
        True
    """
    if not isinstance(model, GaussianModel):
        raise TypeError(
            f"model must be a GaussianModel, whose samplers have exact laws; got {type(model).__name__}."
        )
    setting = Setting(DDIM() if sampler is None else sampler, init, target, output)
    points = checked_path(path, model, finite=False).logsnr
    state = state_of(model)
    setting.sampler.check(path, state)
    shares = _run(state, setting, points)
    totals = [float(sum(np.sum(getattr(part, name)) for part in shares)) for name in Shares._fields]
    return SamplingError(
        w2=float(np.sqrt(totals[0])), kl=totals[1], setting=setting, _model=model, _path=path, _shares=shares
    )


def _run(state: State, setting: Setting, logsnr: Float[np.ndarray, "points scales"]) -> tuple[Shares, ...]:
    clean = bool(np.isinf(logsnr[-1]).any())
    padded = jnp.asarray(padded_path(logsnr))
    parts = [_shares(blocks, setting, clean, padded) for blocks in state.groups]
    return tuple(Shares(*(np.asarray(value) for value in part)) for part in parts)


def padded_path(logsnr: Float[np.ndarray, "points scales"]) -> Float[np.ndarray, "more scales"]:
    """The path with standing steps in front, so that few lengths are ever compiled; they change nothing."""
    steps = len(logsnr) - 1
    grain = max(1, 2 ** max(0, (steps - 1).bit_length() - 3))
    missing = -(-steps // grain) * grain - steps
    return np.concatenate([np.repeat(logsnr[:1], missing, axis=0), logsnr])


@partial(jax.jit, static_argnames=("setting", "clean"))
def _shares(blocks: Blocks, setting: Setting, clean: bool, logsnr: Float[Array, "points scales"]) -> Shares:
    return shares(blocks, setting, clean, logsnr)


def shares(blocks: Blocks, setting: Setting, clean: bool, logsnr: Float[Array, "points scales"]) -> Shares:
    """Contributions of the rows of one group; traceable."""
    law = compare(blocks, setting, clean, logsnr)
    return Shares(squared_wasserstein(law.sampled, law.true), _kl(law))


class Laws(NamedTuple):
    """Factors of the sampled and the true law of the output, and of what decides the KL divergence."""

    sampled: Float[Array, "rows sources blocks"]
    true: Float[Array, "rows others blocks"]
    sampled_core: Float[Array, "core sources blocks"]
    true_core: Float[Array, "core others blocks"]


def compare(blocks: Blocks, setting: Setting, clean: bool, logsnr: Float[Array, "points scales"]) -> Laws:
    """Sampled and true law of the output of a setting."""
    sampler = setting.sampler
    lands = clean and sampler.lands_clean
    state = run(blocks, setting, logsnr[:-1] if lands else logsnr)
    last = logsnr[-1]
    sigma = jnp.exp(-0.5 * last)
    if lands:
        members = blocks.estimate(state, logsnr[-2])
        rows = blocks.clean(members)
        core, true_core = _whole(blocks, members)
        true = blocks.factors
    else:
        rows = state
        units = blocks.of_rows(sampler.units(last))
        true = units * blocks.noisy(sigma) if setting.target == "marginal" and not clean else blocks.factors
        core, true_core = rows, true
    if setting.output == "image":
        rows, true = (_read(blocks.image, factor) for factor in (rows, true))
        if not lands:
            core, true_core = rows, true
        else:
            core, true_core = _without_zeros(rows, true)
    return Laws(rows, true, core, true_core)


def run(
    blocks: Blocks, setting: Setting, logsnr: Float[Array, "points scales"]
) -> Float[Array, "rows sources blocks"]:
    """A factor of the law of the sampler's state at the last point."""
    sampler, scales = setting.sampler, logsnr.shape[1]
    sigma = jnp.exp(-0.5 * logsnr[0])
    units = blocks.of_rows(sampler.units(logsnr[0]))
    if setting.init == "exact":
        state = triangular(units * blocks.noisy(sigma))
    else:
        rows = len(blocks.scales)
        spread = blocks.of_rows(sigma if sampler.lands_clean else jnp.ones(scales))
        state = jnp.broadcast_to(spread * jnp.eye(rows)[:, :, None], (rows, rows, blocks.factors.shape[2]))

    @jax.checkpoint
    def advance(carry: tuple[Any, Any], ends: tuple[Array, Array]) -> tuple[tuple[Any, Any], None]:
        state, memory = carry
        moved = sampler.step(blocks, state, memory, *ends)
        state = moved.state
        if moved.noise_std is not None:
            rows = len(blocks.scales)
            noise = moved.noise_std * jnp.eye(rows)[:, :, None]
            noise = jnp.broadcast_to(noise, (rows, rows, state.shape[2]))
            state = triangular(jnp.concatenate([state, noise], axis=1))
        return (state, moved.memory), None

    (state, _), _ = jax.lax.scan(advance, (state, sampler.memory(state, scales)), (logsnr[:-1], logsnr[1:]))
    return state


def _read(image: Float[Array, "modes rows blocks"], factor: Float[Array, "rows sources blocks"]) -> Array:
    return jnp.einsum("mrb,rsb->msb", image, factor)


def _whole(blocks: Blocks, members: Array) -> tuple[Array, Array]:
    """Members as laws of their own, those without any effect replaced by the same noise on both sides."""
    there = jnp.any(blocks.factors != 0, axis=0)
    eye = jnp.eye(len(there))[:, :, None]
    spare = jnp.where(there, 0.0, 1.0) * eye
    sampled = jnp.concatenate([jnp.where(there[:, None], members, 0.0), spare], axis=1)
    return sampled, jnp.broadcast_to(eye, (*eye.shape[:2], there.shape[1]))


def _without_zeros(rows: Array, true: Array) -> tuple[Array, Array]:
    """Rows that vanish in both laws, replaced by the same noise on both sides."""
    there = jnp.any(rows != 0, axis=1) | jnp.any(true != 0, axis=1)
    spare = jnp.where(there, 0.0, 1.0) * jnp.eye(len(there))[:, :, None]
    return jnp.concatenate([rows, spare], axis=1), jnp.concatenate([true, spare], axis=1)


def _kl(law: Laws) -> Float[Array, "rows blocks"]:
    return divergence(triangular(law.sampled_core), triangular(law.true_core))


def _per_scale(model: GaussianModel, path: Path, setting: Setting) -> Float[np.ndarray, "scales 2"]:
    """Squared W2 and KL of every scale's own law."""
    state = state_of(model)
    clean = bool(np.isinf(path.logsnr[-1]).any())
    padded = jnp.asarray(padded_path(path.logsnr))
    whole = Setting(setting.sampler, setting.init, setting.target)
    result = np.zeros((len(model.scales), 2))
    for blocks in state.groups:
        law = _laws(blocks, whole, clean, padded)
        for k in set(blocks.scales):
            own = jnp.asarray(np.flatnonzero(np.array(blocks.scales) == k))
            result[k] += _distances(law.sampled[own], law.true[own])
    return result


@partial(jax.jit, static_argnames=("setting", "clean"))
def _laws(blocks: Blocks, setting: Setting, clean: bool, logsnr: Float[Array, "points scales"]) -> Laws:
    return compare(blocks, setting, clean, logsnr)


def _distances(sampled: Array, true: Array) -> Float[np.ndarray, " 2"]:
    """Squared W2 and KL, summed over blocks, in coordinates in which the true law has independent components."""
    a, b = (np.moveaxis(np.asarray(factor), -1, 0) for factor in (sampled, true))
    left = np.linalg.svd(b, full_matrices=True)[0]
    a, b = (np.moveaxis(np.swapaxes(left, 1, 2) @ factor, 0, -1) for factor in (a, b))
    scale = np.maximum(np.abs(a).max(axis=(0, 1)), np.abs(b).max(axis=(0, 1)))
    a, b = (np.where(np.abs(factor) > 1e-14 * scale, factor, 0.0) for factor in (a, b))
    cleaned = _without_zeros(jnp.asarray(a), jnp.asarray(b))
    factors = [triangular(factor) for factor in cleaned]
    return np.array(
        [float(jnp.sum(squared_wasserstein(*cleaned))), float(jnp.sum(divergence(*factors)))], dtype=float
    )


Loss = Callable[[Float[np.ndarray, "points scales"]], tuple[float, Float[np.ndarray, "points scales"]]]


def loss(model: GaussianModel, setting: Setting, metric: str) -> Loss:
    """Squared W2 or KL of a path and its gradient with respect to every log-SNR."""
    state = state_of(model)

    def value_and_gradient(logsnr: Float[np.ndarray, "points scales"]) -> tuple[float, np.ndarray]:
        clean = bool(np.isinf(logsnr[-1]).any())
        padded = padded_path(logsnr)
        value, gradient = 0.0, np.zeros_like(padded)
        for blocks in state.groups:
            part, slope = _differentiated(blocks, setting, clean, metric, jnp.asarray(padded))
            value += float(part)
            gradient += np.asarray(slope)
        extra = len(padded) - len(logsnr)
        own = gradient[extra:].copy()
        own[0] += gradient[:extra].sum(axis=0)
        return value, np.where(np.isfinite(logsnr), own, 0.0)

    return value_and_gradient


@partial(jax.jit, static_argnames=("setting", "clean", "metric"))
def _differentiated(
    blocks: Blocks, setting: Setting, clean: bool, metric: str, logsnr: Float[Array, "points scales"]
) -> tuple[Array, Array]:
    def total(points: Array) -> Array:
        whole = points if not clean else jnp.concatenate([points[:-1], jax.lax.stop_gradient(points[-1:])])
        law = compare(blocks, setting, clean, whole)
        return jnp.sum(squared_wasserstein(law.sampled, law.true)) if metric == "w2" else jnp.sum(_kl(law))

    return jax.value_and_grad(total)(logsnr)
