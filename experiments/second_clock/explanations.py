"""Why predictions failed, with the numbers that show it."""

from __future__ import annotations

from typing import Any


def explain(verdicts: list[dict[str, Any]], results: dict[str, Any]) -> list[str]:
    """One paragraph for every prediction that failed."""
    return [f"{v['name']} failed: {_reason(v, results)}" for v in verdicts if v["verdict"] == "failed"]


def _reason(verdict: dict[str, Any], results: dict[str, Any]) -> str:
    return "the measured number lies outside the interval, and no explanation has been worked out."
