"""The experiment on coarse-first paths: laws are what they are called, costs agree with closed forms."""

import io
import json
import re
from copy import deepcopy

import numpy as np
import pytest
import torch
from rich.console import Console
from scipy.special import softmax
from scipy.stats import multivariate_normal
from tolerances import DENSE, LIMIT, QUADRATURE, ROUND_OFF
from torch.nn.functional import interpolate

import experiments.coarse_first as job
import lift_theory as lt
from experiments.coarse_first import cases, figures, predictions, prices, residuals
from experiments.coarse_first.answers import _near
from experiments.coarse_first.explanations import explain
from experiments.coarse_first.laws import CLUSTERS, SPREAD, Law, clustered, image

SIDES = (1, 2, 4)
VARIANCES = [0.3, 0.3, 2.0]
"""Of the Gaussian law whose costs are known: one shape, so that little has to be compiled."""


def test_dependence_changes_neither_scale_by_itself():
    apart, half, tied = (clustered(fine=3, coarse=4, dependence=d, ratio=4.0) for d in (0.0, 0.5, 1.0))
    assert [law.components for law in (apart, half, tied)] == [CLUSTERS**2, CLUSTERS**2, CLUSTERS]
    for part in (slice(0, 3), slice(3, 7)):
        for law in (apart, half, tied):
            centres, place = np.unique(law.means[:, part].round(12), axis=0, return_inverse=True)
            weights = np.bincount(place.ravel(), weights=law.weights)
            assert len(centres) == CLUSTERS
            np.testing.assert_allclose(weights, 1 / CLUSTERS, rtol=ROUND_OFF)
    crossed = [law.covariance_matrix()[:3, 3:] for law in (apart, half, tied)]
    np.testing.assert_allclose(crossed[0], 0.0, atol=ROUND_OFF)
    np.testing.assert_allclose(crossed[1], crossed[2] / 2, atol=ROUND_OFF)
    assert np.abs(crossed[2]).max() > 0.05
    variances = np.diag(tied.covariance_matrix())
    expected = 1 + SPREAD**2
    np.testing.assert_allclose([variances[:3].mean(), variances[3:].mean()], [expected / 4, expected])


@pytest.mark.parametrize("explained", [0.0, 0.9, 1.0])
def test_the_explained_share_is_what_the_coarse_part_tells(explained):
    law = clustered(fine=3, coarse=4, dependence=1.0, explained=explained, ratio=4.0)
    within = law.covariances[0]
    left = within[:3, :3] - within[:3, 3:] @ np.linalg.solve(within[3:, 3:], within[3:, :3])
    np.testing.assert_allclose(np.diag(left) / np.diag(within)[:3], 1 - explained, atol=ROUND_OFF)


@pytest.mark.parametrize("fine", [4, 12])
@pytest.mark.parametrize("explained", [0.0, 1.0])
def test_the_coarse_part_tells_the_cluster_and_the_fine_part(fine, explained):
    """Bayes' rule for clean coarse coefficients of draws; then the regression inside the cluster that it names."""
    law = clustered(fine=fine, coarse=4, dependence=1.0, explained=explained)
    draws, within = law.sample(4000, seed=1), law.covariances[0]
    coarse, centres, spread = draws[:, fine:], law.means[:, fine:], within[fine:, fine:]
    densities = [multivariate_normal(centre, spread).logpdf(coarse) for centre in centres]
    odds = softmax(np.stack(densities, axis=1), axis=1)
    named = odds.argmax(axis=1)
    assert odds.max(axis=1).min() > 0.999
    whole = [multivariate_normal(m, within, allow_singular=True).logpdf(draws) for m in law.means]
    np.testing.assert_array_equal(named, np.argmax(whole, axis=0))
    slope = np.linalg.solve(spread, within[fine:, :fine])
    left = draws[:, :fine] - law.means[named, :fine] - (coarse - centres[named]) @ slope
    share = np.mean(left**2) / np.mean(np.diag(within)[:fine])
    np.testing.assert_allclose(share, 1 - explained, atol=ROUND_OFF + 0.05 * (1 - explained))


