"""A proof that no path with n steps, on a lattice or off it, costs less than a stated number of nats.

Let `c = mmse / 2`, a vector with one entry per scale, and let `U_i(g)` be the least left Riemann sum of c over i
steps from the start to g, so that the least path KL is `U_n(stop) - [I(stop) - I(start)]` and

    U_(i+1)(g') = inf over g <= g' of U_i(g) + c(g) . (g' - g).                                   (1)

The infimum runs over a continuum. Three facts turn (1) into a finite program whose value is never too large.

1. *Concavity in the target.* For a fixed set of sources the right side of (1) is an infimum of affine functions of
   g', hence concave. For g' in a lattice cell with corners l < u, allow all sources g <= u instead of g <= g': the
   infimum can only fall, and the result is concave on the cell. A concave function lies above the multilinear
   interpolant of its corner values (the interpolation weights are convex), so that lower bounds at the lattice
   nodes are lower bounds everywhere in between. A node gets the largest source set of the cells around it.
   The costs this admits beyond (1) are still Bregman divergences and non-negative.
2. *Convexity of the error in the source.* For Gaussian data `mmse_k(g) = tr A_k (S^-1 + sum g_l A_l^T A_l)^-1 A_k^T`
   is convex in g, because inversion is operator convex. So in a cell c_j lies above its tangent t_j at the centre,
   which needs nothing but mmse and metric there (`dc_j/dg_k = -E||Phi_jk||^2 / 2`). Where g'_j < g_j, which
   only relaxed sources reach and by at most the cell's width h_j, c_j is below `t_j + e_j` with e_j the largest
   excess over the tangent at the corners, at the price of a slack `h_j e_j`.
3. *The remaining minimum is explicit.* With 1 and 2, the function to be minimised over a cell is a multilinear
   interpolant plus `sum_j (g'_j - g_j) t_j(g)`. Its second derivative along axis k is the constant
   `E||Phi_kk||^2` at the centre, and a function with second derivatives at most m_k along the axes is nowhere on a
   box more than `sum_k m_k h_k^2 / 8` below its least corner value.

Each corner of each cell thus offers an affine function of the target, and the lower envelopes of `lattice` do the
rest. All errors are of second order in the width of the cells: with m cells per scale, placed where the best
path needs them, the gap is about a constant times `(n / m)^2`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import whole_number
from lift_theory.optimize.lattice import _checked_axes, lattice_points
from lift_theory.optimize.traceable import evaluate_mmse, evaluate_tangents

ROUNDING_PER_COEFFICIENT = 1e-13
"""Nats granted to rounding, per coefficient and step."""

ROUNDING_OF_SUMS = 64 * np.finfo(float).eps
"""Share of a left Riemann sum and of the information that is granted to rounding: their difference is the bound.

