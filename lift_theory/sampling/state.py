"""Which blocks a Gaussian model falls into, and where they sit on the DCT grid of the image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from lift_theory.gaussian import GaussianModel
from lift_theory.laws import Spectrum, dct_matrix
from lift_theory.representations import DctBands, SingleScale, _Dyadic, _shape_of
from lift_theory.sampling.blocks import Blocks


class Place(NamedTuple):
    """Where blocks come from: their image modes, their rows' numbers within the scales, and how often they occur."""

    modes: Int[np.ndarray, "members blocks"]
    channel: Int[np.ndarray, " blocks"]
    share: Float[np.ndarray, "members rows blocks"]
    """How the error of a row is shared among image modes: its squared loadings, normalised."""
    member_share: Float[np.ndarray, "modes members blocks"]
    """The same for members."""


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """All blocks of a model, and how they sit on the DCT grid."""

    groups: tuple[Blocks, ...]
    places: tuple[Place, ...]
    shape: tuple[int, ...]
    """Shape of the grid of image modes, (C, H, W), or (C, d) where there is no grid."""


_known: WeakKeyDictionary[GaussianModel, State] = WeakKeyDictionary()


def state_of(model: GaussianModel) -> State:
    """The blocks of a model, made once per model."""
    if model not in _known:
        _known[model] = _state(model)
    return _known[model]


