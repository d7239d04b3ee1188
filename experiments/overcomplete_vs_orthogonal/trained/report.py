"""The trained half of the report: what was predicted, what networks did, and the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from experiments import predictions
from experiments.drawing import COLOURS, INK, STYLE
from experiments.intervals import over_seeds
from experiments.overcomplete_vs_orthogonal.ledger import FINDINGS
from experiments.overcomplete_vs_orthogonal.trained.bench import NETWORKS
from experiments.overcomplete_vs_orthogonal.trained.explanations import explanations
from experiments.overcomplete_vs_orthogonal.trained.judging import Judged
from experiments.overcomplete_vs_orthogonal.trained.routes import ROUTES
from experiments.report import Item, Listing, Picture, Section, Table, Text, save_figure

SIZE_NOTE = (
    "The discretization error compares each sample with what the same network makes of the same noise in the limit of small "
    "steps, extrapolated from steps six times finer (mean squared difference per image); the closed form is the squared W2 distance between what DDIM returns on "
    "Gaussian data of the same spectrum and that data. Means and 95 % intervals are over training seeds."
)


def sections(judged: Judged, folder: Path) -> list[Section]:
    """Everything the networks add to the page."""
    bench = judged.bench
    images = bench.images
    first = (
        f"{len(images.train)} images of {images.size} x {images.size}, {bench.sizes.seeds} networks per representation, "
        f"all of equal size, {bench.sizes.training.steps} updates of {bench.sizes.training.batch} images each, "
        f"{bench.sizes.steps} calls per sample."
    )
    return [
        Section(
            title="Trained networks against the closed form",
            anchor="networks",
            items=[Text(text=first), _scatter(judged, folder), _distances(judged), Text(text=SIZE_NOTE)],
        ),
        predictions.section(
            judged.verdicts,
            explanations(judged.verdicts, judged.samples, judged.apart),
            title="What was predicted of networks, and what they did",
            note="Written to predictions_trained.json, from the spectrum alone, before any network was trained. An estimate "
            "is confirmed if its whole interval lies inside that of the prediction, has failed if the two are disjoint, "
            "and is undecided otherwise.",
            anchor="predictions-networks",
        ),
        Section(
            title="The equivalence on real images",
            anchor="equivalence",
            items=[_maps(judged, folder), *_apart(judged)],
        ),
        _overview(judged),
        *_ledger(judged),
    ]


def _ddim(judged: Judged) -> list[dict[str, Any]]:
    return [row for row in judged.samples if row["sampler"] == "ddim"]


def _scatter(judged: Judged, folder: Path) -> Picture:
    rows = _ddim(judged)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.2, 4.2), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, what in zip(panels, ("flow_error", "fd_train"), strict=True):
            for name in NETWORKS:
                own = [row for row in rows if row["representation"] == name]
                axes.loglog(
                    [row["predicted_w2_squared"] for row in own],
                    [row[what] for row in own],
                    "o",
                    markersize=3.5,
                    color=COLOURS[name],
                    alpha=0.75,
                    label=name,
                )
            known = np.array([row["predicted_w2_squared"] for row in rows])
            ends = np.array([known.min() * 0.8, known.max() * 1.25])
            axes.loglog(ends, ends, color=INK, linewidth=0.9, label="equal")
            axes.set_xlabel("squared W2 of DDIM, closed form (squared pixel units)")
        panels[0].set_ylabel("discretization error of the network\n(squared pixel units per image)")
        panels[1].set_ylabel("Fréchet distance to training images\n(squared pixel units)")
        panels[0].legend(fontsize=8, loc="upper left")
        return save_figure(
            figure,
            folder,
            "networks",
            "Every dot is one network along one path. Left: its discretization error against what the closed form says from "
            "the spectrum alone, with no parameter fitted. Right: the distance of its samples from images, which also "
            "contains what the network has not learned and the bias of a finite sample.",
        )


def _distances(judged: Judged) -> Table:
    rows = _ddim(judged)
    paths = [path for path in ROUTES if any(row["path"] == path for row in rows)]

    def cell(path: str, name: str) -> str:
        own = [r for r in rows if (r["path"], r["representation"]) == (path, name)]
        if not own:
            return "–"
        known = np.mean([r["predicted_w2_squared"] for r in own])
        return f"{over_seeds([r['flow_error'] for r in own])} ({known:.3g})"

    return Table(
        header=["discretization error (closed form)", *NETWORKS],
        rows=[[ROUTES[path], *[cell(path, name) for name in NETWORKS]] for path in paths],
    )


def _maps(judged: Judged, folder: Path) -> Picture:
    axes_of = judged.bench.axes("pyramid")
    values = np.mean([row["relative"] for row in judged.apart], axis=0)
    limit = float(100 * np.abs(values).max()) or 1.0
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.8, 3.7), layout="constrained")
        panels = figure.subplots(1, 2)
        for k, (axes, scale) in enumerate(zip(panels, ("fine", "coarse"), strict=True)):
            mesh = axes.pcolormesh(
                axes_of[0],
                axes_of[1],
                100 * values[..., k].T,
                cmap="RdBu_r",
                vmin=-limit,
                vmax=limit,
                shading="nearest",
            )
            axes.set(
                title=f"error of the scale '{scale}'",
                xlabel="log-SNR of 'fine' (nats)",
                ylabel="log-SNR of 'coarse' (nats)",
            )
        figure.colorbar(mesh, ax=panels, label="pyramid less Haar network (% of their mean)")
        return save_figure(
            figure,
            folder,
            "equivalence",
            "Errors of pyramid networks less those of Haar networks at the mapped noise levels, on the same images, mean over "
            "seeds. Exact denoisers would differ nowhere.",
        )


def _apart(judged: Judged) -> list[Item]:
    table = Table(
        header=[
            "seed",
            "root mean square, fine",
            "coarse",
            "mean, fine",
            "coarse",
            "largest difference",
            "coupling there: pyramid (closed form)",
            "Haar (closed form)",
        ],
        rows=[
            [
                str(row["seed"]),
                *[f"{100 * v:.2f} %" for v in row["root_mean_square"]],
                *[f"{100 * v:+.2f} %" for v in row["mean"]],
                _largest(row["worst"]),
                *[
                    f"{row['worst']['coupling'][n]:.3f} ({row['worst']['coupling'][f'{n}_closed_form']:.3f})"
                    for n in ("pyramid", "haar")
                ],
            ]
            for row in judged.apart
        ],
    )
    worse = [
        "pyramid" if w["over_closed_form"]["pyramid"] > w["over_closed_form"]["haar"] else "Haar"
        for w in (row["worst"] for row in judged.apart)
    ]
    mean = over_seeds([float(np.mean(row["mean"])) for row in judged.apart])
    side = (
        "neither network is better on the whole"
        if mean.low <= 0.0 <= mean.high
        else f"{'Haar' if mean.mean > 0 else 'pyramid'} networks are better on the whole"
    )
    return [
        table,
        Text(
            text=f"Root mean squares are what is left after the noise of measuring. By the mean over noise levels and scales, "
            f"{100 * mean.mean:+.2f} ± {100 * mean.half_width:.2g} %, {side}; where the two differ most, the one with the "
            f"larger error is {', '.join(worse)} (by seed). A network whose coupling lies below that of the closed form "
            "there does not use what the other scale tells it."
        ),
    ]


def _largest(worst: dict[str, Any]) -> str:
    at = ", ".join(f"{v:.1f}" for v in worst["logsnr"])
    return (
        f"{100 * worst['relative']:+.1f} ± {196 * worst['standard_error']:.1f} % ('{worst['scale']}' at {at})"
    )


def _overview(judged: Judged) -> Section:
    return Section(
        title="The ledger of published findings",
        anchor="ledger",
        items=[
            Listing(
                entries=[(f"[{f.TITLE}](#finding-{f.NAME})", judged.pages[f.NAME].ruling) for f in FINDINGS]
            ),
            Text(
                text="Confirmed: as published, for the reason published. Explained otherwise: seen, but for another reason. Not "
                "reproduced: theory or networks contradict it. Undecided: the seeds do not tell. Each page states its rule and "
                "every number with its interval."
            ),
        ],
    )


def _ledger(judged: Judged) -> list[Section]:
    return [
        Section(
            title=f"Finding {number}. {finding.TITLE}",
            anchor=f"finding-{finding.NAME}",
            items=[
                Text(text=finding.CLAIM),
                Text(text=f"Ruling: {judged.pages[finding.NAME].ruling}. {judged.pages[finding.NAME].why}"),
                *judged.pages[finding.NAME].items,
            ],
        )
        for number, finding in enumerate(FINDINGS, start=1)
    ]
