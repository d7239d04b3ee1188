"""Two-scale paths on a given grid of fine log-SNRs: with a given lead, and with the best one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

import lift_theory as lt

CANDIDATES = 193
WINDOW = 17
ROUNDS = 40
"""Windows of one width: paths whose costs differ by rounding alone could take turns for ever."""


def with_lead(model: Any, fine: np.ndarray, lead: float, start: np.ndarray, stop: np.ndarray) -> lt.Path:
    """Coarse log-SNR = fine + lead on the given fine grid, except where an end holds it back."""
    return _through(model, fine, np.clip(fine + lead, start[1], stop[1]), start, stop)


def coarse_for_fine_grid(model: Any, fine: np.ndarray, start: np.ndarray, stop: np.ndarray) -> lt.Path:
    """The best coarse log-SNRs on a given fine grid: what lead alone can do.

    A dynamic program over a lattice of coarse log-SNRs, exact there, repeated in ever smaller windows around
    its solution.
    """
    if len(fine) == 2:
        return lt.Path(np.stack([start, stop]), model.scales)
    inner = len(fine) - 2
    choices = np.tile(np.linspace(start[1], stop[1], CANDIDATES), (inner, 1))
    coarse = _cheapest(model, fine, choices, start, stop)
    width = (stop[1] - start[1]) / (CANDIDATES - 1)
    while width > 1e-7:
        for _ in range(ROUNDS):
            window = coarse[1:-1, None] + np.linspace(-width, width, WINDOW)
            before, coarse = (
                coarse,
                _cheapest(model, fine, np.clip(window, start[1], stop[1]), start, stop),
            )
            if np.abs(coarse - before).max() < 0.6 * width:
                break
        width /= 4
    return _through(model, fine, coarse, start, stop)


def _through(
    model: Any, fine: np.ndarray, coarse: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> lt.Path:
    """A path through the given log-SNRs with its ends exactly where they belong."""
    points = np.stack([fine, coarse], axis=1)
    points[0], points[-1] = start, stop
    return lt.Path(np.maximum.accumulate(points, axis=0), model.scales)


def _cheapest(
    model: Any, fine: np.ndarray, choices: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> np.ndarray:
    """Coarse log-SNRs of the cheapest monotone path when inner point i may have any of `choices[i]`.

    The information telescopes, so that an edge from SNRs g to g' costs `(g' - g) . mmse(g) / 2`.
    """
    grid = np.stack([np.broadcast_to(fine[1:-1, None], choices.shape), choices], axis=-1)
    slopes = np.asarray(model.mmse(grid)) / 2
    first = np.asarray(model.mmse(start)) / 2
    layers = [(start[None], first[None]), *zip(grid, slopes, strict=True), (stop[None], None)]
    value, back = np.zeros(1), []
    for (here, slope), (there, _) in pairwise(layers):
        rise = np.exp(there)[None] - np.exp(here)[:, None]
        edges = value[:, None] + np.sum(rise * slope[:, None], axis=-1)
        edges = np.where(there[None, :, 1] >= here[:, None, 1], edges, np.inf)
        back.append(edges.argmin(axis=0))
        value = edges.min(axis=0)
    index, chosen = 0, [stop[1]]
    for (here, _), table in zip(layers[-2::-1], back[::-1], strict=True):
        index = int(table[index])
        chosen.append(here[index, 1])
    return np.array(chosen[::-1])
