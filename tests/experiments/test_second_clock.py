"""The experiment on a second clock on tiny images: searches find what others find, shapes are what they are called."""

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console
from tolerances import FINITE_DIFFERENCE, ROUND_OFF, SEARCH

import experiments.second_clock as job
import lift_theory as lt
from experiments.rows import find
from experiments.second_clock import measures, predictions
from experiments.second_clock.contenders import MEAN, contenders, one_clock
from experiments.second_clock.explanations import explain
from experiments.second_clock.gains import gains, main_line
from experiments.second_clock.searching import Search, constant_lead, free, padded, through, two_clock_starts
from lift_theory.sampling import OutputError

STEPS = (3, 4)
RUNS = (
    measures.Run(spectra=("1", "2", job.MEASURED), steps=(3,)),
    measures.Run(spectra=("2",), steps=(4,)),
    measures.Run(metric="kl", representations=("pyramid", "dct"), spectra=("2", job.MEASURED), steps=(3,)),
    measures.Run(output="scales", spectra=("2",), steps=(3,)),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Images of 2x2 pixels: every block is small, so that little has to be compiled."""
    folder = tmp_path_factory.mktemp("job")
    fields = np.random.default_rng(0).uniform(-1, 1, size=(24, 2, 2)).astype(np.float32)
    fields[:, 1] = 0.5 * fields[:, 0] + 0.5 * fields[:, 1]
    np.savez(folder / "images.npz", train=fields[:16], held_out=fields[16:])
    patch = pytest.MonkeyPatch()
    patch.setitem(job.PRESETS, "quick", job.Preset(size=2, headline=3, runs=RUNS))
    options = job.Options(data=f"npz:{folder / 'images.npz'}", out=folder / "out")
    report = job.main(options, Console(file=io.StringIO(), width=120))
    yield report, options
    patch.undo()


@pytest.fixture(scope="module")
def results(finished):
    return json.loads((finished[0].parent / "results.json").read_text())


@pytest.fixture(scope="module")
def bands():
    """DCT bands of 8x8 images and the best schedule of one clock."""
    spectrum = lt.Spectrum.power_law((8, 8), 2.0)
    one, dct = one_clock(), contenders(8)[-1]
    schedule = OutputError().optimize(lt.GaussianModel(spectrum, one.representation), 4, *one.ends())
    return dct, lt.GaussianModel(spectrum, dct.representation), schedule.path.logsnr


def test_search_finds_what_the_library_finds(bands):
    """From other starts, with other unknowns and padded paths."""
    contender, model, one = bands
    search = Search(model=model, objective=OutputError(output="image"), length=8)
    first, last = contender.ends()
    found = search.best(first, last, two_clock_starts(4, first, last, one))
    library = OutputError(output="image").optimize(model, 4, first, last)
    np.testing.assert_allclose(found[0].cost, library.cost, rtol=SEARCH)
    assert [f.cost for f in found] == sorted(f.cost for f in found)
    for f in found:
        assert f.cost <= search.cost(through(one[:, 0], first, last, 0.0)) * (1 + SEARCH)
        lt.Path(f.logsnr)  # monotone
        np.testing.assert_array_equal(f.logsnr[[0, -1]], [first, last])


def test_standing_steps_change_nothing(bands):
    contender, model, one = bands
    points = through(one[:, 0], *contender.ends(), 1.0)
    search = Search(model=model, objective=OutputError(output="image"), length=8)
    plain = lt.sampling_error(model, lt.Path(points), output="image").w2
    assert len(padded(points, 8)) == 9
    np.testing.assert_allclose(search.cost(points), plain, rtol=ROUND_OFF)


@pytest.mark.parametrize("lead", [-2.0, 0.0, 1.5])
def test_a_constant_lead_is_kept_until_an_end_holds_it_back(lead):
    first, last = np.array([-4.0, -3.0]), np.array([5.0, 6.0])
    shape = constant_lead(first, last, lead)
    x = np.linspace(shape.first, shape.last, 23)
    points = shape.points(x)
    np.testing.assert_array_equal(points[[0, -1]], [first, last])
    inside = np.all((points > first) & (points < last), axis=1)
    np.testing.assert_allclose((points[:, 1] - points[:, 0])[inside], 1.0 + lead)
    assert inside.sum() > 8
    h = 1e-6
    x = x[1:-1] + 0.0123
    numeric = (shape.points(x + h) - shape.points(x - h)) / (2 * h)
    np.testing.assert_allclose(shape.slope(x)[:, 0], numeric, atol=FINITE_DIFFERENCE)


def test_descent_keeps_standing_parameters_standing(bands):
    contender, model, one = bands
    search = Search(model=model, objective=OutputError(output="image"), length=8)
    path = measures._staged(search, contender, 4, one[:, 0], (1, 0))
    moved = np.diff(path, axis=0) > 0
    assert (moved.sum(axis=1) <= 1).all()
    assert moved[:, 1].nonzero()[0].max() < moved[:, 0].nonzero()[0].min()
    first, last = contender.ends()
    best = search.descend("free", free(first, last), through(one[:, 0], first, last, 0.0))
    assert search.cost(path) > best.cost


def test_gains_are_those_of_the_paths(results):
    for entry in results["gains"]:
        keys = ("spectrum", "sampler", "init", "metric", "steps")
        one = find(results["one_clock"], **{k: entry[k] for k in keys})
        if entry["output"] == "image":
            assert entry["reference"] == one["cost"]
        np.testing.assert_allclose(entry["gain"], 100 * (1 - entry["best"] / entry["reference"]))
        assert entry["found"] >= 1
        assert 0 <= entry["median_excess"] <= entry["worst_excess"]
        assert entry["lead_smallest"] <= entry["lead_mean"] <= entry["lead_largest"]
    spectrum = lt.Spectrum.power_law((2, 2), 2.0)
    for contender in contenders(2):
        row = find(results["paths"], representation=contender.name, spectrum="2", metric="w2", steps=3)
        model = lt.GaussianModel(spectrum, contender.representation)
        error = lt.sampling_error(model, lt.Path(row["logsnr"], model.scales), output="image")
        np.testing.assert_allclose(error.w2, row["cost"], rtol=1e-8)


def test_the_main_line_is_ddim_from_the_exact_law(results):
    (entry,) = main_line(results["gains"], representation="dct", spectrum="2", steps=3)
    wanted = ("ddim", "exact", "w2", "image")
    assert tuple(entry[k] for k in ("sampler", "init", "metric", "output")) == wanted


def test_the_joint_law_is_that_of_the_library():
    contender = contenders(4)[1]
    model = lt.GaussianModel(lt.Spectrum.power_law((4, 4), 2.0), contender.representation)
    points = through(np.array([-3.0, 0.0, 4.0]), *contender.ends(), 1.0)
    joint = lt.sampling_error(model, lt.Path(points, model.scales)).w2
    np.testing.assert_allclose(measures.joint_w2(model, points), joint, rtol=ROUND_OFF)


def test_leads_are_free_of_units():
    pyramid, bilinear, haar, _ = contenders(4)
    points = np.array([[-1.0, -1.0], [0.0, MEAN], [1.0, 1.0]])
    np.testing.assert_allclose([c.lead(points)[0] for c in (pyramid, bilinear, haar)], [0, 0, MEAN])
    for contender in (bilinear, haar):
        lock_step = through(np.array([-1.0, 0.0, 1.0]), *contender.ends(), 0.0)
        np.testing.assert_allclose(contender.lead(lock_step), 0.0, atol=1e-12)
    row = {"representation": "haar", "spectrum": "2", "sampler": "ddim", "init": "exact", "metric": "w2"}
    row |= {"output": "image", "steps": 2, "cost": 1.0, "reference": 2.0, "lock_step": 1.6, "logsnr": points}
    row |= {"starts": [{"cost": 1.0}, {"cost": 1.0005}, {"cost": 1.5}]}
    one = {**row, "cost": 2.0, "spacings": {"logsnr": 4.0}}
    (entry,) = gains([row], [one], contenders(4))
    assert (entry["gain"], entry["found"], entry["spacing"]) == (50.0, 2, {"logsnr": 50.0})
    np.testing.assert_allclose([entry["gain_of_scales"], entry["gain_over_lock_step"]], [20.0, 37.5])
    np.testing.assert_allclose([entry["median_excess"], entry["worst_excess"]], [0.05, 50.0])


def test_every_control_is_there(results):
    for contender in contenders(2):
        mine = {r["path"]: r for r in results["controls"] if r["representation"] == contender.name}
        metrics = ("w2", "kl") if RUNS[2].asks(contender.name) else ("w2",)
        assert set(mine) == {name for name in measures.CONTROLS if name != "best_kl" or "kl" in metrics}
        for metric in metrics:
            assert min(r[metric] for r in mine.values()) >= mine[f"best_{metric}"][metric] * (1 - SEARCH)
        for row in mine.values():
            np.testing.assert_allclose(np.array(row["logsnr"])[[0, -1]], contender.ends(), rtol=ROUND_OFF)


def test_predictions_come_first(finished, results):
    written = json.loads((finished[0].parent / "predictions.json").read_text())
    assert [p["name"] for p in written] == [p["name"] for p in predictions.PREDICTIONS]
    assert all("measured" not in p for p in written)
    verdicts = {v["name"]: v for v in results["predictions"]}
    assert verdicts["never_worse"]["verdict"] == "confirmed"
    assert verdicts["other_samplers"]["verdict"] == "not asked"
    for v in verdicts.values():
        if v["measured"] is not None:
            low, high = v["interval"]
            inside = (low is None or v["measured"] >= low) and (high is None or v["measured"] <= high)
            assert v["verdict"] == ("confirmed" if inside else "failed")


def test_every_failure_is_mentioned(results):
    failed = [{**v, "verdict": "failed"} for v in results["predictions"] if v["measured"] is not None]
    texts = explain(failed, results, job.PRESETS["quick"])
    assert [text.split(" failed: ")[0] for text in texts] == [v["name"] for v in failed]


def test_report_stands_alone(finished):
    page = finished[0].read_text()
    assert page.startswith("<!doctype html>")
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page), "nothing is loaded from elsewhere"
    assert page.count("<svg") == 4
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers)), "figures share no ids"


def test_second_run_reuses_every_stage_and_changes_nothing(finished):
    report, options = finished
    before = (report.parent / "results.json").read_bytes(), report.read_bytes()
    console = Console(file=io.StringIO(), width=120)
    job.main(options, console)
    names = ["one", *[c.name for c in contenders(2)]]
    jobs = sum(len(run.spectra) * len(run.steps) for run in RUNS for name in names if run.asks(name))
    assert f"{jobs + len(names) + 2} stages were found done" in console.file.getvalue()
    assert ((report.parent / "results.json").read_bytes(), report.read_bytes()) == before
