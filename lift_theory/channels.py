"""Gaussian channels in closed form: what several noisy scales tell about one Gaussian image.

Every class here answers the same five questions at SNRs `g` (one per scale, power, not log), and every answer is
a sum or ratio of non-negative terms, so that nothing cancels at very high or very low SNR:

- `information(g)`: mutual information in nats.
- `mmse(g)`: posterior variance summed over the coefficients of each scale.
- `gram(g)`: `||Phi_kl||_F^2`, the squared size of the posterior covariance between scales k and l.
- `step(g, dg)`: the Bregman divergence `(1/2) dg . mmse(g) - [I(g + dg) - I(g)]`.
- `complement(g)`: `||K_k||_F^2` and `tr(K_k Phi_kk)` of `K_k = 1 - g_k Phi_kk`, from which the Jacobians of noise and
  velocity predictions follow.

All of them take one point and are vectorised by `jax.vmap`. The classes differ in the structure they use:
`ModeChannels` (every mode belongs to one scale), `PyramidTree` and `HaarTree` (2x2 averages over any number of
levels), `RankOneBlocks` (two scales, the coarse one seeing one direction per block) and `DenseBlocks` (anything).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

LOST = 1e-12
"""Share of a diagonal entry that elimination may leave of it; below, rounding decides what is left."""
Members = list[Any]
"""One array per member of a block: lists keep the arithmetic elementwise, which XLA fuses into single loops."""


def excess(ratio: Float[Array, "..."]) -> Float[Array, "..."]:
    """`x - log(1 + x)` without cancellation near zero.

    Around zero, `log(1 + x) = 2 atanh(s)` with `s = x / (2 + x)`, whose series starts with `x - s x`.
    """
    small = (ratio > -0.3) & (ratio < 0.5)
    near = jnp.where(small, ratio, 0.0)
    s = near / (2.0 + near)
    square = s * s
    tail = jnp.zeros_like(s)
    for order in range(25, 1, -2):
        tail = tail * square + 1.0 / order
    series = s * near - 2.0 * s * square * tail
    far = jnp.where(small, 1.0, ratio)
    return jnp.where(small, series, far - jnp.log1p(far))


def _elementary(values: Members) -> tuple[Any, Any]:
    """Sum of `values`, and the sum of all products of two or more of them."""
    total: Any = 0.0
    products: Any = 0.0
    for value in values:
        products = products + value * (total + products)
        total = total + value
    return total, products


def _capped(values: Members) -> Members:
    """The same, so bounded that products of four stay finite: larger ones are answered in logarithms."""
    return [jnp.minimum(value, 1e70) for value in values]


def step_excess(linear: Any, more: Any, log_ratio: Any) -> Any:
    """`linear - log(1 + linear + more)` for a determinant ratio `1 + linear + more = e^log_ratio`.

    Small steps lose nothing to cancellation in the first form, large ones nothing in the second.
    """
    small = log_ratio < 0.4
    near_linear, near_more = jnp.where(small, linear, 0.0), jnp.where(small, more, 0.0)
    return jnp.where(small, excess(near_linear + near_more) - near_more, linear - log_ratio)


def _pair_products(values: Members) -> Any:
    """Sum over unordered pairs of `values[i] * values[j]`."""
    total: Any = 0.0
    pairs: Any = 0.0
    for value in values:
        pairs = pairs + value * total
        total = total + value
    return pairs


def _without(values: Members, index: int) -> Members:
    return values[:index] + values[index + 1 :]


def _sum_without(values: Members) -> Members:
    """For each member, the sum over all the others (not the total minus itself, which would cancel)."""
    return [
        sum(_without(values, i)) if len(values) > 1 else jnp.zeros_like(values[i]) for i in range(len(values))
    ]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ModeChannels:
    """Every mode is seen by one scale only: a flat list of variances per scale."""

    variances: tuple[Float[Array, " modes"], ...]

    def information(self, g: Float[Array, " scales"]) -> Float[Array, ""]:
        """Nats."""
        return 0.5 * sum((jnp.sum(jnp.log1p(g[k] * c)) for k, c in enumerate(self.variances)), jnp.zeros(()))

    def mmse(self, g: Float[Array, " scales"]) -> Float[Array, " scales"]:
        """Posterior variance, summed over the coefficients of each scale."""
        return jnp.stack([jnp.sum(c / (1.0 + g[k] * c)) for k, c in enumerate(self.variances)])

    def gram(self, g: Float[Array, " scales"]) -> Float[Array, "scales scales"]:
        """`||Phi_kl||_F^2`."""
        return jnp.diag(
            jnp.stack([jnp.sum((c / (1.0 + g[k] * c)) ** 2) for k, c in enumerate(self.variances)])
        )

    def step(self, g: Float[Array, " scales"], dg: Float[Array, " scales"]) -> Float[Array, ""]:
        """Bregman divergence in nats of the step from g to g + dg."""
        steps = (jnp.sum(excess(dg[k] * c / (1.0 + g[k] * c))) for k, c in enumerate(self.variances))
        return 0.5 * sum(steps, jnp.zeros(()))

    def complement(
        self, g: Float[Array, " scales"]
    ) -> tuple[Float[Array, " scales"], Float[Array, " scales"]]:
        """`||K_k||_F^2` and `tr(K_k Phi_kk)`."""
        rest = [1.0 / (1.0 + g[k] * c) for k, c in enumerate(self.variances)]
        return (
            jnp.stack([jnp.sum(r**2) for r in rest]),
            jnp.stack([jnp.sum(c * r**2) for r, c in zip(rest, self.variances, strict=True)]),
        )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RankOneBlocks:
    """Two scales; in each block the second sees one direction of what the first sees along its own axes.

    With the block whitened and rotated so that the first scale is diagonal, the posterior precision is
    `diag(1 + g_0 gamma_j) + g_1 beta beta^T`. Padded members have `gamma = beta = 0`.
    """

    gamma: Float[Array, "members blocks"]
    beta_squared: Float[Array, "members blocks"]
    alone: Float[Array, " modes"]
    """Variances of the modes that only the first scale sees."""
    hidden: Float[Array, " scales"]
    """Coefficients of each scale beyond the members with `gamma > 0` and those alone: they are always zero."""

    def _members(self) -> tuple[Members, Members]:
        return list(self.gamma), list(self.beta_squared)

    def _posterior(self, g: Float[Array, " scales"]) -> tuple[Members, Members, Members, Any, Any]:
        """First-scale variances d, shrinkage r, weights pi, coarse variance s, and 1 + g_1 s."""
        gamma, beta = self._members()
        r = [1.0 / (1.0 + g[0] * c) for c in gamma]
        d = [c * ri for c, ri in zip(gamma, r, strict=True)]
        s = sum(b * ri for b, ri in zip(beta, r, strict=True))
        total = 1.0 + g[1] * s
        pi = [g[1] * b * ri / total for b, ri in zip(beta, r, strict=True)]
        return d, r, pi, s, total

    def information(self, g: Float[Array, " scales"]) -> Float[Array, ""]:
        """Nats."""
        gamma, _ = self._members()
        s = self._posterior(g)[3]
        blocks = sum(jnp.sum(jnp.log1p(g[0] * c)) for c in gamma) + jnp.sum(jnp.log1p(g[1] * s))
        return 0.5 * (blocks + jnp.sum(jnp.log1p(g[0] * self.alone)))

    def mmse(self, g: Float[Array, " scales"]) -> Float[Array, " scales"]:
        """Posterior variance, summed over the coefficients of each scale."""
        d, _, pi, s, total = self._posterior(g)
        first = sum(di * (1.0 / total + rest) for di, rest in zip(d, _sum_without(pi), strict=True))
        alone = self.alone / (1.0 + g[0] * self.alone)
        return jnp.stack([jnp.sum(first) + jnp.sum(alone), jnp.sum(s / total)])

    def gram(self, g: Float[Array, " scales"]) -> Float[Array, "scales scales"]:
        """`||Phi_kl||_F^2`."""
        d, r, pi, s, total = self._posterior(g)
        own = sum((di * (1.0 / total + rest)) ** 2 for di, rest in zip(d, _sum_without(pi), strict=True))
        own = own + 2.0 * _pair_products([di * p for di, p in zip(d, pi, strict=True)])
        across = sum(di * b * ri for di, b, ri in zip(d, self.beta_squared, r, strict=True)) / total**2
        alone = jnp.sum((self.alone / (1.0 + g[0] * self.alone)) ** 2)
        first, cross, second = jnp.sum(own) + alone, jnp.sum(across), jnp.sum((s / total) ** 2)
        return jnp.stack([jnp.stack([first, cross]), jnp.stack([cross, second])])

    def step(self, g: Float[Array, " scales"], dg: Float[Array, " scales"]) -> Float[Array, ""]:
        """Bregman divergence in nats of the step from g to g + dg."""
        d, r, _, _, total = self._posterior(g)
        grow = [dg[0] * di for di in d]
        linear, products = _elementary(grow)
        linear, products = linear / total, _elementary(_capped(grow))[1] / total
        for j, b in enumerate(self.beta_squared):
            weight = b * r[j] / total
            others, other_products = sum(_without(grow, j)), _elementary(_capped(_without(grow, j)))[1]
            linear = linear + weight * (dg[1] + g[1] * others)
            products = products + weight * ((g[1] + dg[1]) * other_products + dg[1] * others)
        later = 1.0 + (g[1] + dg[1]) * sum(
            b * ri / (1.0 + x) for b, ri, x in zip(self.beta_squared, r, grow, strict=True)
        )
        log_ratio = sum(jnp.log1p(x) for x in grow) + jnp.log(later / total)
        alone = jnp.sum(excess(dg[0] * self.alone / (1.0 + g[0] * self.alone)))
        return 0.5 * (jnp.sum(step_excess(linear, products, log_ratio)) + alone)

    def complement(
        self, g: Float[Array, " scales"]
    ) -> tuple[Float[Array, " scales"], Float[Array, " scales"]]:
        """`||K_k||_F^2` and `tr(K_k Phi_kk)`."""
        d, r, pi, s, total = self._posterior(g)
        keep = [
            jnp.where(c > 0, ri + g[0] * di * p, 0.0)
            for c, ri, di, p in zip(self.gamma, r, d, pi, strict=True)
        ]
        left = [di * (1.0 / total + rest) for di, rest in zip(d, _sum_without(pi), strict=True)]
        off = 2.0 * _pair_products([g[0] * di * p for di, p in zip(d, pi, strict=True)])
        square = jnp.sum(sum(k**2 for k in keep) + off)
        trace = jnp.sum(sum(k * v for k, v in zip(keep, left, strict=True)) - off / g[0])
        shrink = 1.0 / (1.0 + g[0] * self.alone)
        squares = jnp.stack([square + jnp.sum(shrink**2), jnp.sum(total**-2.0)])
        traces = jnp.stack([trace + jnp.sum(self.alone * shrink**2), jnp.sum(s / total**2)])
        return squares + self.hidden, traces


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ScaledChannels:
    """Other channels in other units: scale k is `sqrt(gain_k)` times an orthonormal one."""

    inner: Any
    gain: Float[Array, " scales"]
    hidden: Float[Array, " scales"]
    """Coefficients of each scale beyond the inner ones: they are always zero."""

    def information(self, g: Float[Array, " scales"]) -> Float[Array, ""]:
        """Nats."""
        return self.inner.information(self.gain * g)

    def mmse(self, g: Float[Array, " scales"]) -> Float[Array, " scales"]:
        """Posterior variance, summed over the coefficients of each scale."""
        return self.gain * self.inner.mmse(self.gain * g)

    def gram(self, g: Float[Array, " scales"]) -> Float[Array, "scales scales"]:
        """`||Phi_kl||_F^2`."""
        return jnp.outer(self.gain, self.gain) * self.inner.gram(self.gain * g)

    def step(self, g: Float[Array, " scales"], dg: Float[Array, " scales"]) -> Float[Array, ""]:
        """Bregman divergence in nats of the step from g to g + dg."""
        return self.inner.step(self.gain * g, self.gain * dg)

    def complement(
        self, g: Float[Array, " scales"]
    ) -> tuple[Float[Array, " scales"], Float[Array, " scales"]]:
        """`||K_k||_F^2` and `tr(K_k Phi_kk)`."""
        squares, traces = self.inner.complement(self.gain * g)
        return squares + self.hidden, self.gain * traces


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DenseBlocks:
    """Any linear scales: whitened Gram matrices `S^(1/2) A_k^T A_k S^(1/2)`, block by block.

    Members that only pad a block have zero rows and columns. Costs O(members^3) per block and point. Unlike the closed
    forms, factorizations lose what the condition number of the whitened precision takes: about six digits are left
    where variance times SNR spans nine orders of magnitude. Where next to none are left, beyond `LOST`, the answer is
    NaN, which the methods of a model refuse with a `ValueError`.
    """

    grams: Float[Array, "blocks scales members members"]
    ranks: Float[Array, "blocks scales"]
    """Largest rank of each Gram matrix: the number of coefficients it comes from, at most the number of members."""
    hidden: Float[Array, " scales"]
    """Coefficients of each scale beyond `ranks`: they are always zero."""

    def precision(self, g: Float[Array, " scales"]) -> Float[Array, "blocks members members"]:
        """What the scales add to the whitened precision."""
        return jnp.einsum("k,bkij->bij", g, self.grams)

    def _covariance(self, g: Float[Array, " scales"]) -> Float[Array, "blocks members members"]:
        root = _inverse_root(self.precision(g))
        return jnp.swapaxes(root, -1, -2) @ root

    def information(self, g: Float[Array, " scales"]) -> Float[Array, ""]:
        """Nats."""
        return _dense_information(self, g)

    def mmse(self, g: Float[Array, " scales"]) -> Float[Array, " scales"]:
        """Posterior variance, summed over the coefficients of each scale."""
        return jnp.einsum("bkij,bji->k", self.grams, self._covariance(g))

    def gram(self, g: Float[Array, " scales"]) -> Float[Array, "scales scales"]:
        """`||Phi_kl||_F^2`."""
        products = jnp.einsum("bkij,bjl->bkil", self.grams, self._covariance(g))
        return jnp.einsum("bkij,blji->kl", products, products)

    def step(self, g: Float[Array, " scales"], dg: Float[Array, " scales"]) -> Float[Array, ""]:
        """Bregman divergence in nats of the step from g to g + dg."""
        return _dense_step(self, g, dg)

    def complement(
        self, g: Float[Array, " scales"]
    ) -> tuple[Float[Array, " scales"], Float[Array, " scales"]]:
        """`||K_k||_F^2` and `tr(K_k Phi_kk)`."""

        def of_scale(k: Any) -> tuple[Any, Any]:
            values = jnp.maximum(self.relative(g.at[k].set(0.0), self.grams[:, k]), 0.0)[:, ::-1]
            used = jnp.arange(self.grams.shape[-1]) < self.ranks[:, k, None]
            keep = jnp.where(used, 1.0 / (1.0 + g[k] * values), 0.0)
            return jnp.sum(keep**2), jnp.sum(values * keep**2)

        squares, traces = jax.lax.map(of_scale, jnp.arange(len(g)))
        return squares + self.hidden, traces

    def relative(
        self, g: Float[Array, " scales"], matrix: Float[Array, "blocks members members"]
    ) -> Float[Array, "blocks members"]:
        """Ascending eigenvalues of `matrix` relative to the posterior precision at g."""
        root = _inverse_root(self.precision(g))
        return _eigenvalues(root @ matrix @ jnp.swapaxes(root, -1, -2))


@jax.custom_jvp
def _inverse_root(
    precision: Float[Array, "*blocks members members"],
) -> Float[Array, "*blocks members members"]:
    """Inverse of the Cholesky factor of `1 + precision`; its derivative is all products."""
    return _one_by_one(_inverse_root_of_one, precision)


@_inverse_root.defjvp
def _inverse_root_jvp(primals: tuple, tangents: tuple) -> tuple:
    root = _inverse_root(*primals)
    turned = root @ tangents[0] @ jnp.swapaxes(root, -1, -2)
    half = jnp.tril(turned) - 0.5 * turned * jnp.eye(turned.shape[-1])
    return root, -half @ root


def _inverse_root_of_one(precision: Float[Array, "members members"]) -> Float[Array, "members members"]:
    identity = jnp.eye(len(precision))
    factor = jnp.linalg.cholesky(identity + precision)
    left = jnp.diagonal(factor) ** 2 / (1.0 + jnp.diagonal(precision))
    root = jax.scipy.linalg.solve_triangular(factor, identity, lower=True)
    return jnp.where(jnp.all(left > LOST), root, jnp.nan)


def _eigenvalues(matrix: Float[Array, "*blocks members members"]) -> Float[Array, "*blocks members"]:
    """Ascending eigenvalues of symmetric matrices."""
    return _one_by_one(jnp.linalg.eigvalsh, matrix)


def _one_by_one(
    function: Callable[[Array], Array], matrices: Float[Array, "*blocks members members"]
) -> Array:
    """A factorization of many matrices, one after the other.

    Given several at once, as also under `jax.vmap`, jaxlib 0.10 shares them out to the threads of its pool and waits
    for these from one of them: as many calls at a time as the pool has threads wait for each other for ever.
    """
    leading = matrices.shape[:-2]
    found = jax.lax.map(function, matrices.reshape(-1, *matrices.shape[-2:]))
    return found.reshape(*leading, *found.shape[1:])


@jax.custom_jvp
def _dense_information(blocks: DenseBlocks, g: Float[Array, " scales"]) -> Float[Array, ""]:
    """Half the log-determinant: eigenvalues are accurate where all are small, pivots where they differ widely."""
    precision = blocks.precision(g)
    values = jnp.maximum(_eigenvalues(precision), 0.0)
    pivots = jnp.diagonal(_inverse_root(precision), axis1=-2, axis2=-1)
    tiny = values[..., -1:] < 1.0
    return jnp.sum(jnp.where(tiny, 0.5 * jnp.log1p(values), -jnp.log(pivots)))


@_dense_information.defjvp
def _dense_information_jvp(primals: tuple, tangents: tuple) -> tuple:
    """Trace form of the derivative: eigenvalues have no second derivative where they coincide."""
    (blocks, g), (dblocks, dg) = primals, tangents
    change = jnp.einsum("k,bkij->bij", dg, blocks.grams) + jnp.einsum("k,bkij->bij", g, dblocks.grams)
    return _dense_information(blocks, g), 0.5 * jnp.sum(blocks._covariance(g) * change)


@jax.custom_jvp
def _dense_step(
    blocks: DenseBlocks, g: Float[Array, " scales"], dg: Float[Array, " scales"]
) -> Float[Array, ""]:
    return 0.5 * jnp.sum(excess(jnp.maximum(blocks.relative(g, blocks.precision(dg)), 0.0)))


@_dense_step.defjvp
def _dense_step_jvp(primals: tuple, tangents: tuple) -> tuple:
    """The divergence changes with dg by `(mmse(g) - mmse(g + dg)) / 2` and with g by that less `(gram dg) / 2`."""
    (blocks, g, dg), (_, g_dot, dg_dot) = primals, tangents
    fall = 0.5 * (blocks.mmse(g) - blocks.mmse(g + dg))
    curvature = 0.5 * blocks.gram(g) @ dg
    return _dense_step(blocks, g, dg), fall @ dg_dot + (fall - curvature) @ g_dot
