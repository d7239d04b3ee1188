"""Speeds and leads of denoisers that ignore each other, from determinants, traces and dynamic programs."""

import functools

import numpy as np
import pytest
import scipy.optimize
import tolerances
from independent import agree, gaussian_costs

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.decoupled_denoiser import theorem

VARIANCES = np.array([3.0, 0.7, 0.02])
WEAK, STRONG = np.exp(-5.0), 0.3  # variances of details, relative to their low mode


def speed(variances: np.ndarray, snr: float, step: float = 2e-2) -> float:
    """Root of the cost of short steps forth and back, Richardson-extrapolated once."""

    def square(h: float) -> float:
        costs = gaussian_costs(variances, snr * np.exp([-h / 2, h / 2]))
        back = costs_back(variances, snr * np.exp([-h / 2, h / 2]))
        return (costs[0, 1] + back) / h**2

    return float(np.sqrt((4 * square(step) - square(2 * step)) / 3))


def costs_back(variances: np.ndarray, snr: np.ndarray) -> float:
    """Gap between the information and its tangent seen from the end of a step."""
    information = 0.5 * np.log1p(np.outer(snr, variances)).sum(1)
    error = (variances / (1 + snr[1] * variances)).sum()
    return float(information[1] - information[0] - 0.5 * (snr[1] - snr[0]) * error)


def growth(variances: np.ndarray, snr: float, step: float = 2e-2) -> float:
    """Logarithmic derivative of the speed by central differences, Richardson-extrapolated once."""
    logs = [np.log(speed(variances, snr * np.exp(h * step))) for h in (-2, -1, 1, 2)]
    return float((8 * (logs[2] - logs[1]) - (logs[3] - logs[0])) / (12 * step))


def block(ratio: float, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Variances of a block of pixels and of its mean: eigenvalues of explicit matrices."""
    mean = np.full((1, pixels), 1 / pixels)
    covariance = np.eye(pixels) / ratio + (1 - 1 / ratio) * pixels * mean.T @ mean
    return np.linalg.eigvalsh(covariance), np.linalg.eigvalsh(mean @ covariance @ mean.T)


@functools.cache
def slopes() -> tuple[float, ...]:
    return tuple(growth(VARIANCES, snr) for snr in (0.2, 5.0))


@functools.cache
def ends() -> tuple[float, float]:
    """Limits of (1 − slope)/g and of slope times g, from two values each."""
    noisy = [(1 - growth(VARIANCES, g)) / g for g in (1e-3, 5e-4)]
    clean = [growth(VARIANCES, g) * g for g in (1e5, 2e5)]
    return 2 * noisy[1] - noisy[0], 2 * clean[1] - clean[0]


@functools.cache
def block_slope(ratio: float, pixels: int, low: float) -> float:
    fine, coarse = block(ratio, pixels)
    return growth(coarse, low) - growth(fine, low)


@functools.cache
def largest_ratio(pixels: int) -> float:
    """Where the slope of a block changes its sign near the clean end, extrapolated from two noise levels."""

    def root(low: float) -> float:
        return scipy.optimize.brentq(lambda r: block_slope(r, pixels, low), pixels, 3 * pixels, xtol=1e-9)

    return 2 * root(1000.0) - root(500.0)


def check(statement: Statement) -> None:
    """Compare with costs of short steps, from determinants and traces."""
    for snr, slope in zip((0.2, 5.0), slopes(), strict=True):
        found = statement.value("speed", c=VARIANCES, g=snr)
        agree(found, speed(VARIANCES, snr), tolerances.SECOND_DIFFERENCE)
        agree(statement.value("growth", c=VARIANCES, g=snr), slope, tolerances.SECOND_DIFFERENCE)
    noisy, clean = ends()
    agree(statement.value("noisy_end", c=VARIANCES), noisy, tolerances.LIMIT)
    agree(statement.value("clean_end", c=VARIANCES), clean, tolerances.LIMIT)
    for ratio, pixels, low in ((3.0, 2, 0.4), (40.0, 4, 3.0)):
        found = statement.value("block", x=low, R=ratio, n=pixels)
        agree(found, block_slope(ratio, pixels, low), tolerances.SECOND_DIFFERENCE)
    for pixels in (2, 4):
        agree(statement.value("threshold", n=pixels), largest_ratio(pixels), tolerances.LIMIT)


def leads(fine: np.ndarray, coarse: np.ndarray, steps: int = 40) -> np.ndarray:
    """Coarse minus fine log-SNR on the best path with `steps` steps: a dynamic program for each scale."""
    logsnr = np.linspace(-9.0, 9.0, 1801)
    paths = []
    for variances in (fine, coarse):
        cost = gaussian_costs(variances, np.exp(logsnr))
        best, choices = cost[0], []
        for _ in range(steps - 1):
            totals = best[:, None] + cost
            choices.append(totals.argmin(0))
            best = totals.min(0)
        at, points = len(logsnr) - 1, []
        for choice in reversed(choices):
            at = choice[at]
            points.append(logsnr[at])
        paths.append(np.array(points[::-1]))
    return paths[1] - paths[0]


def test_the_coarse_scale_can_be_behind() -> None:
    """Best 40-step paths of explicit blocks of 2x2 pixels."""
    strong, weak = (leads(*block(1 / detail, 4)) for detail in (STRONG, WEAK))
    assert strong.min() >= 0
    assert weak[:6].min() > 0.05
    assert -0.5 < weak.min() < -0.38


@pytest.mark.parametrize(("exponent", "ahead"), [(2.0, True), (3.0, False)])
def test_spectra_that_fall_fast_have_the_coarse_scale_behind(exponent: float, ahead: bool) -> None:
    model = lt.decoupled(lt.GaussianModel(lt.Spectrum.power_law((64, 64), exponent), lt.AveragePyramid()))
    logsnr = np.linspace(-9.0, 9.0, 721)
    metric = np.asarray(model.metric(np.stack([logsnr, logsnr], axis=1)))
    speeds = np.sqrt(np.diagonal(metric, axis1=1, axis2=2))
    shares = np.cumsum(speeds, axis=0) / speeds.sum(0)
    inner = shares[(shares[:, 0] > 0.1) & (shares[:, 0] < 0.9)]
    assert np.all((inner[:, 1] < inner[:, 0]) == ahead)


def test_a_sufficient_condition_is_not_necessary() -> None:
    """The 1/k² spectrum has the coarse scale ahead although the ratio of speeds falls somewhere."""
    model = lt.decoupled(lt.GaussianModel(lt.Spectrum.power_law((64, 64), 2.0), lt.AveragePyramid()))
    logsnr = np.linspace(-9.0, 9.0, 181)
    metric = np.asarray(model.metric(np.stack([logsnr, logsnr], axis=1)))
    assert np.diff(np.log(metric[:, 1, 1] / metric[:, 0, 0])).min() < -1e-3


def test_the_package_has_these_speeds() -> None:
    value = theorem.statement.value
    fine, coarse = np.array([1.0, 0.5, 0.2, 0.1]), np.array([0.25])
    model = lt.decoupled(lt.GaussianModel(lt.Spectrum(fine.reshape(2, 2)), lt.AveragePyramid()))
    for logsnr in (-2.0, 0.3, 4.0):
        speeds = np.sqrt(np.diag(model.metric(np.array([logsnr, logsnr]))))
        found = [value("speed", c=modes, g=np.exp(logsnr)) for modes in (fine, coarse)]
        agree(found, speeds, tolerances.ROUND_OFF)