Both are as accurate as this in every closed form; with `DenseBlocks` they lose digits once the posterior precision's
condition number passes 1e3, and a bound is then only as good as the model's own numbers.
"""


def rounding(model: Any, steps: Any, sums: Any, information: float) -> Any:
    """What is taken off a bound of `sums - information` so that rounding cannot make it too large, nats."""
    per_coefficient = ROUNDING_PER_COEFFICIENT * float(sum(model.sizes)) * steps
    return per_coefficient + ROUNDING_OF_SUMS * (np.abs(sums) + abs(information))


@dataclass(frozen=True, kw_only=True, eq=False)
class Certificate:
    """Lower bounds on the path KL of every monotone path between two points, for every step count.

    Attributes:
        scales: names of the scales.
        axes: log-SNRs of the nodes of the cells the proof is built on.
        bounds: `bounds[i]` holds for all paths with i + 1 steps, nats.
        cells: cells evaluated on each level of refinement.
    """

    scales: tuple[str, ...]
    axes: tuple[Float[np.ndarray, " points"], ...]
    bounds: Float[np.ndarray, " steps"]
    cells: tuple[int, ...] = ()


def cell_certificate(
    model: Any,
    steps: int,
    axes: Sequence[Float[np.ndarray, " points"]],
    *,
    mmse: Float[np.ndarray, "lattice scales"] | None = None,
) -> Certificate:
    """Lower bounds on the path KL over all real paths with 1, 2, ..., `steps` steps between the ends of `axes`.

    Args:
        model: a model of Gaussian data: the proof uses that its mmse is convex in the SNRs.
        steps: largest number of steps.
        axes: ascending log-SNRs in nats, one array per scale; the path's ends first and last.
        mmse: the model's mmse at `lattice_points(axes)`, where it is known already.

    Raises:
        TypeError: if `steps` is not an integer.
        ValueError: if the lattice is empty, not ascending or has the wrong number of axes.
    """
    from lift_theory.optimize._kernels import cell_step

    steps = whole_number(steps, name="steps", least=1)
    axes = _checked_axes(axes, model.scales)
    scales = len(axes)
    snrs = [np.exp(axis) for axis in axes]
    shape = tuple(len(axis) for axis in axes)
    cells = tuple(max(1, m - 1) for m in shape)
    centres = [0.5 * (x[:-1] + x[1:]) if len(x) > 1 else x for x in snrs]
    widths = lattice_points([np.diff(x) if len(x) > 1 else np.zeros(1) for x in snrs]).reshape(*cells, scales)

    nodes = lattice_points(snrs).reshape(*shape, scales)
    errors = evaluate_mmse(model, lattice_points(axes)) if mmse is None else mmse
    at_nodes = 0.5 * errors.reshape(*shape, scales)
    ends = np.stack([np.log(nodes[(0,) * scales]), np.log(nodes[(-1,) * scales])])
    gain = np.asarray(model.mutual_information(ends), dtype=float)
    information_gain = float(gain[1] - gain[0])
    middle = lattice_points(centres)
    error, metric = evaluate_tangents(model, np.log(middle))
    c = 0.5 * error.reshape(*cells, scales)
    gram = (2.0 * metric / (middle[:, :, None] * middle[:, None, :])).reshape(*cells, scales, scales)
    dip = np.einsum("...k,...kk->...", widths**2, gram) / 8.0

    corners, excess = [], np.zeros((*cells, scales))
    for choice in itertools.product(*[(0, 1) if m > 1 else (0,) for m in shape]):
        window = tuple(slice(s, s + n) for s, n in zip(choice, cells, strict=True))
        offset = nodes[window] - middle.reshape(*cells, scales)
        tangent = c - 0.5 * np.einsum("...kl,...l->...k", gram, offset)
        excess = np.maximum(excess, at_nodes[window] - tangent)
        corners.append((window, tangent))
    families = []
    for window, tangent in corners:
        lowered = tangent.copy()
        lowered[..., -1] = np.minimum.accumulate(tangent[..., -1], axis=-1)
        slack = widths * excess
        slack[..., -1] += widths[..., -1] * (tangent - lowered)[..., -1]
        base = -np.sum(lowered * nodes[window], axis=-1) - dip
        families.append((window, lowered, slack, base))

    rows = int(np.prod(cells[:-1]))
    cell_index = (
        np.stack(np.unravel_index(np.arange(rows), cells[:-1]), -1).reshape(rows, scales - 1)
        if scales > 1
        else np.zeros((1, 0), int)
    )
    node_rows = int(np.prod(shape[:-1]))
    node_index = (
        np.stack(np.unravel_index(np.arange(node_rows), shape[:-1]), -1)
        if scales > 1
        else np.zeros((1, 0), int)
    )
    node_table = np.stack(
        [node_index.astype(float), nodes.reshape(node_rows, shape[-1], scales)[:, 0, :-1]], axis=-1
    )

    start, stop = nodes[(0,) * scales], nodes[(-1,) * scales]
    bound = (nodes - start) @ at_nodes[(0,) * scales]
    results = [float(bound[(-1,) * scales])]
    for count in range(2, steps + 1):
        final = min(
            float(np.min(bound[window] + base + lowered @ stop)) for window, lowered, _, base in families
        )
        results.append(final)
        if count == steps:
            break
        following = np.full(shape, np.inf)
        for window, lowered, slack, base in families:
            heights = (bound[window] + base).reshape(rows, cells[-1])
            best = cell_step(
                heights,
                lowered.reshape(rows, cells[-1], scales),
                slack.reshape(rows, cells[-1], scales),
                cell_index,
                node_table,
                snrs[-1],
            )
            following = np.minimum(following, best.reshape(shape))
        bound = following
    sums = np.array(results)
    allowance = rounding(model, np.arange(1, steps + 1), sums, float(gain[1]))
    bounds = np.maximum(sums - information_gain - allowance, 0.0)
    return Certificate(scales=tuple(model.scales), axes=axes, bounds=bounds, cells=(len(middle),))
