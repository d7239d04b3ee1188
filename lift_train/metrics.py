"""Distances between two sets of images in a space of features, with their uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import whole_number
from lift_train.features import Features, Pixels

COVERAGE = 0.95
"""Share of the resamples inside an interval."""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """A distance between two sets of images.

    Attributes:
        name: which distance in which features.
        value: the estimate.
        standard_error: its standard deviation under resampling.
        interval: 95 % interval of the estimate.
        n: number of images in each set.
    """

    name: str
    value: float
    standard_error: float
    interval: tuple[float, float]
    n: tuple[int, int]


def frechet_distance(
    a: Any, b: Any, features: Features | None = None, *, resamples: int = 50, seed: int = 0
) -> Distance:
    """Frechet distance of Gaussians fitted to the features of two sets: squared 2-Wasserstein distance of the fits.

    `|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a^(1/2) S_b S_a^(1/2))^(1/2))`. It is biased upwards: two sets of one law are
    at a distance of about (features)/(samples) times their variance, more with fewer samples than features, where
    `kernel_distance` or `PrincipalComponents` serve better. The interval is that of the estimate for sets of this
    size (bootstrap, of which the extra bias is taken off), not of the distance of the laws.

    Args:
        a: images in [-1, 1], NumPy (n, height, width[, channels]) or tensor (n, channels, height, width).
        b: likewise.
        features: `Pixels()` if not given.
        resamples: bootstrap resamples of both sets, 2 or more.
        seed: of the resamples.

    Raises:
        ValueError: if a set has fewer than two images, the sets give features of different lengths, or values are
            not finite.

    References:
        Dowson and Landau 1982; Heusel et al. 2017 (with another network).

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.normal(size=(2, 500, 2, 2))
        >>> frechet_distance(a, b).value < 0.05 < frechet_distance(a, b + 1.0).value
        True
    """
    first, second, name = _features(a, b, features)

    def value(i: np.ndarray, j: np.ndarray) -> float:
        return _frechet(first[i], second[j])

    return _resampled(f"FD-{name}", value, (len(first), len(second)), resamples, seed)


def kernel_distance(
    a: Any, b: Any, features: Features | None = None, *, resamples: int = 50, seed: int = 0
) -> Distance:
    """Squared maximum mean discrepancy with the kernel `(x . y / d + 1)^3`, unbiased, in features of length d.

    Zero on average for two sets of one law, whatever their size, so that it may be negative.

    Args:
        a: as for `frechet_distance`.
        b: likewise.
        features: `Pixels()` if not given.
        resamples: bootstrap resamples for the standard error, 2 or more; the interval is normal.
        seed: of the resamples.

    Raises:
        ValueError: as for `frechet_distance`.

    References:
        Gretton et al. 2012, Lemma 6; Binkowski et al. 2018 (with another network).

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.normal(size=(2, 200, 2, 2))
        >>> low, high = kernel_distance(a, b).interval
        >>> low < 0.0 < high
        True
    """
    first, second, name = _features(a, b, features)
    return _kernel_estimate(f"KD-{name}", first, second, resamples, seed)


def _features(a: Any, b: Any, features: Features | None) -> tuple[np.ndarray, np.ndarray, str]:
    chosen = Pixels() if features is None else features
    first, second = (np.asarray(chosen(images), dtype=np.float64) for images in (a, b))
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"both sets must give features of one length; got {first.shape[1]} and {second.shape[1]}. "
            "Resize the images to one size."
        )
    if min(len(first), len(second)) < 2:
        raise ValueError(f"each set needs two images or more; got {len(first)} and {len(second)}.")
    # An order of their own makes the result independent of the order that images came in.
    first, second = (part[np.lexsort(part.T[::-1])] for part in (first, second))
    return first, second, chosen.name


def _frechet(first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]) -> float:
    """From centred samples: singular values of `X_a X_b^T` are those of the product of the roots."""
    means = first.mean(axis=0), second.mean(axis=0)
    left = (first - means[0]) / np.sqrt(len(first) - 1)
    right = (second - means[1]) / np.sqrt(len(second) - 1)
    spread = np.sum(left**2) + np.sum(right**2)
    if left.shape[1] < min(len(left), len(right)):
        left, right = (_root(part) for part in (left, right))
    overlap = np.linalg.svd(left @ right.T, compute_uv=False).sum()
    return float(np.sum((means[0] - means[1]) ** 2) + max(spread - 2.0 * overlap, 0.0))


def _root(centred: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "d d"]:
    """Symmetric root of the covariance, negative rounding set to zero."""
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _resampled(
    name: str, value: Callable[[np.ndarray, np.ndarray], float], n: tuple[int, int], resamples: int, seed: int
) -> Distance:
    """An estimate with a bootstrap interval whose centre is moved back onto the estimate."""
    count = whole_number(resamples, name="resamples", least=2)
    generator = np.random.default_rng(whole_number(seed, name="seed", least=0))
    estimate = value(np.arange(n[0]), np.arange(n[1]))
    draws = np.array(
        [
            value(generator.integers(n[0], size=n[0]), generator.integers(n[1], size=n[1]))
            for _ in range(count)
        ]
    )
    error = float(draws.std(ddof=1))
    tails = np.quantile(draws - draws.mean(), [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Distance(
        name=name,
        value=estimate,
        standard_error=error,
        interval=(max(estimate + float(tails[0]), 0.0), estimate + float(tails[1])),
        n=n,
    )


def _kernel_estimate(name: str, first: np.ndarray, second: np.ndarray, resamples: int, seed: int) -> Distance:
    count = whole_number(resamples, name="resamples", least=2)
    generator = np.random.default_rng(whole_number(seed, name="seed", least=0))
    both = np.concatenate([first, second])
    n, m = len(first), len(second)
    kernel = (both @ both.T / both.shape[1] + 1.0) ** 3
    np.fill_diagonal(kernel, 0.0)

    def value(p: np.ndarray, q: np.ndarray) -> float:
        """With multiplicities of every image; the same image twice is no pair of different ones."""
        within_p = p @ kernel[:n, :n] @ p / (p.sum() ** 2 - p @ p)
        within_q = q @ kernel[n:, n:] @ q / (q.sum() ** 2 - q @ q)
        return float(within_p + within_q - 2.0 * (p @ kernel[:n, n:] @ q) / (p.sum() * q.sum()))

    estimate = value(np.ones(n), np.ones(m))
    draws: list[float] = []
    while len(draws) < count:
        p, q = (generator.multinomial(size, np.full(size, 1 / size)).astype(float) for size in (n, m))
        if p.max() < n and q.max() < m:  # a single image has no pairs
            draws.append(value(p, q))
    error = float(np.std(draws, ddof=1))
    return Distance(
        name=name,
        value=estimate,
        standard_error=error,
        interval=(estimate - 1.96 * error, estimate + 1.96 * error),
        n=(n, m),
    )
