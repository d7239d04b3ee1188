"""The proof of `certificates`, spent only on the cells that a path cheaper than a given cost could visit.

The bound of `certificates` is the length of a shortest path through a finite graph: from a corner of a cell at one
stage (a stage is a number of steps taken) to a node of the next stage, which is a corner of cells in its turn.
Three more facts let the graph shrink while the cells get finer.

1. *Stages may have cells of their own.* Let T_i be a set of cells for every stage 0 < i < n, and let U_i be the true
   least sum over the paths whose j-th point lies in T_j for all 0 < j <= i. The argument of `certificates` applies:
   a target cell C of T_(i+1) admits all sources in cells of T_i not above its upper corner, a fixed set, so that
   W_C with this U_i is concave on C and not above U_(i+1), and node values below W_C for all cells C of T_(i+1)
   around the node are needed at corners of such cells only. The graph restricted to T thus bounds the cost of every
   such path from below.
2. *Forwards plus backwards.* With T_i replaced by one of its cells S, fact 1 bounds the paths that pass S at
   stage i. That restricted graph is the paths of the unrestricted one through corners of S and edges out of S, and
   their least length is the forward value of a corner plus the backward value from it, minimised over
   the corners: two sweeps price all cells of all stages.
3. *Pruning.* If that price exceeds a target cost, no path at or below the target passes S at stage i, and S
   leaves T_i. Whatever remains is cut in two along every axis and priced again. Every path either costs more than the
   target or stays in the tube, so that `min(target, bound of the tube)` bounds all paths. A stage without any
   cell left proves the target itself.

An excess cost of x nats keeps a point of the path within a distance proportional to the square root of x, and the
error of the bound falls as the square of the cells' width: the number of cells per stage stays about the same
from level to level while the gap falls by a factor of four.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import real_number, whole_number
from lift_theory.optimize.cells import Cells
from lift_theory.optimize.certificates import Certificate, Task, all_cells
from lift_theory.optimize.lattice import _checked_axes

WORK = 10_000_000_000
"""Pairs of a corner and a cell of the next stage per level beyond which the tube is not refined."""

CELLS = 30_000
"""Evaluations of the model per level beyond which the tube is not refined."""

LEVELS = 12
"""Largest number of bisections."""


def tube_certificate(
    model: Any,
    steps: int,
    axes: Sequence[Float[np.ndarray, " points"]],
    target: float,
) -> Certificate:
    """A proof that no path with `steps` steps costs less than `target` nats, or as near to it as the work allows.

    Args:
        model: a model of Gaussian data: the proof uses its posterior covariance.
        steps: number of steps n.
        axes: ascending log-SNRs in nats of the coarsest cells, one array per scale; the path's ends first and last.
        target: cost to prove, in nats; the nearer to the cost of the best path, the finer the cells it takes.

    Returns:
        Bounds for 1, ..., n steps; the last is `target` where the proof is complete and less otherwise, the
        others are those of the coarsest cells, at least the last.

    Raises:
        TypeError: if `steps` is not an integer or `target` not a number.
        ValueError: if the lattice is empty, not ascending or has the wrong number of axes, or the target is negative.

    Examples:
        >>> import lift_theory as lt
        >>> from lift_theory.optimize import tube_certificate
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.AveragePyramid())
        >>> cost = lt.optimal_path(model, 5, -5.0, 5.0).cost
        >>> proof = tube_certificate(model, 5, [np.linspace(-5.0, 5.0, 17)] * 2, 0.98 * cost)
        >>> bool(proof.bounds[-1] == 0.98 * cost)
        True
    """
    steps = whole_number(steps, name="steps", least=1)
    target = real_number(target, name="target")
    if target < 0:
        raise ValueError(f"target must not be negative, as no cost is; got {target:g} nats.")
    axes = _checked_axes(axes, model.scales)
    task = Task.of(model, steps, axes)
    cells = Cells.halves(model, axes, all_cells(axes))
    tube = [np.arange(len(cells.lower))] * (steps - 1)
    sums = task.sums([cells.stage(chosen) for chosen in tube[:1]] * (steps - 1))
    bounds, counts = task.bounds(sums.finals), [len(cells.lower) // cells.parts]
    while bounds[-1] < target and len(counts) < LEVELS and steps > 1:
        kept = [c[task.bounds(price) <= target] for c, price in zip(tube, sums.prices(), strict=True)]
        if min(len(chosen) for chosen in kept) == 0:
            bounds[-1] = target
            break
        union = np.unique(np.concatenate(kept))
        pairs = sum(len(here) * len(there) for here, there in pairwise(kept)) * cells.parts**3
        if len(union) > CELLS or pairs > WORK:
            break
        cells = Cells.halves(model, cells.axes, cells.lower[union])
        tube = [np.flatnonzero(np.isin(union, chosen)[cells.whole]) for chosen in kept]
        sums = task.sums([cells.stage(chosen) for chosen in tube])
        bounds[-1] = max(bounds[-1], task.bounds(sums.finals)[-1])
        counts.append(len(union))
    bounds[-1] = min(bounds[-1], target)
    # A path with fewer steps is one that stands still at times.
    bounds = np.maximum.accumulate(bounds[::-1])[::-1]
    return Certificate(scales=tuple(model.scales), axes=axes, bounds=bounds, cells=tuple(counts))
