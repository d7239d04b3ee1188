"""The best steps for the samples, against numerical optima of exact samplers and of sums over many cells."""

import functools
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import tolerances
from independent import agree
from scipy.optimize import minimize

from lift_theory.theorems import ancestral_gaussian_law
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.self_consistent_geodesic import theorem

VARIANCES = np.array([2.0, 0.2, 0.01])
ENDS = np.log(np.array([4.0, 0.05]))  # log σ
TRUE = VARIANCES + np.exp(2 * ENDS[1])
LOGSNR = -2 * ENDS
U = np.linspace(0, 1, 2001)


def ddim(sigmas: np.ndarray) -> np.ndarray:
    """Std(output)/std(true) of every mode; `sigmas` (..., n + 1) may be complex."""
    z = np.sqrt(VARIANCES + sigmas[..., :1] ** 2)
    for i in range(sigmas.shape[-1] - 1):
        sigma, after = sigmas[..., i, None], sigmas[..., i + 1, None]
        guess = z / (1 + sigma**2 / VARIANCES)
        z = guess + after / sigma * (z - guess)
    return z / np.sqrt(VARIANCES + sigmas[..., -1:] ** 2)


def ancestral(sigmas: np.ndarray) -> np.ndarray:
    variance = VARIANCES + sigmas[..., :1] ** 2
    for i in range(sigmas.shape[-1] - 1):
        sigma, after = sigmas[..., i, None], sigmas[..., i + 1, None]
        keep = after**2 / sigma**2
        variance = (keep + (1 - keep) / (1 + sigma**2 / VARIANCES)) ** 2 * variance + after**2 * (1 - keep)
    return np.sqrt(variance / (VARIANCES + sigmas[..., -1:] ** 2))


SAMPLERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"ddim": ddim, "ancestral": ancestral}


def distances(sampler: str, sigmas: np.ndarray) -> dict[str, np.ndarray]:
    """Squared Wasserstein distance and divergence between normal laws of these standard deviations."""
    std = np.sqrt(TRUE)
    output = std * SAMPLERS[sampler](sigmas)
    kl = np.log(output / std) + (std**2 / output**2 - 1) / 2
    return {"wasserstein": ((std - output) ** 2).sum(-1), "divergence": kl.sum(-1)}


def fall(shares: np.ndarray) -> np.ndarray:
    """Noise levels between the ends whose steps in log-SNR are in proportion to exp(shares)."""
    weight = np.exp(shares - shares.real.max(-1, keepdims=True))
    place = np.cumsum(weight, -1)[..., :-1] / weight.sum(-1, keepdims=True)
    ends = [np.full((*shares.shape[:-1], 1), x, shares.dtype) for x in (0.0, 1.0)]
    return np.exp(ENDS[0] + (ENDS[1] - ENDS[0]) * np.concatenate([ends[0], place, ends[1]], -1))


@functools.cache
def limit_of_optima(sampler: str, which: str) -> float:
    """The limit of n times the root of the least distance of n exact steps, by search and Richardson's rule."""
    roots = []
    for n in (12, 24, 48):

        def goal(x: np.ndarray, n: int = n) -> tuple[float, np.ndarray]:
            batch = fall(x + 1e-30j * np.eye(n))  # complex steps: exact gradients
            values = np.log(distances(sampler, batch)[which])
            return values.real[0], values.imag / 1e-30

        found = minimize(
            goal, np.zeros(n), jac=True, method="L-BFGS-B", options={"maxiter": 1000, "ftol": 1e-13}
        )
        roots.append(n * np.exp(found.fun / 2))
    once = [2 * fine - coarse for coarse, fine in pairwise(roots)]
    return float((4 * once[1] - once[0]) / 3)


CURVES = (lambda u: ENDS[0] + (ENDS[1] - ENDS[0]) * u, lambda u: ENDS[0] + (ENDS[1] - ENDS[0]) * u**1.3)


