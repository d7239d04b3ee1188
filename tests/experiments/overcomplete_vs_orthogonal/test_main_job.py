"""The main job on tiny images: it runs, resumes, predicts first, and says what its numbers say."""

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console
from tiny_bench import TINY
from tolerances import ROUND_OFF

import experiments.overcomplete_vs_orthogonal as job
import lift_theory as lt
from experiments.command_line import run
from experiments.overcomplete_vs_orthogonal import predictions
from experiments.overcomplete_vs_orthogonal.contenders import contenders
from experiments.overcomplete_vs_orthogonal.ledger import baseline, spacing
from experiments.overcomplete_vs_orthogonal.trained import judging
from experiments.overcomplete_vs_orthogonal.trained import report as report_of_networks


@pytest.fixture(scope="module")
def finished(bench):
    """The main job in the folder of the bench, where its networks and some of its stages are found done."""
    patch = pytest.MonkeyPatch()
    preset = job.Preset(size=8, channels=1, steps=(2, 6), headline=6, grid=7, points=24, trained=TINY)
    patch.setitem(job.PRESETS, "quick", preset)
    for module in (judging, report_of_networks):  # every page of the ledger has tests of its own
        patch.setattr(module, "FINDINGS", (spacing, baseline))
    small = lt.GaussianModel(lt.Spectrum.power_law((8, 8), 2.0), lt.AveragePyramid())
    patch.setattr(spacing, "lift_model", lambda: small)  # the published size takes a minute to compile
    patch.setattr(spacing, "PUBLISHED_STEPS", TINY.steps - 1)  # compiled for the routes already
    console = Console(file=io.StringIO(), width=120)
    report = job.main(job.Options(data="digits", out=bench.work.folder), console)
    yield report, console
    patch.undo()


def _results(report):
    return json.loads((report.parent / "results.json").read_text())


def test_report_stands_alone(finished):
    page = finished[0].read_text()
    assert page.startswith("<!doctype html>")
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page), "nothing is loaded from elsewhere"
    assert page.count("<svg") == len(list((finished[0].parent / "figures").glob("*.svg")))
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers)), "figures share no ids"
    referenced = set(re.findall(r'(?:href="#|url\(#)([^")]+)', page))
    assert referenced <= set(identifiers)


def test_predictions_are_written_with_their_intervals(finished):
    written = json.loads((finished[0].parent / "predictions.json").read_text())
    assert [p["name"] for p in written] == [p["name"] for p in predictions.PREDICTIONS]
    assert all("measured" not in p for p in written)


def test_verdicts_follow_from_interval_and_measurement(finished):
    for verdict in _results(finished[0])["predictions"]:
        low, high = verdict["interval"]
        inside = (low is None or verdict["measured"] >= low) and (high is None or verdict["measured"] <= high)
        assert verdict["verdict"] == ("confirmed" if inside else "failed")


def test_theorems_among_the_predictions_hold_for_any_spectrum(finished):
    verdicts = {v["name"]: v["verdict"] for v in _results(finished[0])["predictions"]}
    for name in ("equivalence", "path_equivalence", "redundancy_never_helps", "nearest_is_haar", "floor"):
        assert verdicts[name] == "confirmed", name


def test_costs_are_those_of_the_stored_paths(finished):
    from lift_train import data

    spectrum = lt.Spectrum.from_images(data.load("digits", size=8, channels=1).train)
    results = _results(finished[0])
    for contender in contenders(8):
        model = lt.GaussianModel(spectrum, contender.representation)
        rows = [r for r in results["paths"] if r["representation"] == contender.name]
        assert {r["steps"] for r in rows} == {2, 6}
        for row in rows:
            path = lt.Path(row["logsnr"], model.scales)
            np.testing.assert_allclose(lt.path_kl(model, path), row["nats"], rtol=ROUND_OFF)
            start, stop = contender.ends()
            np.testing.assert_array_equal(path.logsnr[[0, -1]], [start, stop])
            best = next(r for r in rows if (r["path"], r["steps"]) == ("best", row["steps"]))
            assert best["nats"] <= row["nats"] * (1 + ROUND_OFF), row["path"]
            assert best["certified_nats"] <= best["nats"]


