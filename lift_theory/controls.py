"""Control paths: every comparison separates the spacing of a path from its shape.

A shape is a curve from start to stop; a spacing places the points on it. With `spacing="optimal"` the points minimise
the path KL among all placements on that curve, so that two shapes can be compared each at its best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import model_like, one_of, per_scale, real_number, whole_number
from lift_theory.gaussian import Model
from lift_theory.paths import Path

SPACINGS = ("optimal", "logsnr", "karras", "arctan", "information")
Curve = Callable[[Float[np.ndarray, " points"]], Float[np.ndarray, "points scales"]]


def diagonal_path(model: Model, steps: int, start: Any, stop: Any, spacing: str = "optimal") -> Path:
    """The straight line in log-SNR from start to stop: all scales in lock-step.

    Args:
        model: whose scales are walked, and whose path KL the optimal spacing minimises.
        steps: number of steps n >= 1.
        start: first log-SNR, one for all scales or one per scale.
        stop: last log-SNR, likewise.
        spacing: "optimal"; "logsnr", uniform; "karras", uniform in `sigma^(1/7)` (Karras et al. 2022, eq. 5);
            "arctan", uniform in `arctan(sigma / s)` with s the standard deviation per coefficient of the finest scale
            (Sabour et al. 2024, Thm 3.1); "information", uniform in the mutual information of data and noisy scales,
            so that every step resolves the same number of nats.

    Raises:
        TypeError: if `steps` is not an integer or an end not a number.
        ValueError: if `steps < 1`, an end is not finite or of the wrong length, `stop < start`, or the spacing is
            unknown.

    Examples:
        >>> import lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.AveragePyramid())
        >>> lt.diagonal_path(model, 2, -4.0, 4.0, spacing="logsnr").logsnr.tolist()
        [[-4.0, -4.0], [0.0, 0.0], [4.0, 4.0]]
    """
    steps, begin, end = _ends(model, steps, start, stop)
    spacing = one_of(spacing, SPACINGS, name="spacing")

    def line(u: np.ndarray) -> np.ndarray:
        return _between(begin, end, u)

    if spacing == "optimal":
        return _spaced(model, line, steps, begin, end)
    u = np.linspace(0.0, 1.0, steps + 1)[:, None]
    if spacing == "logsnr":
        points = line(u[:, 0])
    elif spacing == "karras":
        roots = np.exp(-begin / 14), np.exp(-end / 14)
        points = -14 * np.log(roots[0] + u * (roots[1] - roots[0]))
    elif spacing == "information":
        points = line(_equally_informed(model, line, steps))
    else:
        scale = np.sqrt(_prior_variance(model))
        angles = np.arctan(np.exp(-begin / 2) / scale), np.arctan(np.exp(-end / 2) / scale)
        points = -2 * np.log(scale * np.tan(angles[0] + u * (angles[1] - angles[0])))
    return _pinned(points, begin, end, model)


def equal_information_path(
    model: Model, steps: int, start: Any, stop: Any, spacing: str = "optimal", ratio: float = 2.0
) -> Path:
    """Coarser scales lead by `2 log r` nats a level: fine and coarse channel tell the same about the low band.

    For a pyramid of 2x2 means that is 1.386 nats. Both ends are kept: the lead is built up at the start and given up
    at the stop, as in `constant_lead_path`.

    Args:
        model: as in `diagonal_path`.
        steps: as in `diagonal_path`.
        start: as in `diagonal_path`.
        stop: as in `diagonal_path`.
        spacing: "optimal" or "logsnr".
        ratio: down-sampling ratio r from level to level.

    Examples:
        >>> import lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.AveragePyramid())
        >>> path = lt.equal_information_path(model, 8, -6.0, 6.0, spacing="logsnr")
        >>> path.lead(ratio=2.0).round(6)[3]
        np.float64(0.0)
    """
    model_like(model)
    levels = np.arange(1, len(model.scales))
    return constant_lead_path(
        model,
        steps,
        start,
        stop,
        2 * np.log(real_number(ratio, name="ratio", positive=True)) * levels,
        spacing,
    )


def constant_lead_path(
    model: Model, steps: int, start: Any, stop: Any, lead: Any, spacing: str = "optimal"
) -> Path:
    """Coarser scales lead the finest by a constant, except where an end holds them back.

    The curve is `lam_k = clip(t + lead_k, start_k, stop_k)`: leading scales move alone at first and wait at the end.

    Args:
        model: as in `diagonal_path`.
        steps: as in `diagonal_path`.
        start: as in `diagonal_path`.
        stop: as in `diagonal_path`.
        lead: nats, one for every coarser scale or one each (K - 1 values); negative lets the finest scale lead.
        spacing: "optimal" or "logsnr" (uniform in t).

    Raises:
        TypeError: as `diagonal_path`.
        ValueError: as `diagonal_path`, and for one scale or a lead of the wrong length.
    """
    steps, begin, end = _ends(model, steps, start, stop)
    if len(model.scales) < 2:
        raise ValueError(f"a lead needs two scales or more; the model has {model.scales}.")
    leads = np.concatenate([[0.0], per_scale(lead, scales=model.scales[1:], name="lead")])
    first, last = (begin - leads).min(), (end - leads).max()

    def curve(u: np.ndarray) -> np.ndarray:
        return np.clip((first + u * (last - first))[:, None] + leads, begin, end)

    if one_of(spacing, ("optimal", "logsnr"), name="spacing") == "optimal":
        return _spaced(model, curve, steps, begin, end)
    return _pinned(curve(np.linspace(0.0, 1.0, steps + 1)), begin, end, model)


def staged_path(
    model: Model,
    steps: int,
    start: Any,
    stop: Any,
    order: Sequence[str] | None = None,
    spacing: str = "optimal",
) -> Path:
    """One scale after the other, L-shaped for two: each step moves a single scale.

    Args:
        model: as in `diagonal_path`.
        steps: as in `diagonal_path`; at least one per scale that moves.
        start: as in `diagonal_path`.
        stop: as in `diagonal_path`.
        order: names of all scales in the order in which they move; coarsest first if not given.
        spacing: "optimal" also chooses how many steps each scale gets; "logsnr" is uniform in log-SNR with the steps
            shared in proportion to the distances.

    Raises:
        TypeError: as `diagonal_path`.
        ValueError: as `diagonal_path`, and if the order does not name every scale once or steps are too few.

    Examples:
        >>> import lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.AveragePyramid())
        >>> lt.staged_path(model, 4, -4.0, 4.0, order=("coarse", "fine"), spacing="logsnr").logsnr.tolist()
        [[-4.0, -4.0], [-4.0, 0.0], [-4.0, 4.0], [0.0, 4.0], [4.0, 4.0]]
    """
    steps, begin, end = _ends(model, steps, start, stop)
    names = tuple(reversed(model.scales)) if order is None else order
    if (
        not isinstance(names, tuple | list)
        or len(names) != len(model.scales)
        or any(s not in names for s in model.scales)
    ):
        raise ValueError(f"order must name every scale of {model.scales} once, as a tuple; got {order!r}.")
    index = [model.scales.index(name) for name in names]
    moving = [k for k in index if end[k] > begin[k]]
    if steps < len(moving):
        raise ValueError(f"steps must be at least {len(moving)}, one for each scale that moves; got {steps}.")
    corners = [begin]
    for k in moving:
        corner = corners[-1].copy()
        corner[k] = end[k]
        corners.append(corner)
    if one_of(spacing, ("optimal", "logsnr"), name="spacing") == "optimal":
        return Path(_best_split(model, corners, steps), model.scales)
    distances = np.array([end[k] - begin[k] for k in moving])
    counts = np.maximum(1, np.floor(steps * distances / max(distances.sum(), 1e-300)).astype(int))
    while counts.sum() != steps and len(counts):
        behind = distances / counts
        counts[behind.argmax()] += 1 if counts.sum() < steps else 0
        if counts.sum() > steps:
            counts[np.where(counts > 1, behind, np.inf).argmin()] -= 1
    pieces = [np.linspace(a, b, n + 1)[1:] for a, b, n in zip(corners, corners[1:], counts, strict=False)]
    points = np.concatenate([[begin], *pieces]) if pieces else np.tile(begin, (steps + 1, 1))
    return _pinned(points, begin, end, model)


def _ends(model: Model, steps: Any, start: Any, stop: Any) -> tuple[int, np.ndarray, np.ndarray]:
    model_like(model)
    count = whole_number(steps, name="steps", least=1)
    begin = per_scale(start, scales=model.scales, name="start")
    end = per_scale(stop, scales=model.scales, name="stop")
    if np.any(end < begin):
        raise ValueError(
            f"stop must not lie below start: log-SNR grows from noise to data; got {begin} to {end}."
        )
    return count, begin, end


def _pinned(points: np.ndarray, begin: np.ndarray, end: np.ndarray, model: Model) -> Path:
    """A path through the points, with ends and order freed from rounding."""
    points = np.clip(points, begin, end)
    points[0], points[-1] = begin, end
    return Path(np.maximum.accumulate(points, axis=0), model.scales)


def _equally_informed(model: Model, curve: Curve, steps: int) -> Float[np.ndarray, " points"]:
    """Places on a curve between which the mutual information grows by equal amounts; bisection of all at once."""
    ends = np.asarray(model.mutual_information(curve(np.array([0.0, 1.0]))))
    wanted = ends[0] + np.linspace(0.0, 1.0, steps + 1) * (ends[1] - ends[0])
    low, high = np.zeros(steps + 1), np.ones(steps + 1)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = np.asarray(model.mutual_information(curve(middle))) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def _prior_variance(model: Model) -> float:
    """Variance per coefficient of the finest scale, from its error at (almost) pure noise."""
    return float(np.asarray(model.mmse(np.full(len(model.scales), -100.0)))[0] / model.sizes[0])


def _spaced(model: Model, curve: Curve, steps: int, begin: np.ndarray, end: np.ndarray) -> Path:
    candidates = np.linspace(0.0, 1.0, _COARSE)
    u = _shortest(model, curve, [candidates[:1], *[candidates] * (steps - 1), candidates[-1:]])
    return _pinned(curve(_polished(model, curve, u)), begin, end, model)


def _best_split(model: Model, corners: list[np.ndarray], steps: int) -> np.ndarray:
    """Optimal points along a polyline all of whose corners are visited."""
    if len(corners) == 1:
        return np.tile(corners[0], (steps + 1, 1))
    candidates = np.linspace(0.0, 1.0, _COARSE)
    legs: list[dict[int, tuple[float, np.ndarray]]] = []
    for first, second in pairwise(corners):
        curve = _line(first, second)
        most = steps - (len(corners) - 2)
        costs = _costs_of_counts(model, curve, candidates, most)
        legs.append(costs)
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for leg in legs:
        grown: dict[int, tuple[float, tuple[int, ...]]] = {}
        for used, (cost, split) in best.items():
            for count, (extra, _) in leg.items():
                total = used + count
                if total <= steps and (total not in grown or cost + extra < grown[total][0]):
                    grown[total] = (cost + extra, (*split, count))
        best = grown
    pieces = [corners[0][None]]
    for leg, count, first, second in zip(legs, best[steps][1], corners, corners[1:], strict=False):
        curve = _line(first, second)
        pieces.append(curve(_polished(model, curve, leg[count][1]))[1:])
    return np.maximum.accumulate(np.concatenate(pieces), axis=0)


def _line(first: np.ndarray, second: np.ndarray) -> Curve:
    return lambda u: _between(first, second, u)


def _between(first: np.ndarray, second: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Points on the line, both ends without rounding."""
    return (1.0 - u[:, None]) * first + u[:, None] * second


