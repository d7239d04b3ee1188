"""The cost of a step, as a divergence integrated over the next state, and of many steps, by dynamic programming."""

import functools

import numpy as np
import tolerances
from independent import FiniteLaw, agree, extrapolated, gaussian_costs, least_costs, second, transition_kl

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.bregman_path_kl import theorem

SNR, NEXT = np.array([0.5, 0.8]), np.array([0.9, 1.5])
LAW = FiniteLaw(
    points=np.array([[1.0], [-0.4], [0.3]]),
    probabilities=np.array([0.5, 0.3, 0.2]),
    operators=(np.array([[1.0]]), np.array([[0.7]])),
    nodes=16,
)
VARIANCES = np.array([4.0, 0.3, 0.02])
STEPS = 48


@functools.cache
def measured() -> tuple[float, float, float, float, float]:
    divergence = transition_kl(LAW, SNR, NEXT)
    direction = np.array([1.0, 2.0])
    near = [transition_kl(LAW, SNR, SNR + e * direction) / e**2 for e in (0.02, 0.04)]
    curvature = [[-second(LAW.information, SNR, k, other) for other in range(2)] for k in range(2)]
    grid = np.geomspace(0.1, 100, 1400)
    costs = least_costs(gaussian_costs(VARIANCES, grid), STEPS)
    fine = np.geomspace(0.1, 100, 20001)
    speed = np.sqrt(0.5 * ((VARIANCES / (1 + np.outer(fine, VARIANCES))) ** 2).sum(1))
    length = np.trapezoid(speed, fine)
    form = direction @ np.array(curvature) @ direction
    return divergence, 2 * near[0] - near[1], form, extrapolated(STEPS, costs), length


def check(statement: Statement) -> None:
    divergence, small, form, many, length = measured()
    gain = LAW.information(NEXT) - LAW.information(SNR)
    step = statement.value("step", increment=NEXT - SNR, mmse=LAW.mmse(SNR), gain=gain)
    agree(step, divergence, tolerances.QUADRATURE)
    agree(statement.value("small_step", form=form), small, tolerances.LIMIT)
    agree(statement.value("many_steps", length=length), many, tolerances.LIMIT)


def test_the_package_has_this_cost() -> None:
    covariance = np.array([[1.0, 0.3, 0.1], [0.3, 0.7, -0.2], [0.1, -0.2, 0.4]])
    operators = {"fine": np.eye(3), "coarse": np.array([[0.5, 0.5, 0.0]])}
    model = lt.GaussianModel(lt.Covariance(covariance), lt.LinearScales(operators))
    points = np.array([[-3.0, -2.0], [-1.0, -1.5], [-1.0, 0.4], [2.0, 1.0]])
    total = 0.0
    for start, stop in zip(points[:-1], np.maximum.accumulate(points)[1:], strict=True):
        gain = float(model.mutual_information(stop) - model.mutual_information(start))
        step = theorem.statement.value(
            "step", increment=np.exp(stop) - np.exp(start), mmse=np.asarray(model.mmse(start)), gain=gain
        )
        agree(model.step_kl(start, stop), step, tolerances.CANCELLATION)
        start = stop
        total += step
    assert total > 0


def test_gaussian_transitions_by_conditioning() -> None:
    """The same divergence from joint covariances of (z, z'), which mention neither information nor error."""
    covariance = np.array([[1.0, 0.3], [0.3, 0.7]])
    operators = {"fine": np.eye(2), "coarse": np.array([[0.5, 0.5]])}
    stacked = np.concatenate(list(operators.values()))
    start, stop = np.array([-1.0, 0.3]), np.array([0.5, 0.6])
    noise, noise_next = (np.diag(np.exp(-np.repeat(x, [2, 1]))) for x in (start, stop))
    signal = stacked @ covariance @ stacked.T
    now, after = signal + noise, signal + noise_next
    true_mean = after @ np.linalg.inv(now)  # Cov(z', z) = Cov(z')
    true_cov = after - true_mean @ after
    keep = noise_next @ np.linalg.inv(noise)
    mean = keep + (np.eye(3) - keep) @ signal @ np.linalg.inv(now)
    cov = noise_next @ (np.eye(3) - keep)
    inverse, miss = np.linalg.inv(cov), mean - true_mean
    ratio = np.linalg.slogdet(cov)[1] - np.linalg.slogdet(true_cov)[1]
    divergence = 0.5 * (np.trace(inverse @ (true_cov + miss @ now @ miss.T)) - 3 + ratio)
    model = lt.GaussianModel(lt.Covariance(covariance), lt.LinearScales(operators))
    agree(model.step_kl(start, stop), divergence, tolerances.CANCELLATION)
