"""The page on the factor: the identity on an exact denoiser, paths against exhaustive search, and its rules."""

from __future__ import annotations

import dataclasses
import json
from itertools import combinations, pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.ledger import gamma, gamma_identity, gamma_paths
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.report import Report, Section
from lift_theory.optimize import published_axes
from lift_train import LinearDenoiser, Scales

SPECTRUM = lt.Spectrum.power_law((4, 4), 1.0)
PYRAMID = lt.GaussianModel(SPECTRUM, lt.AveragePyramid())


@pytest.fixture(scope="module")
def patched():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gamma_paths, "SIZE", 8)
        patch.setattr(gamma_paths, "STEPS", 6)
        patch.setattr(gamma_paths, "published_axes", lambda: published_axes(points=11))
        # compiling the search for the best output takes longer than all the rest, and it has tests of its own
        patch.setattr(gamma_paths, "OutputError", lambda output: lt.PathKL())
        yield


@pytest.fixture(scope="module")
def predictions(bench: Bench, patched):
    return gamma.predictions(dataclasses.replace(bench, runs={}))


@pytest.fixture(scope="module")
def numbers(bench: Bench, patched):
    return json.loads(json.dumps(gamma.measure(bench), allow_nan=False))


def test_predictions_are_made_without_networks(predictions):
    names = [p["name"] for p in predictions]
    assert len(set(names)) == len(names)
    assert all(name.startswith("gamma_") for name in names)
    for p in predictions:
        low, high = p["interval"]
        assert np.isfinite(low)
        assert low < high


def test_the_page_renders_with_a_verdict_on_every_prediction(predictions, numbers, tmp_path: Path):
    page = gamma.page(numbers, predictions, tmp_path)
    assert [v["name"] for v in page.verdicts] == [p["name"] for p in predictions]
    html = Report(
        title="t", lead="l", answer=[page.why], sections=[Section(title="s", items=page.items)]
    ).html()
    assert html.count("<svg") == 2


def test_no_path_costs_less_than_the_best(numbers):
    for rows in numbers["paths"].values():
        costs = {row["path"]: row for row in rows}
        assert set(costs) == set(gamma_paths.PATHS)
        assert min(row["nats"] for row in rows) >= costs["best"]["nats"] * (1 - gamma_paths.PROVED_WITHIN)
        assert costs["lattice_theirs"]["nats"] <= min(costs[f"eps_{f}"]["nats"] for f in "ABCD")


def test_the_factor_is_exact_for_the_posterior_mean():
    denoiser = LinearDenoiser(Scales(lt.AveragePyramid(), (1, 4, 4)), SPECTRUM.variances)
    generator = torch.Generator().manual_seed(0)
    level = np.array([0.7, -0.4])
    noisy = [torch.randn(1, 1, n, n, generator=generator, dtype=torch.float64) for n in (4, 2)]
    levels = torch.as_tensor(level)[None]
    for k, size in ((0, 16), (1, 4)):

        def own(z: torch.Tensor, k: int = k) -> torch.Tensor:
            return denoiser([z if i == k else other for i, other in enumerate(noisy)], levels)[k]

        jacobian = torch.autograd.functional.jacobian(own, noisy[k]).reshape(size, size).detach().numpy()
        snr = np.exp(level[k])
        preserving = jacobian / np.sqrt(snr / (1 + snr))  # the input is alpha z
        step = 1e-4 * np.eye(2)[k]
        fall = (PYRAMID.mmse(level - step) - PYRAMID.mmse(level + step))[k] / (2e-4 * snr)
        np.testing.assert_allclose(np.sum(preserving**2) / (snr * (1 + snr)), float(fall), rtol=1e-5)


def test_both_sides_are_measured_alike_and_agree_on_an_exact_denoiser():
    denoiser = LinearDenoiser(Scales(lt.AveragePyramid(), (1, 4, 4)), SPECTRUM.variances)
    sides = gamma_identity.both_sides(denoiser, SPECTRUM.sample(300, seed=3))
    exact = gamma_identity.closed_form(PYRAMID)
    np.testing.assert_allclose(gamma_identity.ratios(exact, "x0"), 1.0, rtol=1e-9)
    astray = np.abs(np.log(gamma_identity.ratios(sides, "x0")))
    assert (astray < 0.02 + 3.5 * np.array(sides["uncertainty"])).all(), astray  # 0.02: the width of the step
    assert np.max(sides["uncertainty"]) < 0.15
    np.testing.assert_allclose(sides["eps"], exact["eps"], rtol=0.05)
    assert gamma_identity.spread(exact, "eps") > 2.0


def test_an_error_that_rises_is_told_apart_from_none_by_its_uncertainty_only():
    sides = {"fall": [[-2.0, 4.0]], "uncertainty": [[0.5, 0.1]], "x0": [[3.0, 8.0]]}
    np.testing.assert_allclose(gamma_identity.ratios(sides, "x0"), [[3.0, 2.0]])


def test_new_spacing_is_the_best_on_the_route(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gamma_paths, "NODES", 3)
    route = np.array([[-3.0, -3.0], [-2.0, 1.0], [1.0, 2.0], [3.0, 3.0]])
    found = gamma_paths.respaced(PYRAMID, route)
    places = [a + (b - a) * i / 3 for a, b in pairwise(route) for i in range(3)]
    costs = [
        lt.path_kl(PYRAMID, lt.Path([route[0], places[i], places[j], route[-1]]))
        for i, j in combinations(range(1, 9), 2)
    ]
    np.testing.assert_allclose(lt.path_kl(PYRAMID, lt.Path(found)), min(costs), rtol=1e-12)
    assert min(costs) < lt.path_kl(PYRAMID, lt.Path(route))


def test_the_quadratic_path_is_the_cheapest_by_the_information_metric(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gamma_paths, "STEPS", 2)
    axis = np.array([-2.0, -0.5, 0.3, 1.0])
    found = gamma_paths.quadratic(PYRAMID, (axis, axis))

    def cost(a: np.ndarray, b: np.ndarray) -> float:
        metric = 0.5 * (np.asarray(PYRAMID.metric(a)) + np.asarray(PYRAMID.metric(b)))
        return float(0.5 * (b - a) @ metric @ (b - a))

    ends = np.array([[-2.0, -2.0], [1.0, 1.0]])
    middles = [np.array(point) for point in product(axis, axis)]
    best = min(middles, key=lambda m: cost(ends[0], m) + cost(m, ends[1]))
    np.testing.assert_allclose(found[1], best)


def test_corners():
    assert gamma_paths.cornering(np.array([[-1.0, -2.0], [-1.0, 3.0], [4.0, 3.0]])) == 1.0
    assert gamma_paths.cornering(np.array([[-1.0, -2.0], [1.5, 0.5], [4.0, 3.0]])) == 0.0


def test_rules():
    verdict = {"best_kl": "confirmed", "best_w2": "confirmed", "distance": "failed"}
    assert gamma.ruled(verdict) == "confirmed"
    assert gamma.ruled({**verdict, "distance": "confirmed"}) == "explained otherwise"
    assert gamma.ruled({**verdict, "best_kl": "failed"}) == "explained otherwise"
    assert gamma.ruled({**verdict, "best_kl": "failed", "best_w2": "failed"}) == "not reproduced"
