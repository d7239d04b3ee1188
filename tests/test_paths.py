"""Paths as data, and their cost against the laws of whole trajectories."""

import json
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from reference import Digits
from tolerances import CANCELLATION, MANY_DIGITS, ROUND_OFF

import lift_theory as lt


def a_path(steps, scales, seed=0, start=-3.0, stop=4.0):
    inner = np.random.default_rng(seed).uniform(start, stop, (steps - 1, scales))
    return np.concatenate([np.full((1, scales), start), np.sort(inner, axis=0), np.full((1, scales), stop)])


def rough_model(representation, shape=(4, 4)):
    variances = np.random.default_rng(1).uniform(0.05, 3.0, shape)
    return lt.GaussianModel(lt.Spectrum(variances), representation)


def trajectory_kl(covariance, operators, logsnr):
    """KL divergence between the joint Gaussian laws of all noisy states: of the data, and of ancestral sampling.

    True states lose noise backwards, `z_i = z_(i+1) + noise`. The sampler starts from the true law of `z_0` and
    replaces the clean coefficients in the bridge by their posterior mean. Both are linear maps of white noise.
    """
    stacked = np.concatenate(operators)
    sizes = [len(a) for a in operators]
    size, points = len(stacked), len(logsnr)
    variance = np.array([np.repeat(np.exp(-point), sizes) for point in logsnr])
    clean = stacked @ covariance @ stacked.T

    # true law: Cov(z_i, z_j) = clean + the noise of the cleaner state
    true = np.zeros((points * size, points * size))
    for i in range(points):
        for j in range(points):
            block = clean + np.diag(variance[max(i, j)])
            true[i * size : (i + 1) * size, j * size : (j + 1) * size] = block

    # sampler: each state as a linear map of (z_0, noise of step 1, noise of step 2, ...)
    maps = [np.concatenate([np.eye(size), np.zeros((size, (points - 1) * size))], axis=1)]
    for i in range(points - 1):
        posterior_mean = clean @ np.linalg.inv(clean + np.diag(variance[i]))
        ratio = variance[i + 1] / variance[i]
        move = np.diag(ratio) + (1 - ratio)[:, None] * posterior_mean
        fresh = np.zeros((size, points * size))
        fresh[:, (i + 1) * size : (i + 2) * size] = np.diag(np.sqrt(variance[i + 1] * (1 - ratio)))
        maps.append(move @ maps[-1] + fresh)
    sources = np.eye(points * size)
    sources[:size, :size] = clean + np.diag(variance[0])
    together = np.concatenate(maps)
    sampled = together @ sources @ together.T
    gap = np.linalg.slogdet(sampled)[1] - np.linalg.slogdet(true)[1]
    return 0.5 * (np.trace(np.linalg.solve(sampled, true)) - points * size + gap)


@pytest.mark.parametrize(
    "representation",
    [
        lt.SingleScale(),
        lt.AveragePyramid(),
        lt.HaarBands(),
        lt.ResidualPyramid(2, "bilinear"),
        lt.AveragePyramid(3),
    ],
    ids=str,
)
def test_path_cost_is_the_divergence_of_trajectories(representation):
    model = rough_model(representation)
    logsnr = a_path(3, len(model.scales))
    operators = list(representation.matrices((4, 4)).values())
    expected = trajectory_kl(model.law.covariance_matrix(), operators, logsnr)
    assert np.isclose(lt.path_kl(model, lt.Path(logsnr)), expected, rtol=CANCELLATION)


def test_path_cost_is_left_sum_minus_integral():
    """The definition over a whole path, with many digits: a left Riemann sum of the errors, less the information."""
    representation = lt.AveragePyramid()
    model = rough_model(representation)
    exact = Digits(model.law.variances, operators=list(representation.matrices((4, 4)).values()))
    logsnr = a_path(3, 2)
    with mpmath.workdps(60):
        total = exact.information(logsnr[0]) - exact.information(logsnr[-1])
        for point, later in pairwise(logsnr):
            for k, mmse in enumerate(exact.mmse(point)):
                total += (mpmath.exp(float(later[k])) - mpmath.exp(float(point[k]))) * mmse / 2
    assert np.isclose(lt.path_kl(model, lt.Path(logsnr)), float(total), rtol=MANY_DIGITS)


