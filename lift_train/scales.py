"""Multi-scale representations of images as PyTorch operations: every scale an image at its own resolution.

A network wants images, not vectors of coefficients. Each scale of a `lift_theory` representation is therefore laid
out on a grid of its own by an isometry: the coarse scale of a pyramid is an image of half the size, the high band of
an orthogonal split an image of full size in which the low band is missing. Sums of squares, and so every error, are
those of the coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate, pairwise
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

import lift_theory as lt
from lift_theory.laws import dct_matrix
from lift_theory.modes import upsample

Images = Float[Tensor, "batch channels height width"]
Values = list[Tensor]
"""One tensor (batch, channels_k, height_k, width_k) per scale, finest first."""

NAMES = {
    "single": "the image itself, one scale",
    "pyramid": "the image and its 2x2 means; 'pyramid:3' for three levels",
    "haar": "Haar details and scaled means; 'haar:3' for three levels",
    "dct": "two cosine bands split at half the size; 'dct:8' or 'dct:16,8' for other cutoffs",
    "residual": "residual of nearest up-sampling and 2x2 means",
    "residual-bilinear": "residual of bilinear up-sampling and 2x2 means",
    "residual-bicubic": "residual of bicubic up-sampling and 2x2 means",
}
"""The short names of representations, as options of the command line take them."""


def representation(name: str, size: int) -> Any:
    """The representation of a short name.

    Args:
        name: one of `NAMES`, for some of them with a number behind a colon.
        size: height and width of the images, which the cutoff of "dct" depends on.

    Raises:
        ValueError: for an unknown name.

    >>> representation("pyramid:3", 64)
    AveragePyramid(levels=3)
    >>> representation("dct", 64)
    DctBands(cutoffs=(32,))
    """
    kind, _, detail = name.partition(":")
    kind, _, kernel = kind.partition("-")
    try:
        numbers = tuple(int(part) for part in detail.split(",")) if detail else ()
        if kind == "single" and not detail:
            return lt.SingleScale()
        if kind in ("pyramid", "haar") and len(numbers) <= 1:
            return (lt.AveragePyramid if kind == "pyramid" else lt.HaarBands)(*numbers)
        if kind == "dct":
            return lt.DctBands(numbers or (size // 2,))
        if kind == "residual" and len(numbers) <= 1:
            return lt.ResidualPyramid(levels=(*numbers, 2)[0], upsampling=kernel or "nearest")
    except ValueError as error:
        raise ValueError(f"representation {name!r} is not understood: {error}") from error
    known = ", ".join(NAMES)
    raise ValueError(
        f"unknown representation {name!r}; choose one of {known}, or pass a representation object"
    )


class _Transform(Protocol):
    """A representation on the grids of its scales."""

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        """(height, width) of each scale."""

    def analyse(self, images: Images) -> Values:
        """The scales of images."""

    def synthesise(self, values: Values) -> Images:
        """The image read from the scales."""

    def project(self, values: Values) -> Values:
        """The nearest values that coefficients can have; it turns white noise on the grid into white noise on them."""


@dataclass(frozen=True)
class Scales:
    """A representation on images of one shape.

    Attributes:
        representation: of `lift_theory`.
        shape: (channels, height, width) of the images.

    Raises:
        ValueError: if the shape does not suit the representation.

    >>> scales = Scales(lt.AveragePyramid(), (3, 8, 8))
    >>> scales.names, scales.grids, scales.sizes
    (('fine', 'coarse'), ((3, 8, 8), (3, 4, 4)), (192, 48))
    >>> fine, coarse = scales.analyse(torch.ones(5, 3, 8, 8))
    >>> coarse.shape
    torch.Size([5, 3, 4, 4])
    """

    representation: Any
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        if len(self.shape) != 3:
            raise ValueError(f"shape must be (channels, height, width); got {self.shape}")
        _ = self.sizes

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scales, finest first."""
        return tuple(self.representation.scales)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of coefficients of each scale."""
        return tuple(self.representation.sizes(self.shape))

    @cached_property
    def grids(self) -> tuple[tuple[int, int, int], ...]:
        """(channels, height, width) of the tensor of each scale."""
        if isinstance(self._transform, _Dense):
            return tuple((size, 1, 1) for size in self.sizes)
        return tuple((self.shape[0], *grid) for grid in self._transform.grids)

    def analyse(self, images: Images) -> Values:
        """The clean scales of images (batch, channels, height, width)."""
        if tuple(images.shape[1:]) != self.shape:
            raise ValueError(f"images must have shape (batch, *{self.shape}); got {tuple(images.shape)}")
        return self._transform.analyse(images)

    def synthesise(self, values: Sequence[Tensor]) -> Images:
        """The images read from the scales: `synthesise(analyse(x))` is x."""
        return self._transform.synthesise(list(self.checked(values)))

    def project(self, values: Sequence[Tensor]) -> Values:
        """The nearest values that the coefficients can have.

        White noise on the grids becomes white noise on the coefficients. Only orthogonal bands with a larger grid
        than they have coefficients are changed.
        """
        return self._transform.project(list(values))

    def checked(self, values: Sequence[Tensor]) -> Sequence[Tensor]:
        """The values, if they fit the grids.

        Raises:
            ValueError: if a scale is missing or has another shape, or batches differ.
        """
        shapes = [tuple(value.shape) for value in values]
        if [shape[1:] for shape in shapes] != list(self.grids) or len({shape[0] for shape in shapes}) != 1:
            wanted = ", ".join(
                f"{name} (batch, {', '.join(map(str, grid))})"
                for name, grid in zip(self.names, self.grids, strict=True)
            )
            raise ValueError(f"expected one tensor per scale: {wanted}; got shapes {shapes}")
        return values

    def tensor(self, images: Any, dtype: torch.dtype = torch.float32) -> Images:
        """Images of NumPy, (n, height, width) or (n, height, width, channels), as (n, channels, height, width)."""
        if isinstance(images, Tensor):
            return images.to(dtype)
        array = np.asarray(images)
        if array.ndim == 3:
            array = array[..., None]
        tensor = torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1))).to(dtype)
        if tuple(tensor.shape[1:]) != self.shape:
            raise ValueError(
                f"images must be (n, height, width) or (n, height, width, channels) that fit {self.shape}; "
                f"got {np.shape(images)}"
            )
        return tensor

    def array(self, images: Images) -> Float[np.ndarray, "n height width *channels"]:
        """The inverse of `tensor`: grey images lose their channel axis."""
        found = np.moveaxis(images.detach().cpu().numpy(), 1, -1)
        return found[..., 0] if self.shape[0] == 1 else found

    @cached_property
    def _transform(self) -> _Transform:
        kind, (_, *plane) = self.representation, self.shape
        if isinstance(kind, lt.SingleScale):
            return _Pyramid(1, (plane[0], plane[1]))
        if isinstance(kind, lt.AveragePyramid):
            return _Pyramid(kind.levels, (plane[0], plane[1]))
        if isinstance(kind, lt.HaarBands):
            return _Haar(kind.levels, (plane[0], plane[1]))
        if isinstance(kind, lt.ResidualPyramid):
            return _Residual(kind.levels, (plane[0], plane[1]), kind.upsampling)
        if isinstance(kind, lt.DctBands):
            return _Dct(kind.cutoffs, (plane[0], plane[1]))
        return _Dense(kind, self.shape)


def _means(images: Images, levels: int) -> Values:
    return list(accumulate(range(levels - 1), lambda x, _: avg_pool2d(x, 2), initial=images))


@cache
def _matrix(kind: str, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The cosine transform of a size ("dct"), or up-sampling from it by a kernel."""
    matrix = dct_matrix(size) if kind == "dct" else upsample(size, kind)
    return torch.as_tensor(matrix, dtype=dtype, device=device)


