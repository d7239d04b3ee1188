"""The EDM schedule with a coarse scale some steps ahead, in every reading of what "ahead" does at the ends.

A schedule has one noise level per call, t_0 to t_(n-1), and then goes to clean data, t_n. A lead of N steps cannot be
had for nothing: if both scales follow the same levels N apart, one of them has to give up levels at an end, or there
have to be more calls, or the levels have to be placed anew.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float

import lift_theory as lt

Reading = Literal["truncated", "ahead", "cut", "respaced", "held"]
Levels = Float[np.ndarray, " calls"]

READINGS: dict[Reading, str] = {
    "truncated": "the fine scale waits, and stops when the coarse one is clean",
    "ahead": "the coarse scale skips its first levels; the fine one stops when the coarse one is clean",
    "cut": "both scales go together and stop where the fine one does above",
    "respaced": "the fine scale waits, its levels are spaced anew",
    "held": "the coarse scale skips levels and waits at the end",
}
"""What becomes of the levels that a lead costs."""

CUT_OFF: tuple[Reading, ...] = ("truncated", "ahead")
"""Readings in which the fine schedule ends early, as published."""

FREED: tuple[Reading, ...] = ("respaced", "held")
"""Readings in which all schedules end at the same noise level."""


def levels(calls: int, start: float, stop: float) -> Levels:
    """Log-SNRs of an EDM schedule (rho = 7) of so many calls, the last of which goes from `stop` to clean data."""
    if calls == 1:
        return np.array([start])
    return lt.published_path("edm", calls - 1, start, stop).logsnr[:, 0]


def lead_path(
    reading: Reading, grid: Levels, lead: int, scales: int = 2, gain: float = np.log(4.0)
) -> lt.Path:
    """The path of an averaging pyramid whose coarser scales all lead by so many steps.

    "truncated": the coarse scale follows the whole grid and the fine one the same grid `lead` steps later; when the
    coarse one is clean, the fine one is at `grid[n - lead]` and goes to clean data in one more call, n + 1 in all.
    "ahead": the fine scale begins at once, the coarse one at `grid[lead]`; the end is the same.
    "cut": both scales follow the grid as far as `grid[n - lead]` and go to clean data: the end without the lead.
    "respaced": the coarse scale follows the grid; the fine one waits for `lead` calls and takes an EDM schedule of
    `n - lead` calls between the same ends.
    "held": the fine scale follows the grid; the coarse one goes from `grid[0]` to `grid[lead + 1]` in its first step,
    keeps its lead and waits at `grid[n - 1]`.

    Args:
        reading: one of these.
        grid: log-SNRs of the schedule.
        lead: steps, less than the grid has.
        scales: levels of the pyramid.
        gain: log-SNR that every coarser scale has more at the same nominal noise, nats; that of replication to full
            resolution if not given, zero for plain means.

    Raises:
        ValueError: for a lead that the grid does not have.
    """
    count = len(grid)
    if not 0 <= lead < count:
        raise ValueError(f"lead must be between 0 and {count - 1} steps of a grid of {count}; got {lead}")
    last = count - 1
    index = np.arange(count + (lead > 0))
    if reading == "truncated":
        fine, coarse = grid[np.maximum(index - lead, 0)], grid[np.minimum(index, last)]
    elif reading in ("ahead", "cut"):
        index = index[: len(index) - lead]
        fine, coarse = grid[index], grid[np.minimum(index + lead * (reading == "ahead"), last)]
    elif reading == "respaced":
        own = levels(count - lead, grid[0], grid[-1])
        fine, coarse = np.concatenate([np.full(lead, grid[0]), own]), grid
    else:
        index = np.arange(count)
        fine = grid
        coarse = np.where(index > 0, grid[np.minimum(index + lead, last)], grid[0])
    columns = [fine, *(coarse + gain * level for level in range(1, scales))]
    return lt.Path(np.stack(columns, axis=1), lt.AveragePyramid(scales).scales).to_clean_data()


def middle_lead(grid: Levels, lead: int) -> float:
    """Nominal lead in nats half-way: the two scales as far from the middle level on either side.

    With replicated scales this is the lead in unit-free terms, too: replication adds 2 log r to the coarse scale's
    log-SNR, and 2 log r is what the coarse scale needs to tell as much as the fine one about the low band.
    """
    middle = 0.5 * (len(grid) - 1)
    ahead, behind = np.interp([middle + 0.5 * lead, middle - 0.5 * lead], np.arange(len(grid)), grid)
    return float(ahead - behind)