@functools.cache
def limits(sampler: str, curve: int) -> tuple[np.ndarray, float, float]:
    """N times the errors, n² times both distances, for n equal steps along a curve, extrapolated."""
    found = []
    for n in (1000, 2000, 4000):
        sigmas = np.exp(CURVES[curve](np.linspace(0, 1, n + 1)))
        both = distances(sampler, sigmas)
        errors = n * (1 - SAMPLERS[sampler](sigmas))
        found.append(np.array([*errors, n**2 * both["wasserstein"], n**2 * both["divergence"]]))
    once = [2 * fine - coarse for coarse, fine in pairwise(found)]
    last = (4 * once[1] - once[0]) / 3
    return last[:-2], float(last[-2]), float(last[-1])


CELLS = 300
GRID = LOGSNR[0] + (LOGSNR[1] - LOGSNR[0]) * (np.arange(CELLS) + 0.5) / CELLS
WIDTH = (LOGSNR[1] - LOGSNR[0]) / CELLS


def bumps() -> np.ndarray:
    """Made-up error densities of three modes (3, CELLS)."""
    return (
        np.array([2.0, 1.0, 0.3])[:, None] / np.cosh((GRID - np.array([[-1.0], [2.0], [4.0]])) / 1.5) + 0.02
    )


@functools.cache
def brute_force(order: int, counts: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the steps in every cell that make Σ v E² least, by descent, and the errors E they leave."""
    rho, value = bumps(), np.array(counts)

    def errors(share: np.ndarray) -> np.ndarray:
        return (rho * (WIDTH / share) ** order * WIDTH).sum(1)

    def goal(x: np.ndarray) -> tuple[float, np.ndarray]:
        share = np.exp(x - np.logaddexp.reduce(x))
        e = errors(share)
        total = value @ e**2
        downhill = -order * 2 * (value * e) @ (rho * (WIDTH / share) ** order * WIDTH)  # in log share
        return np.log(total), (downhill - share * downhill.sum()) / total

    found = minimize(
        goal,
        np.zeros(CELLS),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 3000, "ftol": 0, "gtol": 1e-11},
    )
    share = np.exp(found.x - np.logaddexp.reduce(found.x))
    return share / WIDTH, errors(share)


@functools.cache
def random_paths(order: int) -> tuple[tuple[float, np.ndarray, float], ...]:
    """Length in random weights, the weights, and the distance that a random path is left with."""
    rng, found = np.random.default_rng(int(order)), []
    value, rho = np.array(COUNTS[0]), bumps()
    for _ in range(8):
        weight = rng.exponential(size=3)
        share = np.exp(np.cumsum(0.2 * rng.normal(size=CELLS)))
        share /= share.sum()
        left = (rho * (WIDTH / share) ** order * WIDTH).sum(1)
        found.append((length_in(weight, order), weight, float(np.sqrt(value @ left**2))))
    return tuple(found)


def length_in(weight: np.ndarray, order: int) -> float:
    return float(((weight @ bumps()) ** (1 / (order + 1))).sum() * WIDTH)


COUNTS = ((3.0, 0.5, 0.04), (1.0, 1.0, 1.0))


def check(statement: Statement) -> None:
    """Compare with simulated samplers of thousands of steps, and with descent on shares of steps in cells."""
    for sampler in SAMPLERS:
        for curve in (0, 1):
            errors, wasserstein, divergence = limits(sampler, curve)
            value = statement.value("wasserstein", value=TRUE, error=errors)
            agree(value, wasserstein, tolerances.SECOND_DIFFERENCE)
            agree(statement.value("divergence", error=errors), divergence, tolerances.SECOND_DIFFERENCE)
    for curve in (0, 1):
        sigma = np.exp(CURVES[curve](U))
        speed = -2 * np.gradient(CURVES[curve](U), U, edge_order=2)
        for c, error in zip(VARIANCES, limits("ddim", curve)[0], strict=True):
            agree(
                np.trapezoid(statement.value("ddim", c=c, sigma=sigma) * speed**2, U), error, tolerances.LIMIT
            )
    _check_variation(statement)
    for order in np.arange(1.0, 4.0):  # floats: wrong powers may divide by zero
        for counts in COUNTS:
            value, (share, errors) = np.array(counts), brute_force(order, counts)
            length = length_in(value * errors, order)
            best = [
                statement.value("speed", value=value, error=errors, density=rho, length=length, p=order)
                for rho in bumps().T
            ]
            agree(best, share, tolerances.LIMIT)
            attained = statement.value("bound", length=length, weight=value * errors, value=value, p=order)
            agree(attained, np.sqrt(value @ errors**2), tolerances.SEARCH)
        for length, weight, left in random_paths(order):
            bound = statement.value("bound", length=length, weight=weight, value=np.array(COUNTS[0]), p=order)
            assert bound <= left * (1 + tolerances.ROUND_OFF)


def _check_variation(statement: Statement) -> None:
    """Lead of one clock over another, with errors that couple the two; differences for derivatives."""

    def errors(lead: float) -> np.ndarray:
        x, y = U, U + lead * U * (1 - U)
        dx, dy = np.gradient(x, U), np.gradient(y, U)
        forms = (np.exp(-x) * dx**2 + dy**2, (1 + y) * (dx + dy) ** 2, (x * dx) ** 2 + dx**2 / (1 + y**2))
        return np.array([np.trapezoid(f, U) for f in forms])

    value, h = np.array(COUNTS[0]), 1e-4
    slopes = (errors(0.3 + h) - errors(0.3 - h)) / (2 * h)
    change = (value @ errors(0.3 + h) ** 2 - value @ errors(0.3 - h) ** 2) / (2 * h)
    agree(
        statement.value("variation", value=value, error=errors(0.3), slope=slopes),
        change,
        tolerances.FINITE_DIFFERENCE,
    )


def fixed_point(sampler: str, which: str) -> tuple[np.ndarray, float]:
    """Log-SNR of the points of the best curve, and its error, by iterating weights and errors."""
    grid = np.linspace(*LOGSNR, 4001)
    sigma = np.exp(-grid / 2)
    last = {"sigma_n": sigma[-1]} if sampler == "ancestral" else {}
    law = ancestral_gaussian_law.theorem.statement if last else theorem.statement
    claim = "density" if last else "ddim"
    rho = np.array([law.value(claim, c=c, sigma=sigma, **last) for c in VARIANCES])
    value, errors = (TRUE if which == "wasserstein" else np.ones(3)), np.ones(3)
    for _ in range(100):
        speed = np.sqrt((value * errors) @ rho)
        length = np.trapezoid(speed, grid)
        errors = np.trapezoid(rho / (speed / length), grid, axis=1)
    total = theorem.statement.value("wasserstein", value=value, error=errors)
    bound = theorem.statement.value("bound", length=length, weight=value * errors, value=value, p=1)
    agree(bound, np.sqrt(total), tolerances.SEARCH)
    place = np.concatenate([[0], np.cumsum((speed[1:] + speed[:-1]) / 2)])
    return np.interp(np.linspace(0, 1, 33), place / place[-1], grid), float(bound)


@pytest.mark.parametrize("which", ["wasserstein", "divergence"])
@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_no_steps_of_the_exact_sampler_do_better(sampler: str, which: str) -> None:
    curve, bound = fixed_point(sampler, which)
    agree(bound, limit_of_optima(sampler, which), tolerances.LIMIT)
    own = distances(sampler, np.exp(-curve / 2))[which]
    for other in (np.linspace(*LOGSNR, 33), 2 * np.log(1 / np.linspace(*np.exp(ENDS), 33))):
        assert own < distances(sampler, np.exp(-other / 2))[which]
