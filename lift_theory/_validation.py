"""Bad input is answered with what was required, what came, and what to do."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

LOGSNR_LIMIT = 200.0
"""Largest |log-SNR| in nats; products of a few SNRs stay inside float64 up to here (SNR 1e86)."""


def real_array(value: Any, *, name: str, finite: bool = True) -> np.ndarray:
    """A float64 NumPy array from real numbers.

    Raises:
        TypeError: if `value` is not made of real numbers.
        ValueError: if it is ragged, or holds NaN, or infinity where `finite` is asked.
    """
    try:
        raw = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array of real numbers: {error}") from error
    if raw.dtype.kind not in "iuf" and not jnp.issubdtype(raw.dtype, jnp.floating):
        raise TypeError(
            f"{name} must hold real numbers; got {type(value).__name__} of dtype {raw.dtype}. "
            "Convert it with numpy.asarray(..., dtype=float) first."
        )
    array = raw.astype(np.float64)
    if np.isnan(array).any():
        raise ValueError(
            f"{name} must not contain NaN; {int(np.isnan(array).sum())} of {array.size} entries are."
        )
    if finite and np.isinf(array).any():
        raise ValueError(
            f"{name} must be finite; {int(np.isinf(array).sum())} of {array.size} entries are infinite. "
            "Use a large finite value instead."
        )
    return array


def real_number(value: Any, *, name: str, positive: bool = False) -> float:
    """A finite float; `positive` asks for more than zero."""
    array = real_array(value, name=name)
    if array.ndim != 0:
        raise ValueError(f"{name} must be one number; got an array of shape {array.shape}.")
    number = float(array)
    if positive and number <= 0:
        raise ValueError(f"{name} must be positive; got {number:g}.")
    return number


def whole_number(value: Any, *, name: str, least: int) -> int:
    """An int of at least `least`; floats are refused, so that no step count is rounded silently."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer; got the truth value {value}.")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer; got {value!r} ({type(value).__name__}).") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}; got {number}.")
    return number


def model_like(value: Any, *, name: str = "model") -> None:
    """Refuse what lacks the scales and functions of a model."""
    needed = ("scales", "mutual_information", "mmse", "step_kl")
    missing = [member for member in needed if not hasattr(value, member)]
    if missing or isinstance(value, type):
        raise TypeError(
            f"{name} must be a GaussianModel or offer the same members; got {type(value).__name__}"
            + (f", which has no {', '.join(missing)}." if missing else ", a class: make an instance of it.")
        )


def one_of(value: Any, options: Sequence[str], *, name: str) -> str:
    """`value`, if it is one of `options`."""
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}; got {value!r}.")
    return value


def image_shape(shape: Any, *, name: str = "shape") -> tuple[int, ...]:
    """An image shape (H, W) or (C, H, W) as a tuple of positive ints."""
    if not isinstance(shape, Sequence) or len(shape) not in (2, 3):
        raise ValueError(f"{name} must be (H, W) or (C, H, W); got {shape!r}.")
    return tuple(whole_number(n, name=f"{name}[{i}]", least=1) for i, n in enumerate(shape))


def logsnr_array(value: Any, *, scales: tuple[str, ...], name: str = "logsnr") -> Float[Array, "... scales"]:
    """Log-SNRs in nats with one value per scale on the last axis; traced values pass unchecked but for shape."""
    count = len(scales)
    traced = isinstance(value, jax.core.Tracer)
    array = value if traced else real_array(value, name=name)
    if array.ndim == 0 or array.shape[-1] != count:
        raise ValueError(
            f"{name} must end in one value per scale, shape (..., {count}) for scales {scales}; "
            f"got shape {tuple(array.shape)}."
        )
    if not traced and array.size and np.abs(array).max() > LOGSNR_LIMIT:
        raise ValueError(
            f"{name} must lie within +-{LOGSNR_LIMIT:g} nats; got {array.flat[np.abs(array).argmax()]:g}. "
            "Beyond that a scale is pure noise or exact: leave it out, or stop earlier."
        )
    return jnp.asarray(array, dtype=jnp.float64)


def per_scale(value: Any, *, scales: tuple[str, ...], name: str) -> np.ndarray:
    """One log-SNR per scale from a number for all scales or a sequence of one per scale."""
    array = real_array(value, name=name)
    if array.ndim == 0:
        array = np.full(len(scales), float(array))
    if array.shape != (len(scales),):
        raise ValueError(
            f"{name} must be one log-SNR for all scales or one for each of {scales}; got shape {array.shape}."
        )
    return np.asarray(logsnr_array(array, scales=scales, name=name))
