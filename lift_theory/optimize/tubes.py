"""The proof of `certificates`, spent only on the cells that a path cheaper than a given cost could visit.

The bound of `certificates` is the length of a shortest path through a finite graph: from a corner of a cell at one
stage (a stage is a number of steps taken) to a node of the next stage, which is a corner of cells in its turn.
Four more facts let the graph shrink while the cells get finer.

1. *Stages may have cells of their own.* Let T_i be a set of cells for every stage 0 < i < n. The argument of
   `certificates` applies to the paths whose i-th point lies in T_i for all i: sources are the cells of T_i, node values
   are needed at corners of cells of T_(i+1) only, and for such a target cell all sources in T_i not above
   its upper corner are admitted, a fixed set, so that the bound is concave on it. The graph
   restricted to T thus bounds the cost of every such path from below.
2. *Forwards plus backwards.* With T_i replaced by one of its cells S, fact 1 bounds the paths that pass S at
   stage i. That restricted graph is the paths of the unrestricted one through corners of S and edges out of S, and
   their least length is the forward value of a corner plus the backward value from it, minimised over
   the corners: two sweeps price all cells of all stages.
3. *Pruning.* If that price exceeds a target cost, no path at or below the target passes S at stage i, and S
   leaves T_i. Whatever remains is cut in two along every axis and priced again. Every path either costs more than the
   target or stays in the tube, so that `min(target, bound of the tube)` bounds all paths. A stage without any
   cell left proves the target itself.
4. *Excess over the tangent without evaluation.* Slack e_j is needed where c_j is evaluated above a source's target.
   Let P be the posterior precision, P_0 that at the centre of the cell, and tau the largest `|g_k - g_0k| / g_0k` in
   the cell, less than one. `D = P - P_0` lies between `-tau P_0` and `tau P_0` as a matrix, because the prior's
   share of P_0 does not change and is not negative. Hence
   `P^-1 - P_0^-1 + P_0^-1 D P_0^-1 = P_0^-1 D P^-1 D P_0^-1` is at most `tau^2 / (1 - tau) P_0^-1`, and
   `e_j = c_j(g_0) tau^2 / (1 - tau)` suffices.

An excess cost of x nats keeps a point of the path within a distance proportional to the square root of x, and the
error of the bound falls as the square of the cells' width: the number of cells per stage stays about the same
from level to level while the gap falls by a factor of four.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lift_theory._validation import real_number, whole_number
from lift_theory.optimize.certificates import Certificate, rounding
from lift_theory.optimize.lattice import _checked_axes, lattice_points
from lift_theory.optimize.traceable import evaluate_mmse, evaluate_tangents

WORK = 2_000_000_000
"""Pairs of a corner and a node per level beyond which the tube is not refined."""

CELLS = 30_000
"""Cells of a level, all stages together, beyond which the tube is not refined."""

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
    ends = np.stack([[axis[0] for axis in axes], [axis[-1] for axis in axes]])
    information = np.asarray(model.mutual_information(ends), dtype=float)
    gain = information[1] - information[0]
    first = 0.5 * evaluate_mmse(model, ends[:1])[0]

    grid = axes
    chosen = lattice_points([np.arange(max(1, len(axis) - 1)) for axis in axes])
    stages = [np.arange(len(chosen))] * (steps - 1)
    bounds, counts = np.zeros(steps), []
    for level in range(LEVELS):
        cells = _Cells.of(model, grid, chosen)
        counts.append(len(chosen))
        form = _Grid if level == 0 else _Tube
        tube = form(
            cells=cells.falling() if level == 0 else cells,
            stages=stages,
            start=np.exp(ends[0]),
            stop=np.exp(ends[1]),
            slope=first,
        )
        sums, prices = tube.sweep()
        here = np.maximum(sums - gain - rounding(model, steps, sums, information[1]), 0.0)
        if level == 0:
            bounds = here
        bounds[-1] = max(bounds[-1], min(here[-1], target))
        if bounds[-1] >= target:
            break
        kept = [
            stage[price - gain - rounding(model, steps, price, information[1]) <= target]
            for stage, price in zip(stages, prices, strict=True)
        ]
        grid = tuple(_bisected(axis) for axis in grid)
        chosen, stages = _children(chosen, kept, grid)
        pairs = sum(len(stage) for stage in stages) * max((len(stage) for stage in stages), default=0)
        if len(chosen) == 0 or len(chosen) > CELLS or pairs << len(axes) > WORK:
            break
    bounds[-1] = min(bounds[-1], target)
    bounds = np.maximum.accumulate(bounds[::-1])[
        ::-1
    ]  # a path with fewer steps is one that stands still at times
    return Certificate(scales=tuple(model.scales), axes=axes, bounds=bounds, cells=tuple(counts))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cells:
    """Cells with everything the proof needs of them; corner j of a cell is `lower + choices[j]`."""

    lower: Int[np.ndarray, "cells scales"]
    index: Int[np.ndarray, "cells corners scales"]
    corners: Float[np.ndarray, "cells corners scales"]
    slopes: Float[np.ndarray, "cells corners scales"]
    slack: Float[np.ndarray, "cells scales"]
    dip: Float[np.ndarray, " cells"]
    shape: tuple[int, ...]

    @staticmethod
    def of(
        model: Any, axes: Sequence[Float[np.ndarray, " points"]], lower: Int[np.ndarray, "cells scales"]
    ) -> _Cells:
        """Tangents of half the mmse at the centres of cells, at their corners."""
        choices = np.array(list(itertools.product(*[(0, 1) if len(axis) > 1 else (0,) for axis in axes])))
        index = lower[:, None, :] + choices
        snrs = [np.exp(axis) for axis in axes]
        corners = np.stack([snr[index[..., k]] for k, snr in enumerate(snrs)], axis=-1)
        low, high = corners[:, 0], corners[:, -1]
        middle, widths = 0.5 * (low + high), high - low
        error, metric = evaluate_tangents(model, np.log(middle))
        gram = 2.0 * metric / (middle[:, :, None] * middle[:, None, :])
        c = 0.5 * error
        slopes = c[:, None, :] - 0.5 * np.einsum("ckl,cjl->cjk", gram, corners - middle[:, None, :])
        tau = np.max(0.5 * widths / middle, axis=1, keepdims=True)
        return _Cells(
            lower=lower,
            index=index,
            corners=corners,
            slopes=slopes,
            slack=widths * c * tau**2 / (1.0 - tau),
            dip=np.einsum("ck,ckk->c", widths**2, gram) / 8.0,
            shape=tuple(len(axis) for axis in axes),
        )

    def falling(self) -> _Cells:
        """A full grid with the last slopes lowered until they fall along the last axis, as envelopes need it.

        A lower slope lowers the bound where the target is above the corner, and where it is below, which is no
        further than the cell's width, the difference joins the slack.
        """
        scales = self.lower.shape[1]
        grid = (-1, max(1, self.shape[-1] - 1), self.slopes.shape[1])
        last = self.slopes[..., -1]
        lowered = np.minimum.accumulate(last.reshape(grid), axis=1).reshape(last.shape)
        slopes, slack = self.slopes.copy(), self.slack.copy()
        slopes[..., -1] = lowered
        widths = self.corners[:, -1] - self.corners[:, 0]
        slack[:, scales - 1] += widths[:, -1] * np.max(last - lowered, axis=1)
        return replace(self, slopes=slopes, slack=slack)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tube:
    """Cells for every stage, as positions in `cells`, and the two sweeps over them."""

    cells: _Cells
    stages: list[Int[np.ndarray, " chosen"]]
    start: Float[np.ndarray, " scales"]
    stop: Float[np.ndarray, " scales"]
    slope: Float[np.ndarray, " scales"]

    def sweep(self) -> tuple[Float[np.ndarray, " steps"], list[Float[np.ndarray, " chosen"]]]:
        """Least sums into the stop after 1, ..., n steps, and the least sum of n steps through every cell."""
        cells, count = self.cells, len(self.stages)
        finals = [float((self.stop - self.start) @ self.slope)]
        nodes = [_Nodes.of(cells, stage) for stage in self.stages]
        own = np.einsum("cjk,cjk->cj", cells.slopes, cells.corners) + cells.dip[:, None]
        to_stop = cells.slopes @ self.stop
        heights: list[np.ndarray] = []
        for i, stage in enumerate(self.stages):
            values = (nodes[0].snrs - self.start) @ self.slope
            if i > 0:
                values = self.reach(heights[-1], self.stages[i - 1], nodes[i])
            heights.append(values[nodes[i].corner] - own[stage])
            finals.append(float(np.min(heights[-1] + to_stop[stage], initial=np.inf)))
        prices: list[np.ndarray] = []
        onward = np.empty(0)
        for i in range(count - 1, -1, -1):
            stage = self.stages[i]
            leaving = to_stop[stage] if i == count - 1 else self.leave(stage, nodes[i + 1], onward)
            prices.append(np.min(heights[i] + leaving, axis=1, initial=np.inf))
            onward = np.full(len(nodes[i].index), np.inf)
            np.minimum.at(onward, nodes[i].corner, leaving - own[stage])
        return np.array(finals), prices[::-1]

    def reach(self, heights: np.ndarray, stage: np.ndarray, nodes: _Nodes) -> np.ndarray:
        """Least sums into nodes from the cells of the stage before."""
        from lift_theory.optimize._tube_kernels import reach_nodes

        cells = self.cells
        return reach_nodes(
            heights, cells.slopes[stage], cells.slack[stage], cells.lower[stage], nodes.index, nodes.snrs
        )

    def leave(self, stage: np.ndarray, nodes: _Nodes, onward: np.ndarray) -> np.ndarray:
        """Least sums from the corners of cells, through nodes of the next stage, to the stop."""
        from lift_theory.optimize._tube_kernels import leave_cells

        cells = self.cells
        return leave_cells(
            cells.slopes[stage], cells.slack[stage], cells.lower[stage], nodes.index, nodes.snrs, onward
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Grid(_Tube):
    """The same for all cells at every stage, with lower envelopes instead of pairs."""

    def reach(self, heights: np.ndarray, stage: np.ndarray, nodes: _Nodes) -> np.ndarray:
        """Least sums into all nodes of the lattice."""
        from lift_theory.optimize._kernels import cell_step

        rows, table, last = self.lines(nodes)
        shape = (len(rows), -1, table.shape[1] + 1)
        slack = self.cells.slack.reshape(shape)

        def of_corner(j: int) -> np.ndarray:
            height = np.ascontiguousarray(heights[:, j]).reshape(shape[:2])
            slopes = np.ascontiguousarray(self.cells.slopes[:, j]).reshape(shape)
            return cell_step(height, slopes, slack, rows, table, last).ravel()

        with ThreadPoolExecutor() as pool:
            return np.min(list(pool.map(of_corner, range(heights.shape[1]))), axis=0)

    def leave(self, stage: np.ndarray, nodes: _Nodes, onward: np.ndarray) -> np.ndarray:
        """Least sums from all corners of cells to the stop."""
        from lift_theory.optimize._tube_kernels import leave_grid

        rows, table, last = self.lines(nodes)
        shape = (len(rows), -1, table.shape[1] + 1)
        slack, onward = self.cells.slack.reshape(shape), onward.reshape(len(table), -1)

        def of_corner(j: int) -> np.ndarray:
            slopes = np.ascontiguousarray(self.cells.slopes[:, j]).reshape(shape)
            return leave_grid(slopes, slack, rows, table, last, onward).ravel()

        with ThreadPoolExecutor() as pool:
            return np.stack(list(pool.map(of_corner, range(self.cells.slopes.shape[1]))), axis=1)

    def lines(self, nodes: _Nodes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices of the rows of cells, indices and coordinates of the rows of nodes, the last coordinates."""
        columns = max(1, self.cells.shape[-1] - 1)
        rows = np.ascontiguousarray(self.cells.lower[::columns, :-1])
        firsts = slice(None, None, self.cells.shape[-1])
        table = np.stack([nodes.index[firsts, :-1].astype(float), nodes.snrs[firsts, :-1]], axis=-1)
        return rows, table, np.ascontiguousarray(nodes.snrs[: self.cells.shape[-1], -1])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Nodes:
    """The distinct corners of some cells: indices, SNRs, and which of them the corners of each cell are."""

    index: Int[np.ndarray, "nodes scales"]
    snrs: Float[np.ndarray, "nodes scales"]
    corner: Int[np.ndarray, "cells corners"]

    @staticmethod
    def of(cells: _Cells, stage: Int[np.ndarray, " chosen"]) -> _Nodes:
        index = cells.index[stage]
        flat = np.ravel_multi_index(tuple(np.moveaxis(index, -1, 0)), cells.shape)
        _, where, corner = np.unique(flat, return_index=True, return_inverse=True)
        scales = index.shape[-1]
        return _Nodes(
            index=index.reshape(-1, scales)[where],
            snrs=cells.corners[stage].reshape(-1, scales)[where],
            corner=corner.reshape(flat.shape),
        )


