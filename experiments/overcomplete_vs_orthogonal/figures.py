"""Figures of the main experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray
from matplotlib.figure import Figure

import lift_theory as lt
from experiments.drawing import COLOURS, INK, STYLE, count_axis, legend_beside
from experiments.report import Picture, save_figure
from lift_theory.plotting import PATH_COLOURS


def draw(
    folder: Path,
    spectra: dict[str, lt.Spectrum],
    models: dict[str, lt.GaussianModel],
    surfaces: dict[str, xarray.Dataset],
    rows: list[dict[str, Any]],
    entries: Sequence[Any],
    words: dict[str, str],
    preset: Any,
) -> dict[str, Picture]:
    """All figures, written to the folder as SVG and PNG."""
    with matplotlib.rc_context(STYLE):
        return {
            "answer": _answer(folder, models, surfaces, rows, preset.headline),
            "controls": _controls(folder, rows, entries, words, preset.headline),
            "steps": _steps(folder, rows, entries, preset.steps),
            "spectrum": _spectrum(folder, spectra),
        }


def _paths(rows: list[dict[str, Any]], name: str, steps: int, scales: tuple[str, ...]) -> dict[str, lt.Path]:
    return {
        row["path"]: lt.Path(row["logsnr"], scales)
        for row in rows
        if row["representation"] == name and row["steps"] == steps
    }


def _answer(
    folder: Path,
    models: dict[str, lt.GaussianModel],
    surfaces: dict[str, xarray.Dataset],
    rows: list[dict[str, Any]],
    steps: int,
) -> Picture:
    """The pyramid's surface beside the orthogonal one, of which it is a part."""
    figure = Figure(figsize=(11.0, 5.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    pyramid = _paths(rows, "pyramid", steps, models["pyramid"].scales)
    haar = _paths(rows, "haar", steps, models["haar"].scales)
    chosen = {
        "best path": pyramid["best"],
        "diagonal": pyramid["diagonal"],
        "coarse first": pyramid["coarse_first"],
    }
    lt.plot_surface(surfaces["pyramid"], "step_cost", chosen, ratio=2.0, ax=left)
    left.set_title("over-complete: image and 2x2 means")
    images = {"best orthogonal path": haar["best"]}
    images.update({f"{name}, mapped": lt.to_orthogonal(path) for name, path in chosen.items()})
    lt.plot_surface(surfaces["haar"], "step_cost", images, ax=right)
    for line in right.get_lines():
        name = str(line.get_label())
        line.set_color(PATH_COLOURS[list(chosen).index(name.split(",")[0])] if "mapped" in name else INK)
    limits = right.get_xlim()
    right.fill_between(
        limits, limits, -99, color="#c9b458", alpha=0.22, linewidth=0, label="out of the pyramid's reach"
    )
    right.set_title("orthogonal: Haar bands, and the pyramid inside them")
    for axes in (left, right):
        axes.legend(loc="upper left", bbox_to_anchor=(0.05, 0.88), fontsize=8, framealpha=0.9)
    for axes in (left, right):
        axes.collections[0].colorbar.set_label("cost of a lock-step move (nats per squared nat)")
    return save_figure(
        figure,
        folder,
        "answer",
        "The over-complete surface (left) is the part of the orthogonal one (right) above the shaded triangle: every "
        f"pyramid path, mapped by g_low = g_fine + g_coarse / 4, costs the same there. With {steps} steps on the "
        "measured spectrum the best orthogonal path runs below the diagonal, high band ahead, where no pyramid path "
        "can go; the best pyramid path keeps to the edge of the cone and raises its coarse channel last.",
    )


def _controls(
    folder: Path, rows: list[dict[str, Any]], entries: Sequence[Any], words: dict[str, str], steps: int
) -> Picture:
    """How much is spacing, how much is lead, how much is representation."""
    order = list(dict.fromkeys(row["path"] for row in rows if row["representation"] == "pyramid"))
    figure = Figure(figsize=(9.4, 4.6), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(entries)
    for index, entry in enumerate(entries):
        values = {
            row["path"]: row["nats"] / row["floor_nats"]
            for row in rows
            if row["representation"] == entry.name and row["steps"] == steps
        }
        places = [order.index(path) + (index - (len(entries) - 1) / 2) * height for path in values]
        axes.barh(
            places,
            [100 * v for v in values.values()],
            height,
            color=COLOURS[entry.name],
            label=entry.label,
            left=0,
        )
    axes.axvline(100, color=INK, linewidth=1)
    axes.set_xscale("log")
    low = 95
    axes.set_xlim(low, None)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xticks([100, 150, 200, 300, 500], labels=["100", "150", "200", "300", "500"])
    axes.xaxis.set_minor_formatter("")
    axes.set_yticks(range(len(order)), labels=[words[name] for name in order])
    axes.invert_yaxis()
    axes.set_xlabel(f"path KL at {steps} steps, percent of the anisotropic floor (log axis)")
    legend_beside(axes)
    return save_figure(
        figure,
        folder,
        "controls",
        "In lock-step, with the best spacing, all representations cost the same. Uniform spacing and going scale by "
        "scale cost most; a free second clock gains much for orthogonal bands and residuals, little for the pyramid.",
    )


def _steps(
    folder: Path, rows: list[dict[str, Any]], entries: Sequence[Any], steps: tuple[int, ...]
) -> Picture:
    """Best paths against the floor as the number of steps grows."""
    figure = Figure(figsize=(7.6, 3.8), layout="constrained")
    axes = figure.subplots()
    for entry in entries:
        ratio = [
            100 * row["nats"] / row["floor_nats"] - 100
            for n in steps
            for row in rows
            if (row["representation"], row["path"], row["steps"]) == (entry.name, "best", n)
        ]
        dashed = entry.name == "nearest"
        axes.plot(
            steps,
            ratio,
            marker="o",
            markersize=4,
            color=COLOURS[entry.name],
            label=entry.label,
            linestyle="--" if dashed else "-",
            zorder=3 if dashed else 2,
        )
    axes.set(xlabel="steps (network calls)", ylabel="best path above the floor (%)", ylim=(0, None))
    count_axis(axes, steps)
    legend_beside(axes)
    return save_figure(
        figure,
        folder,
        "steps",
        "The distance to the floor shrinks with the number of steps but does not vanish: it is the price of having one "
        "or two clocks instead of one per mode.",
    )


def _spectrum(folder: Path, spectra: dict[str, lt.Spectrum]) -> Picture:
    """Mean variance against frequency, luminance channel."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for (part, spectrum), colour in zip(spectra.items(), (INK, "#d1495b"), strict=True):
        plane = spectrum.variances.reshape(-1, *spectrum.shape[-2:])[0]
        radius = np.hypot(*np.ogrid[: plane.shape[0], : plane.shape[1]])
        edges = np.geomspace(0.7, radius.max() * 1.001, 20)
        bins = np.digitize(radius, edges)
        used = [b for b in range(1, len(edges)) if np.any(bins == b)]
        frequency = [radius[bins == b].mean() for b in used]
        power = [plane[bins == b].mean() for b in used]
        axes.loglog(frequency, power, marker="o", markersize=3, color=colour, label=part.replace("_", " "))
    guide = np.array([frequency[0], frequency[-1]])
    axes.loglog(guide, power[0] * (guide / guide[0]) ** -2.0, color="0.6", linestyle=":", label="slope -2")
    axes.set(xlabel="DCT frequency (index)", ylabel="variance (squared pixel units)")
    axes.legend(fontsize=8)
    return save_figure(
        figure,
        folder,
        "spectrum",
        "Measured spectra of the first (luminance) channel, averaged over frequency rings.",
    )
