"""Distances between two sets of images in a space of features, with their uncertainty."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lift_theory._validation import whole_number
from lift_train.features import Features, Pixels
from lift_train.measure.statistics import source_numbers

Groups = tuple[Sequence[Hashable] | None, Sequence[Hashable] | None]

WIDTH = 1.96
"""Standard errors on either side of an estimate that make a 95 % interval."""

STEP = 0.25
"""Relative change of the weights of sources by which a Frechet distance is differentiated."""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """A distance between two sets of images.

    Attributes:
        name: which distance in which features.
        value: the estimate.
        standard_error: its standard deviation over other sets of this size.
        interval: the estimate and 1.96 standard errors either side, for a Frechet distance not below zero.
        n: number of images in each set.
    """

    name: str
    value: float
    standard_error: float
    interval: tuple[float, float]
    n: tuple[int, int]


def frechet_distance(
    a: Any,
    b: Any,
    features: Features | None = None,
    *,
    groups: Groups = (None, None),
    draws: int = 25,
    seed: int = 0,
) -> Distance:
    """Frechet distance of Gaussians fitted to the features of two sets: squared 2-Wasserstein distance of the fits.

    `|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a^(1/2) S_b S_a^(1/2))^(1/2))`. It is biased upwards: two sets of one law are
    at a distance of about (features)/(samples) times their variance, more with fewer samples than features, where
    `kernel_distance` or `PrincipalComponents` serve better. The interval is that of the estimate for sets of this
    size, not of the distance of the laws. In simulations errors over standard errors had a deviation of 0.75 to 0.95
    for sets of one law, whose standard error is the more careful one, and of 0.9 to 1.2 for two laws.

    Args:
        a: images in [-1, 1], NumPy (n, height, width[, channels]) or tensor (n, channels, height, width).
        b: likewise.
        features: `Pixels()` if not given.
        groups: names of the source of every image of a and of b, each None for images that count as independent.
            Sources of the two sets count as different ones. Patches of one photograph are more alike than
            images of the law: without their sources the standard error is too small.
        draws: of random signs for the standard error, 2 or more; each takes four distances.
        seed: of the draws.

    Raises:
        TypeError: if `groups` is no pair of sequences.
        ValueError: if a set has fewer than two images or sources, the sets give features of different lengths, or
            values are not finite.

    References:
        Dowson and Landau 1982; Heusel et al. 2017 (with another network).

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.normal(size=(2, 500, 2, 2))
        >>> frechet_distance(a, b).value < 0.05 < frechet_distance(a, b + 1.0).value
        True
    """
    samples, name = _samples(a, b, features, groups)
    value = _frechet(samples[0].values, samples[1].values)
    found = _distance(f"FD-{name}", value, _frechet_error(samples, draws, seed), samples)
    return replace(found, interval=(max(found.interval[0], 0.0), found.interval[1]))


def kernel_distance(
    a: Any, b: Any, features: Features | None = None, *, groups: Groups = (None, None)
) -> Distance:
    """Squared maximum mean discrepancy with the kernel `(x . y / d + 1)^3`, unbiased, in features of length d.

    Zero on average for two sets of one law, whatever their size, so that it may be negative. It is a mean over pairs
    of images, those of one set from different sources. The standard error allows for the estimate being of second
    order for sets of one law. In simulations errors over standard errors had a deviation of 1.0 to 1.25 for sets of
    two laws. For one law the estimate is skewed to the right and the standard error too large: the deviation was
    0.85 for sixteen features of one variance, 0.65 to 0.75 where a few features dominate.

    Args:
        a: as for `frechet_distance`.
        b: likewise.
        features: `Pixels()` if not given.
        groups: as for `frechet_distance`; without it the estimate, too, is too large for two sets of one law.

    Raises:
        TypeError: as for `frechet_distance`.
        ValueError: as for `frechet_distance`.

    References:
        Gretton et al. 2012, Lemma 6; Binkowski et al. 2018 (with another network). Szekely and Rizzo 2014, Prop. 1
        (the unbiased variance of a centred kernel).

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.normal(size=(2, 200, 2, 2))
        >>> low, high = kernel_distance(a, b).interval
        >>> low < 0.0 < high
        True
    """
    samples, name = _samples(a, b, features, groups)
    return _distance(f"KD-{name}", *_kernel(*samples), samples)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sample:
    """Features, those of one source next to each other, and how many each source has."""

    values: Float[np.ndarray, "n d"]
    sizes: Int[np.ndarray, " sources"]


def _samples(
    a: Any, b: Any, features: Features | None, groups: Groups
) -> tuple[tuple[_Sample, _Sample], str]:
    chosen = Pixels() if features is None else features
    if not isinstance(groups, tuple) or len(groups) != 2:
        raise TypeError(
            f"groups must be a pair, (sources of a or None, sources of b or None); got {groups!r}."
        )
    first, second = (np.asarray(chosen(images), dtype=np.float64) for images in (a, b))
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"both sets must give features of one length; got {first.shape[1]} and {second.shape[1]}. "
            "Resize the images to one size."
        )
    if min(len(first), len(second)) < 2:
        raise ValueError(f"each set needs two images or more; got {len(first)} and {len(second)}.")
    return (_ordered(first, groups[0]), _ordered(second, groups[1])), chosen.name


def _ordered(values: Float[np.ndarray, "n d"], groups: Sequence[Hashable] | None) -> _Sample:
    """In an order of their own, which makes the result independent of the order that images came in."""
    order = np.lexsort(values.T[::-1])
    found = source_numbers(groups, len(values))
    if found is None:
        return _Sample(values=values[order], sizes=np.ones(len(values), dtype=int))
    _, first, numbers = np.unique(found[order], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[numbers]
    return _Sample(values=values[order[np.argsort(rank, kind="stable")]], sizes=np.bincount(rank))


def _distance(name: str, value: float, error: float, samples: tuple[_Sample, _Sample]) -> Distance:
    return Distance(
        name=name,
        value=value,
        standard_error=error,
        interval=(value - WIDTH * error, value + WIDTH * error),
        n=(len(samples[0].values), len(samples[1].values)),
    )


def _frechet(
    first: Float[np.ndarray, "n d"],
    second: Float[np.ndarray, "m d"],
    weights: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " m"]] | None = None,
) -> float:
    """From centred samples: singular values of `X_a X_b^T` are those of the product of the roots."""
    counts = weights or (np.ones(len(first)), np.ones(len(second)))
    (left, mean), (right, other) = (_centred(x, w) for x, w in zip((first, second), counts, strict=True))
    spread = np.sum(left**2) + np.sum(right**2)
    if left.shape[1] < min(len(left), len(right)):
        left, right = (_root(part) for part in (left, right))
    overlap = np.linalg.svd(left @ right.T, compute_uv=False).sum()
    return float(np.sum((mean - other) ** 2) + max(spread - 2.0 * overlap, 0.0))


def _centred(
    values: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " d"]]:
    """Rows whose sum of squares is the covariance, and the mean."""
    shares = weights / weights.sum()
    mean = shares @ values
    return (values - mean) * np.sqrt(shares * (len(values) / (len(values) - 1)))[:, None], mean


def _root(centred: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "d d"]:
    """Symmetric root of the covariance, negative rounding set to zero."""
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _frechet_error(samples: tuple[_Sample, _Sample], draws: int, seed: int) -> float:
    """Standard error from small changes of the weights of sources, by random signs.

    With the signs of half the sources turned, the differences of four estimates give the term of first order in the
    changes, whose variance at the sample is that of the estimate plus once too often that of its term of second order
    (all there is for two sets of one law), and that term itself, which is taken off.
    """
    count = whole_number(draws, name="draws", least=2)
    generator = np.random.default_rng(whole_number(seed, name="seed", least=0))
    sources = [len(part.sizes) for part in samples]
    steps = np.concatenate([np.full(g, STEP * np.sqrt(g / (g - 1))) for g in sources])

    def value(changes: np.ndarray) -> float:
        parts = np.split(1.0 + steps * changes, sources[:1])
        a, b = (np.repeat(part, sample.sizes) for part, sample in zip(parts, samples, strict=True))
        return _frechet(samples[0].values, samples[1].values, (a, b))

    slopes, curvatures = [], []
    for _ in range(count):
        half, signs = generator.choice([-1.0, 1.0], size=(2, sum(sources)))
        up, down, turned, back = (value(changes) for changes in (signs, -signs, signs * half, -signs * half))
        slopes += [(up - down) / (2.0 * STEP), (turned - back) / (2.0 * STEP)]
        curvatures.append((up + down - turned - back) / (4.0 * STEP**2))
    return _corrected(float(np.mean(np.square(slopes))), 2.0 * float(np.mean(np.square(curvatures))))


def _corrected(first_order: float, second_order: float) -> float:
    """The root of a variance that counts its term of second order twice, less that term."""
    return float(np.sqrt(max(first_order - second_order, second_order)))


def _kernel(first: _Sample, second: _Sample) -> tuple[float, float]:
    """The estimate, a ratio of sums over pairs of sources, and its standard error.

    The squares of the influences of sources estimate the variance of the linear part and twice that of the quadratic
    part, which follows from the kernel less its means.
    """
    both = np.concatenate([first.values, second.values])
    kernel = (both @ both.T / both.shape[1] + 1.0) ** 3
    n, sizes = len(first.values), (first.sizes, second.sizes)
    sums, weights = _over_sources(kernel[:n, n:], *sizes), np.outer(*sizes)
    mean, influences = _ratio(sums, weights)
    spread = _spread(sums / weights, weights)
    value, linear, quadratic = -2.0 * mean, 0.0, 4.0 * spread * _concentration(weights)
    for part, own, other in zip((kernel[:n, :n], kernel[n:, n:]), sizes, influences, strict=True):
        count = len(own)
        sums, weights = _over_sources(part, own, own), np.outer(own, own)
        np.fill_diagonal(sums, 0.0)  # images of one source are no pair of independent ones
        means, weights = sums / weights, weights * (1.0 - np.eye(count))
        mean, (influence, _) = _ratio(sums, weights)
        value += mean
        linear += count / (count - 1) * float(np.sum((2.0 * influence - 2.0 * other) ** 2))
        quadratic += 2.0 * (_spread_within(means, weights) if count > 3 else spread) * _concentration(weights)
    return value, _corrected(linear, quadratic)


def _over_sources(
    matrix: Float[np.ndarray, "n m"], rows: Int[np.ndarray, " a"], columns: Int[np.ndarray, " b"]
) -> Float[np.ndarray, "a b"]:
    """Sums over the pairs of images of two sources."""
    for axis, sizes in enumerate((rows, columns)):
        matrix = np.add.reduceat(matrix, np.cumsum(sizes) - sizes, axis=axis)
    return matrix


def _ratio(
    sums: Float[np.ndarray, "a b"], weights: Float[np.ndarray, "a b"]
) -> tuple[float, tuple[Float[np.ndarray, " a"], Float[np.ndarray, " b"]]]:
    """The mean over all pairs, and how it changes with the weight of each row and of each column."""
    total = weights.sum()
    mean = float(sums.sum() / total)
    rest = (sums - mean * weights) / total
    return mean, (rest.sum(axis=1), rest.sum(axis=0))


def _concentration(weights: Float[np.ndarray, "a b"]) -> float:
    """One over the number of pairs if all have one weight."""
    return float(np.sum(weights**2) / np.sum(weights) ** 2)


def _spread(means: Float[np.ndarray, "a b"], weights: Float[np.ndarray, "a b"]) -> float:
    """Mean square of what rows and columns leave unexplained, unbiased."""
    centred = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    lost = np.prod([count / (count - 1) for count in means.shape])
    return float(lost * np.sum((weights * centred) ** 2) / np.sum(weights**2))


def _spread_within(means: Float[np.ndarray, "a a"], weights: Float[np.ndarray, "a a"]) -> float:
    """The same for a symmetric matrix without its diagonal, four rows or more."""
    count, rows = len(means), means.sum(axis=0)
    centred = means - (rows + rows[:, None]) / (count - 2) + means.sum() / ((count - 1) * (count - 2))
    return float((count - 1) / (count - 3) * np.sum((weights * centred) ** 2) / np.sum(weights**2))