def test_one_step_and_standing_still():
    model = rough_model(lt.AveragePyramid())
    one = lt.Path([[-3.0, -3.0], [4.0, 4.0]])
    assert one.steps == 1
    assert np.isclose(lt.path_kl(model, one), float(model.step_kl(*one.logsnr)), rtol=ROUND_OFF)
    assert lt.path_kl(model, lt.Path([[1.0, 2.0], [1.0, 2.0]])) == 0
    waiting = lt.Path([[-3.0, -3.0], [-3.0, 4.0], [4.0, 4.0]])
    assert lt.path_kl(model, waiting) > 0


def test_refining_a_path_lowers_its_cost():
    """A point on the way replaces stale posterior means by fresh ones: the cost falls by the divergence avoided."""
    model = rough_model(lt.ResidualPyramid(2, "bicubic"))
    for seed in range(5):
        points = a_path(3, 2, seed)
        for drop in (1, 2):
            assert lt.path_kl(model, lt.Path(points)) < lt.path_kl(
                model, lt.Path(np.delete(points, drop, axis=0))
            )


def test_fields_of_a_path():
    path = lt.Path([[-4.0, -2.0, 0.0], [0.0, 1.0, 1.0]])
    assert path.steps == 1
    assert path.scales == ("fine", "middle", "coarse")
    assert lt.Path([[0.0], [1.0]]).scales == ("fine",)
    assert lt.Path([[0.0, 1.0], [1.0, 2.0]], ("high", "low")).scales == ("high", "low")
    np.testing.assert_allclose(path.sigmas**-2, np.exp(path.logsnr), rtol=ROUND_OFF)
    np.testing.assert_allclose(path.lead(), [[2.0, 4.0], [1.0, 1.0]])
    np.testing.assert_allclose(
        path.lead(ratio=2.0), path.lead() - np.log(4) * np.array([1, 2]), rtol=ROUND_OFF
    )
    with pytest.raises(ValueError, match="read-only"):
        path.logsnr[0, 0] = 1.0


def test_clean_end():
    path = lt.Path([[-4.0, -2.0], [np.inf, np.inf]])
    np.testing.assert_array_equal(path.sigmas[-1], 0)
    assert np.isfinite(path.lead()).all()
    with pytest.raises(ValueError, match="finite end"):
        lt.path_kl(rough_model(lt.AveragePyramid()), path)


@pytest.mark.parametrize(
    "points",
    [
        [[0.1, 1 / 3], [np.pi, 1e2]],
        [[-1e-300, -200.0], [np.nextafter(0, 1), 200.0]],
        [[0.1, 0.2], [np.inf, np.inf]],
    ],
)
def test_saved_paths_come_back_exactly(tmp_path, points):
    path = lt.Path(points, ("high", "low"))
    path.save(tmp_path / "path.json")
    again = lt.Path.load(tmp_path / "path.json")
    np.testing.assert_array_equal(again.logsnr, path.logsnr)
    assert again.scales == path.scales


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1, 2]",
        "{}",
        json.dumps({"format": "other", "scales": ["a"], "logsnr": [[0.0], [1.0]]}),
        json.dumps({"format": "lift-theory path 1", "scales": ["a"], "logsnr": [[1.0], [0.0]]}),
        json.dumps({"format": "lift-theory path 1", "scales": ["a"], "logsnr": [[0.0], ["x"]]}),
        json.dumps({"format": "lift-theory path 1", "scales": ["a"]}),
    ],
)
def test_files_that_are_no_paths(tmp_path, content):
    file = tmp_path / "path.json"
    file.write_text(content)
    with pytest.raises(ValueError, match="must hold a path written by"):
        lt.Path.load(file)


def test_timesteps_against_brute_force():
    table = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    levels = np.log(table / (1 - table))
    path = lt.Path(a_path(30, 2, start=-9.0, stop=9.0))
    found = path.timesteps(table)
    brute = np.abs(levels[:, None, None] - path.logsnr).argmin(axis=0)
    np.testing.assert_array_equal(found, brute)
    exact = path.timesteps(table, rounding="interpolated")
    assert np.abs(exact - found).max() <= 0.5 + 0.05  # nearest in log-SNR, which is not quite linear in time
    assert np.all(np.diff(exact, axis=0) <= 0)
    below = np.floor(exact).astype(int)
    part = exact - below
    between = (1 - part) * levels[below] + part * levels[np.minimum(below + 1, 999)]
    np.testing.assert_allclose(between, path.logsnr, atol=1e-9)
    np.testing.assert_array_equal(
        lt.Path(levels[[999, 500, 3]][:, None]).timesteps(table).ravel(), [999, 500, 3]
    )
