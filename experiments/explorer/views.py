"""What the explorer shows: surfaces over noise levels, paths through them, and images along the paths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number per grid point of a view.

    Attributes:
        key: short name; a reader who changes the view stays with the quantity of the same key.
        label: words for the menu and the readout.
        units: of the values; empty for a ratio.
        values: (points of the first axis, points of the second), or (points,) for a view of one scale.
        logarithmic: colours, curves and interpolation follow the logarithm.
        limits: ends of the colour scale, equal for several views if their colours are to be compared; the extremes
            of the values if not given.

    Raises:
        ValueError: if values or limits are not finite, or not positive though logarithmic.
    """

    key: str
    label: str
    units: str
    values: np.ndarray
    logarithmic: bool = False
    limits: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise ValueError(
                f"values of quantity {self.key!r} must be finite real numbers; got dtype {values.dtype} with "
                f"{_not_finite(values)}. Fill the gaps or leave the quantity out."
            )
        if self.logarithmic and values.size and values.min() <= 0:
            raise ValueError(
                f"values of quantity {self.key!r} must be positive to be shown logarithmically; the least is "
                f"{values.min():g}. Pass logarithmic=False."
            )
        if self.limits is not None:
            low, high = self.limits
            if not (np.isfinite([low, high]).all() and low < high and (low > 0 or not self.logarithmic)):
                raise ValueError(
                    f"limits of quantity {self.key!r} must be finite, increasing, and positive if logarithmic; got "
                    f"{self.limits}. Leave them out to use the extremes of the values."
                )


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Images at every point of a path, such as the denoiser's predictions.

    They become one PNG, which for photographs is about as large as the 8-bit pixels: 20 points with 4 grey images of
    32x32 take 80 kB, in colour three times that.

    Attributes:
        frames: (points, images, height, width) or (points, images, height, width, 3), -1 black and 1 white or full
            colour; what lies beyond is clipped.
        caption: what the images are.

    Raises:
        ValueError: if the shape is another one or a pixel is not finite.
    """

    frames: np.ndarray
    caption: str

    def __post_init__(self) -> None:
        shape = np.shape(self.frames)
        if not (len(shape) == 4 or (len(shape) == 5 and shape[-1] == 3)) or 0 in shape:
            raise ValueError(
                "frames of a strip must have shape (points, images, height, width) or "
                f"(points, images, height, width, 3); got {shape}. Move colour channels to the end."
            )
        if not np.isfinite(self.frames).all():
            raise ValueError(
                f"frames of a strip must be finite; got {_not_finite(np.asarray(self.frames))}. "
                "Leave the strip of a path that diverges out."
            )


@dataclass(frozen=True, kw_only=True)
class Route:
    """A path through the noise levels of a view.

    Attributes:
        key: short name; a path of the same key is the same choice in every view.
        label: words for the list of paths.
        points: (steps + 1, scales) log-SNRs in nats; the last point may be infinite, which stands for clean data.
        note: what is worth knowing about the path, such as its cost with units.
        colour: as `#rrggbb`.
        shown: drawn before the reader has chosen.
        strip: images at every point.

    Raises:
        ValueError: if points or colour have another form, or the strip has not one frame per point.
    """

    key: str
    label: str
    points: np.ndarray
    note: str
    colour: str
    shown: bool = True
    strip: Strip | None = None

    def __post_init__(self) -> None:
        points = np.asarray(self.points)
        if points.ndim != 2 or len(points) < 2:
            raise ValueError(
                f"points of path {self.key!r} must have shape (steps + 1, scales) with at least one step; got "
                f"{points.shape}. Pass `path.logsnr`."
            )
        if not np.isfinite(points[:-1]).all() or not (
            np.isfinite(points[-1]).all() or np.isposinf(points[-1]).all()
        ):
            raise ValueError(
                f"points of path {self.key!r} must be finite, except that the last may be infinite in all scales "
                f"(clean data); got {_not_finite(points)}."
            )
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.colour):
            raise ValueError(
                f"the colour of path {self.key!r} must be written as #rrggbb; got {self.colour!r}."
            )
        if self.strip is not None and len(self.strip.frames) != len(points):
            raise ValueError(
                f"the strip of path {self.key!r} must have one frame per point, {len(points)}; it has "
                f"{len(self.strip.frames)}. Repeat the last frame where a path ends without a prediction."
            )


@dataclass(frozen=True, kw_only=True)
class View:
    """One representation with everything that can be shown about it: a surface of two scales or a curve of one.

    Attributes:
        key: short name, no two views alike.
        label: words for the menu.
        group: heading in the menu that the view stands under.
        scales: names of the scales, finest first.
        axes: log-SNRs in nats of the grid, increasing, one array per scale.
        quantities: at least one.
        routes: paths, possibly none.
        note: where the numbers come from; shown under the picture.

    Raises:
        ValueError: if scales, axes, values and paths do not fit together, or two of a kind share a key.
    """

    key: str
    label: str
    group: str
    scales: Sequence[str]
    axes: Sequence[np.ndarray]
    quantities: Sequence[Quantity]
    routes: Sequence[Route] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if len(self.scales) not in (1, 2) or len(self.axes) != len(self.scales):
            raise ValueError(
                f"view {self.key!r} must have one or two scales and an axis for each; got {len(self.scales)} scales "
                f"and {len(self.axes)} axes. Take a slice of a surface with more scales."
            )
        for scale, axis in zip(self.scales, self.axes, strict=True):
            axis = np.asarray(axis)
            if (
                axis.ndim != 1
                or len(axis) < 2
                or not np.isfinite(axis).all()
                or not (np.diff(axis) > 0).all()
            ):
                raise ValueError(
                    f"the axis of scale {scale!r} in view {self.key!r} must hold at least two finite, increasing "
                    f"log-SNRs; got shape {axis.shape}."
                )
        if not self.quantities:
            raise ValueError(f"view {self.key!r} must have at least one quantity; got none.")
        grid = tuple(len(axis) for axis in self.axes)
        for quantity in self.quantities:
            if np.shape(quantity.values) != grid:
                raise ValueError(
                    f"values of quantity {quantity.key!r} must have the shape of the grid of view {self.key!r}, "
                    f"{grid}; got {np.shape(quantity.values)}. Put the axes in the order of `scales`."
                )
        for route in self.routes:
            if np.shape(route.points)[1] != len(self.scales):
                raise ValueError(
                    f"points of path {route.key!r} must have one column per scale of view {self.key!r}, "
                    f"{len(self.scales)}; got {np.shape(route.points)[1]}."
                )
        all_different("quantities", [q.key for q in self.quantities])
        all_different("paths", [r.key for r in self.routes])


def all_different(kind: str, keys: Sequence[str]) -> None:
    """Keys tell things apart.

    Raises:
        ValueError: if one comes twice.
    """
    twice = sorted({key for key in keys if list(keys).count(key) > 1})
    if twice:
        raise ValueError(f"keys of {kind} must differ; {', '.join(map(repr, twice))} came more than once.")


def _not_finite(values: np.ndarray) -> str:
    if values.dtype.kind not in "iuf":
        return "entries that are no numbers"
    return f"{int(np.sum(~np.isfinite(values)))} entries that are not finite"
