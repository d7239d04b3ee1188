"""Jacobians of all three predictions in the variables of a diffusion, differentiated numerically."""

import functools
from itertools import product

import numpy as np
import pytest
import tolerances
from independent import FiniteLaw, agree

from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.cross_jacobian import theorem

SNR = np.array([0.6, 0.9])
FAINT = 1e-4  # signal-to-noise ratio of the predicted scale, for the limit
OPERATORS = (np.eye(2), np.array([[0.5, 0.5]]))
LAW = FiniteLaw(
    points=np.array([[1.0, 0.2], [-0.5, 1.1], [0.3, -0.8]]),
    probabilities=np.array([0.5, 0.3, 0.2]),
    operators=OPERATORS,
    nodes=16,
)
SIZES = [len(a) for a in OPERATORS]
PARTS = (slice(0, 2), slice(2, 3))
STEP = 1e-3


def predictions(seen: np.ndarray, snr: np.ndarray) -> np.ndarray:
    """Return data, noise and velocity of every coefficient, by Bayes' rule on the points."""
    kept = np.repeat(snr / (1 + snr), SIZES)
    alpha, sigma = np.sqrt(kept), np.sqrt(1 - kept)
    clean = LAW.points @ np.concatenate(OPERATORS).T
    weights = LAW.probabilities * np.exp(-(((seen[:, None, :] - alpha * clean) / sigma) ** 2).sum(-1) / 2)
    data = weights @ clean / weights.sum(1, keepdims=True)
    noise = (seen - alpha * data) / sigma
    return np.array([data, noise, alpha * noise - sigma * data])


@functools.cache
def measured(fine: float, coarse: float) -> np.ndarray:
    """Mean squared norms (prediction, output scale, input scale): quadrature over what is seen."""
    snr = np.array([fine, coarse])
    kept = np.repeat(snr / (1 + snr), SIZES)
    node, weight = np.polynomial.hermite_e.hermegauss(LAW.nodes)
    noise = np.array(list(product(node, repeat=3)))
    chance = np.prod(list(product(weight / weight.sum(), repeat=3)), axis=1)
    clean = LAW.points @ np.concatenate(OPERATORS).T
    seen = (np.sqrt(kept) * clean[:, None, :] + np.sqrt(1 - kept) * noise).reshape(-1, 3)
    chance = (LAW.probabilities[:, None] * chance).ravel()

    def derivative(direction: np.ndarray) -> np.ndarray:
        wide, narrow = (
            (predictions(seen + h * direction, snr) - predictions(seen - h * direction, snr)) / (2 * h)
            for h in (2 * STEP, STEP)
        )
        return (4 * narrow - wide) / 3

    jacobians = np.stack([derivative(unit) for unit in np.eye(3)], axis=-1)  # (3, points, output, input)
    return np.array(
        [[[chance @ (j[:, k, m] ** 2).sum((1, 2)) for m in PARTS] for k in PARTS] for j in jacobians]
    )


@functools.cache
def posterior() -> tuple[np.ndarray, np.ndarray]:
    """Return mean squared posterior covariances and denoising errors: no derivative."""
    return LAW.coupling(SNR), LAW.mmse(SNR)


@functools.cache
def regression(snr: float) -> tuple[float, float]:
    """Squared slope of y_k on x_l for a Gaussian pair seen through z_k as well, and Var(y_l | z_k): least squares."""
    kept = snr / (1 + snr)
    root = np.array([[1.0, 0.0], [0.6, 0.5]])  # of the covariance of (y_k, y_l)
    signal = np.array([root[0], np.sqrt(kept) * root[1]])
    seen = np.hstack([signal, np.diag([np.sqrt(1 / 0.4), np.sqrt(1 - kept)])])  # z_k has SNR 0.4
    slopes = np.linalg.lstsq(seen.T, np.append(root[0], [0.0, 0.0]), rcond=None)[0]
    alone = np.linalg.lstsq(seen[:1].T, np.append(root[1], [0.0, 0.0]), rcond=None)[0]
    left = np.append(root[1], [0.0, 0.0]) - alone @ seen[:1]
    return float(slopes[1] ** 2), float(left @ left)


