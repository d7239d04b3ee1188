"""Samplers written out plainly on Gaussian data, as simulations and as dense matrices.

`simulate` runs a sampler on sampled fields, one list entry per scale, with the Wiener filter as its network. `sampled`
multiplies explicit matrices. The two are written from the definitions twice, in different variables: the simulation
filters the state (a denoiser), the matrices use the gradient of the state's log-density (a score). Neither knows modes,
blocks, closed forms or how the package propagates a covariance.

A grid holds noise-to-data ratios for the samplers of `SIGMA`, times of the variance-preserving diffusion for those of
`VP`, shape (points, scales), from noise to data.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.linalg import block_diag

import lift_theory as lt

SIGMA = ("DDIM", "Ancestral", "Heun", "DPMSolverPP2M")
VP = ("EulerMaruyama", "ExponentialIntegrator", "DDPM", "Euler", "VP Heun", "RK4")
BETA = (0.05, 10.0)


def package_sampler(name):
    """The package's object of that name."""
    if name in SIGMA:
        return getattr(lt, name)()
    return getattr(lt, name.removeprefix("VP "))(lt.VPLinear(beta_start=BETA[0], beta_end=BETA[1]))


def beta(t):
    return BETA[0] + (BETA[1] - BETA[0]) * t


def decay(t):
    """Integral of beta from 0 to t."""
    return BETA[0] * t + (BETA[1] - BETA[0]) * t**2 / 2


def logsnr_of(name, grid):
    with np.errstate(divide="ignore"):
        if name in SIGMA:
            return -2 * np.log(grid)
        signal = np.exp(-2 * decay(grid))
        return np.log(signal) - np.log(-np.expm1(-2 * decay(grid)))


def w2_squared(true, sampled):
    """Squared Bures distance: the nuclear norm of a product of square roots is the largest correlation."""
    nuclear = np.linalg.svd(_root(true).T @ _root(sampled), compute_uv=False).sum()
    return np.trace(true) + np.trace(sampled) - 2 * nuclear


def kl(true, sampled):
    """KL(true || sampled) of centred Gaussian laws; infinite unless both fill the same subspace."""
    values, vectors = np.linalg.eigh(true)
    inside = values > 1e-10 * values[-1]
    outside = vectors[:, ~inside]
    if np.trace(outside.T @ sampled @ outside) > 1e-10 * np.trace(sampled):
        return np.inf
    p, q = (vectors[:, inside].T @ m @ vectors[:, inside] for m in (true, sampled))
    if np.linalg.eigvalsh(q)[0] <= 1e-12 * np.trace(q):
        return np.inf
    return 0.5 * (
        np.trace(np.linalg.solve(q, p)) - len(p) + np.linalg.slogdet(q)[1] - np.linalg.slogdet(p)[1]
    )


