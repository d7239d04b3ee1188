"""Images with a held-out split: photographs, digits, folders, NumPy archives and hosted data sets.

Every loader returns :class:`Images`: square arrays in [-1, 1], training and held-out images kept apart *by
source* (a photograph, a file, a row), and where they came from. :func:`load` reads the short form used on
command lines; the functions behind it take more options.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from lift_train import _pixels
from lift_train._photographs import PHOTOGRAPHS, patches
from lift_train._pixels import Item, Request

__all__ = ["Images", "digits", "fields", "folder", "hugging_face", "load", "npz", "photographs"]

TRAIN_NAMES = ("train", "training")
HELD_OUT_NAMES = ("held_out", "test", "val", "validation")


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Training and held-out images that share no source.

    Attributes:
        train: Images to fit a model to, float32 in [-1, 1]: (n, size, size, 3) in colour, (n, size, size)
            in grey.
        held_out: Images to judge it with, of the same form.
        train_sources: What each training image was taken from: a photograph, a file, an index.
        held_out_sources: The same for the held-out images.
        name: The string that :func:`load` takes for these images.
        license: A note on the terms of use.
        preparation: How the arrays were made from the sources, in words.
        bounded: Whether the values must lie in [-1, 1]; false for random fields.

    Raises:
        ValueError: If the two parts differ in form, are empty, leave [-1, 1], hold NaN, or share a source.

    >>> images = load("digits", size=8, channels=1)
    >>> images.train.shape, images.held_out.shape
    ((1348, 8, 8), (449, 8, 8))
    """

    train: Float32[np.ndarray, "n height width *channels"]
    held_out: Float32[np.ndarray, "m height width *channels"]
    train_sources: tuple[str, ...]
    held_out_sources: tuple[str, ...]
    name: str
    license: str
    preparation: str
    bounded: bool = True

    def __repr__(self) -> str:
        return f"Images({self.name!r}, train={self.train.shape}, held_out={self.held_out.shape})"

    def __post_init__(self) -> None:
        """Check the form and range of both parts, and that they are apart."""
        for part, array, sources in (
            ("train", self.train, self.train_sources),
            ("held_out", self.held_out, self.held_out_sources),
        ):
            square = (
                array.ndim in (3, 4) and array.shape[1] == array.shape[2] and array.shape[3:] in ((), (3,))
            )
            if not square or not array.size or array.dtype != np.float32:
                raise ValueError(
                    f"`{part}` must be float32 (n, size, size) or (n, size, size, 3), n at least 1; "
                    f"got {array.dtype} of shape {array.shape}"
                )
            if len(array) != len(sources):
                raise ValueError(f"`{part}` must name one source per image, {len(array)}; got {len(sources)}")
            limit = 1.0 if self.bounded else np.finfo(np.float32).max
            if not (array.min() >= -limit and array.max() <= limit):  # false for NaN, too
                raise ValueError(f"`{part}` must lie in [-1, 1]; rescale the images and remove NaN")
        if self.train.shape[1:] != self.held_out.shape[1:]:
            raise ValueError(
                f"both parts must hold images of one shape; got {self.train.shape} and {self.held_out.shape}"
            )
        if shared := set(self.train_sources) & set(self.held_out_sources):
            raise ValueError(
                f"training and held-out images must not share a source; both have {min(shared)!r}"
            )

    @property
    def size(self) -> int:
        """Height and width in pixels."""
        return int(self.train.shape[1])

    @property
    def channels(self) -> int:
        """3 for colour, 1 for grey (grey arrays have no channel axis)."""
        return 3 if self.train.ndim == 4 else 1

    @property
    def sources(self) -> tuple[str, ...]:
        """Every source once, in alphabetical order."""
        return tuple(sorted({*self.train_sources, *self.held_out_sources}))

    @property
    def provenance(self) -> dict[str, str | int]:
        """What a result made from these images should carry, with a fingerprint of the pixels."""
        digest = hashlib.sha256(self.train.tobytes())
        digest.update(self.held_out.tobytes())
        return {
            "name": self.name,
            "size": self.size,
            "channels": self.channels,
            "sources": len(self.sources),
            "train_images": len(self.train),
            "held_out_images": len(self.held_out),
            "preparation": self.preparation,
            "license": self.license,
            "sha256": digest.hexdigest(),
        }