def _bisected(axis: Float[np.ndarray, " points"]) -> Float[np.ndarray, " finer"]:
    """The axis with the middle of every interval added, to the same first and last value."""
    finer = np.empty(2 * len(axis) - 1)
    finer[::2] = axis
    finer[1::2] = 0.5 * (axis[1:] + axis[:-1])
    return finer


def _children(
    chosen: Int[np.ndarray, "cells scales"],
    stages: list[Int[np.ndarray, " kept"]],
    axes: Sequence[Float[np.ndarray, " points"]],
) -> tuple[Int[np.ndarray, "children scales"], list[Int[np.ndarray, " kept_children"]]]:
    """The halves of the cells that some stage keeps, in row-major order, and those of every stage."""
    choices = np.array(list(itertools.product(*[(0, 1) if len(axis) > 1 else (0,) for axis in axes])))
    shape = tuple(max(1, len(axis) - 1) for axis in axes)
    halves = [
        np.sort(
            np.ravel_multi_index(
                tuple((2 * chosen[stage][:, None, :] + choices).reshape(-1, len(axes)).T), shape
            )
        )
        for stage in stages
    ]
    union = np.unique(np.concatenate(halves)) if halves else np.empty(0, dtype=int)
    finer = np.stack(np.unravel_index(union, shape), axis=-1)
    return finer, [np.searchsorted(union, half) for half in halves]
