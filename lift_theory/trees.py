"""Gaussian channels of 2x2 averages over any number of levels, in closed form.

Averaging couples the four aliases of a fine DCT mode to one coarse mode, and nothing else: vertically the modes k and
N - k reach the coarse mode k with weights `cos(pi k / 2N)` and `-sin(pi k / 2N)`, and mode N/2 reaches none. Over
several levels the modes form trees. Sweeps up a tree carry the variance of each node given everything finer, sweeps
down carry the precision that everything coarser adds to it.

`HaarTree` sees, per level, the part of the four members that their mean does not explain (the details), and at the
top the scaled means themselves. `PyramidTree` sees the plain means at every level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift_theory.channels import (
    Members,
    RankOneBlocks,
    _capped,
    _elementary,
    _pair_products,
    _sum_without,
    _without,
    step_excess,
)

Scales = Float[Array, " scales"]


def _fold(nodes: Float[Array, "channels height width"]) -> tuple[Members, Members]:
    """Members of each coarse mode (four arrays, zero where absent), and the modes that reach no coarse mode."""

    def pair(array: Any, axis: int) -> tuple[Any, Any, Any]:
        half = array.shape[axis] // 2
        near = jax.lax.slice_in_dim(array, 0, half, axis=axis)
        far = jnp.flip(jax.lax.slice_in_dim(array, half + 1, None, axis=axis), axis)
        pad = [(0, 0)] * array.ndim
        pad[axis] = (1, 0)
        return near, jnp.pad(far, pad), jax.lax.slice_in_dim(array, half, half + 1, axis=axis)

    top, bottom, alone_rows = pair(nodes, 1)
    members: Members = []
    alone: Members = [alone_rows]
    for rows in (top, bottom):
        near, far, alone_columns = pair(rows, 2)
        members += [near, far]
        alone.append(alone_columns)
    alone[2] = alone[2][:, 1:]  # the first of the bottom rows only pads
    return members, alone


def _unfold(members: Members, alone: Members) -> Float[Array, "channels height width"]:
    """The inverse of `_fold`."""

    def join(near: Any, far: Any, middle: Any, axis: int) -> Any:
        far = jax.lax.slice_in_dim(far, 1, None, axis=axis)
        return jnp.concatenate([near, middle, jnp.flip(far, axis)], axis=axis)

    columns = [alone[1], jnp.pad(alone[2], ((0, 0), (1, 0), (0, 0)))]
    rows = [join(members[2 * i], members[2 * i + 1], columns[i], 2) for i in (0, 1)]
    return join(rows[0], rows[1], alone[0], 1)


def _fold_weights(shape: tuple[int, int]) -> list[np.ndarray]:
    """Squared weights of the four members of each coarse mode in their scaled mean; they sum to one."""
    cosines = [np.cos(np.pi * np.arange(n // 2) / (2 * n)) ** 2 for n in shape]
    sines = [np.sin(np.pi * np.arange(n // 2) / (2 * n)) ** 2 for n in shape]
    return [np.outer(v, h)[None] for v in (cosines[0], sines[0]) for h in (cosines[1], sines[1])]


class _Block(NamedTuple):
    """One level on the way up: members' variances given everything finer, and what this level's details add."""

    c: Members
    d: Members
    r: Members
    alone: Members
    s: Any
    nodes: Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class HaarTree:
    """Haar details at every level but the last, and the scaled means of the last.

    Seen from one block of four members with squared weights `w_j` (which sum to one), details at SNR g and mean at
    SNR h give the determinant `sum_j w_j (1 + h c_j) prod_(i != j) (1 + g c_i)`: a mixture over which member carries
    the mean. Every quantity below is an average over that mixture.
    """

    variances: Float[Array, "channels height width"]
    weights: tuple[tuple[Float[Array, "1 height width"], ...], ...]
    """Squared member weights of each level, from the finest."""

    @classmethod
    def from_variances(cls, variances: Float[np.ndarray, "channels height width"], levels: int) -> HaarTree:
        """Trees of the modes with these variances, `levels` deep."""
        height, width = variances.shape[1:]
        weights = [tuple(_fold_weights((height >> level, width >> level))) for level in range(levels - 1)]
        return cls(jnp.asarray(variances), jax.tree.map(jnp.asarray, tuple(weights)))

    def _up(self, g: Scales) -> tuple[list[_Block], Any]:
        blocks, nodes = [], self.variances
        for level, w in enumerate(self.weights):
            c, alone = _fold(nodes)
            r = [1.0 / (1.0 + g[level] * ci) for ci in c]
            d = [ci * ri for ci, ri in zip(c, r, strict=True)]
            s = sum(wi * di for wi, di in zip(w, d, strict=True))
            blocks.append(_Block(c, d, r, alone, s, nodes))
            nodes = s / sum(wi * ri for wi, ri in zip(w, r, strict=True))
        return blocks, nodes

    def _carried(self, level: int, block: _Block, h: Any) -> tuple[Members, Any]:
        """Unnormalised mixture weights of a level when precision h reaches its mean, and their sum."""
        omega = [w * (1.0 + h * c) * r for w, c, r in zip(self.weights[level], block.c, block.r, strict=True)]
        return omega, sum(omega)

    def _down(self, g: Scales, blocks: list[_Block]) -> list[Any]:
        """Precision that reaches the mean of every block of every level from everything coarser."""
        reach: list[Any] = [g[-1]] * len(blocks)
        for level in range(len(blocks) - 1, 0, -1):
            omega, _ = self._carried(level, blocks[level], reach[level])
            members = [
                (w * reach[level] + g[level] * rest) / (w + rest)
                for w, rest in zip(self.weights[level], _sum_without(omega), strict=True)
            ]
            alone = [jnp.full_like(a, 1.0) * g[level] for a in blocks[level].alone]
            reach[level - 1] = _unfold(members, alone)
        return reach

    def information(self, g: Scales) -> Float[Array, ""]:
        """Nats."""
        blocks, top = self._up(g)
        total = jnp.sum(jnp.log1p(g[-1] * top))
        for level, block in enumerate(blocks):
            grow = [g[level] * c for c in block.c]
            details = sum(w * sum(_elementary(_without(grow, j))) for j, w in enumerate(self.weights[level]))
            total = total + jnp.sum(jnp.log1p(details))
            total = total + sum(jnp.sum(jnp.log1p(g[level] * a)) for a in block.alone)
        return 0.5 * total

    def mmse(self, g: Scales) -> Scales:
        """Posterior variance, summed over the coefficients of each scale."""
        blocks, top = self._up(g)
        reach = self._down(g, blocks)
        result = []
        for level, block in enumerate(blocks):
            omega, total = self._carried(level, block, reach[level])
            details = sum(d * rest for d, rest in zip(block.d, _sum_without(omega), strict=True)) / total
            result.append(jnp.sum(details) + sum(jnp.sum(a / (1.0 + g[level] * a)) for a in block.alone))
        return jnp.stack([*result, jnp.sum(top / (1.0 + g[-1] * top))])

    def gram(self, g: Scales) -> Float[Array, "scales scales"]:
        """`||Phi_kl||_F^2`."""
        return self._gram(g)[0]

    def _gram(self, g: Scales) -> tuple[Float[Array, "scales scales"], Scales]:
        """`||Phi_kl||^2`, and the part of its diagonal that lies between different blocks, times `g_k^2`."""
        blocks, top = self._up(g)
        reach = self._down(g, blocks)
        count = len(g)
        result: dict[tuple[int, int], Any] = {(k, m): 0.0 for k in range(count) for m in range(k, count)}
        between: list[Any] = [0.0] * count
        spread: list[Any] = []  # per finer scale, ||Cov(node, that scale below the node)||^2 / Var(node)^2
        for level, (w, block) in enumerate(zip(self.weights, blocks, strict=True)):
            omega, total = self._carried(level, block, reach[level])
            pi = [o / total for o in omega]
            rest = _sum_without(pi)
            c, d, s = block.c, block.d, block.s
            for a in block.alone:
                result[level, level] += jnp.sum((a / (1.0 + g[level] * a)) ** 2)
            own = 2.0 * _pair_products([p * di for p, di in zip(pi, d, strict=True)])
            mean = 0.0
            for i in range(4):
                for j in range(i):
                    own = own + d[i] ** 2 * pi[j] * rest[i] + d[j] ** 2 * pi[i] * rest[j]
                    gap = block.r[i] * block.r[j] * (c[i] - c[j]) / _nonzero(s)
                    mean = mean + w[i] * w[j] * gap**2
            result[level, level] += jnp.sum(own)
            folded = [_fold(below) for below in spread]
            fall = g[level] - reach[level]
            for i in range(4) if folded else ():
                here = d[i] / total * fall
                for j in range(4):
                    # details against one member: squares over pairs of members, the pair with i itself first
                    if j == i:
                        continue
                    lift = w[i] * (block.r[j] + reach[level] * d[j]) + sum(_without(omega, i))
                    detail = w[j] * d[i] ** 2 * (lift / total) ** 2
                    for other in range(j):
                        if other != i:
                            gap = here * block.r[j] * block.r[other] * (c[j] - c[other])
                            detail = detail + w[i] * w[j] * w[other] * gap**2
                    cross = here * d[j]
                    for k, (below, _) in enumerate(folded):
                        result[k, level] += jnp.sum(detail * below[i])
                        for m in range(k, len(folded)):
                            shares = w[i] * w[j] * below[i] * folded[m][0][j]
                            result[k, m] += jnp.sum(cross**2 * shares)
                            if k == m:
                                between[k] += jnp.sum((g[k] * cross) ** 2 * shares)
            for k, (_, loose) in enumerate(folded):
                for a, below_alone in zip(block.alone, loose, strict=True):
                    left = (a / (1.0 + g[level] * a)) ** 2
                    result[k, level] += jnp.sum(left * below_alone)
            spread = [
                sum(w[i] * (d[i] / _nonzero(s)) ** 2 * below[i] for i in range(4)) for below, _ in folded
            ]
            spread.append(mean)
        left = (top / (1.0 + g[-1] * top)) ** 2
        for k, below in enumerate(spread):
            result[k, count - 1] += jnp.sum(left * below)
        result[count - 1, count - 1] += jnp.sum(left)
        matrix = jnp.stack(
            [
                jnp.stack([jnp.asarray(result[min(k, m), max(k, m)]) for m in range(count)])
                for k in range(count)
            ]
        )
        return matrix, jnp.stack([jnp.asarray(b, dtype=jnp.float64) for b in between])

    def step(self, g: Scales, dg: Scales) -> Float[Array, ""]:
        """Determinant ratios up the tree, split into the part linear in dg and the rest, both non-negative."""
        count = len(g)
        blocks, _ = self._up(g)
        ratios = []
        for k in range(count):
            grow = dg[k] * self.variances / (1.0 + g[k] * self.variances)
            ratios.append((grow, jnp.zeros_like(grow), jnp.log1p(grow)))
        total: Any = 0.0
        for level, block in enumerate(blocks):
            folded = [[_fold(part) for part in ratio] for ratio in ratios]
            total = total + sum(
                jnp.sum(step_excess(*parts)) for parts in zip(*(alone for _, alone in folded[0]), strict=True)
            )
            here = list(zip(*(members for members, _ in folded[0]), strict=True))
            ratios = []
            for k in range(level + 1, count):
                omega, norm = self._carried(level, block, g[k])
                carried = list(zip(*(members for members, _ in folded[k - level]), strict=True))
                linear: Any = 0.0
                more: Any = 0.0
                powers = []
                for j in range(4):
                    parts = [carried[j], *_without(here, j)]
                    products = _elementary(_capped([a + b for a, b, _ in parts]))[1]
                    linear = linear + omega[j] / norm * sum(a for a, _, _ in parts)
                    more = more + omega[j] / norm * (products + sum(b for _, b, _ in parts))
                    powers.append(jnp.where(self.weights[level][j] > 0, sum(log for _, _, log in parts), 0.0))
                largest = jnp.maximum(jnp.maximum(powers[0], powers[1]), jnp.maximum(powers[2], powers[3]))
                mixed = sum(o / norm * jnp.exp(p - largest) for o, p in zip(omega, powers, strict=True))
                ratios.append((linear, jnp.minimum(more, 1e70), largest + jnp.log(mixed)))
        return 0.5 * (total + jnp.sum(step_excess(*ratios[0])))

    def complement(self, g: Scales) -> tuple[Scales, Scales]:
        """`||K_k||_F^2` and `tr(K_k Phi_kk)`."""
        blocks, top = self._up(g)
        reach = self._down(g, blocks)
        between = self._gram(g)[1]
        squares, traces = [], []
        for level, block in enumerate(blocks):
            omega, total = self._carried(level, block, reach[level])
            first: Any = 0.0
            second: Any = 0.0
            trace: Any = 0.0
            for j in range(4):
                present = [jnp.asarray(w > 0) for w in _without(list(self.weights[level]), j)]
                keep = [jnp.where(p, r, 0.0) for p, r in zip(present, _without(block.r, j), strict=True)]
                left = _without(block.d, j)
                weight = omega[j] / total
                first = first + weight * sum(keep)
                second = second + weight * _pair_products(keep)
                trace = trace + weight * sum(
                    k * v for i, k in enumerate(keep) for m, v in enumerate(left) if m != i
                )
            details = sum(d * rest for d, rest in zip(block.d, _sum_without(omega), strict=True)) / total
            alone = [(1.0 / (1.0 + g[level] * a), a) for a in block.alone]
            squares.append(
                jnp.sum(first**2 - 2.0 * second) + sum(jnp.sum(r**2) for r, _ in alone) + between[level]
            )
            traces.append(
                jnp.sum(first * details - trace)
                + sum(jnp.sum(a * r**2) for r, a in alone)
                - between[level] / g[level]
            )
        r = 1.0 / (1.0 + g[-1] * top)
        return jnp.stack([*squares, jnp.sum(r**2)]), jnp.stack([*traces, jnp.sum(top * r**2)])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PyramidTree:
    """Plain 2x2 means at every level, the image itself first: an over-complete pyramid."""

    haar: HaarTree
    """The same trees with details instead of means; gives the modes, the weights and the finite steps."""

    @property
    def _weights(self) -> list[Members]:
        return [[w / 4.0 for w in level] for level in self.haar.weights]

    def _up(self, g: Scales) -> tuple[list[Any], list[Any]]:
        """Per level, the variance of each node given everything finer, without and with its own observation."""
        nodes, before, after = self.haar.variances, [], []
        for level, weights in enumerate([*self._weights, None]):
            before.append(nodes)
            after.append(nodes / (1.0 + g[level] * nodes))
            if weights is not None:
                nodes = sum(w * d for w, d in zip(weights, _fold(after[-1])[0], strict=True))
        return before, after

    def _down(self, g: Scales, after: list[Any]) -> list[Any]:
        """Precision that each node of each level gets from everything coarser."""
        reach: list[Any] = [jnp.zeros_like(d) for d in after]
        for level in range(len(after) - 2, -1, -1):
            d, alone = _fold(after[level])
            precision = g[level + 1] + reach[level + 1]
            shares = [w * di for w, di in zip(self._weights[level], d, strict=True)]
            members = [
                w * precision / (1.0 + precision * rest)
                for w, rest in zip(self._weights[level], _sum_without(shares), strict=True)
            ]
            reach[level] = _unfold(members, [jnp.zeros_like(a) for a in alone])
        return reach

    def information(self, g: Scales) -> Float[Array, ""]:
        """Nats."""
        before, _ = self._up(g)
        parts = [jnp.sum(jnp.log1p(g[level] * nodes)) for level, nodes in enumerate(before)]
        return 0.5 * jnp.sum(jnp.stack(parts))

    def mmse(self, g: Scales) -> Scales:
        """Posterior variance, summed over the coefficients of each scale."""
        _, after = self._up(g)
        return jnp.stack(
            [jnp.sum(d / (1.0 + theta * d)) for d, theta in zip(after, self._down(g, after), strict=True)]
        )

    def gram(self, g: Scales) -> Float[Array, "scales scales"]:
        """`||Phi_kl||_F^2`."""
        return self._gram(g)[0]

    def _gram(self, g: Scales) -> tuple[Float[Array, "scales scales"], Scales]:
        """`||Phi_kl||^2`, and the part of its diagonal that lies between different nodes, times `g_k^2`."""
        _, after = self._up(g)
        reach = self._down(g, after)
        count = len(after)
        result: dict[tuple[int, int], Any] = {(k, m): 0.0 for k in range(count) for m in range(k, count)}
        between: list[Any] = [jnp.zeros(())] * count
        spread: list[Any] = []
        for level, (d, theta) in enumerate(zip(after, reach, strict=True)):
            left = (d / (1.0 + theta * d)) ** 2
            spread.append(jnp.ones_like(d))
            for k, below in enumerate(spread):
                result[k, level] += jnp.sum(left * below)
            if level == count - 1:
                break
            folded = [_fold(below)[0] for below in spread]
            w, members = self._weights[level], _fold(d)[0]
            s = sum(wi * di for wi, di in zip(w, members, strict=True))
            precision = g[level + 1] + reach[level + 1]
            link = precision / (1.0 + precision * s)
            for i in range(4):
                for j in range(4):
                    if i == j:
                        continue
                    cross = link * members[i] * members[j]
                    for k in range(level + 1):
                        for m in range(k, level + 1):
                            shares = w[i] * w[j] * folded[k][i] * folded[m][j]
                            result[k, m] += jnp.sum(cross**2 * shares)
                            if k == m:
                                between[k] += jnp.sum((g[k] * cross) ** 2 * shares)
            spread = [
                sum(wi * (di / _nonzero(s)) ** 2 * b for wi, di, b in zip(w, members, below, strict=True))
                for below in folded
            ]
        matrix = jnp.stack(
            [jnp.stack([result[min(k, m), max(k, m)] for m in range(count)]) for k in range(count)]
        )
        return matrix, jnp.stack(between)

    def step(self, g: Scales, dg: Scales) -> Float[Array, ""]:
        """Bregman divergence in nats of the step from g to g + dg."""
        return self.haar.step(haar_snr(g), haar_snr(dg))

    def complement(self, g: Scales) -> tuple[Scales, Scales]:
        """`||K_k||_F^2` and `tr(K_k Phi_kk)`."""
        before, after = self._up(g)
        between = self._gram(g)[1]
        squares, traces = [], []
        for k, (c, d, theta) in enumerate(zip(before, after, self._down(g, after), strict=True)):
            keep = (1.0 + theta * c) / (1.0 + (g[k] + theta) * c)
            squares.append(jnp.sum(keep**2) + between[k])
            traces.append(jnp.sum(keep * d / (1.0 + theta * d)) - between[k] / g[k])
        return jnp.stack(squares), jnp.stack(traces)


def pair_blocks(tree: HaarTree) -> RankOneBlocks:
    """A pyramid of two levels in the form that has no trees: faster, and the same numbers."""
    members, alone = _fold(tree.variances)
    means = jnp.stack([(w * c / 4.0).ravel() for w, c in zip(tree.weights[0], members, strict=True)])
    gamma = jnp.stack([c.ravel() for c in members])
    loose = jnp.concatenate([a.ravel() for a in alone])
    absent = tree.variances.size - jnp.count_nonzero(gamma) - loose.size
    return RankOneBlocks(
        gamma=gamma, beta_squared=means, alone=loose, hidden=jnp.stack([absent.astype(float), jnp.zeros(())])
    )


def haar_snr(g: Float[Array, "... scales"]) -> Float[Array, "... scales"]:
    """SNRs of the Haar split that tells the same as a pyramid at SNRs g: `cumsum(g_k / 4^k)`."""
    return jnp.cumsum(g * 0.25 ** jnp.arange(g.shape[-1]), axis=-1)


def _nonzero(value: Any) -> Any:
    """`value`, with one in place of exact zeros: divisor of a quantity that is zero there as well."""
    return jnp.where(value == 0, 1.0, value)
