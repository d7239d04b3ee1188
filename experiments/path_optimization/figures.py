"""Figures of the path experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray
from matplotlib.figure import Figure

import lift_theory as lt
from experiments.drawing import COLOURS, INK, MARKERS, STYLE, count_axis, legend_beside
from experiments.path_optimization.contenders import PATHS, Contender
from experiments.path_optimization.decomposition import share
from experiments.path_optimization.published import UNIT, beginning
from experiments.report import Picture, save_figure
from experiments.rows import find_path


def draw(
    folder: Path,
    surface: xarray.Dataset,
    rows: list[dict[str, Any]],
    table: list[dict[str, Any]],
    entries: Sequence[Contender],
    preset: Any,
) -> dict[str, Picture]:
    """All figures, written to the folder as SVG and PNG."""
    with matplotlib.rc_context(STYLE):
        return {
            "surface": _surface(folder, surface, rows, preset.headline),
            "shares": _shares(folder, table, entries, preset.headline),
            "controls": _controls(folder, rows, entries, preset.headline),
            "lead": _lead(folder, rows, entries, preset.headline),
            "steps": _steps(folder, rows, entries, preset.steps),
        }


def _surface(folder: Path, surface: xarray.Dataset, rows: list[dict[str, Any]], steps: int) -> Picture:
    """Good and bad paths on the pyramid's surface: spacing on the left, shape on the right."""
    panels = {
        "spacing: all in lock-step": {
            "uniform timesteps": "uniform_timesteps",
            "uniform log-SNR": "logsnr",
            "best spacing": "diagonal",
        },
        "shape: each as good as it can be": {
            "best path": "best",
            "equal information": "equal_information",
            "coarse first": "coarse_first",
            "LIFT's cost, gamma_B": "published_B",
        },
    }
    figure = Figure(figsize=(11.0, 5.5), layout="constrained")
    for axes, (title, chosen) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        paths = {
            words: lt.Path(find_path(rows, "pyramid", name, steps)["logsnr"])
            for words, name in chosen.items()
        }
        if title.startswith("spacing"):  # drawn beside each other: they share one line
            paths = {words: _shifted(path, 0.6 * i) for i, (words, path) in enumerate(paths.items())}
        lt.plot_surface(
            surface, "step_cost", paths, ratio=None if title.startswith("spacing") else 2.0, ax=axes
        )
        axes.set_title(title)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), fontsize=8, ncols=2, frameon=False)
        axes.collections[0].colorbar.set_label("cost of a lock-step move (nats per squared nat)")
    return save_figure(
        figure,
        folder,
        "surface",
        f"The pyramid's error surface and {steps}-step paths on it; each dot is one network call. Left: three spacings of "
        "the same diagonal, shifted sideways to be told apart; uniform timesteps leave a huge last step where the surface "
        "is most expensive. Right: shapes, each with its best spacing, and the path that LIFT's published cost picks on its "
        "own grid. A scale that stands still adds nothing new until it moves.",
    )


def _shifted(path: lt.Path, nats: float) -> lt.Path:
    return lt.Path(path.logsnr + np.array([nats, 0.0]), path.scales)


def _shares(folder: Path, table: list[dict[str, Any]], entries: Sequence[Contender], steps: int) -> Picture:
    """Excess over the floor from LIFT's diagonal to the best path, on a logarithmic axis."""
    figure = Figure(figsize=(8.8, 4.0), layout="constrained")
    axes = figure.subplots()
    rungs = {
        "uniform_nats": "uniform timesteps\n(LIFT's diagonal)",
        "lead_only_nats": "lead alone",
        "diagonal_nats": "spacing alone",
        "best_nats": "spacing and lead",
    }
    for index, entry in enumerate(entries):
        row = share(table, entry.name, steps)
        values = [100 * row[key] / row["floor_nats"] - 100 for key in rungs]
        places = np.arange(len(rungs)) + 0.2 * (index - (len(entries) - 1) / 2)
        axes.barh(places, values, 0.18, color=COLOURS[entry.name], label=entry.label)
        for place, value in zip(places, values, strict=True):
            axes.text(
                value * 1.06,
                place,
                f"{value:.3g}" if value < 1000 else f"{value:.0f}",
                va="center",
                fontsize=7.5,
                color=INK,
            )
    axes.set_xscale("log")
    axes.set_xlim(1, 3 * axes.get_xlim()[1])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(rungs)), labels=list(rungs.values()))
    axes.invert_yaxis()
    axes.set_xlabel(f"path KL above the anisotropic floor at {steps} steps (%, log axis)")
    legend_beside(axes)
    return save_figure(
        figure,
        folder,
        "shares",
        "Excess over the floor that no path of any linear representation can beat. For the pyramid the best lead on LIFT's own "
        f"grid divides it by {_fall(table, 'lead_only_nats', steps):.3g}, the best spacing without any lead by "
        f"{_fall(table, 'diagonal_nats', steps):.3g}; only then do lead and representation show.",
    )


def _fall(table: list[dict[str, Any]], key: str, steps: int) -> float:
    row = share(table, "pyramid", steps)
    return (row["uniform_nats"] - row["floor_nats"]) / (row[key] - row["floor_nats"])


