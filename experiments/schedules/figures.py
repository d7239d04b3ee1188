"""Figures of the schedule experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from experiments.drawing import INK, STYLE, count_axis
from experiments.report import Picture, save_figure
from experiments.schedules.contenders import IN_SIGMA, IN_TIME, METRICS, PUBLISHED, entry, label
from experiments.schedules.surrogates import SURROGATES

COLOURS = {
    "edm": "#d1495b",
    "logsnr": "#8d5a97",
    "arctan-0.5": "#c9822b",
    "arctan-1": "#b8a13a",
    "ays-sd15": "#4f8a8b",
    "ays-sdxl": "#30638e",
    "gits-cifar10": "#7a9e7e",
    "information": "#1b4332",
    "path-kl": "0.45",
}
MARKERS = dict(zip(COLOURS, "osv^DPXh*", strict=True))
SAMPLER_COLOURS = {"ddim": "#d1495b", "ancestral": "#00798c", "heun": "#8d5a97", "dpm": "#c9822b"}
TIME_MARKERS = dict(zip([e.name for e in IN_TIME], "ovs^DP", strict=True))


EXPONENT_MARKERS = {1.0: "o", 2.0: "s", 3.0: "^"}
LEAST_EXCESS = 1e-5
"""Percent below which an excess is drawn there: the search for the optimum ends with as much."""


def draw(folder: Path, results: dict[str, Any]) -> dict[str, Picture]:
    """All figures, written to the folder as SVG and PNG."""
    with matplotlib.rc_context(STYLE):
        return {
            "ratios": _ratios(folder, results),
            "shapes": _shapes(folder, results),
            "audit": _audit(folder, results),
            "scatter": _scatter(folder, results),
            "calls": _calls(folder, results),
            "curve_distance": _curve_distance(folder, results),
        }


def errors_of(results: dict[str, Any]) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Error rows by sampler, schedule and steps; those that a sampler refused are left out."""
    return {(r["sampler"], r["schedule"], r["steps"]): r for r in results["errors"] if r["w2"] is not None}


def _ratios(folder: Path, results: dict[str, Any]) -> Picture:
    """Every schedule relative to the optimum, over step counts."""
    value, steps = errors_of(results), results["settings"]["steps"]
    figure = Figure(figsize=(11.0, 6.2), layout="constrained")
    panels = figure.subplots(2, len(IN_SIGMA), sharex=True)
    for row, metric in zip(panels, METRICS, strict=True):
        for axes, which in zip(row, IN_SIGMA, strict=True):
            own = [value[which.name, f"best:{which.name}:{metric}", n][metric] for n in steps]
            for name in COLOURS:
                ratio = [
                    value[which.name, name, n][metric] / best for n, best in zip(steps, own, strict=True)
                ]
                axes.plot(
                    steps,
                    ratio,
                    color=COLOURS[name],
                    marker=MARKERS[name],
                    markersize=4,
                    linewidth=1.1,
                    label=label(name),
                )
            curve = [
                value[which.name, f"curve:{which.name}:{metric}", n][metric] / b
                for n, b in zip(steps, own, strict=True)
            ]
            axes.plot(steps, curve, "--", color=INK, linewidth=1.4, label="self-consistent curve")
            axes.axhline(1.0, color=INK, linewidth=0.8)
            axes.set(yscale="log", title=f"{which.label}: {METRICS[metric]}")
            count_axis(axes, steps)
            _few_ticks(axes.yaxis)
    for axes in panels[-1]:
        axes.set_xlabel("steps")
    for axes, metric in zip(panels[:, 0], METRICS, strict=True):
        axes.set_ylabel(f"{METRICS[metric]} / optimum (log axis)")
    handles, words = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower center", ncols=5, frameon=False, fontsize=8.5)
    return save_figure(
        figure,
        folder,
        "ratios",
        "Error of every schedule over that of the schedule optimised for the same sampler, metric and count (1 is the optimum), "
        "all between the same ends. KL is a squared error, so that its ratios are about squares of ratios of distances.",
    )


