"""Figures of the experiment on numbers of clocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from experiments.drawing import COLOURS, INK, STYLE, count_axis, legend_beside
from experiments.report import Picture, save_figure

FAMILIES = {
    "pyramid": ("image and means", COLOURS["pyramid"], "o"),
    "haar": ("Haar bands", COLOURS["haar"], "s"),
    "octave": ("DCT bands, octaves", COLOURS["dct"], "^"),
    "best": ("DCT bands, best edges", "#e08e0b", "D"),
    "free": ("free groups of modes", "#7a7a7a", "v"),
}
"""Label, colour and marker."""
NAMES = {"path_kl": "path KL", "w2": "W2 of DDIM"}


def draw(folder: Path, results: dict[str, Any], variances: Float[np.ndarray, "..."]) -> dict[str, Picture]:
    """All figures, written to the folder as SVG and PNG."""
    with matplotlib.rc_context(STYLE):
        return {
            "clocks": _clocks(folder, results),
            "limit": _limit(folder, results),
            "edges": _edges(folder, results, variances),
        }


def line(results: dict[str, Any], family: str, objective: str) -> list[dict[str, Any]]:
    """Rows of a family at the size and step count of the answer, by number of clocks; one clock is one for all."""
    settings = results["settings"]
    at = {"size": settings["headline_size"], "steps": settings["headline"], "objective": objective}
    rows = [row for row in results["rows"] if all(row[name] == value for name, value in at.items())]
    mine = [row for row in rows if row["family"] == family and row["clocks"] > 1]
    one = [row for row in rows if row["family"] == "best" and row["clocks"] == 1]
    return one + sorted(mine, key=lambda row: int(row["clocks"])) if mine else []


def _clocks(folder: Path, results: dict[str, Any]) -> Picture:
    """Cost against number of clocks."""
    figure = Figure(figsize=(10.4, 3.8), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, objective in zip(panels, NAMES, strict=True):
        for family, (label, colour, marker) in FAMILIES.items():
            rows = line(results, family, objective)
            axes.plot(
                [row["clocks"] for row in rows],
                [100.0 * row["cost"] / row["floor"] for row in rows],
                color=colour,
                marker=marker,
                markersize=5,
                label=label if objective == "path_kl" else None,
            )
        axes.axhline(100.0, color=INK, linewidth=0.8, linestyle=":")
        axes.set_xticks(range(1, results["settings"]["most"] + 1))
        axes.set(title=NAMES[objective], xlabel="number of clocks", ylabel="best path (% of the floor)")
    handles, labels = panels[0].get_legend_handles_labels()
    panels[1].legend(handles, labels, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    settings = results["settings"]
    return save_figure(
        figure,
        folder,
        "clocks",
        f"Cost of the best path at {settings['headline']} steps, {settings['headline_size']} pixels. The dotted line is a clock for "
        "every mode, at 100 %. Pyramid and Haar bands in path KL only; the pyramid against its own floor.",
    )


def _limit(folder: Path, results: dict[str, Any]) -> Picture:
    """What is lacking to the limit of many bands."""
    figure = Figure(figsize=(10.4, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    colours = ["#30638e", "#d1495b", "#7a9e7e"]
    dashes = ["-", "--", ":", "-."]
    settings = results["settings"]
    counts = np.arange(1, 17)
    for axes, objective in zip(panels, NAMES, strict=True):
        for row in results["rows"]:
            if "estimates" not in row or row["objective"] != objective:
                continue
            shown = np.array(row["estimates"][: len(counts)])
            axes.plot(
                counts[: len(shown)],
                100.0 * (shown / row["estimates"][-1] - 1.0),
                color=colours[settings["sizes"].index(row["size"])],
                linestyle=dashes[settings["steps"].index(row["steps"])],
                label=f"{row['size']} pixels, {row['steps']} steps",
            )
        axes.axhline(100.0 * results["tolerance"], color=INK, linewidth=0.8)
        axes.set(yscale="log", title=NAMES[objective], xlabel="number of clocks", ylim=(0.05, 100))
        count_axis(axes, [1, 2, 3, 4, 6, 8, 12, 16])
        axes.yaxis.set_major_formatter("{x:g}")
    panels[0].set_ylabel("above the limit of all bands (%)")
    legend_beside(panels[1])
    return save_figure(
        figure,
        folder,
        "limit",
        "How much the best bands cost above the limit in which every cutoff is used. The horizontal line is the tolerance of the rule. To leading order "
        "W2 does not depend on the number of steps but for a factor, so that lines of one size coincide.",
    )


def _edges(folder: Path, results: dict[str, Any], variances: Float[np.ndarray, "..."]) -> Picture:
    """Where the edges are, below the spectrum."""
    size = variances.shape[-1]
    shell = np.broadcast_to(np.maximum(*np.ogrid[:size, :size]), variances.shape)
    power = np.bincount(shell.ravel(), variances.ravel()) / np.bincount(shell.ravel())
    figure = Figure(figsize=(9.4, 6.2), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    top.loglog(np.arange(size) + 0.5, power, color=INK)
    top.set_ylabel("variance per mode\n(squared pixel units)")
    drawn = [
        ("octave", "path_kl", "octaves", "#7a7a7a", "|", 0.0),
        ("best", "path_kl", "best for path KL", "#e08e0b", "o", -0.28),
        ("best", "w2", "best for W2 of DDIM", "#00798c", "D", 0.28),
    ]
    for family, objective, label, colour, marker, shift in drawn:
        rows = [row for row in line(results, family, objective) if row["clocks"] > 1]
        places = [(edge, row["clocks"] + shift) for row in rows for edge in row["edges"]]
        x, y = np.transpose(places)
        bottom.scatter(x, y, color=colour, marker=marker, s=50 if marker == "|" else 20, label=label)
    bottom.set_yticks(range(2, results["settings"]["most"] + 1))
    bottom.invert_yaxis()
    bottom.set(xlabel="cutoff: larger index of the DCT mode", ylabel="number of clocks")
    ticks = [1 << k for k in range(size.bit_length())]
    bottom.set_xticks(ticks, labels=[str(t) for t in ticks])
    bottom.minorticks_off()
    bottom.grid(axis="y", color="#d8e0e5", linewidth=0.6)
    legend_beside(bottom)
    settings = results["settings"]
    return save_figure(
        figure,
        folder,
        "edges",
        f"Spectrum of the images, and the edges of bands below it, {settings['headline']} steps. A band edge at c puts the modes "
        "with both indices below c into the lower band.",
    )