def test_ends_give_the_same_posterior():
    spectrum = lt.Spectrum.power_law((8, 8))
    errors = {}
    for c in contenders(8):
        matrices = list(c.representation.matrices((8, 8)).values())
        for end in c.ends():
            precision = np.linalg.inv(spectrum.covariance_matrix())
            precision = precision + sum(np.exp(s) * a.T @ a for s, a in zip(end, matrices, strict=True))
            errors.setdefault(c.name, []).append(np.trace(np.linalg.inv(precision)))
    for name in ("haar", "nearest"):
        np.testing.assert_allclose(errors[name], errors["pyramid"], rtol=1e-9)


def test_second_run_reuses_every_stage_and_changes_nothing(finished):
    report, _ = finished
    before = (report.parent / "results.json").read_bytes(), report.read_bytes()
    console = Console(file=io.StringIO(), width=120)
    job.main(job.Options(data="digits", out=report.parent), console)
    assert re.search(r"\d\d+ stages were found done", console.file.getvalue())
    assert "training" not in console.file.getvalue()
    assert ((report.parent / "results.json").read_bytes(), report.read_bytes()) == before


def test_terminal_summary_names_the_report(finished):
    text = finished[1].file.getvalue()
    assert "report.html" in text
    assert "Not different in kind" in text


def test_networks_are_predicted_before_they_are_trained(finished):
    folder = finished[0].parent
    written = folder / "predictions_trained.json"
    asked = json.loads(written.read_text())
    assert set(asked) == {"networks", "spacing", "baseline"}
    assert all("measured" not in p for found in asked.values() for p in found)
    results = _results(finished[0])["trained"]
    assert [p["name"] for p in asked["networks"]] == [v["name"] for v in results["predictions"]]


def test_verdicts_on_networks_allow_for_their_intervals(finished):
    for verdict in _results(finished[0])["trained"]["predictions"]:
        estimate, (low, high) = verdict["estimate"], verdict["interval"]
        low, high = -np.inf if low is None else low, np.inf if high is None else high
        ends = estimate["mean"] - estimate["half_width"], estimate["mean"] + estimate["half_width"]
        inside, outside = low <= ends[0] and ends[1] <= high, ends[1] < low or high < ends[0]
        assert verdict["verdict"] == ("confirmed" if inside else "failed" if outside else "undecided")
        assert len(estimate["values"]) == TINY.seeds


def test_every_link_of_the_answer_leads_somewhere(finished):
    page, answer = finished[0].read_text(), " ".join(_results(finished[0])["answer"])
    targets = re.findall(r"\]\(#([\w-]+)\)", answer)
    assert len(targets) >= 6
    assert all(f'id="{target}"' in page for target in targets), targets


def test_predicted_errors_are_those_of_the_stored_paths(finished):
    from lift_train import data

    spectrum = lt.Spectrum.from_images(data.load("digits", size=8, channels=1).train)
    models = {c.name: lt.GaussianModel(spectrum, c.representation) for c in contenders(8)}
    rows = [r for r in _results(finished[0])["trained"]["samples"] if r["seed"] == 0]
    assert {r["representation"] for r in rows} == {"single", "pyramid", "haar", "dct", "bilinear"}
    chosen = [r for r in rows if r["representation"] in ("single", "pyramid") and r["path"] != "coarse_first"]
    for row in chosen:
        model = models[row["representation"]]
        path = lt.Path(np.array(row["logsnr"]), model.scales)
        np.testing.assert_allclose(lt.path_kl(model, path), row["nats"], rtol=1e-9)
        assert path.to_clean_data().steps == row["calls"] == TINY.steps


def test_bad_data_ends_with_a_message_not_a_traceback(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["job", "--data", "fotos", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        run(job.main, job.Options)
    assert stopped.value.code == 2
    assert "photos" in capsys.readouterr().err