def _few_ticks(axis: Any) -> None:
    """Ticks at 1, 2 and 5 where a logarithmic axis spans two decades or less, at powers of ten otherwise."""
    low, high = axis.get_view_interval()
    if high / low < 100:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _shapes(folder: Path, results: dict[str, Any]) -> Picture:
    """Where the schedules put their steps."""
    steps = results["settings"]["headline"]
    levels = {s["schedule"]: s["logsnr"] for s in results["schedules"] if s["steps"] == steps}
    figure = Figure(figsize=(11.0, 5.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for name in (*PUBLISHED, "information"):
        left.plot(
            range(steps + 1),
            levels[name],
            color=COLOURS[name],
            marker=MARKERS[name],
            markersize=4,
            linewidth=1.0,
            label=label(name),
        )
    right.plot(
        range(steps + 1),
        levels["path-kl"],
        color=COLOURS["path-kl"],
        marker="*",
        markersize=6,
        label=label("path-kl"),
    )
    for which in IN_SIGMA:
        for metric, line in (("w2", "-"), ("kl", ":")):
            name = f"best:{which.name}:{metric}"
            right.plot(
                range(steps + 1),
                levels[name],
                line,
                color=SAMPLER_COLOURS[which.name],
                marker="o",
                markersize=3,
                linewidth=1.2,
                label=label(name),
            )
    for axes, title in ((left, "by a formula or a published list"), (right, "optimised on this spectrum")):
        axes.set(xlabel="step", title=title)
        axes.set_xticks(range(steps + 1))
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)
    left.set_ylabel("log-SNR (nats)")
    return save_figure(
        figure,
        folder,
        "shapes",
        f"Log-SNR after each of {steps} steps between the same ends. Steep parts are jumps. W2 wants its steps where the large "
        "modes have their knees, KL where most modes have theirs.",
    )


def _audit(folder: Path, results: dict[str, Any]) -> Picture:
    """Rank correlations of surrogates and errors."""
    rows = {(r["sampler"], r["metric"], r["surrogate"]): r["spearman"] for r in results["rankings"]}
    columns = [(e.name, m) for m in METRICS for e in (*IN_SIGMA, *IN_TIME)]
    grid = np.array([[rows.get((*c, s), np.nan) for c in columns] for s in SURROGATES])
    figure = Figure(figsize=(11.0, 4.0), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(grid, vmin=-1, vmax=1, cmap="RdBu", aspect="auto")
    for (i, j), number in np.ndenumerate(grid):
        words = "–" if np.isnan(number) else f"{number:.2f}"
        axes.text(j, i, words, ha="center", va="center", fontsize=8, color="w" if abs(number) > 0.6 else INK)
    axes.axvline(len(columns) / 2 - 0.5, color="w", linewidth=4)
    axes.set_yticks(range(len(SURROGATES)), labels=list(SURROGATES.values()))
    axes.set_xticks(
        range(len(columns)),
        labels=[f"{METRICS[m]}, {entry(s).label}" for s, m in columns],
        rotation=40,
        ha="right",
        fontsize=8,
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label="Spearman's coefficient", shrink=0.9)
    return save_figure(
        figure,
        folder,
        "audit",
        "How well a number that is cheap to minimise ranks schedules of one step count by the error of what a sampler returns "
        "(median over step counts; 1 is the same order, 0 none, negative the opposite one). The leading-order error is known "
        "for samplers in sigma only.",
    )


def _scatter(folder: Path, results: dict[str, Any]) -> Picture:
    """Surrogate against error, schedule by schedule."""
    steps, value = results["settings"]["headline"], errors_of(results)
    pixels = results["pixel_values"]
    known = {s["schedule"]: s["surrogates"] for s in results["schedules"] if s["steps"] == steps}
    panels = (
        ("ddim", "w2", "path_kl", "path KL (nats per pixel value)"),
        ("ancestral", "kl", "path_kl", "path KL (nats per pixel value)"),
        ("ddim", "w2", "leading:ddim:w2", "leading-order W2 of DDIM (RMS per pixel value)"),
    )
    figure = Figure(figsize=(11.0, 4.4), layout="constrained")
    row = figure.subplots(1, len(panels))
    for axes, (sampler, metric, surrogate, words) in zip(row, panels, strict=True):
        for name, found in known.items():
            if (sampler, name, steps) not in value:
                continue
            y = _per_pixel(value[sampler, name, steps][metric], metric, pixels)
            x = _per_pixel(found[surrogate], "kl" if surrogate == "path_kl" else "w2", pixels)
            plain = name in COLOURS
            axes.plot(
                x,
                y,
                MARKERS[name] if plain else "o",
                color=COLOURS[name] if plain else "none",
                markeredgecolor=COLOURS[name] if plain else INK,
                markersize=7 if plain else 5,
                label=label(name) if plain else None,
            )
        axes.plot([], [], "o", color="none", markeredgecolor=INK, label="optimised for some sampler")
        unit = "RMS per pixel value" if metric == "w2" else "nats per pixel value"
        axes.set(
            xscale="log",
            yscale="log",
            xlabel=words,
            ylabel=f"{METRICS[metric]} of {entry(sampler).label} ({unit})",
        )
        _few_ticks(axes.xaxis)
        _few_ticks(axes.yaxis)
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=8.5)
    return save_figure(
        figure,
        folder,
        "scatter",
        f"Every schedule of {steps} steps: what it was or might have been optimised for, across; what the sampler returns, up; logarithmic axes.",
    )


def _per_pixel(number: float, metric: str, pixels: int) -> float:
    return number / (pixels if metric == "kl" else float(np.sqrt(pixels)))


def _calls(folder: Path, results: dict[str, Any]) -> Picture:
    """Error at equal network calls."""
    value, pixels = errors_of(results), results["pixel_values"]
    figure = Figure(figsize=(11.0, 6.0), layout="constrained")
    row = figure.subplots(1, 2)
    for axes, metric in zip(row, METRICS, strict=True):
        for which in IN_SIGMA:
            for kind, line in (("best", "-"), ("published", "--")):
                points = []
                for n in results["settings"]["steps"]:
                    names = [f"best:{which.name}:{metric}"] if kind == "best" else list(PUBLISHED)
                    least = min(value[which.name, name, n][metric] for name in names)
                    points.append((n * which.calls, _per_pixel(least, metric, pixels)))
                axes.plot(
                    *zip(*points, strict=True),
                    line,
                    color=SAMPLER_COLOURS[which.name],
                    marker="o" if kind == "best" else None,
                    markersize=3.5,
                    linewidth=1.3,
                    label=f"{which.label}, {'optimum' if kind == 'best' else 'best published'}",
                )
        for which in IN_TIME:
            points = [
                (r["calls"], _per_pixel(r[metric], metric, pixels))
                for r in results["errors"]
                if (r["sampler"], r["schedule"]) == (which.name, f"best:{which.name}:{metric}") and r[metric]
            ]
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    TIME_MARKERS[which.name],
                    color="none",
                    markeredgecolor=INK,
                    markersize=6,
                    label=f"{which.label}, optimum",
                )
        unit = "RMS per pixel value" if metric == "w2" else "nats per pixel value"
        axes.set(
            yscale="log",
            xlabel="network calls (NFE)",
            ylabel=f"{METRICS[metric]} ({unit}, log axis)",
            title=METRICS[metric],
        )
        ticks = sorted({n * e.calls for n in results["settings"]["steps"] for e in IN_SIGMA})
        count_axis(axes, ticks)
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    return save_figure(
        figure,
        folder,
        "calls",
        "Error at equal network calls: Heun takes two a step, RK4 four. Solid: schedule optimised for that sampler and metric; "
        "dashed: the best published shape; open markers: samplers in the time of the variance-preserving diffusion. Where a sampler's error has both signs, as with "
        "DPM-Solver++(2M), a schedule can be tuned to one spectrum until little is left.",
    )


