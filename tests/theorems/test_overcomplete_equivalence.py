"""A pyramid and an orthogonal split observing the same law that is not Gaussian."""

import functools

import numpy as np
import pytest
import tolerances
from independent import FiniteLaw, agree

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.overcomplete_equivalence import theorem

POINTS = np.array([[1.0, 0.2], [-0.5, 1.1], [0.3, -0.8]])
PROBABILITIES = np.array([0.5, 0.3, 0.2])
AVERAGE = np.array([[0.5, 0.5]])  # two samples, r = sqrt 2
LOW, HIGH = np.array([[1.0, 1.0]]) / np.sqrt(2), np.array([[1.0, -1.0]]) / np.sqrt(2)
PYRAMID = FiniteLaw(points=POINTS, probabilities=PROBABILITIES, operators=(np.eye(2), AVERAGE), nodes=34)
SPLIT = FiniteLaw(points=POINTS, probabilities=PROBABILITIES, operators=(HIGH, LOW), nodes=34)
SNR, NEXT = np.array([0.4, 0.6]), np.array([0.8, 1.6])


def bands(snr: np.ndarray, ratio: float) -> np.ndarray:
    """SNRs (high, low): the two eigenvalues of the matrix SNR of an explicit averaging matrix."""
    samples = round(ratio**2)
    average = np.full((1, samples), 1 / samples)
    eigenvalues = np.linalg.eigvalsh(snr[0] * np.eye(samples) + snr[1] * average.T @ average)
    return eigenvalues[[0, -1]]


@functools.cache
def measured() -> dict[str, np.ndarray]:
    split, split_next = bands(SNR, np.sqrt(2)), bands(NEXT, np.sqrt(2))
    gain = PYRAMID.information(NEXT) - PYRAMID.information(SNR)
    return {
        "split": split,
        "pyramid_errors": PYRAMID.mmse(SNR),
        "split_errors": SPLIT.mmse(split),
        "pyramid_step": 0.5 * (NEXT - SNR) @ PYRAMID.mmse(SNR) - gain,
        "split_gain": SPLIT.information(split_next) - SPLIT.information(split),
    }


def check(statement: Statement) -> None:
    for ratio in (np.sqrt(2), 2.0, 4.0):
        high, low = bands(SNR, ratio)
        agree(statement.value("low_snr", g_H=SNR[0], g_L=SNR[1], r=ratio), low, tolerances.ROUND_OFF)
        agree(statement.value("coarse_snr", g_high=high, g_low=low, r=ratio), SNR[1], tolerances.ROUND_OFF)
    m = measured()
    high, low = m["split_errors"]
    errors = {"error_high": high, "error_low": low}
    fine = statement.value("fine_error", **errors)
    coarse = statement.value("coarse_error", error_low=low, r=np.sqrt(2))
    agree([fine, coarse], m["pyramid_errors"], tolerances.QUADRATURE)
    step_H, step_L = NEXT - SNR
    step = statement.value("step", **errors, step_H=step_H, step_L=step_L, r=np.sqrt(2), gain=m["split_gain"])
    agree(step, m["pyramid_step"], tolerances.QUADRATURE)


def test_information_and_couplings_agree() -> None:
    split = measured()["split"]
    agree(PYRAMID.information(SNR), SPLIT.information(split), tolerances.QUADRATURE)
    spread = (SPLIT.coupling(split)).sum()  # ‖Φ‖² of x in any orthonormal basis
    agree(PYRAMID.coupling(SNR)[0, 0], spread, tolerances.QUADRATURE)


def test_by_monte_carlo_in_many_dimensions() -> None:
    """A mixture in 16 dimensions, 2x2 averages: errors of the low band from either representation."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(6, 16))
    average = np.kron(np.kron(np.eye(2), [[0.5, 0.5]]), np.kron(np.eye(2), [[0.5, 0.5]]))
    low = 2 * average
    high = np.linalg.svd(low)[2][4:]
    snr = np.array([0.15, 0.4])
    g_low = theorem.statement.value("low_snr", g_H=snr[0], g_L=snr[1], r=2.0)
    samples = []
    for operators, g in (((np.eye(16), average), snr), ((high, low), np.array([snr[0], g_low]))):
        truth = rng.integers(6, size=20000)
        exponent = np.zeros((len(truth), 6))
        for a, level in zip(operators, g, strict=True):
            clean = points @ a.T
            seen = clean[truth] + rng.normal(size=(len(truth), len(a))) / np.sqrt(level)
            exponent -= level * ((seen**2).sum(1)[:, None] - 2 * seen @ clean.T + (clean**2).sum(1)) / 2
        posterior = np.exp(exponent - exponent.max(1, keepdims=True))
        posterior /= posterior.sum(1, keepdims=True)
        samples.append((((points[truth] - posterior @ points) @ low.T) ** 2).sum(1))
    difference = samples[0].mean() - samples[1].mean()
    error = np.sqrt(sum(s.var() / len(s) for s in samples))
    assert abs(difference) < tolerances.MONTE_CARLO_SIGMAS * error
    assert error < 0.02 * samples[0].mean(), "precise enough to notice a wrong SNR"


def test_the_package_agrees() -> None:
    spectrum = lt.Spectrum.power_law((16, 16))
    pyramid, split = (lt.GaussianModel(spectrum, r) for r in (lt.AveragePyramid(), lt.HaarBands()))
    logsnr = np.array([[-2.0, -1.0], [0.5, 1.0], [1.0, 4.0]])
    g = np.exp(logsnr)
    low = theorem.statement.value("low_snr", g_H=g[:, 0], g_L=g[:, 1], r=2.0)
    bands_logsnr = np.log(np.stack([g[:, 0], low], axis=-1))
    agree(pyramid.mutual_information(logsnr), split.mutual_information(bands_logsnr), tolerances.ROUND_OFF)
    high_error, low_error = np.moveaxis(np.asarray(split.mmse(bands_logsnr)), -1, 0)
    fine = theorem.statement.value("fine_error", error_high=high_error, error_low=low_error)
    coarse = theorem.statement.value("coarse_error", error_low=low_error, r=2.0)
    agree(pyramid.mmse(logsnr), np.stack([fine, coarse], axis=-1), tolerances.ROUND_OFF)
    path = lt.Path(logsnr)
    agree(lt.to_orthogonal(path).logsnr, bands_logsnr, tolerances.ROUND_OFF)
    agree(lt.path_kl(pyramid, path), lt.path_kl(split, lt.to_orthogonal(path)), tolerances.CANCELLATION)
    back = theorem.statement.value("coarse_snr", g_high=g[:, 0], g_low=low, r=2.0)
    agree(np.log(back), logsnr[:, 1], tolerances.CANCELLATION)


def test_outside_the_cone_there_is_no_pyramid() -> None:
    assert theorem.statement.value("coarse_snr", g_high=2.0, g_low=1.0, r=2.0) < 0
    with pytest.raises(ValueError, match=r"."):
        lt.to_pyramid(lt.Path(np.array([[0.0, -1.0], [1.0, 0.0]])))
