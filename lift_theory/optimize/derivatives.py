"""The cost of a whole path with its exact gradient and its block tridiagonal Hessian in log-SNR coordinates.

With `u_k = g'_k / g_k - 1` and the information metric `M_kl = g_k g_l E||Phi_kl||^2 / 2`, the divergence D of one step
from l = log g to l' = log g' has

    dD/dl_k         = - sum_m M_km(l) u_m
    dD/dl'_k        = g'_k [mmse_k(g) - mmse_k(g')] / 2
    d2D/dl_k dl'_m  = - M_km(l) (1 + u_m)
    d2D/dl'_k dl'_m = M_km(l') + [k = m] dD/dl'_k
    d2D/dl_k dl_m   = M_km (1 + u_k + u_m) - (u . grad) M_km + [k = m] dD/dl_k

by `dmmse_k/dg_m = -E||Phi_km||^2` and because the third derivatives of the information are symmetric: one directional
derivative of the metric per step is all that second order takes. Objectives without such a form are
differentiated automatically, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift_theory.compilation import jit
from lift_theory.optimize.traceable import in_chunks

CHUNK = 6
"""Points per compiled call, few enough for every core to have some."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PathDerivatives:
    """Value and first two derivatives of a sum of step costs with respect to every log-SNR of the path.

    Attributes:
        costs: cost of each step.
        before: derivative of each step's cost with respect to its source.
        after: derivative of each step's cost with respect to its target.
        hessians: second derivatives of each step's cost in (source, target).
    """

    costs: Float[np.ndarray, " steps"]
    before: Float[np.ndarray, "steps scales"]
    after: Float[np.ndarray, "steps scales"]
    hessians: Float[np.ndarray, "steps 2 scales 2 scales"]

    @property
    def cost(self) -> float:
        """Cost of the whole path."""
        return float(self.costs.sum())

    @property
    def gradient(self) -> Float[np.ndarray, "points scales"]:
        """Derivative of the cost with respect to every log-SNR, ends included."""
        gradient = np.zeros((len(self.costs) + 1, self.before.shape[1]))
        gradient[:-1] += self.before
        gradient[1:] += self.after
        return gradient

    @property
    def force(self) -> float:
        """The largest derivative of one step's cost: what has to balance at an optimum, the unit of residuals."""
        return float(max(np.abs(self.before).max(), np.abs(self.after).max()))


def path_derivatives(
    evaluate: Callable[[Any, Any], tuple[np.ndarray, ...]],
    model: Any,
    logsnr: Float[np.ndarray, "points scales"],
) -> PathDerivatives:
    """The blocks of a whole path from `evaluate(model, logsnr)`.

    `evaluate` returns, for every step, cost, gradient in (source, target) of shape (2, K) and Hessian (2, K, 2, K).
    """
    costs, gradient, hessian = evaluate(model, logsnr)
    return PathDerivatives(costs=costs, before=gradient[:, 0], after=gradient[:, 1], hessians=hessian)


