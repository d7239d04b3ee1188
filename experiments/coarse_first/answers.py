"""The answer in plain words, every number from the results."""

from __future__ import annotations

from typing import Any

from experiments.coarse_first.verdicts import DETERMINED, percent_of_floor, ratio
from experiments.rows import find


def answer(results: dict[str, Any]) -> list[str]:
    """What the page begins with."""
    bands = {row["law"]: row for row in results["laws"] if row["kind"] == "bands"}
    open_bands = {name: row for name, row in bands.items() if name != DETERMINED}
    pyramid = [ratio(row) for row in results["laws"] if row["kind"] == "pyramid" and row["law"] != DETERMINED]
    function, cluster = bands[DETERMINED], bands["hierarchical"]
    ten = results["residuals"][0]
    pays = {
        name: row["priced"]["break_even"] for name, row in open_bands.items() if row["priced"]["break_even"]
    }
    even = f"between {min(pays.values()):.2f} and {max(pays.values()):.2f}" if pays else "nowhere above zero"
    sixteenth = [find(row["priced"]["rows"], price=1 / 16) for row in open_bands.values()]
    staged, mixed = (
        [r[what] / row["priced"]["lock_step"] for r, row in zip(sixteenth, open_bands.values(), strict=True)]
        for what in ("staged", "mixed")
    )
    return [
        f"{_never(results)} Going [coarse first](#costs) with the best split costs orthogonal bands "
        f"{_range(ratio(row) for row in open_bands.values())} times the optimum, the pyramid {_range(iter(pyramid))} times, "
        "for independent scales, for clusters, for tied variances and for photographs alike. Guidance is no reason: where the "
        f"coarse part determines the cluster of the fine one, the price is {ratio(cluster):.2f} "
        f"(± {_error(cluster):.2f}) times the optimum, that of fine first {ratio(cluster, 'fine_first'):.2f} times. "
        f"[The optimum](#phase) has the coarse band {_range(row['lead'] for row in open_bands.values())} nats ahead (medians; "
        "below zero it is behind).",
        "Two things make it cheap. One is a fine part that is a function of the coarse one, so that nothing is left to sample "
        f"once that is known: coarse first then costs {ratio(function):.2f} (± {_error(function):.2f}) times the optimum. "
        f"But that speaks for no order: fine first costs {ratio(function, 'fine_first'):.2f} times, lock-step "
        f"{ratio(function, 'lock_step'):.2f} times.",
        "The other is compute. Staging beats lock-step where [a step of the coarse scale alone](#prices) costs less than "
        f"a share of a full one that lies {even} for the laws here; at a sixteenth it costs {_range(iter(staged))} times "
        f"what lock-step costs. Mixes in which the coarse scale leads and then goes on moving, found on a lattice, cost "
        f"{_range(iter(mixed))} times, less than the L in {sum(m < s for m, s in zip(mixed, staged, strict=True))} of "
        f"{len(staged)} laws.",
        f"For [ten residual scales](#residuals) as in VAR, one after the other costs {percent_of_floor(ten, 'staged'):.0f} % of "
        f"the floor, lock-step {percent_of_floor(ten, 'lock_step'):.0f} % and ten free clocks "
        f"{percent_of_floor(ten, 'optimal'):.0f} %. Discretisation error speaks against that order; what can "
        "speak for it is that its early scales have few coefficients and may be cheap.",
    ]


def _never(results: dict[str, Any]) -> str:
    """In how many cases one scale after the other comes within two standard errors of the optimum."""
    rows = [*results["laws"], *results["phase"]]

    def near(name: str) -> int:
        return sum(
            row["paths"][name]["cost"] - row["paths"]["optimal"]["cost"]
            <= 2 * row["paths"][name]["difference_standard_error"]
            for row in rows
        )

    coarse, fine = near("coarse_first"), near("fine_first")
    return (
        f"A coarse-first path is optimal within two standard errors in {coarse or 'none'} of {len(rows)} cases, a fine-first "
        f"one in {fine or 'none'}."
    )


def _range(values: Any) -> str:
    found = sorted(values)
    return f"{found[0]:.2f} to {found[-1]:.2f}"


def _error(row: dict[str, Any]) -> float:
    """Standard error of the excess of coarse first, as a share of the optimum."""
    return float(row["paths"]["coarse_first"]["difference_standard_error"] / row["paths"]["optimal"]["cost"])
