"""What a page of the findings ledger holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.predictions import Prediction
from experiments.report import Item

Ruling = Literal["confirmed", "explained otherwise", "not reproduced", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One finding, ruled on.

    Attributes:
        verdicts: predictions with what was measured, as `experiments.predictions.judged` returns them.
        items: figures, tables and paragraphs that bear the ruling out.
        ruling: on the finding as it was published.
        why: the ruling in two or three sentences, with its numbers.
    """

    verdicts: Sequence[dict[str, Any]]
    items: Sequence[Item]
    ruling: Ruling
    why: str


class Finding(Protocol):
    """A module of the ledger: a published finding and the small experiment that rules on it.

    Attributes:
        NAME: key, file stem and anchor.
        TITLE: the finding as a question.
        CLAIM: what was published, with numbers and where they stand.
    """

    NAME: str
    TITLE: str
    CLAIM: str

    def predictions(self, bench: Bench) -> list[Prediction]:
        """From theory alone, with the interval of agreement, before any network is trained."""

    def measure(self, bench: Bench) -> dict[str, Any]:
        """All numbers as JSON holds them; long work in stages of `bench.work`."""

    def page(self, numbers: dict[str, Any], predictions: list[Prediction], folder: Path) -> Page:
        """The ruling, from the numbers and the predictions as they were written; figures go to the folder."""
