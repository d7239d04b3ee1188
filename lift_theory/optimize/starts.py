"""Where searches begin: their ends, lattices fitted to a path, and control paths that are quickly found."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import per_scale
from lift_theory.optimize.lattice import table_program
from lift_theory.optimize.traceable import evaluate_mmse, evaluate_tangents

SCOUT = {1: 64, 2: 40, 3: 10}
"""Lattice points per scale of the first, evenly spaced lattice; fewer for more scales."""

SAMPLES = 257
"""Points of a curve among which those of a control path are chosen."""


def checked_ends(
    model: Any, start: Any, stop: Any
) -> tuple[Float[np.ndarray, " scales"], Float[np.ndarray, " scales"]]:
    """Both ends of a path as one log-SNR per scale, in order."""
    scales = tuple(model.scales)
    first = per_scale(start, scales=scales, name="start")
    last = per_scale(stop, scales=scales, name="stop")
    if np.any(last < first):
        raise ValueError(
            f"stop must not be below start in any scale; got start {first} and stop {last} for {scales}. "
            "Log-SNR rises from noise to data."
        )
    return first, last


def fitted_axes(
    model: Any, logsnr: Float[np.ndarray, "points scales"], points: int, spread: float = 0.25
) -> tuple[Float[np.ndarray, " points"], ...]:
    """Lattice axes that are dense where a given path makes small steps through a curved part of the surface.

    The error of a cell of width h at a step of size D is about `h^2 M_kk`, so that the best density of lattice
    points along scale k is proportional to the cube root of `M_kk / D`. A fifth of the points is spread evenly, for
    paths elsewhere.
    """
    steps, scales = len(logsnr) - 1, logsnr.shape[1]
    time_fine = np.linspace(0.0, 1.0, 16 * steps + 1)
    dense = np.stack(
        [np.interp(time_fine, np.linspace(0.0, 1.0, steps + 1), logsnr[:, k]) for k in range(scales)], axis=1
    )
    _, metric = evaluate_tangents(model, 0.5 * (dense[1:] + dense[:-1]))
    axes = []
    for k in range(scales):
        first, last = logsnr[0, k], logsnr[-1, k]
        if last <= first:
            axes.append(np.array([first]))
            continue
        edges = np.linspace(first, last, 2001)
        size = 16.0 * np.diff(dense[:, k])
        moving = size > 1e-6
        weight = np.cbrt(np.maximum(metric[moving, k, k], 0.0) / size[moving])
        middle = 0.5 * (dense[1:, k] + dense[:-1, k])[moving]
        density = np.interp(0.5 * (edges[1:] + edges[:-1]), middle, weight)
        density = density / max(density.mean(), 1e-300) + spread
        share = np.concatenate([[0.0], np.cumsum(density)])
        axis = np.interp(np.linspace(0.0, share[-1], points), share, edges)
        axis[[0, -1]] = first, last
        axes.append(axis)
    return tuple(axes)


def diagonal(
    first: Float[np.ndarray, " scales"], last: Float[np.ndarray, " scales"]
) -> Float[np.ndarray, "samples scales"]:
    """The straight line in log-SNR, densely."""
    return np.linspace(first, last, SAMPLES)


def equal_information(
    first: Float[np.ndarray, " scales"], last: Float[np.ndarray, " scales"]
) -> Float[np.ndarray, "samples scales"]:
    """The curve on which coarser scales lead by 2 log 2 nats a level, except where an end holds them back, densely."""
    leads = 2.0 * np.log(2.0) * np.arange(len(first))
    time = np.linspace(np.min(first - leads), np.max(last - leads), SAMPLES)
    return np.clip(time[:, None] + leads, first, last)


def spaced(
    model: Any, steps: int, curve: Float[np.ndarray, "samples scales"]
) -> Float[np.ndarray, "points scales"]:
    """The samples of a monotone curve that make the path with the least path KL, both ends included.

    The information gained adds up to the same for all of them and is left out.
    """
    slopes, snr = 0.5 * evaluate_mmse(model, curve), np.exp(curve)
    edges = slopes @ snr.T - np.sum(slopes * snr, axis=1)[:, None]
    edges = np.where(np.tri(len(curve), k=-1, dtype=bool), np.inf, edges)
    time = np.linspace(0.0, 1.0, len(curve))
    chosen = table_program(("time",), steps, [time], edges).logsnr()[:, 0]
    return curve[np.searchsorted(time, chosen)]
