"""The answer in plain words, every number from the results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from experiments.coarse_first.verdicts import (
    DETERMINED,
    difference,
    pays_below,
    percent_of_floor,
    price_ratio,
    ratio,
)
from experiments.rows import Rows


def answer(results: dict[str, Any]) -> list[str]:
    """What the page begins with."""
    laws, phase = results["laws"], results["phase"]
    bands = {row["law"]: row for row in laws if row["kind"] == "bands"}
    free = {name: row for name, row in bands.items() if name != DETERMINED}
    pyramids = [row for row in laws if row["kind"] == "pyramid" and row["law"] != DETERMINED]
    function, ten = bands[DETERMINED], results["residuals"][0]
    functions = [row for row in phase if row["tie"] == "function"]
    below = {name: pays_below(row) for name, row in free.items()}
    staged, mixed = (
        [price_ratio(row, 1 / 16, what).mean for row in free.values()] for what in ("staged", "mixed")
    )
    return [
        f"{_near(results)} Where the fine part keeps something of its own, going [coarse first](#costs) with the best split "
        f"costs orthogonal bands {_range(ratio(row).mean for row in free.values())} times the optimum and the pyramid "
        f"{_range(ratio(row).mean for row in pyramids)} times: for independent scales, for clusters, for tied variances and for "
        "photographs alike. Guidance is no reason: where the coarse part determines the cluster of the fine one, coarse "
        f"first costs {ratio(bands['hierarchical'])} times the optimum, fine first "
        f"{ratio(bands['hierarchical'], 'fine_first')} times.",
        "An L costs next to nothing only where the fine part is a function of the coarse one, so that nothing is left to sample "
        f"once that is known: {ratio(function)} times the optimum{_phase_range(functions)}, where "
        f"the one step that its empty fine leg takes is worth {_steps(results):.2f} to leading order. "
        "Even there it is not the order that pays: there is one unknown, both parts tell it, and no way through the "
        f"noise levels is much longer than another (fine first {ratio(function, 'fine_first')}, lock-step "
        f"{ratio(function, 'lock_step')}).",
        "The reason that remains is compute. Staging beats lock-step where [a step of the coarse scale alone](#prices) costs "
        f"less than a share of a full step, which lies between {min(b[0] for b in below.values()):.2f} and "
        f"{max(b[1] for b in below.values()):.2f} for these laws; dependence raises it. At a sixteenth the L costs "
        f"{_range(iter(staged))} times what lock-step costs, but mixes in which the coarse scale leads and then goes "
        f"on moving with the fine one cost {_range(iter(mixed))} times what the L costs.",
        f"For [ten residual scales](#residuals) as in VAR, one after the other costs {percent_of_floor(ten, 'staged'):.0f} % of "
        f"the floor, lock-step {percent_of_floor(ten, 'lock_step'):.0f} % and ten free clocks "
        f"{percent_of_floor(ten, 'optimal'):.0f} %. Discretisation error speaks against that order; what can "
        "speak for it is that its early scales have few coefficients and may be cheap.",
    ]


def _near(results: dict[str, Any]) -> str:
    """In how many cases one scale after the other cannot be told from the optimum, or is all that the search found."""
    rows = [*results["laws"], *results["phase"]]
    near = [row for row in rows if ratio(row).low <= 1.0]
    beaten = [row for row in near if difference(row, "coarse_first", "lock_step").low > 0.0]
    told = (
        "An L-shaped, coarse-first path comes so close to the optimum that chance may make the difference in "
        f"{len(near) - len(beaten) or 'none'} of {len(rows)} cases."
    )
    if beaten:
        saved = max(
            (difference(row, "coarse_first", "lock_step") for row in beaten), key=lambda found: found.mean
        )
        told += (
            f" In {len(beaten)} more the search ended at the L itself, but lock-step costs less (by {saved.mean:.3f} ± "
            f"{saved.half_width:.2g} of its cost)."
        )
    return told


def _steps(results: dict[str, Any]) -> float:
    """What a path loses to leading order that spends one of its steps on nothing."""
    steps = results["settings"]["laws"]["steps"]
    return float(steps / (steps - 1))


def _phase_range(rows: Rows) -> str:
    return f" ({_range(ratio(row).mean for row in rows)} in the phase diagram)" if rows else ""


def _range(values: Iterable[float]) -> str:
    found = sorted(values)
    return f"{found[0]:.2f} to {found[-1]:.2f}" if len(found) > 1 else f"{found[0]:.2f}"
