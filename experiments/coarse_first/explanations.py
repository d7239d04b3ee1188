"""Why predictions failed, with the numbers that show it."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.coarse_first.laws import SPREAD, clustered
from experiments.coarse_first.prices import LATTICE
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
            "it was carried over from clusters, where the fine part keeps a spread of its own. Here, given the coarse part, the fine leg of the staged path has "
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
            f"{percent_of_floor(ten, 'one_scale'):.0f} % of its own. Probably, for it was not tested: at equal noise a residual scale of few coefficients ends "
            "noisier than averaged pixels, so that frequencies with large variance end at a lower SNR: the scales by themselves "
            "level what has to be resolved, and one clock serves all modes better."
        )
    if name == "mixed":
        worst = max(bands.values(), key=lambda row: _mixed(row["priced"]))
        cheap = find(worst["priced"]["rows"], price=1 / 16)
        return (
            "this is the search, not the theorem, for staging is itself a mix. Moves are chosen on a lattice of "
            f"{LATTICE} noise levels per scale, which holds at most {LATTICE - 1} steps of one scale alone; in the law "
            f'"{results["labels"][worst["law"]]}" the staged path takes {cheap["coarse_steps"]} of them and the mix found '
            f"{cheap['mixed_coarse_steps']}. Without that law the largest ratio is "
            f"{max(_mixed(row['priced']) for row in bands.values() if row is not worst):.2f}."
        )
    if name == "determined_one_unknown":
        rows = [r for r in results["phase"] if r["tie"] == "function" and r["kind"] == "bands"]
        worst = max(rows, key=ratio)
        best = worst["paths"]["optimal"]["cost"]
        error = worst["paths"]["coarse_first"]["difference_standard_error"] / best
        centres = clustered(fine=worst["fine"], coarse=1, dependence=1.0, ratio=worst["ratio"]).means[:, -1]
        gap = np.diff(np.sort(centres)).min() / SPREAD
        return (
            f"{ratio(worst):.2f} ± {error:.2f} is found at {worst['fine']} fine coefficients and a variance ratio of "
            f"{worst['ratio']:g}. The argument holds inside a cluster, and clusters on a line overlap: the closest centres are "
            f"{gap:.1f} standard deviations of a cluster apart, so that a coarse value leaves several branches open and the fine "
            "part is no function of it. Few draws decide what that costs: the standard error is large, and so is the misfit of "
            "the surface that paths are searched on."
        )
    return "the measured number lies outside the interval, and no explanation has been worked out."


def _mixed(priced: dict[str, Any]) -> float:
    """Cost of the best mix found over that of the staged path, at a sixteenth of the price."""
    row = find(priced["rows"], price=1 / 16)
    return float(row["mixed"] / row["staged"])
