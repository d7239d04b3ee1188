"""No path goes below the floor, and one clock for every eigenmode stands on it."""

import functools
from itertools import pairwise

import numpy as np
import scipy.linalg
import tolerances
from independent import agree

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.anisotropic_floor import theorem


def chain_cost(precisions: list[np.ndarray]) -> float:
    """Half of tr(P^-1 P' - 1) minus half of the log-determinant, step by step."""
    total = 0.0
    for now, after in pairwise(precisions):
        gain = np.linalg.slogdet(after)[1] - np.linalg.slogdet(now)[1]
        total += 0.5 * np.trace(np.linalg.solve(now, after - now)) - 0.5 * gain
    return total


@functools.cache
def random_chains() -> tuple[tuple[list[np.ndarray], np.ndarray], ...]:
    """Monotone paths of random overcomplete representations, with the eigenvalues between their ends."""
    rng, chains = np.random.default_rng(1), []
    for steps in (1, 3, 8):
        for _ in range(6):
            root = rng.normal(size=(4, 4))
            operators = [rng.normal(size=(rng.integers(1, 5), 4)) for _ in range(3)]
            snr = np.cumsum(
                rng.exponential(size=(steps + 1, 3)) * rng.integers(0, 2, size=(steps + 1, 3)), axis=0
            )
            precisions = [
                root @ root.T + sum(g * a.T @ a for g, a in zip(row, operators, strict=True)) for row in snr
            ]
            ratios = scipy.linalg.eigh(precisions[-1], precisions[0], eigvals_only=True)
            chains.append((precisions, np.maximum(ratios, 1.0)))
    return tuple(chains)


def eigenmode_chain(steps: int) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(2)
    frame, ratios = rng.normal(size=(3, 3)), np.array([1.5, 8.0, 90.0])
    return [frame @ np.diag(ratios ** (i / steps)) @ frame.T for i in range(steps + 1)], ratios


@functools.cache
def attained(steps: int) -> float:
    return chain_cost(eigenmode_chain(steps)[0])


def check(statement: Statement) -> None:
    for precisions, ratios in random_chains():
        cost, n = chain_cost(precisions), len(precisions) - 1
        for claim in ("floor", "quadratic"):
            assert cost >= statement.value(claim, ratio=ratios, n=n) * (1 - tolerances.CANCELLATION)
    ratios = eigenmode_chain(1)[1]
    for n in (1, 2, 7):
        agree(statement.value("floor", ratio=ratios, n=n), attained(n), tolerances.CANCELLATION)
        assert statement.value("quadratic", ratio=ratios, n=n) < attained(n)
    agree(statement.value("quadratic", ratio=ratios, n=1000), attained(1000), tolerances.LIMIT)


def test_the_quadratic_bound_needs_growing_precisions() -> None:
    shrinking = [np.eye(2), np.eye(2) / 50]
    ratios = np.array([1 / 50, 1 / 50])
    assert chain_cost(shrinking) < theorem.statement.value("quadratic", ratio=ratios, n=1)
    agree(chain_cost(shrinking), theorem.statement.value("floor", ratio=ratios, n=1), tolerances.ROUND_OFF)


def test_the_package_has_this_floor() -> None:
    covariance = np.array([[1.0, 0.3, 0.1], [0.3, 0.7, -0.2], [0.1, -0.2, 0.4]])
    operators = {"fine": np.eye(3), "coarse": np.array([[0.5, 0.5, 0.0]])}
    model = lt.GaussianModel(lt.Covariance(covariance), lt.LinearScales(operators))
    ends = [
        np.linalg.inv(covariance) + sum(np.exp(x) * a.T @ a for a in operators.values()) for x in (-4.0, 5.0)
    ]
    ratios = scipy.linalg.eigh(ends[1], ends[0], eigvals_only=True)
    for n in (1, 5, 20):
        expected = theorem.statement.value("floor", ratio=ratios, n=n)
        agree(lt.lower_bound(model, n, -4.0, 5.0), expected, tolerances.CANCELLATION)
        assert lt.path_kl(model, lt.diagonal_path(model, n, -4.0, 5.0)) >= expected * (
            1 - tolerances.ROUND_OFF
        )
