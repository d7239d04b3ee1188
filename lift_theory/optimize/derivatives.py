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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

PIECE = 5
"""Steps differentiated per compiled call: no other length is ever compiled, and several pieces run at once."""


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
    evaluate: Callable[[Any, Any], tuple[Array, ...]], model: Any, logsnr: Float[np.ndarray, "points scales"]
) -> PathDerivatives:
    """Run a compiled `evaluate(model, logsnr)` on pieces of the path and assemble the blocks.

    `evaluate` returns, for every step, cost, gradient in (source, target) of shape (2, K) and Hessian (2, K, 2, K). The
    last piece is padded with steps that stand still.
    """
    steps = len(logsnr) - 1
    padded = np.concatenate([logsnr, np.repeat(logsnr[-1:], -steps % PIECE, axis=0)])
    pieces = [padded[i : i + PIECE + 1] for i in range(0, steps, PIECE)]
    with ThreadPoolExecutor() as pool:
        parts = list(pool.map(lambda piece: [np.asarray(part) for part in evaluate(model, piece)], pieces))
    costs, gradient, hessian = (np.concatenate(part)[:steps] for part in zip(*parts, strict=True))
    return PathDerivatives(costs=costs, before=gradient[:, 0], after=gradient[:, 1], hessians=hessian)


@jax.jit
def bregman_steps(model: Any, logsnr: Float[Array, "points scales"]) -> tuple[Array, Array, Array]:
    """Path KL of every step with gradient and Hessian, by the formulas of this module."""

    def at_point(pair: tuple[Array, Array]) -> tuple[Array, ...]:
        here, there = pair
        rise = jnp.expm1(there - here)
        metric, turn = jax.jvp(model.metric, (here,), (rise,))
        return model.step_kl(here, there), model.mmse(here), metric, turn, rise

    there = jnp.concatenate([logsnr[1:], logsnr[-1:]])
    costs, mmse, metric, turn, rise = jax.lax.map(at_point, (logsnr, there))
    rise, turn, source = rise[:-1], turn[:-1], metric[:-1]
    scales = logsnr.shape[1]
    before = -jnp.einsum("skm,sm->sk", source, rise)
    after = 0.5 * jnp.exp(logsnr[1:]) * (mmse[:-1] - mmse[1:])
    own = source * (1.0 + rise[:, :, None] + rise[:, None, :]) - turn + before[:, :, None] * jnp.eye(scales)
    across = -source * (1.0 + rise[:, None, :])
    end = metric[1:] + after[:, :, None] * jnp.eye(scales)
    upper = jnp.stack([own, across], axis=2)
    lower = jnp.stack([jnp.swapaxes(across, 1, 2), end], axis=2)
    return costs[:-1], jnp.stack([before, after], axis=1), jnp.stack([upper, lower], axis=1)


@partial(jax.jit, static_argnums=0)
def automatic_steps(
    step_cost: Callable[[Any, Any, Any], Array], model: Any, logsnr: Float[Array, "points scales"]
) -> tuple[Array, Array, Array]:
    """Any step cost `step_cost(model, start, stop)` with gradient and Hessian by automatic differentiation."""

    def cost(pair: Float[Array, "2 scales"]) -> Array:
        return step_cost(model, pair[0], pair[1])

    def at_step(pair: Float[Array, "2 scales"]) -> tuple[Array, Array, Array]:
        gradient = jax.jacfwd(cost)
        return cost(pair), gradient(pair), jax.jacfwd(gradient)(pair)

    return jax.lax.map(at_step, jnp.stack([logsnr[:-1], logsnr[1:]], axis=1))


@jax.jit
def symmetric_steps(model: Any, logsnr: Float[Array, "points scales"]) -> tuple[Array, Array, Array]:
    """Half the sum of the divergences of a step forwards and backwards, `(g' - g) . (mmse(g) - mmse(g')) / 4`.

    It is half the squared length of the step in the information metric up to fourth order, where the divergence
    itself has a term of third order.
    """

    def at_step(pair: Float[Array, "2 scales"]) -> tuple[Array, Array, Array]:
        here, there = pair[0], pair[1]
        snr, end = jnp.exp(here), jnp.exp(there)
        fall = 0.5 * (model.mmse(here) - model.mmse(there))
        identity = jnp.eye(len(here))

        def source(point: Array, rise: Array, force: Array) -> tuple[Array, Array, Array]:
            """Gradient and own block of both divergences at one end, and the metric there."""
            metric, turn = jax.jvp(model.metric, (point,), (rise,))
            pull = -metric @ rise
            own = metric * (1.0 + rise[:, None] + rise[None, :]) - turn + identity * pull
            return 0.5 * (pull + force), 0.5 * (own + metric + identity * force), metric

        rise, drop = jnp.expm1(there - here), jnp.expm1(here - there)
        before, own, metric = source(here, rise, -snr * fall)
        after, other, metric_after = source(there, drop, end * fall)
        across = -0.5 * (metric * (1.0 + rise) + metric_after * (1.0 + drop)[:, None])
        hessian = jnp.stack([jnp.stack([own, across], 1), jnp.stack([across.T, other], 1)])
        return 0.5 * jnp.sum(fall * (end - snr)), jnp.stack([before, after]), hessian

    return jax.lax.map(at_step, jnp.stack([logsnr[:-1], logsnr[1:]], axis=1))
