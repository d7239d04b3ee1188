"""Compiled inner loops of the certificates: least affine functions over pairs of a cell and a node.

Cells and nodes are given by lattice indices in row-major order, split into rows in which only the last index
changes. A cell can be left for a node when none of its indices exceeds the node's. The innermost loops run along
rows and do nothing but multiply, add and compare, which processors do for several numbers at once: that is faster
than lower envelopes until rows have hundreds of entries. Every call does its share of the rows, so that several
can run at once.
"""

from __future__ import annotations

import numpy as np

from lift_theory.optimize._kernels import compiled


@compiled
def reach_nodes(
    heights: np.ndarray,
    slopes: np.ndarray,
    lower: np.ndarray,
    cell_rows: np.ndarray,
    snrs: np.ndarray,
    nodes: np.ndarray,
    node_rows: np.ndarray,
    share: int,
    shares: int,
    best: np.ndarray,
) -> None:
    """Lower `best[q]` to the least `heights[j, s] + slopes[:, j, s] . snrs[:, q]` over cells s and their corners j.

    Args:
        heights: (corners, cells), infinite where a corner cannot be reached.
        slopes: (scales, corners, cells).
        lower: (cells, scales) indices.
        cell_rows: where each row of cells begins, and their number.
        snrs: (scales, nodes) coordinates, all but the last the same along a row.
        nodes: (nodes, scales) indices.
        node_rows: where each row of nodes begins, and their number.
        share: which rows of nodes to answer for: `share`, `share + shares`, ...
        shares: number of calls that share the rows.
        best: (nodes,) what to lower.
    """
    scales, corners, _ = slopes.shape
    for row in range(share, len(node_rows) - 1, shares):
        begin, end = node_rows[row], node_rows[row + 1]
        for source in range(len(cell_rows) - 1):
            first = cell_rows[source]
            allowed = True
            for k in range(scales - 1):
                allowed = allowed and lower[first, k] <= nodes[begin, k]
            if not allowed:
                continue
            reached = begin
            for s in range(first, cell_rows[source + 1]):
                while reached < end and nodes[reached, scales - 1] < lower[s, scales - 1]:
                    reached += 1
                last, least = snrs[scales - 1, reached:end], best[reached:end]
                for j in range(corners):
                    height, slope = heights[j, s], slopes[scales - 1, j, s]
                    for k in range(scales - 1):
                        height += slopes[k, j, s] * snrs[k, begin]
                    for q in range(len(least)):
                        least[q] = min(least[q], height + slope * last[q])


@compiled
def leave_cells(
    values: np.ndarray,
    slopes: np.ndarray,
    lower: np.ndarray,
    cell_rows: np.ndarray,
    snrs: np.ndarray,
    nodes: np.ndarray,
    node_rows: np.ndarray,
    share: int,
    shares: int,
    best: np.ndarray,
) -> None:
    """Lower `best[j, s]` to the least `slopes[:, j, s] . snrs[:, q] + values[q]` over nodes q: see `reach_nodes`.

    Args:
        values: (nodes,), infinite where the stop cannot be reached.
        slopes: (scales, corners, cells).
        lower: (cells, scales) indices.
        cell_rows: where each row of cells begins, and their number.
        snrs: (scales, nodes) coordinates, all but the last the same along a row.
        nodes: (nodes, scales) indices.
        node_rows: where each row of nodes begins, and their number.
        share: which rows of cells to answer for: `share`, `share + shares`, ...
        shares: number of calls that share the rows.
        best: (corners, cells) what to lower.
    """
    scales, corners, _ = slopes.shape
    for source in range(share, len(cell_rows) - 1, shares):
        first, end = cell_rows[source], cell_rows[source + 1]
        along = np.empty((corners, end - first))
        for row in range(len(node_rows) - 1):
            begin = node_rows[row]
            allowed = True
            for k in range(scales - 1):
                allowed = allowed and lower[first, k] <= nodes[begin, k]
            if not allowed:
                continue
            along[:] = np.inf
            left = first
            for q in range(begin, node_rows[row + 1]):
                while left < end and lower[left, scales - 1] <= nodes[q, scales - 1]:
                    left += 1
                value, last = values[q], snrs[scales - 1, q]
                for j in range(corners):
                    slope, least = slopes[scales - 1, j, first:left], along[j, : left - first]
                    for s in range(len(least)):
                        least[s] = min(least[s], value + slope[s] * last)
            for j in range(corners):
                for s in range(first, end):
                    total = along[j, s - first]
                    for k in range(scales - 1):
                        total += slopes[k, j, s] * snrs[k, begin]
                    best[j, s] = min(best[j, s], total)