def test_an_image_has_the_bands_of_its_law():
    law = clustered(fine=12, coarse=4, dependence=1.0, explained=0.5)
    pixels = image(law, 4)
    bands = np.concatenate(list(lt.HaarBands().matrices((4, 4)).values()))
    np.testing.assert_allclose(
        bands @ pixels.covariance_matrix() @ bands.T, law.covariance_matrix(), atol=ROUND_OFF
    )
    np.testing.assert_allclose(pixels.means @ bands.T, law.means, atol=ROUND_OFF)


@pytest.mark.parametrize("kind", ["pyramid", "bands"])
def test_a_vector_is_represented_as_an_image_is(kind):
    """The Gram matrices of abstract channels are those of real ones in Haar coordinates."""
    law = clustered(fine=12, coarse=4, dependence=1.0)
    bands = np.concatenate(list(lt.HaarBands().matrices((4, 4)).values()))
    vector = Law(name="v", label="", mixture=law, coarse=4).representation(kind).matrices((16,))
    pixels = Law(name="i", label="", mixture=image(law, 4), coarse=4).representation(kind).matrices((4, 4))
    assert list(vector) == list(pixels)
    for own, real in zip(vector.values(), pixels.values(), strict=True):
        np.testing.assert_allclose(own.T @ own, bands @ real.T @ real @ bands.T, atol=ROUND_OFF)


def test_residual_scales_add_up_to_the_image():
    scales = residuals.residual_scales(residuals.SIDES)
    assert sum(scales.sizes((16, 16))) == 680
    picture = np.random.default_rng(0).standard_normal(256)
    total = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    for side, matrix in zip(residuals.SIDES, reversed(scales.operators.values()), strict=True):
        tokens = torch.from_numpy(matrix @ picture).reshape(1, 1, side, side)
        total += tokens if side == 16 else interpolate(tokens, size=(16, 16), mode="bicubic")
    np.testing.assert_allclose(total.numpy().ravel(), picture, atol=DENSE)
    means = scales.operators["side_2"] @ picture
    quarters = picture.reshape(2, 8, 2, 8).mean(axis=(1, 3))
    np.testing.assert_allclose(means, (quarters - picture.mean()).ravel(), atol=DENSE)


def test_blocks_of_mirrored_scales_are_those_of_the_whole():
    scales = residuals.residual_scales(SIDES)
    spectrum = lt.Spectrum.power_law((4, 4), 2.0)
    blocks, whole = (lt.GaussianModel(spectrum, s) for s in (scales, lt.LinearScales(scales.operators)))
    points = np.random.default_rng(1).uniform(-5, 5, size=(2, len(SIDES)))
    np.testing.assert_allclose(blocks.mmse(points), whole.mmse(points), rtol=DENSE)
    np.testing.assert_allclose(blocks.metric(points), whole.metric(points), rtol=DENSE, atol=DENSE)


def test_a_leg_has_the_length_of_its_modes():
    """Independent modes: L^2 = (d / 2) log^2((1 + c g1) / (1 + c g0))."""
    model = _gaussian()
    leg = prices.Leg.of(model, np.array([-5.0, -5.0]), np.array([5.0, -5.0]))
    rise = np.log1p(0.3 * np.exp(5.0)) - np.log1p(0.3 * np.exp(-5.0))
    np.testing.assert_allclose(leg.length, np.sqrt(2 / 2) * rise, rtol=1e-4)  # trapezia on 401 points
    points = leg.evenly(4)
    np.testing.assert_allclose(np.diff(np.log1p(0.3 * np.exp(points[:, 0]))), rise / 4, rtol=LIMIT)


def test_the_split_of_a_staged_path_is_the_best_of_all():
    """Every split of the budget, each with its best spacing of both legs."""
    model = _gaussian()
    begin, corner, end = (np.array(p) for p in ([-3.0, -3.0], [-3.0, 3.0], [3.0, 3.0]))
    legs = prices.Leg.of(model, begin, corner), prices.Leg.of(model, corner, end)
    path = prices.staged(model, model, legs, 3, 0.5)
    alone = np.diff(path.logsnr, axis=0) == 0
    assert np.all(alone.sum(axis=1) == 1), "one scale at a time"
    assert 0.5 * np.sum(alone[:, 0]) + np.sum(alone[:, 1]) <= 3
    costs = []
    for count in range(1, 3):
        first = lt.diagonal_path(model, int((3 - count) / 0.5), begin, corner)
        costs.append(
            lt.path_kl(model, first) + lt.path_kl(model, lt.diagonal_path(model, count, corner, end))
        )
    np.testing.assert_allclose(lt.path_kl(model, path), min(costs), rtol=QUADRATURE)
    np.testing.assert_allclose(lt.path_kl(model, prices.padded(path, 9)), lt.path_kl(model, path))


