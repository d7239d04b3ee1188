"""Figures, tables and paragraphs of the page on long training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import pearsonr

from experiments.drawing import COLOURS, STYLE, legend_beside
from experiments.intervals import Estimate, over_seeds
from experiments.overcomplete_vs_orthogonal.ledger.published_epochs import (
    EMA,
    EMA_EPOCHS,
    EPOCHS,
    RAW,
    SETTLED,
    apart,
    degradation,
    published_trend,
)
from experiments.predictions import verdict_table
from experiments.report import Item, Picture, Table, Text, save_figure

LABELS = {"single": "one scale", "pyramid": "two scales"}
WEIGHTS = {"raw": "raw", "ema": "averaged"}
DISTANCES = {
    "pixels_training": "pixels, training images",
    "pixels_pool": "pixels, pool",
    "pixels_held_out": "pixels, other photographs",
    "textures_training": "random convolutions (kernel), training images",
    "textures_pool": "random convolutions (kernel), pool",
    "textures_held_out": "random convolutions (kernel), other photographs",
}
PUBLISHED_COLOURS = {
    "one scale": COLOURS["single"],
    "two scales, DP-Total": COLOURS["pyramid"],
    "two scales, diagonal": COLOURS["haar"],
}


def items(numbers: dict[str, Any], verdicts: Sequence[dict[str, Any]], folder: Path) -> list[Item]:
    """Everything between the claim and the ruling."""
    with matplotlib.rc_context(STYLE):
        published, trained = _published_figure(folder), _trained_figure(numbers, folder)
    words = {v["name"]: v["verdict"] for v in verdicts}
    return [
        published,
        _trends_table(),
        Text(
            text="LIFT, as published. A slope's standard error is that of a straight line through the means of five seeds; the "
            "three rows of two scales are paths of the same networks, and where one of them jumps (epochs 200, 1000, 1800) all "
            f"do: from epoch {SETTLED} on the optimised path's values correlate with the diagonal's by {_shared():.2f}. Slopes "
            "apart: difference to the one-scale slope in standard errors."
        ),
        trained,
        Text(
            text=f"{numbers['images']['training']} training images, updates of {numbers['batch']} images, {numbers['samples']} samples by the "
            f"ancestral sampler in {numbers['calls']} calls along the closed form's path of least path KL. The pool, "
            f"{numbers['images']['pool']} other patches of the same photographs, is the fairer held-out set: other photographs "
            f"({numbers['images']['held_out']} patches) have another law, and the distance to it is large however well a network has "
            "learned. Patches of the pool overlap training images, for both networks alike."
        ),
        _degradation_table(numbers),
        Text(
            text="Means over seeds with 95 % intervals. Rises of pixel distances in percent; of kernel distances, which may be "
            "zero, as they are."
        ),
        verdict_table(verdicts),
        *[Text(text=text) for text in _explanations(words)],
    ]


def _published_figure(folder: Path) -> Picture:
    figure = Figure(figsize=(9.4, 3.4), layout="constrained")
    axes = figure.subplots()
    for name, colour in PUBLISHED_COLOURS.items():
        axes.plot(EPOCHS, RAW[name], "o-", color=colour, ms=4, lw=1.0, label=f"{name}, raw")
        line = published_trend(name, SETTLED)
        times = np.array([epoch for epoch in EPOCHS if epoch >= SETTLED])
        middle = np.mean([v for epoch, v in zip(EPOCHS, RAW[name], strict=True) if epoch >= SETTLED])
        axes.plot(times, middle + line.slope * (times - times.mean()) / 1000.0, ":", color=colour, lw=1.6)
        axes.plot(
            EMA_EPOCHS, EMA[name], "s--", color=colour, ms=4, lw=1.0, mfc="white", label=f"{name}, averaged"
        )
    axes.set(xlabel="epoch", ylabel="FID", xticks=EPOCHS)
    axes.grid(axis="y", color="0.92", linewidth=0.8)
    legend_beside(axes)
    return save_figure(
        figure,
        folder,
        "stability_published",
        f"LIFT, as published: FID by training epoch, raw weights (five seeds) and averaged ones (one seed). Dotted: straight "
        f"lines through the raw values from epoch {SETTLED} on.",
    )


def _trained_figure(numbers: dict[str, Any], folder: Path) -> Picture:
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    for name, runs in numbers["networks"].items():
        steps, colour = runs[0]["steps"], COLOURS[name]
        for weights, style in (("raw", "o-"), ("ema", "s--")):
            label = f"{LABELS[name]}, {WEIGHTS[weights]}"
            face = colour if weights == "raw" else "white"
            for axes, values in (
                (panels[0], [run[weights]["pixels_pool"] for run in runs]),
                (panels[1], [run[weights]["nearness"] for run in runs]),
                (panels[2], [run["losses"][weights] for run in runs]),
            ):
                axes.plot(
                    steps, np.mean(values, axis=0), style, color=colour, ms=4, lw=1.2, mfc=face, label=label
                )
                if axes is panels[0]:
                    for line in values:
                        axes.plot(steps, line, style[1:], color=colour, lw=0.6, alpha=0.3)
        losses = np.mean([run["losses"]["training"] for run in runs], axis=0)
        panels[2].plot(steps, losses, ":", color=colour, lw=1.5, label=f"{LABELS[name]}, training")
    panels[1].axhline(1.0, color="0.6", lw=0.8)
    titles = (
        ("distance to the pool", "Frechet distance (log axis)"),
        ("nearest training image", "distance relative to new images"),
        ("denoising loss", "loss (weighted squared error)"),
    )
    for axes, (title, label) in zip(panels, titles, strict=True):
        axes.set(title=title, ylabel=label, xlabel="updates")
        axes.ticklabel_format(axis="x", style="plain")
    panels[0].set_yscale("log")
    handles, labels = panels[2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return save_figure(
        figure,
        folder,
        "stability_trained",
        "Long training on few images: means over seeds (thin: each seed). Left: distance of samples to other patches of the same "
        "photographs in pixels (squared units). Middle: how near samples come to a training image; one is as near as new images. Right: loss on the "
        "training images (dotted) and on other photographs; it adds up over scales, so that one and two scales differ in level.",
    )


def _shared() -> float:
    """Correlation of two paths of the same published networks."""
    since = EPOCHS.index(SETTLED)
    rows = [RAW[f"two scales, {name}"][since:] for name in ("diagonal", "DP-Total")]
    return float(pearsonr(*rows).statistic)


def _trends_table() -> Table:
    rows = []
    for name, values in RAW.items():
        row = [name, f"{values[0]:.2f}", f"{values[-1]:.2f}"]
        for since in (EPOCHS[0], SETTLED):
            line = published_trend(name, since)
            distance = (
                "" if name == "one scale" else f"{apart(line, published_trend('one scale', since)):+.1f}"
            )
            row += [
                f"{line.slope:.1f} ± {line.standard_error:.1f}",
                f"{line.rank:+.2f}",
                distance,
            ]
        row += [f"{published_trend(name, SETTLED).scatter:.1f}", f"{degradation(EMA[name]):.0f}"]
        rows.append(row)
    return Table(
        header=[
            "LIFT, as published (raw FID)",
            "epoch 200",
            "epoch 2000",
            "slope per 1000 epochs ± standard error, all",
            "Spearman, all",
            "slopes apart, all",
            f"slope from {SETTLED}",
            f"Spearman from {SETTLED}",
            f"slopes apart from {SETTLED}",
            f"scatter about the line from {SETTLED}",
            "averaged weights: rise 400 to 2000 (%)",
        ],
        rows=rows,
    )


def _degradation_table(numbers: dict[str, Any]) -> Table:
    networks, rows = numbers["networks"], []
    for weights, word in WEIGHTS.items():
        for quantity, label in DISTANCES.items():
            lines = {name: [run[weights][quantity] for run in runs] for name, runs in networks.items()}
            lost = {name: [_lost(line, quantity) for line in found] for name, found in lines.items()}
            differences = over_seeds([b - a for a, b in zip(lost["single"], lost["pyramid"], strict=True)])
            row = [label, word]
            for name in LABELS:
                row += [f"{np.mean([min(line) for line in lines[name]]):.3g}", _words(over_seeds(lost[name]))]
            rows.append([*row, _words(differences)])
    return Table(
        header=[
            "distance to",
            "weights",
            "one scale: least",
            "rise to the end (%)",
            "two scales: least",
            "rise to the end (%)",
            "difference of the rises",
        ],
        rows=rows,
    )


def _lost(line: Sequence[float], quantity: str) -> float:
    """Rise in percent; as it is for kernel distances, which may be zero or negative."""
    return degradation(line) if quantity.startswith("pixels") else float(line[-1] - min(line))


def _words(estimate: Estimate) -> str:
    return f"{estimate.mean:.3g} ± {estimate.half_width:.2g}"


def _explanations(words: dict[str, str]) -> list[str]:
    known = {
        "raw_difference": "Raw weights of the two networks degrade differently, or so differently from seed to seed that the "
        "interval is wider than what counts as none.",
        "ema_difference": "The same for averaged weights.",
        "roughness": "Averages here do not vary less than raw weights from one checkpoint to the next: over the distance between "
        "checkpoints both move with the training itself more than raw weights scatter.",
        "nearness": "Samples did not come nearer to the training images: the networks were not trained long enough, or are too "
        "small, to learn them by heart.",
        "loss_gap": "The gap between held-out and training loss did not grow: nothing was learned by heart.",
        "published_slope": f"Over all epochs the published slopes do differ. The first value of two scales, at epoch {EPOCHS[0]}, "
        "is twice the later ones and carries the trend; it is a network that has hardly learned, not one that degrades less.",
        "published_settled_slope": "The published slopes differ from the settled epoch on, too.",
        "published_other_path": "On the diagonal the same networks rise at another rate than the baseline.",
        "published_ema_difference": "Averaged weights degrade differently as published.",
    }
    return [
        f"{name} {words[f'stability_{name}']}: {text}"
        for name, text in known.items()
        if words[f"stability_{name}"] in ("failed", "undecided")
    ]
