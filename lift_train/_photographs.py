"""The photographs that installed packages carry, and patches of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from lift_train import _pixels
from lift_train._pixels import Request


class Photograph(NamedTuple):
    """One photograph inside an installed package."""

    package: str
    file: str
    colour: bool
    license: str


# Photographs of scenes and objects only. Left out: texture swatches, microscopy, medical and deep-sky images,
# page scans, drawings, and the right half of the stereo pair, which shows the same scene as the left.
PHOTOGRAPHS = {
    "astronaut": Photograph("skimage.data", "astronaut.png", True, "public domain (NASA)"),
    "camera": Photograph("skimage.data", "camera.png", False, "CC0 (Lav Varshney)"),
    "chelsea": Photograph("skimage.data", "chelsea.png", True, "CC0 (Stefan van der Walt)"),
    "china": Photograph("sklearn.datasets.images", "china.jpg", True, "CC BY 2.0 (danielbuechele)"),
    "coffee": Photograph("skimage.data", "coffee.png", True, "CC0 (Rachel Michetti)"),
    "coins": Photograph("skimage.data", "coins.png", False, "no known restrictions (Brooklyn Museum)"),
    "flower": Photograph("sklearn.datasets.images", "flower.jpg", True, "CC BY 2.0 (vultilion)"),
    "moon": Photograph("skimage.data", "moon.png", False, "as distributed with scikit-image"),
    "motorcycle": Photograph("skimage.data", "motorcycle_left.png", True, "Middlebury 2014 stereo benchmark"),
    "rocket": Photograph("skimage.data", "rocket.jpg", True, "public domain (SpaceX)"),
}


def patches(
    name: str, request: Request, factors: Sequence[int], overlap: float
) -> Iterator[Callable[[], np.ndarray]]:
    """Patches of one photograph at every factor that leaves room for one."""
    photo, size = PHOTOGRAPHS[name], request.size
    _pixels.library(photo.package)
    pillow = _pixels.library("PIL.Image")
    with files(photo.package).joinpath(photo.file).open("rb") as stream:
        picture = pillow.open(stream).convert("L" if request.channels == 1 else "RGB")
    if min(picture.size) < size:
        raise ValueError(
            f"`size` must be at most 300 for these photographs; got {size} "
            f"({name!r} has {picture.width}x{picture.height} pixels)"
        )
    for factor in [factor for factor in factors if min(picture.size) // factor >= size] or [1]:
        reduced = (picture.width // factor, picture.height // factor)
        pixels = np.asarray(picture.resize(reduced, pillow.Resampling.LANCZOS))
        for top in _starts(pixels.shape[0], size, overlap):
            for left in _starts(pixels.shape[1], size, overlap):
                yield partial(pixels.__getitem__, np.s_[top : top + size, left : left + size])


def _starts(length: int, size: int, overlap: float) -> list[int]:
    """Evenly spaced starts of windows that cover `length` and repeat at least `overlap` of each other."""
    room = length - size
    count = 1 + math.ceil(room / max(1.0, size * (1 - overlap)))
    return [round(start) for start in np.linspace(0, room, count)]
