"""How figures of all experiments look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

INK = "#1d2730"
COLOURS = {
    "single": "#3d3d3d",
    "pyramid": "#d1495b",
    "haar": "#00798c",
    "dct": "#30638e",
    "nearest": "#7a9e7e",
    "bilinear": "#8d5a97",
}
"""Of representations."""
MARKERS = {"pyramid": "o", "haar": "s", "dct": "^", "bilinear": "D"}
STYLE: Any = {"font.size": 9, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False}


def count_axis(axes: Axes, counts: Sequence[int]) -> None:
    """A logarithmic axis of counts, each of them written out."""
    axes.set_xscale("log")
    axes.set_xticks(counts, labels=[str(n) for n in counts])
    axes.minorticks_off()


def legend_beside(axes: Axes) -> None:
    """The legend to the right of the axes."""
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