def check(statement: Statement) -> None:
    """Compare Jacobians with posterior covariances of a three-point law, and with least squares."""
    found, (covariance, errors) = measured(*SNR), posterior()
    data, noise, velocity = found
    for k, m in ((0, 1), (1, 0)):
        known = {"S_l": SNR[m], "cross": covariance[k, m]}
        agree(statement.value("data", **known), data[k, m], tolerances.FINITE_DIFFERENCE)
        agree(statement.value("noise", S_k=SNR[k], **known), noise[k, m], tolerances.FINITE_DIFFERENCE)
        agree(statement.value("velocity", S_k=SNR[k], **known), velocity[k, m], tolerances.FINITE_DIFFERENCE)
        per_unit = data[k, m] * SNR[m] / (1 + SNR[m])  # z is x over the root of this
        agree(statement.value("units_of_data", **known), per_unit, tolerances.FINITE_DIFFERENCE)
    for k in range(2):
        known = {"S_k": SNR[k], "d": SIZES[k], "trace": errors[k], "own": covariance[k, k]}
        agree(statement.value("noise_within", **known), noise[k, k], tolerances.FINITE_DIFFERENCE)
        agree(statement.value("velocity_within", **known), velocity[k, k], tolerances.FINITE_DIFFERENCE)
    jacobians = {"J_HH": data[0, 0], "J_HL": data[0, 1], "J_LH": data[1, 0], "J_LL": data[1, 1]}
    coupling = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    agree(statement.value("coupling", **jacobians), coupling, tolerances.FINITE_DIFFERENCE)
    shares = [measured(s, SNR[1])[1, 0] for s in (FAINT, FAINT / 2)]
    far, near = (share[1] / share[0] / s for share, s in zip(shares, (FAINT, FAINT / 2), strict=True))
    limit = {"S_l": SNR[1], "d": SIZES[0], "cross": LAW.coupling(np.array([1e-12, SNR[1]]))[0, 1]}
    agree(statement.value("vanishing_share", **limit), 2 * near - far, tolerances.SECOND_DIFFERENCE)
    (before, v), (after, _) = regression(0.3), regression(50.0)
    known = {"S_l": 0.3, "S_after": 50.0, "v": v}
    agree(statement.value("growth", **known), after / before, tolerances.ROUND_OFF)


def test_a_share_says_nothing_about_the_coupling() -> None:
    """Near to noise the noise prediction's share is tiny; the coupling is not."""
    jacobians = measured(FAINT, SNR[1])
    names = dict(zip(("J_HH", "J_HL", "J_LH", "J_LL"), jacobians[0].ravel(), strict=True))
    assert theorem.statement.value("coupling", **names) > 0.3
    assert jacobians[1, 0, 1] / jacobians[1, 0, 0] < 1e-5


def test_growth_is_that_of_every_prediction() -> None:
    noisy, clean = measured(*SNR), measured(SNR[0], 5 * SNR[1])
    growth = (clean / noisy)[:, 0, 1]
    np.testing.assert_allclose(growth, growth[0], rtol=tolerances.FINITE_DIFFERENCE)


def test_the_package_has_these_jacobians() -> None:
    lt = pytest.importorskip("lift_theory")
    covariance = np.array([[1.0, 0.3, 0.1], [0.3, 0.7, -0.2], [0.1, -0.2, 0.4]])
    operators = {"fine": np.eye(3), "coarse": np.array([[0.5, 0.5, 0.0]])}
    model = lt.GaussianModel(lt.Covariance(covariance), lt.LinearScales(operators))
    value = theorem.statement.value
    for logsnr in np.array([[-3.0, 1.0], [0.5, -0.7], [2.0, 1.5]]):
        snr = np.exp(logsnr)
        norms = 2 * np.asarray(model.metric(logsnr)) / snr / snr[:, None]
        known = {"S_k": snr[:, None], "S_l": snr, "cross": norms}
        for name, kind in (("data", "x0"), ("noise", "eps"), ("velocity", "v")):
            jacobians = np.asarray(model.jacobian_norms(logsnr, kind))
            off = ~np.eye(2, dtype=bool)
            agree(value(name, **known)[off], jacobians[off], tolerances.CANCELLATION)
            if name != "data":
                within = {"S_k": snr, "d": np.array(model.sizes), "trace": np.asarray(model.mmse(logsnr))}
                own = value(f"{name}_within", own=np.diag(norms), **within)
                agree(own, np.diag(jacobians), tolerances.CANCELLATION)
        data = np.asarray(model.jacobian_norms(logsnr, "x0"))
        blocks = dict(zip(("J_HH", "J_HL", "J_LH", "J_LL"), data.ravel(), strict=True))
        agree(value("coupling", **blocks), np.asarray(model.coupling(logsnr))[0, 1], tolerances.CANCELLATION)
