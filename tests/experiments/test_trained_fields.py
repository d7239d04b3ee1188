"""The whole chain on a network of a few updates: stages resume, numbers fit together, verdicts follow from them."""

import dataclasses
import html
import json

import numpy as np
import pytest
from rich.console import Console

import lift_theory as lt
from experiments import trained_fields
from experiments.trained_fields import Options, main

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results of a run, and its folder."""
    quick = trained_fields.PRESETS["quick"]
    short = dataclasses.replace(
        quick,
        training=dataclasses.replace(quick.training, steps=30, batch=32, limit=256, network="tiny"),
        points=4,
        images=24,
        steps=5,
    )
    folder = tmp_path_factory.mktemp("fields")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(trained_fields.PRESETS, "quick", short)
        report = main(Options(out=folder), QUIET)
        again = main(Options(out=folder), QUIET)
    assert report == again
    return json.loads((folder / "results.json").read_text()), folder


def test_numbers_fit_together(results):
    found, _ = results
    for row in found["networks"]:
        excess = np.array(row["excess"])
        assert excess.shape == (4, 4, 2)
        np.testing.assert_allclose(excess.mean((0, 1)), row["mean_excess"])
        np.testing.assert_allclose(excess.max((0, 1)), row["worst_excess"])
        kind = lt.AveragePyramid() if row["representation"] == "pyramid" else lt.HaarBands()
        model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), kind)
        for name, cost in (("best", "best_cost"), ("chosen", "chosen_cost")):
            assert lt.path_kl(model, lt.Path(row[name])) == pytest.approx(row[cost])
        assert row["path_excess"] > -1e-6
        assert excess.mean() > 1.0  # a network of thirty updates has not found the closed form


def test_verdicts_follow_from_the_numbers(results):
    found, folder = results
    written = json.loads((folder / "predictions.json").read_text())
    assert [p["name"] for p in written] == [v["name"] for v in found["predictions"]]
    worst = {f"{row['representation']}_worst": max(row["worst_excess"]) for row in found["networks"]}
    for verdict in found["predictions"]:
        if verdict["name"] in worst:
            assert verdict["measured"] == pytest.approx(worst[verdict["name"]])
        low, high = verdict["interval"]
        assert verdict["verdict"] == ("confirmed" if low <= verdict["measured"] <= high else "failed")
    assert "predictions failed" in found["answer"][1]
    assert found["answer"][0] in html.unescape((folder / "report.html").read_text())


def test_only_fields_have_a_closed_form(tmp_path):
    with pytest.raises(ValueError, match="fields:EXPONENT"):
        main(Options(data="photos", out=tmp_path), QUIET)
