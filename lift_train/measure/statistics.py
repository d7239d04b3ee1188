"""Means over images with standard errors that know which images come from one source."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float, Int


def mean_and_error(
    values: Float[np.ndarray, "units images ..."], groups: Int[np.ndarray, " images"] | None = None
) -> tuple[Float[np.ndarray, "units ..."], Float[np.ndarray, "units ..."]]:
    """Mean over images and its standard error.

    Deviations from the mean are summed over every source before they are squared, so that images of one source may
    depend on each other in any way; the variance is multiplied by `G / (G - 1)` for G sources. Without groups every
    image is a source.

    Args:
        values: per unit and image.
        groups: number of the source of every image, from `source_numbers`.

    References:
        Liang and Zeger 1986 (for the mean).
    """
    mean = values.mean(axis=1)
    if groups is None:
        return mean, values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    count = int(groups.max()) + 1
    members = (groups == np.arange(count)[:, None]).astype(float)
    sums = np.tensordot(members, values - mean[:, None], axes=(1, 1))
    return mean, np.sqrt(count / (count - 1) * np.square(sums).sum(axis=0)) / values.shape[1]


def source_numbers(groups: Sequence[Hashable] | None, count: int) -> Int[np.ndarray, " images"] | None:
    """Sources numbered in the order in which they appear.

    Args:
        groups: name of the source of every image, or None.
        count: number of images.

    Raises:
        TypeError: if `groups` is no sequence of names.
        ValueError: if there is not one name per image, or only one source.
    """
    if groups is None:
        return None
    if isinstance(groups, str) or not hasattr(groups, "__len__"):
        raise TypeError(f"groups must be a sequence that names the source of every image; got {groups!r}.")
    if len(groups) != count:
        raise ValueError(
            f"groups must name the source of each of the {count} images; got {len(groups)} names."
        )
    numbers: dict[Hashable, int] = {}
    found = np.array([numbers.setdefault(name, len(numbers)) for name in groups])
    if len(numbers) < 2:
        raise ValueError(
            f"all images come from the source {next(iter(numbers))!r}; a standard error over sources needs two. "
            "Add images from others, or leave out groups: then images count as independent."
        )
    return found