def _separably(values: Tensor, kind: str, *, transposed: bool = False) -> Tensor:
    """A plane operator that is the product of one on rows and one on columns."""
    left, right = (_matrix(kind, n, values.dtype, values.device) for n in values.shape[-2:])
    return left.T @ values @ right if transposed else left @ values @ right.T


@dataclass(frozen=True)
class _Pyramid:
    levels: int
    plane: tuple[int, int]

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        return tuple((self.plane[0] >> level, self.plane[1] >> level) for level in range(self.levels))

    def analyse(self, images: Images) -> Values:
        return _means(images, self.levels)

    def synthesise(self, values: Values) -> Images:
        return values[0]

    def project(self, values: Values) -> Values:
        return values


@dataclass(frozen=True)
class _Residual(_Pyramid):
    kernel: str

    def _up(self, coarse: Tensor) -> Tensor:
        return _separably(coarse, self.kernel)

    def analyse(self, images: Images) -> Values:
        means = _means(images, self.levels)
        return [*(fine - self._up(coarse) for fine, coarse in pairwise(means)), means[-1]]

    def synthesise(self, values: Values) -> Images:
        image = values[-1]
        for residual in values[-2::-1]:
            image = residual + self._up(image)
        return image


@dataclass(frozen=True)
class _Haar(_Pyramid):
    """Means and details in orthonormal units: a level's mean counts twice its finer one's."""

    @staticmethod
    def _up(coarse: Tensor) -> Tensor:
        return coarse.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1) / 2

    def analyse(self, images: Images) -> Values:
        means = [2**level * mean for level, mean in enumerate(_means(images, self.levels))]
        return [*(fine - self._up(coarse) for fine, coarse in pairwise(means)), means[-1]]

    def synthesise(self, values: Values) -> Images:
        image = values[-1]
        for detail in values[-2::-1]:
            image = detail + self._up(image)
        return image

    def project(self, values: Values) -> Values:
        details = [value - self._up(2 * avg_pool2d(value, 2)) for value in values[:-1]]
        return [*details, values[-1]]


