"""What was measured for every prediction, with the interval in which chance in the draws leaves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy import stats

from experiments.coarse_first.predictions import PREDICTIONS
from experiments.coarse_first.prices import break_even
from experiments.intervals import CONFIDENCE, Estimate
from experiments.predictions import judged
from experiments.rows import Rows, find

DETERMINED = "determined"
QUANTILE = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
"""Standard errors on either side of an interval."""


def estimate(value: float, standard_error: float) -> Estimate:
    """A Monte Carlo average with its 95 % interval."""
    return Estimate(mean=value, half_width=QUANTILE * standard_error, values=())


def ratio(row: dict[str, Any], path: str = "coarse_first") -> Estimate:
    """Cost of one path of a case over that of the optimum.

    `A/B - 1 = (A - B)/B`, and `d(A/B) = (d(A - B) - (A/B - 1) dB)/B`: the standard error is at most the sum of both.
    """
    best, other = row["paths"]["optimal"], row["paths"][path]
    return _over(other["cost"], best["cost"], other["difference_standard_error"], best["standard_error"])


def difference(row: dict[str, Any], one: str, other: str) -> Estimate:
    """Cost of one path less that of another, as a share of the optimum; errors are at most those of both."""
    paths, best = row["paths"], row["paths"]["optimal"]["cost"]
    error = paths[one]["difference_standard_error"] + paths[other]["difference_standard_error"]
    return estimate((paths[one]["cost"] - paths[other]["cost"]) / best, error / best)


def price_ratio(row: dict[str, Any], price: float, what: str) -> Estimate:
    """Cost at a price over that of lock-step ("staged"), or of the best mix over that of the staged path ("mixed")."""
    priced = row["priced"]
    found = find(priced["rows"], price=price)
    if what == "staged":
        base, error = priced["lock_step"], priced["lock_step_standard_error"]
    else:  # the error of the staged path is at most that of lock-step and that of their difference
        base = found["staged"]
        error = priced["lock_step_standard_error"] + found["staged_standard_error"]
    return _over(found[what], base, found[f"{what}_standard_error"], error)


def pays_below(row: dict[str, Any]) -> tuple[float, float]:
    """The 95 % interval of the price below which staging beats lock-step; zero if it never does."""
    priced = row["priced"]

    def at(sign: float) -> float:
        costs = [
            (r["price"], max(r["staged"] + sign * QUANTILE * r["staged_standard_error"], 0.0))
            for r in priced["rows"]
        ]
        return break_even(costs, priced["lock_step"]) or 0.0

    return at(1.0), at(-1.0)


def percent_of_floor(row: dict[str, Any], name: str) -> float:
    """Cost of a path of the residual scales in percent of the floor; the image alone has its own."""
    return float(100 * row[name] / row["one_scale_floor" if name == "one_scale" else "floor"])


def verdicts(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Every prediction with what was measured, or "not asked" where the preset leaves it out."""
    laws, phase, ten = results["laws"], results["phase"], results["residuals"][0]
    bands = {row["law"]: row for row in laws if row["kind"] == "bands"}
    pyramid = {row["law"]: row for row in laws if row["kind"] == "pyramid"}
    free = [row for name, row in bands.items() if name != DETERMINED]
    functions = [row for row in phase if row["tie"] == "function" and row["kind"] == "bands"]
    independent = bands["independent"]
    low, high = (price / independent["priced"]["break_even_predicted"] for price in pays_below(independent))
    measured: dict[str, float | Estimate | None] = {
        **{
            name: ratio(bands[name])
            for name in ("independent", "hierarchical", DETERMINED, "scale_mixture", "photographs")
        },
        "no_order": difference(independent, "coarse_first", "fine_first"),
        "determined_nothing_left": _largest(map(ratio, [bands[DETERMINED], *functions])),
        "determined_fine_first": ratio(bands[DETERMINED], "fine_first"),
        "determined_lock_step": difference(bands[DETERMINED], "coarse_first", "lock_step"),
        "pyramid": _least(ratio(row) for name, row in pyramid.items() if name != DETERMINED),
        "redundancy": _least(_redundancy(row, bands[name]) for name, row in pyramid.items()),
        "lead": max(row["lead"] for row in free),
        "lead_by_variance": _slope(phase),
        "lead_by_dependence": _shift(phase),
        "quarter_price": _least(price_ratio(row, 1 / 4, "staged") for row in free),
        "sixteenth_price": _largest(price_ratio(row, 1 / 16, "staged") for row in bands.values()),
        "break_even": Estimate(mean=(low + high) / 2, half_width=(high - low) / 2, values=()),
        "mixed": _largest(price_ratio(row, 1 / 16, "mixed") for row in bands.values()),
        "mixed_saving": _scaled(price_ratio(independent, 1 / 16, "mixed"), 1 / mix_predicted(independent)),
        "ten_scales": ten["staged"] / ten["optimal"],
        "ten_clocks": percent_of_floor(ten, "optimal"),
        "ten_lock_step": percent_of_floor(ten, "lock_step"),
    }
    return judged(PREDICTIONS, measured)


def mix_predicted(row: dict[str, Any], price: float = 1 / 16) -> float:
    """Cost of the best mix over that of the staged path, to leading order for independent scales."""
    coarse, fine = row["priced"]["coarse_length"], row["priced"]["fine_length"]
    cheap = np.sqrt(price) * coarse
    return float(((cheap + np.sqrt(1 - price) * fine) / (cheap + fine)) ** 2)


def _over(cost: float, base: float, difference_error: float, base_error: float) -> Estimate:
    quotient = cost / base
    return estimate(quotient, (difference_error + abs(quotient - 1) * base_error) / base)


def _redundancy(pyramid: dict[str, Any], bands: dict[str, Any]) -> Estimate:
    over, ortho = pyramid["paths"]["optimal"], bands["paths"]["optimal"]
    quotient = over["cost"] / ortho["cost"]
    return estimate(
        quotient, np.hypot(over["standard_error"], quotient * ortho["standard_error"]) / ortho["cost"]
    )


def _scaled(value: Estimate, by: float) -> Estimate:
    return Estimate(mean=by * value.mean, half_width=by * value.half_width, values=())


def _largest(found: Iterable[Estimate]) -> Estimate:
    return max(found, key=_mean)


def _least(found: Iterable[Estimate]) -> Estimate:
    return min(found, key=_mean)


_mean: Callable[[Estimate], float] = lambda value: value.mean  # noqa: E731


def _slope(phase: Rows) -> float | None:
    """Change of the median lead per nat of variance ratio, independent bands of the first dimension ratio."""
    rows = [r for r in phase if r["kind"] == "bands" and r["tie"] == "none" and r["fine"] == phase[0]["fine"]]
    ends = sorted(rows, key=lambda row: float(row["ratio"]))
    if len(ends) < 2:
        return None
    rise = ends[-1]["lead"] - ends[0]["lead"]
    return float(rise / np.log(ends[-1]["ratio"] / ends[0]["ratio"]))


def _shift(phase: Rows) -> float | None:
    """Largest change of the median lead of bands when the coarse part comes to determine the cluster."""
    tied = [row for row in phase if row["kind"] == "bands" and row["tie"] == "cluster"]
    changes = []
    for row in tied:
        place = {key: row[key] for key in ("kind", "fine", "ratio")}
        changes.append(abs(row["lead"] - find(phase, **place, tie="none")["lead"]))
    return float(max(changes)) if changes else None