def _state(model: GaussianModel) -> State:
    from scipy import sparse

    law, representation = model.law, model.representation
    shape = _shape_of(law)
    if isinstance(representation, SingleScale):
        if isinstance(law, Spectrum):
            variances = law._channels
        else:
            variances = np.maximum(np.linalg.eigvalsh(law.matrix), 0.0)[None]
        operators = syntheses = [sparse.identity(variances[0].size, format="csr")]
    elif isinstance(law, Spectrum) and isinstance(representation, DctBands):
        variances = law._channels
        masks = [np.flatnonzero(mask) for mask in representation._masks(shape[-2:])]
        whole = sparse.identity(variances[0].size, format="csr")
        operators = [whole[mask] for mask in masks]
        syntheses = [operator.T for operator in operators]
    elif isinstance(law, Spectrum) and isinstance(representation, _Dyadic):
        variances = law._channels
        operators = representation._mode_operators(shape[-2:])
        syntheses = representation._mode_synthesis(shape[-2:])
    else:
        return _dense_state(model)
    planes = len(variances)
    sizes = [size // planes for size in model.sizes]
    groups, places = [], []
    for blocks, members in _components(operators, syntheses, sizes):
        roots = np.sqrt(variances.reshape(planes, -1))[:, members]  # (planes, blocks, members)
        factors = np.concatenate([blocks.factors * root.T for root in roots], axis=-1)
        image = np.concatenate([blocks.image] * planes, axis=-1)
        groups.append(_frozen(factors, image, blocks.scales))
        loadings = np.concatenate([np.swapaxes(blocks.factors**2, 0, 1)] * planes, axis=-1)
        places.append(
            Place(
                modes=np.concatenate([members.T] * planes, axis=-1),
                channel=np.repeat(np.arange(planes), len(members)),
                share=_shared(loadings, image**2),
                member_share=np.broadcast_to(
                    np.eye(len(members.T))[:, :, None], (*factors.shape[1:2], *factors.shape[1:])
                ),
            )
        )
    return State(groups=tuple(groups), places=tuple(places), shape=variances.shape)


def _dense_state(model: GaussianModel) -> State:
    """One block of everything, for covariances and operators without structure."""
    shape = _shape_of(model.law)
    operators = model.representation.matrices(shape)
    values, vectors = np.linalg.eigh(model.law.covariance_matrix())
    stacked = np.concatenate(list(operators.values()))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    left, singular, right = np.linalg.svd(stacked @ root, full_matrices=False)
    seen = singular > 1e-13 * singular[0]
    factors = left[:, seen] * singular[seen]
    image = np.concatenate(list(model.representation.synthesis(shape).values()), axis=1)
    scales = tuple(int(k) for k in np.repeat(np.arange(len(operators)), [len(a) for a in operators.values()]))
    basis = _grid_basis(shape)
    pixels = basis @ image
    place = Place(
        modes=np.arange(len(pixels))[:, None],
        channel=np.zeros(1, dtype=int),
        share=_shared((stacked @ basis.T).T[..., None] ** 2, pixels[..., None] ** 2),
        member_share=_shared((basis @ root @ right[seen].T)[..., None] ** 2, np.zeros((1, 1, 1))),
    )
    grid = shape if len(shape) == 3 else (1, *shape)
    return State(
        groups=(_frozen(factors[..., None], pixels[..., None], scales),), places=(place,), shape=grid
    )


def _grid_basis(shape: tuple[int, ...]) -> np.ndarray:
    """Orthonormal DCT-II of an image, channel by channel; the identity without an image shape."""
    if len(shape) == 1:
        return np.eye(shape[0])
    plane = np.kron(dct_matrix(shape[-2]), dct_matrix(shape[-1]))
    return np.kron(np.eye(int(np.prod(shape[:-2]))), plane)


def _shared(loadings: np.ndarray, readings: np.ndarray) -> np.ndarray:
    """Shares (modes, rows, blocks) that add up to one over the modes of every row."""
    total = loadings.sum(axis=0)
    weights = np.where(total > 0, loadings, readings)
    total = weights.sum(axis=0)
    weights = np.where(total > 0, weights, 1.0)
    return weights / np.maximum(weights.sum(axis=0), 1e-300)


def _frozen(factors: np.ndarray, image: np.ndarray, scales: tuple[int, ...]) -> Blocks:
    present = tuple(tuple(bool(there) for there in row) for row in np.any(factors != 0, axis=-1))
    return Blocks(
        factors=jnp.asarray(np.ascontiguousarray(factors)),
        image=jnp.asarray(np.ascontiguousarray(image)),
        scales=scales,
        present=present,
    )


class _Form(NamedTuple):
    factors: np.ndarray
    image: np.ndarray
    scales: tuple[int, ...]


def _components(
    operators: list[Any], syntheses: list[Any], sizes: list[int]
) -> list[tuple[_Form, np.ndarray]]:
    """Sets of modes and coefficients that meet only each other, grouped by form, with the modes of each set."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    down, up = sparse.vstack(operators, format="csr"), sparse.hstack(syntheses, format="csr")
    down.eliminate_zeros()
    up.eliminate_zeros()
    links = (abs(down).T + abs(up)).tocsr()
    modes = links.shape[0]
    _, label = connected_components(sparse.bmat([[None, links], [links.T, None]]), directed=False)
    owner = np.repeat(np.arange(len(operators)), [operator.shape[0] for operator in operators])
    kinds = np.concatenate([np.full(modes, -1), owner])
    order = np.lexsort((np.arange(len(label)), kinds, label))
    starts = np.flatnonzero(np.r_[True, np.diff(label[order]) != 0, True])
    forms: dict[tuple[int, ...], list[np.ndarray]] = {}
    for first, last in pairwise(starts):
        nodes = order[first:last]
        forms.setdefault(tuple(kinds[nodes].tolist()), []).append(nodes)
    spare = [operator.shape[0] > size for operator, size in zip(operators, sizes, strict=True)]
    result = []
    for kind, sets in forms.items():
        nodes = np.array(sets)
        members = nodes[:, : kind.count(-1)]
        coefficients = nodes[:, kind.count(-1) :] - modes
        scales = tuple(kind[kind.count(-1) :])
        loads = _entries(down, coefficients[:, :, None], members[:, None, :])
        reads = _entries(up, members[:, :, None], coefficients[:, None, :])
        form = _proper(loads, reads, scales, spare)
        if form.scales:
            result.append((form, members))
    return result


def _entries(matrix: Any, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Entries of a sparse matrix, (blocks, rows, columns)."""
    rows, columns = np.broadcast_arrays(rows, columns)
    if rows.size == 0:
        return np.zeros(rows.shape)
    return np.asarray(matrix[rows.flatten(), columns.flatten()]).reshape(rows.shape)  # SciPy wants copies


def _proper(loads: np.ndarray, reads: np.ndarray, scales: tuple[int, ...], spare: list[bool]) -> _Form:
    """Without the rows that only repeat others, where an operator has more rows than its scale coefficients."""
    owner = np.array(scales, dtype=int)
    kept_loads, kept_reads, kept_scales = [], [], []
    for k in sorted(set(scales)):
        down, up = loads[:, owner == k], reads[:, :, owner == k]
        if spare[k]:
            left, singular, _ = np.linalg.svd(down)
            rank = np.sum(singular > 0.5, axis=1)
            turn = left[:, :, : rank[0]]
            down, up = np.swapaxes(turn, 1, 2) @ down, up @ turn
        kept_loads.append(down)
        kept_reads.append(up)
        kept_scales += [k] * down.shape[1]
    return _Form(
        factors=np.moveaxis(np.concatenate(kept_loads, axis=1), 0, -1),
        image=np.moveaxis(np.concatenate(kept_reads, axis=2), 0, -1),
        scales=tuple(kept_scales),
    )