@dataclass(frozen=True)
class _Dct:
    """Bands on the smallest dyadic grid that holds them, by the cosine transform of that grid."""

    cutoffs: tuple[int, ...]
    plane: tuple[int, int]

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        def smallest(size: int, edge: int) -> int:
            while size % 2 == 0 and size // 2 >= edge:
                size //= 2
            return size

        edges = (max(self.plane), *self.cutoffs)
        return tuple((smallest(self.plane[0], edge), smallest(self.plane[1], edge)) for edge in edges)

    def _kept(self, band: int, modes: Tensor) -> Tensor:
        """The modes of a band; all others become zero."""
        edges = [max(self.plane), *self.cutoffs, 0]
        rows = torch.arange(modes.shape[-2], device=modes.device)[:, None]
        columns = torch.arange(modes.shape[-1], device=modes.device)
        index = torch.maximum(rows, columns)
        return modes * ((index < edges[band]) & (index >= edges[band + 1]))

    @staticmethod
    def _modes(values: Tensor) -> Tensor:
        return _separably(values, "dct")

    @staticmethod
    def _pixels(modes: Tensor) -> Tensor:
        return _separably(modes, "dct", transposed=True)

    def analyse(self, images: Images) -> Values:
        modes = self._modes(images)
        cut = (modes[..., :height, :width] for height, width in self.grids)
        return [self._pixels(self._kept(band, part)) for band, part in enumerate(cut)]

    def synthesise(self, values: Values) -> Images:
        modes = values[0].new_zeros((*values[0].shape[:2], *self.plane))
        for band, value in enumerate(values):
            part = self._kept(band, self._modes(value))
            modes[..., : part.shape[-2], : part.shape[-1]] += part
        return self._pixels(modes)

    def project(self, values: Values) -> Values:
        return [self._pixels(self._kept(band, self._modes(value))) for band, value in enumerate(values)]


@dataclass(frozen=True)
class _Dense:
    """Any operators, on coefficients as they are: tensors (batch, coefficients, 1, 1)."""

    representation: Any
    shape: tuple[int, int, int]

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        return tuple((1, 1) for _ in self.representation.scales)

    def analyse(self, images: Images) -> Values:
        return self._apply(self.representation.matrices(self.shape), [images] * len(self.grids))

    def synthesise(self, values: Values) -> Images:
        parts = self._apply(self.representation.synthesis(self.shape), values)
        return sum(parts[1:], parts[0]).reshape(-1, *self.shape)

    def project(self, values: Values) -> Values:
        return values

    @staticmethod
    def _apply(matrices: dict[str, np.ndarray], values: Values) -> Values:
        return [
            (value.flatten(1) @ torch.as_tensor(matrix.T, dtype=value.dtype, device=value.device))[
                ..., None, None
            ]
            for matrix, value in zip(matrices.values(), values, strict=True)
        ]
