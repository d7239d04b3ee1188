"""Samplers in sigma: one step of each, written as on samples, applied to factors of a law.

The state is `z_k = y_k + sigma_k e_k` with one noise level per scale, the denoiser D is the exact posterior mean given
all scales, and a step takes every scale from sigma to sigma'. A scale that stands still does not move. Where sigma' is
zero every sampler here answers with the denoised image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import jax.numpy as jnp
from jaxtyping import Array, Float

from lift_theory.sampling.blocks import Blocks, Rows

if TYPE_CHECKING:
    from lift_theory.paths import Path

Levels = Float[Array, " scales"]


class Step(NamedTuple):
    """What a step leaves: the new state, new memory, and the noise to be added to every row, or None."""

    state: Rows
    memory: Any
    noise_std: Float[Array, "rows 1 1"] | None


class Sampler(Protocol):
    """A linear sampler: what it does to a noisy state in one step."""

    @property
    def lands_clean(self) -> bool:
        """Whether a step to sigma = 0 answers with the denoised image itself."""

    def units(self, logsnr: Levels) -> Levels:
        """State over `z = y + sigma e`, per scale: one in sigma, alpha for variance-preserving states."""

    def check(self, path: Path, state: Any) -> None:
        """Refuse paths that this sampler cannot follow."""

    def memory(self, state: Rows, scales: int) -> Any:
        """What the first step finds from the one before."""

    def step(self, blocks: Blocks, state: Rows, memory: Any, start: Levels, stop: Levels) -> Step:
        """One step from log-SNRs `start` to `stop`."""


class _InSigma:
    """What samplers in sigma share."""

    lands_clean = True

    def units(self, logsnr: Levels) -> Levels:
        """The state is z itself."""
        return jnp.ones_like(logsnr)

    def check(self, path: Path, state: Any) -> None:
        """Any path will do."""

    def memory(self, state: Rows, scales: int) -> Any:
        """Nothing is kept from step to step."""
        return ()


def _sigma(logsnr: Levels) -> Levels:
    return jnp.exp(-0.5 * logsnr)


def _fall(start: Levels, stop: Levels) -> Levels:
    """`sigma' / sigma`, zero at a clean end."""
    return jnp.exp(0.5 * (start - stop))


@dataclass(frozen=True)
class DDIM(_InSigma):
    """The deterministic sampler `z' = D + (sigma' / sigma) (z - D)`: Euler's method for the flow in sigma.

    References:
        Song, Meng and Ermon 2021, eq. 12 with eta = 0; Karras et al. 2022, alg. 1 without the correction.
    """

    def step(self, blocks: Blocks, state: Rows, memory: Any, start: Levels, stop: Levels) -> Step:
        """One call of the denoiser."""
        denoised = blocks.denoise(state, start)
        return Step(denoised + blocks.of_rows(_fall(start, stop)) * (state - denoised), memory, None)


@dataclass(frozen=True)
class Ancestral(_InSigma):
    """The stochastic sampler that draws from the Gaussian bridge, the posterior mean in place of the clean image.

    `z' = q z + (1 - q) D + sigma' sqrt(1 - q) e` with `q = sigma'^2 / sigma^2`: DDIM with eta = 1, or DDPM with the
    smaller variance.

    References:
        Ho, Jain and Abbeel 2020, eq. 7; Song, Meng and Ermon 2021, eq. 16 with eta = 1.
    """

    def step(self, blocks: Blocks, state: Rows, memory: Any, start: Levels, stop: Levels) -> Step:
        """One call of the denoiser."""
        denoised = blocks.denoise(state, start)
        kept = blocks.of_rows(_fall(start, stop) ** 2)
        lost = -jnp.expm1(start - stop)
        moving = lost > 0
        noise = jnp.where(moving, _sigma(stop) * jnp.sqrt(jnp.where(moving, lost, 1.0)), 0.0)
        return Step(denoised + kept * (state - denoised), memory, blocks.of_rows(noise))


@dataclass(frozen=True)
class HeunSigma(_InSigma):
    """Heun's second-order method for the flow in sigma, two calls a step; made by `Heun()`.

    The last step to sigma = 0 is Euler's.

    References:
        Karras et al. 2022, alg. 1.
    """

    def step(self, blocks: Blocks, state: Rows, memory: Any, start: Levels, stop: Levels) -> Step:
        """Two calls of the denoiser."""
        denoised = blocks.denoise(state, start)
        ratio = blocks.of_rows(_fall(start, stop))
        noise = state - denoised  # the slope, times sigma
        predicted = denoised + ratio * noise
        clean = ratio == 0.0
        again = (predicted - blocks.denoise(predicted, stop)) / jnp.where(clean, 1.0, ratio)
        corrected = state - 0.5 * (1.0 - ratio) * (noise + again)
        return Step(jnp.where(clean, predicted, corrected), memory, None)


@dataclass(frozen=True)
class DPMSolverPP2M(_InSigma):
    """DPM-Solver++(2M): the denoised image extrapolated from the last two calls, one call a step.

    `z' = (sigma' / sigma) z - expm1(-h) [(1 + 1/(2r)) D - D_before / (2r)]` with `h = log(sigma / sigma')` and r the
    previous h over the present one, scale by scale. The first step, the step to sigma = 0 and a scale that stood still
    in the step before are of first order.

    References:
        Lu et al. 2022 (DPM-Solver++), alg. 2.
    """

    def memory(self, state: Rows, scales: int) -> Any:
        """The previous denoised rows and the previous h; no previous step counts as one that stood still."""
        return jnp.zeros_like(state), jnp.zeros(scales)

    def step(self, blocks: Blocks, state: Rows, memory: Any, start: Levels, stop: Levels) -> Step:
        """One call of the denoiser."""
        before, last = memory
        denoised = blocks.denoise(state, start)
        h = 0.5 * (stop - start)
        usable = (last > 0) & jnp.isfinite(h)
        weight = jnp.where(usable, 0.5 * jnp.where(usable, h, 0.0) / jnp.where(usable, last, 1.0), 0.0)
        target = denoised + blocks.of_rows(weight) * (denoised - before)
        return Step(target + blocks.of_rows(_fall(start, stop)) * (state - target), (denoised, h), None)
