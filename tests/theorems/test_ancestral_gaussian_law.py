"""Ancestral sampling of Gaussian data, against covariances, simulated chains and searches for the best steps."""

import functools
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import tolerances
from independent import agree
from scipy.optimize import minimize

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.ancestral_gaussian_law import theorem

COVARIANCE = np.array([[1.0, 0.3, 0.1], [0.3, 0.7, -0.2], [0.1, -0.2, 0.4]])
VARIANCES, FRAME = np.linalg.eigh(COVARIANCE)
PATHS = (np.array([3.0, 1.1]), np.array([80.0, 4.0, 1.3, 0.5, 0.2]), np.array([5.0, 2.0, 2.0, 0.9, 0.0]))


def sampled(sigmas: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Covariance of the output: the bridge with the posterior mean of a matrix denoiser put in."""
    covariance, one = first, np.eye(3)
    for sigma, after in pairwise(sigmas):
        keep = after**2 / sigma**2
        move = keep * one + (1 - keep) * np.linalg.solve(COVARIANCE + sigma**2 * one, COVARIANCE).T
        covariance = move @ covariance @ move.T + after**2 * (1 - keep) * one
    return covariance


@functools.cache
def variances(which: int, exact: bool) -> np.ndarray:
    first = PATHS[which][0] ** 2 * np.eye(3) + (COVARIANCE if exact else 0)
    return np.einsum("ij,ik,kj->j", FRAME, sampled(PATHS[which], first), FRAME)


def chain(c: float, sigma: np.ndarray) -> np.ndarray:
    """Variance of the last state, from the exact law of the first; `sigma` may be complex and a batch."""
    variance = c + sigma[..., 0] ** 2
    for now, after in zip(np.moveaxis(sigma, -1, 0)[:-1], np.moveaxis(sigma, -1, 0)[1:], strict=True):
        keep = after**2 / now**2
        slope = keep + (1 - keep) / (1 + now**2 / c)
        variance = slope**2 * variance + after**2 * (1 - keep)
    return variance


def narrowing(c: float, sigma: np.ndarray) -> np.ndarray:
    return 1 - np.sqrt(chain(c, sigma) / (c + sigma[..., -1] ** 2))


U = np.linspace(0, 1, 2001)
CURVES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda u: np.exp(1.5 - 3.0 * u),
    lambda u: np.exp(2.0 - 1.0 * u - 1.8 * u**2),
)


@functools.cache
def slow_error(which: int, c: float) -> float:
    """Return n times the narrowing of n equal steps, extrapolated to infinitely many."""
    one, two = (n * narrowing(c, CURVES[which](np.linspace(0, 1, n + 1))) for n in (2000, 4000))
    return float(2 * two - one)


def least(c: float, start: float, stop: float, steps: int) -> float:
    """Least lack of variance over all levels between the two ends; gradients by complex steps."""

    def sigmas(x: np.ndarray) -> np.ndarray:
        weight = np.exp(x - x.real.max(-1, keepdims=True))
        place = np.cumsum(weight, -1)[..., :-1] / weight.sum(-1, keepdims=True)
        rounds = [np.full((*x.shape[:-1], 1), end, x.dtype) for end in (start, stop)]
        return np.concatenate([rounds[0], start + (stop - start) * place, rounds[1]], -1)

    def lack(x: np.ndarray) -> tuple[float, np.ndarray]:
        batch = sigmas(x + 1e-30j * np.eye(steps))
        values = 1 - chain(c, batch) / (c + stop**2)
        return values.real[0], values.imag / 1e-30

    guess = np.log(np.linspace(2, 1, steps))
    found = minimize(
        lack, guess, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 0, "gtol": 1e-10}
    )
    return float(found.fun)


@functools.cache
def few(steps: int) -> float:
    """Least lack of variance down to no noise, relative to the share unknown at the start."""
    c, start = 0.6, 1.7
    return least(c, start, 0.0, steps) * (c + start**2) / start**2


@functools.cache
def many() -> float:
    """The limit of n times the least narrowing, by Richardson's rule from three step counts."""
    errors = [n * (1 - np.sqrt(1 - least(0.6, 1.7, 0.3, n))) for n in (16, 32, 64)]
    once = [2 * fine - coarse for coarse, fine in pairwise(errors)]
    return (4 * once[1] - once[0]) / 3


def check(statement: Statement) -> None:
    """Compare with covariance matrices, thousands of steps of a chain, quadrature, and numerical optima."""
    for which, sigmas in enumerate(PATHS):
        for k, c in enumerate(VARIANCES):
            shares = sigmas**2 / (c + sigmas**2)
            for exact in (True, False):
                ratio = variances(which, exact)[k] / (c + sigmas[-1] ** 2)
                short = 0.0 if exact else c / (c + sigmas[0] ** 2)
                agree(
                    statement.value("deficit", unknown=shares, short=short),
                    1 - ratio,
                    tolerances.CANCELLATION,
                )
                if exact and sigmas[-1] > 0:
                    divergence = (1 / ratio - 1 + np.log(ratio)) / 2
                    assert divergence <= statement.value("bound", unknown=shares) * (1 + tolerances.ROUND_OFF)
            if len(sigmas) == 2:
                one = {"c": c, "sigma": sigmas[0], "sigma'": sigmas[1], "before": c + sigmas[0] ** 2}
                agree(statement.value("step", **one), variances(which, True)[k], tolerances.DENSE)
    for c, stop in ((0.6, 0.3), (0.1, 0.5)):
        far = np.array([1e6, stop])  # as good as pure noise: the bound is attained
        ratio = chain(c, far) / (c + stop**2)
        bound = statement.value("bound", unknown=far**2 / (c + far**2))
        agree(bound, (1 / ratio - 1 + np.log(ratio)) / 2, tolerances.CANCELLATION)
    for which, curve in enumerate(CURVES):
        for c in (0.05, 0.9):
            speed = -2 * np.gradient(np.log(curve(U)), U, edge_order=2)
            rho = statement.value("density", c=c, sigma=curve(U), sigma_n=curve(1.0))
            agree(np.trapezoid(rho * speed**2, U), slow_error(which, c), tolerances.LIMIT)
    shares = [s**2 / (0.6 + s**2) for s in (1.7, 0.3)]
    agree(statement.value("many_steps", first=shares[0], last=shares[1]), many(), tolerances.LIMIT)
    for n in (1, 2, 3):
        agree(statement.value("best", account=few(n)), few(n + 1), tolerances.SEARCH)


def test_damping_of_an_earlier_error_is_exact() -> None:
    """Two chains that differ in their first variance, after a few large steps."""
    c, sigmas, wrong = 0.6, np.array([1.7, 0.8, 0.5, 0.1]), 0.2
    variance = np.array([c + sigmas[0] ** 2, c + sigmas[0] ** 2 - wrong])
    for now, after in pairwise(sigmas):
        step = {"c": c, "sigma": now, "sigma'": after}
        variance = np.array([theorem.statement.value("step", before=v, **step) for v in variance])
    regression = (c + sigmas[-1] ** 2) / (c + sigmas[0] ** 2)
    agree(variance[0] - variance[1], wrong * regression**2, tolerances.CANCELLATION)


def test_a_simulation_has_this_variance() -> None:
    rng, c, sigmas = np.random.default_rng(0), 0.4, np.array([4.0, 1.5, 0.7, 0.3, 0.1])
    z = np.sqrt(c + sigmas[0] ** 2) * rng.normal(size=400_000)
    for now, after in pairwise(sigmas):
        keep = after**2 / now**2
        z = keep * z + (1 - keep) * c / (c + now**2) * z
        z += after * np.sqrt(1 - keep) * rng.normal(size=len(z))
    lack = theorem.statement.value("deficit", unknown=sigmas**2 / (c + sigmas**2), short=0.0)
    expected = (c + sigmas[-1] ** 2) * (1 - lack)
    error = expected * np.sqrt(2 / len(z))
    assert z.var() == pytest.approx(expected, abs=tolerances.MONTE_CARLO_SIGMAS * error)
    assert lack > 0.2


def test_best_steps_are_equal_in_the_root_of_the_unknown_share() -> None:
    c, n = 0.6, 400
    shares = np.linspace(np.sqrt(1.7**2 / (c + 1.7**2)), np.sqrt(0.3**2 / (c + 0.3**2)), n + 1) ** 2
    equal = narrowing(c, np.sqrt(c * shares / (1 - shares)))
    agree(n * equal, many(), tolerances.LIMIT)
    angles = np.linspace(np.arctan2(1.7, np.sqrt(c)), np.arctan2(0.3, np.sqrt(c)), n + 1)
    for other in (np.sqrt(c) * np.tan(angles), np.geomspace(1.7, 0.3, n + 1)):
        assert narrowing(c, other) > 1.01 * equal


@pytest.mark.parametrize("init", ["exact", "standard"])
def test_the_package_has_this_law(init: str) -> None:
    model = lt.GaussianModel(lt.Covariance(COVARIANCE), lt.SingleScale())
    for sigmas in PATHS:
        with np.errstate(divide="ignore"):
            path = lt.Path(-2 * np.log(sigmas)[:, None])
        error = lt.sampling_error(model, path, sampler=lt.Ancestral(), init=init)
        lack = [
            theorem.statement.value(
                "deficit",
                unknown=sigmas**2 / (c + sigmas**2),
                short=0.0 if init == "exact" else c / (c + sigmas[0] ** 2),
            )
            for c in VARIANCES
        ]
        lost = np.sqrt(VARIANCES + sigmas[-1] ** 2) * (1 - np.sqrt(1 - np.array(lack)))
        agree(error.per_mode.w2_squared.values.ravel(), lost**2, tolerances.CANCELLATION)
