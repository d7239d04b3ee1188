"""The curvature of the information, by numerical second derivatives and against the package."""

import functools

import jax
import numpy as np
import pytest
import tolerances
from independent import FiniteLaw, agree, second, slope

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.mutual_information_hessian import theorem

SNR = np.array([0.6, 0.9])
POINTS = np.array([[1.0, 0.2], [-0.5, 1.1], [0.3, -0.8]])
MIX = np.array([[0.5, 0.5]])
LAW = FiniteLaw(points=POINTS, probabilities=np.array([0.5, 0.3, 0.2]), operators=(np.eye(2), MIX), nodes=14)
TWINS = FiniteLaw(points=POINTS, probabilities=np.array([0.5, 0.3, 0.2]), operators=(MIX, MIX))
PAIRS = ((0, 0), (0, 1), (1, 1))


@functools.cache
def measured() -> tuple[list[float], list[float], np.ndarray, np.ndarray]:
    curvature = [-second(LAW.information, SNR, k, other) for k, other in PAIRS]
    by_logsnr = [-second(lambda x: LAW.information(np.exp(x)), np.log(SNR), k, other) for k, other in PAIRS]
    unit = np.eye(2)
    for i, (k, other) in enumerate(PAIRS):
        if k == other:  # the second derivative in log-SNR also sees the slope
            by_logsnr[i] += slope(lambda t, k=k: LAW.information(SNR * np.exp(t * unit[k])), 0.0)
    return curvature, by_logsnr, LAW.coupling(SNR), TWINS.coupling(SNR)


def check(statement: Statement) -> None:
    curvature, metric, coupling, twins = measured()
    for i, (k, other) in enumerate(PAIRS):
        norm = coupling[k, other]
        agree(statement.value("curvature", coupling=norm), curvature[i], tolerances.SECOND_DIFFERENCE)
        value = statement.value("metric", coupling=norm, g_k=SNR[k], g_l=SNR[other])
        agree(value, metric[i], tolerances.SECOND_DIFFERENCE)
    assert coupling[0, 1] <= statement.value("bound", own_k=coupling[0, 0], own_l=coupling[1, 1])
    agree(
        statement.value("bound", own_k=twins[0, 0], own_l=twins[1, 1]), twins[0, 1], tolerances.ROUND_OFF
    )  # attained


def test_the_package_has_this_metric() -> None:
    covariance = np.array([[1.0, 0.3, 0.1], [0.3, 0.7, -0.2], [0.1, -0.2, 0.4]])
    operators = {"fine": np.eye(3), "coarse": np.array([[0.5, 0.5, 0.0]])}
    model = lt.GaussianModel(lt.Covariance(covariance), lt.LinearScales(operators))
    for logsnr in np.array([[-3.0, 1.0], [0.5, -0.7], [2.0, 4.0]]):
        g = np.exp(logsnr)
        posterior = np.linalg.inv(
            np.linalg.inv(covariance) + sum(s * a.T @ a for s, a in zip(g, operators.values(), strict=True))
        )
        metric = np.asarray(model.metric(logsnr))
        for k, a in enumerate(operators.values()):
            for other, b in enumerate(operators.values()):
                norm = ((a @ posterior @ b.T) ** 2).sum()
                expected = theorem.statement.value("metric", coupling=norm, g_k=g[k], g_l=g[other])
                agree(metric[k, other], expected, tolerances.CANCELLATION)
        hessian = -np.asarray(jax.jit(jax.hessian(lambda x: model.mutual_information(x)))(logsnr))
        hessian += np.diag(g * np.asarray(model.mmse(logsnr)) / 2)
        agree(hessian, metric, tolerances.CANCELLATION)


def test_the_form_is_positive_for_three_channels() -> None:
    third = np.array([[1.0, -1.0]])
    law = FiniteLaw(
        points=POINTS, probabilities=LAW.probabilities, operators=(MIX, third, third @ MIX.T * MIX), nodes=16
    )
    eigenvalues = np.linalg.eigvalsh(law.coupling(np.array([0.6, 0.9, 0.4])))
    assert eigenvalues[-1] == pytest.approx(abs(eigenvalues).max())
    assert eigenvalues[0] > -tolerances.ROUND_OFF * eigenvalues[-1]
