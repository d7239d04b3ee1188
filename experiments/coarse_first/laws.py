"""Data laws from independent scales to scales of which one determines the other, and how they are represented."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import lift_theory as lt

CLUSTERS = 4
SPREAD = 0.25
"""Standard deviation inside a cluster, relative to that of the centres: these are eleven or more of it apart."""
MULTIPLIERS = (0.125, 0.5, 2.0, 8.0)
"""Hidden variances of the scale mixture, equally likely, before their mean is made one."""
REPRESENTATIONS = {"pyramid": "image + means, over-complete", "bands": "bands, orthogonal"}
UNIT = {"pyramid": float(2 * np.log(2.0)), "bands": 0.0}
"""Nominal lead in nats at which both channels tell the same about the low band."""


@dataclass(frozen=True, kw_only=True)
class Law:
    """A mixture and where its coarse part is.

    Attributes:
        name: short key.
        label: words for tables.
        mixture: the law, of an image or of a vector (fine coefficients, coarse coefficients).
        coarse: number of coarse coefficients.
    """

    name: str
    label: str
    mixture: lt.GaussianMixture
    coarse: int

    def representation(self, kind: str) -> Any:
        """The scales: "pyramid", over-complete, or "bands", orthogonal; finest first.

        For a vector the coarse channel of the pyramid holds half the coarse coefficients, which is what 2x2 means are.
        """
        if self.mixture.shape is not None:
            return lt.AveragePyramid() if kind == "pyramid" else lt.HaarBands()
        eye = np.eye(self.mixture.size)
        low = eye[self.mixture.size - self.coarse :]
        if kind == "pyramid":
            return lt.LinearScales({"fine": eye, "coarse": low / 2})
        return lt.LinearScales({"high": eye[: -self.coarse], "low": low})


def clustered(
    *, fine: int, coarse: int, dependence: float, explained: float = 0.0, ratio: float = 16.0, seed: int = 0
) -> lt.GaussianMixture:
    """Clusters of the coarse and of the fine coefficients, chosen together or apart.

    Args:
        fine: number of fine coefficients.
        coarse: number of coarse coefficients; both numbers are at least `CLUSTERS - 1`.
        dependence: 0, the fine cluster knows nothing of the coarse one; 1, it is determined by it. Between them the
            probabilities are interpolated, which changes neither scale by itself.
        explained: share of the fine variance inside a cluster that is a linear function of the coarse coefficients;
            with it and `dependence` at 1 the fine part is a function of the coarse one, since that tells the clusters apart.
        ratio: variance of a coarse coefficient over that of a fine one.
        seed: of orientations and slopes.
    """
    generator = np.random.default_rng(seed)
    low, high = (_centres(generator, size) for size in (coarse, fine))
    slope = generator.standard_normal((fine, coarse))
    slope *= np.sqrt(explained / ratio) / np.linalg.norm(slope, axis=1, keepdims=True)
    together = (1 - dependence) / CLUSTERS**2 + dependence * np.eye(CLUSTERS) / CLUSTERS
    i, j = np.nonzero(together)
    covariance = np.block(
        [
            [slope @ slope.T + (1 - explained) / ratio * np.eye(fine), slope],
            [slope.T, np.eye(coarse)],
        ]
    )
    means = np.concatenate([high[j] / np.sqrt(ratio), low[i]], axis=1)
    return lt.GaussianMixture(together[i, j], means, SPREAD**2 * covariance[None])


def image(mixture: lt.GaussianMixture, size: int) -> lt.GaussianMixture:
    """The law of the images whose Haar coefficients (high, low) have the given law."""
    bands = np.concatenate(list(lt.HaarBands().matrices((size, size)).values()))
    covariances = bands.T @ mixture.covariances @ bands
    return lt.GaussianMixture(mixture.weights, mixture.means @ bands, covariances, (size, size))


def image_laws(size: int, ratio: float, patches: np.ndarray, components: int) -> list[Law]:
    """The laws of images that are compared.

    Args:
        size: pixels on a side.
        ratio: variance of a coarse coefficient over that of a fine one; photographs have their own.
        patches: (n, size, size) patches of photographs.
        components: of the mixture that is fitted to them.
    """
    coarse = size * size // 4
    of_images = partial(clustered, fine=3 * coarse, coarse=coarse, ratio=ratio)
    parts = np.diag(np.repeat([1 / ratio, 1.0], [3 * coarse, coarse]))
    multipliers = np.array(MULTIPLIERS) / np.mean(MULTIPLIERS)
    scale_mixture = lt.GaussianMixture.scale_mixture(np.full(len(multipliers), 0.25), multipliers, parts)
    made = [
        ("independent", "independent", of_images(dependence=0.0)),
        ("hierarchical", "hierarchical, coarse determines the cluster", of_images(dependence=1.0)),
        ("determined", "fine is a function of coarse", of_images(dependence=1.0, explained=1.0)),
        ("scale_mixture", "Gaussian scale mixture, tied variances", scale_mixture),
    ]
    result = [
        Law(name=name, label=label, mixture=image(mixture, size), coarse=coarse)
        for name, label, mixture in made
    ]
    fitted = lt.GaussianMixture.fit(patches, components, "full")
    return [
        *result,
        Law(name="photographs", label="mixture fitted to photographs", mixture=fitted, coarse=coarse),
    ]


def _centres(generator: np.random.Generator, size: int) -> np.ndarray:
    """Corners of a regular simplex, all as far from each other, turned at random; mean zero and mean variance one."""
    corners = np.linalg.svd(np.eye(CLUSTERS) - 1 / CLUSTERS)[0][:, : CLUSTERS - 1]
    turned = corners @ np.linalg.qr(generator.standard_normal((size, CLUSTERS - 1)))[0].T
    return turned / np.sqrt(np.mean(turned**2))
