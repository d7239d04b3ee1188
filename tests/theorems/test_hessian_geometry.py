"""The curvature of the plane of noise levels, against Brioschi's formula in log-SNR and dense algebra."""

import functools
from itertools import product

import mpmath
import numpy as np
import pytest
import tolerances

from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.hessian_geometry import theorem

LOGSNR = ((-0.6, 0.9), (0.4, -0.3))


class Plane:
    """Gaussian data with dense covariance and operators, in arbitrary precision."""

    def __init__(self, covariance: np.ndarray, operators: tuple[np.ndarray, np.ndarray]) -> None:
        self.prior = mpmath.matrix(covariance.tolist()) ** -1
        self.operators = [mpmath.matrix(a.tolist()) for a in operators]

    def precision(self, snr: list) -> mpmath.matrix:
        a, b = self.operators
        return self.prior + snr[0] * a.T * a + snr[1] * b.T * b

    def information(self, *snr: object) -> object:
        return mpmath.log(mpmath.det(self.precision(list(snr))) / mpmath.det(self.prior)) / 2

    def metric(self, k: int, m: int, *logsnr: object) -> object:
        """g_k g_m ‖A_k Cov A_m'‖² / 2 in log-SNR."""
        snr = [mpmath.exp(x) for x in logsnr]
        block = self.operators[k] * self.precision(snr) ** -1 * self.operators[m].T
        return snr[k] * snr[m] * sum(x**2 for x in block) / 2

    def brioschi(self, logsnr: tuple[float, float]) -> float:
        """Gaussian curvature of any two-dimensional metric, from its derivatives up to the second."""

        def derivative(k: int, m: int, *order: int) -> object:
            return mpmath.diff(functools.partial(self.metric, k, m), logsnr, order)

        with mpmath.workdps(30):
            e, f, g = (self.metric(k, m, *logsnr) for k, m in ((0, 0), (0, 1), (1, 1)))
            e_u, e_v = derivative(0, 0, 1, 0), derivative(0, 0, 0, 1)
            f_u, f_v = derivative(0, 1, 1, 0), derivative(0, 1, 0, 1)
            g_u, g_v = derivative(1, 1, 1, 0), derivative(1, 1, 0, 1)
            corner = derivative(0, 1, 1, 1) - (derivative(0, 0, 0, 2) + derivative(1, 1, 2, 0)) / 2
            with_second = mpmath.matrix(
                [[corner, e_u / 2, f_u - e_v / 2], [f_v - g_u / 2, e, f], [g_v / 2, f, g]]
            )
            without = mpmath.matrix([[0, e_v / 2, g_u / 2], [e_v / 2, e, f], [g_u / 2, f, g]])
            return float((mpmath.det(with_second) - mpmath.det(without)) / (e * g - f**2) ** 2)

    def jet(self, logsnr: tuple[float, float]) -> dict[str, float]:
        """Second and third derivatives of minus the information in the SNRs."""
        names = {"h": 2, "t": 3}
        with mpmath.workdps(30):
            snr = tuple(mpmath.exp(x) for x in logsnr)
            return {
                f"{name}_{'1' * (order - i)}{'2' * i}": -float(
                    mpmath.diff(self.information, snr, (order - i, i))
                )
                for name, order in names.items()
                for i in range(order + 1)
            }


def cosine_modes(size: int) -> np.ndarray:
    """Rows are the orthonormal cosine modes of samples at half-integers."""
    grid = np.cos(np.pi * np.outer(np.arange(size), np.arange(size) + 0.5) / size)
    return grid / np.linalg.norm(grid, axis=1, keepdims=True)


def averages(size: int) -> np.ndarray:
    return np.kron(np.eye(size // 2), np.array([[0.5, 0.5]]))


def falling_image(size: int) -> np.ndarray:
    modes = cosine_modes(size)
    return modes.T @ np.diag(4.0 / (1 + np.arange(size)) ** 2) @ modes


PAIR = {"v_high": 0.7, "v_low": 2.3, "rho": 0.8}
CROSS = PAIR["rho"] * np.sqrt(PAIR["v_high"] * PAIR["v_low"])


def planes() -> dict[str, Plane]:
    modes = cosine_modes(6)
    variances = np.diag([3.0, 1.5, 0.8, 0.3, 0.2, 0.1])
    return {
        "correlated": Plane(
            np.array([[1.0, 0.3, 0.1], [0.3, 0.7, -0.2], [0.1, -0.2, 0.4]]),
            (np.eye(3), np.array([[0.5, 0.5, 0.0]])),
        ),
        "pair": Plane(
            np.array([[PAIR["v_high"], CROSS], [CROSS, PAIR["v_low"]]]),
            (np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])),
        ),
        "bands": Plane(modes.T @ variances @ modes, (modes[3:], modes[:3])),
        "ideal low-pass": Plane(modes.T @ variances @ modes, (np.eye(6), modes[:3] / np.sqrt(2))),
        "box": Plane(falling_image(6), (np.eye(6), averages(6))),
    }


