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

from lift_theory.gaussian import _ClosedForm

CHUNKS = (16, 256)
"""Points per compiled call: only these shapes are ever compiled, and the last chunk is padded."""


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
    return _in_chunks(_mmse_loop, model, points)[0]


def evaluate_tangents(
    model: Any, points: Float[np.ndarray, "points scales"]
) -> tuple[Float[np.ndarray, "points scales"], Float[np.ndarray, "points scales scales"]]:
    """The model's mmse and its information metric at many points."""
    mmse, metric = _in_chunks(_tangent_loop, model, points)
    return mmse, metric


@jax.jit
def _mmse_loop(model: Any, points: Float[Array, "points scales"]) -> tuple[Array, ...]:
    return (jax.lax.map(model.mmse, points),)


@jax.jit
def _tangent_loop(model: Any, points: Float[Array, "points scales"]) -> tuple[Array, ...]:
    return jax.lax.map(lambda point: (model.mmse(point), model.metric(point)), points)


def _in_chunks(
    loop: Callable[[Any, Any], tuple[Array, ...]], model: Any, points: Float[np.ndarray, "points scales"]
) -> tuple[np.ndarray, ...]:
    """Run a compiled loop over all points, several chunks at a time where there are several cores."""
    view = traceable(model)
    count = len(points)
    size = CHUNKS[0] if count <= CHUNKS[0] else CHUNKS[1]
    padded = np.concatenate([points, np.repeat(points[-1:], -count % size, axis=0)])
    chunks = padded.reshape(-1, size, points.shape[1])
    with ThreadPoolExecutor() as pool:
        parts = list(pool.map(lambda chunk: [np.asarray(part) for part in loop(view, chunk)], chunks))
    return tuple(np.concatenate(columns)[:count] for columns in zip(*parts, strict=True))
