"""The answer in plain words, every number from the results."""

from __future__ import annotations

from typing import Any

from experiments.coarse_first.verdicts import DETERMINED, ratio


def answer(results: dict[str, Any]) -> list[str]:
    """What the page begins with."""
    return ["to be written"]
