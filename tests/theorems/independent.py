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
