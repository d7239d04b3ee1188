"""The experiment on numbers of clocks on tiny images: the rule, the numbers, the report."""

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console
from tolerances import ROUND_OFF, SEARCH

import experiments.clocks as job
import lift_theory as lt
from experiments import processes
from experiments.clocks import predictions, stages
from experiments.clocks.page import explain
from experiments.rows import find

SIZE, STEPS = 8, 3


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    fields = np.random.default_rng(0).uniform(-1, 1, size=(24, SIZE, SIZE)).astype(np.float32)
    fields = 0.2 * fields + 0.8 * fields.mean(axis=(1, 2), keepdims=True)
    np.savez(folder / "images.npz", train=fields[:16], held_out=fields[16:])
    patch = pytest.MonkeyPatch()
    preset = job.Preset(sizes=(SIZE,), steps=(STEPS,), headline_size=SIZE, headline=STEPS, most=4, levels=2)
    patch.setitem(job.PRESETS, "quick", preset)
    patch.setattr(processes, "_workers", lambda: 1)
    options = job.Options(data=f"npz:{folder / 'images.npz'}", out=folder / "out")
    report = job.main(options, Console(file=io.StringIO(), width=120))
    yield report, options, fields[:16]
    patch.undo()


@pytest.fixture(scope="module")
def results(finished):
    return json.loads((finished[0].parent / "results.json").read_text())


@pytest.mark.parametrize(
    ("estimates", "clocks"),
    [([5.0], 1), ([5.0, 1.03, 1.019, 1.0], 3), ([1.02, 1.0], 1), ([2.0, 1.021, 1.0], 3)],
)
def test_the_rule(estimates, clocks):
    assert predictions.recommended(estimates) == clocks


def test_rows_are_costs_of_their_families(finished, results):
    """Each against the library's search, in another way than the stage goes."""
    spectrum = lt.Spectrum.from_images(finished[2])
    rows = results["rows"]
    pyramid = lt.optimal_path(lt.GaussianModel(spectrum, lt.AveragePyramid()), STEPS)
    np.testing.assert_allclose(find(rows, family="pyramid", clocks=2)["cost"], pyramid.cost, rtol=SEARCH)
    for row in rows:
        assert row["cost"] >= row["floor"] * (1 - SEARCH)
    for family in ("best", "free"):
        for objective in stages.OBJECTIVES:
            mine = [r["cost"] for r in rows if r["family"] == family and r["objective"] == objective]
            assert len(mine) == 4
            if objective == "path_kl":
                assert mine == sorted(mine, reverse=True)
    assert max(abs(r["together"] / r["alone"] - 1) for r in results["joint"]) < SEARCH
    assert [r["clocks"] for r in results["joint"]] == [2, 3, 4]


def test_predictions_come_first(finished, results):
    written = json.loads((finished[0].parent / "predictions.json").read_text())
    assert [p["name"] for p in written] == [p["name"] for p in predictions.PREDICTIONS]
    assert all("measured" not in p for p in written)
    verdicts = {v["name"]: v for v in results["predictions"]}
    assert verdicts["haar"]["verdict"] == "not asked"
    row = find(results["rows"], family="best", clocks=2, objective="w2")
    np.testing.assert_allclose(
        verdicts["two_bands_w2"]["measured"], 100 * row["cost"] / row["floor"], rtol=ROUND_OFF
    )
    failed = [{**v, "verdict": "failed"} for v in results["predictions"]]
    texts = explain({**results, "predictions": failed})
    assert [text.split(" failed: ")[0] for text in texts] == list(verdicts)


def test_report_stands_alone_and_is_made_again_from_what_is_known(finished):
    report, options, _ = finished
    page = report.read_text()
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page), "nothing is loaded from elsewhere"
    assert page.count("<svg") == 3
    before = (report.parent / "results.json").read_bytes()
    job.main(options, Console(file=io.StringIO(), width=120))
    assert ((report.parent / "results.json").read_bytes(), report.read_text()) == (before, page)
