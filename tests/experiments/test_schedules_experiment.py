"""The schedule experiment on tiny images: errors and surrogates are what they are called."""

import io
import json
import re
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from tolerances import CANCELLATION, LIMIT, ROUND_OFF

import experiments.schedules as job
import lift_theory as lt
from experiments.schedules import audit, predictions, stages
from experiments.schedules.contenders import (
    COMMON,
    IN_SIGMA,
    METRICS,
    PLAIN,
    ends,
    entry,
    label,
    published,
)
from experiments.schedules.curve_distance import Curves, curve_distances
from experiments.schedules.explanations import explain
from experiments.schedules.floors import mode_floor, vanishes
from experiments.schedules.surrogates import SURROGATES, Tables
from experiments.workspace import Workspace

STEPS, HEADLINE = (4,), 4
SHORT = (3.0, 0.05)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    patch = pytest.MonkeyPatch()
    tiny = job.Preset(
        size=8,
        channels=1,
        steps=STEPS,
        headline=HEADLINE,
        calls=(),
        floor_points=3,
        bands=(("ddim", "w2"),),
        curves=Curves(size=8, exponents=(2.0,), steps=STEPS),
    )
    patch.setitem(job.PRESETS, "quick", tiny)
    report = job.main(job.Options(data="digits", out=folder), Console(file=io.StringIO(), width=120))
    yield report
    patch.undo()


@pytest.fixture(scope="module")
def results(finished):
    return json.loads((finished.parent / "results.json").read_text())


@pytest.fixture(scope="module")
def spectrum():
    from lift_train import data

    return lt.Spectrum.from_images(data.load("digits", size=8, channels=1).train)


def _rows(results, **wanted):
    return [r for r in results if all(r[key] == value for key, value in wanted.items())]


def test_errors_are_those_of_the_stored_schedules(results, spectrum):
    model = lt.GaussianModel(spectrum, lt.SingleScale())
    levels = {(s["schedule"], s["steps"]): s for s in results["schedules"]}
    for which, name in product(IN_SIGMA, (*PLAIN, "best:heun:kl")):
        (row,) = _rows(results["errors"], sampler=which.name, schedule=name, steps=HEADLINE)
        path = lt.Path(np.array(levels[name, HEADLINE]["logsnr"])[:, None])
        error = lt.sampling_error(model, path, which.sampler)
        np.testing.assert_allclose([row["w2"], row["kl"]], [error.w2, error.kl], rtol=CANCELLATION)
        np.testing.assert_allclose(
            levels[name, HEADLINE]["surrogates"]["path_kl"], error.path_kl, rtol=ROUND_OFF
        )
        np.testing.assert_allclose(path.logsnr[[0, -1], 0], results["ends"], rtol=1e-12)
        assert row["calls"] == HEADLINE * which.calls


def test_samplers_in_time_share_a_budget_of_calls(tmp_path, spectrum, monkeypatch):
    """Heun takes half as many steps as DDPM; what DDPM refuses is left out, not counted."""
    names = ("heun-vp", "ddpm")
    monkeypatch.setattr(stages, "IN_TIME", tuple(entry(name) for name in names))
    monkeypatch.setattr(stages, "IN_SIGMA", ())
    inputs = {"variances": spectrum.variances, "ends": list(ends(COMMON))}
    preset = SimpleNamespace(
        steps=(1, 2), headline=2, calls=(2,), floor_points=2, bands=(), curves=Curves(exponents=(), steps=())
    )
    found = stages.Stages(
        work=Workspace(folder=tmp_path, console=Console(file=io.StringIO())),
        spectrum=spectrum,
        inputs=inputs,
        preset=preset,
    ).run()
    rows = _rows(found["errors"], sampler="heun-vp")
    assert {(r["steps"], r["calls"]) for r in rows} == {(1, 2)}
    assert {*PLAIN, "best:heun-vp:kl"} <= {r["schedule"] for r in rows}
    refused = _rows(found["errors"], sampler="ddpm")
    assert {(r["steps"], r["w2"]) for r in refused} == {(2, None)}
    assert "best:ddpm:kl" not in {r["schedule"] for r in refused}