def _curve_distance(folder: Path, results: dict[str, Any]) -> Picture:
    """Excess of the self-consistent curve over the optimum, by steps."""
    rows, counts = results["curve_distances"], results["settings"]["curves"]["steps"]
    figure = Figure(figsize=(9.4, 3.9), layout="constrained")
    panels = figure.subplots(1, len(METRICS), sharey=True)
    for axes, metric in zip(panels, METRICS, strict=True):
        for sampler, exponent in dict.fromkeys((r["sampler"], r["exponent"]) for r in rows):
            line = [
                r["excess_percent"]
                for r in rows
                if (r["sampler"], r["metric"], r["exponent"]) == (sampler, metric, exponent)
            ]
            axes.plot(
                counts,
                np.maximum(line, LEAST_EXCESS),
                marker=EXPONENT_MARKERS.get(exponent, "o"),
                markersize=5,
                color=SAMPLER_COLOURS[sampler],
                label=f"{entry(sampler).label}, 1/f^{exponent:g}",
            )
        if metric == "w2":
            axes.plot(
                [10, max(10, *counts)],
                [0.1, 0.1],
                "--",
                color=INK,
                linewidth=1,
                label="predicted for DDIM: below",
            )
        axes.set(xlabel="steps (network calls)", yscale="log", title=METRICS[metric])
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(axis="y", color="0.92", linewidth=0.8)
        count_axis(axes, counts)
    panels[0].set_ylabel("curve above optimum (% of the error, log axis)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return save_figure(
        figure,
        folder,
        "curve_distance",
        "How much larger the error is along the self-consistent curve, one curve for every step count, than along the path that is "
        "best for that count; power-law spectra, one clock. KL is a squared error, so that its excess counts twice.",
    )
