"""Compiled inner loops of the lattice programs; nothing here knows what the numbers mean.

Each loop answers for every `shares`-th row or point beginning with number `share`, so that several can run at once.

Importing this module starts Numba, so it is imported where a program runs and not with the package.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile for one thread that does not hold the interpreter, and keep the code on disk where that is allowed."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no directory for the cache can be written
        return numba.njit(nogil=True)(function)


def shared(work: Callable[[int, int], None]) -> None:
    """Call `work(share, shares)` for all shares at once, one per core."""
    shares = os.cpu_count() or 1
    with ThreadPoolExecutor(shares) as pool:
        list(pool.map(work, range(shares), [shares] * shares))


def envelope_step(
    values: np.ndarray, slopes: np.ndarray, leading: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Minima over p <= q of `values[p] + slopes[p] . (x[q] - x[p])` for every lattice point q.

    A lattice point is a row r, with coordinates `leading[r]` in all scales but the last, and a column b with
    coordinate `last[b]`. For a fixed pair of rows the candidates are lines in the last coordinate of q whose
    slopes fall with the column of p. Their lower envelope is kept as a queue while b runs, which makes the
    cost of a pair of rows proportional to the number of columns and not to its square.

    Args:
        values: (rows, columns), infinite where a point cannot be reached.
        slopes: (rows, columns, scales), in the last scale non-increasing along the columns.
        leading: (rows, scales - 1), ascending in each coordinate.
        last: (columns,), ascending.

    Returns:
        The minima, and the flat index row * columns + column of the minimiser (-1 where there is none).
    """
    best, argument = np.full(values.shape, np.inf), np.full(values.shape, -1, dtype=np.int32)
    shared(lambda *share: _envelope_rows(values, slopes, leading, last, *share, best, argument))
    return best, argument


@compiled
def _envelope_rows(
    values: np.ndarray,
    slopes: np.ndarray,
    leading: np.ndarray,
    last: np.ndarray,
    share: int,
    shares: int,
    best: np.ndarray,
    argument: np.ndarray,
) -> None:
    rows, columns = values.shape
    scales = slopes.shape[2]
    for q in range(share, rows, shares):
        line_slope = np.empty(columns)
        line_height = np.empty(columns)
        line_column = np.empty(columns, dtype=np.int32)
        for p in range(rows):
            allowed = True
            for k in range(scales - 1):
                if leading[p, k] > leading[q, k]:
                    allowed = False
            if not allowed:
                continue
            head, tail = 0, 0
            for b in range(columns):
                height = values[p, b]
                if height < np.inf:
                    slope = slopes[p, b, scales - 1]
                    height -= slope * last[b]
                    for k in range(scales - 1):
                        height += (leading[q, k] - leading[p, k]) * slopes[p, b, k]
                    useful = True
                    if tail > head and line_slope[tail - 1] <= slope:
                        if line_height[tail - 1] <= height:
                            useful = False
                        else:
                            tail -= 1
                    if useful:
                        while tail - head >= 2:
                            first_drop = line_slope[tail - 2] - line_slope[tail - 1]
                            whole_drop = line_slope[tail - 2] - slope
                            if (height - line_height[tail - 2]) * first_drop > (
                                line_height[tail - 1] - line_height[tail - 2]
                            ) * whole_drop:
                                break
                            tail -= 1
                        line_slope[tail] = slope
                        line_height[tail] = height
                        line_column[tail] = b
                        tail += 1
                if tail == head:
                    continue
                y = last[b]
                value = line_height[head] + line_slope[head] * y
                while tail - head >= 2:
                    following = line_height[head + 1] + line_slope[head + 1] * y
                    if following > value:
                        break
                    value = following
                    head += 1
                if value < best[q, b]:
                    best[q, b] = value
                    argument[q, b] = p * columns + line_column[head]


