"""Lock-step and staged paths of two independent bands, by dynamic programming over lattices."""

import functools

import numpy as np
import tolerances
from independent import agree, extrapolated, gaussian_costs, least_costs

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.orthogonal_separability import theorem

HIGH, LOW = np.array([0.5, 0.1, 0.02]), np.array([8.0, 2.0])
STEPS = 96
GRID = np.geomspace(0.05, 50, 1000)


def length(variances: np.ndarray) -> float:
    fine = np.geomspace(GRID[0], GRID[-1], 20001)
    return np.trapezoid(np.sqrt(0.5 * ((variances / (1 + np.outer(fine, variances))) ** 2).sum(1)), fine)


def staged_costs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Best split of n = 1, 2, ... steps; one step cannot move two bands in turn."""
    return np.array(
        [np.inf] + [min(first[m] + second[n - m - 2] for m in range(n - 1)) for n in range(2, len(first) + 1)]
    )


@functools.cache
def measured() -> dict[str, float]:
    high, low = (least_costs(gaussian_costs(v, GRID), STEPS) for v in (HIGH, LOW))
    staged, twins = staged_costs(high, low), staged_costs(low, low)
    small = np.geomspace(0.05, 50, 9)
    moves = [gaussian_costs(v, small) for v in (HIGH, LOW)]
    joint = (moves[0][:, None, :, None] + moves[1][None, :, None, :]).reshape(81, 81)
    return {
        "joint": least_costs(joint, 4)[-1],
        "high": least_costs(moves[0], 4)[-1],
        "low": least_costs(moves[1], 4)[-1],
        "lockstep": extrapolated(STEPS, high + low),
        "staged": extrapolated(STEPS, staged),
        "twins": extrapolated(STEPS, twins) / extrapolated(STEPS, 2 * low),
    }


def check(statement: Statement) -> None:
    m, lengths = measured(), [length(HIGH), length(LOW)]
    agree(statement.value("cost", part=[m["high"], m["low"]]), m["joint"], tolerances.ROUND_OFF)
    agree(statement.value("lockstep", length=lengths), m["lockstep"], tolerances.LIMIT)
    agree(statement.value("staged", length=lengths), m["staged"], tolerances.LIMIT)
    assert 1 <= m["staged"] / m["lockstep"] <= statement.value("penalty", count=2)
    agree(statement.value("penalty", count=2), m["twins"], tolerances.LIMIT)


def test_the_package_adds_independent_bands() -> None:
    spectrum = lt.Spectrum.power_law((8, 8))
    model = lt.GaussianModel(spectrum, lt.DctBands(cutoffs=(4,)))
    start, stop = np.array([-2.0, -1.0]), np.array([0.5, 1.5])
    parts = [float(model.step_kl(start, np.where(np.arange(2) == k, stop, start))) for k in range(2)]
    agree(model.step_kl(start, stop), theorem.statement.value("cost", part=parts), tolerances.CANCELLATION)
    coupling = np.asarray(model.coupling(start))
    assert abs(coupling[0, 1]) < tolerances.ROUND_OFF
