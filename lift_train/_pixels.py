"""What the image loaders share: checked arguments, the split by source, decoding, cropping and resizing."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float32, Shaped

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
T = TypeVar("T")


class Item(NamedTuple):
    """One picture that has not been decoded yet."""

    source: str
    picture: Callable[[], Any]  # a NumPy array or a PIL image


class Request(NamedTuple):
    """The checked arguments that every loader takes."""

    size: int
    channels: int
    held_out: float
    seed: int
    limit: int | None


def checked(size: object, channels: object, held_out: object, seed: object, limit: object) -> Request:
    """The arguments of a loader as plain numbers.

    Raises:
        TypeError: If one is not a number of the right kind.
        ValueError: If one is out of its range.

    >>> checked(64, 3, 0.2, 0, None)
    Request(size=64, channels=3, held_out=0.2, seed=0, limit=None)
    """
    pixels = whole(size, "size", 1)
    depth = whole(channels, "channels", 1)
    if depth not in (1, 3):
        raise ValueError(f"`channels` must be 3 (colour) or 1 (luminance); got {depth}")
    if isinstance(held_out, bool) or not isinstance(held_out, (int, float, np.integer, np.floating)):
        raise TypeError(f"`held_out` must be a number in (0, 1); got {type(held_out).__name__}")
    if not 0 < held_out < 1:
        raise ValueError(
            f"`held_out` must be in (0, 1), the fraction of sources to hold out; got {held_out!r}"
        )
    most = None if limit is None else whole(limit, "limit", 1)
    return Request(pixels, depth, float(held_out), whole(seed, "seed", 0), most)


def whole(value: object, name: str, least: int) -> int:
    """`value` as an integer of at least `least`.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is smaller than `least`.
    """
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        raise TypeError(f"`{name}` must be an integer; got {type(value).__name__} {value!r}")
    number = operator.index(value)
    if number < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}; got {number}")
    return number


def library(module: str, extra: str = "photos") -> Any:
    """An optional dependency, or an ImportError that names the extra which brings it."""
    try:
        return import_module(module)
    except ImportError as error:
        top = module.partition(".")[0]
        package = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn"}.get(top, top)
        raise ImportError(
            f"this image source needs {package}, which cannot be imported: pip install 'lift-theory[{extra}]'"
        ) from error


def split(sources: Sequence[T], request: Request) -> tuple[list[T], list[T]]:
    """Training and held-out sources chosen by the seed, both in the order given, neither empty."""
    total = len(sources)
    if total < 2:
        raise ValueError(f"a held-out split needs images from at least 2 different sources; got {total}")
    count = min(max(round(request.held_out * total), 1), total - 1)
    chosen = set(np.random.default_rng(request.seed).permutation(total)[:count].tolist())
    train = [source for index, source in enumerate(sources) if index not in chosen]
    return train, [source for index, source in enumerate(sources) if index in chosen]


def kept(items: Sequence[Item], request: Request) -> list[Item]:
    """The items within the limit, chosen by the seed, in the order given."""
    if request.limit is None or request.limit >= len(items):
        return list(items)
    order = np.random.default_rng(request.seed).permutation(len(items))
    return [items[index] for index in sorted(order[: request.limit])]


def items_of(array: np.ndarray, label: str) -> list[Item]:
    """One item per image of an array, each its own source."""
    return [Item(f"{label}/{index}", partial(array.__getitem__, index)) for index in range(len(array))]


def stack(items: Sequence[Item], request: Request) -> Float32[np.ndarray, "n size size *channels"]:
    """Decode items into one array."""
    shape = (len(items), request.size, request.size) + (() if request.channels == 1 else (3,))
    array = np.empty(shape, np.float32)
    for row, item in zip(array, items, strict=True):
        row[...] = fitted(item.picture(), request)
    return array


def fitted(picture: Any, request: Request) -> Float32[np.ndarray, "size size *channels"]:
    """One picture (array or PIL image) as a square in [-1, 1] of the wanted size and channels."""
    if not isinstance(picture, np.ndarray):
        picture = np.asarray(_square(_plain(picture), request.size))
    values = picture.astype(np.float32)
    if picture.dtype == np.uint8:
        values = values / np.float32(127.5) - 1
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.shape[:2] != (request.size, request.size):
        planes = [values] if values.ndim == 2 else list(np.moveaxis(values, 2, 0))
        image = library("PIL.Image")
        small = [np.asarray(_square(image.fromarray(plane), request.size)) for plane in planes]
        values = small[0] if values.ndim == 2 else np.stack(small, axis=-1)
    if request.channels == 1 and values.ndim == 3:
        values = values @ np.array([0.299, 0.587, 0.114], np.float32)  # luma, ITU-R BT.601
    if request.channels == 3 and values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    return np.clip(values, -1, 1)  # the Lanczos filter overshoots at edges


def _square(image: Any, size: int) -> Any:
    """The largest centred square of a PIL image, resized by an antialiasing filter."""
    lanczos = library("PIL.Image").Resampling.LANCZOS
    return library("PIL.ImageOps").fit(image, (size, size), method=lanczos)


def _plain(image: Any) -> Any:
    """A PIL image upright, 8 bits deep, grey or RGB, on white where it was transparent."""
    pillow = library("PIL.Image")
    image = library("PIL.ImageOps").exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits: PIL's own conversion clips instead of rescaling
        levels = np.asarray(image).astype(np.float64) / 257
        return pillow.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed range; store 8 or 16 bits")
    if image.mode in ("1", "L"):
        return image.convert("L")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = pillow.alpha_composite(pillow.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def image_files(root: Path) -> Iterator[Path]:
    """Image files below a folder, told by their ending; hidden ones and links to folders are passed over."""
    for directory, subdirectories, names in os.walk(root):
        subdirectories[:] = [name for name in subdirectories if not name.startswith(".")]
        for name in names:
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield Path(directory) / name


def decoded(file: Path) -> Any:
    """A PIL image read to its last byte, or a ValueError that names the file."""
    pillow = library("PIL.Image")
    try:
        with pillow.open(file) as picture:
            picture.load()
            return _plain(picture)
    except Exception as error:  # each decoder reports damage in its own way
        raise ValueError(
            f"{str(file)!r} cannot be decoded as an image ({error}); repair it, or move it out of the folder"
        ) from error


def check_array(name: str, array: Shaped[np.ndarray, "..."]) -> None:
    """Raise unless an array holds images, as bytes or as floating point in [-1, 1]."""
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)) or not array.size:
        raise ValueError(
            f"array `{name}` must be (n, H, W), (n, H, W, 1) or (n, H, W, 3) with at least one image; "
            f"got shape {array.shape}"
        )
    if array.dtype == np.uint8:
        return
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"array `{name}` must be uint8, or floating point in [-1, 1]; got {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"array `{name}` holds NaN or infinite values; remove those images")
    if np.abs(array).max() > 1:
        raise ValueError(
            f"array `{name}` is floating point and must lie in [-1, 1]; "
            f"got [{array.min():g}, {array.max():g}]: rescale it, or store uint8"
        )
