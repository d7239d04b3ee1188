"""Optimal schedules of one variance, against dynamic programming over all schedules on a fine grid."""

import functools

import numpy as np
import tolerances
from independent import agree, gaussian_costs, least_costs

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.single_mode_schedules import theorem

VARIANCE = 0.3
COUNTS = (1, 2, 3, 6)
CELLS = 240  # a multiple of every count, so that the optimum lies on the grid


@functools.cache
def cheapest() -> np.ndarray:
    snr = (np.geomspace(1.2, 60, CELLS + 1) - 1) / VARIANCE
    return least_costs(gaussian_costs(np.array([VARIANCE]), snr), max(COUNTS))


@functools.cache
def widest() -> np.ndarray:
    """Largest ratio of standard deviations, by simulating the linear map of every possible step."""
    sigma = np.sqrt(VARIANCE) * np.tan(np.linspace(1.4, 0.1, CELLS + 1))
    shrink = VARIANCE / (VARIANCE + sigma**2)
    gain = shrink[:, None] + sigma / sigma[:, None] * (1 - shrink[:, None])
    std = np.sqrt(VARIANCE + sigma**2)
    cost = -np.log(gain * std[:, None] / std)
    cost[np.tril_indices(CELLS + 1, -1)] = np.inf
    return np.exp(-least_costs(cost, max(COUNTS)))


def check(statement: Statement) -> None:
    for n in COUNTS:
        value = statement.value("path_kl", length=np.log(60 / 1.2), n=n)
        agree(value, cheapest()[n - 1], tolerances.CANCELLATION)
        agree(statement.value("spread", angle=1.3, n=n), widest()[n - 1], tolerances.CANCELLATION)


def test_the_package_reaches_the_optimum() -> None:
    model = lt.GaussianModel(lt.Covariance(np.array([[VARIANCE]])), lt.SingleScale())
    for n in COUNTS:
        snr = (np.geomspace(1.2, 60, n + 1) - 1) / VARIANCE
        expected = theorem.statement.value("path_kl", length=np.log(60 / 1.2), n=n)
        agree(lt.path_kl(model, lt.Path(np.log(snr)[:, None])), expected, tolerances.CANCELLATION)
        found = lt.diagonal_path(model, n, float(np.log(snr[0])), float(np.log(snr[-1])))
        agree(lt.path_kl(model, found), expected, tolerances.CANCELLATION)
