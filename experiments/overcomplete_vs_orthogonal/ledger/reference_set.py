"""Distances of many sets of samples to one set of images, of which what they need is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_train import features, metrics


@dataclass(frozen=True)
class _AsGiven:
    """Features that are there already."""

    name: str

    def __call__(self, images: Any) -> Float[np.ndarray, "n features"]:
        return np.asarray(images)


class ReferenceSet:
    """Images that sets of samples are compared with.

    The values are those of `lift_train.metrics`, which computes what belongs to the images again for every set, and a
    standard error besides.
    """

    def __init__(self, images: Float[np.ndarray, "n height width *channels"]) -> None:
        pixels = features.Pixels()(images)
        self._mean = pixels.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(pixels, rowvar=False))
        self._root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        self._images = images
        self._textures: np.ndarray | None = None

    def pixels(self, samples: Float[np.ndarray, "m height width *channels"]) -> float:
        """Frechet distance of pixel values: squared 2-Wasserstein distance of Gaussian fits."""
        values = features.Pixels()(samples)
        shift = values.mean(axis=0) - self._mean
        centred = (values - values.mean(axis=0)) / np.sqrt(len(values) - 1)
        overlap = np.linalg.svd(centred @ self._root, compute_uv=False).sum()
        spread = np.sum(centred**2) + np.sum(self._root**2)
        return float(shift @ shift + max(spread - 2.0 * overlap, 0.0))

    def textures(self, vectors: Float[np.ndarray, "m features"]) -> float:
        """Kernel distance to the images in features of random convolutions, which the samples come in."""
        if self._textures is None:
            self._textures = features.RandomConvolutions()(self._images)
        return metrics.kernel_distance(vectors, self._textures, _AsGiven("RandomConvolutions")).value
