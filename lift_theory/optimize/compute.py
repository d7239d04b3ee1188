"""Paths for a compute budget when a step that moves a single scale is cheaper than one that moves several.

With exact networks for every scale alone, a step of only the coarse scale may cost a fraction kappa of a
full step. For scales that are independent, with lengths L_L and L_H of the geodesics of the coarse and of the fine
one, compute C buys to leading order

    lock-step        (L_L^2 + L_H^2) / (2 C)
    staged           (sqrt(kappa) L_L + L_H)^2 / (2 C)
    the best mix     (sqrt(kappa) L_L + sqrt(1 - kappa) L_H)^2 / (2 C)    for kappa <= L_L^2 / (L_L^2 + L_H^2)

Full staging, the coarse scale all the way before the fine one begins, pays against lock-step for
`sqrt(kappa) < (sqrt(L_L^2 + L_H^2) - L_H) / L_L`. It is never the best use of the compute, whatever the price above
zero: the best mix has cheap steps of the coarse scale alone, but moves it on in every full step as well, which costs
nothing more. For coupled scales and finite budgets the lattice program decides at every step which kind of step is
worth its price, and refinement places the points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import real_number, whole_number
from lift_theory.optimize.lattice import lattice_axes, lattice_points
from lift_theory.optimize.objectives import PathKL
from lift_theory.optimize.refine import refine
from lift_theory.optimize.starts import checked_ends
from lift_theory.optimize.traceable import evaluate_mmse
from lift_theory.paths import Path

FINEST_UNIT = 64
"""Prices are rounded to fractions with denominators up to this."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ComputePath:
    """A path within a compute budget.

    Attributes:
        path: the points; as many steps as the budget allows and the optimum wants.
        cost: path KL in nats.
        moves: for each step the name of the only scale that it may move, or "all".
        spent: compute used, in units of a full step.
        budget: compute allowed.
        frontier: least cost over the lattice for budgets of 1, 2, ... units of `unit`; infinite where none reaches
            the end. The last is what `path` had before it left the lattice.
        unit: common divisor of the prices.
        kkt_residual: error of the optimality conditions for these moves, as in `Refinement`.
    """

    path: Path
    cost: float
    moves: tuple[str, ...]
    spent: float
    budget: float
    frontier: Float[np.ndarray, " budgets"]
    unit: float
    kkt_residual: float


def compute_aware_path(
    model: Any,
    budget: float,
    prices: Mapping[str, float],
    start: Any = -9.0,
    stop: Any = 9.0,
    points: int = 64,
) -> ComputePath:
    """The best path whose steps together cost no more compute than a budget.

    A lattice program chooses what each step may move, exactly over its lattice; the points are then refined off the
    lattice with these moves and their prices kept. A cheap step of the coarse scale makes some coarse-only steps pay,
    but hardly ever all of them before the fine scale begins.

    Args:
        model: an error-surface model such as `GaussianModel`.
        budget: compute in units of a step that may move all scales.
        prices: compute of a step that moves only the named scale; scales left out have no cheap step.
        start: first log-SNR in nats, for all scales or one per scale.
        stop: last log-SNR, likewise, not below `start`.
        points: lattice points per scale.

    Raises:
        TypeError: if a number is of the wrong kind.
        ValueError: if a price or the budget is not positive, a scale is unknown, or the budget pays for no
            path.

    Examples:
        >>> import lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.AveragePyramid())
        >>> cheap = compute_aware_path(model, 6, {"coarse": 0.25}, -5.0, 5.0, points=24)
        >>> cheap.spent <= 6
        True
    """
    from lift_theory.optimize._kernels import plain_step

    scales = tuple(model.scales)
    points = whole_number(points, name="points", least=2)
    budget = real_number(budget, name="budget", positive=True)
    unknown = sorted(set(prices) - set(scales))
    if unknown:
        raise ValueError(f"prices must name scales of the model, {scales}; got {unknown}.")
    first, last = checked_ends(model, start, stop)
    rounded = {
        name: Fraction(real_number(price, name=f"prices[{name!r}]", positive=True)).limit_denominator(
            FINEST_UNIT
        )
        for name, price in prices.items()
    }
    if any(price == 0 for price in rounded.values()):
        raise ValueError(f"prices must be at least 1/{2 * FINEST_UNIT} of a full step; got {dict(prices)}.")
    unit = Fraction(1, lcm(1, *(price.denominator for price in rounded.values())))
    kinds = [("all", int(1 / unit))] + [(name, int(price / unit)) for name, price in rounded.items()]
    layers = int(np.floor(budget / float(unit) + 1e-9))

    axes = lattice_axes(first, last, points)
    shape = tuple(len(axis) for axis in axes)
    logsnr = lattice_points(axes)
    snr, slopes = np.exp(logsnr), 0.5 * evaluate_mmse(model, logsnr)
    step = _full_step(shape, snr, slopes) or (lambda values: plain_step(values, slopes, snr))

    values = [np.where(np.arange(len(snr)) == 0, 0.0, np.inf)]
    origin = [np.full(len(snr), -1)]
    kind = [np.full(len(snr), -1)]
    reached: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for layer in range(1, layers + 1):
        best, argument, used = values[-1].copy(), np.arange(len(snr)), np.full(len(snr), -1)
        for which, (name, price) in enumerate(kinds):
            if price > layer:
                continue
            source = values[layer - price]
            if name == "all":
                if layer - price not in reached:
                    reached[layer - price] = step(source)
                candidate, parent = reached[layer - price]
            else:
                candidate, parent = _single_step(source, slopes, snr, shape, scales.index(name))
            better = candidate < best - 1e-12 * np.abs(best, where=np.isfinite(best), out=np.ones_like(best))
            best, argument, used = (
                np.where(better, candidate, best),
                np.where(better, parent, argument),
                np.where(better, which, used),
            )
        values.append(best)
        origin.append(argument)
        kind.append(used)
    ends = np.asarray(model.mutual_information(np.stack([first, last])), dtype=float)
    frontier = np.array([table[-1] for table in values[1:]]) - (ends[1] - ends[0])
    if not layers or not np.isfinite(frontier[-1]):
        raise ValueError(
            f"a budget of {budget:g} pays for no path from {first} to {last} at the prices {dict(prices)} "
            "(a step of all scales costs 1); raise the budget."
        )
    layer, index = layers, len(snr) - 1
    visited, moves = [index], []
    while layer > 0:
        chosen = int(kind[layer][index])
        if chosen < 0:
            layer -= 1
            continue
        index = int(origin[layer][index])
        layer -= kinds[chosen][1]
        visited.append(index)
        moves.append(kinds[chosen][0])
    moves.reverse()
    held = np.array([[move not in ("all", name) for name in scales] for move in moves])
    found = refine(PathKL().derivatives(model), logsnr[visited[::-1]], held=held)
    spent = float(sum(dict(kinds)[name] for name in moves) * unit)
    return ComputePath(
        path=Path(found.logsnr, scales),
        cost=found.cost,
        moves=tuple(moves),
        spent=spent,
        budget=budget,
        frontier=np.maximum(frontier, 0.0),
        unit=float(unit),
        kkt_residual=found.kkt_residual,
    )


