"""How far a denoiser moves within a step, by quadrature over both noises."""

import functools
from itertools import product

import numpy as np
import tolerances
from independent import FiniteLaw, agree

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.ays_objective_is_the_gap import theorem

LAW = FiniteLaw(
    points=np.array([[1.0], [-0.4], [0.3]]),
    probabilities=np.array([0.5, 0.3, 0.2]),
    operators=(np.eye(1),),
    nodes=40,
)
START, STOP = 0.6, 1.7


def movement(early: float, late: float) -> float:
    """E|D(z_t) - D(z_s)|^2, with z_s = z_t + independent noise."""
    node, weight = np.polynomial.hermite_e.hermegauss(LAW.nodes)
    pairs = np.array(list(product(node, repeat=2)))
    weights = np.prod(list(product(weight / weight.sum(), repeat=2)), axis=1)
    points, total = LAW.points[:, 0], 0.0
    for probability, point in zip(LAW.probabilities, points, strict=True):
        z_late = point + late**-0.5 * pairs[:, 0]
        z_early = z_late + np.sqrt(1 / early - 1 / late) * pairs[:, 1]
        predictions = []
        for z, snr in ((z_early, early), (z_late, late)):
            posterior = LAW.probabilities * np.exp(-snr * (z[:, None] - points) ** 2 / 2)
            predictions.append(posterior @ points / posterior.sum(1))
        total += probability * (weights @ (predictions[1] - predictions[0]) ** 2)
    return total


@functools.cache
def measured() -> tuple[float, float, float, float, float]:
    node, weight = np.polynomial.legendre.leggauss(12)
    within = START + (STOP - START) * (node + 1) / 2
    objective = 0.5 * (STOP - START) / 2 * (weight @ np.array([movement(START, g) for g in within]))
    before, after = (float(LAW.mmse(np.array([g]))[0]) for g in (START, STOP))
    gain = LAW.information(np.array([STOP])) - LAW.information(np.array([START]))
    return movement(START, STOP), objective, before, after, gain


def check(statement: Statement) -> None:
    moved, objective, before, after, gain = measured()
    agree(statement.value("movement", before=before, after=after), moved, tolerances.QUADRATURE)
    value = statement.value("objective", increment=STOP - START, before=before, gain=gain)
    agree(value, objective, tolerances.QUADRATURE)


def test_the_package_integrates_to_the_same_cost() -> None:
    model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.AveragePyramid())
    start, stop = np.array([-2.0, -1.0]), np.array([0.5, 0.2])
    node, weight = np.polynomial.legendre.leggauss(24)
    begin, end = np.exp(start), np.exp(stop)
    along = begin + (end - begin) * (node[:, None] + 1) / 2
    movements = np.asarray(model.mmse(start)) - np.asarray(model.mmse(np.log(along)))
    theorem_movement = theorem.statement.value("movement", before=np.asarray(model.mmse(start)), after=0.0)
    agree(theorem_movement, np.asarray(model.mmse(start)), tolerances.ROUND_OFF)
    objective = 0.5 * (weight @ movements / 2) @ (end - begin)
    agree(model.step_kl(start, stop), objective, tolerances.QUADRATURE)
