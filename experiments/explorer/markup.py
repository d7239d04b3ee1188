"""The explorer as markup: data in one JSON element, script and style beside it, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from experiments.explorer.views import Quantity, Route, Strip, View, all_different
from experiments.report import Markup

COLOUR_MAP = "viridis"
"""Perceptually uniform, and readable without colour vision."""
SCRIPTS = ("drawing.js", "picture.js", "explorer.js")
_HERE = Path(__file__).parent


def explorer(views: Sequence[View], *, label: str = "Error surfaces, to explore") -> Markup:
    """The interactive picture of all views; the first is shown at the start.

    Args:
        views: representations, in the order of the menu; views of one group stand together there.
        label: what the picture is, for those who do not see it.

    Raises:
        ValueError: if there is no view or two share a key.
    """
    if not views:
        raise ValueError("an explorer must have at least one view; got none.")
    all_different("views", [view.key for view in views])
    data = {"colours": _colour_table(), "views": [_view(view) for view in views]}
    # Inside a script element only "<" can end it or open a comment, so none is written.
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace(
        "<", "\\u003c"
    )
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return Markup(
        html=template.from_string(_read("explorer.html")).render(label=label, data=text),
        style=_read("explorer.css"),
        script="(() => {\n" + "\n".join(map(_read, SCRIPTS)) + "})();",
    )


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _view(view: View) -> dict[str, Any]:
    return {
        "key": view.key,
        "label": view.label,
        "group": view.group,
        "note": view.note,
        "scales": list(view.scales),
        "axes": [_short(axis) for axis in view.axes],
        "quantities": [_quantity(quantity) for quantity in view.quantities],
        "routes": [_route(route) for route in view.routes],
    }


def _quantity(quantity: Quantity) -> dict[str, Any]:
    values = np.asarray(quantity.values, dtype=np.float64)
    if quantity.logarithmic:  # what single precision takes for zero has no logarithm
        values = np.maximum(values, float(np.finfo(np.float32).tiny))
    return {
        "key": quantity.key,
        "label": quantity.label,
        "units": quantity.units,
        "logarithmic": quantity.logarithmic,
        "limits": None if quantity.limits is None else [float(end) for end in quantity.limits],
        "values": base64.b64encode(values.astype("<f4").tobytes()).decode(),
    }


def _route(route: Route) -> dict[str, Any]:
    points = np.asarray(route.points, dtype=np.float64)
    return {
        "key": route.key,
        "label": route.label,
        "points": [_short(point) if np.isfinite(point).all() else None for point in points],
        "note": route.note,
        "colour": route.colour,
        "shown": route.shown,
        "strip": None if route.strip is None else _strip(route.strip),
    }


def _strip(strip: Strip) -> dict[str, Any]:
    """One picture, a row per point of the path and a column per image."""
    from PIL import Image

    frames = np.asarray(strip.frames, dtype=np.float64)
    points, images, height, width = frames.shape[:4]
    pixels = np.rint((np.clip(frames, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)
    sheet = np.moveaxis(pixels, 1, 2).reshape(points * height, images * width, *frames.shape[4:])
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, format="png", optimize=True)
    return {
        "caption": strip.caption,
        "images": images,
        "height": height,
        "width": width,
        "sheet": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(),
    }


def _colour_table() -> str:
    import matplotlib

    table = matplotlib.colormaps[COLOUR_MAP](np.arange(256), bytes=True)[:, :3]
    return bytes(np.asarray(table, dtype=np.uint8)).hex()


def _short(values: Any) -> list[float]:
    return [float(f"{value:.7g}") for value in np.asarray(values, dtype=np.float64)]
