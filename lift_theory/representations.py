"""Linear multi-scale representations of images: which coefficients each scale of a diffusion model denoises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from lift_theory._validation import image_shape, one_of, real_array, whole_number
from lift_theory.channels import DenseBlocks, ModeChannels, RankOneBlocks, ScaledChannels
from lift_theory.laws import Covariance, Spectrum, dct_matrix
from lift_theory.modes import (
    KERNELS,
    average,
    difference,
    mode_cascade,
    mode_upsampling,
    principal_axes,
    rank_within,
    upsample,
)
from lift_theory.trees import HaarTree, PyramidTree, pair_blocks

Channels = ModeChannels | RankOneBlocks | DenseBlocks | ScaledChannels | HaarTree | PyramidTree
DENSE_LIMIT = 4096
"""Largest number of pixel values for which dense matrices are formed (128 MiB each)."""


class Representation(Protocol):
    """What a representation offers; write a class with these members to add one.

    The base class `ImageRepresentation` derives everything from `scales` and `matrices`.
    """

    @property
    def scales(self) -> tuple[str, ...]:
        """Names, finest first."""

    def matrices(self, shape: tuple[int, ...]) -> dict[str, Float[np.ndarray, "coefficients size"]]:
        """Analysis operator A_k of each scale, acting on row-major pixels."""

    def synthesis(self, shape: tuple[int, ...]) -> dict[str, Float[np.ndarray, "size coefficients"]]:
        """Matrices that read the image from the coefficients of the scales."""

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Number of coefficients of each scale."""

    def channels(self, law: Spectrum | Covariance) -> Channels:
        """The closed form for a Gaussian law."""

    def blocks(self, law: Spectrum | Covariance) -> DenseBlocks:
        """Whitened Gram matrices of the scales."""


