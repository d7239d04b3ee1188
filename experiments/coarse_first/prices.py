"""When steps that move only the coarse scale are cheap: staged paths and best mixes of moves for a compute budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import lift_theory as lt
from lift_theory.optimize import PathKL
from lift_theory.optimize.refine import refine

PRICES = (1.0, 1 / 4, 1 / 16)
"""Compute of a step that moves only the coarse scale, in full steps."""
ARC_POINTS = 401
ITERATIONS = 4
"""Quadratic programs for paths whose moves are given, after the search on the fit."""
MANY = 24
"""Steps of one leg above which equal arc lengths are good enough."""
LATTICE = 40
"""Log-SNRs per scale among which the moves of a mix are chosen, if they hold as many steps as are wanted."""


def priced(
    fit: lt.MeasuredModel, searched: lt.MixtureModel, judge: lt.MixtureModel, paths: Mapping[str, lt.Path]
) -> dict[str, Any]:
    """Staged paths and best mixes at every price, for the compute that lock-step takes.

    The price at which staging starts to pay is measured by interpolation between prices and predicted from the lengths
    of the two legs of the staged path (`compute_aware_order`, where scales are independent). Paths are found on the fit
    and refined on the draws it was made from; the kinds of moves of a mix are those of the staged path or are chosen on a
    lattice, whichever is better.

    Args:
        fit: smooth surface of the draws.
        searched: the draws that paths are searched on.
        judge: the draws that they are costed with.
        paths: the best ones where all steps cost the same: "optimal", "lock_step" and "coarse_first".
    """
    lock_step = paths["lock_step"]
    begin, end = lock_step.logsnr[0], lock_step.logsnr[-1]
    corner = np.array([begin[0], end[1]])
    legs = Leg.of(fit, begin, corner), Leg.of(fit, corner, end)
    coarse, budget = fit.scales[1], lock_step.steps
    derivatives = PathKL().derivatives(searched)
    rows: list[dict[str, Any]] = []
    for price in PRICES:
        if price == 1.0:
            path, mixed = paths["coarse_first"], paths["optimal"]
        else:
            path = staged(fit, searched, legs, budget, price)
            alone, full = _kinds(path)
            mixes = [moved(searched, path, free=1) if full > 1 else path]
            if alone < LATTICE:
                mix = lt.compute_aware_path(fit, budget, {coarse: price}, begin, end, points=LATTICE)
                mixes.append(moved(searched, mix.path))
            mixed = min(mixes, key=lambda found: derivatives(found.logsnr).cost)
        rows.append(
            {
                "price": price,
                "staged": float(lt.path_kl(judge, path)),
                "staged_standard_error": judge.path_kl_standard_error(path, lock_step),
                "staged_steps": _kinds(path),
                "mixed": float(lt.path_kl(judge, mixed)),
                "mixed_standard_error": judge.path_kl_standard_error(mixed, path),
                "mixed_steps": _kinds(mixed),
            }
        )
    lengths = [leg.length for leg in legs]
    return {
        "budget": budget,
        "lock_step": float(lt.path_kl(judge, lock_step)),
        "lock_step_standard_error": judge.path_kl_standard_error(lock_step),
        "rows": rows,
        "coarse_length": lengths[0],
        "fine_length": lengths[1],
        "break_even_predicted": lt.break_even_price(*lengths),
        "break_even": break_even(
            [(row["price"], row["staged"]) for row in rows], float(lt.path_kl(judge, lock_step))
        ),
    }


def _kinds(path: lt.Path) -> list[int]:
    """How many steps move the coarse scale alone, and how many others there are."""
    alone = np.diff(path.logsnr[:, 0]) == 0
    return [int(np.count_nonzero(alone)), int(np.count_nonzero(~alone))]


@dataclass(frozen=True, kw_only=True)
class Leg:
    """A straight piece of a path and the arc length along it.

    Attributes:
        points: densely spaced log-SNRs.
        arc: length in the information metric up to each of them, square root of nats.
    """

    points: np.ndarray
    arc: np.ndarray

    @classmethod
    def of(cls, model: Any, begin: np.ndarray, end: np.ndarray) -> Leg:
        """The piece from one point to another."""
        share = np.linspace(0.0, 1.0, ARC_POINTS)[:, None]
        points = begin + share * (end - begin)
        metric = np.asarray(model.metric(points))
        speed = np.sqrt(np.maximum(np.einsum("nkl,k,l->n", metric, end - begin, end - begin), 0.0))
        steps = 0.5 * (speed[1:] + speed[:-1]) / (ARC_POINTS - 1)
        return cls(points=points, arc=np.concatenate([[0.0], np.cumsum(steps)]))

    @property
    def length(self) -> float:
        """Length of the piece."""
        return float(self.arc[-1])

    def evenly(self, steps: int) -> np.ndarray:
        """Points at equal arc length: the best ones to leading order."""
        where = np.linspace(0.0, self.length, steps + 1)
        points = [np.interp(where, self.arc, column) for column in self.points.T]
        result = np.stack(points, axis=1)
        result[0], result[-1] = self.points[0], self.points[-1]
        return result


def staged(fit: Any, searched: Any, legs: tuple[Leg, Leg], budget: int, price: float) -> lt.Path:
    """The coarse scale all the way, then the fine one, as many steps of each as is best for the budget.

    The split is chosen on the fit, with steps of equal arc length, which are best to leading order; they stay where
    they are many and are moved to where the draws want them where they are few.
    """

    def path(low: int, high: int) -> lt.Path:
        return lt.Path(np.concatenate([legs[0].evenly(low), legs[1].evenly(high)[1:]]), fit.scales)

    splits = [(int((budget - high) / price + 1e-9), high) for high in range(1, budget)]
    longest = max(sum(split) for split in splits)
    split = min(splits, key=lambda counts: float(lt.path_kl(fit, padded(path(*counts), longest))))
    pieces = [lt.Path(leg.evenly(count), fit.scales) for leg, count in zip(legs, split, strict=True)]
    pieces = [piece if piece.steps > MANY else moved(searched, piece) for piece in pieces]
    return lt.Path(np.concatenate([pieces[0].logsnr, pieces[1].logsnr[1:]]), fit.scales)


def moved(model: lt.MixtureModel, path: lt.Path, free: int | None = None) -> lt.Path:
    """The path with its points moved to where this model wants them; what stands still in a step goes on doing so.

    Args:
        model: the draws.
        path: the path.
        free: number of a scale that may begin to move where it stands still.
    """
    held = np.diff(path.logsnr, axis=0) == 0
    if free is not None:
        held[:, free] = False
    found = refine(PathKL().derivatives(model), path.logsnr, held=held, max_iterations=ITERATIONS)
    return lt.Path(found.logsnr, path.scales)


def padded(path: lt.Path, steps: int) -> lt.Path:
    """The path with standing steps at its end, which cost nothing: few lengths have to be compiled."""
    rest = np.repeat(path.logsnr[-1:], steps - path.steps, axis=0)
    return lt.Path(np.concatenate([path.logsnr, rest]), path.scales)


def break_even(costs: Sequence[tuple[float, float]], reference: float) -> float | None:
    """The price at which staging costs as much as lock-step; none if it does not pay however cheap.

    To leading order the root of the cost of a staged path is linear in the root of the price; between two prices, and
    beyond the last one, it is taken to be so.
    """
    roots = sorted((np.sqrt(price), np.sqrt(cost) - np.sqrt(reference)) for price, cost in costs)
    above = next((i for i, (_, excess) in enumerate(roots) if excess > 0), len(roots) - 1)
    (x0, y0), (x1, y1) = roots[max(above - 1, 0)], roots[max(above, 1)]
    if y1 <= y0:
        return None
    root = x0 - y0 * (x1 - x0) / (y1 - y0)
    return float(root**2) if root > 0 else None
