"""Models as arguments of compiled functions, so that a new model of a known shape needs no new compilation.

Lattices are evaluated point by point inside one compiled loop: all modes of a model stay in the processor's
cache, and mmse and metric share their work.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from lift_theory.compilation import jit
from lift_theory.gaussian import _ClosedForm

CHUNK = 64
"""Points per compiled call, on lattices."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class _ByChannels(_ClosedForm):
    """A closed-form model as a tree of its arrays."""

    channels: Any
    names: tuple[str, ...] = field(metadata={"static": True})

    @property
    def scales(self) -> tuple[str, ...]:
        return self.names

    @property
    def _channels(self) -> Any:
        return self.channels


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class _ByIdentity:
    """Any other model: compiled functions are kept per instance."""

    model: Any = field(metadata={"static": True})

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "model"), name)


def traceable(model: Any) -> Any:
    """`model` with the same methods, in a form that `jax.jit` accepts as an argument."""
    if isinstance(model, _ClosedForm):
        return _ByChannels(channels=model._channels, names=tuple(model.scales))
    if jax.tree_util.all_leaves([model]):
        return _ByIdentity(model=model)
    return model


def evaluate_mmse(
    model: Any, points: Float[np.ndarray, "points scales"]
) -> Float[np.ndarray, "points scales"]:
    """The model's mmse at many points."""
    return in_chunks(_mmse_loop, model, points, size=CHUNK)[0]


def evaluate_tangents(
    model: Any, points: Float[np.ndarray, "points scales"]
) -> tuple[Float[np.ndarray, "points scales"], Float[np.ndarray, "points scales scales"]]:
    """The model's mmse and its information metric at many points."""
    mmse, metric = in_chunks(_tangent_loop, model, points, size=CHUNK)
    return mmse, metric


def in_chunks(
    function: Callable[..., tuple[Array, ...]], model: Any, *rows: np.ndarray, size: int
) -> tuple[np.ndarray, ...]:
    """Run a compiled function of a model over the rows of arrays, several chunks at a time on several cores.

    Args:
        function: called with the model and a chunk of every array, gives arrays with as many rows.
        model: any error-surface model.
        rows: arrays of equal length.
        size: length of a chunk; the last one is padded, so that no other length is ever compiled.
    """
    view, count = traceable(model), len(rows[0])
    padded = [np.concatenate([row, np.repeat(row[-1:], -count % size, axis=0)]) for row in rows]
    chunks = list(zip(*(row.reshape(-1, size, *row.shape[1:]) for row in padded), strict=True))

    def run(chunk: tuple[np.ndarray, ...]) -> list[np.ndarray]:
        return [np.asarray(part) for part in function(view, *chunk)]

    leaves, tree = jax.tree.flatten(view)
    key = hash((function, tree, tuple(np.shape(leaf) for leaf in leaves), size))
    alone = chunks[:1] if key not in _compiled else []
    parts = [run(chunk) for chunk in alone]
    _compiled.add(key)
    with ThreadPoolExecutor() as pool:
        parts += pool.map(run, chunks[len(alone) :])
    return tuple(np.concatenate(columns)[:count] for columns in zip(*parts, strict=True))


_compiled: set[int] = set()
"""What has run before: chunks that run at once for the first time would each compile the same function."""


@jit
def _mmse_loop(model: Any, points: Float[Array, "points scales"]) -> tuple[Array, ...]:
    return (jax.lax.map(model.mmse, points),)


@jit
def _tangent_loop(model: Any, points: Float[Array, "points scales"]) -> tuple[Array, ...]:
    return jax.lax.map(lambda point: (model.mmse(point), model.metric(point)), points)