class ImageRepresentation:
    """What follows from the operators alone; subclasses add what their structure gives."""

    scales: tuple[str, ...]

    def matrices(self, shape: tuple[int, ...]) -> dict[str, Float[np.ndarray, "coefficients size"]]:
        """Analysis operator A_k of each scale as a dense matrix on row-major pixels of `shape`.

        Args:
            shape: (H, W), or (C, H, W) with every channel treated alike.

        Raises:
            ValueError: if the shape does not suit the representation or is too large for dense matrices.
        """
        shape = self._checked(shape)
        size = int(np.prod(shape))
        if size > DENSE_LIMIT:
            raise ValueError(
                f"dense operators are formed up to {DENSE_LIMIT} pixel values; shape {shape} has {size}. "
                "Use a smaller shape, or a Spectrum with a representation that has blocks."
            )
        channels = np.eye(shape[0]) if len(shape) == 3 else np.eye(1)
        plain = self._plane_matrices(shape[-2:])
        return {name: np.kron(channels, matrix) for name, matrix in zip(self.scales, plain, strict=True)}

    def synthesis(self, shape: tuple[int, ...]) -> dict[str, Float[np.ndarray, "size coefficients"]]:
        """How the image is read from the scales: it is the sum of these matrices applied to the coefficients.

        Here the pseudo-inverse of all operators together, which for orthonormal bands is the adjoint.
        """
        matrices = self.matrices(shape)
        inverse = np.linalg.pinv(np.concatenate(list(matrices.values())))
        edges = np.cumsum([len(matrix) for matrix in matrices.values()])
        return dict(zip(matrices, np.split(inverse, edges[:-1], axis=1), strict=True))

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Number of coefficients of each scale."""
        return tuple(len(matrix) for matrix in self.matrices(shape).values())

    def frame_bounds(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """Smallest and largest eigenvalue of `sum_k A_k^T A_k`: how much energy the scales keep together."""
        matrices = self.matrices((*image_shape(shape)[-2:],)).values()
        values = np.linalg.eigvalsh(sum(matrix.T @ matrix for matrix in matrices))
        return float(max(values[0], 0.0)), float(values[-1])

    def redundancy(self, shape: tuple[int, ...]) -> float:
        """Number of coefficients over number of pixel values; one for a basis."""
        return sum(self.sizes(shape)) / float(np.prod(image_shape(shape)))

    def is_orthogonal(self, shape: tuple[int, ...]) -> bool:
        """Whether different scales see orthogonal parts of the image: `A_k A_l^T = 0` for all k != l."""
        matrices = list(self.matrices((*image_shape(shape)[-2:],)).values())
        return _orthogonal(matrices)

    def channels(self, law: Spectrum | Covariance) -> Channels:
        """The closed form for a Gaussian law."""
        return self.blocks(law)

    def blocks(self, law: Spectrum | Covariance) -> DenseBlocks:
        """Whitened Gram matrices of the scales; here one block of all pixel values, for small images."""
        shape = _shape_of(law)
        matrices = list(self.matrices(shape).values())
        values, vectors = np.linalg.eigh(law.covariance_matrix())
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        whitened = [matrix @ root for matrix in matrices]
        counts = np.array([len(matrix) for matrix in matrices])
        ranks = np.minimum(counts, len(root))
        grams = np.stack([w.T @ w for w in whitened])[None]
        return DenseBlocks(
            grams=jnp.asarray(grams),
            ranks=jnp.asarray(ranks[None]),
            hidden=jnp.asarray(counts - ranks, dtype=float),
        )

    def _checked(self, shape: Any) -> tuple[int, ...]:
        return image_shape(shape)

    def _plane_matrices(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        raise TypeError(f"{type(self).__name__} must define _plane_matrices(shape) or matrices(shape).")


@dataclass(frozen=True)
class SingleScale(ImageRepresentation):
    """The image itself, the one-scale baseline; scale ("fine",).

    Examples:
        >>> SingleScale().redundancy((8, 8))
        1.0
    """

    scales = ("fine",)

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Number of pixel values."""
        return (int(np.prod(self._checked(shape))),)

    def frame_bounds(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """One and one."""
        self._checked(shape)
        return 1.0, 1.0

    def is_orthogonal(self, shape: tuple[int, ...]) -> bool:
        """Always: there is no second scale."""
        self._checked(shape)
        return True

    def channels(self, law: Spectrum | Covariance) -> ModeChannels:
        """One mode per eigenvalue of the covariance."""
        if isinstance(law, Spectrum):
            return ModeChannels((jnp.asarray(law.variances.ravel()),))
        return ModeChannels((jnp.asarray(np.maximum(np.linalg.eigvalsh(law.matrix), 0.0)),))

    def _checked(self, shape: Any) -> tuple[int, ...]:
        if isinstance(shape, tuple) and len(shape) == 1:  # a covariance without image shape
            return (whole_number(shape[0], name="shape[0]", least=1),)
        return image_shape(shape)

    def _plane_matrices(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        return [np.eye(int(np.prod(shape)))]


@dataclass(frozen=True)
class _Dyadic(ImageRepresentation):
    """Representations whose levels halve the image; height and width must be divisible by 2^(levels - 1)."""

    levels: int = 2

    def __post_init__(self) -> None:
        whole_number(self.levels, name="levels", least=2)

    def _checked(self, shape: Any) -> tuple[int, ...]:
        shape = image_shape(shape)
        factor = 2 ** (self.levels - 1)
        if shape[-2] % factor or shape[-1] % factor:
            raise ValueError(
                f"{type(self).__name__}(levels={self.levels}) needs height and width divisible by {factor}; "
                f"got {shape[-2]} x {shape[-1]}. Crop or pad the image, or use fewer levels."
            )
        return shape

    def _means(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """Repeated 2x2 means, from the image itself to the coarsest."""
        means = [np.eye(shape[0] * shape[1])]
        for level in range(self.levels - 1):
            half = np.kron(*(average(n >> level) for n in shape))
            means.append(half @ means[-1])
        return means

    def _tree(self, law: Spectrum) -> HaarTree:
        self._checked(law.shape)
        return HaarTree.from_variances(law._channels, self.levels)

    def blocks(self, law: Spectrum | Covariance) -> DenseBlocks:
        """Whitened Gram matrices on small sets of aliased DCT modes; one block for a covariance."""
        if not isinstance(law, Spectrum):
            return super().blocks(law)
        whitened, sizes = self._whitened(law)
        counts = np.stack([np.any(w != 0, axis=2).sum(axis=1) for w in whitened], axis=1)
        grams = np.stack([np.swapaxes(w, 1, 2) @ w for w in whitened], axis=1)
        return DenseBlocks(
            grams=jnp.asarray(grams),
            ranks=jnp.asarray(counts),
            hidden=jnp.asarray(sizes - counts.sum(axis=0)),
        )

    def _whitened(self, law: Spectrum) -> tuple[list[np.ndarray], np.ndarray]:
        """`A_k S^(1/2)` on each set of modes of each channel, (sets, rows, members) per scale, and the sizes."""
        members, operators = self._mode_blocks(self._checked(law.shape)[-2:])
        roots = np.concatenate([np.append(np.sqrt(plane).ravel(), 0.0)[members] for plane in law._channels])
        repeat = len(roots) // len(members)
        whitened = [np.tile(a, (repeat, 1, 1)) * roots[:, None, :] for a in operators]
        return whitened, np.array(self.sizes(law.shape), dtype=float)

    def _mode_blocks(self, shape: tuple[int, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Sets of DCT modes that no scale couples to others, and every operator restricted to each.

        Returns:
            Mode indices (sets, members), -1 where a set has fewer; and per scale an array (sets, rows, members),
            with zero rows where a set has fewer.
        """
        from scipy.sparse.csgraph import connected_components

        operators = self._mode_operators(shape)
        pattern = sum(abs(a).T @ abs(a) for a in operators)
        count, label = connected_components(pattern, directed=False)
        slot = rank_within(label)
        members = np.full((count, slot.max() + 1), -1)
        members[label, slot] = np.arange(len(label))
        blocks = []
        for a in operators:
            entries = a.tocoo()
            row_label = np.full(a.shape[0], -1)
            row_label[entries.row] = label[entries.col]
            row_slot = rank_within(row_label)
            dense = np.zeros((count, row_slot[row_label >= 0].max(initial=0) + 1, members.shape[1]))
            dense[label[entries.col], row_slot[entries.row], slot[entries.col]] = entries.data
            blocks.append(dense)
        return members, blocks

    def _mode_operators(self, shape: tuple[int, ...]) -> list[Any]:
        """Sparse operators with the same Gram matrices as the scales, on orthonormal DCT modes."""
        raise TypeError(f"{type(self).__name__} must define _mode_operators(shape).")

    def _mode_synthesis(self, shape: tuple[int, ...]) -> list[Any]:
        """What `synthesis` does to the coefficients of `_mode_operators`, sparse; here the adjoint."""
        return [operator.T for operator in self._mode_operators(shape)]


@dataclass(frozen=True)
class AveragePyramid(_Dyadic):
    """The image and its 2x2 means, over-complete; scales ("fine", "coarse"), or ("fine", "middle", "coarse") etc.

    This is the representation of LIFT (image and downsampled image).

    Examples:
        >>> pyramid = AveragePyramid()
        >>> pyramid.scales, pyramid.redundancy((8, 8)), pyramid.is_orthogonal((8, 8))
        (('fine', 'coarse'), 1.25, False)
        >>> pyramid.frame_bounds((8, 8))
        (1.0, 1.25)
    """

    @property
    def scales(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names, finest first."""
        return _names("fine", "coarse", self.levels)

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Number of coefficients of each scale, a quarter from level to level."""
        size = int(np.prod(self._checked(shape)))
        return tuple(size // 4**level for level in range(self.levels))

    def frame_bounds(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """One, for what no mean sees, and `sum_k 4^-k` for what the coarsest mean sees."""
        self._checked(shape)
        return 1.0, sum(0.25**level for level in range(self.levels))

    def is_orthogonal(self, shape: tuple[int, ...]) -> bool:
        """Never: every mean is seen by the finer scales too."""
        self._checked(shape)
        return False

    def channels(self, law: Spectrum | Covariance) -> Channels:
        """Blocks of aliased modes for two levels of a spectrum, their tree for more, dense for a covariance."""
        if not isinstance(law, Spectrum):
            return super().channels(law)
        return pair_blocks(self._tree(law)) if self.levels == 2 else PyramidTree(self._tree(law))

    def synthesis(self, shape: tuple[int, ...]) -> dict[str, Float[np.ndarray, "size coefficients"]]:
        """The finest scale is the image; the means are not used."""
        fine, *means = self.matrices(shape).items()
        return {fine[0]: fine[1], **{name: np.zeros_like(matrix.T) for name, matrix in means}}

    def _mode_operators(self, shape: tuple[int, ...]) -> list[Any]:
        return [means for means, _ in mode_cascade(shape, self.levels, "nearest")]

    def _mode_synthesis(self, shape: tuple[int, ...]) -> list[Any]:
        fine, *means = self._mode_operators(shape)
        return [fine, *(0.0 * matrix.T for matrix in means)]

    def _plane_matrices(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        return self._means(shape)


@dataclass(frozen=True)
class HaarBands(_Dyadic):
    """Haar details of each level and the scaled means of the last, an orthonormal basis; scales ("high", "low").

    Examples:
        >>> bands = HaarBands(levels=3)
        >>> bands.scales, bands.sizes((8, 8)), bands.is_orthogonal((8, 8))
        (('high', 'middle', 'low'), (48, 12, 4), True)
    """

    @property
    def scales(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names, finest first."""
        return _names("high", "low", self.levels)

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Number of coefficients of each scale; they add up to the number of pixel values."""
        size = int(np.prod(self._checked(shape)))
        details = [3 * size // 4 ** (level + 1) for level in range(self.levels - 1)]
        return (*details, size // 4 ** (self.levels - 1))

    def frame_bounds(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """One and one."""
        self._checked(shape)
        return 1.0, 1.0

    def is_orthogonal(self, shape: tuple[int, ...]) -> bool:
        """Always."""
        self._checked(shape)
        return True

    def channels(self, law: Spectrum | Covariance) -> Channels:
        """Tree of Haar details for a spectrum, dense for a covariance."""
        return self._tree(law) if isinstance(law, Spectrum) else super().channels(law)

    def _mode_operators(self, shape: tuple[int, ...]) -> list[Any]:
        cascade = mode_cascade(shape, self.levels, "nearest")
        return [2.0**level * residual for level, (_, residual) in enumerate(cascade)]

    def _plane_matrices(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        matrices, means = [], self._means(shape)
        for level in range(self.levels - 1):
            sums, differences = zip(
                *((average(n >> level), difference(n >> level)) for n in shape), strict=True
            )
            details = [
                np.kron(sums[0], differences[1]),
                np.kron(differences[0], sums[1]),
                np.kron(differences[0], differences[1]),
            ]
            scale = 2.0 ** (level + 1)  # means of 2x2 blocks have half the norm of orthonormal coefficients
            matrices.append(scale * np.concatenate(details) @ means[level])
        return [*matrices, 2.0 ** (self.levels - 1) * means[-1]]


@dataclass(frozen=True)
class DctBands(ImageRepresentation):
    """Square bands of the orthonormal DCT-II, an orthonormal basis; scales ("high", "low").

    Args:
        cutoffs: strictly decreasing; a mode lies below a cutoff if both its indices do. K - 1 cutoffs make K bands.

    Examples:
        >>> bands = DctBands(cutoffs=(4,))
        >>> bands.sizes((8, 8)), bands.is_orthogonal((8, 8))
        ((48, 16), True)
    """

    cutoffs: tuple[int, ...] = (32,)

    def __post_init__(self) -> None:
        cutoffs = self.cutoffs
        if not isinstance(cutoffs, tuple | list) or not cutoffs:
            raise ValueError(f"cutoffs must be a non-empty tuple of integers; got {cutoffs!r}.")
        cutoffs = tuple(whole_number(c, name=f"cutoffs[{i}]", least=1) for i, c in enumerate(cutoffs))
        if any(a <= b for a, b in pairwise(cutoffs)):
            raise ValueError(f"cutoffs must decrease, finest first; got {cutoffs}. Sort them in reverse.")
        object.__setattr__(self, "cutoffs", cutoffs)

    @property
    def scales(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names, finest first."""
        return _names("high", "low", len(self.cutoffs) + 1)

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Number of modes of each band."""
        shape = self._checked(shape)
        planes = int(np.prod(shape[:-2]))
        return tuple(planes * int(mask.sum()) for mask in self._masks(shape[-2:]))

    def frame_bounds(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """One and one."""
        self._checked(shape)
        return 1.0, 1.0

    def is_orthogonal(self, shape: tuple[int, ...]) -> bool:
        """Always."""
        self._checked(shape)
        return True

    def channels(self, law: Spectrum | Covariance) -> Channels:
        """The spectrum's own modes, band by band; dense for a covariance."""
        if not isinstance(law, Spectrum):
            return super().channels(law)
        masks = self._masks(self._checked(law.shape)[-2:])
        return ModeChannels(tuple(jnp.asarray(law._channels[:, mask].ravel()) for mask in masks))

    def _checked(self, shape: Any) -> tuple[int, ...]:
        shape = image_shape(shape)
        if self.cutoffs[0] >= max(shape[-2:]):
            raise ValueError(
                f"cutoffs must lie below the image size, so that no band is empty; got {self.cutoffs} "
                f"for {shape[-2]} x {shape[-1]}."
            )
        return shape

    def _masks(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        index = np.maximum(*np.ogrid[: shape[0], : shape[1]])
        edges = [max(shape), *self.cutoffs, 0]
        return [(index < upper) & (index >= lower) for upper, lower in pairwise(edges)]

    def _plane_matrices(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        basis = np.kron(dct_matrix(shape[0]), dct_matrix(shape[1]))
        return [basis[mask.ravel()] for mask in self._masks(shape)]


@dataclass(frozen=True)
class ResidualPyramid(_Dyadic):
    """What up-sampling the next coarser 2x2 means leaves unexplained, and the coarsest means themselves.

    Scales ("residual", "coarse"), as in Laplacian pyramids and in VAR's residual tokens. Residuals keep the size of
    their level. With nearest up-sampling the split is the Haar one up to the units of each scale; with bilinear or
    bicubic up-sampling residual and coarse scale are not orthogonal. Images are continued by mirroring at half a pixel
    beyond the border, which for bilinear up-sampling equals repeating the border pixel.

    Args:
        levels: number of scales.
        upsampling: "nearest", "bilinear", or "bicubic" (Keys' kernel with a = -3/4, as in PyTorch).

    Examples:
        >>> ResidualPyramid().is_orthogonal((8, 8))
        True
        >>> ResidualPyramid(upsampling="bilinear").is_orthogonal((8, 8))
        False
    """

    upsampling: str = "nearest"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self.upsampling, tuple(KERNELS), name="upsampling")

    @property
    def scales(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names, finest first."""
        return _names("residual", "coarse", self.levels)

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Number of coefficients of each scale, a quarter from level to level."""
        size = int(np.prod(self._checked(shape)))
        return tuple(size // 4**level for level in range(self.levels))

    def frame_bounds(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """Smallest and largest eigenvalue of `sum_k A_k^T A_k`, from small blocks of DCT modes."""
        members, operators = self._mode_blocks(self._checked(shape)[-2:])
        total = sum(np.swapaxes(a, 1, 2) @ a for a in operators)
        # a padded member gets a value between the extremes of its block
        padding = (members < 0) * total[:, :1, 0]
        values = np.linalg.eigvalsh(total + padding[..., None] * np.eye(members.shape[1]))
        return float(max(values.min(), 0.0)), float(values.max())

    def is_orthogonal(self, shape: tuple[int, ...]) -> bool:
        """Whether residual and means are orthogonal: with nearest up-sampling only."""
        self._checked(shape)
        return self.upsampling == "nearest"

    def channels(self, law: Spectrum | Covariance) -> Channels:
        """The Haar tree for nearest up-sampling, blocks of aliased modes otherwise, dense for a covariance."""
        if not isinstance(law, Spectrum):
            return super().channels(law)
        if self.upsampling == "nearest":
            return ScaledChannels(
                self._tree(law), jnp.asarray(0.25 ** np.arange(self.levels)), self._hidden(law)
            )
        if self.levels > 2:
            return self.blocks(law)
        whitened, sizes = self._whitened(law)
        coupled = np.any(whitened[1] != 0, axis=(1, 2))
        gamma, means = principal_axes(whitened[0][coupled], whitened[1][coupled].sum(axis=1))
        alone = principal_axes(whitened[0][~coupled], np.zeros(whitened[0][~coupled].shape[::2]))[0].ravel()
        alone = alone[alone > 0]
        seen = np.count_nonzero(gamma) + len(alone)
        return RankOneBlocks(
            gamma=jnp.asarray(gamma.T),
            beta_squared=jnp.asarray(means.T**2),
            alone=jnp.asarray(alone),
            hidden=jnp.asarray(sizes - [seen, len(means)]),
        )

    def _hidden(self, law: Spectrum) -> Any:
        """Coefficients that are always zero: nearest residuals of 2x2 blocks add up to zero."""
        haar = HaarBands(self.levels).sizes(law.shape)
        return jnp.asarray(np.subtract(self.sizes(law.shape), haar), dtype=float)

    def synthesis(self, shape: tuple[int, ...]) -> dict[str, Float[np.ndarray, "size coefficients"]]:
        """Every residual on top of the up-sampled coarser scales."""
        shape = self._checked(shape)
        planes = [np.eye(shape[-2] * shape[-1])]
        for level in range(1, self.levels):
            planes.append(planes[-1] @ np.kron(*(upsample(n >> level, self.upsampling) for n in shape[-2:])))
        channels = np.eye(int(np.prod(shape[:-2])))
        return {name: np.kron(channels, plane) for name, plane in zip(self.scales, planes, strict=True)}

    def _mode_operators(self, shape: tuple[int, ...]) -> list[Any]:
        return [residual for _, residual in mode_cascade(shape, self.levels, self.upsampling)]

    def _mode_synthesis(self, shape: tuple[int, ...]) -> list[Any]:
        return mode_upsampling(shape, self.levels, self.upsampling)

    def _plane_matrices(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        means = self._means(shape)
        residuals = [
            finer - np.kron(*(upsample(n >> (level + 1), self.upsampling) for n in shape)) @ coarser
            for level, (finer, coarser) in enumerate(pairwise(means))
        ]
        return [*residuals, means[-1]]


@dataclass(frozen=True, eq=False)
class LinearScales(ImageRepresentation):
    """Any linear operators, given as matrices on row-major pixel values; dense, for small d.

    Args:
        operators: name -> (d_k, d) matrix, finest first.

    Examples:
        >>> scales = LinearScales({"fine": np.eye(4), "mean": np.full((1, 4), 0.25)})
        >>> scales.scales, scales.redundancy((2, 2))
        (('fine', 'mean'), 1.25)
    """

    operators: Mapping[str, Float[np.ndarray, "coefficients size"]]

    def __post_init__(self) -> None:
        if not isinstance(self.operators, Mapping) or not self.operators:
            raise TypeError(
                "operators must be a non-empty dict from scale names to matrices, finest first; "
                f"got {type(self.operators).__name__}."
            )
        checked = {}
        for name, operator in self.operators.items():
            if not isinstance(name, str) or not name:
                raise TypeError(f"scale names must be non-empty strings; got {name!r}.")
            matrix = real_array(operator, name=f"operators[{name!r}]")
            if matrix.ndim != 2 or matrix.size == 0:
                raise ValueError(f"operators[{name!r}] must be a (d_k, d) matrix; got shape {matrix.shape}.")
            if not np.any(matrix):
                raise ValueError(f"operators[{name!r}] must not be zero: that scale would see nothing.")
            checked[name] = matrix
        widths = {name: matrix.shape[1] for name, matrix in checked.items()}
        if len(set(widths.values())) > 1:
            raise ValueError(f"all operators must act on the same number of pixel values; got {widths}.")
        object.__setattr__(self, "operators", checked)

    @property
    def scales(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names, finest first."""
        return tuple(self.operators)

    def matrices(
        self, shape: tuple[int, ...] | None = None
    ) -> dict[str, Float[np.ndarray, "coefficients size"]]:
        """The operators themselves; `shape`, if given, must have as many values as they have columns."""
        columns = next(iter(self.operators.values())).shape[1]
        if shape is not None and np.prod(shape) != columns:
            raise ValueError(
                f"the operators act on {columns} pixel values, but shape {shape} has {np.prod(shape)}."
            )
        return dict(self.operators)

    def frame_bounds(self, shape: tuple[int, ...] | None = None) -> tuple[float, float]:
        """Smallest and largest eigenvalue of `sum_k A_k^T A_k`."""
        values = np.linalg.eigvalsh(sum(matrix.T @ matrix for matrix in self.matrices(shape).values()))
        return float(max(values[0], 0.0)), float(values[-1])

    def redundancy(self, shape: tuple[int, ...] | None = None) -> float:
        """Number of coefficients over number of pixel values."""
        matrices = list(self.matrices(shape).values())
        return sum(len(matrix) for matrix in matrices) / matrices[0].shape[1]

    def is_orthogonal(self, shape: tuple[int, ...] | None = None) -> bool:
        """Whether `A_k A_l^T = 0` for all k != l."""
        return _orthogonal(list(self.matrices(shape).values()))


def _shape_of(law: Spectrum | Covariance) -> tuple[int, ...]:
    if isinstance(law, Spectrum) or law.shape is not None:
        return law.shape  # type: ignore[return-value]
    return (law.size,)


def _orthogonal(matrices: list[np.ndarray]) -> bool:
    return all(
        bool(np.abs(a @ b.T).max() <= 1e-10 * np.abs(a).max() * np.abs(b).max())
        for i, a in enumerate(matrices)
        for b in matrices[:i]
    )


def _names(finest: str, coarsest: str, count: int) -> tuple[str, ...]:
    if count <= 3:
        return (finest, *["middle"] * (count - 2), coarsest)
    return (finest, *(f"middle_{i}" for i in range(1, count - 1)), coarsest)
