"""The page on guidance: its published numbers by brute force, a Gaussian's by dense matrices, and its rules."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.ledger import (
    gamma_paths,
    guidance,
    guidance_influence,
    guidance_leads,
)
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.path_optimization.published import BEGINNING
from experiments.report import Report, Section


@pytest.fixture(scope="module")
def patched():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gamma_paths, "SIZE", 8)
        patch.setattr(guidance_influence, "EXPONENTS", (2.0,))
        yield


@pytest.fixture(scope="module")
def predictions(bench: Bench, patched):
    return guidance.predictions(dataclasses.replace(bench, runs={}))


@pytest.fixture(scope="module")
def numbers(bench: Bench, patched):
    return json.loads(json.dumps(guidance.measure(bench), allow_nan=False))


def test_predictions_are_made_without_networks(predictions):
    names = [p["name"] for p in predictions]
    assert len(set(names)) == len(names)
    assert all(name.startswith("guidance_") for name in names)
    for p in predictions:
        low, high = p["interval"]
        assert low < high
        assert not np.isnan([low, high]).any()
        assert np.isfinite([low, high]).any()


def test_the_page_renders_with_a_verdict_on_every_prediction(predictions, numbers, tmp_path: Path):
    page = guidance.page(numbers, predictions, tmp_path)
    assert [v["name"] for v in page.verdicts] == [p["name"] for p in predictions]
    assert page.ruling in ("confirmed", "explained otherwise", "not reproduced")
    html = Report(
        title="t", lead="l", answer=[page.why], sections=[Section(title="s", items=page.items)]
    ).html()
    assert html.count("<svg") == 2
    assert "nan" not in page.why


def _brute_force(timestep: int) -> float:
    """The log-SNR of a timestep, multiplied up step by step."""

    def cosine(t: float) -> float:
        return float(np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2)

    kept = 1.0
    for i in range(timestep + 1):
        beta = 1 - cosine((i + 1) / 1000) / cosine(i / 1000)
        kept *= 1 - min(max(beta, 1e-4), 0.02)
    return float(np.log(kept / (1 - kept)))


def test_published_leads_follow_from_the_schedule():
    fine, coarse = ([_brute_force(t) for t in BEGINNING[name]] for name in ("fine", "coarse"))
    found = guidance_leads.published_leads()
    np.testing.assert_allclose(found["fine"], fine, atol=1e-9)
    np.testing.assert_allclose(found["unit_free"], np.subtract(coarse, fine) - np.log(4.0), atol=1e-9)
    assert found["nominally_ahead"] == found["points"] == 8
    assert np.exp(_brute_force(999)) == pytest.approx(3.2e-3, rel=0.02)


def test_influence_of_a_gaussian_agrees_with_dense_matrices():
    model = lt.GaussianModel(lt.Spectrum.power_law((8, 8), 2.0), lt.AveragePyramid())
    found = guidance_influence.gaussian(model)
    covariance = model.law.covariance_matrix()
    pairs = np.kron(np.eye(4), np.full((1, 2), 0.5))
    analysis = np.concatenate([np.eye(64), np.kron(pairs, pairs)])

    def of_noise(fine: int, coarse: int) -> np.ndarray:
        """Jacobian of the fine noise prediction by both variance-preserving inputs."""
        snr = np.exp([_brute_force(fine), _brute_force(coarse)])
        alpha, sigma = np.sqrt(snr / (1 + snr)), np.sqrt(1 / (1 + snr))
        inputs = np.repeat([0, 1], [64, 16])
        noise = np.diag(sigma[inputs] ** 2)
        signal = alpha[inputs][:, None] * analysis
        gain = covariance @ signal.T @ np.linalg.inv(signal @ covariance @ signal.T + noise)
        through = np.concatenate([np.eye(64), np.zeros((64, 16))], axis=1)
        return (through - alpha[0] * gain) / sigma[0]

    for timesteps, value in zip(guidance_influence.CORNERS, found["influence"], strict=True):
        cross = np.sum(of_noise(*timesteps)[:, 64:] ** 2) / (64 * 16)
        np.testing.assert_allclose(value, cross, rtol=1e-6)
    jacobian = of_noise(999, 482)
    share = np.sum(jacobian[:, 64:] ** 2) / (64 * 16) / (np.sum(jacobian[:, :64] ** 2) / 64**2)
    place = list(guidance_influence.SHARES).index(482)
    np.testing.assert_allclose(found["eps"][place], share, rtol=1e-6)


def test_published_numbers_agree_on_their_units():
    found = guidance_influence.published()
    assert found["own"] == pytest.approx(found["own_if_identity"], rel=0.02)


def test_an_exact_denoiser_takes_the_whole_gain_and_a_decoupled_one_nothing(bench: Bench):
    axes = bench.axes("pyramid")
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    exact = {name: np.asarray(m.mmse(points)) for name, m in guidance_leads.closed_forms(bench).items()}
    for k in (0, 1):
        found = guidance_leads._gain(k, axes, exact, [exact["joint"], exact["decoupled"]])
        joint, decoupled = found["networks"]
        np.testing.assert_allclose(list(joint.values()), 1.0, rtol=1e-9)
        np.testing.assert_allclose(list(decoupled.values()), 0.0, atol=1e-9)
        assert found["closed_form"] > 0.3


def test_rules():
    verdict = {"unit": "confirmed", "growth": "confirmed", "largest_share": "confirmed", "lead": "failed"}
    assert guidance.ruled(verdict) == "explained otherwise"
    assert guidance.ruled({**verdict, "growth": "failed"}) == "confirmed"
    assert guidance.ruled({**verdict, "growth": "failed", "lead": "confirmed"}) == "not reproduced"
