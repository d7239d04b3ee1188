"""Predictions of an experiment: written down with an interval before it runs, judged by it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.report import Section, Table, Text

Prediction = dict[str, Any]
"""A `name`, a `claim`, its `source` in the theory, and the `interval` that counts as agreement."""


def written(prediction: Prediction) -> Prediction:
    """A prediction as JSON can hold it: nothing where the interval has no end."""
    return {**prediction, "interval": [float(v) if np.isfinite(v) else None for v in prediction["interval"]]}


def judged(predictions: Sequence[Prediction], measured: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """Every prediction with what was measured, or "not asked" where a preset leaves it out."""
    result = []
    for prediction in predictions:
        (low, high), value = prediction["interval"], measured[prediction["name"]]
        verdict = "not asked" if value is None else "confirmed" if low <= value <= high else "failed"
        number = None if value is None else float(value)
        result.append({**written(prediction), "measured": number, "verdict": verdict})
    return result


def section(verdicts: Sequence[dict[str, Any]], explanations: Sequence[str] = ()) -> Section:
    """Prediction beside measurement, and why some failed."""
    left_out = [v["name"] for v in verdicts if v["measured"] is None]
    table = Table(
        header=["prediction", "interval", "measured", "verdict", "source"],
        words=frozenset({0}),
        rows=[
            [v["claim"], _interval(v["interval"]), f"{v['measured']:.6g}", v["verdict"], v["source"]]
            for v in verdicts
            if v["measured"] is not None
        ],
    )
    more = [Text(text=f"Not asked by this preset: {', '.join(left_out)}.")] if left_out else []
    return Section(
        title="Prediction and measurement",
        items=[
            Text(text="Written to predictions.json before the images were looked at."),
            table,
            *[Text(text=text) for text in explanations],
            *more,
        ],
    )


def _interval(interval: Sequence[float | None]) -> str:
    low, high = interval
    if low is None:
        return f"at most {_bound(high)}"
    return f"at least {_bound(low)}" if high is None else f"{_bound(low)} to {_bound(high)}"


def _bound(value: float | None) -> str:
    """Four digits, but all of a number just off an integer: there the difference is the point."""
    value = float(value or 0.0)
    off = value != round(value) and float(f"{value:.4g}").is_integer()
    return f"{value:.10g}" if off else f"{value:.4g}"
