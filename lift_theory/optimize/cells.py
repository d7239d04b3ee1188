"""Cells of a lattice with their tangents, and least sums over stages of cells, forwards and backwards.

Why these numbers bound the cost of paths is told in `certificates` and `tubes`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lift_theory.optimize.traceable import evaluate_tangents


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Cells of a lattice in row-major order, and the affine functions of the target that their corners offer.

    Attributes:
        lower: lattice indices of the lowest corners.
        whole: which of the cells that were cut each one is a part of.
        corners: flat lattice indices of all corners, the lowest first.
        slopes: the tangent of half the mmse, evaluated at the corners.
        offsets: `slope . corner + dip`: a corner whose node is worth U offers `U - offset + slope . target`.
        axes: log-SNRs of the lattice, one array per scale.
    """

    lower: Int[np.ndarray, "cells scales"]
    whole: Int[np.ndarray, " cells"]
    corners: Int[np.ndarray, "corners cells"]
    slopes: Float[np.ndarray, "scales corners cells"]
    offsets: Float[np.ndarray, "corners cells"]
    axes: tuple[Float[np.ndarray, " points"], ...]

    @staticmethod
    def halves(
        model: Any, axes: Sequence[Float[np.ndarray, " points"]], wholes: Int[np.ndarray, "wholes scales"]
    ) -> Cells:
        """The halves, along every axis, of cells of a model given by their lowest corners.

        Error and metric are evaluated once per whole, at its centre. An axis of a single point has one cell of no
        width, which is its own half.
        """
        snrs = [np.exp(axis) for axis in axes]
        ends = [
            np.stack([snr[wholes[:, k]], snr[np.minimum(wholes[:, k] + 1, len(snr) - 1)]])
            for k, snr in enumerate(snrs)
        ]
        middle = np.stack([end.mean(axis=0) for end in ends], axis=-1)
        error, metric = evaluate_tangents(model, np.log(middle))
        fall = metric / (middle[:, :, None] * middle[:, None, :])

        axes = tuple(bisected(axis) for axis in axes)
        snrs = [np.exp(axis) for axis in axes]
        shape = tuple(len(axis) for axis in axes)
        choices = np.array(list(itertools.product(*[(0, 1) if size > 1 else (0,) for size in shape])))
        lower = (2 * wholes[:, None, :] + choices).reshape(-1, len(axes))
        order = np.argsort(_flat(lower, shape))
        whole, lower = order // len(choices), lower[order]
        index = lower + choices[:, None, :]
        corners = np.stack([snr[index[..., k]] for k, snr in enumerate(snrs)], axis=-1)
        centre, widths = 0.5 * (corners[0] + corners[-1]), corners[-1] - corners[0]

        value, fall = 0.5 * error[whole], fall[whole]
        growth = np.einsum("ckl,cl->ck", fall, centre - middle[whole])
        ratio = value / np.where(value > 0, value + growth, 1.0)
        fall = ratio[:, :, None] ** 2 * fall
        slopes = ratio * value - np.einsum("ckl,jcl->jck", fall, corners - centre)
        dip = np.einsum("ck,ckk->c", widths**2, fall) / 4.0
        return Cells(
            lower=lower,
            whole=whole,
            corners=_flat(index, shape),
            slopes=np.ascontiguousarray(np.moveaxis(slopes, -1, 0)),
            offsets=np.einsum("jck,jck->jc", slopes, corners) + dip,
            axes=axes,
        )

    @property
    def parts(self) -> int:
        """Halves of a cell along all axes, as many as it has corners."""
        return len(self.corners)

    def stage(self, chosen: Int[np.ndarray, " chosen"]) -> Stage:
        """Some of the cells, in ascending order, as the places where a path may be after some step."""
        flat, corner = np.unique(self.corners[:, chosen], return_inverse=True)
        nodes = np.stack(np.unravel_index(flat, tuple(len(axis) for axis in self.axes)), axis=-1)
        lower = self.lower[chosen]
        return Stage(
            lower=lower,
            cell_rows=_rows(lower),
            slopes=np.ascontiguousarray(self.slopes[:, :, chosen]),
            offsets=self.offsets[:, chosen],
            corner=corner.reshape(-1, len(chosen)),
            nodes=nodes,
            node_rows=_rows(nodes),
            snrs=np.exp(np.stack([axis[nodes[:, k]] for k, axis in enumerate(self.axes)])),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """The cells of one stage, and their corners as the nodes at which the least sums are known."""

    lower: Int[np.ndarray, "cells scales"]
    cell_rows: Int[np.ndarray, " rows"]
    slopes: Float[np.ndarray, "scales corners cells"]
    offsets: Float[np.ndarray, "corners cells"]
    corner: Int[np.ndarray, "corners cells"]
    nodes: Int[np.ndarray, "nodes scales"]
    node_rows: Int[np.ndarray, " rows"]
    snrs: Float[np.ndarray, "scales nodes"]

    def heights(self, values: Float[np.ndarray, " nodes"]) -> Float[np.ndarray, "corners cells"]:
        """Constant parts of the affine functions that the corners offer when the nodes are worth `values`."""
        return values[self.corner] - self.offsets

    def into(self, target: Float[np.ndarray, " scales"]) -> Float[np.ndarray, "corners cells"]:
        """The other parts at a single target."""
        return np.einsum("kjc,k->jc", self.slopes, target)

    def reach(
        self, heights: Float[np.ndarray, "corners cells"], following: Stage
    ) -> Float[np.ndarray, " nodes"]:
        """Least sums into the nodes of the following stage."""
        from lift_theory.optimize._cell_kernels import reach_nodes
        from lift_theory.optimize._kernels import shared

        best = np.full(len(following.nodes), np.inf)
        shared(lambda *share: reach_nodes(heights, *self._pairs(following), *share, best))
        return best

    def leave(
        self, following: Stage, values: Float[np.ndarray, " nodes"]
    ) -> Float[np.ndarray, "corners cells"]:
        """Least sums from the corners through nodes of the following stage, which are worth `values` from there."""
        from lift_theory.optimize._cell_kernels import leave_cells
        from lift_theory.optimize._kernels import shared

        best = np.full(self.offsets.shape, np.inf)
        shared(lambda *share: leave_cells(values, *self._pairs(following), *share, best))
        return best

    def _pairs(self, following: Stage) -> tuple[np.ndarray, ...]:
        return (
            self.slopes,
            self.lower,
            self.cell_rows,
            following.snrs,
            following.nodes,
            following.node_rows,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Least sums of half the mmse from a start to a stop through stages of cells.

    Attributes:
        stages: cells after 1, 2, ... steps.
        heights: of every stage: constant parts of the affine functions that the corners offer.
        stop: SNRs of the stop.
        finals: least sums into the stop after 1, 2, ... steps.
    """

    stages: list[Stage]
    heights: list[Float[np.ndarray, "corners cells"]]
    stop: Float[np.ndarray, " scales"]
    finals: Float[np.ndarray, " steps"]

    @staticmethod
    def through(stages: list[Stage], start: np.ndarray, stop: np.ndarray, slope: np.ndarray) -> Sums:
        """Sweep forwards; `slope` is half the mmse at the start."""
        finals = [float((stop - start) @ slope)]
        heights: list[np.ndarray] = []
        for i, stage in enumerate(stages):
            values = (stage.snrs.T - start) @ slope if i == 0 else stages[i - 1].reach(heights[-1], stage)
            heights.append(stage.heights(values))
            finals.append(float(np.min(heights[-1] + stage.into(stop), initial=np.inf)))
        return Sums(stages=stages, heights=heights, stop=stop, finals=np.array(finals))

    def prices(self) -> list[Float[np.ndarray, " cells"]]:
        """Sweep backwards: the least sum over all stages through every cell of every stage."""
        prices: list[np.ndarray] = []
        onward, following = np.empty(0), None
        for stage, height in zip(self.stages[::-1], self.heights[::-1], strict=True):
            leaving = stage.into(self.stop) if following is None else stage.leave(following, onward)
            prices.append(np.min(height + leaving, axis=0))
            onward, following = np.full(len(stage.nodes), np.inf), stage
            np.minimum.at(onward, stage.corner, leaving - stage.offsets)
        return prices[::-1]


def bisected(axis: Float[np.ndarray, " points"]) -> Float[np.ndarray, " finer"]:
    """The axis with the middle of every interval added, to the same first and last value."""
    finer = np.empty(2 * len(axis) - 1)
    finer[::2] = axis
    finer[1::2] = 0.5 * (axis[1:] + axis[:-1])
    return finer


def _flat(index: Int[np.ndarray, "... scales"], shape: tuple[int, ...]) -> Int[np.ndarray, "..."]:
    """Positions of lattice points in row-major order."""
    return np.ravel_multi_index(tuple(np.moveaxis(index, -1, 0)), shape)


def _rows(index: Int[np.ndarray, "entries scales"]) -> Int[np.ndarray, " rows"]:
    """Where rows of equal leading indices begin, and where the last one ends."""
    changes = np.any(np.diff(index[:, :-1], axis=0) != 0, axis=1)
    return np.concatenate([[0], np.flatnonzero(changes) + 1, [len(index)]])
