"""Compute shared between cheap and full steps, by trying every split of whole numbers of steps."""

import functools

import numpy as np
import pytest
import tolerances
from independent import agree, gaussian_costs, least_costs

from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.compute_aware_order import theorem

FINE, COARSE = np.array([0.5, 0.1, 0.02]), np.array([8.0, 2.0])
GRID = np.geomspace(0.05, 50, 1000)
COMPUTE = 48
PRICES = (0.25, 0.5)


def length(variances: np.ndarray) -> float:
    fine = np.geomspace(GRID[0], GRID[-1], 20001)
    return np.trapezoid(np.sqrt(0.5 * ((variances / (1 + np.outer(fine, variances))) ** 2).sum(1)), fine)


LENGTHS = {"L_L": length(COARSE), "L_H": length(FINE)}


@functools.cache
def alone() -> tuple[np.ndarray, np.ndarray]:
    """Least cost of 1, 2, ... steps of the coarse and of the fine scale, over a lattice of SNRs."""
    return least_costs(gaussian_costs(COARSE, GRID), 4 * COMPUTE), least_costs(
        gaussian_costs(FINE, GRID), COMPUTE
    )


def staged_cost(price: float, compute: int) -> float:
    coarse, fine = alone()
    splits = [(int((compute - full) / price + 1e-9), full) for full in range(1, compute)]
    return min(coarse[min(cheap, len(coarse)) - 1] + fine[full - 1] for cheap, full in splits if cheap)


def best_mixture(price: float, compute: int, coarse: np.ndarray, fine: np.ndarray) -> tuple[float, int]:
    """Least cost of any number of cheap and full steps, and how many of them are cheap."""
    splits = [(int((compute - full) / price + 1e-9), full) for full in range(1, compute + 1)]
    return min((coarse[min(cheap + full, len(coarse)) - 1] + fine[full - 1], cheap) for cheap, full in splits)


def limit(cost_of: dict[int, float]) -> float:
    """The limit of C times the cost, from C and C/2."""
    return 2 * COMPUTE * cost_of[COMPUTE] - COMPUTE / 2 * cost_of[COMPUTE // 2]


@functools.cache
def staged(price: float) -> float:
    return limit({c: staged_cost(price, c) for c in (COMPUTE, COMPUTE // 2)})


@functools.cache
def mixed(price: float) -> float:
    return limit({c: best_mixture(price, c, *alone())[0] for c in (COMPUTE, COMPUTE // 2)})


@functools.cache
def lockstep() -> float:
    coarse, fine = alone()
    return limit({c: coarse[c - 1] + fine[c - 1] for c in (COMPUTE, COMPUTE // 2)})


def check(statement: Statement) -> None:
    """Compare with dynamic programs for each scale and every split of the compute."""
    agree(statement.value("lockstep", **LENGTHS), lockstep(), tolerances.LIMIT)
    for price in PRICES:
        agree(statement.value("staged", kappa=price, **LENGTHS), staged(price), tolerances.LIMIT)
        best = statement.value("mixed", kappa=price, **LENGTHS)
        assert np.isrealobj(best), best
        agree(best, mixed(price), tolerances.LIMIT)
    root = statement.value("break_even", **LENGTHS)
    assert 0 < root < 1
    agree(staged(float(root**2)), lockstep(), 2 * tolerances.LIMIT)  # both sides are limits
    worth = statement.value("worth", **LENGTHS)
    assert 0 < worth < 0.9
    assert best_mixture(0.9 * worth, COMPUTE, *alone())[1] > 0
    assert best_mixture(1.1 * worth, COMPUTE, *alone())[1] == 0


def test_cheap_steps_pay_though_going_all_the_way_does_not() -> None:
    price = 0.5
    assert staged(price) > lockstep() * 1.1
    assert mixed(price) < lockstep() * 0.99


def test_the_package_agrees_on_the_break_even_price() -> None:
    optimize = pytest.importorskip("lift_theory.optimize")
    for coarse, fine in ((LENGTHS["L_L"], LENGTHS["L_H"]), (1.0, 1.0), (0.2, 5.0)):
        root = theorem.statement.value("break_even", L_L=coarse, L_H=fine)
        agree(optimize.break_even_price(coarse, fine), root**2, tolerances.CANCELLATION)


def test_the_package_finds_the_best_mixture() -> None:
    lt = pytest.importorskip("lift_theory")
    optimize = pytest.importorskip("lift_theory.optimize")
    bands = {"fine": np.eye(5)[:3], "coarse": np.eye(5)[3:]}
    model = lt.GaussianModel(lt.Covariance(np.diag([*FINE, *COARSE])), lt.LinearScales(bands))
    start, stop, points, budget, price = -3.0, 4.0, 40, 8, 0.25
    found = optimize.compute_aware_path(model, budget, {"coarse": price}, start, stop, points)
    snr = np.exp(np.linspace(start, stop, points))
    coarse, fine = (least_costs(gaussian_costs(v, snr), 4 * budget) for v in (COARSE, FINE))
    cost, cheap = best_mixture(price, budget, coarse, fine)
    agree(found.frontier[-1], cost, tolerances.CANCELLATION)
    assert found.cost < cost  # refined off the lattice
    assert found.moves.count("coarse") == cheap > 0
    assert "fine" not in found.moves
