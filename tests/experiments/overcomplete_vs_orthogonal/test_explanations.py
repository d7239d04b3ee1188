"""What failed is explained from the rows that were judged, and nothing else is."""

from __future__ import annotations

from experiments.overcomplete_vs_orthogonal.trained.bench import NETWORKS
from experiments.overcomplete_vs_orthogonal.trained.explanations import explanations


def verdict(name: str, word: str) -> dict:
    return {
        "name": name,
        "verdict": word,
        "estimate": {"mean": 0.9, "half_width": 0.1, "values": [0.85, 0.95]},
    }


def rows(errors: dict[str, float]) -> list[dict]:
    return [
        {
            "sampler": "ddim",
            "representation": name,
            "path": path,
            "flow_error": error * (1.0 + 0.01 * seed),
            "predicted_w2_squared": 0.5,
        }
        for name in NETWORKS
        for path, error in errors.items()
        for seed in range(2)
    ]


def apart() -> list[dict]:
    return [
        {
            "mean": [0.04, 0.12 + 0.01 * seed],
            "worst": {
                "scale": "coarse",
                "logsnr": [6.0, -8.0],
                "over_closed_form": {"pyramid": 2.0, "haar": 1.0},
            },
        }
        for seed in range(2)
    ]


def test_only_what_failed_is_explained():
    samples = rows({"best_w2": 0.8, "lockstep_w2": 0.5})
    confirmed = [verdict(f"second_clock_{name}", "confirmed") for name in NETWORKS]
    assert explanations([*confirmed, verdict("equivalence", "confirmed")], samples, apart()) == []
    found = explanations(
        [verdict("second_clock_haar", "failed"), verdict("second_clock_kl_haar", "confirmed")],
        samples,
        apart(),
    )
    assert len(found) == 1
    assert "Networks (haar) make 1.608" in found[0]
    assert "and 1.005" in found[0]
    assert "haar 0.900 (confirmed)" in found[0]
    assert "pyramid" not in found[0]


def test_numbers_are_those_of_the_rows():
    (text,) = explanations([verdict("equivalence", "failed")], [], apart())
    assert "+4.0 % (fine) and +12.5 % (coarse)" in text
    assert "pyramid networks' error is 2 " in text
    (text,) = explanations(
        [verdict("representations", "failed")], rows({"best_w2": 1.0, "lockstep_w2": 0.5}), apart()
    )
    assert "a factor of 2.00" in text
    (text,) = explanations(
        [verdict("spacing", "undecided"), verdict("equivalence", "confirmed")], [], apart()
    )
    assert text.startswith("Undecided: spacing. The interval over 2 seeds")
