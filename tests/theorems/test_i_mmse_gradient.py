"""The slope of the information, against a law that is not Gaussian and against the package."""

import functools

import jax
import numpy as np
import pytest
import tolerances
from independent import FiniteLaw, slope

from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.i_mmse_gradient import theorem

SNR = np.array([0.6, 0.9])
LAW = FiniteLaw(
    points=np.array([[1.0, 0.2], [-0.5, 1.1], [0.3, -0.8]]),
    probabilities=np.array([0.5, 0.3, 0.2]),
    operators=(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.5, 0.5]])),
)


@functools.cache
def measured() -> tuple[np.ndarray, np.ndarray]:
    """Return (slopes, squared errors) of both channels; no formula connects the two."""
    unit = np.eye(2)
    slopes = [slope(lambda t, k=k: LAW.information(SNR + t * unit[k]), 0.0) for k in range(2)]
    return np.array(slopes), LAW.mmse(SNR)


def check(statement: Statement) -> None:
    """Differentiate the information of a three-point law numerically, with its channels correlated."""
    slopes, errors = measured()
    np.testing.assert_allclose(
        statement.value("slope", mmse=errors), slopes, rtol=tolerances.FINITE_DIFFERENCE
    )


def test_the_two_channels_are_told_apart() -> None:
    slopes, errors = measured()
    assert abs(slopes[0] / slopes[1] - 1) > 0.1  # else swapping them would go unnoticed
    assert errors == pytest.approx(2 * slopes, rel=tolerances.FINITE_DIFFERENCE)


def test_the_package_has_this_slope() -> None:
    lt = pytest.importorskip("lift_theory")
    covariance = np.array([[1.0, 0.3, 0.1], [0.3, 0.7, -0.2], [0.1, -0.2, 0.4]])
    operators = {"fine": np.eye(3), "coarse": np.array([[0.5, 0.5, 0.0]])}
    model = lt.GaussianModel(lt.Covariance(covariance), lt.LinearScales(operators))
    for logsnr in np.array([[-3.0, 1.0], [0.5, -0.7], [2.0, 4.0]]):
        per_logsnr = jax.jit(jax.grad(lambda x: model.mutual_information(x)))(logsnr)
        expected = theorem.statement.value("slope", mmse=np.asarray(model.mmse(logsnr)))
        np.testing.assert_allclose(per_logsnr / np.exp(logsnr), expected, rtol=tolerances.ROUND_OFF)
