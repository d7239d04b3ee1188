"""Small Gaussian models written for these tests alone: dense matrices, no blocks."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class DenseGaussian:
    """Scales with whitened Gram matrices `S^(1/2) A_k^T A_k S^(1/2)`, stacked as (scales, d, d)."""

    grams: jax.Array
    names: tuple[str, ...] = field(default=(), metadata={"static": True})

    @property
    def scales(self) -> tuple[str, ...]:
        return self.names or tuple(f"scale{k}" for k in range(len(self.grams)))

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.grams.shape[-1],) * len(self.grams)

    def _module(self, logsnr):
        """NumPy for arrays (nothing to compile), JAX for everything that may be traced."""
        numeric = isinstance(logsnr, np.ndarray) and not isinstance(self.grams, jax.core.Tracer)
        return (np, np.asarray(self.grams)) if numeric else (jnp, jnp.asarray(self.grams))

    def _posterior(self, logsnr):
        xp, grams = self._module(logsnr)
        eye = xp.eye(grams.shape[-1])
        return xp, grams, xp.linalg.inv(eye + xp.einsum("...k,kij->...ij", xp.exp(logsnr), grams))

    def mutual_information(self, logsnr):
        xp, grams = self._module(logsnr)
        precision = xp.eye(grams.shape[-1]) + xp.einsum("...k,kij->...ij", xp.exp(logsnr), grams)
        return 0.5 * xp.linalg.slogdet(precision)[1]

    def mmse(self, logsnr):
        xp, grams, covariance = self._posterior(logsnr)
        return xp.einsum("kij,...ji->...k", grams, covariance)

    def metric(self, logsnr):
        xp, grams, covariance = self._posterior(logsnr)
        snr = xp.exp(logsnr)
        products = xp.einsum("kij,...jl->...kil", grams, covariance)
        gram = xp.einsum("...kij,...lji->...kl", products, products)
        return 0.5 * gram * snr[..., :, None] * snr[..., None, :]

    def step_kl(self, start, stop):
        xp, grams, covariance = self._posterior(start)
        move = xp.exp(start) * xp.expm1(stop - start)
        ratio = covariance @ xp.einsum("...k,kij->...ij", move, grams)
        information = xp.linalg.slogdet(xp.eye(grams.shape[-1]) + ratio)[1]
        return 0.5 * (xp.trace(ratio, axis1=-2, axis2=-1) - information)


def independent(*variances) -> DenseGaussian:
    """Every scale sees its own independent modes with the given variances."""
    size = sum(len(v) for v in variances)
    grams = np.zeros((len(variances), size, size))
    offset = 0
    for k, values in enumerate(variances):
        for value in values:
            grams[k, offset, offset] = value
            offset += 1
    return DenseGaussian(jnp.asarray(grams))


def random_gaussian(seed: int, scales: int, size: int = 4) -> DenseGaussian:
    """Scales that overlap: random operators of random rank on a random covariance."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size)) * np.exp(rng.uniform(-2.0, 2.0, size=size))
    grams = []
    for k in range(scales):
        operator = rng.normal(size=(max(1, size - 2 * k), size)) @ root
        grams.append(operator.T @ operator)
    return DenseGaussian(jnp.asarray(np.stack(grams)))


def averaging_pyramid(variances, pairs: int = 1) -> DenseGaussian:
    """A signal of independent pairs and the mean of each pair."""
    root = np.diag(np.sqrt(np.asarray(variances, dtype=float)))
    mean = np.zeros((pairs, 2 * pairs))
    for i in range(pairs):
        mean[i, 2 * i : 2 * i + 2] = 0.5
    rotation = np.kron(np.eye(pairs), np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2.0))
    mix = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    signal = rotation @ np.kron(np.eye(pairs), mix) @ root
    coarse = mean @ signal
    return DenseGaussian(jnp.asarray(np.stack([signal.T @ signal, coarse.T @ coarse])), ("fine", "coarse"))