def plain_step(values: np.ndarray, slopes: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same minimum as `envelope_step` over all pairs of points, with no assumption about the slopes.

    Args:
        values: (points,), infinite where a point cannot be reached.
        slopes: (points, scales).
        points: (points, scales), in row-major order of the lattice, so that no point precedes a smaller one.
    """
    best, argument = np.full(values.shape, np.inf), np.full(values.shape, -1, dtype=np.int32)
    shared(lambda *share: _plain_points(values, slopes, points, *share, best, argument))
    return best, argument


@compiled
def _plain_points(
    values: np.ndarray,
    slopes: np.ndarray,
    points: np.ndarray,
    share: int,
    shares: int,
    best: np.ndarray,
    argument: np.ndarray,
) -> None:
    count, scales = points.shape
    for q in range(share, count, shares):
        for p in range(q + 1):
            value = values[p]
            for k in range(scales):
                move = points[q, k] - points[p, k]
                value = value + move * slopes[p, k] if move >= 0 else np.inf
            if value < best[q]:
                best[q] = value
                argument[q] = p


def table_step(values: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minima over p <= q of `values[p] + edges[p, q]`; edges that do not exist cost infinity."""
    best, argument = np.full(values.shape, np.inf), np.full(values.shape, -1, dtype=np.int32)
    shared(lambda *share: _table_points(values, edges, *share, best, argument))
    return best, argument


@compiled
def _table_points(
    values: np.ndarray, edges: np.ndarray, share: int, shares: int, best: np.ndarray, argument: np.ndarray
) -> None:
    for q in range(share, len(values), shares):
        for p in range(q + 1):
            value = values[p] + edges[p, q]
            if value < best[q]:
                best[q] = value
                argument[q] = p


def weighted_edges(
    points: np.ndarray,
    metric: np.ndarray,
    axes: np.ndarray,
    shape: np.ndarray,
    weights: np.ndarray,
    nodes: np.ndarray,
    measure: np.ndarray,
) -> np.ndarray:
    """Weighted cost of every lattice edge, the metric interpolated multilinearly in log-SNR.

    Args:
        points: (points, scales) log-SNRs in row-major order.
        metric: (points, scales, scales).
        axes: (scales, longest), each row ascending, padded with infinity.
        shape: (scales,) lengths of the axes.
        weights: (scales,).
        nodes: Gauss-Legendre nodes on (-1, 1).
        measure: their weights.
    """
    edges = np.full((len(points), len(points)), np.inf)
    shared(lambda *share: _weighted_rows(points, metric, axes, shape, weights, nodes, measure, *share, edges))
    return edges


@compiled
def _weighted_rows(
    points: np.ndarray,
    metric: np.ndarray,
    axes: np.ndarray,
    shape: np.ndarray,
    weights: np.ndarray,
    nodes: np.ndarray,
    measure: np.ndarray,
    share: int,
    shares: int,
    edges: np.ndarray,
) -> None:
    count, scales = points.shape
    for p in range(share, count, shares):
        base = np.empty(scales, dtype=np.int64)
        fraction = np.empty(scales)
        relative = np.empty(scales)
        for q in range(p, count):
            reach = 0.0
            ordered = True
            for k in range(scales):
                move = points[q, k] - points[p, k]
                ordered = ordered and move >= 0
                reach = max(reach, move)
            if not ordered:
                continue
            total = 0.0
            if reach > 0:
                whole = np.expm1(reach)
                for j in range(len(nodes)):
                    tau = 0.5 * (nodes[j] + 1.0)
                    t = np.expm1(reach * tau) / whole
                    rate = 0.5 * measure[j] * reach * np.exp(reach * tau) / whole * (1.0 - t)
                    for k in range(scales):
                        rise = np.expm1(points[q, k] - points[p, k])
                        relative[k] = rise / (1.0 + t * rise)
                        value = points[p, k] + np.log1p(t * rise)
                        index = np.searchsorted(axes[k, : shape[k]], value, side="right") - 1
                        index = min(max(index, 0), max(shape[k] - 2, 0))
                        base[k] = index
                        fraction[k] = 0.0
                        if shape[k] > 1:
                            fraction[k] = (value - axes[k, index]) / (axes[k, index + 1] - axes[k, index])
                            fraction[k] = min(max(fraction[k], 0.0), 1.0)
                    for corner in range(1 << scales):
                        weight = 1.0
                        flat = 0
                        for k in range(scales):
                            bit = (corner >> k) & 1
                            weight *= fraction[k] if bit else 1.0 - fraction[k]
                            flat = flat * shape[k] + min(base[k] + bit, shape[k] - 1)
                        if weight > 0.0:
                            form = 0.0
                            for k in range(scales):
                                for m in range(scales):
                                    form += weights[k] * relative[k] * metric[flat, k, m] * relative[m]
                            total += rate * weight * form
            edges[p, q] = total


@compiled
def interval_sums(slopes: np.ndarray, snr: np.ndarray, steps: int) -> np.ndarray:
    """Least left Riemann sums of one clock for every interval of consecutive rows, over one lattice.

    Args:
        slopes: (rows, points), non-increasing along the lattice; an interval has the sum of its rows.
        snr: (points,), ascending.
        steps: number of steps.

    Returns:
        (rows, rows + 1), entry [a, b] for the rows a <= row < b, infinite where b <= a.
    """
    rows, points = slopes.shape
    sums = np.full((rows, rows + 1), np.inf)
    leading = np.empty((1, 0))
    argument = np.empty((1, points), dtype=np.int32)
    for a in range(rows):
        slope = np.zeros((1, points, 1))
        for b in range(a + 1, rows + 1):
            slope[0, :, 0] += slopes[b - 1]
            values = ((snr - snr[0]) * slope[0, 0, 0]).reshape(1, points)
            for _ in range(steps - 2):
                best = np.full((1, points), np.inf)
                _envelope_rows(values, slope, leading, snr, 0, 1, best, argument)
                values = best
            if steps > 1:
                sums[a, b] = np.min(values[0] + (snr[-1] - snr) * slope[0, :, 0])
            else:
                sums[a, b] = values[0, -1]
    return sums
