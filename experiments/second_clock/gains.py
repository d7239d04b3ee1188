"""What a second clock gains over one, how sure that is, and where it puts the lead."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.rows import find
from experiments.second_clock.contenders import Contender
from experiments.second_clock.measures import NEAR


def gains(
    rows: list[dict[str, Any]], one_rows: list[dict[str, Any]], entries: list[Contender]
) -> list[dict[str, Any]]:
    """One entry for every optimised path of two clocks.

    Gains are in percent of the error of the best single clock (in the joint law: of the best lock-step).
    `gain_of_scales` is that of the same scales in lock-step, well spaced, `gain_over_lock_step` what the second clock
    adds to it; bands of an orthonormal basis in lock-step are one clock. `median_excess` and `worst_excess` say by how many percent of the best error the other starts end above it, `found` how many of
    `starts` end within 0.1 %. Leads are means, smallest and largest values over the inner points: every call counts
    once.
    """
    contender = {entry.name: entry for entry in entries}
    result = []
    for row in rows:
        key = {name: row[name] for name in ("spectrum", "sampler", "init", "metric", "steps")}
        one = find(one_rows, **key)
        costs = np.array([start["cost"] for start in row["starts"]])
        lead = contender[row["representation"]].lead(row["logsnr"])
        result.append(
            {
                **key,
                "output": row["output"],
                "representation": row["representation"],
                "reference": row["reference"],
                "best": row["cost"],
                "gain": 100 * (1 - row["cost"] / row["reference"]),
                "gain_of_scales": 100 * (1 - row["lock_step"] / row["reference"]),
                "gain_over_lock_step": 100 * (1 - row["cost"] / row["lock_step"]),
                "spacing": {name: 100 * (1 - one["cost"] / cost) for name, cost in one["spacings"].items()},
                "starts": len(costs),
                "found": int(np.sum(costs <= (1 + NEAR) * costs[0])),
                "median_excess": float(100 * (np.median(costs) / costs[0] - 1)),
                "worst_excess": float(100 * (costs[-1] / costs[0] - 1)),
                "lead_mean": float(lead.mean()),
                "lead_median": float(np.median(lead)),
                "lead_smallest": float(lead.min()),
                "lead_largest": float(lead.max()),
            }
        )
    return result


def main_line(table: list[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    """Entries with the given values; DDIM from the exact law, the image in W2, unless said otherwise."""
    wanted = {"sampler": "ddim", "init": "exact", "metric": "w2", "output": "image", **wanted}
    return [e for e in table if all(e[name] == value for name, value in wanted.items() if value is not None)]
