"""Spacing against lead, and two scales against one: rulings follow their rules, paths are what they are called."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import lift_theory as lt
from experiments.intervals import over_seeds
from experiments.overcomplete_vs_orthogonal.ledger import baseline, spacing
from experiments.overcomplete_vs_orthogonal.trained.bench import NETWORKS, Bench
from experiments.overcomplete_vs_orthogonal.trained.equivalence import image_of
from experiments.overcomplete_vs_orthogonal.trained.routes import routes
from experiments.overcomplete_vs_orthogonal.trained.samples import refined, strip
from experiments.report import Report, Section
from lift_train import LinearDenoiser, Scales, sample


@pytest.mark.parametrize(
    ("gain", "share", "ruling"),
    [
        ([2.0, 2.1, 2.2], [0.9, 0.95, 1.0], "explained otherwise"),
        ([2.0, 2.1, 2.2], [0.1, 0.12, 0.15], "confirmed"),
        ([0.5, 0.51, 0.52], [0.9, 0.95, 1.0], "not reproduced"),
        ([0.5, 2.0, 4.0], [0.9, 0.95, 1.0], "undecided"),
        ([2.0, 2.1, 2.2], [0.1, 0.9, 0.5], "undecided"),
    ],
)
def test_the_ruling_on_spacing_follows_its_rule(gain: list[float], share: list[float], ruling: str) -> None:
    assert spacing.ruled(over_seeds(gain), over_seeds(share)) == ruling


@pytest.mark.parametrize(
    ("ratios", "ruling"),
    [
        ([1.0, 1.01, 0.99], "confirmed"),
        ([2.0, 2.01, 1.99], "not reproduced"),
        ([0.5, 0.51, 0.49], "not reproduced"),
        ([0.7, 1.3, 1.0], "undecided"),
    ],
)
def test_the_ruling_on_the_baseline_follows_its_rule(ratios: list[float], ruling: str) -> None:
    assert baseline.ruled(over_seeds(ratios)) == ruling


def test_routes_are_what_they_are_called(bench: Bench) -> None:
    for name in NETWORKS:
        found = {row["path"]: lt.Path(np.array(row["logsnr"])) for row in routes(bench, name)}
        start, stop = bench.ends(name)
        for path in found.values():
            np.testing.assert_allclose(path.logsnr[[0, -1]], [start, stop], rtol=1e-12)
            assert path.to_clean_data().steps == bench.sizes.steps
        if name == "single":
            continue
        unit = bench.contenders[name].units[1]
        np.testing.assert_allclose(found["lockstep_w2"].lead(), unit, atol=1e-12)
        fine = found["lockstep_w2"].logsnr[:, 0]
        for key, lead in (("coarse_ahead", 2.0), ("fine_ahead", -2.0)):
            np.testing.assert_array_equal(found[key].logsnr[:, 0], fine)
            assert np.all(np.sign(lead) * (found[key].lead()[1:-1] - unit) > 0.0)
        errors = {row["path"]: row["w2"]["ddim"] for row in routes(bench, name)}
        assert errors["best_w2"] <= errors["lockstep_w2"] * 1.02
        costs = {row["path"]: row["nats"] for row in routes(bench, name)}
        assert costs["best"] == min(costs.values())


def test_the_extrapolated_error_of_a_linear_denoiser_is_its_squared_distance() -> None:
    law = lt.Spectrum.power_law((8, 8), 2.0)
    denoiser = LinearDenoiser(Scales(lt.SingleScale(), (1, 8, 8)), law.variances)
    path = lt.Path(np.linspace(-7.0, 6.0, 12)[:, None])
    known = (
        lt.sampling_error(lt.GaussianModel(law, lt.SingleScale()), path.to_clean_data(), lt.DDIM()).w2 ** 2
    )
    coarse, fine = (
        sample(denoiser, p.to_clean_data(), 1500, "ddim", 3, batch=500).images
        for p in (path, refined(path, 6))
    )
    errors = ((coarse - fine) ** 2).sum(axis=(1, 2)) * (6.0 / 5.0) ** 2
    assert abs(errors.mean() / known - 1.0) < 0.12, "within the second order of the extrapolation"


def test_the_image_of_a_pyramid_point_has_its_low_band(bench: Bench) -> None:
    points = np.array([[-2.0, 3.0], [4.0, -9.0]])
    image = image_of(points)
    np.testing.assert_allclose(np.exp(image[:, 1]), np.exp(points[:, 0]) + np.exp(points[:, 1]) / 4.0)
    high, low = np.moveaxis(np.asarray(bench.models["haar"].mmse(image)), -1, 0)
    np.testing.assert_allclose(np.asarray(bench.models["pyramid"].mmse(points))[:, 0], high + low, rtol=1e-9)


def test_strips_end_with_the_sample(bench: Bench) -> None:
    denoiser = bench.denoiser("haar", 0)
    path = lt.Path(np.array(routes(bench, "haar")[0]["logsnr"]))
    frames = strip(denoiser, path, seed=5, images=2)
    assert frames.shape == (bench.sizes.steps, 2, 8, 8)
    np.testing.assert_allclose(
        frames[-1], sample(denoiser, path.to_clean_data(), 2, "ddim", 5).images, atol=1e-5
    )


def test_pages_render_with_their_numbers(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = lt.GaussianModel(lt.Spectrum.power_law((8, 8), 2.0), lt.AveragePyramid())
    monkeypatch.setattr(spacing, "lift_model", lambda: small)  # the published size takes a minute to compile
    monkeypatch.setattr(spacing, "PUBLISHED_STEPS", bench.sizes.steps - 1)  # compiled for the routes already
    for finding in (spacing, baseline):
        asked = finding.predictions(bench)
        assert all(np.isfinite(p["interval"]).all() and p["name"].startswith(finding.NAME) for p in asked)
        numbers = json.loads(json.dumps(finding.measure(bench), allow_nan=False))
        page = finding.page(numbers, asked, tmp_path)
        section = Section(title="s", items=page.items)
        html = unescape(Report(title="t", lead="l", answer=[page.why], sections=[section]).html())
        assert all(v["claim"] in html for v in page.verdicts)
