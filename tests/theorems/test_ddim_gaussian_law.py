"""DDIM on Gaussian data, against matrices pushed through the sampler and compared by matrix functions."""

import functools
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import scipy.linalg
import tolerances
from independent import agree
from scipy.optimize import minimize_scalar

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.ddim_gaussian_law import theorem

COVARIANCE = np.array([[1.0, 0.3, 0.1], [0.3, 0.7, -0.2], [0.1, -0.2, 0.4]])
VARIANCES, FRAME = np.linalg.eigh(COVARIANCE)
PATHS = (
    np.array([3.0, 1.1]),
    np.array([80.0, 4.0, 1.3, 0.5, 0.2]),
    np.array([5.0, 2.0, 2.0, 0.9, 0.0]),
)


def sampled(sigmas: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Covariance of the output; the denoiser is a matrix inverse."""
    covariance, one = first, np.eye(3)
    for sigma, after in pairwise(sigmas):
        denoise = COVARIANCE @ np.linalg.inv(COVARIANCE + sigma**2 * one)
        move = denoise + after / sigma * (one - denoise)
        covariance = move @ covariance @ move.T
    return covariance


@functools.cache
def outcome(which: int, exact: bool) -> tuple[np.ndarray, np.ndarray, float, float]:
    """True variances at the end, ratios of standard deviations, Bures distance and divergence."""
    sigmas = PATHS[which]
    first = sigmas[0] ** 2 * np.eye(3) + (COVARIANCE if exact else 0)
    true, output = COVARIANCE + sigmas[-1] ** 2 * np.eye(3), sampled(sigmas, first)
    spread = np.einsum("ij,ik,kj->j", FRAME, output, FRAME)
    true_spread = np.einsum("ij,ik,kj->j", FRAME, true, FRAME)
    root = scipy.linalg.sqrtm(true)
    bures = np.trace(true + output - 2 * scipy.linalg.sqrtm(root @ output @ root))
    trace = np.trace(np.linalg.solve(output, true))
    divergence = 0.5 * (trace - 3 + np.linalg.slogdet(output)[1] - np.linalg.slogdet(true)[1])
    return true_spread, np.sqrt(spread / true_spread), float(bures), float(divergence)


@functools.cache
def widest(turn: float) -> float:
    """Best ratio of two steps of a mode of variance 0.7, over the noise level in between."""
    start, stop = (float(mpmath.sqrt("0.7") * mpmath.tan(x)) for x in (0.1 + turn, 0.1))

    def lost(log_middle: float) -> float:
        z, true = np.sqrt(0.7 + start**2), np.sqrt(0.7 + stop**2)
        for sigma, after in pairwise((start, np.exp(log_middle), stop)):
            guess = 0.7 / (0.7 + sigma**2) * z
            z = guess + after / sigma * (z - guess)
        return 1 - z / true

    return minimize_scalar(lost, bounds=(np.log(stop), np.log(start)), method="bounded").fun


def check(statement: Statement) -> None:
    """Compare with covariance matrices, matrix square roots, determinants and a search for the best step."""
    for which, sigmas in enumerate(PATHS):
        angles = [np.arctan2(sigmas, np.sqrt(c)) for c in VARIANCES]
        for exact, claim in ((True, "path"), (False, "from_noise")):
            truth, ratios, bures, divergence = outcome(which, exact)
            for a, ratio in zip(angles, ratios, strict=True):
                agree(np.exp(statement.value(claim, angle=a)), ratio, tolerances.DENSE)
            agree(statement.value("wasserstein", truth=truth, ratio=ratios), bures, tolerances.CANCELLATION)
            agree(statement.value("divergence", ratio=ratios), divergence, tolerances.CANCELLATION)
            for ratio, a in zip(ratios, angles, strict=True):
                least = statement.value("floor", turn=a[0] - a[-1], n=len(sigmas) - 1)
                assert 1 - ratio >= least - tolerances.ROUND_OFF
    for c, ratio in zip(VARIANCES, outcome(0, True)[1], strict=True):
        one = {"c": c, "sigma": PATHS[0][0], "sigma'": PATHS[0][1]}
        agree(statement.value("step", **one), ratio, tolerances.DENSE)
    for turn in (0.4, 1.2):
        agree(statement.value("floor", turn=turn, n=2), widest(turn), tolerances.CANCELLATION)


def test_forty_digits_of_a_long_path() -> None:
    with mpmath.workdps(40):
        c, sigmas = mpmath.mpf("0.37"), [mpmath.mpf(80) ** (1 - mpmath.mpf(i) / 9) / 50 for i in range(20)]
        z = mpmath.sqrt(c + sigmas[0] ** 2)
        for sigma, after in pairwise(sigmas):
            guess = c * z / (c + sigma**2)
            z = guess + after / sigma * (z - guess)
        angles = [mpmath.atan2(s, mpmath.sqrt(c)) for s in sigmas]
        expected = mpmath.exp(theorem.statement.digits("path", angle=angles))
        assert abs(z / mpmath.sqrt(c + sigmas[-1] ** 2) - expected) < mpmath.mpf(10) ** -37


def test_a_vanishing_variance_is_followed_exactly() -> None:
    sigmas = np.array([3.0, 1.0, 0.2])
    narrowing = [
        -theorem.statement.value("path", angle=np.arctan2(sigmas, np.sqrt(c))) for c in (1e-2, 1e-4, 1e-6)
    ]
    assert narrowing[0] > 10 * narrowing[1] > 100 * narrowing[2] > 0
    assert narrowing[2] < 1e-4


def test_samples_are_narrower_than_the_truth_in_a_simulation() -> None:
    rng, c, sigmas = np.random.default_rng(0), 0.4, np.array([4.0, 1.5, 0.5, 0.1])
    z = np.sqrt(c + sigmas[0] ** 2) * rng.normal(size=400_000)
    for sigma, after in pairwise(sigmas):
        guess = c / (c + sigma**2) * z
        z = guess + after / sigma * (z - guess)
    ratio = np.exp(theorem.statement.value("path", angle=np.arctan2(sigmas, np.sqrt(c))))
    expected = (c + sigmas[-1] ** 2) * ratio**2
    error = expected * np.sqrt(2 / len(z))
    assert z.var() == pytest.approx(expected, abs=tolerances.MONTE_CARLO_SIGMAS * error)
    assert expected < 0.9 * (c + sigmas[-1] ** 2)


@pytest.mark.parametrize("init", ["exact", "standard"])
def test_the_package_has_this_law(init: str) -> None:
    model = lt.GaussianModel(lt.Covariance(COVARIANCE), lt.SingleScale())
    for sigmas in PATHS:
        with np.errstate(divide="ignore"):
            path = lt.Path(-2 * np.log(sigmas)[:, None])
        error = lt.sampling_error(model, path, init=init)
        angles = [np.arctan2(sigmas, np.sqrt(c)) for c in VARIANCES]
        ratio = np.exp([theorem.statement.value("path", angle=angle) for angle in angles])
        if init == "standard":
            ratio *= np.sin([angle[0] for angle in angles])
        lost = np.sqrt(VARIANCES + sigmas[-1] ** 2) * (1 - ratio)
        agree(error.per_mode.w2_squared.values.ravel(), lost**2, tolerances.CANCELLATION)
        agree(error.kl, np.sum((1 / ratio**2 - 1) / 2 + np.log(ratio)), tolerances.CANCELLATION)
