"""Figures of the page on guidance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from experiments.drawing import COLOURS, INK, STYLE
from experiments.overcomplete_vs_orthogonal.ledger.guidance_influence import PAIRS, SHARES
from experiments.path_optimization.published import UNIT
from experiments.report import Picture, save_figure

JOINT, APART, NETWORK = INK, "#b08d00", COLOURS["pyramid"]


def ahead(folder: Path, numbers: dict[str, Any]) -> Picture:
    """Leads along paths, and what each scale gains from the other."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 3.9), layout="constrained")
        lead, *slices = figure.subplots(1, 3, width_ratios=(1.3, 1.0, 1.0))
        published = numbers["published"]["leads"]
        lead.axhline(0.0, color="0.75", lw=1.0, zorder=0)
        lead.plot(
            published["fine"],
            published["unit_free"],
            "s",
            ms=5,
            color=COLOURS["haar"],
            label="LIFT, published",
        )
        lines = {
            "by_cost": (COLOURS["haar"], "LIFT's cost on a Gaussian"),
            "joint": (JOINT, "least path KL, exact pair"),
            "decoupled": (APART, "least path KL, each scale alone"),
        }
        for name, (colour, words) in lines.items():
            _leads(lead, numbers["paths"][name], color=colour, lw=1.8, label=words)
        for i, path in enumerate(numbers["paths"]["networks"]):
            _leads(lead, path, color=NETWORK, lw=0.9, label="least path KL, networks" if i == 0 else None)
        lead.set_xlabel("log-SNR of the fine scale (nats)")
        lead.set_ylabel("unit-free lead of the coarse scale (nats)")
        lead.set_title("which scale is ahead")
        titles = {"coarse_to_fine": ("fine", "coarse"), "fine_to_coarse": ("coarse", "fine")}
        for axes, (name, (learner, other)) in zip(slices, titles.items(), strict=True):
            row = numbers["gains"][name]["slice"]
            axes.plot(row["other"], row["joint"], color=JOINT, lw=1.8)
            axes.plot(row["other"], row["decoupled"], color=APART, lw=1.8)
            for values in row["networks"]:
                axes.plot(row["other"], values, color=NETWORK, lw=0.9, marker=".", ms=4)
            axes.set_yscale("log")
            axes.set_xlabel(f"log-SNR of the {other} scale (nats)")
            axes.set_ylabel(f"error of the {learner} scale / largest")
            axes.set_title(f"{other} to {learner}, {learner} at {row['level']:.1f} nats")
        figure.legend(
            *lead.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8, frameon=False
        )
        return save_figure(
            figure,
            folder,
            "guidance-ahead",
            "Left: lead of the coarse scale along paths, minus 2 log 2, at which both scales tell the same about the "
            "low band. Middle and right: error of one scale against the noise of the other, at a noise level where the "
            "other helps. Networks that ignored it would stay on the yellow line.",
        )


def influence(folder: Path, numbers: dict[str, Any]) -> Picture:
    """Published shares beside a Gaussian's in all parametrisations, and networks beside the closed form."""
    found = numbers["influence"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 3.9), layout="constrained")
        shares, networks = figure.subplots(1, 2)
        times = list(SHARES)
        shares.plot(
            times,
            list(SHARES.values()),
            "s",
            ms=6,
            color=COLOURS["haar"],
            label="LIFT, published",
        )
        words = {"eps": "noise prediction", "v": "velocity", "x0": "data prediction"}
        for (name, label), style in zip(words.items(), ("-", "--", ":"), strict=True):
            shares.plot(times, found["power_law"][name], style, color=INK, label=f"Gaussian, {label}")
        shares.fill_between(
            times, *found["range"]["eps"], color="0.85", lw=0, label="the same, other power laws"
        )
        shares.set_yscale("log")
        shares.invert_xaxis()
        shares.set_xlabel("timestep of the coarse scale, noise to data (fine at 999)")
        shares.set_ylabel("influence of coarse on fine / of fine on itself")
        shares.set_title("one coupling, three parametrisations")
        shares.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        exact = [norms[0][1] for norms in found["closed_form"]["x0"]]
        for network in found["networks"]:
            networks.plot(
                exact, [norms[0][1] for norms in network["x0"]], "o", ms=5, mfc="none", color=NETWORK
            )
        ends = [min(exact) / 3, max(exact) * 3]
        networks.plot(ends, ends, color=INK, lw=1.0)
        for value, pair, network in zip(exact, PAIRS, found["networks"][0]["x0"], strict=True):
            outermost = value == min(exact)
            networks.annotate(
                f"({pair[0]:g}, {pair[1]:g})",
                (value, network[0][1]),
                textcoords="offset points",
                xytext=(7, -3) if outermost else (-7, 3),
                ha="left" if outermost else "right",
                fontsize=7,
                color="0.35",
            )
        networks.set_xscale("log")
        networks.set_yscale("log")
        networks.set_xlabel("closed form (squared norm)")
        networks.set_ylabel("networks (squared norm)")
        networks.set_title("fine data prediction by coarse input")
        return save_figure(
            figure,
            folder,
            "guidance-influence",
            "Left: published influence of the coarse scale on the fine one beside that of a Gaussian with a power-law "
            "spectrum and no network; the noise prediction makes a strong coupling look like nothing. Right: Jacobians "
            "of trained pyramid networks, every seed, at the log-SNRs (fine, coarse) written beside them.",
        )


def _leads(axes: Any, path: dict[str, Any], **style: Any) -> None:
    inner = np.array(path["logsnr"])[1:-1]
    axes.plot(inner[:, 0], inner[:, 1] - inner[:, 0] - UNIT, marker=".", ms=4, **style)
