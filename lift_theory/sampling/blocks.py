"""The noisy scales of a Gaussian image as small independent blocks, and what is known of each block.

Averaging and interpolation couple few DCT modes to each other, so the coefficients that a sampler carries fall
into many small sets that never meet. Blocks of the same form are kept together, the number of the block on the last
axis: arithmetic is then elementwise over thousands of blocks.

A block has members u (independent, variance one), rows y = F u (clean coefficients of the scales) and noisy rows
z = y + sigma e. Everything a linear sampler does to z is linear, so a law is carried as a matrix with one column per
independent source of randomness: z = Z s with s standard normal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

SMALL = 5
"""Rows and members up to which matrix arithmetic may be written out elementwise."""

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
        """Whether arithmetic is written out: it is where that saves work, in tiny blocks and those with known zeros.

        Full blocks are solved by LAPACK, which is as fast and takes half as long to compile.
        """
        size = max(self.factors.shape[:2])
        full = all(all(row) for row in self.present)
        return size <= 2 or (size <= SMALL and not full)

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
        snr = self.of_rows(jnp.exp(jnp.where(jnp.isinf(logsnr), 0.0, logsnr)))
        members = self.factors.shape[1]
        if members == 0:
            return jnp.zeros((0, *z.shape[1:]))
        weighted = snr * self.factors
        if not self.small:
            precision = jnp.einsum("rib,rjb->bij", weighted, self.factors) + jnp.eye(members)
            told = jnp.einsum("rib,rqb->biq", weighted, z)
            factor = jax.scipy.linalg.cho_factor(precision, lower=True)
            return jnp.moveaxis(jax.scipy.linalg.cho_solve(factor, told), 0, -1)
        column = [[r for r, row in enumerate(self.present) if row[i]] for i in range(members)]
        seen = [i for i in range(members) if column[i]]  # nothing is told of the others: their mean is zero
        lower = [
            [
                sum((weighted[r, i] * self.factors[r, j] for r in column[i] if r in column[j]), jnp.zeros(()))
                + (i == j)
                for j in seen[: place + 1]
            ]
            for place, i in enumerate(seen)
        ]
        zero = jnp.zeros(z.shape[1:])
        told_of = [sum((weighted[r, i] * z[r] for r in column[i]), zero) for i in seen]
        known = dict(zip(seen, _solve(lower, told_of) if seen else [], strict=True))
        return jnp.stack([known.get(i, zero) for i in range(members)])

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
        variance = self.of_rows(jnp.exp(-logsnr))
        rows = len(self.scales)
        if not self.small:
            noise = variance[:, 0] * jnp.eye(rows)
            covariance = jnp.einsum("rib,sib->brs", self.factors, self.factors) + noise
            factor = jax.scipy.linalg.cho_factor(covariance, lower=True)
            return -jnp.moveaxis(jax.scipy.linalg.cho_solve(factor, jnp.moveaxis(z, -1, 0)), 0, -1)
        lower = [
            [
                jnp.sum(self.factors[r] * self.factors[s], axis=0) + (r == s) * variance[r, 0]
                for s in range(r + 1)
            ]
            for r in range(rows)
        ]
        return -jnp.stack(_solve(lower, list(z)))


def _solve(lower: list[list[Any]], right: list[Any]) -> list[Any]:
    """Solution of a positive definite system given by its lower triangle, entry by entry.

    Its derivative is another solution, not that of the elimination: compiled functions stay small.
    """
    size = len(right)

    def product(vector: list[Any]) -> list[Any]:
        return [sum(lower[max(i, j)][min(i, j)] * vector[j] for j in range(size)) for i in range(size)]

    return jax.lax.custom_linear_solve(
        product, right, lambda _, known: _eliminate(lower, known), symmetric=True
    )


def _eliminate(lower: list[list[Any]], right: list[Any]) -> list[Any]:
    """The solution by Cholesky's method."""
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
