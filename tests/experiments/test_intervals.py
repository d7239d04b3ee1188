"""Means over seeds, and verdicts that allow for their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.intervals import over_seeds
from experiments.predictions import judged, measured_words, section
from experiments.report import Report, unlinked


def test_the_interval_holds_the_mean_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).normal(2.0, 3.0, size=(4000, 3))
    held = [over_seeds(list(d)).low <= 2.0 <= over_seeds(list(d)).high for d in draws]
    assert abs(np.mean(held) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / len(draws))


def test_one_seed_says_nothing_about_its_spread() -> None:
    one = over_seeds([1.5])
    assert (one.mean, one.low, one.high) == (1.5, -np.inf, np.inf)
    assert one.to_json()["half_width"] is None


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [[1.0]]])
def test_repetitions_that_are_none_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite numbers, at least one"):
        over_seeds(values)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([1.0, 1.1, 0.9], "confirmed"),
        ([5.0, 5.1, 4.9], "failed"),
        ([1.0, 3.0, 2.0], "undecided"),
        ([1.0], "undecided"),
    ],
)
def test_a_verdict_needs_the_whole_interval(values: list[float], verdict: str) -> None:
    asked = {"name": "a", "claim": "b", "source": "c", "interval": [0.5, 2.0]}
    (found,) = judged([asked], {"a": over_seeds(values)})
    assert found["verdict"] == verdict
    assert found["estimate"]["values"] == values
    assert ("one seed" if len(values) == 1 else "±") in measured_words(found)


def test_numbers_without_an_interval_are_judged_as_they_are() -> None:
    asked = {"name": "a", "claim": "b", "source": "c", "interval": [0.5, float("inf")]}
    assert [judged([asked], {"a": v})[0]["verdict"] for v in (0.5, 0.4, None)] == [
        "confirmed",
        "failed",
        "not asked",
    ]


def test_links_lead_to_anchors_and_nothing_else_becomes_markup() -> None:
    sentence = "a < b, see [the table](#costs), not [this](http://example.org)"
    html = 'a &lt; b, see <a href="#costs">the table</a>, not [this](http://example.org)'
    assert unlinked(sentence) == "a < b, see the table, not [this](http://example.org)"
    asked = {"name": "a", "claim": "b", "source": "c", "interval": [0.5, 2.0]}
    verdicts = judged([asked], {"a": over_seeds([1.0, 3.0, 2.0])})
    page = Report(title="t", lead="l", answer=[sentence], sections=[section(verdicts, anchor="costs")]).html()
    assert html in page
    assert '<section id="costs">' in page
    assert '<span class="open">undecided</span>' in page