@functools.cache
def curvature(name: str, logsnr: tuple[float, float]) -> float:
    return planes()[name].brioschi(logsnr)


@functools.cache
def jet(name: str, logsnr: tuple[float, float]) -> dict[str, float]:
    return planes()[name].jet(logsnr)


@functools.cache
def folded(size: int, mode: int) -> tuple[dict[str, float], float]:
    """Weights and variances of two modes that alias, and ρ² of the averages and details of their sum."""
    modes = cosine_modes(size)
    pair = modes[[mode, size - mode]]
    variances = np.array([1.7, 0.4])
    covariance = pair.T @ np.diag(variances) @ pair
    average = averages(size) @ pair[0]
    low = averages(size).T @ average
    low /= np.linalg.norm(low)
    rest = pair[0] - low * (low @ pair[0])
    rest /= np.linalg.norm(rest)
    weights = pair @ low
    squared = (low @ covariance @ rest) ** 2 / ((low @ covariance @ low) * (rest @ covariance @ rest))
    named = {"c_1": variances[0], "c_2": variances[1], "b_1": weights[0], "b_2": weights[1]}
    return {k: float(v) for k, v in named.items()}, float(squared)


def check(statement: Statement) -> None:
    """Compare with a formula for surfaces in general, with dense bands, and with averages of cosines."""
    for name, at in product(("correlated", "pair"), LOGSNR):
        np.testing.assert_allclose(
            statement.value("curvature", **jet(name, at)), curvature(name, at), rtol=tolerances.CANCELLATION
        )
    for name in ("bands", "ideal low-pass"):
        assert statement.value("separated") == pytest.approx(curvature(name, LOGSNR[0]), abs=1e-12)
    for at in LOGSNR:
        high, low = np.exp(at)
        np.testing.assert_allclose(
            statement.value("aliased", g_high=high, g_low=low, **PAIR),
            curvature("pair", at),
            rtol=tolerances.CANCELLATION,
        )
    for mode in (1, 3):
        values, squared = folded(8, mode)
        np.testing.assert_allclose(
            statement.value("correlation", **values), squared, rtol=tolerances.CANCELLATION
        )


def test_a_box_filter_bends_the_plane_and_an_ideal_one_does_not() -> None:
    assert curvature("box", LOGSNR[0]) < -1e-3
    assert abs(curvature("ideal low-pass", LOGSNR[1])) < 1e-12


def test_high_snr_is_flat_though_the_scales_do_not_separate() -> None:
    bent = [abs(curvature("correlated", (x, x))) for x in (2.0, 5.0, 8.0)]
    assert bent[0] > 10 * bent[1] > 100 * bent[2]
    plane = planes()["correlated"]
    cross = plane.metric(0, 1, 8.0, 8.0)
    assert cross**2 > 0.1 * plane.metric(0, 0, 8.0, 8.0) * plane.metric(1, 1, 8.0, 8.0)


def test_curvature_of_blocks_does_not_add_up() -> None:
    one = planes()["pair"].brioschi(LOGSNR[0])
    covariance = np.array([[PAIR["v_high"], CROSS], [CROSS, PAIR["v_low"]]])
    twice = Plane(np.kron(np.eye(2), covariance), (np.eye(4)[[0, 2]], np.eye(4)[[1, 3]]))
    assert twice.brioschi(LOGSNR[0]) == pytest.approx(
        one / 2, rel=tolerances.CANCELLATION
    )  # the determinant grows by 2³, (det h)² by 2⁴


def test_the_package_has_this_curvature() -> None:
    lt = pytest.importorskip("lift_theory")
    from lift_theory.optimize import gaussian_curvature

    dense = lt.GaussianModel(
        lt.Covariance(np.array([[PAIR["v_high"], CROSS], [CROSS, PAIR["v_low"]]])),
        lt.LinearScales({"high": np.array([[1.0, 0.0]]), "low": np.array([[0.0, 1.0]])}),
    )
    model = lt.GaussianModel(
        lt.Covariance(falling_image(6)), lt.LinearScales({"x": np.eye(6), "mean": averages(6)})
    )
    for at in LOGSNR:
        high, low = np.exp(at)
        expected = theorem.statement.value("aliased", g_high=high, g_low=low, **PAIR)
        assert float(gaussian_curvature(dense, np.array(at))) == pytest.approx(
            expected, rel=tolerances.CANCELLATION
        )
        assert float(gaussian_curvature(model, np.array(at))) == pytest.approx(
            curvature("box", at), rel=tolerances.CANCELLATION
        )


def test_the_package_finds_bands_flat_and_averages_bent() -> None:
    lt = pytest.importorskip("lift_theory")
    from lift_theory.optimize import gaussian_curvature

    law = lt.Spectrum.power_law((8, 8))
    at = np.array(LOGSNR)
    assert np.abs(gaussian_curvature(lt.GaussianModel(law, lt.DctBands((4,))), at)).max() < 1e-12
    assert np.abs(gaussian_curvature(lt.GaussianModel(law, lt.AveragePyramid()), at)).min() > 1e-6