def test_surrogates_against_sums_over_modes(spectrum):
    """The closed forms of one mode, summed by hand over the steps of a short path."""
    first, last = ends(SHORT)
    model = lt.GaussianModel(spectrum, lt.SingleScale())
    variances = spectrum.variances[spectrum.variances > 0].ravel()
    path = np.linspace(first, last, 400) + 0.3 * np.sin(np.linspace(0.0, np.pi, 400))
    found = Tables.of(model, spectrum, first, last).all_of(path)
    middle, moved = 0.5 * (path[1:] + path[:-1]), np.diff(path)
    noise = np.exp(-middle)[:, None]
    turning = np.sqrt(np.sum((0.5 * variances * noise) ** 2 / (variances + noise) ** 3, axis=1))
    np.testing.assert_allclose(found["flow"], 0.25 * np.sum(moved**2 * turning), rtol=LIMIT)
    gains = np.diff(0.5 * np.sum(np.log1p(variances * np.exp(path)[:, None]), axis=1))
    np.testing.assert_allclose(found["information"], np.sum(gains**2), rtol=LIMIT)
    std = np.sqrt(np.mean(variances))
    angles = np.arctan(np.exp(-path / 2) / std)
    np.testing.assert_allclose(found["arctan"], 0.5 * np.sum(np.diff(angles) ** 2), rtol=LIMIT)
    for name, sampler in (("ddim", lt.DDIM()), ("heun", lt.Heun()), ("ancestral", lt.Ancestral())):
        error = lt.sampling_error(model, lt.Path(path[:, None]), sampler)
        np.testing.assert_allclose(found[f"leading:{name}:w2"], error.w2, rtol=3e-2)
        np.testing.assert_allclose(found[f"leading:{name}:kl"] ** 2, error.kl, rtol=6e-2)


def test_the_numerical_floor_is_below_every_schedule_and_right_for_one_variance():
    first, last = ends(SHORT)
    flat = lt.Spectrum(np.full((2, 2), 0.3))
    model = lt.GaussianModel(flat, lt.SingleScale())
    for name in ("ddim", "ancestral"):
        floor = mode_floor(flat, entry(name), 4, first, last, 3)
        best = lt.sampling_error(
            model, lt.diagonal_path(model, 4, first, last, spacing="arctan"), entry(name).sampler
        )
        assert not vanishes(floor)
        if name == "ddim":  # one variance: equal angles are the optimum
            np.testing.assert_allclose([floor["w2"], floor["kl"]], [best.w2, best.kl], rtol=CANCELLATION)
        else:
            assert floor["w2"] <= best.w2 * (1 + ROUND_OFF)


def test_floors_are_not_beaten(results):
    for floor in results["floors"]:
        if floor["sampler"] in ("ddim", "ancestral"):
            for row in _rows(results["errors"], sampler=floor["sampler"], steps=floor["steps"]):
                slack = 1e-9 if floor["sampler"] == "ddim" else floor["check"] + 1e-3
                assert row["w2"] >= floor["w2"] * (1 - slack)


def test_rankings_know_order_and_its_opposite():
    rows = [
        {"sampler": "ddim", "schedule": str(i), "steps": n, "w2": float(n * i), "kl": float(-i)}
        for i in range(1, 7)
        for n in (5, 10)
    ]
    table = dict.fromkeys((*SURROGATES, "leading:ddim:w2", "leading:ddim:kl"), 0.0)
    paths = [
        {
            "schedule": r["schedule"],
            "steps": r["steps"],
            "surrogates": {**table, "path_kl": float(r["schedule"])},
        }
        for r in rows
    ]
    found = {(r["metric"], r["surrogate"]): r for r in audit.rankings(rows, paths)}
    got = found["w2", "path_kl"]["spearman"], found["kl", "path_kl"]["kendall"]
    np.testing.assert_allclose(got, (1.0, -1.0), rtol=ROUND_OFF)
    assert found["w2", "flow"]["spearman"] == 0.0


def test_transfer_is_one_for_what_is_best_everywhere():
    rows = [
        {"sampler": e.name, "schedule": name, "steps": 5, "w2": factor, "kl": factor**2}
        for e in IN_SIGMA
        for name, factor in (("path-kl", 2.0), ("best:ddim:w2", 1.0), ("edm", 0.5))
    ]
    rows.append({"sampler": "ddim", "schedule": "best:heun:w2", "steps": 9, "w2": 0.1, "kl": 0.1})
    rows += [{**row, "steps": 9} for row in rows[:-1]]
    floors = [{"sampler": e.name, "worst_mode": 0.0 if e.name == "dpm" else 0.1} for e in IN_SIGMA]
    table = audit.transfer(rows, floors)
    assert [row["schedule"] for row in table] == ["edm", "best:ddim:w2", "path-kl"]
    np.testing.assert_allclose([row["both"] for row in table], [1.0, 2.0, 4.0])
    np.testing.assert_allclose([row["cancelling"] for row in table], [1.0, 2.0, 4.0])
    np.testing.assert_allclose([row["worst"] for row in table], [1.0, 2.0, 4.0])
    assert audit.recommended(table) == "best:ddim:w2", "a published schedule is no objective"


