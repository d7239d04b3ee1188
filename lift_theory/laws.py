"""Gaussian data laws: a spectrum on the DCT grid of an image, or any covariance matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import image_shape, real_array, real_number, whole_number


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A Gaussian image law whose covariance is diagonal on the orthonormal DCT-II grid.

    Entry `[..., k, l]` is the variance of the product of the k-th vertical and the l-th horizontal cosine.
    The DCT-II basis is that of images with half-sample mirror boundaries, so every stationary-like spectrum
    is of this form, and so are 2x2 averaging and bilinear interpolation up to small blocks.

    Attributes:
        variances: non-negative, shape (H, W) or (C, H, W), not all zero; squared pixel units.
        channel_basis: orthogonal (C, C) matrix whose row c holds the colour direction of channel c of
            `variances`; the identity if not given, absent for grey images.

    Raises:
        TypeError: if the variances are not real numbers.
        ValueError: for a wrong shape, NaN, infinity, a negative variance or no variance at all.

    Examples:
        >>> import numpy as np
        >>> spectrum = Spectrum(np.ones((4, 4)))
        >>> spectrum.shape, spectrum.size
        ((4, 4), 16)
        >>> spectrum.sample(3, seed=1).shape
        (3, 4, 4)
    """

    variances: Float[np.ndarray, "*channels height width"]
    channel_basis: Float[np.ndarray, "channels channels"] | None = None

    def __post_init__(self) -> None:
        variances = real_array(self.variances, name="variances")
        if variances.ndim not in (2, 3) or variances.size == 0:
            raise ValueError(
                f"variances must have shape (H, W) or (C, H, W), one per DCT mode; got shape {variances.shape}."
            )
        if variances.min() < 0:
            raise ValueError(
                f"variances must not be negative; the smallest is {variances.min():g}. "
                "Pass squared magnitudes, not amplitudes or log-powers."
            )
        if variances.max() == 0:
            raise ValueError(
                "variances must be positive somewhere; all are zero, so there is nothing to denoise."
            )
        basis = self.channel_basis
        if variances.ndim == 2 and basis is not None:
            raise ValueError(
                "channel_basis must be left out for variances of shape (H, W), which have one channel."
            )
        if variances.ndim == 3:
            channels = variances.shape[0]
            basis = np.eye(channels) if basis is None else real_array(basis, name="channel_basis")
            if basis.shape != (channels, channels) or not np.allclose(
                basis @ basis.T, np.eye(channels), atol=1e-8
            ):
                raise ValueError(
                    f"channel_basis must be an orthogonal ({channels}, {channels}) matrix; got shape {basis.shape} "
                    "with rows that are not orthonormal or do not match the channels."
                )
            basis = _frozen(basis)
        object.__setattr__(self, "variances", _frozen(variances))
        object.__setattr__(self, "channel_basis", basis)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, mean variance {self.variances.mean():.4g})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Image shape, (H, W) or (C, H, W)."""
        return self.variances.shape

    @property
    def size(self) -> int:
        """Number of pixel values d."""
        return self.variances.size

    @classmethod
    def power_law(cls, shape: tuple[int, ...], exponent: float = 2.0, variance: float = 0.25) -> Spectrum:
        """Spectrum `c_k ~ (1 + |k|^2)^(-exponent / 2)` with mean variance `variance` per pixel.

        Natural images have exponents near 2 (Tolhurst, Tadmor & Chao 1992).

        Args:
            shape: (H, W) or (C, H, W); channels get the same spectrum.
            exponent: decay of the power with frequency; 0 is white.
            variance: mean over modes, which is the variance per pixel.

        Examples:
            >>> float(Spectrum.power_law((8, 8), exponent=2.0, variance=0.25).variances.mean().round(12))
            0.25
        """
        shape = image_shape(shape)
        exponent = real_number(exponent, name="exponent")
        variance = real_number(variance, name="variance", positive=True)
        vertical, horizontal = np.ogrid[: shape[-2], : shape[-1]]
        log_decay = -0.5 * exponent * np.log1p(vertical**2.0 + horizontal**2.0)
        decay = np.exp(log_decay - log_decay.max())
        return cls(np.broadcast_to(variance * decay / decay.mean(), shape))

    @classmethod
    def from_images(cls, images: Any) -> Spectrum:
        """Spectrum with the mean squared DCT coefficients of real images.

        The mean of each channel is removed; the channels are decorrelated by the eigenvectors of their
        covariance, so that channel 0 of the result carries the most variance (luminance, as a rule).

        Args:
            images: (n, H, W) grey or (n, H, W, C) colour, pixels in [-1, 1]. Fields that leave that range a
                little, such as Gaussian samples, are accepted; 8-bit ranges are not.

        Raises:
            TypeError: if the images are not floating-point numbers.
            ValueError: for a wrong shape, NaN, infinity, values that look like 0..255, or constant images.

        Examples:
            >>> spectrum = Spectrum.power_law((8, 8))
            >>> measured = Spectrum.from_images(spectrum.sample(4000, seed=0))
            >>> bool(np.all(np.abs(measured.variances / spectrum.variances - 1) < 0.15))
            True
        """
        from scipy.fft import dctn

        if np.asarray(images).dtype.kind in "iub":
            raise TypeError(
                f"images must be floating-point in [-1, 1]; got {np.asarray(images).dtype}. "
                "Scale 8-bit images with images / 127.5 - 1."
            )
        array = real_array(images, name="images")
        if array.ndim not in (3, 4) or array.size == 0:
            raise ValueError(f"images must have shape (n, H, W) or (n, H, W, C); got shape {array.shape}.")
        if array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] > 4:
            raise ValueError(
                f"images must have their channels last, (n, H, W, C); shape {array.shape} looks like channels first. "
                "Turn it with np.moveaxis(images, 1, -1)."
            )
        if np.abs(array).max() > 20:
            raise ValueError(
                f"images must be scaled to [-1, 1]; the values span [{array.min():g}, {array.max():g}]. "
                "Scale 8-bit values with images / 127.5 - 1."
            )
        if array.ndim == 3:
            centred = array - array.mean()
            return cls(np.mean(dctn(centred, axes=(1, 2), norm="ortho") ** 2, axis=0))
        channels = array.shape[-1]
        centred = array - array.mean(axis=(0, 1, 2))
        flat = centred.reshape(-1, channels)
        _, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
        basis = vectors.T[::-1]
        basis = basis * np.where(basis.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
        coefficients = dctn(centred @ basis.T, axes=(1, 2), norm="ortho")
        return cls(np.moveaxis(np.mean(coefficients**2, axis=0), -1, 0), basis)

    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "n height width *channels"]:
        """Zero-mean Gaussian fields of this law, shape (n, H, W) or (n, H, W, C), channels in pixel colours.

        Examples:
            >>> Spectrum(np.ones((3, 8, 4))).sample(2).shape
            (2, 8, 4, 3)
        """
        from scipy.fft import idctn

        n = whole_number(n, name="n", least=1)
        generator = np.random.default_rng(whole_number(seed, name="seed", least=0))
        coefficients = generator.standard_normal((n, *self.shape)) * np.sqrt(self.variances)
        fields = idctn(coefficients, axes=(-2, -1), norm="ortho")
        if self.channel_basis is None:
            return fields
        return np.moveaxis(fields, 1, -1) @ self.channel_basis

    def covariance_matrix(self) -> Float[np.ndarray, "size size"]:
        """Dense pixel covariance in row-major (C, H, W) order, channels decorrelated; for small images.

        Examples:
            >>> matrix = Spectrum(np.full((2, 2), 3.0)).covariance_matrix()
            >>> bool(np.allclose(matrix, 3 * np.eye(4)))
            True
        """
        basis = np.kron(dct_matrix(self.shape[-2]), dct_matrix(self.shape[-1]))
        blocks = [basis.T @ (channel.reshape(-1, 1) * basis) for channel in self._channels]
        size = len(basis)
        matrix = np.zeros((self.size, self.size))
        for index, block in enumerate(blocks):
            matrix[index * size : (index + 1) * size, index * size : (index + 1) * size] = block
        return matrix

    @cached_property
    def _channels(self) -> Float[np.ndarray, "channels height width"]:
        return self.variances.reshape(-1, *self.shape[-2:])


@dataclass(frozen=True, eq=False)
class Covariance:
    """A Gaussian law with any covariance matrix; for small d and operators without structure.

    Attributes:
        matrix: symmetric positive semi-definite, (d, d); zero eigenvalues are allowed.
        shape: image shape (H, W) or (C, H, W) with product d, needed by representations of images.

    Raises:
        TypeError: if the matrix is not made of real numbers.
        ValueError: if it is not square, not symmetric, has a negative eigenvalue, or does not fit `shape`.

    Examples:
        >>> Covariance([[2.0, 1.0], [1.0, 2.0]]).size
        2
    """

    matrix: Float[np.ndarray, "size size"]
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        matrix = real_array(self.matrix, name="matrix")
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
            raise ValueError(f"matrix must be square, (d, d); got shape {matrix.shape}.")
        scale = np.abs(matrix).max()
        if scale == 0:
            raise ValueError("matrix must have positive variance somewhere; all entries are zero.")
        if np.abs(matrix - matrix.T).max() > 1e-10 * scale:
            raise ValueError(
                f"matrix must be symmetric; it differs from its transpose by {np.abs(matrix - matrix.T).max():g}. "
                "Symmetrise it with (matrix + matrix.T) / 2 if that is meant."
            )
        matrix = (matrix + matrix.T) / 2
        smallest = np.linalg.eigvalsh(matrix)[0]
        if smallest < -1e-10 * scale:
            raise ValueError(f"matrix must have no negative eigenvalue; the smallest is {smallest:g}.")
        if self.shape is not None:
            shape = image_shape(self.shape)
            if np.prod(shape) != len(matrix):
                raise ValueError(f"shape {shape} has {np.prod(shape)} values, but matrix is {matrix.shape}.")
            object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "matrix", _frozen(matrix))

    @property
    def size(self) -> int:
        """Number of values d."""
        return len(self.matrix)

    def covariance_matrix(self) -> Float[np.ndarray, "size size"]:
        """The matrix itself."""
        return self.matrix


def dct_matrix(size: int) -> Float[np.ndarray, "size size"]:
    """Orthonormal DCT-II matrix whose row k samples the k-th cosine."""
    from scipy.fft import dct

    return dct(np.eye(size), axis=0, norm="ortho")


def _frozen(array: np.ndarray) -> np.ndarray:
    copy = np.array(array, dtype=np.float64)
    copy.setflags(write=False)
    return copy
