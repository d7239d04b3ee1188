"""The noisy scales of a Gaussian image as small independent blocks, and what is known of each block.

Averaging and interpolation couple few DCT modes to each other, so the coefficients that a sampler carries fall
into many small sets that never meet. Blocks of the same form are kept together, the number of the block on the last
axis: arithmetic is then elementwise over thousands of blocks.

A block has members u (independent, variance one), rows y = F u (clean coefficients of the scales) and noisy rows
z = y + sigma e. Everything a linear sampler does to z is linear, so a law is carried as a matrix with one column per
independent source of randomness: z = Z s with s standard normal.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

SMALL = 5
"""Rows and members up to which matrix arithmetic is written out elementwise."""

Rows = Float[Array, "rows sources blocks"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Blocks of one form.

    Attributes:
        factors: F, (rows, members, blocks); members without any effect are zero columns.
        image: how image modes are read from the rows, (modes, rows, blocks).
        scales: number of the scale that each row belongs to.
        present: where `factors` is not zero in every block.
    """

    factors: Float[Array, "rows members blocks"]
    image: Float[Array, "modes rows blocks"]
    scales: tuple[int, ...] = field(metadata={"static": True})
    present: tuple[tuple[bool, ...], ...] = field(metadata={"static": True})

    @property
    def small(self) -> bool:
        """Whether arithmetic is written out, entry by entry over all blocks: several times as fast as LAPACK."""
        return max(self.factors.shape[:2]) <= SMALL

    def of_rows(self, per_scale: Float[Array, " scales"]) -> Float[Array, "rows 1 1"]:
        """One value per scale, spread to the rows."""
        return per_scale[jnp.array(self.scales)][:, None, None]

    def noisy(self, sigma: Float[Array, " scales"]) -> Rows:
        """The law of all rows at given noise levels: clean part and noise."""
        rows, _, blocks = self.factors.shape
        noise = self.of_rows(sigma) * jnp.eye(rows)[:, :, None]
        return jnp.concatenate([self.factors, jnp.broadcast_to(noise, (rows, rows, blocks))], axis=1)

    def estimate(self, z: Rows, logsnr: Float[Array, " scales"]) -> Float[Array, "members sources blocks"]:
        """Posterior mean of the members given the noisy rows."""
        if self.factors.shape[1] == 0:
            return jnp.zeros((0, *z.shape[1:]))
        snr = self.of_rows(jnp.exp(jnp.where(jnp.isinf(logsnr), 0.0, logsnr)))
        return _posterior_mean(self, snr, z)

    def solved_by_precision(
        self, snr: Float[Array, "rows 1 1"], right: Float[Array, "members sources blocks"]
    ) -> Float[Array, "members sources blocks"]:
        """`(1 + F^T S F)^-1` applied block by block."""
        members = self.factors.shape[1]
        weighted = snr * self.factors
        if not self.small:
            precision = jnp.einsum("rib,rjb->bij", weighted, self.factors) + jnp.eye(members)
            return _solve_dense(precision, right)
        shared = [
            [[r for r, row in enumerate(self.present) if row[i] and row[j]] for j in range(i + 1)]
            for i in range(members)
        ]
        lower = [
            [
                sum((weighted[r, i] * self.factors[r, j] for r in rows), jnp.zeros(())) + (i == j)
                for j, rows in enumerate(of_member)
            ]
            for i, of_member in enumerate(shared)
        ]
        return jnp.stack(_eliminate(lower, list(right)))

    def solved_by_covariance(self, variance: Float[Array, "rows 1 1"], right: Rows) -> Rows:
        """`(F F^T + V)^-1` applied block by block."""
        rows = len(self.scales)
        if not self.small:
            noise = variance[:, 0] * jnp.eye(rows)
            return _solve_dense(jnp.einsum("rib,sib->brs", self.factors, self.factors) + noise, right)
        lower = [
            [
                jnp.sum(self.factors[r] * self.factors[s], axis=0) + (r == s) * variance[r, 0]
                for s in range(r + 1)
            ]
            for r in range(rows)
        ]
        return jnp.stack(_eliminate(lower, list(right)))

    def told(self, weighted: Rows) -> Float[Array, "members sources blocks"]:
        """`F^T` applied to rows."""
        if not self.small:
            return jnp.einsum("rib,rqb->iqb", self.factors, weighted)
        zero = jnp.zeros(weighted.shape[1:])
        return jnp.stack(
            [
                sum((self.factors[r, i] * weighted[r] for r, row in enumerate(self.present) if row[i]), zero)
                for i in range(self.factors.shape[1])
            ]
        )

    def clean(self, members: Float[Array, "members sources blocks"]) -> Rows:
        """Rows y = F u."""
        if not self.small:
            return jnp.einsum("rib,iqb->rqb", self.factors, members)
        zero = jnp.zeros(members.shape[1:])
        return jnp.stack(
            [
                sum((self.factors[r, i] * members[i] for i, there in enumerate(row) if there), zero)
                for r, row in enumerate(self.present)
            ]
        )

    def denoise(self, z: Rows, logsnr: Float[Array, " scales"]) -> Rows:
        """Posterior mean of the clean rows given the noisy ones."""
        return self.clean(self.estimate(z, logsnr))

    def score(self, z: Rows, logsnr: Float[Array, " scales"]) -> Rows:
        """Gradient of the log-density of the noisy rows, `-Cov(z)^-1 z`."""
        return _score(self, self.of_rows(jnp.exp(-logsnr)), z)