def _root(matrix):
    """A square root; directions without variance get none, where rounding would leave the root of an epsilon."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.where(values > 1e-12 * values[-1], values, 0.0))


@dataclass(frozen=True, eq=False)
class Plain:
    """Scales `operators[k] @ x` of Gaussian data, and the matrix that reads an image from all of them."""

    covariance: np.ndarray
    operators: list[np.ndarray]
    decoder: np.ndarray

    @classmethod
    def of(cls, model):
        shape = getattr(model.law, "shape", None) or (model.law.size,)
        operators = list(model.representation.matrices(shape).values())
        return cls(model.law.covariance_matrix(), operators, decoder(model.representation, operators, shape))

    @cached_property
    def sizes(self):
        return [len(a) for a in self.operators]

    @cached_property
    def clean(self):
        stacked = np.concatenate(self.operators)
        return stacked @ self.covariance @ stacked.T

    def spread(self, per_scale):
        return np.repeat(per_scale, self.sizes)

    def blocks(self, matrix):
        """The diagonal block of each scale."""
        edges = np.cumsum([0, *self.sizes])
        return [matrix[a:b, a:b] for a, b in pairwise(edges)]

    def permuted(self, order):
        return replace(self, operators=[self.operators[k] for k in order])

    # what the samplers should produce

    def truth(self, name, grid, target):
        """Covariance of the true law at the last point, or of the clean coefficients."""
        if target == "data":
            return self.clean
        return self.marginal(name, grid[-1])

    def marginal(self, name, point):
        if name in SIGMA:
            return self.clean + np.diag(self.spread(point**2))
        signal = self.spread(np.exp(-decay(point)))
        return signal[:, None] * self.clean * signal + np.diag(1 - signal**2)

    def errors(self, name, grid, init, target, output):
        """True and sampled covariance of the asked output."""
        laws = self.truth(name, grid, target), self.sampled(name, grid, init)
        if output == "scales":
            return laws
        return tuple(self.decoder @ law @ self.decoder.T for law in laws)

    # dense matrices

    def sampled(self, name, grid, init):
        """Covariance of the sampler's output."""
        if init == "exact":
            start = self.marginal(name, grid[0])
        else:
            start = np.diag(self.spread(grid[0] ** 2 if name in SIGMA else np.ones(len(self.sizes))))
        if name == "DPMSolverPP2M":
            return self._two_step(grid, start)
        covariance = start
        for here, there in pairwise(grid):
            matrix, noise = getattr(self, "_" + name.lower().replace(" ", "_"))(here, there)
            covariance = matrix @ covariance @ matrix.T + np.diag(noise)
        return covariance

    def _flow(self, point):
        """Matrix of the noise that the exact network sees in a state: sigma^2 times minus the score."""
        noise = self.spread(point**2)
        return noise[:, None] * np.linalg.inv(self.clean + np.diag(noise))

    def _filter(self, point):
        return np.eye(len(self.clean)) - self._flow(point)

    def _ddim(self, here, there):
        step = self.spread(there / here - 1)
        return np.eye(len(step)) + step[:, None] * self._flow(here), 0 * step

    def _ancestral(self, here, there):
        keep = self.spread(there**2 / here**2)
        matrix = np.diag(keep) + (1 - keep)[:, None] * self._filter(here)
        return matrix, self.spread(there**2 * (1 - there**2 / here**2))

    def _heun(self, here, there):
        step = self.spread(there - here)[:, None]
        one = np.eye(len(step))
        first = self._flow(here) / self.spread(here)[:, None]
        if not there.any():
            return one + step * first, np.zeros(len(step))
        second = self._flow(there) / self.spread(there)[:, None] @ (one + step * first)
        return one + step * (first + second) / 2, np.zeros(len(step))

    def _two_step(self, grid, start):
        """Matrix from the first state to the present one, and from it to the last denoised fields."""
        total = np.eye(len(start))
        denoised = old = None
        for i, (here, there) in enumerate(pairwise(grid)):
            old, denoised = denoised, self._filter(here) @ total
            weight = np.zeros(len(here))
            if i > 0 and there.all():
                before, now = np.log(grid[i - 1] / here), np.log(here / there)
                weight = np.where(before > 0, now / (2 * np.where(before > 0, before, 1.0)), 0.0)
            weight = self.spread(weight)[:, None]
            mixed = denoised if old is None else (1 + weight) * denoised - weight * old
            ratio = self.spread(there / here)[:, None]
            total = ratio * total + (1 - ratio) * mixed
        return total @ start @ total.T

    def _score(self, point):
        """Gradient of the log-density of the variance-preserving state, as a matrix on the state."""
        return -np.linalg.inv(self.marginal("VP", point))

    def _eulermaruyama(self, here, there):
        pace = self.spread((here - there) * beta(here))
        one = np.eye(len(pace))
        return one + pace[:, None] * (one + 2 * self._score(here)), 2 * pace

    def _exponentialintegrator(self, here, there):
        gain = self.spread(np.exp(decay(here) - decay(there)))
        one = np.eye(len(gain))
        return gain[:, None] * one + 2 * (gain - 1)[:, None] * self._score(here), gain**2 - 1

    def _ddpm(self, here, there):
        variance = self.spread(2 * (here - there) * beta(here))
        one = np.eye(len(variance))
        return (one + variance[:, None] * self._score(here)) / np.sqrt(1 - variance)[:, None], variance

    def _slope(self, here, there, part):
        """Change of the state per step, a fraction `part` of the way: scale k is at its own time."""
        point = here + part * (there - here)
        pace = self.spread((here - there) * beta(point))
        return pace[:, None] * (np.eye(len(pace)) + self._score(point))

    def _euler(self, here, there):
        return np.eye(len(self.clean)) + self._slope(here, there, 0.0), np.zeros(len(self.clean))

    def _vp_heun(self, here, there):
        one, first, last = (
            np.eye(len(self.clean)),
            self._slope(here, there, 0.0),
            self._slope(here, there, 1.0),
        )
        return one + (first + last @ (one + first)) / 2, np.zeros(len(one))

    def _rk4(self, here, there):
        one, middle = np.eye(len(self.clean)), self._slope(here, there, 0.5)
        k1 = self._slope(here, there, 0.0)
        k2 = middle @ (one + k1 / 2)
        k3 = middle @ (one + k2 / 2)
        k4 = self._slope(here, there, 1.0) @ (one + k3)
        return one + (k1 + 2 * k2 + 2 * k3 + k4) / 6, np.zeros(len(one))

    # simulation

    def simulate(self, name, grid, init, count, seed=0):
        """States (coefficients, count) that the sampler ends with, started from sampled fields or white noise."""
        generator = np.random.default_rng(seed)

        def white(k):
            return generator.standard_normal((self.sizes[k], count))

        scales = range(len(self.sizes))
        images = _root(self.covariance) @ generator.standard_normal((len(self.covariance), count))
        if name in SIGMA:
            state = [
                (a @ images if init == "exact" else 0) + grid[0][k] * white(k)
                for k, a in enumerate(self.operators)
            ]
        else:
            alpha = np.exp(-decay(grid[0]))
            state = [
                alpha[k] * (a @ images) + np.sqrt(1 - alpha[k] ** 2) * white(k)
                if init == "exact"
                else white(k)
                for k, a in enumerate(self.operators)
            ]
        before = old = None  # the step before the present one, for the multistep method
        for here, there in pairwise(grid):
            if name in SIGMA:
                new = self._sigma_step(name, state, here, there, before, old, white)
                before, old = here, self.denoise(state, here)
            else:
                new = self._vp_step(name, state, here, there, white)
            state = [new[k] if here[k] != there[k] else state[k] for k in scales]
        return np.concatenate(state)

    def denoise(self, state, sigma):
        """Posterior means of the clean coefficients of every scale given all of them."""
        noise = np.diag(self.spread(sigma**2))
        means = self.clean @ np.linalg.solve(self.clean + noise, np.concatenate(state))
        return np.split(means, np.cumsum(self.sizes)[:-1])

    def _sigma_step(self, name, state, here, there, before, old, white):
        scales = range(len(state))
        mean = self.denoise(state, here)
        if name == "DDIM":
            return [mean[k] + there[k] / here[k] * (state[k] - mean[k]) for k in scales]
        if name == "Ancestral":
            ratio = there**2 / here**2
            spread = there * np.sqrt(1 - ratio)
            return [ratio[k] * state[k] + (1 - ratio[k]) * mean[k] + spread[k] * white(k) for k in scales]
        if name == "Heun":
            slope = [(state[k] - mean[k]) / here[k] for k in scales]
            guess = [state[k] + (there[k] - here[k]) * slope[k] for k in scales]
            if not there.any():
                return guess
            mean = self.denoise(guess, there)
            again = [(guess[k] - mean[k]) / there[k] for k in scales]
            return [state[k] + (there[k] - here[k]) * (slope[k] + again[k]) / 2 for k in scales]
        assert name == "DPMSolverPP2M"
        new = []
        for k in scales:
            data = mean[k]
            if before is not None and there[k] > 0 and before[k] > here[k]:
                r = np.log(before[k] / here[k]) / np.log(here[k] / there[k]) if there[k] < here[k] else np.inf
                data = (1 + 1 / (2 * r)) * mean[k] - 1 / (2 * r) * old[k]
            shrink = there[k] / here[k]
            new.append(shrink * state[k] + (1 - shrink) * data)
        return new

    def _score_of(self, state, time):
        if not time.any():
            return np.split(-np.linalg.solve(self.clean, np.concatenate(state)), np.cumsum(self.sizes)[:-1])
        alpha = np.exp(-decay(time))
        mean = self.denoise([x / a for x, a in zip(state, alpha, strict=True)], np.sqrt(1 - alpha**2) / alpha)
        return [(a * m - x) / (1 - a**2) for a, m, x in zip(alpha, mean, state, strict=True)]

    def _vp_step(self, name, state, here, there, white):
        scales = range(len(state))
        h = here - there

        def drift(state, time):
            score = self._score_of(state, time)
            return [h[k] * beta(time[k]) * (state[k] + score[k]) for k in scales]

        def moved(part, slope):
            return [state[k] + part * slope[k] for k in scales]

        if name == "Euler":
            return moved(1.0, drift(state, here))
        if name == "VP Heun":
            first = drift(state, here)
            second = drift(moved(1.0, first), there)
            return [state[k] + (first[k] + second[k]) / 2 for k in scales]
        if name == "RK4":
            k1 = drift(state, here)
            k2 = drift(moved(0.5, k1), (here + there) / 2)
            k3 = drift(moved(0.5, k2), (here + there) / 2)
            k4 = drift(moved(1.0, k3), there)
            return [state[k] + (k1[k] + 2 * k2[k] + 2 * k3[k] + k4[k]) / 6 for k in scales]
        score = self._score_of(state, here)
        new = []
        for k in scales:
            if name == "EulerMaruyama":
                pace = h[k] * beta(here[k])
                mean, variance = state[k] + pace * (state[k] + 2 * score[k]), 2 * pace
            elif name == "ExponentialIntegrator":
                change = decay(here[k]) - decay(there[k])
                mean = state[k] + np.expm1(change) * (state[k] + 2 * score[k])
                variance = np.expm1(2 * change)
            else:
                assert name == "DDPM"
                variance = 2 * h[k] * beta(here[k])
                mean = (state[k] + variance * score[k]) / np.sqrt(1 - variance)
            new.append(mean + np.sqrt(variance) * white(k))
        return new


