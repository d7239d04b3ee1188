"""Answers to the questions of `GaussianModel` by routes that share no formula with the package.

`Dense` inverts the covariance of everything that is observed, `Digits` does the same with a hundred digits and builds
the operators itself. Neither knows blocks, trees, information forms or mode weights.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import mpmath
import numpy as np

DIGITS = 200  # signal-to-noise ratios reach 1e55 and steps 1e-8: what cancels in inverses must not reach the result


@dataclass(frozen=True, eq=False)
class Dense:
    """Scales `operators[k] @ x` of Gaussian data, answered by the Wiener filter on all observations at once."""

    covariance: np.ndarray
    operators: list[np.ndarray]

    @classmethod
    def of(cls, law, representation):
        shape = getattr(law, "shape", None) or (law.size,)
        return cls(law.covariance_matrix(), list(representation.matrices(shape).values()))

    @cached_property
    def edges(self):
        return np.cumsum([0, *(len(a) for a in self.operators)])

    def parts(self, matrix):
        cuts = [slice(a, b) for a, b in pairwise(self.edges)]
        return [[matrix[i, j] for j in cuts] for i in cuts]

    @cached_property
    def clean(self):
        """Covariance of the clean coefficients of all scales."""
        stacked = np.concatenate(self.operators)
        return stacked @ self.covariance @ stacked.T

    def noise(self, logsnr):
        return np.repeat(np.exp(-np.asarray(logsnr)), np.diff(self.edges))

    def information(self, logsnr):
        root = 1 / np.sqrt(self.noise(logsnr))
        return 0.5 * np.linalg.slogdet(np.eye(len(root)) + root[:, None] * self.clean * root)[1]

    def filter(self, logsnr):
        """Matrix of the posterior mean, from all noisy observations to all clean coefficients."""
        return np.linalg.solve(self.clean + np.diag(self.noise(logsnr)), self.clean).T

    def posterior(self, logsnr):
        """Covariance of the clean coefficients given the noisy ones, in the form that stays positive (Joseph)."""
        gain = self.filter(logsnr)
        rest = np.eye(len(gain)) - gain
        return rest @ self.clean @ rest.T + (gain * self.noise(logsnr)) @ gain.T

    def mmse(self, logsnr):
        return np.array([np.trace(row[k]) for k, row in enumerate(self.parts(self.posterior(logsnr)))])

    def gram(self, logsnr):
        return np.array([[np.sum(b**2) for b in row] for row in self.parts(self.posterior(logsnr))])

    def metric(self, logsnr):
        g = np.exp(np.asarray(logsnr))
        return 0.5 * np.outer(g, g) * self.gram(logsnr)

    def coupling(self, logsnr):
        gram = self.gram(logsnr)
        return gram / np.sqrt(np.outer(np.diag(gram), np.diag(gram)))

    def step_kl(self, start, stop):
        """The Bregman divergence, literally."""
        change = np.exp(np.asarray(stop)) - np.exp(np.asarray(start))
        return 0.5 * change @ self.mmse(start) - (self.information(stop) - self.information(start))

    def denoiser(self, logsnr, prediction):
        """Matrix of the network from variance-preserving inputs to its predictions, and its parts."""
        signal = np.repeat(np.sqrt(1 / (1 + np.exp(-np.asarray(logsnr)))), np.diff(self.edges))
        sigma = np.repeat(np.sqrt(1 / (1 + np.exp(np.asarray(logsnr)))), np.diff(self.edges))
        data = self.filter(logsnr) / signal
        if prediction == "x0":
            return data
        noise = (np.eye(len(data)) - signal[:, None] * data) / sigma[:, None]
        return noise if prediction == "eps" else signal[:, None] * noise - sigma[:, None] * data

    def jacobian_norms(self, logsnr, prediction):
        return np.array(
            [[np.sum(b**2) for b in row] for row in self.parts(self.denoiser(logsnr, prediction))]
        )


def _exact(array):
    return mpmath.matrix([[mpmath.mpf(float(v)) for v in row] for row in array])


def _kron(a, b):
    out = mpmath.matrix(a.rows * b.rows, a.cols * b.cols)
    for i in range(a.rows):
        for j in range(a.cols):
            for k in range(b.rows):
                for m in range(b.cols):
                    out[i * b.rows + k, j * b.cols + m] = a[i, j] * b[k, m]
    return out


def _cosines(size):
    """Orthonormal DCT-II, row k the k-th cosine."""
    out = mpmath.matrix(size, size)
    for k in range(size):
        for n in range(size):
            norm = mpmath.sqrt(mpmath.mpf(1 if k == 0 else 2) / size)
            out[k, n] = norm * mpmath.cos(mpmath.pi * (2 * n + 1) * k / (2 * size))
    return out


class Digits:
    """The same for a spectrum with many digits: pixels, cosines and operators are formed in `mpmath`.

    The operators come in as float64 matrices; all of ours have entries that are exact in float64 (dyadic fractions),
    except for the bands of cosines, which are given as masks.
    """

    def __init__(self, variances, operators=None, masks=None):
        with mpmath.workdps(DIGITS):
            height, width = variances.shape
            cosines = _kron(_cosines(height), _cosines(width))
            if masks is not None:
                rows = [[i for i, inside in enumerate(mask.ravel()) if inside] for mask in masks]
                parts = [
                    mpmath.matrix([[cosines[i, j] for j in range(cosines.cols)] for i in r]) for r in rows
                ]
            else:
                parts = [_exact(a) for a in operators]
            self.sizes = [p.rows for p in parts]
            stacked = mpmath.matrix([p[i, :].tolist()[0] for p in parts for i in range(p.rows)])
            on_modes = stacked * cosines.T
            flat = [mpmath.mpf(float(v)) for v in variances.ravel()]
            scaled = on_modes.copy()
            for i in range(scaled.rows):
                for j in range(scaled.cols):
                    scaled[i, j] *= flat[j]
            self.clean = scaled * on_modes.T
            self.edges = np.cumsum([0, *self.sizes])
            self._memory = {}

    def _spread(self, values):
        return [v for v, n in zip(values, self.sizes, strict=True) for _ in range(n)]

    def _solved(self, logsnr):
        """Filter, posterior covariance and SNRs at one point."""
        key = tuple(float(v) for v in logsnr)
        if key not in self._memory:
            g = [mpmath.exp(mpmath.mpf(v)) for v in key]
            noise = self._spread([1 / v for v in g])
            gain = self.clean * (self.clean + mpmath.diag(noise)) ** -1
            posterior = gain.copy()  # the error's covariance with the data is that with its own noise
            for j, variance in enumerate(noise):
                for i in range(gain.rows):
                    posterior[i, j] *= variance
            self._memory[key] = g, gain, posterior
        return self._memory[key]

    def _sums(self, matrix):
        count = len(self.sizes)
        out = [[mpmath.mpf(0)] * count for _ in range(count)]
        for k in range(count):
            for m in range(count):
                out[k][m] = mpmath.fsum(
                    matrix[i, j] ** 2
                    for i in range(self.edges[k], self.edges[k + 1])
                    for j in range(self.edges[m], self.edges[m + 1])
                )
        return out

    def information(self, logsnr):
        with mpmath.workdps(DIGITS):
            noise = self._spread([mpmath.exp(-mpmath.mpf(float(v))) for v in logsnr])
            ratio = mpmath.det(self.clean + mpmath.diag(noise)) / mpmath.fprod(noise)
            return mpmath.log(ratio) / 2

    def mmse(self, logsnr):
        with mpmath.workdps(DIGITS):
            posterior = self._solved(logsnr)[2]
            return [mpmath.fsum(posterior[i, i] for i in range(a, b)) for a, b in pairwise(self.edges)]

    def gram(self, logsnr):
        with mpmath.workdps(DIGITS):
            return self._sums(self._solved(logsnr)[2])

    def metric(self, logsnr):
        with mpmath.workdps(DIGITS):
            g, gram = self._solved(logsnr)[0], self.gram(logsnr)
            return [[g[k] * g[m] * v / 2 for m, v in enumerate(row)] for k, row in enumerate(gram)]

    def coupling(self, logsnr):
        with mpmath.workdps(DIGITS):
            gram = self.gram(logsnr)
            return [
                [v / mpmath.sqrt(gram[k][k] * gram[m][m]) for m, v in enumerate(row)]
                for k, row in enumerate(gram)
            ]

    def step_kl(self, start, stop):
        with mpmath.workdps(DIGITS):
            g, h = ([mpmath.exp(mpmath.mpf(float(v))) for v in point] for point in (start, stop))
            linear = mpmath.fsum((b - a) * m for a, b, m in zip(g, h, self.mmse(start), strict=True)) / 2
            return linear - (self.information(stop) - self.information(start))

    def jacobian_norms(self, logsnr, prediction):
        """Norms, and the norms that the two parts of a velocity prediction would have alone."""
        with mpmath.workdps(DIGITS):
            g, gain = self._solved(logsnr)[:2]
            alpha = self._spread([mpmath.sqrt(v / (1 + v)) for v in g])
            sigma = self._spread([1 / mpmath.sqrt(1 + v) for v in g])
            size = gain.rows
            data = mpmath.matrix(size, size)
            noise = mpmath.matrix(size, size)
            velocity = mpmath.matrix(size, size)
            for i in range(size):
                for j in range(size):
                    data[i, j] = gain[i, j] / alpha[j]
                    noise[i, j] = ((1 if i == j else 0) - alpha[i] * data[i, j]) / sigma[i]
                    velocity[i, j] = alpha[i] * noise[i, j] - sigma[i] * data[i, j]
            squares = self._sums({"x0": data, "eps": noise, "v": velocity}[prediction])
            for i in range(size):
                for j in range(size):
                    noise[i, j], data[i, j] = alpha[i] * noise[i, j], sigma[i] * data[i, j]
            parts = self._sums(noise), self._sums(data)
            sizes = [[a + b for a, b in zip(p, q, strict=True)] for p, q in zip(*parts, strict=True)]
            return squares, sizes


def relative_error(value, truth, scale=None):
    """Largest error of a float64 array relative to nested lists of exact numbers (or to `scale`).

    Below 1e-280 the error is taken relative to that, because squares of it leave the range of float64.
    """
    with mpmath.workdps(DIGITS):
        exact = np.array(truth, dtype=object)
        size = exact if scale is None else np.array(scale, dtype=object)
        errors = [
            abs(mpmath.mpf(float(v)) - t) / max(abs(s), mpmath.mpf("1e-280"))
            for v, t, s in zip(np.asarray(value).ravel(), exact.ravel(), size.ravel(), strict=True)
        ]
        return float(max(errors))
