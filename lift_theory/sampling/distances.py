"""How far the law of a sampler is from the true one: Wasserstein distance and KL divergence from factors.

A centred Gaussian law is given by a factor Z, covariance `Z Z^T`, (rows, sources, blocks). Covariances are never
formed or subtracted: that would lose half the digits of a small error.

*Wasserstein.* `W2^2 = |A|^2 + |B|^2 - 2 |A^T B|_*` (Bures; Gelbrich 1990). With the orthogonal polar factor Q of
`A^T B` this is `|A - B Q^T|^2 + |B - B Q^T Q|^2`, sums of squares of differences without cancellation. Q is stationary
there, so it counts as constant in derivatives.

*KL.* With triangular factors, `M = B^-1 A` and its diagonal m,
`KL(true || sampled) = (1/2) sum_i (m_i^2 - 1 - log m_i^2) + (1/2) sum_(i > j) M_ij^2`: a sum of non-negative terms, one
per row, each the divergence of a row given those before it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift_theory.channels import excess
from lift_theory.sampling.blocks import SMALL

Factor = Float[Array, "rows sources blocks"]
SWEEPS = 8
"""Jacobi sweeps; they converge quadratically after the third."""


def triangular(factor: Factor) -> Float[Array, "rows rows blocks"]:
    """Lower triangular factor of the same law, with a diagonal that is not negative.

    Modified Gram-Schmidt on the rows, twice for those that nearly vanish; a row that depends on those before it gets a
    zero diagonal.
    """
    rows, sources, _ = factor.shape
    if sources < rows:
        factor = jnp.pad(factor, ((0, 0), (0, rows - sources), (0, 0)))
    if rows > SMALL:
        return _dense_triangular(factor)
    directions: list[Array] = []
    result = []
    for i in range(rows):
        rest = factor[i]
        entries = [jnp.zeros(factor.shape[2])] * rows
        for _ in range(2 if i else 1):
            for j, direction in enumerate(directions):
                along = jnp.sum(direction * rest, axis=0)
                rest = rest - along * direction
                entries[j] = entries[j] + along
        length = _length(rest)
        entries[i] = length
        directions.append(rest / jnp.where(length == 0, 1.0, length))
        result.append(jnp.stack(entries))
    return jnp.stack(result)


def _length(vector: Float[Array, "sources blocks"]) -> Float[Array, " blocks"]:
    square = jnp.sum(vector * vector, axis=0)
    return jnp.where(square == 0, 0.0, jnp.sqrt(jnp.where(square == 0, 1.0, square)))


def _dense_triangular(factor: Factor) -> Float[Array, "rows rows blocks"]:
    upper = jnp.linalg.qr(jnp.moveaxis(factor, -1, 0).swapaxes(1, 2), mode="r")
    signs = jnp.where(jnp.diagonal(upper, axis1=1, axis2=2) < 0, -1.0, 1.0)
    return jnp.moveaxis((signs[:, :, None] * upper).swapaxes(1, 2), 0, -1)


def squared_wasserstein(sampled: Factor, true: Factor) -> Float[Array, "rows blocks"]:
    """Share of every row in the squared 2-Wasserstein distance."""
    turn = jax.lax.stop_gradient(polar(jax.lax.stop_gradient(_products(sampled, true))))
    back = _against(true, turn)
    moved = sampled - back
    unmatched = true - _against(back, jnp.swapaxes(turn, 0, 1))  # where the sampled law has no spread at all
    return jnp.sum(moved * moved, axis=1) + jnp.sum(unmatched * unmatched, axis=1)


def _products(first: Factor, second: Factor) -> Float[Array, "first second blocks"]:
    """`A^T B` block by block."""
    if max(first.shape[:2]) > SMALL:
        return jnp.einsum("rpb,rqb->pqb", first, second)
    return sum(first[r][:, None] * second[r][None] for r in range(len(first)))  # type: ignore[return-value]


def _against(factor: Factor, turn: Float[Array, "first second blocks"]) -> Factor:
    """`B Q^T` block by block."""
    if max(turn.shape[:2]) > SMALL:
        return jnp.einsum("rqb,pqb->rpb", factor, turn)
    return sum(factor[:, None, q] * turn[None, :, q] for q in range(turn.shape[1]))  # type: ignore[return-value]


def polar(matrix: Float[Array, "first second blocks"]) -> Float[Array, "first second blocks"]:
    """The nearest matrix with orthonormal columns on the range of the given one: `U V^T` of its singular vectors.

    One-sided Jacobi rotations, the blocks side by side; directions with singular value zero stay zero.
    """
    first, second, _ = matrix.shape
    if second == 1 and first == 1:
        return jnp.sign(matrix)
    if second > first:
        return jnp.swapaxes(polar(jnp.swapaxes(matrix, 0, 1)), 0, 1)
    if max(first, second) > 2 * SMALL:
        left, values, right = jnp.linalg.svd(jnp.moveaxis(matrix, -1, 0), full_matrices=False)
        kept = left * (values > 1e-15 * values[:, :1])[:, None, :]
        return jnp.moveaxis(kept @ right, 0, -1)
    columns = [matrix[:, j] for j in range(second)]
    turned = [jnp.zeros_like(matrix[:second, 0]).at[j].set(1.0) for j in range(second)]

    def sweep(_: int, state: tuple[list[Array], list[Array]]) -> tuple[list[Array], list[Array]]:
        columns, turned = list(state[0]), list(state[1])
        for p in range(second):
            for q in range(p + 1, second):
                a, b = (jnp.sum(columns[k] ** 2, axis=0) for k in (p, q))
                product = jnp.sum(columns[p] * columns[q], axis=0)
                apart = jnp.abs(product) <= 1e-17 * jnp.sqrt(a) * jnp.sqrt(b)
                gap = (b - a) / jnp.where(apart, 1.0, 2.0 * product)
                tangent = jnp.where(gap < 0, -1.0, 1.0) / (jnp.abs(gap) + jnp.sqrt(1.0 + gap * gap))
                tangent = jnp.where(apart, 0.0, tangent)
                c = 1.0 / jnp.sqrt(1.0 + tangent * tangent)
                s = c * tangent
                for vectors in (columns, turned):
                    vectors[p], vectors[q] = c * vectors[p] - s * vectors[q], s * vectors[p] + c * vectors[q]
        return columns, turned

    columns, turned = jax.lax.fori_loop(0, SWEEPS, sweep, (columns, turned))
    result: Array = jnp.zeros_like(matrix)
    for column, row in zip(columns, turned, strict=True):
        length = _length(column)
        unit = column / jnp.where(length == 0, 1.0, length)
        result = result + unit[:, None] * row[None]
    return result


def divergence(sampled: Factor, true: Factor) -> Float[Array, "rows blocks"]:
    """KL(true || sampled) in nats, row by row given the rows before.

    Both factors are lower triangular. Infinite where one law has no spread in a direction in which the other has;
    rows that vanish in both count nothing.
    """
    rows = len(sampled)
    own = jnp.stack([sampled[i, i] for i in range(rows)])
    pivot = jnp.where(own > 0, own, 1.0)
    if rows > SMALL:
        a, b = (jnp.moveaxis(f, -1, 0) for f in (true, sampled + jnp.where(own > 0, 0.0, 1.0) * _eye(rows)))
        ratio = jnp.moveaxis(jax.scipy.linalg.solve_triangular(b, a, lower=True), 0, -1)
        off = jnp.stack([jnp.sum(ratio[i, :i] ** 2, axis=0) for i in range(rows)])
    else:
        solved: list[list[Array]] = []
        for i in range(rows):
            row = []
            for j in range(i + 1):
                rest = true[i, j] - sum((sampled[i, k] * solved[k][j] for k in range(j, i)), jnp.zeros(()))
                row.append(rest / pivot[i])
            solved.append(row)
        off = jnp.stack(
            [sum((x * x for x in solved[i][:i]), jnp.zeros(sampled.shape[2])) for i in range(rows)]
        )
    meets = jnp.stack([true[i, i] for i in range(rows)])
    regular = (own > 0) & (meets > 0)
    growth = jnp.where(regular, (meets - own) / pivot, 0.0)
    growth = growth * (2.0 + growth)  # the squared ratio of the pivots, less one
    proper = 0.5 * (excess(growth) + off)
    return jnp.where(regular, proper, jnp.where((own == 0) & (meets == 0), 0.5 * off, jnp.inf))


def _eye(rows: int) -> Float[Array, "rows rows 1"]:
    return jnp.eye(rows)[:, :, None]


def distances(
    sampled: Float[np.ndarray, "blocks rows sources"], true: Float[np.ndarray, "blocks rows others"]
) -> Float[np.ndarray, " 2"]:
    """Squared W2 and KL(true || sampled) of any two laws, singular ones too, summed over blocks; in NumPy.

    KL is taken in coordinates in which the true law has independent components, those that vanish in both laws left
    out.
    """
    left, values, right = np.linalg.svd(np.swapaxes(sampled, 1, 2) @ true, full_matrices=False)
    turn = (left * (values > 1e-15 * values[:, :1])[:, None, :]) @ right
    back = true @ np.swapaxes(turn, 1, 2)
    squared = np.sum((sampled - back) ** 2) + np.sum((true - back @ turn) ** 2)

    axes = np.swapaxes(np.linalg.svd(true)[0], 1, 2)
    size = np.maximum(np.abs(sampled).max(axis=(1, 2)), np.abs(true).max(axis=(1, 2)))[:, None, None]
    laws = []
    for factor in (sampled, true):
        turned = axes @ factor
        turned = np.where(np.abs(turned) > 1e-14 * size, turned, 0.0)
        rows = turned.shape[1]
        wide = np.concatenate([turned, np.zeros((len(turned), rows, rows))], axis=2)
        upper = np.linalg.qr(np.swapaxes(wide, 1, 2), mode="r")
        signs = np.where(np.diagonal(upper, axis1=1, axis2=2) < 0, -1.0, 1.0)
        laws.append(np.swapaxes(signs[:, :, None] * upper, 1, 2))
    floor = 1e-14 * size[:, 0]
    there = [np.diagonal(law, axis1=1, axis2=2) > floor for law in laws]
    if np.any(there[0] != there[1]):
        return np.array([squared, np.inf])
    missing = np.where(there[0], 0.0, 1.0)[:, :, None] * np.eye(there[0].shape[1])
    own, other = (np.where(there[0][:, :, None], law, 0.0) + missing for law in laws)
    ratio = np.linalg.solve(own, other)
    pivots = [np.diagonal(law, axis1=1, axis2=2) for law in (own, other)]
    growth = (pivots[1] - pivots[0]) / pivots[0]
    kl = 0.5 * (
        np.sum(np.asarray(excess(jnp.asarray(growth * (2.0 + growth))))) + np.sum(np.tril(ratio, -1) ** 2)
    )
    return np.array([squared, kl])
