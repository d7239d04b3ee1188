"""The variance-preserving diffusion in time, and its samplers.

`dx = -beta x dt + sqrt(2 beta) dw` on [0, 1] with `beta_t` linear in t; `B_t` is its integral, `alpha_t = exp(-B_t)`,
and `x_t = alpha_t y + sqrt(1 - alpha_t^2) e` has log-SNR `-log(e^(2 B_t) - 1)`. With several scales each has a time of
its own, and the score of a scale is that of the joint law. Samplers carry x_t, and their output law is that of x_t.

Source of the discretizations: Pierret and Galerne 2025, sec. 4 and App. D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift_theory._validation import real_number, whole_number
from lift_theory.paths import Path
from lift_theory.sampling.blocks import Blocks, Rows
from lift_theory.sampling.samplers import HeunSigma, Levels, Step


@dataclass(frozen=True)
class VPLinear:
    """The variance-preserving diffusion with `beta_t = beta_start + (beta_end - beta_start) t`, t in [0, 1].

    Attributes:
        beta_start: rate at t = 0, positive. The noise is `sqrt(2 beta)`; in the convention `sqrt(beta)` rates are twice
            as large.
        beta_end: rate at t = 1, not below `beta_start`.

    Raises:
        ValueError: if the rates are not positive or fall.

    Examples:
        >>> vp = VPLinear()
        >>> path = vp.uniform_path(points=11, end=1e-3)
        >>> path.steps, bool(np.isclose(vp.time(path.logsnr[0])[0], 1.0))
        (10, True)
    """

    beta_start: float = 0.05
    beta_end: float = 10.0

    def __post_init__(self) -> None:
        first = real_number(self.beta_start, name="beta_start", positive=True)
        last = real_number(self.beta_end, name="beta_end", positive=True)
        if last < first:
            raise ValueError(f"beta_end must not be below beta_start; got {last:g} < {first:g}.")
        object.__setattr__(self, "beta_start", first)
        object.__setattr__(self, "beta_end", last)

    def rate(self, time: Any) -> Any:
        """`beta_t`."""
        return self.beta_start + (self.beta_end - self.beta_start) * time

    def integral(self, time: Any) -> Any:
        """`B_t`, the integral of the rate from 0 to t."""
        return time * (self.beta_start + 0.5 * (self.beta_end - self.beta_start) * time)

    def logsnr(self, time: Any) -> Any:
        """Log-SNR of x_t in nats; +inf at t = 0."""
        with np.errstate(divide="ignore"):
            return -np.log(np.expm1(2.0 * self.integral(np.asarray(time, dtype=float))))

    def time(self, logsnr: Any) -> Any:
        """The time with a given log-SNR; zero at +inf."""
        integral = 0.5 * jnp.logaddexp(0.0, -jnp.asarray(logsnr))
        slope = self.beta_end - self.beta_start
        return 2.0 * integral / (self.beta_start + jnp.sqrt(self.beta_start**2 + 2.0 * slope * integral))

    def uniform_path(self, points: int, end: float = 0.0, scales: Sequence[str] = ("fine",)) -> Path:
        """Equally spaced times from 1 to `end`, the same for all scales.

        Args:
            points: number of points N; the path has N - 1 steps.
            end: last time; 0 is clean data.
            scales: names of the scales.

        Raises:
            TypeError: if `points` is not an integer.
            ValueError: if `points < 2` or `end` is not in [0, 1).
        """
        points = whole_number(points, name="points", least=2)
        end = real_number(end, name="end")
        if not 0.0 <= end < 1.0:
            raise ValueError(f"end must be a time in [0, 1), where 1 is pure noise; got {end:g}.")
        times = end + (1.0 - end) * (1.0 - np.arange(points) / (points - 1))
        return Path(np.repeat(self.logsnr(times)[:, None], len(scales), axis=1), tuple(scales))


@dataclass(frozen=True)
class _InTime:
    """What samplers in the time of a variance-preserving diffusion share.

    Attributes:
        diffusion: the diffusion whose time is stepped.
    """

    diffusion: VPLinear = field(default_factory=VPLinear)
    lands_clean = False
    needs_clean_score = False

    def __post_init__(self) -> None:
        if not isinstance(self.diffusion, VPLinear):
            raise TypeError(
                f"{type(self).__name__} needs the diffusion whose time it steps, such as VPLinear(); "
                f"got {self.diffusion!r}."
            )

    def units(self, logsnr: Levels) -> Levels:
        """Alpha."""
        return jnp.exp(-0.5 * jnp.logaddexp(0.0, -logsnr))

    def check(self, path: Path, state: Any) -> None:
        """Refuse paths that begin before the diffusion ends, and a score that does not exist."""
        first = float(np.max(np.asarray(self.diffusion.time(path.logsnr[0]))))
        if first > 1.0 + 1e-9:
            raise ValueError(
                f"{type(self).__name__} steps a diffusion on [0, 1], but the path begins at time {first:g}: log-SNR "
                f"must be at least {float(self.diffusion.logsnr(1.0)):g}. Begin the path later, or raise beta_end."
            )
        if self.needs_clean_score and np.isinf(path.logsnr[-1]).any():
            for blocks in state.groups:
                factors = np.moveaxis(np.asarray(blocks.factors), -1, 0)
                rows = factors.shape[1]
                if np.any(np.linalg.matrix_rank(factors) < rows):
                    raise ValueError(
                        f"{type(self).__name__} needs the score of clean data, which does not exist for zero variances "
                        "or redundant scales. End the path at a finite log-SNR, or use a sampler that does not call "
                        "the denoiser at the end of a step."
                    )

    def memory(self, state: Rows, scales: int) -> Any:
        """Nothing is kept from step to step."""
        return ()

    def score(self, blocks: Blocks, state: Rows, logsnr: Levels) -> Rows:
        """Gradient of the log-density of x_t at x_t."""
        alpha = blocks.of_rows(self.units(logsnr))
        return blocks.score(state / alpha, logsnr) / alpha

    def flow(self, blocks: Blocks, state: Rows, time: Levels) -> Rows:
        """Velocity of the probability flow, backwards in time."""
        logsnr = -jnp.log(jnp.expm1(2.0 * self.diffusion.integral(time)))
        return blocks.of_rows(self.diffusion.rate(time)) * (state + self.score(blocks, state, logsnr))


@dataclass(frozen=True)
class EulerMaruyama(_InTime):
    """Euler and Maruyama's method for the reverse diffusion: `x' = x + h beta (x + 2 score) + sqrt(2 h beta) e`."""

    def step(self, blocks: Blocks, state: Rows, memory: Any, start: Levels, stop: Levels) -> Step:
        """One call of the denoiser."""
        u, v = self.diffusion.time(start), self.diffusion.time(stop)
        moved = blocks.of_rows((u - v) * self.diffusion.rate(u))
        score = self.score(blocks, state, start)
        return Step(state + moved * (state + 2.0 * score), memory, _root(2.0 * moved))


@dataclass(frozen=True)
class ExponentialIntegrator(_InTime):
    """The reverse diffusion with the score held over a step and everything else solved exactly.

    `x' = x + p (x + 2 score) + sqrt(2 q) e`, `p = e^(B_u - B_v) - 1`, `q = (e^(2 (B_u - B_v)) - 1) / 2`.
    """

    def step(self, blocks: Blocks, state: Rows, memory: Any, start: Levels, stop: Levels) -> Step:
        """One call of the denoiser."""
        fall = 0.5 * (jnp.logaddexp(0.0, -start) - jnp.logaddexp(0.0, -stop))
        score = self.score(blocks, state, start)
        moved = blocks.of_rows(jnp.expm1(fall)) * (state + 2.0 * score)
        return Step(state + moved, memory, _root(blocks.of_rows(jnp.expm1(2.0 * fall))))


@dataclass(frozen=True)
class DDPM(_InTime):
    """Ancestral sampling with the larger variance: `x' = (x + q score) / sqrt(1 - q) + sqrt(q) e`, `q = 2 h beta`.

    Needs steps so short that q < 1.
    """

    def check(self, path: Path, state: Any) -> None:
        """Refuse steps with q >= 1."""
        super().check(path, state)
        times = np.asarray(self.diffusion.time(path.logsnr))
        largest = float(np.max(-2.0 * np.diff(times, axis=0) * self.diffusion.rate(times[:-1])))
        if largest >= 1.0:
            raise ValueError(
                f"DDPM needs 2 h beta < 1 in every step, but it reaches {largest:g}. Take more steps where beta is "
                "large, or use ExponentialIntegrator, which has no such limit."
            )

    def step(self, blocks: Blocks, state: Rows, memory: Any, start: Levels, stop: Levels) -> Step:
        """One call of the denoiser."""
        u, v = self.diffusion.time(start), self.diffusion.time(stop)
        q = blocks.of_rows(2.0 * (u - v) * self.diffusion.rate(u))
        score = self.score(blocks, state, start)
        return Step((state + q * score) / jnp.sqrt(1.0 - q), memory, _root(q))


@dataclass(frozen=True)
class Euler(_InTime):
    """Euler's method for the probability flow in time: `x' = x + h beta (x + score)`."""

    def step(self, blocks: Blocks, state: Rows, memory: Any, start: Levels, stop: Levels) -> Step:
        """One call of the denoiser."""
        u, v = self.diffusion.time(start), self.diffusion.time(stop)
        return Step(state + blocks.of_rows(u - v) * self.flow(blocks, state, u), memory, None)


@dataclass(frozen=True)
class HeunTime(_InTime):
    """Heun's second-order method for the probability flow in time, two calls a step; made by `Heun(vp)`."""

    needs_clean_score = True

    def step(self, blocks: Blocks, state: Rows, memory: Any, start: Levels, stop: Levels) -> Step:
        """Two calls of the denoiser."""
        u, v = self.diffusion.time(start), self.diffusion.time(stop)
        h = blocks.of_rows(u - v)
        first = self.flow(blocks, state, u)
        second = self.flow(blocks, state + h * first, v)
        return Step(state + 0.5 * h * (first + second), memory, None)


@dataclass(frozen=True)
class RK4(_InTime):
    """The classical fourth-order Runge-Kutta method for the probability flow in time, four calls a step."""

    needs_clean_score = True

    def step(self, blocks: Blocks, state: Rows, memory: Any, start: Levels, stop: Levels) -> Step:
        """Four calls of the denoiser."""
        u, v = self.diffusion.time(start), self.diffusion.time(stop)
        h, middle = blocks.of_rows(u - v), 0.5 * (u + v)
        first = self.flow(blocks, state, u)
        second = self.flow(blocks, state + 0.5 * h * first, middle)
        third = self.flow(blocks, state + 0.5 * h * second, middle)
        fourth = self.flow(blocks, state + h * third, v)
        return Step(state + h / 6.0 * (first + 2.0 * second + 2.0 * third + fourth), memory, None)


def Heun(diffusion: VPLinear | None = None) -> HeunSigma | HeunTime:  # noqa: N802 - reads as the method's name
    """Heun's second-order method: in sigma (EDM) without an argument, in the time of a diffusion with one.

    Examples:
        >>> type(Heun()).__name__, type(Heun(VPLinear())).__name__
        ('HeunSigma', 'HeunTime')
    """
    return HeunSigma() if diffusion is None else HeunTime(diffusion)


def _root(variance: Float[Array, "rows 1 1"]) -> Float[Array, "rows 1 1"]:
    """Square root that does not spoil derivatives where a scale stands still."""
    moving = variance > 0
    return jnp.where(moving, jnp.sqrt(jnp.where(moving, variance, 1.0)), 0.0)
