"""Jacobians of both predictions in the variables of a diffusion, differentiated numerically."""

import functools
from itertools import product

import numpy as np
import pytest
import tolerances
from independent import FiniteLaw

from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.chain_rule_factor import theorem

SNR = np.array([0.6, 0.9])
OPERATORS = (np.eye(2), np.array([[0.5, 0.5]]))
LAW = FiniteLaw(
    points=np.array([[1.0, 0.2], [-0.5, 1.1], [0.3, -0.8]]),
    probabilities=np.array([0.5, 0.3, 0.2]),
    operators=OPERATORS,
)
PARTS = {0: slice(0, 2), 1: slice(2, 3)}
STEP = 1e-3


def levels(snr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """√ᾱ and √(1 − ᾱ) of every coefficient."""
    kept = np.repeat(snr / (1 + snr), [len(a) for a in OPERATORS])
    return np.sqrt(kept), np.sqrt(1 - kept)


def predictions(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return data and noise prediction of every coefficient, by Bayes' rule on the points."""
    alpha, sigma = levels(SNR)
    clean = LAW.points @ np.concatenate(OPERATORS).T
    weights = LAW.probabilities * np.exp(-(((seen[:, None, :] - alpha * clean) / sigma) ** 2).sum(-1) / 2)
    data = weights @ clean / weights.sum(1, keepdims=True)
    return data, (seen - alpha * data) / sigma


@functools.cache
def measured() -> dict[str, np.ndarray]:
    """Mean squared norms of the blocks of both Jacobians, and mean traces: quadrature over x_t."""
    alpha, sigma = levels(SNR)
    node, weight = np.polynomial.hermite_e.hermegauss(LAW.nodes)
    noise = np.array(list(product(node, repeat=3)))
    chance = np.prod(list(product(weight / weight.sum(), repeat=3)), axis=1)
    clean = LAW.points @ np.concatenate(OPERATORS).T
    seen = (alpha * clean[:, None, :] + sigma * noise).reshape(-1, 3)
    chance = (LAW.probabilities[:, None] * chance).ravel()

    def derivative(direction: np.ndarray) -> np.ndarray:
        wide, narrow = (
            (np.array(predictions(seen + h * direction)) - predictions(seen - h * direction)) / (2 * h)
            for h in (2 * STEP, STEP)
        )
        return (4 * narrow - wide) / 3

    jacobians = np.stack([derivative(unit) for unit in np.eye(3)], axis=-1)  # (2, points, output, input)
    norms = [
        [[chance @ (j[:, PARTS[k], PARTS[m]] ** 2).sum((1, 2)) for m in PARTS] for k in PARTS]
        for j in jacobians
    ]
    traces = [chance @ np.einsum("pii->p", jacobians[1][:, PARTS[k], PARTS[k]]) for k in PARTS]
    return {"data": np.array(norms[0]), "noise": np.array(norms[1]), "noise_trace": np.array(traces)}


@functools.cache
def posterior() -> tuple[np.ndarray, np.ndarray]:
    """Return mean squared posterior covariances and denoising errors: no derivative."""
    return LAW.coupling(SNR), LAW.mmse(SNR)


@functools.cache
def one_mode(snr: float, variance: float) -> tuple[float, float, float]:
    """Unit that turns x_t into u, squared Jacobian of the noise prediction, and Φ²: linear regression."""
    alpha, sigma = np.sqrt(snr / (1 + snr)), np.sqrt(1 / (1 + snr))
    total = alpha**2 * variance + sigma**2
    noise_slope = sigma / total  # Cov(e, x_t) / Var(x_t)
    left_over = variance - (alpha * variance) ** 2 / total
    return (snr / alpha, noise_slope**2, left_over**2)


def check(statement: Statement) -> None:
    """Compare Jacobians with posterior covariances of a three-point law whose channels are correlated."""
    found, (coupling, errors) = measured(), posterior()
    for k, m in product(PARTS, repeat=2):
        known = {"S_l": SNR[m], "jacobian": found["data"][k, m]}
        np.testing.assert_allclose(
            statement.value("covariance", **known), coupling[k, m], rtol=tolerances.FINITE_DIFFERENCE
        )
        np.testing.assert_allclose(
            statement.value("metric", S_k=SNR[k], **known),
            SNR[k] * SNR[m] * coupling[k, m] / 2,
            rtol=tolerances.FINITE_DIFFERENCE,
        )
        if k != m:
            np.testing.assert_allclose(
                statement.value("across", S_k=SNR[k], jacobian=found["data"][k, m]),
                found["noise"][k, m],
                rtol=tolerances.FINITE_DIFFERENCE,
            )
    for k, size in ((0, 2), (1, 1)):
        np.testing.assert_allclose(
            statement.value("within", S_l=SNR[k], d=size, trace=errors[k], coupling=coupling[k, k]),
            found["noise"][k, k] / (SNR[k] * (1 + SNR[k])),
            rtol=tolerances.FINITE_DIFFERENCE,
        )
        np.testing.assert_allclose(
            statement.value(
                "repaired",
                S_l=SNR[k],
                d=size,
                noise_trace=found["noise_trace"][k],
                noise_norm=found["noise"][k, k],
            ),
            coupling[k, k],
            rtol=tolerances.FINITE_DIFFERENCE,
        )
    for snr, variance in ((0.3, 2.0), (5.0, 0.7)):
        unit, noise, spread = one_mode(snr, variance)
        np.testing.assert_allclose(statement.value("localisation", S_l=snr), unit, rtol=tolerances.ROUND_OFF)
        np.testing.assert_allclose(
            statement.value("one_mode", S_l=snr, c=variance),
            noise / (snr * (1 + snr)) / spread,
            rtol=tolerances.ROUND_OFF,
        )


def test_the_factor_is_not_exact_for_the_noise_prediction() -> None:
    found, (coupling, _) = measured(), posterior()
    factor = 1 / (SNR * (1 + SNR))
    ratios = factor * np.diag(found["noise"]) / np.diag(coupling)
    assert np.all(np.abs(np.log(ratios)) > 0.3)
    assert abs(np.log(ratios[0] / ratios[1])) > 0.1  # nor wrong by one constant


def test_the_package_has_these_jacobians() -> None:
    lt = pytest.importorskip("lift_theory")
    covariance = np.array([[1.0, 0.3, 0.1], [0.3, 0.7, -0.2], [0.1, -0.2, 0.4]])
    operators = {"fine": np.eye(3), "coarse": np.array([[0.5, 0.5, 0.0]])}
    model = lt.GaussianModel(lt.Covariance(covariance), lt.LinearScales(operators))
    for logsnr in np.array([[-3.0, 1.0], [0.5, -0.7], [2.0, 1.5]]):
        snr, metric = np.exp(logsnr), np.asarray(model.metric(logsnr))
        data, noise = (np.asarray(model.jacobian_norms(logsnr, kind)) for kind in ("x0", "eps"))
        value = theorem.statement.value
        np.testing.assert_allclose(
            value("metric", S_k=snr[:, None], S_l=snr, jacobian=data), metric, rtol=tolerances.ROUND_OFF
        )
        coupling, errors = 2 * np.diag(metric) / snr**2, np.asarray(model.mmse(logsnr))
        np.testing.assert_allclose(
            value("within", S_l=snr, d=np.array(model.sizes), trace=errors, coupling=coupling),
            np.diag(noise) / (snr * (1 + snr)),
            rtol=tolerances.CANCELLATION,
        )
        across = value("across", S_k=snr[:, None], jacobian=data)
        np.testing.assert_allclose(across[[0, 1], [1, 0]], noise[[0, 1], [1, 0]], rtol=tolerances.ROUND_OFF)
