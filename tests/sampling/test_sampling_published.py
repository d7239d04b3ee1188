"""Published laws and numbers: variance-preserving samplers, the product of cosines, and the errors of two schedules."""

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from tolerances import PRINTED, PUBLISHED, ROUND_OFF

import lift_theory as lt

START, END = 0.05, 10.0
POINTS = 50


def rate(t):
    return START + (END - START) * t


def integral(t):
    return START * t + (END - START) * t * t / 2


def euler_maruyama(w, v, u, u2):
    h, b, here = u - u2, rate(u), marginal(v, u)
    return (1 + h * b * (1 - 2 / here)) ** 2 * w + 2 * h * b


def exponential_integrator(w, v, u, u2):
    p = np.expm1(integral(u) - integral(u2))
    return (1 + p * (1 - 2 / marginal(v, u))) ** 2 * w + np.expm1(2 * (integral(u) - integral(u2)))


def ddpm(w, v, u, u2):
    q = 2 * (u - u2) * rate(u)
    return (1 - q / marginal(v, u)) ** 2 / (1 - q) * w + q


def slope(v, u):
    return rate(u) * (1 - 1 / marginal(v, u))


def euler(w, v, u, u2):
    return (1 + (u - u2) * slope(v, u)) ** 2 * w


def heun(w, v, u, u2):
    h, a, b = u - u2, slope(v, u), slope(v, u2)
    return (1 + h / 2 * (a + b * (1 + h * a))) ** 2 * w


def rk4(w, v, u, u2):
    h, a, m, b = u - u2, slope(v, u), slope(v, (u + u2) / 2), slope(v, u2)
    # the classical method for x' = a(t) x, multiplied out
    step = h * (a + 4 * m + b) / 6
    step += h**2 * (a * m + m * m + m * b) / 6
    step += h**3 * (a * m * m + m * m * b) / 12
    step += h**4 * a * m * m * b / 24
    return (1 + step) ** 2 * w


def marginal(v, t):
    signal = np.exp(-2 * integral(t))
    return signal * v + 1 - signal


@pytest.mark.parametrize(
    ("last", "init", "target"),
    [
        (1e-3, "exact", "data"),
        (1e-3, "standard", "marginal"),
        (0.0, "exact", "marginal"),
        (0.0, "standard", "data"),
    ],
)
@pytest.mark.parametrize(
    ("sampler", "recursion"),
    [
        ("EulerMaruyama", euler_maruyama),
        ("ExponentialIntegrator", exponential_integrator),
        ("DDPM", ddpm),
        ("Euler", euler),
        ("Heun", heun),
        ("RK4", rk4),
    ],
)
def test_eigenvalues_follow_the_published_recursions(sampler, recursion, last, init, target):
    """Pierret & Galerne 2025, propagated variances of the discrete schemes for one eigenvalue each."""
    v = 10.0 ** np.random.default_rng(8).uniform(-1.5, 1.0, (8, 8))
    times = [last + (1 - last) * (1 - k / (POINTS - 1)) for k in range(POINTS)]
    w = marginal(v, 1.0) if init == "exact" else np.ones_like(v)
    for u, u2 in pairwise(times):
        w = recursion(w, v, u, u2)

    vp = lt.VPLinear(beta_start=START, beta_end=END)
    model = lt.GaussianModel(lt.Spectrum(v), lt.SingleScale())
    path = vp.uniform_path(points=POINTS, end=last)
    error = lt.sampling_error(model, path, getattr(lt, sampler)(vp), init=init, target=target)
    true = v if target == "data" else marginal(v, last)
    gap = np.abs(np.sqrt(w) - np.sqrt(true))
    found = np.sqrt(error.per_mode.w2_squared.values[0])
    np.testing.assert_array_less(np.abs(found - gap) / np.sqrt(true), PUBLISHED)
    assert np.isclose(error.w2, np.sqrt(np.sum(gap**2)), rtol=ROUND_OFF)
    assert np.isclose(error.kl, np.sum(true / w - 1 - np.log(true / w)) / 2, rtol=ROUND_OFF, atol=ROUND_OFF)


@pytest.mark.parametrize("clean", [False, True])
def test_ddim_shrinks_by_a_product_of_cosines(clean):
    """Sabour et al. 2024, Theorem 3.1: angles `arctan(sigma / sqrt c)`, here with fifty digits."""
    variances = 10.0 ** np.random.default_rng(9).uniform(-3.0, 1.0, (8, 8))
    logsnr = np.sort(np.random.default_rng(10).uniform(-6.0, 6.0, POINTS))
    if clean:
        logsnr[-1] = np.inf
    model = lt.GaussianModel(lt.Spectrum(variances), lt.SingleScale())
    error = lt.sampling_error(model, lt.Path(logsnr[:, None]))
    with mpmath.workdps(50):
        sigmas = [mpmath.exp(-mpmath.mpf(float(v)) / 2) if np.isfinite(v) else mpmath.mpf(0) for v in logsnr]
        gaps, divergences = [], []
        for variance in variances.ravel():
            c = mpmath.mpf(float(variance))
            angles = [mpmath.atan(s / mpmath.sqrt(c)) for s in sigmas]
            ratio = mpmath.fprod(mpmath.cos(a - b) for a, b in pairwise(angles))
            gaps.append((1 - ratio) * mpmath.sqrt(c + sigmas[-1] ** 2))
            divergences.append((ratio**-2 - 1 + 2 * mpmath.log(ratio)) / 2)
        gaps, divergences = (np.array([float(x) for x in xs]).reshape(8, 8) for xs in (gaps, divergences))
    np.testing.assert_allclose(np.sqrt(error.per_mode.w2_squared.values[0]), gaps, rtol=ROUND_OFF)
    np.testing.assert_allclose(error.per_mode.kl.values[0], divergences, rtol=ROUND_OFF)


@pytest.mark.parametrize(
    ("schedule", "bound", "ancestral", "ddim"),
    [("uniform information", "4.564", ".456", ".554"), ("arctan", "790.6", ".0423", ".0162")],
)
def test_two_schedules_have_the_published_bound_and_output(schedule, bound, ancestral, ddim):
    """Data of standard deviation 0.5, sigma from 80 to 0.002 in ten steps; nats per dimension.

    The bound is Sabour et al. 2024, eq. 10 with the constant that makes it a divergence; the outputs are
    KL(true || sampled) from the exact initial law.
    """
    c, first, last, steps = 0.25, 80.0, 0.002, 10
    u = np.linspace(0.0, 1.0, steps + 1)
    if schedule == "arctan":
        ends = np.arctan(first / np.sqrt(c)), np.arctan(last / np.sqrt(c))
        sigmas = np.sqrt(c) * np.tan(ends[0] + u * (ends[1] - ends[0]))
    else:
        ends = np.log1p(c / first**2), np.log1p(c / last**2)
        sigmas = np.sqrt(c / np.expm1(ends[0] + u * (ends[1] - ends[0])))
    shape = (2, 2)
    model = lt.GaussianModel(lt.Spectrum(np.full(shape, c)), lt.SingleScale())
    path = lt.Path(-2 * np.log(sigmas)[:, None])
    for sampler, printed in ((lt.Ancestral(), ancestral), (lt.DDIM(), ddim)):
        error = lt.sampling_error(model, path, sampler)
        check_printed(error.kl / np.prod(shape), printed)
        check_printed(error.path_kl / np.prod(shape), bound)


def check_printed(value, text):
    unit = 10.0 ** -len(text.partition(".")[2])
    assert abs(value - float(text)) <= PRINTED * unit, (value, text)
