"""Why predictions failed, with the numbers that show it."""

from __future__ import annotations

from typing import Any

from experiments.coarse_first.verdicts import DETERMINED, percent_of_floor, ratio
from experiments.rows import find


def explain(results: dict[str, Any]) -> list[str]:
    """One paragraph for every prediction that failed."""
    failed = [v for v in results["predictions"] if v["verdict"] == "failed"]
    return [f"{v['name']} failed: {_reason(v['name'], results)}" for v in failed]


def _reason(name: str, results: dict[str, Any]) -> str:
    bands = {row["law"]: row for row in results["laws"] if row["kind"] == "bands"}
    if name == DETERMINED:
        row = bands[DETERMINED]["priced"]
        return (
            "it spoke of clusters that are determined, not of functions. Given the coarse part, the fine leg of the staged path has "
            f"a length of {row['fine_length']:.2f} against {row['coarse_length']:.2f} of the coarse one (square root of nats): there is "
            "next to nothing to sample, and the path is not twice as long as a straight one."
        )
    if name == "quarter_price":
        row = bands["hierarchical"]["priced"]
        quarter = find(row["rows"], price=1 / 4)["staged"] / row["lock_step"]
        independent = bands["independent"]["priced"]
        other = find(independent["rows"], price=1 / 4)["staged"] / independent["lock_step"]
        return (
            "it was made for independent scales of equal length, where staging pays below 0.17; for the independent law a "
            f"quarter gives {other:.2f} times lock-step. Where the coarse part determines the cluster the fine leg is shorter, "
            f"{row['fine_length']:.1f} against {independent['fine_length']:.1f}, and a quarter gives {quarter:.2f}: dependence "
            "raises the price at which staging starts to pay. That is what guidance is worth, and only with cheap steps."
        )
    if name == "ten_lock_step":
        ten = results["residuals"][0]
        return (
            f"with {ten['steps']} steps lock-step is at {percent_of_floor(ten, 'lock_step'):.0f} % of its floor, the image alone at "
            f"{percent_of_floor(ten, 'one_scale'):.0f} % of its own. At equal noise a residual scale of few coefficients ends "
            "noisier than averaged pixels, so that frequencies with large variance end at a lower SNR: the scales by themselves "
            "level what has to be resolved, and one clock serves all modes better."
        )
    if name == "determined_one_unknown":
        rows = [r for r in results["phase"] if r["tie"] == "function" and r["kind"] == "bands"]
        worst = max(rows, key=ratio)
        return (
            f"{ratio(worst):.2f} is reached at {worst['fine']} fine coefficients and a variance ratio of {worst['ratio']:g}. The "
            "argument holds inside a cluster; which cluster it is the two scales tell at noise levels of their own."
        )
    return "the measured number lies outside the interval, and no explanation has been worked out."
