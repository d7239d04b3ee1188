"""The page on SLOT's lead scan."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.linalg import sqrtm
from tolerances import CANCELLATION, DENSE, ROUND_OFF

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.ledger import lead_scan
from experiments.overcomplete_vs_orthogonal.ledger.lead_laws import squared_w2
from experiments.overcomplete_vs_orthogonal.ledger.lead_schedules import lead_path, levels, middle_lead
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.report import Report, Section


def means(size: int, ratio: int) -> np.ndarray:
    """Means of ratio x ratio pixels, by looping over them."""
    small = size // ratio
    matrix = np.zeros((small**2, size**2))
    for row in range(size):
        for column in range(size):
            matrix[(row // ratio) * small + column // ratio, row * size + column] = 1.0 / ratio**2
    return matrix


def replicated(size: int) -> list[np.ndarray]:
    """The image, its 2x2 means and its 4x4 means, the means repeated to full resolution."""
    operators = [np.eye(size**2)]
    for ratio in (2, 4):
        down = means(size, ratio)
        operators.append((down > 0).T.astype(float) @ down)
    return operators


def dense_w2(law: lt.Spectrum, operators: list[np.ndarray], logsnr: np.ndarray, solver: str) -> float:
    """Squared W2 of the finest scale, from the whole covariance of all coefficients and matrix roots."""
    stacked = np.concatenate(operators)
    clean = stacked @ law.covariance_matrix() @ stacked.T
    owner = np.repeat(np.arange(len(operators)), [len(a) for a in operators])

    def denoiser(point: np.ndarray) -> np.ndarray:
        return clean @ np.linalg.inv(clean + np.diag(np.exp(-point[owner])))

    sigma = np.exp(-0.5 * logsnr)
    mapping = np.diag(sigma[0, owner])  # of the first noise to the state
    for start, stop, first, last in zip(logsnr[:-2], logsnr[1:-1], sigma[:-2], sigma[1:-1], strict=True):
        first, last = np.diag(first[owner]), np.diag(last[owner])
        slope = np.linalg.inv(first) @ (mapping - denoiser(start) @ mapping)
        moved = mapping + (last - first) @ slope
        if solver == "heun":
            slope = 0.5 * (slope + np.linalg.inv(last) @ (moved - denoiser(stop) @ moved))
            moved = mapping + (last - first) @ slope
        mapping = moved
    mapping = (denoiser(logsnr[-2]) @ mapping)[: law.size]
    sampled, true = mapping @ mapping.T, law.covariance_matrix()
    root = np.real(sqrtm(true))
    return float(np.trace(sampled + true) - 2.0 * np.trace(np.real(sqrtm(root @ sampled @ root))))


@pytest.mark.parametrize("solver", ["ddim", "heun"])
@pytest.mark.parametrize("reading", ["truncated", "held"])
def test_a_replicated_scale_is_its_means_with_more_snr(solver: Any, reading: Any) -> None:
    law, grid = lt.Spectrum.power_law((4, 4), 2.0), levels(6, -5.0, 4.0)
    nominal = lead_path(reading, grid, 2, scales=3, gain=0.0)
    pooled = lead_path(reading, grid, 2, scales=3)
    assert np.allclose(pooled.logsnr[:-1] - nominal.logsnr[:-1], [0.0, 2.0 * np.log(2.0), 2.0 * np.log(4.0)])
    exact = squared_w2(lt.GaussianModel(law, lt.AveragePyramid(3)), [pooled], solver)[0]
    found = dense_w2(law, replicated(4), nominal.logsnr, solver)
    assert np.isclose(exact, found, rtol=CANCELLATION)
    wrong = squared_w2(lt.GaussianModel(law, lt.AveragePyramid(3)), [nominal], solver)[0]
    assert not np.isclose(wrong, found, rtol=1e-3)


def test_replicated_operators_tell_as_much_as_means_with_more_snr() -> None:
    law = lt.Spectrum.power_law((8, 8), 2.0)
    names = lt.AveragePyramid(3).scales
    dense = lt.GaussianModel(law, lt.LinearScales(dict(zip(names, replicated(8), strict=True))))
    plain = lt.GaussianModel(law, lt.AveragePyramid(3))
    nominal = np.array([-1.0, 0.5, 1.0])
    pooled = nominal + 2.0 * np.log([1.0, 2.0, 4.0])
    assert np.isclose(dense.mutual_information(nominal), plain.mutual_information(pooled), rtol=DENSE)
    assert np.isclose(dense.mmse(nominal)[0], plain.mmse(pooled)[0], rtol=DENSE)


def test_laws_are_those_of_the_package() -> None:
    law, grid = lt.Spectrum.power_law((8, 8), 2.0), levels(5, -6.0, 5.0)
    model, path = lt.GaussianModel(law, lt.AveragePyramid()), lead_path("truncated", grid, 2)
    found = lt.sampling_error(model, path, init="standard", target="data", output="image")
    assert np.isclose(squared_w2(model, [path], "ddim")[0], found.w2**2, rtol=CANCELLATION)


def test_a_path_that_ends_in_noise_is_refused() -> None:
    model = lt.GaussianModel(lt.Spectrum.power_law((4, 4)), lt.AveragePyramid())
    with pytest.raises(ValueError, match="clean data"):
        squared_w2(model, [lt.Path([[0.0, 0.0], [1.0, 1.0]])], "ddim")


def test_levels_are_edm_s() -> None:
    sigmas = np.exp(-0.5 * levels(18, *(-2.0 * np.log([80.0, 0.002]))))
    i = np.arange(18)
    by_hand = (80.0 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80.0 ** (1 / 7))) ** 7
    assert np.allclose(sigmas, by_hand, rtol=ROUND_OFF)
    assert round(sigmas[18 - 5], 2) == 0.14  # published: "truncated at 0.125" for a lead of 5


@pytest.mark.parametrize(
    ("reading", "fine", "coarse"),
    [
        ("truncated", [0, 0, 0, 1, 2], [0, 1, 2, 3, 3]),
        ("ahead", [0, 1, 2], [2, 3, 3]),
        ("cut", [0, 1, 2], [0, 1, 2]),
        ("respaced", [0, 0, 0, 3], [0, 1, 2, 3]),
        ("held", [0, 1, 2, 3], [0, 3, 3, 3]),
    ],
)
def test_leads_by_hand(reading: Any, fine: list[int], coarse: list[int]) -> None:
    grid = np.array([-4.0, -1.0, 1.5, 3.0])
    path = lead_path(reading, grid, 2, gain=0.5)
    assert np.allclose(path.logsnr[:-1], np.stack([grid[fine], grid[coarse] + 0.5], axis=1))
    assert np.isinf(path.logsnr[-1]).all()
    sync = lead_path(reading, levels(4, -4.0, 3.0), 0).logsnr[:-1, 0]
    assert np.allclose(sync, levels(4, -4.0, 3.0))


@pytest.mark.parametrize("solver", ["ddim", "heun"])
def test_staggering_the_coarse_scales_moves_no_minimum(solver: Any) -> None:
    law, model_scales = lt.Spectrum.power_law((32, 32), 2.0), lt.AveragePyramid(3)
    model, grid = lt.GaussianModel(law, model_scales), levels(18, *(-2.0 * np.log([80.0, 0.002])))
    together = [lead_path("truncated", grid, lead, scales=3) for lead in range(9)]
    staggered = []
    for lead, path in enumerate(together):
        points = path.logsnr[:-1].copy()
        index = np.arange(len(points)) - lead + lead // 2
        points[:, 1] = grid[np.clip(index, 0, 17)] + np.log(4.0)
        staggered.append(lt.Path(points, path.scales).to_clean_data())
    minima = [int(np.argmin(squared_w2(model, paths, solver))) for paths in (together, staggered)]
    assert minima[0] == minima[1]


def test_a_lead_longer_than_the_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 3"):
        lead_path("held", levels(4, -4.0, 4.0), 4)


def test_the_middle_lead_of_even_spacing_is_its_steps() -> None:
    assert np.isclose(middle_lead(np.arange(10.0) * 0.3, 4), 4 * 0.3)


def test_gain_is_judged_at_the_lead_that_is_best_for_the_other_seeds() -> None:
    found = lead_scan.gain([[1.0, 1.0, 0.5, 0.9], [2.0, 2.0, 3.0, 1.0]])
    # the first seed is judged where the second is best (last lead), and the other way round; lead 1 is sync itself
    assert np.allclose(found.values, [10.0, -50.0])


def test_predictions_need_no_network(bench: Bench) -> None:
    asked = lead_scan.predictions(dataclasses.replace(bench, runs={}))
    assert len({p["name"] for p in asked}) == len(asked) > 5
    for prediction in asked:
        low, high = prediction["interval"]
        assert prediction["name"].startswith("lead_scan_")
        assert low < high
        assert not np.isnan([low, high]).any()


@pytest.fixture(scope="module")
def numbers(bench: Bench) -> Any:
    """What was measured, as it comes back from JSON."""
    return json.loads(json.dumps(lead_scan.measure(bench), allow_nan=False))


def test_the_page_shows_every_verdict(bench: Bench, numbers: Any, tmp_path: Path) -> None:
    asked = lead_scan.predictions(bench)
    found = lead_scan.page(numbers, asked, tmp_path)
    html = Report(
        title="", lead="", answer=[found.why], sections=[Section(title="", items=found.items)]
    ).html()
    assert "SLOT, as published" in html
    assert {v["name"] for v in found.verdicts} == {p["name"] for p in asked}
    assert all(len(lines) == bench.sizes.seeds for lines in numbers["measured"].values())
    assert len({lines[0][0] for lines in numbers["measured"].values()}) == 1  # sync is one path


def test_the_ruling_follows_from_the_numbers(bench: Bench, numbers: Any) -> None:
    asked = lead_scan.predictions(bench)

    def ruling(truncated: float, respaced: float, minimum: int) -> str:
        """The ruling if leads change the distance by so much and the closed form has its minimum there."""
        planted = copy.deepcopy(numbers)
        leads = len(numbers["leads"])
        for name, change in (("truncated", truncated), ("cut", 0.1), ("respaced", respaced)):
            planted["measured"][name] = [
                [1.0, *[1.0 + change + 0.001 * seed] * (leads - 1)] for seed in range(3)
            ]
        curve = [1.0 - 0.5 * (lead == minimum) for lead in range(13)]
        planted["exact"]["power_law"]["heun"]["truncated"] = curve
        planted["exact"]["power_law"]["heun"]["cut"] = curve
        return lead_scan.ruled(planted, asked)[1]

    assert ruling(-0.3, -0.2, 5) == "confirmed"
    assert ruling(-0.3, 0.2, 9) == "explained otherwise"
    assert ruling(0.3, 0.2, 5) == "explained otherwise"
    assert ruling(0.3, 0.2, 9) == "not reproduced"
