"""Figures, tables and paragraphs of the page on SLOT's lead scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from experiments.drawing import INK, STYLE, legend_beside
from experiments.intervals import Estimate
from experiments.overcomplete_vs_orthogonal.ledger.lead_schedules import READINGS
from experiments.predictions import verdict_table
from experiments.report import Item, Picture, Table, Text, save_figure

SOLVERS = {"heun": "Heun", "ddim": "DDIM"}
LAWS = {"power_law": "1/f^2, 32 x 32 x 3", "images": "images of the bench"}
SHORT = {
    "truncated": "truncated (fine waits)",
    "ahead": "truncated (coarse starts ahead)",
    "cut": "truncated without lead",
    "respaced": "not truncated (spaced anew)",
    "held": "not truncated (coarse held)",
}
COLOURS = {
    "truncated": "#d1495b",
    "ahead": "#edae49",
    "cut": "#8d5a97",
    "respaced": "#00798c",
    "held": "#30638e",
}


def items(
    numbers: dict[str, Any],
    verdicts: Sequence[dict[str, Any]],
    gains: dict[Any, Estimate],
    folder: Path,
) -> list[Item]:
    """Everything between the claim and the ruling."""
    with matplotlib.rc_context(STYLE):
        pictures = [_exact_figure(numbers, folder), _trained_figure(numbers, folder)]
    words = {v["name"]: v for v in verdicts}
    return [
        Text(
            text="A coarse scale that is replicated to full resolution, with noise of full resolution, is denoised as plain "
            "means whose log-SNR is 2 log r higher (1.39 nats for the middle scale, 2.77 for the coarse one). That is what a "
            "coarse scale needs to tell as much as the fine one about the low band: the sync of the published scan is the "
            "equal-information line, and its leads count from there."
        ),
        _leads_table(numbers),
        pictures[0],
        Text(
            text="Squared W2 of the images (pixel units, exact denoisers, from pure noise), relative to sync. The published FID "
            "holds the error of a network and the bias of 1000 images (some 27 by its own values for 10,000), which do not "
            "depend on the lead; so it varies less."
        ),
        Table(
            header=["reading", "what becomes of the levels that a lead costs"],
            words=frozenset({1}),
            rows=[[SHORT[name], text] for name, text in READINGS.items()],
        ),
        _minima_table(numbers),
        pictures[1],
        _gains_table(numbers, gains),
        verdict_table(verdicts),
        *[Text(text=text) for text in _explanations(words)],
    ]


def _exact_figure(numbers: dict[str, Any], folder: Path) -> Picture:
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    steps = np.arange(len(numbers["published"]))
    for axes, (solver, label) in zip(panels, SOLVERS.items(), strict=True):
        for reading, curve in numbers["exact"]["power_law"][solver].items():
            values = np.array(curve) / curve[0]
            style = "-" if reading in ("truncated", "ahead") else "--"
            axes.plot(steps, values, style, color=COLOURS[reading], label=SHORT[reading], lw=1.5)
            axes.plot(np.argmin(values), values.min(), "o", color=COLOURS[reading], ms=5)
        published = np.array(numbers["published"]) / numbers["published"][0]
        axes.plot(steps, published, "s-", color=INK, ms=3.5, lw=1.0, label="FID, SLOT as published")
        axes.set(title=f"{label}, 1/f^2 spectrum", xlabel="lead of the coarse scales (EDM steps)")
        axes.set(yscale="log", ylim=(0.5, 150.0), xticks=steps[::2])
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(axis="y", color="0.92", linewidth=0.8)
    panels[0].set_ylabel("error relative to sync (log axis)")
    legend_beside(panels[1])
    return save_figure(
        figure,
        folder,
        "lead_scan_exact",
        "Three scales, exact denoisers: squared W2 of the image by lead, with a dot at every minimum. Full lines: truncated as "
        "published, in two readings. Broken lines: truncated without a lead, or with a lead and not truncated.",
    )


def _trained_figure(numbers: dict[str, Any], folder: Path) -> Picture:
    figure = Figure(figsize=(9.6, 3.7), layout="constrained")
    readings = list(numbers["measured"])
    panels = figure.subplots(1, len(readings))
    leads = numbers["leads"]
    for axes, reading in zip(panels, readings, strict=True):
        lines = np.array(numbers["measured"][reading])
        lines = lines - lines[:, :1]
        for line in lines:
            axes.plot(leads, line, color=COLOURS[reading], lw=0.8, alpha=0.5)
        axes.plot(
            leads,
            lines.mean(axis=0),
            "o-",
            color=COLOURS[reading],
            ms=4,
            label="networks, mean of seeds (thin: each seed)",
        )
        curve = np.array(numbers["closed_form"][reading])
        axes.plot(leads, curve - curve[0], "--", color=INK, lw=1.2, label="closed form")
        axes.axhline(0.0, color="0.7", lw=0.8)
        axes.set(title=SHORT[reading], xlabel=f"lead of the coarse scale (of {numbers['calls']} steps)")
        axes.margins(y=0.12)
        axes.text(0.03, 0.97, "own scale", transform=axes.transAxes, fontsize=7.5, va="top", color="0.45")
    panels[0].set_ylabel("Frechet distance less that of sync\n(squared pixel units)")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False
    )
    return save_figure(
        figure,
        folder,
        "lead_scan_trained",
        f"Two scales, DDIM, {numbers['samples']} images a lead: distance of network samples to the training images in pixels "
        f"(the same noise at every lead), and the exact squared W2 of the same paths. The schedule is EDM's in the range of the "
        f"bench, where {numbers['leads'][-1]} steps are {numbers['trained_lead_nats'][-1]:.1f} nats at mid path.",
    )


def _leads_table(numbers: dict[str, Any]) -> Table:
    steps = range(len(numbers["published"]))
    return Table(
        header=["lead (steps)", *[str(n) for n in steps]],
        rows=[
            ["published FID (1000 images)", *[f"{v:.2f}" for v in numbers["published"]]],
            ["unit-free lead at mid path (nats)", *[f"{v:.1f}" for v in numbers["lead_nats"]]],
            ["last sigma of the fine scale", *[f"{v:.3g}" for v in numbers["last_sigma"]]],
        ],
    )


def _minima_table(numbers: dict[str, Any]) -> Table:
    rows = []
    for law, solvers in numbers["exact"].items():
        for solver, curves in solvers.items():
            for reading, curve in curves.items():
                best = int(np.argmin(curve))
                rank = spearmanr(curve, numbers["published"]).statistic
                rows.append(
                    [
                        f"{LAWS[law]}, {SOLVERS[solver]}",
                        SHORT[reading],
                        str(best),
                        f"{100.0 * (curve[best] / curve[0] - 1.0):+.1f}",
                        f"{100.0 * (curve[5] / curve[0] - 1.0):+.3g}",
                        f"{max(curve) / min(curve):.3g}",
                        f"{rank:.2f}",
                    ]
                )
    published = numbers["published"]
    best = int(np.argmin(published))
    change = f"{100.0 * (published[best] / published[0] - 1.0):+.1f}"
    ratio = f"{max(published) / min(published):.3g}"
    rows.append(["SLOT, as published (FID)", "", str(best), change, change, ratio, "1"])
    return Table(
        header=[
            "spectrum and solver",
            "reading",
            "best lead (steps)",
            "there, against sync (%)",
            "at 5 steps (%)",
            "worst / best",
            "rank correlation with the published FID",
        ],
        words=frozenset({1}),
        rows=rows,
    )


def _gains_table(numbers: dict[str, Any], gains: dict[Any, Estimate]) -> Table:
    rows = []
    for reading, lines in numbers["measured"].items():
        mean, curve = np.mean(lines, axis=0), numbers["closed_form"][reading]
        leads = numbers["leads"]
        rows.append(
            [
                SHORT[reading],
                str(leads[int(np.argmin(curve))]),
                f"{100.0 * (1.0 - min(curve[1:]) / curve[0]):.2g}",
                ", ".join(str(leads[int(np.argmin(line))]) for line in lines),
                f"{gains[reading].mean:.1f} ± {gains[reading].half_width:.1f}",
                f"{mean[0]:.4g}",
                f"{mean[-1]:.4g}",
            ]
        )
    return Table(
        header=[
            "reading",
            "best lead, closed form",
            "gain by the best lead above zero, closed form (%)",
            "best lead of every seed",
            "gain by the lead best for the other seeds (%)",
            "distance in sync",
            f"distance at a lead of {numbers['leads'][-1]}",
        ],
        rows=rows,
    )


def _explanations(words: dict[str, dict[str, Any]]) -> list[str]:
    known = {
        "lead_scan_exact_minimum": "The published minimum is not where the closed form of the same reading has it.",
        "lead_scan_exact_ratio": "An exact denoiser adds no error of its own, so that only the schedule's is left and its worst "
        "over best is far larger than that of a FID, most of which does not depend on the lead.",
        "lead_scan_exact_free_minimum": "Without truncation, too, some closed-form curve prefers a lead.",
        "lead_scan_trained_minimum": "Networks prefer another lead than the closed form: the difference is their own error.",
        "lead_scan_trained_free_minimum": "Networks prefer another lead than the closed form where nothing is truncated: the "
        "difference is their own error.",
        "lead_scan_trained_rank": "The distances of networks do not follow the closed form from lead to lead: their own error "
        "changes with the path by more than the schedule's.",
        "lead_scan_trained_free_rank": "Without truncation leads differ by a fraction of the error in closed form; the networks' "
        "own error, which changes with the path, is as large.",
        "lead_scan_trained_rise": "The closed form is that of the best linear denoiser; a network that knows more about images "
        "leaves less blur when it denoises in one step, and one that has learned little leaves more.",
        "lead_scan_trained_free_gain": "Networks gain by a lead that costs an exact denoiser: what is smaller is their own error.",
    }
    return [
        f"{name.removeprefix('lead_scan_')} {words[name]['verdict']}: {text}"
        for name, text in known.items()
        if words[name]["verdict"] in ("failed", "undecided")
    ]