def decoder(representation, operators, shape):
    """Matrix that reads an image from all scales."""
    sizes = [len(a) for a in operators]
    if isinstance(representation, lt.AveragePyramid):
        return np.concatenate([np.eye(sizes[0]), np.zeros((sizes[0], sum(sizes[1:])))], axis=1)
    if isinstance(representation, lt.ResidualPyramid):
        # z_0 + U_0 (z_1 + U_1 (z_2 + ...)), with the up-sampling U that `A_k = M_k - U_k M_(k+1)` defines
        total, columns = np.eye(sizes[0]), []
        for k, operator in enumerate(operators[:-1]):
            columns.append(total)
            finer, coarser = means(shape, k), means(shape, k + 1)
            total = total @ (finer - operator) @ np.linalg.pinv(coarser)
        return np.concatenate([*columns, total], axis=1)
    if isinstance(representation, lt.LinearScales):
        return np.linalg.pinv(np.concatenate(operators))
    return np.concatenate(operators).T


def means(shape, levels):
    """Means of 2^levels x 2^levels pixels, channel by channel."""
    factor = 2**levels
    pooled = [np.kron(np.eye(n // factor), np.full((1, factor), 1 / factor)) for n in shape[-2:]]
    return block_diag(*[np.kron(*pooled)] * (shape[0] if len(shape) == 3 else 1))
