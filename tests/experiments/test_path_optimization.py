"""The path experiment on tiny images: controls are what they are called, shares add up, the report stands alone."""

import io
import json
import re
from itertools import pairwise, product

import numpy as np
import pytest
from rich.console import Console
from tolerances import ROUND_OFF

import experiments.path_optimization as job
import lift_theory as lt
from experiments.path_optimization import predictions, published
from experiments.path_optimization.contenders import PATHS, contenders, published_paths
from experiments.path_optimization.decomposition import share
from experiments.path_optimization.explanations import explain
from experiments.path_optimization.lattices import coarse_for_fine_grid

STEPS, HEADLINE = (6,), 6


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    patch = pytest.MonkeyPatch()
    tiny = job.Preset(
        size=8, channels=1, steps=STEPS, headline=HEADLINE, grid=7, points=16, weighted_points=6
    )
    patch.setitem(job.PRESETS, "quick", tiny)
    report = job.main(job.Options(data="digits", out=folder), Console(file=io.StringIO(), width=120))
    yield report
    patch.undo()


@pytest.fixture(scope="module")
def results(finished):
    return json.loads((finished.parent / "results.json").read_text())


@pytest.fixture(scope="module")
def models():
    from lift_train import data

    spectrum = lt.Spectrum.from_images(data.load("digits", size=8, channels=1).train)
    return {c.name: lt.GaussianModel(spectrum, c.representation) for c in contenders(8)}


def _row(results, representation, path, steps=HEADLINE):
    return next(
        r
        for r in results["paths"]
        if (r["representation"], r["path"], r["steps"]) == (representation, path, steps)
    )


def test_every_control_is_there_with_its_own_cost_and_ends(results, models):
    for c, steps in product(contenders(8), STEPS):
        rows = [r for r in results["paths"] if (r["representation"], r["steps"]) == (c.name, steps)]
        assert set(PATHS) <= {r["path"] for r in rows}
        best = _row(results, c.name, "best", steps)
        for row in rows:
            path = lt.Path(row["logsnr"], models[c.name].scales)
            np.testing.assert_allclose(lt.path_kl(models[c.name], path), row["nats"], rtol=ROUND_OFF)
            np.testing.assert_allclose(path.logsnr[[0, -1]], c.ends(), rtol=1e-12)
            assert row["nats"] >= best["certified_nats"] * (1 - ROUND_OFF)
            assert row["nats"] >= row["floor_nats"] * (1 - ROUND_OFF)


def test_controls_change_one_thing_at_a_time(results):
    for c in contenders(8):
        grids = {p: np.array(_row(results, c.name, p)["logsnr"]) for p in PATHS}
        for lock_step in ("uniform_timesteps", "logsnr", "diagonal", "best_grid_lead_0"):
            inner = grids[lock_step][1:-1]
            np.testing.assert_allclose(inner[:, 1] - inner[:, 0], c.shift, atol=1e-9)
        for same, other in (
            ("lead_only", "uniform_timesteps"),
            ("equal_information_same", "diagonal"),
            ("best_grid_lead_0", "best"),
        ):
            np.testing.assert_array_equal(grids[same][:, 0], grids[other][:, 0])
        np.testing.assert_array_equal(grids["uniform_timesteps"][:, 0], published.uniform_timesteps(HEADLINE))


def test_shares_are_the_differences_of_the_costs(results):
    for entry in results["decomposition"]:
        floor, uniform = entry["floor_nats"], entry["uniform_nats"]
        for name in ("diagonal", "lead_only", "best"):
            row = _row(results, entry["representation"], name, entry["steps"])
            key = {"diagonal": "spacing_share", "lead_only": "lead_share", "best": "both_share"}[name]
            np.testing.assert_allclose(entry[key], (uniform - row["nats"]) / (uniform - floor), rtol=1e-9)
        assert (
            max(entry["spacing_share"], entry["lead_share"]) <= entry["both_share"] * (1 + 1e-9) <= 1 + 1e-9
        )
    assert share(results["decomposition"], "pyramid", HEADLINE)["representation_share"] == 0


