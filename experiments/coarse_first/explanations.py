"""Why predictions failed, with the numbers that show it."""

from __future__ import annotations

from typing import Any

from experiments.coarse_first.verdicts import (
    DETERMINED,
    mix_predicted,
    pays_below,
    percent_of_floor,
    price_ratio,
    ratio,
)


def explain(results: dict[str, Any]) -> list[str]:
    """One paragraph for every prediction that failed or could not be decided."""
    reasons = {"failed": _reason, "undecided": _doubt}
    return [
        f"{v['name']} {'failed' if v['verdict'] == 'failed' else 'is undecided'}: {reasons[v['verdict']](v, results)}"
        for v in results["predictions"]
        if v["verdict"] in reasons
    ]


def _doubt(verdict: dict[str, Any], results: dict[str, Any]) -> str:
    return "an end of its interval lies within the 95 % interval of the measurement; more draws would tell."


def _reason(verdict: dict[str, Any], results: dict[str, Any]) -> str:
    name = verdict["name"]
    bands = {row["law"]: row for row in results["laws"] if row["kind"] == "bands"}
    if name == DETERMINED:
        row = bands[DETERMINED]["priced"]
        return (
            "it was carried over from clusters, where the fine part keeps a spread of its own. Once the coarse part is known "
            f"the fine leg of an L has a length of {row['fine_length']:.2f} against {row['coarse_length']:.2f} of the coarse one "
            "(square root of nats): nothing is left to sample. An earlier law, whose clusters overlapped, failed likewise, with 1.27."
        )
    if name == "quarter_price":
        low, high = pays_below(bands["independent"])
        tied, own = bands["hierarchical"]["priced"], bands["independent"]["priced"]
        return (
            f"it was made for independent scales of equal length, which break even at 0.17. The legs of the independent law, "
            f"{own['coarse_length']:.1f} and {own['fine_length']:.1f} long, break even at {low:.2f} to {high:.2f}. Where the coarse "
            f"part determines the cluster the fine leg is shorter, {tied['fine_length']:.1f}, and a quarter of the price gives "
            f"{price_ratio(bands['hierarchical'], 1 / 4, 'staged')} times lock-step. That is what guidance is worth, and only "
            "with cheap steps."
        )
    if name == "mixed":
        worst = max(bands.values(), key=lambda row: price_ratio(row, 1 / 16, "mixed").mean)
        others = [price_ratio(row, 1 / 16, "mixed").mean for row in bands.values() if row is not worst]
        return (
            f"the largest ratio is {price_ratio(worst, 1 / 16, 'mixed').mean:.4f}, of {results['labels'][worst['law']]}. Its fine "
            f"leg is {worst['priced']['fine_length']:.2f} long against {worst['priced']['coarse_length']:.1f} of the coarse one: "
            f"lengths promise {100 * (1 - mix_predicted(worst)):.1f} % at best, and what the search on its own draws made of the staged "
            "path is no better on the draws that judge. That a limit of exactly one leaves no room for this was not foreseen. For the "
            f"other laws the ratio is {min(others):.2f} to {max(others):.2f}."
        )
    if name == "ten_lock_step":
        ten = results["residuals"][0]
        return (
            f"with {ten['steps']} steps lock-step is at {percent_of_floor(ten, 'lock_step'):.0f} % of its floor, the image alone at "
            f"{percent_of_floor(ten, 'one_scale'):.0f} % of its own. The floors differ, too: {ten['floor']:.1f} and "
            f"{ten['one_scale_floor']:.1f} nats, for at equal noise a coarse scale of few coefficients ends noisier than "
            "averaged pixels, so that less of the strong modes has to be resolved. That lock-step is better for it was not tested."
        )
    if name in bands:
        row = bands[name]
        return (
            f"coarse first costs {ratio(row)} times the optimum, fine first {ratio(row, 'fine_first')} times and lock-step "
            f"{ratio(row, 'lock_step')} times; why has not been worked out."
        )
    return "the measured number lies outside the interval, and no explanation has been worked out."
