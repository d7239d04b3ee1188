"""Figures of the experiment on a second clock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import COLOURS, INK, MARKERS, STYLE, count_axis, legend_beside
from experiments.report import Picture, save_figure
from experiments.rows import find
from experiments.second_clock.contenders import Contender
from experiments.second_clock.gains import main_line
from experiments.second_clock.measures import CONTROLS

LEAST = 0.01
"""Left end of logarithmic axes of gains, percent; smaller gains are written there as numbers."""


def spectrum_label(name: str) -> str:
    """Words for a spectrum."""
    return "images" if name == "measured" else f"1/f^{name}"


def draw(
    folder: Path,
    table: list[dict[str, Any]],
    rows: list[dict[str, Any]],
    controls: list[dict[str, Any]],
    entries: Sequence[Contender],
    preset: Any,
) -> dict[str, Picture]:
    """All figures, written to the folder as SVG and PNG."""
    with matplotlib.rc_context(STYLE):
        return {
            "gains": _gains(folder, table, entries, preset),
            "steps": _steps(folder, table, entries, preset),
            "lead": _lead(folder, rows, entries, preset),
            "controls": _controls(folder, controls, entries, preset),
        }


def _gains(folder: Path, table: list[dict[str, Any]], entries: Sequence[Contender], preset: Any) -> Picture:
    """What spacing and a second clock are worth on every spectrum."""
    spectra = [name for name in preset.spectra() if main_line(table, spectrum=name, steps=preset.headline)]
    figure = Figure(figsize=(9.4, 0.6 + 1.0 * len(spectra)), layout="constrained")
    axes = figure.subplots()
    bars = [("uniform", "one clock: best spacing\nagainst uniform log-SNR", "0.35")]
    bars += [("karras", "one clock: best spacing\nagainst Karras spacing", "0.65")]
    bars += [(e.name, f"second clock: {e.label}", COLOURS[e.name]) for e in entries]
    height = 0.84 / len(bars)
    for index, (name, label, colour) in enumerate(bars):
        values = []
        for spectrum in spectra:
            at = main_line(table, spectrum=spectrum, steps=preset.headline)
            spacing = at[0]["spacing"]
            plain = {"uniform": spacing["logsnr"], "karras": spacing["karras"]}
            values.append(plain.get(name) or next(e["gain"] for e in at if e["representation"] == name))
        places = np.arange(len(spectra)) + height * (index - (len(bars) - 1) / 2)
        shown = np.maximum(values, LEAST)
        axes.barh(places, shown - LEAST, 0.9 * height, left=LEAST, color=colour, label=label)
        for place, value, end in zip(places, values, shown, strict=True):
            axes.text(1.07 * end, place, f"{value:.2g}", va="center", fontsize=7.5, color=INK)
    axes.set(xscale="log", xlim=(LEAST, 300))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(spectra)), labels=[spectrum_label(name) for name in spectra])
    axes.invert_yaxis()
    axes.set_xlabel(f"reduction of W2 at {preset.headline} steps (%, log axis)")
    legend_beside(axes)
    return save_figure(
        figure,
        folder,
        "gains",
        "DDIM from the exact law, W2 of the image. Grey: what the best spacing of one clock takes off the error of two usual "
        "ones. Colours: what a second clock takes off after that.",
    )


def _steps(folder: Path, table: list[dict[str, Any]], entries: Sequence[Contender], preset: Any) -> Picture:
    """Gains by step count."""
    chosen = [
        name
        for name in preset.spectra()
        if len({e["steps"] for e in main_line(table, spectrum=name)}) > 1
        and name in (preset.spectrum, "measured")
    ]
    figure = Figure(figsize=(9.4, 3.4), layout="constrained")
    panels = figure.subplots(1, max(len(chosen), 1), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, chosen, strict=False):
        for entry in entries:
            line = sorted(
                main_line(table, spectrum=name, representation=entry.name), key=lambda e: int(e["steps"])
            )
            axes.plot(
                [e["steps"] for e in line],
                [max(e["gain"], LEAST) for e in line],
                marker=MARKERS[entry.name],
                markersize=5,
                color=COLOURS[entry.name],
                label=entry.label,
            )
        counts = sorted({e["steps"] for e in main_line(table, spectrum=name)})
        axes.set(
            xlabel="steps (network calls)",
            title=spectrum_label(name),
            yscale="log",
            ylim=(LEAST, 40),
        )
        count_axis(axes, counts)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(axis="y", color="0.92", linewidth=0.8)
    panels[0].set_ylabel("gain of a second clock in W2 (%, log axis)")
    if chosen:
        legend_beside(panels[-1])
    return save_figure(
        figure, folder, "steps", "What a second clock is worth hardly depends on the number of steps."
    )


def _lead(folder: Path, rows: list[dict[str, Any]], entries: Sequence[Contender], preset: Any) -> Picture:
    """Where the best paths put the lead."""
    figure = Figure(figsize=(9.4, 3.9), layout="constrained")
    names = [name for name in (preset.spectrum, "measured") if name in preset.spectra()]
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        for entry in entries:
            row = find(
                rows,
                representation=entry.name,
                spectrum=name,
                sampler="ddim",
                init="exact",
                metric="w2",
                output="image",
                steps=preset.headline,
            )
            for points in map(np.array, row["near"]):
                axes.plot(points[1:-1, 0], entry.lead(points), color=COLOURS[entry.name], alpha=0.25, lw=1)
            points = np.array(row["logsnr"])
            axes.plot(
                points[1:-1, 0],
                entry.lead(points),
                marker=MARKERS[entry.name],
                markersize=4,
                color=COLOURS[entry.name],
                label=entry.label,
            )
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set(xlabel="log-SNR of the fine scale (nats)", title=spectrum_label(name))
    panels[0].set_ylabel("unit-free lead of the coarse scale (nats)")
    legend_beside(panels[-1])
    return save_figure(
        figure,
        folder,
        "lead",
        f"Lead along the best paths for W2 at {preset.headline} steps, inner points: above zero the coarse scale is ahead. "
        "Pyramid and residuals: coarse − fine − 2 log 2; bands: low − high. Faint lines are paths from other starts whose "
        "error is within 0.1 % of the best: where they fan out, the error does not care.",
    )


def _controls(
    folder: Path, controls: list[dict[str, Any]], entries: Sequence[Contender], preset: Any
) -> Picture:
    """What other paths cost."""
    spectrum = preset.controls[-1]
    figure = Figure(figsize=(9.4, 5.2), layout="constrained")
    axes = figure.subplots()
    order = list(CONTROLS)
    for index, entry in enumerate(entries):
        mine = [r for r in controls if (r["representation"], r["spectrum"]) == (entry.name, spectrum)]
        best = find(mine, path="best_w2")["w2"]
        axes.plot(
            [r["w2"] / best for r in mine],
            [order.index(r["path"]) + 0.17 * (index - (len(entries) - 1) / 2) for r in mine],
            MARKERS[entry.name],
            markersize=5,
            color=COLOURS[entry.name],
            label=entry.label,
        )
    axes.set(xscale="log", xlabel=f"W2 over that of the best path at {preset.headline} steps (log axis)")
    ticks = [n for n in (1, 1.5, 2, 3, 5, 10, 20, 50) if n <= 1.05 * axes.get_xlim()[1]]
    axes.set_xticks(ticks, labels=[f"{n:g}" for n in ticks])
    axes.minorticks_off()
    axes.grid(color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_yticks(range(len(order)), labels=[CONTROLS[name] for name in order])
    axes.invert_yaxis()
    legend_beside(axes)
    return save_figure(
        figure,
        folder,
        "controls",
        f"Every control on the spectrum of {'the images' if spectrum == 'measured' else spectrum_label(spectrum)}. For the "
        "pyramid the shape hardly matters unless one scale goes after the other; cosine bands are independent, so that which of "
        "them goes first does not matter at all. The path that is best for path KL is poor in W2 for every representation.",
    )
