"""Why predictions failed, with the numbers that show it."""

from __future__ import annotations

from typing import Any


def explain(results: dict[str, Any]) -> list[str]:
    """One paragraph for every prediction that failed."""
    failed = [v for v in results["predictions"] if v["verdict"] == "failed"]
    return [f"{v['name']} failed: to be written" for v in failed]
