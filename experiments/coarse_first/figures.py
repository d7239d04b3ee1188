"""Figures of the experiment on coarse-first paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from experiments.coarse_first.cases import PATHS
from experiments.coarse_first.laws import REPRESENTATIONS
from experiments.coarse_first.verdicts import percent_of_floor, ratio
from experiments.drawing import INK, STYLE, legend_beside
from experiments.report import Picture, save_figure
from experiments.rows import Rows, find

WIDEST = 4.0
"""Lead in nats at which the colours of the map end."""
SHADES = {"optimal": "#1d2730", "lock_step": "#8d5a97", "coarse_first": "#d1495b", "fine_first": "#00798c"}
TIE_LABELS = {
    "none": "independent",
    "half": "cluster,\nhalf",
    "cluster": "cluster",
    "cluster + 90 %": "cluster\n+ 90 %",
    "function": "function",
}


@dataclass(frozen=True, kw_only=True)
class Colours:
    """A colour map and the values at its ends."""

    map: str
    low: float
    high: float


def draw(folder: Path, results: dict[str, Any]) -> dict[str, Picture]:
    """All figures, written to the folder as SVG and PNG."""
    with matplotlib.rc_context(STYLE):
        return {
            "costs": _costs(folder, results),
            "lead": _phase(
                folder,
                results["phase"],
                "lead",
                lambda row: float(row["lead"]),
                "lead of the optimal path,\nunit-free (nats; below 0: coarse behind)",
                Colours(map="RdBu_r", low=-WIDEST, high=WIDEST),
                "Median over the calls of how far the coarse scale is ahead on the optimal path. Across: how the fine "
                "part depends on the coarse one; up: exponent a of a spectrum 1/f^a, which makes the variance of a coarse coefficient "
                "2^a times that of a fine one.",
            ),
            "ratio": _phase(
                folder,
                results["phase"],
                "ratio",
                lambda row: ratio(row).mean,
                "cost of coarse first\nover the optimum (1)",
                Colours(map="YlOrRd", low=1.0, high=3.0),
                "Path KL of the best coarse-first path over that of the optimum, same axes. At 1 an L-shaped path "
                "loses nothing.",
            ),
            "prices": _prices(folder, results),
            "residuals": _residuals(folder, results["residuals"]),
        }


def _costs(folder: Path, results: dict[str, Any]) -> Picture:
    """How much more every path costs than the optimum, with the standard error of the difference."""
    names = list(results["labels"])
    figure = Figure(figsize=(10.0, 1.0 + 0.62 * len(names)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    shown = [path for path in PATHS if path != "optimal"]
    for axes, (kind, title) in zip(panels, REPRESENTATIONS.items(), strict=True):
        for index, path in enumerate(shown):
            asked = {row["law"]: row["paths"] for row in results["laws"] if row["kind"] == kind}
            best = np.array([row["optimal"]["cost"] for row in asked.values()])
            more = np.array([row[path]["cost"] for row in asked.values()]) - best
            error = np.array([row[path]["difference_standard_error"] for row in asked.values()])
            places = np.array([names.index(name) for name in asked]) + 0.26 * (index - 1)
            axes.barh(places, 100 * more / best, 0.24, color=SHADES[path], label=PATHS[path])
            axes.errorbar(
                100 * more / best, places, xerr=200 * error / best, fmt="none", color=INK, capsize=2, lw=0.9
            )
        for name in [name for name in names if name not in asked]:
            axes.text(3, names.index(name), "not asked by this preset", va="center", fontsize=8, color="0.4")
        axes.set_title(title)
        axes.set_xlabel("more than the optimum (% of its path KL)")
        axes.axvline(100, color="0.6", lw=0.8, ls=":")
    panels[0].set_yticks(range(len(names)), labels=[results["labels"][name] for name in names])
    panels[0].invert_yaxis()
    handles, words = panels[0].get_legend_handles_labels()
    figure.legend(handles, words, fontsize=8, loc="outside lower center", ncols=3, frameon=False)
    return save_figure(
        figure,
        folder,
        "costs",
        "Excess of every path over the optimum of the same law and representation; bars of error are two standard errors "
        "of the difference, both paths on the same draws. Dotted: twice the optimum.",
    )


def _phase(
    folder: Path,
    phase: Rows,
    name: str,
    value: Callable[[dict[str, Any]], float],
    label: str,
    colours: Colours,
    caption: str,
) -> Picture:
    """One map per representation and dimension ratio."""
    kinds = list(dict.fromkeys(row["kind"] for row in phase))
    fines = sorted({int(row["fine"]) for row in phase})
    exponents = sorted({float(row["exponent"]) for row in phase})
    ties = list(dict.fromkeys(row["tie"] for row in phase))
    norm, shades = Normalize(colours.low, colours.high), matplotlib.colormaps[colours.map]
    height = 0.9 + 0.5 * len(exponents)
    figure = Figure(
        figsize=(2.2 + max(0.85 * len(ties), 2.4) * len(fines), 0.9 + height * len(kinds)),
        layout="constrained",
    )
    panels = figure.subplots(len(kinds), len(fines), squeeze=False, sharex=True, sharey=True)
    image = None
    for i, kind in enumerate(kinds):
        for j, fine in enumerate(fines):
            axes = panels[i, j]
            cells = np.array(
                [
                    [value(find(phase, kind=kind, fine=fine, exponent=a, tie=tie)) for tie in ties]
                    for a in exponents
                ]
            )
            image = axes.imshow(cells, norm=norm, cmap=shades, origin="lower", aspect="auto")
            for (y, x), cell in np.ndenumerate(cells):
                dark = np.mean(shades(norm(cell))[:3]) < 0.5
                axes.text(
                    x, y, f"{cell:.2f}", ha="center", va="center", fontsize=7.5,
                    color="white" if dark else INK,
                )  # fmt: skip
            axes.set_title(
                f"{REPRESENTATIONS[kind].split(',')[-1].strip()}, {fine} fine to 1 coarse", fontsize=9
            )
            axes.set_xticks(range(len(ties)), labels=[TIE_LABELS[tie] for tie in ties], fontsize=8)
            axes.set_yticks(range(len(exponents)), labels=[f"{a:g}" for a in exponents])
        panels[i, 0].set_ylabel("spectral exponent (1)")
    if image is not None:
        figure.colorbar(image, ax=panels, label=label, shrink=0.95, extend="both")
    return save_figure(figure, folder, name, caption)


def _prices(folder: Path, results: dict[str, Any]) -> Picture:
    """Staged and mixed paths against lock-step, by the price of a coarse step."""
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.9, len(results["labels"])))
    for axes, what, title in (
        (panels[0], "staged", "coarse first"),
        (panels[1], "mixed", "best mix of coarse-only and full steps"),
    ):
        for (law, label), colour in zip(results["labels"].items(), colours, strict=True):
            priced = find(results["laws"], law=law, kind="bands")["priced"]
            rows = priced["rows"]
            axes.plot(
                [row["price"] for row in rows],
                [row[what] / priced["lock_step"] for row in rows],
                marker="o",
                markersize=4,
                color=colour,
                label=label,
            )
        axes.axhline(1.0, color=INK, lw=0.8, ls=":")
        prices = [row["price"] for row in rows]
        axes.set(xscale="log", yscale="log", title=title, xlabel="price of a coarse-only step (full steps)")
        axes.set_xticks(prices, labels=["1" if price == 1 else f"1/{1 / price:g}" for price in prices])
        axes.minorticks_off()
    shown = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0)
    panels[0].set_yticks(shown, labels=[f"{tick:g}" for tick in shown])
    panels[0].set_ylabel("path KL over that of lock-step (1)")
    legend_beside(panels[1])
    return save_figure(
        figure,
        folder,
        "prices",
        "Orthogonal bands, the same compute for all paths. Below the dotted line a path beats lock-step with its best "
        "spacing.",
    )


def _residuals(folder: Path, rows: Rows) -> Picture:
    """Ten scales: what ten clocks, lock-step and staging cost."""
    bars = {
        "optimal": "ten clocks",
        "one_scale": "one scale",
        "lock_step": "lock-step",
        "staged": "scale after scale",
    }
    shades = dict(zip(bars, ("#1d2730", "0.6", "#8d5a97", "#d1495b"), strict=True))
    figure = Figure(figsize=(8.4, 1.2 + 0.95 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for index, (name, label) in enumerate(bars.items()):
        places = np.arange(len(rows)) + 0.2 * (index - 1.5)
        values = [percent_of_floor(row, name) for row in rows]
        axes.barh(places, values, 0.18, color=shades[name], label=label)
        for place, value in zip(places, values, strict=True):
            axes.text(1.04 * value, place, f"{value:.0f} %", va="center", fontsize=8, color=INK)
    labels = [
        f"{'photographs' if row['name'] == 'photographs' else '1/f^' + row['name']}, {row['steps']} steps"
        for row in rows
    ]
    axes.set_yticks(range(len(rows)), labels=labels)
    axes.invert_yaxis()
    axes.set(xscale="log", xlim=(80, 2.2 * max(percent_of_floor(row, "staged") for row in rows)))
    axes.set_xticks([100, 200, 500, 1000], labels=["100", "200", "500", "1000"])
    axes.minorticks_off()
    axes.set_xlabel("path KL (% of the floor of all linear representations, log axis)")
    axes.axvline(100, color=INK, lw=0.8, ls=":")
    legend_beside(axes)
    return save_figure(
        figure,
        folder,
        "residuals",
        "Ten residual scales of a 16x16 Gaussian field with the sides of VAR; the image alone against a floor of its own, as "
        "its last noise level is another. Nothing gets below the dotted line.",
    )
