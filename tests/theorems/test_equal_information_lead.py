"""Leads and their effect on the low band, by eigenvalues of explicit averaging matrices."""

import numpy as np
import scipy.optimize
import tolerances
from independent import agree

import lift_theory as lt
from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.equal_information_lead import theorem

RATIOS = (np.sqrt(2), 2.0, 4.0)


def low_band(lead: float, ratio: float) -> float:
    """SNR of the low band over that of the high band."""
    samples = round(ratio**2)
    average = np.full((1, samples), 1 / samples)
    eigenvalues = np.linalg.eigvalsh(np.eye(samples) + np.exp(lead) * average.T @ average)
    return eigenvalues[-1] / eigenvalues[0]


def check(statement: Statement) -> None:
    for ratio in RATIOS:
        for lead in (-1.5, 0.0, 2.3):
            agree(statement.value("gain", lead=lead, r=ratio), low_band(lead, ratio), tolerances.ROUND_OFF)
        doubling = scipy.optimize.brentq(lambda lead, r=ratio: low_band(lead, r) - 2, -5, 9, xtol=1e-13)
        agree(statement.value("doubling", r=ratio), doubling, tolerances.ROUND_OFF)
        agree(statement.value("decibel", r=ratio), 10 * np.log10(low_band(0.0, ratio)), tolerances.ROUND_OFF)


def test_two_by_two_averages() -> None:
    agree(theorem.statement.value("doubling", r=2.0), 1.386, 1e-3)
    agree(theorem.statement.value("decibel", r=2.0), 0.969, 1e-3)


def test_the_package_counts_from_this_line() -> None:
    lead = theorem.statement.value("doubling", r=2.0)
    path = lt.Path(np.array([[-2.0, -2.0 + lead], [1.0, 1.0 + lead]]))
    bands = lt.to_orthogonal(path).logsnr
    agree(bands[:, 1] - bands[:, 0], np.log([2.0, 2.0]), tolerances.ROUND_OFF)
    assert np.abs(path.lead(2.0)).max() < tolerances.ROUND_OFF