def _controls(folder: Path, rows: list[dict[str, Any]], entries: Sequence[Contender], steps: int) -> Picture:
    """Every control on every representation."""
    order = [name for name in PATHS if any(r["path"] == name and r["steps"] == steps for r in rows)]
    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    axes = figure.subplots()
    for index, entry in enumerate(entries):
        values = {
            r["path"]: 100 * r["nats"] / r["floor_nats"] - 100
            for r in rows
            if (r["representation"], r["steps"]) == (entry.name, steps) and r["path"] in order
        }
        places = [order.index(name) + 0.16 * (index - (len(entries) - 1) / 2) for name in values]
        axes.plot(
            list(values.values()),
            places,
            MARKERS[entry.name],
            color=COLOURS[entry.name],
            markersize=5,
            label=entry.label,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_yticks(range(len(order)), labels=[PATHS[name] for name in order])
    axes.invert_yaxis()
    axes.set_xlabel(f"path KL above the anisotropic floor at {steps} steps (%, log axis)")
    legend_beside(axes)
    return save_figure(
        figure,
        folder,
        "controls",
        "Excess over the floor of every control. Spacings of one and the same diagonal lie orders of magnitude apart; "
        "shapes with their best spacing lie within a factor of a few.",
    )


def _lead(folder: Path, rows: list[dict[str, Any]], entries: Sequence[Contender], steps: int) -> Picture:
    """Lead against fine log-SNR, in units that mean the same for every path."""
    figure = Figure(figsize=(11.0, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    drawn = {
        "best": ("best path", COLOURS["pyramid"], "-"),
        "decoupled": ("best for separate denoisers", "#00798c", "-"),
        "published_B": ("LIFT's cost on this spectrum, gamma_B", "#7a9e7e", "-"),
        "uniform_timesteps": ("any diagonal", "0.45", "--"),
    }
    for name, (label, colour, line) in drawn.items():
        points = np.array(find_path(rows, "pyramid", name, steps)["logsnr"])
        lead = points[:, 1] - points[:, 0] - UNIT
        left.plot(points[:, 0], lead, line, marker="o", markersize=3, color=colour, label=label)
    fine, lead = beginning()
    left.plot(fine, lead, "*", markersize=9, color=INK, label="LIFT's published path, first nine points")
    left.axhline(0, color=INK, linewidth=0.8)
    left.set(
        xlabel="log-SNR of the fine scale (nats)",
        ylabel="unit-free lead, coarse − fine − 2 log 2 (nats)",
        title="pyramid",
    )
    left.set_ylim(top=0.6 - 0.45 * left.get_ylim()[0])
    left.legend(fontsize=8, loc="upper right", framealpha=0.9)
    for entry in entries:
        points = np.array(find_path(rows, entry.name, "best", steps)["logsnr"])
        right.plot(
            points[:, 0],
            entry.band_lead(points),
            marker=MARKERS[entry.name],
            markersize=3.5,
            color=COLOURS[entry.name],
            label=entry.label,
        )
    lowest = float(right.dataLim.y0)
    right.axhline(0, color=INK, linewidth=0.8)
    right.fill_between(right.get_xlim(), -99, 0, color="#c9b458", alpha=0.22, linewidth=0)
    right.set(
        xlabel="log-SNR of the fine scale or high band (nats)",
        ylabel="log-SNR of the low band − high band (nats)",
        ylim=(lowest - 0.5, max(3.5, 0.5 - 0.6 * lowest)),
        title="best paths of all representations",
    )
    right.legend(fontsize=8, loc="upper right", framealpha=0.9)
    return save_figure(
        figure,
        folder,
        "lead",
        "Left: lead in unit-free terms; at 0 both channels tell the same about the low band, and every diagonal lies at "
        "-1.39. LIFT's points lie around 0, as a mere conversion of units would have it; the exact optimum lies below. "
        "Right: what the best paths of all representations give the low band; the shaded part is out of the pyramid's reach.",
    )


def _steps(
    folder: Path, rows: list[dict[str, Any]], entries: Sequence[Contender], steps: tuple[int, ...]
) -> Picture:
    """The same comparison for every step count."""
    figure = Figure(figsize=(8.6, 3.9), layout="constrained")
    axes = figure.subplots()
    shown = {"uniform_timesteps": (":", 1.2), "diagonal": ("--", 1.2), "best": ("-", 1.6)}
    for entry in entries:
        for name, (line, width) in shown.items():
            if entry.name != "pyramid" and name != "best":
                continue
            excess = [
                100 * row["nats"] / row["floor_nats"] - 100
                for row in (find_path(rows, entry.name, name, n) for n in steps)
            ]
            label = f"{entry.label}: {PATHS[name].removesuffix(' (LIFT' + chr(39) + 's control)')}"
            axes.plot(
                steps,
                excess,
                line,
                linewidth=width,
                marker=MARKERS[entry.name],
                markersize=4,
                color=COLOURS[entry.name],
                label=label,
            )
    axes.set(
        xlabel="steps (network calls)",
        ylabel="path KL above the floor (%, log axis)",
        yscale="log",
    )
    axes.yaxis.set_major_formatter("{x:g}")
    count_axis(axes, steps)
    legend_beside(axes)
    return save_figure(
        figure,
        folder,
        "steps",
        "At every step count the gap that spacing closes dwarfs the gap between the best diagonal and the best path, and "
        "the representation decides what is left.",
    )