def load(
    source: str,
    size: int = 64,
    channels: int = 3,
    *,
    held_out: float = 0.25,
    seed: int = 0,
    limit: int | None = None,
) -> Images:
    """Images by the short name of where they come from.

    - ``"photos"``: patches of the photographs that scikit-image and scikit-learn carry (:func:`photographs`);
    - ``"digits"``: scikit-learn's handwritten digits (:func:`digits`);
    - ``"folder:PATH"``: image files below a folder (:func:`folder`);
    - ``"npz:PATH"``: arrays in a NumPy archive (:func:`npz`);
    - ``"hf:NAME"``: a data set known to the ``datasets`` library (:func:`hugging_face`);
    - ``"fields:EXPONENT"``: Gaussian fields with a power-law spectrum (:func:`fields`).

    Args:
        source: One of the forms above.
        size: Height and width of the images in pixels, any positive integer.
        channels: 3 gives (n, size, size, 3); 1 gives luminance, (n, size, size).
        held_out: Fraction of the sources to hold out, in (0, 1), rounded to at least one; unused where the
            data come with a split of their own.
        seed: Chooses the held-out sources and, with `limit`, the images that are kept.
        limit: At most this many images in each part; None keeps all.

    Raises:
        ValueError: If an argument is out of its range, or the source is unknown, missing, empty or damaged.
        TypeError: If an argument is of the wrong kind.
        ImportError: If the source needs a library that is not installed; the message says what to install.

    >>> images = load("photos", size=64, channels=3)
    >>> images.train.shape[1:]
    (64, 64, 3)
    >>> sorted(set(images.held_out_sources))
    ['china', 'flower']
    >>> load("photo")
    Traceback (most recent call last):
    ...
    ValueError: unknown image source 'photo': did you mean 'photos'? ...
    """
    if not isinstance(source, str):
        raise TypeError(f"`source` must be a string such as 'photos'; got {type(source).__name__}")
    kind, separator, rest = source.partition(":")
    plain: dict[str, Callable[..., Images]] = {"photos": photographs, "digits": digits}
    located: dict[str, Callable[..., Images]] = {
        "folder": folder,
        "npz": npz,
        "hf": hugging_face,
        "fields": fields,
    }
    if kind in plain and not separator:
        found = plain[kind]
    elif kind in located and rest:
        found = partial(located[kind], rest)
    elif kind in located:
        raise ValueError(f"{source!r} does not say which data: write '{kind}:' and a name or path behind it")
    else:
        near = difflib.get_close_matches(kind, [*plain, *located], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        known = ", ".join([*plain, *(f"{name}:..." for name in located)])
        raise ValueError(f"unknown image source {source!r}: {hint}Known are {known}")
    return found(size=size, channels=channels, held_out=held_out, seed=seed, limit=limit)


def photographs(
    size: int = 64,
    channels: int = 3,
    *,
    downscale: Sequence[int] = (2, 4),
    overlap: float = 0.5,
    held_out: float = 0.25,
    seed: int = 0,
    limit: int | None = None,
) -> Images:
    """Patches of seven colour photographs, or of the luminance of these and of three grey ones.

    Each photograph is reduced by every factor in `downscale` (Lanczos filter) and cut into overlapping
    patches that reach from edge to edge. A factor that leaves less than one patch is skipped; a photograph
    for which none is left is used at full resolution, where compression and sensor interpolation bend the
    upper end of the spectrum. The split is by photograph.

    Args:
        size: Height and width of a patch, 1 to 300 pixels.
        channels: 3 for colour, 1 for luminance.
        downscale: Integer factors, each at least 1.
        overlap: Fraction of a patch that the next one repeats, in [0, 1).
        held_out: Fraction of the photographs to hold out.
        seed: Chooses the held-out photographs and, with `limit`, the patches that are kept.
        limit: At most this many patches in each part.

    Raises:
        ValueError: If an argument is out of its range, or a photograph is smaller than a patch.
        TypeError: If an argument is of the wrong kind.

    >>> photographs(size=128, channels=1).sources  # doctest: +NORMALIZE_WHITESPACE
    ('astronaut', 'camera', 'chelsea', 'china', 'coffee', 'coins', 'flower', 'moon', 'motorcycle',
     'rocket')
    """
    request = _pixels.checked(size, channels, held_out, seed, limit)
    factors = [_pixels.whole(factor, "downscale", 1) for factor in downscale]
    if not factors:
        raise ValueError("`downscale` must hold at least one factor; pass (1,) for full resolution")
    if not 0 <= overlap < 1:
        raise ValueError(f"`overlap` must be in [0, 1), the repeated fraction of a patch; got {overlap!r}")
    chosen = {name: photo for name, photo in PHOTOGRAPHS.items() if photo.colour or channels == 1}
    parts = [
        [Item(name, patch) for name in names for patch in patches(name, request, factors, overlap)]
        for names in _pixels.split(list(chosen), request)
    ]
    return _images(
        parts,
        request,
        name="photos",
        license="; ".join(f"{name}: {photo.license}" for name, photo in chosen.items()),
        preparation=f"patches of photographs reduced by {', '.join(map(str, factors))} (Lanczos), "
        f"overlap {overlap:g}, split by photograph",
    )


def digits(
    size: int = 8, channels: int = 1, *, held_out: float = 0.25, seed: int = 0, limit: int | None = None
) -> Images:
    """The 1797 handwritten digits of scikit-learn: 8x8 pixels, 17 grey levels, resized if `size` is not 8.

    With ``channels=3`` the grey level is repeated, so that the colour differences are exactly zero.

    Args:
        size: Height and width after resizing.
        channels: 1, or 3 to repeat the grey level.
        held_out: Fraction of the digits to hold out.
        seed: Chooses the held-out digits and, with `limit`, the ones that are kept.
        limit: At most this many digits in each part.

    Raises:
        ValueError: If an argument is out of its range.
        TypeError: If an argument is of the wrong kind.

    >>> digits(limit=10).train.shape
    (10, 8, 8)
    """
    request = _pixels.checked(size, channels, held_out, seed, limit)
    levels = _pixels.library("sklearn.datasets").load_digits().images  # 0 to 16
    items = _pixels.items_of((levels / 8 - 1).astype(np.float32), "digit")
    return _images(
        _pixels.split(items, request),
        request,
        name="digits",
        license="CC BY 4.0 (UCI repository, optical recognition of handwritten digits)",
        preparation=f"8x8 grey levels, resized to {size}x{size} (Lanczos), split by image",
    )


def fields(
    exponent: str | float,
    size: int = 16,
    channels: int = 1,
    *,
    held_out: float = 0.25,
    seed: int = 0,
    limit: int | None = None,
) -> Images:
    """Gaussian fields of which everything is known: `lift_theory.Spectrum.power_law` of variance 1/4 a pixel.

    Args:
        exponent: Of the power law, a number or its digits.
        size: Height and width.
        channels: 1, or 3 for three independent fields.
        held_out: Held-out fields per training field.
        seed: Of the fields.
        limit: Number of training fields; 65536 if None.

    Raises:
        ValueError: If an argument is out of its range.

    >>> fields(2, size=8, limit=100).train.shape
    (100, 8, 8)
    """
    import lift_theory as lt

    request = _pixels.checked(size, channels, held_out, seed, limit)
    try:
        law = lt.Spectrum.power_law(
            (channels, size, size) if channels == 3 else (size, size), float(exponent)
        )
    except ValueError as error:
        raise ValueError(
            f"'fields:' needs the exponent of a power law, such as 2; got {exponent!r}"
        ) from error
    count = request.limit or 65536
    kept_out = max(1, round(count * held_out))
    parts = np.split(law.sample(count + kept_out, seed=seed).astype(np.float32), [count])
    names = [f"field {i}" for i in range(count + kept_out)]
    return Images(
        train=parts[0],
        held_out=parts[1],
        train_sources=tuple(names[:count]),
        held_out_sources=tuple(names[count:]),
        name=f"fields:{exponent}",
        license="generated",
        preparation=f"Gaussian fields, power law of exponent {float(exponent):g}, variance 0.25, seed {seed}",
        bounded=False,
    )


def folder(
    path: str | os.PathLike[str],
    size: int = 64,
    channels: int = 3,
    *,
    group: str = "file",
    held_out: float = 0.25,
    seed: int = 0,
    limit: int | None = None,
) -> Images:
    """All image files below a folder, cropped to the central square and resized with an antialiasing filter.

    The split is the folder's own if its first level has a training folder (``train``) beside a held-out one
    (``test``, ``val``, ``validation`` or ``held_out``). Otherwise sources are held out at random. A source is
    a file, so that folders named after classes are on both sides; with ``group="subfolder"`` it is a
    first-level subfolder, as fits the frames of one film or the pictures of one camera. Transparent pixels
    turn white. Hidden files and other kinds of file are skipped.

    Args:
        path: A folder, searched recursively for PNG, JPEG, WebP, TIFF, BMP and PPM files.
        size: Height and width after resizing.
        channels: 3 for colour (grey files are repeated), 1 for luminance.
        group: ``"file"`` or ``"subfolder"``: what must not be on both sides of a random split.
        held_out: Fraction of the sources to hold out.
        seed: Chooses the held-out sources and, with `limit`, the files that are kept.
        limit: At most this many images in each part; files beyond it are not decoded.

    Raises:
        ValueError: If the folder is missing or has no images, if a file cannot be decoded (the message names
            it), or if an argument is out of its range.
        TypeError: If an argument is of the wrong kind.
    """
    request = _pixels.checked(size, channels, held_out, seed, limit)
    if group not in ("file", "subfolder"):
        raise ValueError(f"`group` must be 'file' or 'subfolder'; got {group!r}")
    root = Path(path).expanduser()
    if not root.is_dir():
        raise ValueError(f"`path` must be a folder of images; {str(path)!r} is {_what_is(root)}")
    names = sorted(file.relative_to(root) for file in _pixels.image_files(root))
    if not names:
        kinds = ", ".join(sorted(_pixels.SUFFIXES))
        raise ValueError(f"{str(path)!r} holds no images; put files there that end in {kinds}")
    tops = [name.parts[0] if len(name.parts) > 1 else "" for name in names]
    sources = [name.as_posix() for name in names]
    published = _published(tops)
    if published:
        sides = [
            [source for source, top in zip(sources, tops, strict=True) if top == side] for side in published
        ]
    else:
        if group == "subfolder":
            sources = [top or source for source, top in zip(sources, tops, strict=True)]
        sides = list(_pixels.split(sorted(set(sources)), request))
    parts = [
        [
            Item(source, partial(_pixels.decoded, root / name))
            for source, name in zip(sources, names, strict=True)
            if source in side
        ]
        for side in map(set, sides)
    ]
    return _images(
        parts,
        request,
        name=f"folder:{root.name}",
        license="as given by the owner of the folder",
        preparation=f"central square resized to {size}x{size} (Lanczos), "
        + ("split as published" if published else f"split by {group}"),
    )


def npz(
    path: str | os.PathLike[str],
    size: int = 64,
    channels: int = 3,
    *,
    held_out: float = 0.25,
    seed: int = 0,
    limit: int | None = None,
) -> Images:
    """Images stored in a NumPy archive, cropped and resized as in :func:`folder` if they have another size.

    The archive has either two arrays, ``train`` and one of ``test``, ``val``, ``validation`` or ``held_out``,
    or a single array of any name, from which images are held out at random. Arrays are (n, H, W),
    (n, H, W, 1) or (n, H, W, 3), as uint8 or as floating point in [-1, 1]. Archives of Python objects are
    refused.

    Args:
        path: The file.
        size: Height and width after resizing.
        channels: 3 for colour (grey images are repeated), 1 for luminance.
        held_out: Fraction of the images to hold out, unused if the archive has both parts.
        seed: Chooses the held-out images and, with `limit`, the ones that are kept.
        limit: At most this many images in each part.

    Raises:
        ValueError: If the file is missing, is no archive or has other arrays, if values are NaN or leave
            [-1, 1], or if an argument is out of its range.
        TypeError: If an argument is of the wrong kind.
    """
    request = _pixels.checked(size, channels, held_out, seed, limit)
    file = Path(path).expanduser()
    if not file.is_file():
        raise ValueError(f"`path` must be an .npz file; {str(path)!r} is {_what_is(file)}")
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # NumPy, zipfile and zlib each report damage in their own way
        raise ValueError(
            f"{str(path)!r} cannot be read as an .npz archive of plain arrays: {error}"
        ) from error
    published = _published(arrays)
    if not published and len(arrays) != 1:
        raise ValueError(
            f"{str(path)!r} must hold `train` and `test`, or a single array; it holds {sorted(arrays)}"
        )
    for name in published or arrays:
        _pixels.check_array(name, arrays[name])
    if published:
        parts = [_pixels.items_of(arrays[name], name) for name in published]
    else:
        [(name, array)] = arrays.items()
        parts = list(_pixels.split(_pixels.items_of(array, name), request))
    return _images(
        parts,
        request,
        name=f"npz:{file.name}",
        license="as given by the owner of the file",
        preparation=f"{size}x{size} (central square and Lanczos filter if resized), "
        + ("split as published" if published else "split by image"),
    )


def hugging_face(
    name: str,
    size: int = 64,
    channels: int = 3,
    *,
    held_out: float = 0.25,
    seed: int = 0,
    limit: int | None = None,
) -> Images:
    """The first image column of a data set for the ``datasets`` library, prepared as in :func:`folder`.

    Args:
        name: ``"owner/name"``, or ``"owner/name:configuration"``.
        size: Height and width after resizing.
        channels: 3 for colour (grey images are repeated), 1 for luminance.
        held_out: Fraction of the rows to hold out, unused if the data set has a test or validation split.
        seed: Chooses the held-out rows and, with `limit`, the rows that are kept.
        limit: At most this many images in each part; rows beyond it are not decoded.

    Raises:
        ImportError: If ``datasets`` is not installed.
        ValueError: If the data set cannot be loaded, has no image column or no rows, or if an argument is
            out of its range.
        TypeError: If an argument is of the wrong kind.
    """
    request = _pixels.checked(size, channels, held_out, seed, limit)
    loader = _pixels.library("datasets", "hub")
    repository, _, configuration = name.partition(":")
    try:
        splits = dict(loader.load_dataset(repository, configuration or None))
    except Exception as error:  # its own errors, the network's and the file system's alike
        raise ValueError(f"the `datasets` library could not load {name!r}: {error}") from error
    published = _published(splits)
    if published:
        parts = [_rows(splits[split], split, name) for split in published]
    else:
        if not splits:
            raise ValueError(f"the data set {name!r} has no rows")
        first = "train" if "train" in splits else next(iter(splits))
        parts = list(_pixels.split(_rows(splits[first], first, name), request))
    return _images(
        parts,
        request,
        name=f"hf:{name}",
        license="see the card of the data set",
        preparation=f"central square resized to {size}x{size} (Lanczos), "
        + ("split as published" if published else "split by row"),
    )


def _images(
    parts: Sequence[Sequence[Item]], request: Request, *, name: str, license: str, preparation: str
) -> Images:
    """Decode the items of the training and the held-out part that are within the limit."""
    train, held_out = (_pixels.kept(part, request) for part in parts)
    return Images(
        train=_pixels.stack(train, request),
        held_out=_pixels.stack(held_out, request),
        train_sources=tuple(item.source for item in train),
        held_out_sources=tuple(item.source for item in held_out),
        name=name,
        license=license,
        preparation=preparation,
    )


def _published(names: Any) -> tuple[str, str] | None:
    """The names of the training and the held-out part, if both are there."""
    train = next((name for name in TRAIN_NAMES if name in names), None)
    held_out = next((name for name in HELD_OUT_NAMES if name in names), None)
    return (train, held_out) if train and held_out else None


def _rows(split: Any, label: str, name: str) -> list[Item]:
    """One item per row of a hosted data set, from its first column of pictures."""
    if not len(split):
        raise ValueError(f"the split {label!r} of the data set {name!r} has no rows")
    row = split[0]
    column = next((key for key, value in row.items() if hasattr(value, "getbands")), None)  # a PIL image
    if column is None:
        raise ValueError(f"the data set {name!r} has no image column; its columns are {sorted(row)}")

    def picture(index: int) -> Any:
        return split[index][column]

    return [Item(f"{label}/{index}", partial(picture, index)) for index in range(len(split))]


def _what_is(path: Path) -> str:
    """Why a path is not the file or folder that was wanted."""
    if not path.exists():
        return "missing"
    return "a folder" if path.is_dir() else "a file"
