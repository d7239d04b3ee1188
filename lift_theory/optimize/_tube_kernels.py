"""Compiled inner loops of the tube certificate: least affine functions over pairs of a cell and a node.

Cells and nodes are given by lattice indices, both sorted by the index of the first scale. A cell can be left for a
node when none of its indices exceeds the node's; where an index is equal, the cell's slack in that scale is granted.
"""

from __future__ import annotations

import numpy as np

from lift_theory.optimize._kernels import sequential


@sequential
def reach_nodes(
    heights: np.ndarray,
    slopes: np.ndarray,
    slack: np.ndarray,
    lower: np.ndarray,
    nodes: np.ndarray,
    snrs: np.ndarray,
) -> np.ndarray:
    """For every node the least `heights[s, j] + slopes[s, j] . snrs[q]` over cells s and their corners j.

    Args:
        heights: (cells, corners), infinite where a corner cannot be reached.
        slopes: (cells, corners, scales).
        slack: (cells, scales), non-negative.
        lower: (cells, scales) indices, ascending in the first scale.
        nodes: (nodes, scales) indices.
        snrs: (nodes, scales) coordinates.
    """
    cells, corners, scales = slopes.shape
    best = np.full(len(nodes), np.inf)
    for q in range(len(nodes)):
        least = np.inf
        for s in range(cells):
            if lower[s, 0] > nodes[q, 0]:
                break
            allowed = True
            grant = 0.0
            for k in range(scales):
                if lower[s, k] > nodes[q, k]:
                    allowed = False
                elif lower[s, k] == nodes[q, k]:
                    grant += slack[s, k]
            if not allowed:
                continue
            for j in range(corners):
                value = heights[s, j] - grant
                for k in range(scales):
                    value += slopes[s, j, k] * snrs[q, k]
                least = min(least, value)
        best[q] = least
    return best


@sequential
def leave_cells(
    slopes: np.ndarray,
    slack: np.ndarray,
    lower: np.ndarray,
    nodes: np.ndarray,
    snrs: np.ndarray,
    values: np.ndarray,
) -> np.ndarray:
    """For every corner of every cell the least `slopes[s, j] . snrs[q] + values[q]` over nodes q: see `reach_nodes`.

    Args:
        slopes: (cells, corners, scales).
        slack: (cells, scales), non-negative.
        lower: (cells, scales) indices.
        nodes: (nodes, scales) indices, ascending in the first scale.
        snrs: (nodes, scales) coordinates.
        values: (nodes,), infinite where the stop cannot be reached.
    """
    cells, corners, scales = slopes.shape
    best = np.full((cells, corners), np.inf)
    for s in range(cells):
        for q in range(len(nodes) - 1, -1, -1):
            if lower[s, 0] > nodes[q, 0]:
                break
            allowed = True
            grant = 0.0
            for k in range(scales):
                if lower[s, k] > nodes[q, k]:
                    allowed = False
                elif lower[s, k] == nodes[q, k]:
                    grant += slack[s, k]
            if not allowed:
                continue
            for j in range(corners):
                value = values[q] - grant
                for k in range(scales):
                    value += slopes[s, j, k] * snrs[q, k]
                best[s, j] = min(best[s, j], value)
    return best


@sequential
def leave_grid(
    slopes: np.ndarray,
    slack: np.ndarray,
    cell_index: np.ndarray,
    nodes: np.ndarray,
    last: np.ndarray,
    values: np.ndarray,
) -> np.ndarray:
    """What `leave_cells` answers, for a full grid of cells: the adjoint of `_kernels.cell_step`.

    For a row of cells and a row of nodes, `values[q, c] + slope * last[c]` is a line in the slope of the cell's last
    scale. From the last column to the first the slopes rise and nodes of smaller coordinate join, so that a queue
    holds the lower envelope.

    Args:
        slopes: (cell rows, cell columns, scales), in the last scale non-increasing along the columns.
        slack: (cell rows, cell columns, scales), non-negative.
        cell_index: (cell rows, scales - 1), lattice indices of the rows of cells.
        nodes: (node rows, scales - 1, 2), index and coordinate of the rows of nodes.
        last: (node columns,) coordinates, ascending.
        values: (node rows, node columns), infinite where the stop cannot be reached.
    """
    rows, columns, scales = slopes.shape
    best = np.full((rows, columns), np.inf)
    for p in range(rows):
        line_slope = np.empty(len(last))
        line_height = np.empty(len(last))
        for q in range(len(nodes)):
            allowed = True
            for k in range(scales - 1):
                if cell_index[p, k] > nodes[q, k, 0]:
                    allowed = False
            if not allowed:
                continue
            head, tail = 0, 0
            joined = len(last)
            for b in range(columns - 1, -1, -1):
                while joined > b + 1:
                    joined -= 1
                    height = values[q, joined]
                    if height == np.inf:
                        continue
                    while tail - head >= 2:
                        first_drop = line_slope[tail - 2] - line_slope[tail - 1]
                        whole_drop = line_slope[tail - 2] - last[joined]
                        if (height - line_height[tail - 2]) * first_drop > (
                            line_height[tail - 1] - line_height[tail - 2]
                        ) * whole_drop:
                            break
                        tail -= 1
                    line_slope[tail] = last[joined]
                    line_height[tail] = height
                    tail += 1
                slope = slopes[p, b, scales - 1]
                while tail - head >= 2 and (
                    line_height[head + 1] + line_slope[head + 1] * slope
                    <= line_height[head] + line_slope[head] * slope
                ):
                    head += 1
                value = line_height[head] + line_slope[head] * slope if tail > head else np.inf
                value = min(value, values[q, b] + last[b] * slope - slack[p, b, scales - 1])
                for k in range(scales - 1):
                    value += slopes[p, b, k] * nodes[q, k, 1]
                    if cell_index[p, k] == nodes[q, k, 0]:
                        value -= slack[p, b, k]
                best[p, b] = min(best[p, b], value)
    return best