_COARSE = 257
_HALVINGS = 54
_WINDOW = 17
_ROUNDS = 200


def _shortest(model: Model, curve: Curve, choices: list[np.ndarray]) -> np.ndarray:
    """Exact minimum of the path KL when point i may be any of `choices[i]`; dynamic programming.

    With the information telescoped away an edge costs `(1/2) sum_k (g'_k - g_k) mmse_k(g)`.
    """
    tables = [_table(model, curve, u) for u in choices]
    value = np.zeros(1)
    back = []
    for (u, g, slope), (later, target, _) in pairwise(tables):
        edges = value[:, None] + 0.5 * (slope @ target.T - np.sum(slope * g, axis=1)[:, None])
        edges = np.where(later[None, :] >= u[:, None], edges, np.inf)
        back.append(edges.argmin(axis=0))
        value = edges.min(axis=0)
    index, result = 0, [choices[-1][0]]
    for step in range(len(back) - 1, -1, -1):
        index = int(back[step][index])
        result.append(choices[step][index])
    return np.array(result[::-1])


def _table(model: Model, curve: Curve, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points = curve(u)
    return u, np.exp(points), np.asarray(model.mmse(points))


def _costs_of_counts(
    model: Model, curve: Curve, candidates: np.ndarray, most: int
) -> dict[int, tuple[float, np.ndarray]]:
    """Best cost along a curve for every number of steps up to `most`, information included."""
    _, g, slope = _table(model, curve, candidates)
    information = np.asarray(model.mutual_information(curve(candidates)))
    edges = 0.5 * (slope @ g.T - np.sum(slope * g, axis=1)[:, None]) - (
        information[None] - information[:, None]
    )
    edges = np.where(candidates[None, :] >= candidates[:, None], np.maximum(edges, 0.0), np.inf)
    value, back = edges[0], [np.zeros(len(candidates), dtype=int)]
    result = {1: (float(value[-1]), candidates[[0, -1]])}
    for count in range(2, most + 1):
        total = value[:, None] + edges
        back.append(total.argmin(axis=0))
        value = total.min(axis=0)
        index, chosen = len(candidates) - 1, [candidates[-1]]
        for step in range(count - 1, -1, -1):
            index = int(back[step][index])
            chosen.append(candidates[index])
        result[count] = (float(value[-1]), np.array(chosen[::-1]))
    return result


def _polished(model: Model, curve: Curve, u: np.ndarray) -> np.ndarray:
    """Exact minimum again and again among finer and finer choices around each point."""
    width = 1.5 / (_COARSE - 1)
    for _ in range(_ROUNDS):  # choices whose costs differ by rounding alone could be exchanged for ever
        if width <= 1e-9 or len(u) <= 2:
            break
        offsets = np.linspace(-width, width, _WINDOW)
        choices = [np.unique(np.append(np.clip(point + offsets, 0.0, 1.0), point)) for point in u[1:-1]]
        moved = _shortest(model, curve, [u[:1], *choices, u[-1:]])
        if np.abs(moved - u).max() < 0.6 * width:
            width /= 4
        u = moved
    return u
