"""Predictions of an experiment: written down with an interval before it runs, judged by it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.intervals import Estimate
from experiments.report import Item, Section, Table, Text

Prediction = dict[str, Any]
"""A `name`, a `claim`, its `source` in the theory, and the `interval` that counts as agreement."""


def written(prediction: Prediction) -> Prediction:
    """A prediction as JSON can hold it: nothing where the interval has no end."""
    return {**prediction, "interval": [float(v) if np.isfinite(v) else None for v in prediction["interval"]]}


def judged(
    predictions: Sequence[Prediction], measured: Mapping[str, float | Estimate | None]
) -> list[dict[str, Any]]:
    """Every prediction with what was measured, or "not asked" where a preset leaves it out.

    A number is confirmed inside the interval of agreement and has failed outside. An estimate is confirmed if its own
    interval lies inside, has failed if the two are disjoint, and is undecided if they overlap.
    """
    result = []
    for prediction in predictions:
        (low, high), found = prediction["interval"], measured[prediction["name"]]
        measurement: dict[str, Any]
        if found is None:
            measurement, verdict = {"measured": None}, "not asked"
        elif isinstance(found, Estimate):
            measurement = {"measured": found.mean, "estimate": found.to_json()}
            inside = low <= found.low and found.high <= high
            outside = found.high < low or high < found.low
            verdict = "confirmed" if inside else "failed" if outside else "undecided"
        else:
            measurement = {"measured": float(found)}
            verdict = "confirmed" if low <= found <= high else "failed"
        result.append({**written(prediction), **measurement, "verdict": verdict})
    return result


def verdict_table(verdicts: Sequence[dict[str, Any]]) -> Table:
    """Prediction beside measurement."""
    return Table(
        header=["prediction", "interval", "measured", "verdict", "source"],
        words=frozenset({0}),
        rows=[
            [v["claim"], interval_words(v["interval"]), measured_words(v), v["verdict"], v["source"]]
            for v in verdicts
            if v["measured"] is not None
        ],
    )


def section(
    verdicts: Sequence[dict[str, Any]],
    explanations: Sequence[str] = (),
    title: str = "Prediction and measurement",
    note: str = "Written to predictions.json before the images were looked at.",
    anchor: str = "predictions",
) -> Section:
    """Prediction beside measurement, and why some failed."""
    left_out = [v["name"] for v in verdicts if v["measured"] is None]
    more = [Text(text=f"Not asked by this preset: {', '.join(left_out)}.")] if left_out else []
    items: list[Item] = [
        Text(text=note),
        verdict_table(verdicts),
        *[Text(text=t) for t in explanations],
        *more,
    ]
    return Section(title=title, items=items, anchor=anchor)


def measured_words(verdict: Mapping[str, Any]) -> str:
    """What was measured, with its interval where it has one."""
    estimate = verdict.get("estimate")
    if estimate is None:
        return f"{verdict['measured']:.6g}"
    width = estimate["half_width"]
    return f"{estimate['mean']:.4g}" + (" (one seed)" if width is None else f" ± {width:.2g}")


def interval_words(interval: Sequence[float | None]) -> str:
    """An interval of agreement in words."""
    low, high = interval
    if low is None:
        return f"at most {_bound(high)}"
    return f"at least {_bound(low)}" if high is None else f"{_bound(low)} to {_bound(high)}"


def _bound(value: float | None) -> str:
    """Four digits, but all of a number just off an integer: there the difference is the point."""
    value = float(value or 0.0)
    off = value != round(value) and float(f"{value:.4g}").is_integer()
    return f"{value:.10g}" if off else f"{value:.4g}"
