"""Block formulas against dense matrices, and the cosine weights against an actual transform."""

import functools

import numpy as np
import scipy.fft
import tolerances
from independent import agree

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.gaussian_information import theorem

FINE_SNR, COARSE_SNR = 0.8, 2.5
VARIANCES, ROW = np.array([3.0, 0.4, 0.05]), np.array([0.6, -0.3, 0.2])
SIZE = 24


@functools.cache
def dense() -> dict[str, np.ndarray]:
    stacked = np.vstack([np.eye(3), ROW])
    noise = np.diag([1 / FINE_SNR] * 3 + [1 / COARSE_SNR])
    prior = np.diag(VARIANCES)
    seen = stacked @ prior @ stacked.T + noise
    posterior = prior - prior @ stacked.T @ np.linalg.solve(seen, stacked @ prior)
    information = 0.5 * (np.linalg.slogdet(seen)[1] - np.linalg.slogdet(noise)[1])
    root = np.sqrt(prior)
    eigenvalues = np.linalg.eigvalsh(root @ stacked.T @ np.linalg.inv(noise) @ stacked @ root)
    transform = scipy.fft.dct(np.eye(SIZE), norm="ortho", axis=0)
    coarse = scipy.fft.dct(np.eye(SIZE // 2), norm="ortho", axis=0)
    average = np.kron(np.eye(SIZE // 2), [[0.5, 0.5]])
    return {
        "information": information,
        "posterior": posterior,
        "eigenvalues": eigenvalues,
        "weights": coarse @ average @ transform.T,
    }


def check(statement: Statement) -> None:
    reference = dense()
    block = {"variance": VARIANCES, "row": ROW, "g_H": FINE_SNR, "g_L": COARSE_SNR}
    posterior = reference["posterior"]
    agree(
        statement.value("general", eigenvalue=reference["eigenvalues"]),
        reference["information"],
        tolerances.ROUND_OFF,
    )
    agree(statement.value("information", **block), reference["information"], tolerances.ROUND_OFF)
    agree(statement.value("error_coarse", **block), ROW @ posterior @ ROW, tolerances.ROUND_OFF)
    agree(statement.value("error_fine", **block), np.trace(posterior), tolerances.ROUND_OFF)
    agree(statement.value("covariance", **block), posterior[0, 1], tolerances.ROUND_OFF)
    for mode in (1, 5, 11):
        kept, aliased = reference["weights"][mode, [mode, SIZE - mode]]
        agree(statement.value("kept", k=mode, N=SIZE), kept, tolerances.ROUND_OFF)
        agree(statement.value("aliased", k=mode, N=SIZE), aliased, tolerances.ROUND_OFF)


def test_nothing_else_aliases_onto_a_mode() -> None:
    weights = dense()["weights"].copy()
    modes = np.arange(1, SIZE // 2)
    weights[modes, modes] = weights[modes, SIZE - modes] = weights[0, 0] = 0
    assert abs(weights).max() < tolerances.ROUND_OFF
    agree(theorem.statement.value("kept", k=0, N=SIZE), dense()["weights"][0, 0], tolerances.ROUND_OFF)


def test_the_package_agrees() -> None:
    operators = {"fine": np.eye(3), "coarse": ROW[None]}
    model = lt.GaussianModel(lt.Covariance(np.diag(VARIANCES)), lt.LinearScales(operators))
    logsnr = np.log([FINE_SNR, COARSE_SNR])
    block = {"variance": VARIANCES, "row": ROW, "g_H": FINE_SNR, "g_L": COARSE_SNR}
    value = theorem.statement.value
    agree(model.mutual_information(logsnr), value("information", **block), tolerances.ROUND_OFF)
    errors = [value(name, **block) for name in ("error_fine", "error_coarse")]
    agree(model.mmse(logsnr), errors, tolerances.ROUND_OFF)
