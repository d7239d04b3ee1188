"""What was measured for every prediction, and why some failed."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.coarse_first.predictions import PREDICTIONS
from experiments.predictions import judged
from experiments.rows import Rows, find

DETERMINED = "determined"


def ratio(row: dict[str, Any], path: str = "coarse_first", to: str = "optimal") -> float:
    """Cost of one path of a case over that of another."""
    return float(row["paths"][path]["cost"] / row["paths"][to]["cost"])


def percent_of_floor(row: dict[str, Any], name: str) -> float:
    """Cost of a path of the residual scales in percent of the floor; the image alone has its own."""
    return float(100 * row[name] / row["one_scale_floor" if name == "one_scale" else "floor"])


def verdicts(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Every prediction with what was measured, or "not asked" where the preset leaves it out."""
    laws, phase, ten = results["laws"], results["phase"], results["residuals"][0]
    bands = {row["law"]: row for row in laws if row["kind"] == "bands"}
    pyramid = {row["law"]: row for row in laws if row["kind"] == "pyramid"}
    open_laws = [name for name in bands if name != DETERMINED]
    cheap = {name: {r["price"]: r for r in row["priced"]["rows"]} for name, row in bands.items()}

    def against_lock_step(name: str, price: float) -> float:
        return float(cheap[name][price]["staged"] / bands[name]["priced"]["lock_step"])

    independent, even = bands["independent"]["paths"], bands["independent"]["priced"]
    order = independent["coarse_first"]["cost"] - independent["fine_first"]["cost"]
    functions = [ratio(row) for row in phase if row["tie"] == "function" and row["kind"] == "bands"]
    measured: dict[str, float | None] = {
        **{
            name: ratio(bands[name])
            for name in ("independent", "hierarchical", DETERMINED, "scale_mixture", "photographs")
        },
        "no_order": order / independent["optimal"]["cost"],
        "determined_one_unknown": max(functions) if functions else None,
        "pyramid": min(ratio(pyramid[name]) for name in open_laws),
        "redundancy": min(
            pyramid[name]["paths"]["optimal"]["cost"] / bands[name]["paths"]["optimal"]["cost"]
            for name in bands
        ),
        "lead": max(bands[name]["lead"] for name in open_laws),
        "lead_by_variance": _slope(phase),
        "lead_by_dependence": _shift(phase),
        "quarter_price": min(against_lock_step(name, 1 / 4) for name in open_laws),
        "sixteenth_price": max(against_lock_step(name, 1 / 16) for name in bands),
        "break_even": (even["break_even"] or 0.0) / even["break_even_predicted"],
        "mixed": max(cheap[name][1 / 16]["mixed"] / cheap[name][1 / 16]["staged"] for name in bands),
        "ten_scales": ten["staged"] / ten["optimal"],
        "ten_clocks": percent_of_floor(ten, "optimal"),
        "ten_lock_step": percent_of_floor(ten, "lock_step"),
    }
    return judged(PREDICTIONS, measured)


def _slope(phase: Rows) -> float | None:
    """Change of the median lead per nat of variance ratio, independent bands of the first dimension ratio."""
    rows = [r for r in phase if r["kind"] == "bands" and r["tie"] == "none" and r["fine"] == phase[0]["fine"]]
    ends = sorted(rows, key=lambda row: float(row["ratio"]))
    if len(ends) < 2:
        return None
    rise = ends[-1]["lead"] - ends[0]["lead"]
    return float(rise / np.log(ends[-1]["ratio"] / ends[0]["ratio"]))


def _shift(phase: Rows) -> float | None:
    """Largest change of the median lead of bands when the coarse value comes to determine the cluster."""
    tied = [row for row in phase if row["kind"] == "bands" and row["tie"] == "cluster"]
    changes = []
    for row in tied:
        place = {key: row[key] for key in ("kind", "fine", "ratio")}
        changes.append(abs(row["lead"] - find(phase, **place, tie="none")["lead"]))
    return float(max(changes)) if changes else None
