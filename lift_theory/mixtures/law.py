"""The law of data that come in clusters: a mixture of Gaussians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import image_shape, one_of, real_array, whole_number

FORMS = ("full", "tied", "diag", "spherical")
"""Covariances that scikit-learn can fit."""


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """Data from one of several Gaussians, chosen at random.

    The number of axes of `covariances` says what they are, and their first axis whether every component has its own
    or all share one: a number is one variance for all values and components; (1,) or (J,) are variances common to
    all values; (1, d) or (J, d) are variances per value; (1, d, d) or (J, d, d) are full matrices.

    Attributes:
        weights: probabilities of the J components, positive, sum one.
        means: (J, d), one row per component.
        covariances: as above; zero variances are allowed (points, lines, planes). Stored as (1 or J, d, d).
        shape: image shape (H, W) or (C, H, W) with product d, needed by representations of images.

    Raises:
        TypeError: if an array is not made of real numbers.
        ValueError: if shapes do not fit, weights are not probabilities, or a covariance has a negative eigenvalue.

    Examples:
        >>> law = GaussianMixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], 0.25)
        >>> law.components, law.size, law.covariances.shape
        (2, 2, (1, 2, 2))
        >>> law.covariance_matrix().tolist()
        [[1.25, 0.0], [0.0, 0.25]]
    """

    weights: Float[np.ndarray, " components"]
    means: Float[np.ndarray, "components size"]
    covariances: Float[np.ndarray, "shared size size"]
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        weights = real_array(self.weights, name="weights")
        means = real_array(self.means, name="means")
        if weights.ndim != 1 or weights.size == 0 or means.ndim != 2 or len(means) != len(weights):
            raise ValueError(
                "weights must have shape (J,) and means (J, d), one row per component; "
                f"got {weights.shape} and {means.shape}."
            )
        if means.size == 0:
            raise ValueError(f"means must have at least one value per component; got shape {means.shape}.")
        if weights.min() <= 0 or abs(weights.sum() - 1.0) > 1e-6:
            raise ValueError(
                f"weights must be positive with sum one; got sum {weights.sum():g} and least {weights.min():g}. "
                "Divide by the sum, and leave out components without weight."
            )
        matrices = _matrices(real_array(self.covariances, name="covariances"), *means.shape)
        if self.shape is not None:
            shape = image_shape(self.shape)
            if np.prod(shape) != means.shape[1]:
                raise ValueError(
                    f"shape {shape} has {np.prod(shape)} values, but means have {means.shape[1]} columns."
                )
            object.__setattr__(self, "shape", shape)
        for name, array in (
            ("weights", weights / weights.sum()),
            ("means", means),
            ("covariances", matrices),
        ):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def components(self) -> int:
        """Number of components J."""
        return len(self.weights)

    @property
    def size(self) -> int:
        """Number of values d."""
        return self.means.shape[1]

    @property
    def mean(self) -> Float[np.ndarray, " size"]:
        """Mean of the data."""
        return self.weights @ self.means

    def covariance_matrix(self) -> Float[np.ndarray, "size size"]:
        """Covariance of the data, within and between the components together."""
        centred = self.means - self.mean
        within = np.tensordot(np.broadcast_to(self.weights, (self.components,)), self._own, axes=1)
        return within + (self.weights[:, None] * centred).T @ centred

    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "n size"]:
        """Independent draws, (n, d).

        Examples:
            >>> GaussianMixture([1.0], [[0.0, 3.0]], 0.0).sample(2).tolist()
            [[0.0, 3.0], [0.0, 3.0]]
        """
        n = whole_number(n, name="n", least=1)
        generator = np.random.default_rng(whole_number(seed, name="seed", least=0))
        chosen = generator.choice(self.components, size=n, p=self.weights)
        noise = generator.standard_normal((n, self.size))
        roots = np.broadcast_to(self.roots(), (self.components, self.size, self.size))
        return self.means[chosen] + np.einsum("nij,nj->ni", roots[chosen], noise)

    def roots(self) -> Float[np.ndarray, "shared size size"]:
        """Symmetric square roots of the covariances."""
        values, vectors = np.linalg.eigh(self.covariances)
        return (vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]) @ np.swapaxes(vectors, 1, 2)

    @property
    def _own(self) -> np.ndarray:
        return np.broadcast_to(self.covariances, (self.components, self.size, self.size))

    @classmethod
    def fit(
        cls, images: Any, components: int, form: str = "tied", seed: int = 0, floor: float = 1e-4
    ) -> GaussianMixture:
        """The most likely mixture for small images or patches, by expectation maximisation (scikit-learn).

        Args:
            images: (n, d) vectors, or (n, H, W) grey or (n, H, W, C) colour images; pixels in [-1, 1].
            components: number of components.
            form: covariances in the words of scikit-learn, "tied" (one for all), "full", "diag" or "spherical".
            seed: of the starting point.
            floor: added to all variances, squared pixel units.

        Raises:
            ImportError: without scikit-learn, which comes with the extra "photos".
            TypeError: if the images are no real numbers.
            ValueError: for a wrong shape, or fewer images than components.

        Examples:
            >>> truth = GaussianMixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], 0.01)
            >>> found = GaussianMixture.fit(truth.sample(500), 2)
            >>> np.sort(found.means[:, 0]).round(1).tolist()
            [-1.0, 1.0]
        """
        array = real_array(images, name="images")
        if array.ndim not in (2, 3, 4) or array.size == 0:
            raise ValueError(
                f"images must have shape (n, d), (n, H, W) or (n, H, W, C); got shape {array.shape}."
            )
        components = whole_number(components, name="components", least=1)
        one_of(form, FORMS, name="form")
        if len(array) < max(2, components):
            raise ValueError(
                f"images must be at least as many as components, and two; got {len(array)} for {components} components."
            )
        try:
            from sklearn.mixture import GaussianMixture as Estimator
        except ImportError as error:
            raise ImportError(
                'fitting a mixture needs scikit-learn; pip install "lift-theory[photos]".'
            ) from error
        if array.ndim == 4:
            array = np.moveaxis(array, -1, 1)
        found = Estimator(components, covariance_type=form, reg_covar=floor, random_state=seed).fit(
            array.reshape(len(array), -1)
        )
        covariances = found.covariances_[None] if form == "tied" else found.covariances_
        weights = np.maximum(found.weights_, 1e-300)
        shape = array.shape[1:] if array.ndim > 2 else None
        return cls(weights / weights.sum(), found.means_, covariances, shape)

    @classmethod
    def scale_mixture(
        cls, weights: Any, multipliers: Any, parts: Any, shape: tuple[int, ...] | None = None
    ) -> GaussianMixture:
        """A Gaussian scale mixture: zero mean, variances that hidden multipliers raise and lower together.

        Component j has the covariance `sum_p multipliers[j, p] parts[p]`. With one part per wavelet band and
        multipliers tied across bands, coefficients are uncorrelated but large ones come together at all scales.

        Args:
            weights: (J,) probabilities of the multipliers.
            multipliers: (J,) for one part, or (J, P); not negative.
            parts: (d, d) covariance, or (P, d, d).
            shape: image shape, if it is an image.

        Raises:
            ValueError: if the shapes do not fit or a multiplier is negative.

        References:
            Wainwright and Simoncelli 2000, Scale mixtures of Gaussians and the statistics of natural images.

        Examples:
            >>> law = GaussianMixture.scale_mixture([0.8, 0.2], [0.5, 3.0], np.eye(4), (2, 2))
            >>> bool(np.allclose(law.covariance_matrix(), np.eye(4)))
            True
        """
        matrices = real_array(parts, name="parts")
        matrices = matrices[None] if matrices.ndim == 2 else matrices
        factors = real_array(multipliers, name="multipliers")
        factors = factors[:, None] if factors.ndim == 1 else factors
        if matrices.ndim != 3 or factors.ndim != 2 or factors.shape[1] != len(matrices):
            raise ValueError(
                "multipliers must have shape (J, P) and parts (P, d, d), or (J,) and (d, d); "
                f"got {np.shape(multipliers)} and {np.shape(parts)}."
            )
        if factors.min() < 0:
            raise ValueError(f"multipliers must not be negative; the least is {factors.min():g}.")
        means = np.zeros((len(factors), matrices.shape[-1]))
        return cls(weights, means, np.tensordot(factors, matrices, axes=1), shape)


def _matrices(array: np.ndarray, components: int, size: int) -> np.ndarray:
    """Covariances as matrices, one for all components or one each."""
    given = array.shape
    if array.ndim == 0:
        array = array[None]
    if array.ndim > 3 or len(array) not in (1, components) or any(n != size for n in array.shape[1:]):
        raise ValueError(
            "covariances must be a number, or have shape (1,) or (J,), (1, d) or (J, d), (1, d, d) or (J, d, d) with "
            f"J = {components} and d = {size}; got {given}. A leading 1 means that all components share it."
        )
    if array.ndim < 3:
        diagonal = array[:, None] if array.ndim == 1 else array
        array = np.eye(size) * np.broadcast_to(diagonal, (len(array), size))[:, None, :]
    scale = np.abs(array).max(initial=0.0)
    skew = np.abs(array - np.swapaxes(array, 1, 2)).max()
    if skew > 1e-10 * scale:
        raise ValueError(
            f"covariances must be symmetric; one differs from its transpose by {skew:g}. "
            "Symmetrise with (matrix + matrix.T) / 2 if that is meant."
        )
    array = (array + np.swapaxes(array, 1, 2)) / 2
    least = np.linalg.eigvalsh(array).min()
    if least < -1e-10 * scale:
        raise ValueError(f"covariances must have no negative eigenvalue; the smallest is {least:g}.")
    return array
