"""Brute-force routes that share no formula with the theorems."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True, kw_only=True)
class FiniteLaw:
    """Data on finitely many points, seen through channels z_k = A_k x + g_k^(-1/2) e_k.

    Expectations over the noise are Gauss-Hermite sums; the posterior is Bayes' rule on the points.
    """

    points: np.ndarray  # (m, d)
    probabilities: np.ndarray  # (m,)
    operators: tuple[np.ndarray, ...]  # (d_k, d) each
    nodes: int = 24

    def posterior(self, snr: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return weight, true point and posterior probabilities of every observation of the quadrature."""
        scale = np.repeat(np.sqrt(snr), [len(a) for a in self.operators])
        signal = scale * (self.points @ np.concatenate(self.operators).T)  # unit noise: u = sqrt(g) A x + e
        node, weight = np.polynomial.hermite_e.hermegauss(self.nodes)
        noise = np.array(list(product(node, repeat=len(scale))))
        weights = np.prod(list(product(weight / weight.sum(), repeat=len(scale))), axis=1)
        truth = np.repeat(np.arange(len(self.points)), len(noise))
        seen = signal[truth] + np.tile(noise, (len(self.points), 1))
        exponent = -((seen[:, None, :] - signal) ** 2).sum(-1) / 2 + np.log(self.probabilities)
        exponent -= exponent.max(1, keepdims=True)
        posterior = np.exp(exponent)
        posterior /= posterior.sum(1, keepdims=True)
        return self.probabilities[truth] * np.tile(weights, len(self.points)), truth, posterior

    def information(self, snr: np.ndarray) -> float:
        """Mutual information in nats: the mean log-ratio of posterior to prior at the true point."""
        weights, truth, posterior = self.posterior(snr)
        ratio = posterior[np.arange(len(truth)), truth] / self.probabilities[truth]
        return float(weights @ np.log(ratio))

    def mmse(self, snr: np.ndarray) -> np.ndarray:
        """Squared distance between each channel's coefficients and their posterior mean, averaged."""
        weights, truth, posterior = self.posterior(snr)
        miss = self.points[truth] - posterior @ self.points
        return np.array([weights @ ((miss @ a.T) ** 2).sum(1) for a in self.operators])

    def coupling(self, snr: np.ndarray) -> np.ndarray:
        """Return (K, K): the mean squared Frobenius norm of A_k Cov(x | z) A_l'."""
        weights, _, posterior = self.posterior(snr)
        mean = posterior @ self.points
        second = np.einsum("zm,mi,mj->zij", posterior, self.points, self.points)
        covariance = second - mean[:, :, None] * mean[:, None, :]
        blocks = [[a @ covariance @ b.T for b in self.operators] for a in self.operators]
        return np.array([[weights @ (block**2).sum((1, 2)) for block in row] for row in blocks])


def slope(function: Callable[[float], float], at: float, step: float = 1e-3) -> float:
    """Differentiate by central differences with one Richardson extrapolation."""
    coarse = (function(at + 2 * step) - function(at - 2 * step)) / (4 * step)
    fine = (function(at + step) - function(at - step)) / (2 * step)
    return (4 * fine - coarse) / 3


def second(
    function: Callable[[np.ndarray], float], at: np.ndarray, k: int, other: int, step: float = 2e-2
) -> float:
    """Differentiate twice, along two axes."""
    unit = np.eye(len(at))

    def inner(t: float) -> float:
        return slope(lambda s: function(at + t * unit[k] + s * unit[other]), 0.0, step)

    return slope(inner, 0.0, step)


def transition_kl(law: FiniteLaw, snr: np.ndarray, snr_next: np.ndarray) -> float:
    """Divergence of the true transition z -> z' from the sampler's, averaged over z, integrated over z'.

    Given z, the true z' is a mixture of bridges, one a point of the law; the sampler has one bridge to the mean.
    """
    noise, noise_next = 1 / snr, 1 / snr_next
    spread = np.sqrt(noise_next * (1 - noise_next / noise))
    pull = np.repeat((1 - noise_next / noise) / spread, [len(a) for a in law.operators])
    centre = pull * (law.points @ np.concatenate(law.operators).T)  # of each bridge, in units of its spread
    node, weight = np.polynomial.hermite_e.hermegauss(law.nodes)
    around = np.array(list(product(node, repeat=centre.shape[1])))
    share = np.prod(list(product(weight / weight.sum(), repeat=centre.shape[1])), axis=1)
    weights, _, posterior = law.posterior(snr)
    guess = posterior @ centre
    total = np.zeros(len(weights))
    for i, one in enumerate(centre):
        place = one + around  # (nodes, D)
        bells = np.exp(-((place[:, None, :] - centre) ** 2).sum(-1) / 2)
        truth = np.log(posterior @ bells.T)  # (observations, nodes)
        sampler = -(place**2).sum(-1) / 2 + guess @ place.T - (guess**2).sum(-1, keepdims=True) / 2
        total += posterior[:, i] * ((truth - sampler) @ share)
    return float(weights @ total)


def least_costs(cost: np.ndarray, steps: int) -> np.ndarray:
    """Return the least total of 1, 2, ..., `steps` moves from the first point to the last by dynamic programming."""
    best, totals = cost[0], [cost[0, -1]]
    for _ in range(steps - 1):
        best = (best[:, None] + cost).min(0)
        totals.append(best[-1])
    return np.array(totals)


def gaussian_costs(variances: np.ndarray, snr: np.ndarray) -> np.ndarray:
    """Cost of every move between the SNRs of one clock; infinite backwards. Determinants and traces only."""
    information = 0.5 * np.log1p(np.outer(snr, variances)).sum(1)
    error = (variances / (1 + np.outer(snr, variances))).sum(1)
    cost = 0.5 * (snr - snr[:, None]) * error[:, None] - (information - information[:, None])
    return np.where(snr >= snr[:, None], cost, np.inf)


def extrapolated(steps: int, totals: np.ndarray) -> float:
    """Estimate the limit of n C_n from n = steps and n = steps / 2, with an error of order 1/n."""
    return float(2 * steps * totals[steps - 1] - steps / 2 * totals[steps // 2 - 1])


def agree(left: object, right: object, tolerance: float) -> None:
    """Assert relative agreement; nan and infinity never agree."""
    left, right = np.asarray(left, float), np.asarray(right, float)
    assert np.isfinite(left).all(), left
    assert np.isfinite(right).all(), right
    np.testing.assert_allclose(left, right, rtol=tolerance, atol=0)
