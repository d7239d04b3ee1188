"""Why predictions failed, with the numbers that show it."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.second_clock.contenders import MEAN
from experiments.second_clock.gains import main_line
from experiments.second_clock.measures import find


def explain(verdicts: list[dict[str, Any]], results: dict[str, Any], preset: Any) -> list[str]:
    """One paragraph for every prediction that failed."""
    failed = [v for v in verdicts if v["verdict"] == "failed"]
    return [f"{v['name']} failed: {_reason(v, results, preset)}" for v in failed]


def _reason(verdict: dict[str, Any], results: dict[str, Any], preset: Any) -> str:
    name, measured = verdict["name"], preset.controls[-1]
    if name == "bilinear":
        (entry,) = main_line(
            results["gains"],
            representation="bilinear",
            spectrum=preset.spectrum,
            steps=preset.headline,
        )
        splits = [row for row in results["cutoffs"] if row["spectrum"] == preset.spectrum]
        best, half = max(splits, key=lambda row: float(row["gain"])), splits[0]
        return (
            f"in lock-step the residual scales are worth {entry['gain_of_scales']:.1f} %, the gain is the second clock's. "
            "The prediction took residuals for bands that are split at half the size. Where the split lies decides: cosine "
            f"bands gain {half['gain']:.1f} % there, with {100 * half['variance_share']:.0f} % of the variance in the low band, "
            f"and {best['gain']:.1f} % if split at frequency {best['cutoff']}. Bilinear interpolation reproduces low "
            "frequencies increasingly well, so that the residual keeps a share of every frequency that grows smoothly with it: "
            f"with the means {-entry['lead_mean']:.1f} nats behind, each frequency passes from one clock to the other by "
            "itself, low ones late and high ones early, which is closer to a clock for every mode than two sharp bands are."
        )
    if name == "joint":
        row = find(results["controls"], representation="pyramid", spectrum=measured, path="best_w2")
        lead = np.diff(np.array(row["logsnr"]), axis=1)[1:-1, 0]
        return (
            "it took the coarse channel to be left to the end. On this spectrum the best path lets it lag by only "
            f"{-lead.max():.1f} to {-lead.min():.1f} nats in nominal log-SNR ({MEAN - lead.max():.1f} to "
            f"{MEAN - lead.min():.1f} unit-free), and moves its steps to where the large modes need them, which serves the "
            f"coarse image, too: W2 of both scales falls by {100 * (1 - verdict['measured']):.2f} %."
        )
    return "the measured number lies outside the interval, and no explanation has been worked out."