def test_predictions_come_first_and_what_must_hold_holds(finished, results):
    written = json.loads((finished.parent / "predictions.json").read_text())
    assert [p["name"] for p in written] == [p["name"] for p in predictions.PREDICTIONS]
    assert all("measured" not in p for p in written)
    verdicts = {v["name"]: v for v in results["predictions"]}
    assert verdicts["floor"]["verdict"] == "confirmed"
    for v in verdicts.values():
        if v["measured"] is None:
            continue
        low, high = v["interval"]
        inside = (low is None or v["measured"] >= low) and (high is None or v["measured"] <= high)
        assert v["verdict"] == ("confirmed" if inside else "failed")


def test_every_failure_has_a_paragraph(results, spectrum):
    failed = {**results, "predictions": [{**v, "verdict": "failed"} for v in results["predictions"]]}
    texts = explain(failed, spectrum.variances[spectrum.variances > 0].ravel())
    assert len(texts) == len(results["predictions"])
    for v, text in zip(results["predictions"], texts, strict=True):
        assert text.startswith(f"{v['name']} failed: ")


def test_heun_is_compared_at_equal_calls():
    value = {("heun", "best:heun:w2", n): {"w2": 6.0 / n} for n in (5, 10, 20)}
    value |= {("dpm", "best:dpm:w2", n): {"w2": 4.0 / n**2} for n in (5, 10, 20)}
    np.testing.assert_allclose(predictions._heun_over_multistep(value, [5, 10, 20]), 60.0)
    assert predictions._heun_over_multistep(value, [7]) == 0.0


def test_schedules_have_names_and_ends():
    assert label("best:dpm:kl") == "best for output KL of DPM-Solver++(2M)"
    assert [label(name) for name in PLAIN] == list(PLAIN.values())
    np.testing.assert_array_equal(
        published("arctan-1", 3).logsnr, lt.published_path("arctan", 3, std=1.0).logsnr
    )


def test_the_curve_is_never_better_than_the_optimum_and_nears_it(results):
    rows = curve_distances(8, "ddim", "w2", 2.0, (4, 8))
    stored = _rows(results["curve_distances"], sampler="ddim", metric="w2")
    assert [r["steps"] for r in stored] == list(STEPS)
    np.testing.assert_allclose(stored[0]["excess_percent"], rows[0]["excess_percent"], rtol=1e-6)
    assert 0 <= rows[1]["excess_percent"] < rows[0]["excess_percent"] < 5
    model = lt.GaussianModel(lt.Spectrum.power_law((8, 8), 2.0), lt.SingleScale())
    curve = lt.geodesic_curve(model, -8.0, 8.0, objective=lt.OutputError())
    np.testing.assert_allclose(rows[0]["curve"], lt.sampling_error(model, curve.path(4)).w2, rtol=ROUND_OFF)


def test_report_stands_alone(finished, results):
    page = finished.read_text()
    assert page.startswith("<!doctype html>")
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page), "nothing is loaded from elsewhere"
    assert page.count("<svg") == 6
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers)), "figures share no ids"
    assert results["answer"][2].split(":")[0] in page


def test_second_run_reuses_every_stage_and_changes_nothing(finished):
    before = (finished.parent / "results.json").read_bytes(), finished.read_bytes()
    count = len(list((finished.parent / "stages").iterdir()))
    console = Console(file=io.StringIO(), width=120)
    job.main(job.Options(data="digits", out=finished.parent), console)
    found = re.search(r"(\d+) stages were found done", console.file.getvalue())
    assert found
    assert int(found.group(1)) >= count == len(list((finished.parent / "stages").iterdir()))
    assert ((finished.parent / "results.json").read_bytes(), finished.read_bytes()) == before


def test_all_metrics_have_an_optimum_no_other_schedule_beats_at_the_headline(results):
    for which, metric in product(IN_SIGMA, METRICS):
        rows = _rows(results["errors"], sampler=which.name, steps=HEADLINE)
        own = next(r for r in rows if r["schedule"] == f"best:{which.name}:{metric}")
        assert own[metric] <= min(r[metric] for r in rows) * (1 + 1e-3)
