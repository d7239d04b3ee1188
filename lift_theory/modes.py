"""How averaging and up-sampling act on DCT modes, and exact axes of the blocks they form."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float


def principal_axes(
    matrices: Float[np.ndarray, "blocks rows members"], row: Float[np.ndarray, "blocks members"]
) -> tuple[np.ndarray, np.ndarray]:
    """Squared singular values of each matrix, and `row` in the coordinates of its right singular vectors.

    One-sided Jacobi rotations, which unlike bidiagonalisation keep the relative accuracy of small singular values
    when the columns differ by many orders of magnitude (Demmel & Veselic 1992).
    """
    columns = np.concatenate([matrices, row[:, None]], axis=1)
    order = np.argsort(-np.sum(matrices**2, axis=1), axis=1)
    columns = np.take_along_axis(columns, order[:, None], axis=2)
    members = columns.shape[2]
    for _ in range(30):
        largest = 0.0
        for p in range(members):
            for q in range(p + 1, members):
                first, second = columns[..., p], columns[..., q]
                a, b = (np.sum(c[:, :-1] ** 2, axis=1) for c in (first, second))
                product = np.sum(first[:, :-1] * second[:, :-1], axis=1)
                norm = np.sqrt(a * b)
                cosine = np.divide(product, norm, out=np.zeros_like(product), where=norm > 0)
                largest = max(largest, np.abs(cosine).max(initial=0.0))
                gap = np.divide(b - a, 2 * product, out=np.full_like(product, np.inf), where=cosine != 0)
                tangent = np.where(gap < 0, -1.0, 1.0) / (np.abs(gap) + np.hypot(1.0, gap))
                c = 1 / np.hypot(1.0, tangent)
                s = c * tangent
                columns[..., p], columns[..., q] = (
                    c[:, None] * first - s[:, None] * second,
                    s[:, None] * first + c[:, None] * second,
                )
        if largest < 1e-15:
            break
    return np.sum(columns[:, :-1] ** 2, axis=1), columns[:, -1]


def average(size: int) -> np.ndarray:
    """Means of neighbouring pairs, (size / 2, size)."""
    return np.kron(np.eye(size // 2), [[0.5, 0.5]])


def difference(size: int) -> np.ndarray:
    """Half the differences of neighbouring pairs, (size / 2, size)."""
    return np.kron(np.eye(size // 2), [[0.5, -0.5]])


def keys_kernel(distance: float, a: float = -0.75) -> float:
    """Cubic convolution kernel (Keys 1981, who has a = -1/2)."""
    x = abs(distance)
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a


# weight of the coarse pixel at a given offset from the fine pixel's own, for the left one of two fine pixels
KERNELS: dict[str, dict[int, float]] = {
    "nearest": {0: 1.0},
    "bilinear": {-1: 0.25, 0: 0.75},
    "bicubic": {offset: keys_kernel(offset + 0.25) for offset in (-2, -1, 0, 1)},
}


def upsample(size: int, kernel: str) -> np.ndarray:
    """Up-sampling by two, (2 size, size), with mirrored borders."""
    matrix = np.zeros((2 * size, size))
    for i in range(size):
        for offset, weight in KERNELS[kernel].items():
            for side, neighbour in ((0, i + offset), (1, i - offset)):
                mirrored = neighbour % (2 * size)
                matrix[2 * i + side, min(mirrored, 2 * size - 1 - mirrored)] += weight
    return matrix


def mode_maps(size: int, kernel: str) -> tuple[Any, Any, np.ndarray]:
    """Averaging (size / 2, size) and up-sampling (size, size / 2) between orthonormal DCT-II modes, sparse.

    The third result is what averaging and up-sampling together take from each mode below size / 2 itself; for low
    modes it is small, so it is summed without a difference.
    """
    from scipy import sparse

    half = size // 2
    k = np.arange(half)
    angle = np.pi * k / (2 * size)
    turns = [
        (weight, (4 * offset + 1) * angle, 2 * offset * angle) for offset, weight in KERNELS[kernel].items()
    ]
    near = np.sum([weight * np.cos(turn) for weight, turn, _ in turns], axis=0)
    far = np.sum([weight * np.sin(turn) for weight, turn, _ in turns], axis=0)
    lost = np.sum(
        [weight * (np.sin(even + angle) ** 2 + np.sin(even) ** 2) for weight, _, even in turns], axis=0
    )
    fine = np.concatenate([k, size - k[1:]])
    coarse = np.concatenate([k, k[1:]])
    down = np.concatenate([np.cos(angle), -np.sin(angle[1:])]) / np.sqrt(2)
    up = np.concatenate([near, -far[1:]]) * np.sqrt(2)
    return (
        sparse.csr_matrix((down, (coarse, fine)), shape=(half, size)),
        sparse.csr_matrix((up, (fine, coarse)), shape=(size, half)),
        lost,
    )


def mode_cascade(shape: tuple[int, ...], levels: int, kernel: str) -> list[tuple[Any, Any]]:
    """Per level, means and what up-sampling the next means leaves of them, on DCT modes; the last residual is whole."""
    from scipy import sparse

    cascade, means = [], sparse.identity(shape[0] * shape[1], format="csr")
    for level in range(levels - 1):
        height, width = (n >> level for n in shape)
        down, up, lost = zip(*(mode_maps(n, kernel) for n in (height, width)), strict=True)
        average = sparse.kron(*down, format="csr")
        rest = sparse.identity(height * width, format="csr") - sparse.kron(*up, format="csr") @ average
        own = rest.diagonal().reshape(height, width)
        vertical, horizontal = lost[0][:, None], lost[1]
        own[: height // 2, : width // 2] = vertical + horizontal - vertical * horizontal
        rest = (
            rest - sparse.diags(rest.diagonal()) + sparse.diags(own.ravel())
        )  # setdiag of SciPy 1.14.0 errs
        cascade.append((means, (rest @ means).tocsr()))
        means = average @ means
    return [*cascade, (means, means)]


def mode_upsampling(shape: tuple[int, ...], levels: int, kernel: str) -> list[Any]:
    """Per level, up-sampling of its means to the full image, on DCT modes; the identity for the finest."""
    from scipy import sparse

    result = [sparse.identity(shape[0] * shape[1], format="csr")]
    for level in range(levels - 1):
        up = sparse.kron(*(mode_maps(n >> level, kernel)[1] for n in shape), format="csr")
        result.append(result[-1] @ up)
    return result


def rank_within(label: np.ndarray) -> np.ndarray:
    """Position of each entry among those with the same label."""
    order = np.argsort(label, kind="stable")
    ordered = label[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    position = np.arange(len(label)) - np.repeat(starts, np.diff(np.r_[starts, len(label)]))
    result = np.empty_like(position)
    result[order] = position
    return result
