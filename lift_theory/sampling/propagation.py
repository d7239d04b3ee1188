"""The law of what a sampler returns, block by block: carried along a path, compared with the true one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift_theory._validation import one_of
from lift_theory.compilation import jit
from lift_theory.sampling.blocks import Blocks
from lift_theory.sampling.distances import divergence, squared_wasserstein, triangular
from lift_theory.sampling.samplers import Sampler
from lift_theory.sampling.state import State

INITS = ("exact", "standard")
TARGETS = ("marginal", "data")
OUTPUTS = ("scales", "image")
PROGRAMS = 192
"""Compiled programs kept, one for every form of blocks, setting and length. Each takes up to 200 of the 65,530 memory
maps that Linux grants a process, and sweeps over samplers and step counts would use them up."""


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

    w2_squared: Float[Array, "rows blocks"] | Float[np.ndarray, "rows blocks"]
    kl: Float[Array, "rows blocks"] | Float[np.ndarray, "rows blocks"]


def every_share(
    state: State, setting: Setting, logsnr: Float[np.ndarray, "points scales"]
) -> tuple[Shares, ...]:
    """Contributions of all rows of all blocks."""
    clean = bool(np.isinf(logsnr[-1]).any())
    padded = jnp.asarray(padded_path(logsnr))
    parts = [compiled(_shares, blocks, padded, setting, clean) for blocks in state.groups]
    return tuple(Shares(np.asarray(part.w2_squared), np.asarray(part.kl)) for part in parts)


def padded_path(logsnr: Float[np.ndarray, "points scales"]) -> Float[np.ndarray, "more scales"]:
    """The path with standing steps in front, so that few lengths are ever compiled; they change nothing."""
    steps = len(logsnr) - 1
    grain = max(1, 2 ** max(0, (steps - 1).bit_length() - 3))
    missing = -(-steps // grain) * grain - steps
    return np.concatenate([np.repeat(logsnr[:1], missing, axis=0), logsnr])


def compiled(
    function: Callable[..., Any], blocks: Blocks, logsnr: Float[Array, "points scales"], *static: Any
) -> Any:
    """`function(blocks, logsnr, *static)` by a compiled program."""
    form = (blocks.factors.shape, blocks.image.shape, blocks.scales, blocks.present)
    return _program(function, form, logsnr.shape, static)(blocks, logsnr)


@lru_cache(maxsize=PROGRAMS)
def _program(
    function: Callable[..., Any], _form: Any, _points: tuple[int, ...], static: tuple[Any, ...]
) -> Callable[..., Any]:
    """A compiled function of its own for each form and length, so that each can be given up."""
    return jit(lambda blocks, logsnr: function(blocks, logsnr, *static))


def _shares(blocks: Blocks, logsnr: Float[Array, "points scales"], setting: Setting, clean: bool) -> Shares:
    law = compare(blocks, logsnr, setting, clean)
    return Shares(squared_wasserstein(law.sampled, law.true), _kl(law))


class Laws(NamedTuple):
    """Factors of the sampled and the true law of the output, and of what decides the KL divergence."""

    sampled: Float[Array, "rows sources blocks"]
    true: Float[Array, "rows others blocks"]
    sampled_core: Float[Array, "core sources blocks"]
    true_core: Float[Array, "core others blocks"]


def compare(blocks: Blocks, logsnr: Float[Array, "points scales"], setting: Setting, clean: bool) -> Laws:
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
        state = jax.lax.stop_gradient(triangular(units * blocks.noisy(sigma)))
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


Loss = Callable[[Float[np.ndarray, "points scales"]], tuple[float, Float[np.ndarray, "points scales"]]]


def loss(state: State, setting: Setting, metric: str) -> Loss:
    """Squared W2 or KL of a path and its gradient with respect to the log-SNRs between its ends.

    The ends count as fixed.
    """

    def value_and_gradient(logsnr: Float[np.ndarray, "points scales"]) -> tuple[float, np.ndarray]:
        clean = bool(np.isinf(logsnr[-1]).any())
        padded = padded_path(logsnr)
        value, gradient = 0.0, np.zeros_like(padded)
        for blocks in state.groups:
            part, slope = compiled(_differentiated, blocks, jnp.asarray(padded), setting, clean, metric)
            value += float(part)
            gradient += np.asarray(slope)
        extra = len(padded) - len(logsnr)
        own = gradient[extra:].copy()
        own[[0, -1]] = 0.0
        return value, own

    return value_and_gradient


def _differentiated(
    blocks: Blocks, logsnr: Float[Array, "points scales"], setting: Setting, clean: bool, metric: str
) -> tuple[Array, Array]:
    def total(points: Array) -> Array:
        fixed = jnp.concatenate([points[:-1], jax.lax.stop_gradient(points[-1:])])
        law = compare(blocks, fixed, setting, clean)
        return jnp.sum(squared_wasserstein(law.sampled, law.true)) if metric == "w2" else jnp.sum(_kl(law))

    return jax.value_and_grad(total)(logsnr)