# Derivatives are solutions with the same matrices. Left to automatic differentiation, elimination compiles to
# programs that are larger and many times slower.


@jax.custom_vjp
def _posterior_mean(
    blocks: Blocks, snr: Float[Array, "rows 1 1"], z: Rows
) -> Float[Array, "members sources blocks"]:
    return blocks.solved_by_precision(snr, blocks.told(snr * z))


def _posterior_mean_forward(blocks: Blocks, snr: Array, z: Array) -> tuple[Array, tuple[Any, ...]]:
    mean = _posterior_mean(blocks, snr, z)
    return mean, (blocks, snr, z, mean)


def _posterior_mean_backward(kept: tuple[Any, ...], slope: Array) -> tuple[Blocks, Array, Array]:
    blocks, snr, z, mean = kept
    adjoint = blocks.solved_by_precision(snr, slope)
    seen, left = blocks.clean(adjoint), z - blocks.clean(mean)
    return (
        _of_factors(blocks, snr * (_outer(left, adjoint) - _outer(seen, mean))),
        jnp.sum(seen * left, axis=(1, 2), keepdims=True),
        snr * seen,
    )


_posterior_mean.defvjp(_posterior_mean_forward, _posterior_mean_backward)


@jax.custom_vjp
def _score(blocks: Blocks, variance: Float[Array, "rows 1 1"], z: Rows) -> Rows:
    return -blocks.solved_by_covariance(variance, z)


def _score_forward(blocks: Blocks, variance: Array, z: Array) -> tuple[Array, tuple[Any, ...]]:
    score = _score(blocks, variance, z)
    return score, (blocks, variance, score)


def _score_backward(kept: tuple[Any, ...], slope: Array) -> tuple[Blocks, Array, Array]:
    blocks, variance, score = kept
    adjoint = -blocks.solved_by_covariance(variance, slope)
    pulled = _outer(adjoint, blocks.told(score)) + _outer(score, blocks.told(adjoint))
    return (
        _of_factors(blocks, pulled),
        jnp.sum(adjoint * score, axis=(1, 2), keepdims=True),
        adjoint,
    )


_score.defvjp(_score_forward, _score_backward)


def _outer(
    rows: Rows, members: Float[Array, "members sources blocks"]
) -> Float[Array, "rows members blocks"]:
    return jnp.einsum("rqb,iqb->rib", rows, members)


def _of_factors(blocks: Blocks, slope: Float[Array, "rows members blocks"]) -> Blocks:
    """A slope in the factors as one in blocks."""
    return replace(blocks, factors=slope, image=jnp.zeros_like(blocks.image))


def _solve_dense(
    matrix: Float[Array, "blocks size size"], right: Float[Array, "size sources blocks"]
) -> Float[Array, "size sources blocks"]:
    """Solution of positive definite systems by LAPACK."""
    factor = jax.scipy.linalg.cho_factor(matrix, lower=True)
    return jnp.moveaxis(jax.scipy.linalg.cho_solve(factor, jnp.moveaxis(right, -1, 0)), 0, -1)


def _eliminate(lower: list[list[Any]], right: list[Any]) -> list[Any]:
    """Solution of a positive definite system given by its lower triangle, by Cholesky's method entry by entry."""
    size = len(right)
    root: list[list[Any]] = []
    inverse: list[Any] = []
    for i in range(size):
        row: list[Any] = []
        for j in range(i):
            rest = lower[i][j] - sum((row[k] * root[j][k] for k in range(j)), jnp.zeros(()))
            row.append(rest * inverse[j])
        pivot = lower[i][i] - sum((x * x for x in row), jnp.zeros(()))
        inverse.append(1.0 / jnp.sqrt(pivot))
        root.append(row)
    forward: list[Any] = []
    for i in range(size):
        rest = right[i] - sum((root[i][k] * forward[k] for k in range(i)), jnp.zeros(()))
        forward.append(rest * inverse[i])
    result: list[Any] = [None] * size
    for i in range(size - 1, -1, -1):
        rest = forward[i] - sum((root[k][i] * result[k] for k in range(i + 1, size)), jnp.zeros(()))
        result[i] = rest * inverse[i]
    return result
