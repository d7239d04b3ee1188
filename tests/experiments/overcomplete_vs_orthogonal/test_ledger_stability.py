"""The page on training stability."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tolerances import CANCELLATION, ROUND_OFF

from experiments.overcomplete_vs_orthogonal.ledger import long_training, stability
from experiments.overcomplete_vs_orthogonal.ledger.published_epochs import (
    EMA,
    EMA_EPOCHS,
    EPOCHS,
    RAW,
    apart,
    degradation,
    published_trend,
    trend,
)
from experiments.overcomplete_vs_orthogonal.ledger.reference_set import ReferenceSet
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.report import Report, Section
from lift_train import features, metrics


@pytest.mark.parametrize("name", RAW)
def test_trends_are_those_of_a_regression(name: str) -> None:
    found = trend(EPOCHS, RAW[name])
    line = stats.linregress(np.array(EPOCHS) / 1000.0, RAW[name])
    assert np.isclose(found.slope, line.slope, rtol=ROUND_OFF)
    assert np.isclose(found.standard_error, line.stderr, rtol=ROUND_OFF)
    _, covariance = np.polyfit(np.array(EPOCHS) / 1000.0, RAW[name], 1, cov=True)
    assert np.isclose(found.standard_error, np.sqrt(covariance[0, 0]), rtol=1e3 * ROUND_OFF)
    assert len(RAW[name]) == len(EPOCHS)
    assert len(EMA[name]) == len(EMA_EPOCHS)


def test_slopes_of_one_law_are_within_two_errors_nineteen_times_in_twenty() -> None:
    generator = np.random.default_rng(0)
    epochs = np.arange(40)
    found = [
        apart(*(trend(epochs, values) for values in generator.normal(size=(2, 40)))) for _ in range(2000)
    ]
    assert 0.93 < np.mean(np.abs(found) < 2.0) < 0.97


def test_a_trend_since_an_epoch_leaves_the_others_out() -> None:
    assert published_trend("one scale", 400) == trend(EPOCHS[1:], RAW["one scale"][1:])
    with pytest.raises(ValueError, match="three points"):
        published_trend("one scale", 1900)


def test_degradation_counts_from_the_best() -> None:
    assert np.isclose(degradation(RAW["one scale"]), 100.0 * (59.37 - 33.07) / 33.07)
    assert degradation([3.0, 2.0, 1.0]) == 0.0


def test_nearness_is_one_for_new_images_and_zero_for_copies() -> None:
    generator = np.random.default_rng(0)
    training, others, more = generator.normal(size=(3, 200, 4, 4))
    assert long_training.nearness(training[:50], training, others) < 1e-6
    assert 0.9 < long_training.nearness(more, training, others) < 1.1
    one = others[0]
    by_hand = min(np.sqrt(np.sum((one - image) ** 2)) for image in training)
    assert np.isclose(long_training.nearest(others[:1], training)[0], by_hand)


@pytest.mark.parametrize("count", [20, 200])
def test_distances_are_those_of_the_package(count: int) -> None:
    generator = np.random.default_rng(0)
    samples, images = generator.normal(size=(count, 8, 8)), 0.2 + 1.3 * generator.normal(size=(300, 8, 8))
    known = ReferenceSet(images)
    pixels = metrics.frechet_distance(samples, images, draws=2)
    assert np.isclose(known.pixels(samples), pixels.value, rtol=CANCELLATION)
    textures = features.RandomConvolutions()
    kernel = metrics.kernel_distance(samples, images, textures)
    assert np.isclose(known.textures(textures(samples)), kernel.value, rtol=CANCELLATION)


def test_long_runs_see_few_images_and_keep_every_checkpoint(bench: Bench) -> None:
    images, picked = long_training.few(bench), long_training.chosen(bench)
    assert len(images.train) == len(picked) == bench.sizes.stability_images
    assert np.ptp(np.diff(picked)) <= 1
    sets = long_training.references(bench)
    assert not {image.tobytes() for image in sets["pool"]} & {image.tobytes() for image in sets["training"]}
    configs = [long_training.long_configuration(bench, name, 1) for name in long_training.NETWORKS]
    for config in configs:
        assert (config.decay, config.flips, config.seed) == ("constant", False, 1)
        assert config.steps // config.save_every <= config.keep


def test_predictions_need_no_network(bench: Bench) -> None:
    asked = stability.predictions(dataclasses.replace(bench, runs={}))
    assert len({p["name"] for p in asked}) == len(asked) > 5
    for prediction in asked:
        low, high = prediction["interval"]
        assert prediction["name"].startswith("stability_")
        assert low < high
        assert not np.isnan([low, high]).any()


@pytest.fixture(scope="module")
def numbers(bench: Bench) -> Any:
    """What was measured, as it comes back from JSON."""
    return json.loads(json.dumps(stability.measure(bench), allow_nan=False))


def test_the_page_shows_every_verdict(bench: Bench, numbers: Any, tmp_path: Path) -> None:
    asked = stability.predictions(bench)
    found = stability.page(numbers, asked, tmp_path)
    html = Report(
        title="", lead="", answer=[found.why], sections=[Section(title="", items=found.items)]
    ).html()
    assert "LIFT, as published" in html
    assert {v["name"] for v in found.verdicts} == {p["name"] for p in asked}
    for runs in numbers["networks"].values():
        assert len(runs) == bench.sizes.seeds
        for run in runs:
            assert len(run["steps"]) == bench.sizes.stability_checkpoints
            assert run["steps"][-1] == bench.sizes.stability_steps


def test_the_ruling_follows_from_the_numbers(bench: Bench, numbers: Any) -> None:
    asked = stability.predictions(bench)

    def ruling(one: float, two: float, calm: float = 0.5) -> Any:
        """The ruling if the last distances are so many times the least, and averages rise by a share of that."""
        planted = copy.deepcopy(numbers)
        for name, factor in (("single", one), ("pyramid", two)):
            for seed, run in enumerate(planted["networks"][name]):
                rise = factor - 1.0 + 0.001 * seed * (name == "pyramid")
                run["raw"]["pixels_pool"] = [1.0, 1.0 + rise]
                run["ema"]["pixels_pool"] = [1.0, 1.0 + calm * rise]
        return stability.ruled(planted, asked)

    verdicts, word = ruling(2.0, 1.2)
    assert word == "confirmed"
    assert {v["name"]: v["verdict"] for v in verdicts}["stability_raw_difference"] == "failed"
    verdicts, word = ruling(1.5, 1.5)
    assert word == "explained otherwise"
    assert {v["name"]: v["verdict"] for v in verdicts}["stability_raw_difference"] == "confirmed"
    assert ruling(1.5, 1.5, calm=2.0)[1] == "not reproduced"
    assert ruling(1.2, 2.0, calm=2.0)[1] == "not reproduced"
