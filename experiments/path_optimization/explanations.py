"""Why predictions failed, with the numbers that show it."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.rows import find_path


def explain(verdicts: list[dict[str, Any]], rows: list[dict[str, Any]], steps: int) -> list[str]:
    """One paragraph for every prediction that failed."""
    failed = [v for v in verdicts if v["verdict"] == "failed"]
    return [f"{v['name']} failed: {_reason(v, rows, steps)}" for v in failed]


def _reason(verdict: dict[str, Any], rows: list[dict[str, Any]], steps: int) -> str:
    name = verdict["name"]
    if name == "lead":
        uniform, lead = (
            find_path(rows, "pyramid", path, steps) for path in ("uniform_timesteps", "lead_only")
        )
        return (
            f"on uniform timesteps the last step alone causes {100 * uniform['last_step_share']:.1f} % of the error. "
            "A coarse scale that is raised before it takes its part of that one step away. Lead repairs a bad grid, which "
            f"is not what it was introduced for, and still leaves {lead['nats'] / lead['floor_nats']:.3g} times the floor."
        )
    if name == "decoupled":
        row = find_path(rows, "pyramid", "decoupled", steps)
        points = np.array(row["logsnr"])
        lead = (points[:, 1] - points[:, 0])[1:-1]
        return (
            "on this spectrum and range two separate denoisers want almost the same log-SNR in both scales, with "
            f"leads from {lead.min():+.2f} to {lead.max():+.2f} nats; which sign they have depends on where on the path one "
            "looks. A coarse mean has nearly the variance of its pixels, so that both knees lie at almost the same noise."
        )
    if name == "published_factor":
        shares = {
            r["path"].removeprefix("published_"): f"{100 * r['last_step_share']:.0f} %"
            for r in rows
            if r["path"].startswith("published_") and (r["representation"], r["steps"]) == ("pyramid", steps)
        }
        listed = ", ".join(f"{share} for gamma_{factor}" for factor, share in shares.items())
        return (
            "the published cost grows linearly with the length of a move, so that it has no reason to keep moves short: it "
            "only decides through which cells to walk, and puts its longest moves where its density is small, at low "
            f"noise. There the path KL is largest: the last move alone causes {listed}. The factor hardly matters beside "
            "that."
        )
    if name == "l_shape":
        ratios = {
            r["steps"]: r["nats"] / find_path(rows, "dct", "best", r["steps"])["nats"]
            for r in rows
            if (r["representation"], r["path"]) == ("dct", "coarse_first")
        }
        listed = ", ".join(f"{ratio:.2f} at {count} steps" for count, ratio in sorted(ratios.items()))
        return (
            "the factor of two is the limit of many steps. With few, each leg of an L has only about half of them, so that "
            f"its steps are long and cost more than their second order says: {listed}."
        )
    return "the measured number lies outside the interval, and no explanation has been worked out."