def test_lead_alone_is_the_best_of_all_coarse_grids(models):
    """Against brute force over a lattice, and no random monotone coarse grid is better."""
    model = models["pyramid"]
    fine, ends = np.array([-4.0, -1.0, 1.5, 4.0]), np.array([[-4.0, -4.0], [4.0, 4.0]])
    found = coarse_for_fine_grid(model, fine, *ends)
    coarse = np.linspace(-4.0, 4.0, 33)
    costs = [
        lt.path_kl(model, lt.Path(np.stack([fine, [-4.0, a, b, 4.0]], axis=1)))
        for a, b in product(coarse, coarse)
        if a <= b
    ]
    assert lt.path_kl(model, found) <= min(costs)
    np.testing.assert_allclose(lt.path_kl(model, found), min(costs), rtol=1e-2)
    np.testing.assert_array_equal(found.logsnr[:, 0], fine)


def test_published_timesteps_are_those_of_the_clipped_cosine():
    """The schedule from its definition, and the published ends of its SNR."""
    edges = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    kept = np.cumprod(1 - np.clip(1 - edges[1:] / edges[:-1], 1e-4, 0.02))
    np.testing.assert_allclose(np.exp(published.logsnr_at(np.arange(1000))), kept / (1 - kept), rtol=1e-9)
    np.testing.assert_allclose(np.exp(published.ends()), [3.2e-3, 1e4], rtol=1e-2)
    fine, lead = published.beginning()
    assert len(fine) == len(lead) == 9
    assert all(a <= b for a, b in pairwise(fine))
    np.testing.assert_allclose(lead[0], -2 * np.log(2))


def test_moves_of_five_cells_cannot_cross_the_grid_in_five_steps(models):
    rows = published_paths(models["pyramid"], contenders(8)[0], (5, 6))
    assert {r["steps"] for r in rows} == {6}
    assert len(rows) == 4


def test_the_bands_of_a_representation_are_compared_in_the_same_units():
    pyramid, haar, _, bilinear = contenders(8)
    points = np.array([[-1.0, 0.5], [0.0, 3.0]])
    image = lt.to_orthogonal(lt.Path(points)).logsnr
    np.testing.assert_allclose(pyramid.band_lead(points), haar.band_lead(image))
    for c in (pyramid, haar, bilinear):
        np.testing.assert_allclose(c.band_lead(np.array(c.ends())), np.log(1.25))
        lead = np.array([[0.0, c.equal_information]])
        np.testing.assert_allclose(c.band_lead(lead), np.log(2.0))


def test_predictions_come_first_and_theorems_hold(finished, results):
    written = json.loads((finished.parent / "predictions.json").read_text())
    assert [p["name"] for p in written] == [p["name"] for p in predictions.PREDICTIONS]
    assert all("measured" not in p for p in written)
    verdicts = {v["name"]: v for v in results["predictions"]}
    for name in ("floor", "certificate", "optimum", "representation"):
        assert verdicts[name]["verdict"] == "confirmed", name
    for v in verdicts.values():
        low, high = v["interval"]
        inside = (low is None or v["measured"] >= low) and (high is None or v["measured"] <= high)
        assert v["verdict"] == ("confirmed" if inside else "failed")


def test_every_failure_is_explained_with_numbers(results):
    failed = [{**v, "verdict": "failed"} for v in results["predictions"]]
    texts = explain(failed, results["paths"], HEADLINE)
    assert len(texts) == len(failed)
    for v, text in zip(failed, texts, strict=True):
        assert text.startswith(f"{v['name']} failed: ")
    assert sum("no explanation" not in text for text in texts) >= 4


def test_report_stands_alone(finished, results):
    page = finished.read_text()
    assert page.startswith("<!doctype html>")
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page), "nothing is loaded from elsewhere"
    assert page.count("<svg") == 5
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers)), "figures share no ids"
    assert f"{100 * share(results['decomposition'], 'pyramid', HEADLINE)['lead_of_saving']:.1f} %" in page


def test_second_run_reuses_every_stage_and_changes_nothing(finished):
    before = (finished.parent / "results.json").read_bytes(), finished.read_bytes()
    console = Console(file=io.StringIO(), width=120)
    job.main(job.Options(data="digits", out=finished.parent), console)
    assert f"{4 * (len(STEPS) + 1) + 2} stages were found done" in console.file.getvalue()
    assert ((finished.parent / "results.json").read_bytes(), finished.read_bytes()) == before