def bregman_steps(
    model: Any, logsnr: Float[np.ndarray, "points scales"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Path KL of every step with gradient and Hessian, by the formulas of this module."""
    costs, mmse, metric, turn = _expansions(model, logsnr, np.concatenate([logsnr[1:], logsnr[-1:]]))
    rise, turn, source = np.expm1(np.diff(logsnr, axis=0)), turn[:-1], metric[:-1]
    identity = np.eye(logsnr.shape[1])
    before = -np.einsum("skm,sm->sk", source, rise)
    after = 0.5 * np.exp(logsnr[1:]) * (mmse[:-1] - mmse[1:])
    own = source * (1.0 + rise[:, :, None] + rise[:, None, :]) - turn + before[:, :, None] * identity
    across = -source * (1.0 + rise[:, None, :])
    end = metric[1:] + after[:, :, None] * identity
    return costs[:-1], np.stack([before, after], axis=1), _blocks(own, across, end)


def symmetric_steps(
    model: Any, logsnr: Float[np.ndarray, "points scales"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half the sum of the divergences of a step forwards and backwards, `(g' - g) . (mmse(g) - mmse(g')) / 4`.

    It is half the squared length of the step in the information metric up to fourth order, where the divergence
    itself has a term of third order.
    """
    steps = len(logsnr) - 1
    points, others = np.concatenate([logsnr[:-1], logsnr[1:]]), np.concatenate([logsnr[1:], logsnr[:-1]])
    _, mmse, metric, turn = _expansions(model, points, others)
    snr, end = np.exp(logsnr[:-1]), np.exp(logsnr[1:])
    fall = 0.5 * (mmse[:steps] - mmse[steps:])
    rise = np.expm1(others - points)
    identity = np.eye(logsnr.shape[1])
    pull = -np.einsum("skm,sm->sk", metric, rise)
    force = np.concatenate([-snr * fall, end * fall])
    own = metric * (1.0 + rise[:, :, None] + rise[:, None, :]) - turn + identity * pull[:, :, None]
    own = 0.5 * (own + metric + identity * force[:, :, None])
    across = -0.5 * (
        metric[:steps] * (1.0 + rise[:steps, None, :]) + metric[steps:] * (1.0 + rise[steps:, :, None])
    )
    slopes = 0.5 * (pull + force)
    costs = 0.5 * np.sum(fall * (end - snr), axis=1)
    return (
        costs,
        np.stack([slopes[:steps], slopes[steps:]], axis=1),
        _blocks(own[:steps], across, own[steps:]),
    )


def automatic_steps(
    step_cost: Callable[[Any, Any, Any], Array], model: Any, logsnr: Float[np.ndarray, "points scales"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Any step cost `step_cost(model, start, stop)` with gradient and Hessian by automatic differentiation."""
    costs, gradient, hessian = in_chunks(
        _automatic(step_cost), model, np.stack([logsnr[:-1], logsnr[1:]], axis=1), size=CHUNK
    )
    return costs, gradient, hessian


def _blocks(
    own: Float[np.ndarray, "steps k m"],
    across: Float[np.ndarray, "steps k m"],
    end: Float[np.ndarray, "steps k m"],
) -> Float[np.ndarray, "steps 2 k 2 m"]:
    """Hessians in (source, target) from the block of the source, that across, and the block of the target."""
    upper = np.stack([own, across], axis=2)
    lower = np.stack([np.swapaxes(across, 1, 2), end], axis=2)
    return np.stack([upper, lower], axis=1)


def _expansions(
    model: Any, points: Float[np.ndarray, "points scales"], others: Float[np.ndarray, "points scales"]
) -> tuple[np.ndarray, ...]:
    """Divergence to another point, mmse, metric, and how the metric turns on the straight line in SNR to it."""
    return in_chunks(_expand, model, points, others, size=CHUNK)


@jit
def _expand(
    model: Any, points: Float[Array, "points scales"], others: Float[Array, "points scales"]
) -> tuple[Array, ...]:
    def at_point(pair: tuple[Array, Array]) -> tuple[Array, ...]:
        here, there = pair
        metric, turn = jax.jvp(model.metric, (here,), (jnp.expm1(there - here),))
        return model.step_kl(here, there), model.mmse(here), metric, turn

    return jax.lax.map(at_point, (points, others))


@lru_cache(maxsize=32)
def _automatic(step_cost: Callable[[Any, Any, Any], Array]) -> Callable[..., tuple[Array, ...]]:
    def run(model: Any, pairs: Float[Array, "steps 2 scales"]) -> tuple[Array, Array, Array]:
        def at_step(pair: Float[Array, "2 scales"]) -> tuple[Array, Array, Array]:
            gradient = jax.jacfwd(cost)
            return cost(pair), gradient(pair), jax.jacfwd(gradient)(pair)

        def cost(pair: Float[Array, "2 scales"]) -> Array:
            return step_cost(model, pair[0], pair[1])

        return jax.lax.map(at_step, pairs)

    return jit(run)