@pytest.mark.parametrize("lengths", [(1.0, 1.0), (2.0, 1.0), (1.0, 3.0)])
def test_break_even_is_that_of_the_theorem_where_costs_are(lengths):
    coarse, fine = lengths
    costs = [(price, (np.sqrt(price) * coarse + fine) ** 2 / 20) for price in (1.0, 1 / 4, 1 / 16)]
    found = prices.break_even(costs, (coarse**2 + fine**2) / 20)
    np.testing.assert_allclose(found, lt.break_even_price(coarse, fine), rtol=ROUND_OFF)
    assert prices.break_even(costs, fine**2 / 40) is None


def test_one_component_costs_what_the_closed_form_says():
    """A Gaussian as a mixture of one: searched on a fit, costed by Monte Carlo, and without error."""
    law = lt.GaussianMixture([1.0], [np.zeros(len(VARIANCES))], [VARIANCES])
    sizes = cases.Sizes(steps=3, draws=4, judged=8, grid=9)
    row = cases.measured(
        cases.Case(law=Law(name="g", label="", mixture=law, coarse=1), kind="bands", sizes=sizes)
    )
    model = _gaussian()
    ends = (3, cases.FIRST, cases.LAST)
    exact = {
        "optimal": lt.optimal_path(model, *ends).cost,
        "lock_step": lt.path_kl(model, lt.diagonal_path(model, *ends)),
        "coarse_first": lt.path_kl(model, lt.staged_path(model, *ends)),
        "fine_first": lt.path_kl(model, lt.staged_path(model, *ends, order=("high", "low"))),
    }
    for name, still in (("coarse_first", 0), ("fine_first", 1)):
        start, after = row["paths"][name]["logsnr"][:2]
        assert [a > s for s, a in zip(start, after, strict=True)] == [still != 0, still != 1]
    for name, cost in exact.items():
        found = row["paths"][name]
        np.testing.assert_allclose(found["cost"], cost, rtol=LIMIT)
        assert found["standard_error"] == found["difference_standard_error"] == 0.0
        points = np.array(found["logsnr"])
        np.testing.assert_array_equal(points[[0, -1]], [[cases.FIRST] * 2, [cases.LAST] * 2])
    assert row["lead"] == row["lead_nominal"] < 0


def _gaussian():
    """Two fine modes and a coarse one, independent."""
    eye = np.eye(len(VARIANCES))
    return lt.GaussianModel(
        lt.Covariance(np.diag(VARIANCES)), lt.LinearScales({"high": eye[:2], "low": eye[2:]})
    )


def _row(case):
    """Leading-order costs of scales with random lengths in place of a measurement."""
    low, high = np.random.default_rng(len(case.law.name)).uniform(1, 2, size=2)
    costs = {
        "optimal": low**2 + high**2,
        "lock_step": 1.1 * (low**2 + high**2),
        "coarse_first": (low + high) ** 2,
        "fine_first": (low + high) ** 2,
    }
    error = {"standard_error": 0.1, "difference_standard_error": 0.01, "logsnr": []}
    row = {"law": case.law.name, "kind": case.kind, "misfit": 0.0, "lead_nominal": -1.0, "lead": -1.0}
    row["paths"] = {name: {"cost": cost, **error} for name, cost in costs.items()}
    if case.priced:
        more = {
            "staged_standard_error": 0.01,
            "mixed_standard_error": 0.01,
            "staged_steps": [1, 1],
            "mixed_steps": [1, 1],
        }
        row["priced"] = {
            "rows": [
                {"price": p, "staged": (np.sqrt(p) * low + high) ** 2, "mixed": high**2, **more}
                for p in prices.PRICES
            ],
            "lock_step": costs["lock_step"],
            "lock_step_standard_error": 0.1,
            "coarse_length": low,
            "fine_length": high,
            "break_even": 0.1,
            "break_even_predicted": lt.break_even_price(low, high),
        }
    return row