def break_even_price(coarse_length: float, fine_length: float) -> float:
    """The price of a coarse-only step below which full staging beats lock-step, for independent scales.

    The best mix of coarse-only and full steps beats both already below `L_L^2 / (L_L^2 + L_H^2)`.

    Args:
        coarse_length: geodesic length of the coarse scale alone.
        fine_length: geodesic length of the fine scale alone.

    Raises:
        ValueError: if a length is not positive.

    Examples:
        >>> round(break_even_price(1.0, 1.0), 4)
        0.1716
    """
    coarse = real_number(coarse_length, name="coarse_length", positive=True)
    fine = real_number(fine_length, name="fine_length", positive=True)
    # sqrt(c^2 + f^2) - f = c^2 / (sqrt(c^2 + f^2) + f), without cancellation
    return float((coarse / (np.hypot(coarse, fine) + fine)) ** 2)


def _full_step(shape: tuple[int, ...], snr: np.ndarray, slopes: np.ndarray) -> Any:
    """The envelope step over a whole lattice, or None where mmse does not fall along it."""
    from lift_theory.optimize._kernels import envelope_step

    rows, columns, scales = int(np.prod(shape[:-1])), shape[-1], len(shape)
    grid = slopes.reshape(rows, columns, scales).copy()
    falling = np.minimum.accumulate(grid[:, :, -1], axis=1)
    if np.any(grid[:, :, -1] - falling > 1e-9 * np.abs(falling)):
        return None
    grid[:, :, -1] = falling
    nodes = snr.reshape(rows, columns, scales)
    leading, last = nodes[:, 0, :-1].copy(), nodes[0, :, -1].copy()

    def step(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        best, argument = envelope_step(values.reshape(rows, columns), grid, leading, last)
        return best.ravel(), argument.ravel()

    return step


def _single_step(
    values: np.ndarray, slopes: np.ndarray, snr: np.ndarray, shape: tuple[int, ...], scale: int
) -> tuple[np.ndarray, np.ndarray]:
    """Best values after a step of one scale alone, and where the step began."""
    lines = [np.moveaxis(a.reshape(shape), scale, -1) for a in (values, slopes[:, scale], snr[:, scale])]
    value, slope, position = lines
    flat = np.moveaxis(np.arange(len(snr)).reshape(shape), scale, -1)
    height = value - slope * position
    best, parent = np.full_like(value, np.inf), flat.copy()
    for begin in range(shape[scale]):
        candidate = height[..., begin, None] + slope[..., begin, None] * position[..., begin:]
        better = candidate < best[..., begin:]
        best[..., begin:] = np.where(better, candidate, best[..., begin:])
        parent[..., begin:] = np.where(better, flat[..., begin, None], parent[..., begin:])
    return np.moveaxis(best, -1, scale).ravel(), np.moveaxis(parent, -1, scale).ravel()