def _residual_row(row):
    """Costs in the order that theory demands, in place of a search."""
    costs = {"floor": 10.0, "optimal": 10.4, "lock_step": 10.9, "staged": 60.0}
    alone = {"one_scale": 13.0, "one_scale_floor": 10.5}
    return {"name": row.name, "steps": row.steps, "staged_steps": [1, 3], **costs, **alone}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The whole job on tiny images; costs are stood in for, all else is real."""
    folder = tmp_path_factory.mktemp("job")
    fields = np.random.default_rng(0).uniform(-1, 1, size=(24, 4, 4)).astype(np.float32)
    np.savez(folder / "images.npz", train=fields[:16], held_out=fields[16:])
    sizes = cases.Sizes(steps=3, draws=32, judged=32, grid=5)
    preset = job.Preset(
        components=2,
        laws=sizes,
        phase=sizes,
        ties=("none", "cluster", "function"),
        fine=(1, 2),
        exponents=(0.0, 2.0),
        kinds=("bands",),
        spectra=("photographs",),
        sides=(2, 4),
        residual_steps=(4,),
    )
    patch = pytest.MonkeyPatch()
    patch.setitem(job.PRESETS, "quick", preset)
    patch.setattr(cases, "measured", _row)
    patch.setattr(residuals, "row_of", _residual_row)
    patch.setattr("experiments.processes._workers", lambda: 1)
    options = job.Options(data=f"npz:{folder / 'images.npz'}", out=folder / "out")
    report = job.main(options, Console(file=io.StringIO(), width=120))
    yield report, options
    patch.undo()


@pytest.fixture(scope="module")
def results(finished):
    return json.loads((finished[0].parent / "results.json").read_text())


def test_predictions_come_first(finished, results):
    written = json.loads((finished[0].parent / "predictions.json").read_text())
    assert [p["name"] for p in written] == [p["name"] for p in predictions.PREDICTIONS]
    assert all("measured" not in p for p in written)
    verdicts = {v["name"]: v for v in results["predictions"]}
    row = next(r for r in results["laws"] if r["law"] == "hierarchical" and r["kind"] == "bands")
    expected = row["paths"]["coarse_first"]["cost"] / row["paths"]["optimal"]["cost"]
    assert verdicts["hierarchical"]["measured"] == pytest.approx(expected)
    assert verdicts["no_order"]["measured"] == 0.0
    assert verdicts["ten_lock_step"]["measured"] == pytest.approx(109.0)
    assert verdicts["determined"]["estimate"]["half_width"] > 0


def test_every_failure_is_mentioned(results):
    for verdict, words in (("failed", " failed: "), ("undecided", " is undecided: ")):
        predicted = [{**v, "verdict": verdict} for v in results["predictions"]]
        texts = explain({**results, "predictions": predicted})
        assert [text.split(words)[0] for text in texts] == [v["name"] for v in predicted]


def test_an_l_that_is_all_the_search_found_is_no_optimum(results):
    paths = deepcopy(results["phase"][0]["paths"])
    paths["coarse_first"] = {**paths["optimal"], "difference_standard_error": 0.0}
    found = {**results, "laws": [], "phase": [{**results["phase"][0], "paths": paths}]}
    assert "make the difference in 1 of 1 cases." in _near(found)
    paths["lock_step"] = {
        **paths["optimal"],
        "cost": 0.9 * paths["optimal"]["cost"],
        "difference_standard_error": 0.01 * paths["optimal"]["cost"],
    }
    assert "in none of 1 cases. In 1 more the search ended at the L" in _near(found)
    assert "by 0.100 ± 0.02 of its cost" in _near(found)


def test_report_stands_alone_and_a_second_run_changes_nothing(finished):
    report, options = finished
    page = report.read_text()
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page), "nothing is loaded from elsewhere"
    assert page.count("<svg") == 5
    for anchor in re.findall(r'href="#([\w-]+)"', page):
        assert f'id="{anchor}"' in page
    before = (report.parent / "results.json").read_bytes(), page
    console = Console(file=io.StringIO(), width=120)
    job.main(options, console)
    assert f"{1 + 10 + 12} stages were found done" in console.file.getvalue()
    assert ((report.parent / "results.json").read_bytes(), report.read_text()) == before


def test_every_tie_has_a_label():
    assert set(job.TIES) == set(figures.TIE_LABELS)
