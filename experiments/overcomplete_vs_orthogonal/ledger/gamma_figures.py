"""Figures of the page on the factor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from experiments.drawing import COLOURS, INK, STYLE
from experiments.overcomplete_vs_orthogonal.ledger import gamma_identity as identity
from experiments.overcomplete_vs_orthogonal.ledger.gamma_tables import by_path, ratio
from experiments.report import Picture, save_figure
from lift_theory.optimize.published import FACTORS

FACTOR_COLOURS = dict(zip(FACTORS, ("#7a9e7e", "#d1495b", "#b08d00", "#30638e"), strict=True))


def factor(folder: Path, numbers: dict[str, Any]) -> Picture:
    """Both sides of the identity on networks, for both Jacobians."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10.0, 3.8), layout="constrained")
        panels = figure.subplots(1, 2)
        words = {"x0": "data prediction", "eps": "noise prediction, as LIFT used it"}
        for axes, (prediction, title) in zip(panels, words.items(), strict=True):
            axes.axhline(1.0, color="0.75", lw=1.0, zorder=0)
            for name, found in numbers.items():
                exact = identity.ratios(found["closed_form"], prediction)
                for k, style in zip(range(exact.shape[1]), ("-", "--"), strict=False):
                    label = name if exact.shape[1] == 1 else f"{name}, {('fine', 'coarse')[k]}"
                    axes.plot(identity.LEVELS, exact[:, k], style, color=COLOURS[name], lw=1.2)
                    for seed, sides in enumerate(found["networks"]):
                        axes.plot(
                            np.array(identity.LEVELS) + 0.12 * (seed - 1),
                            identity.ratios(sides, prediction)[:, k],
                            "os"[k],
                            ms=5,
                            mfc="none",
                            color=COLOURS[name],
                            label=label if seed == 0 else None,
                        )
            axes.set_yscale("log")
            axes.set_xlabel("log-SNR of all scales (nats)")
            axes.set_title(title)
        panels[0].set_ylim(0.3, 3.0)
        panels[0].set_yticks([0.3, 0.5, 1.0, 2.0, 3.0], labels=["0.3", "0.5", "1", "2", "3"])
        panels[0].minorticks_off()
        panels[0].set_ylabel("gamma_B x squared Jacobian / fall of the error")
        panels[0].legend(fontsize=8, frameon=False, loc="lower left", ncols=3)
        return save_figure(
            figure,
            folder,
            "gamma-identity",
            "gamma_B times the squared Jacobian over the fall of the error with the SNR: marks are networks, every seed (set "
            "apart a little), lines the closed form. On the data prediction the ratio is one; on the noise prediction it "
            "depends on the noise level.",
        )


def paths(folder: Path, numbers: dict[str, Any]) -> Picture:
    """Routes of the four factors, and what they cost."""
    found = by_path(numbers["power_law"])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 4.2), layout="constrained")
        routes, *costs = figure.subplots(1, 3, width_ratios=(1.2, 1.0, 1.0))
        for i, (name, colour) in enumerate(FACTOR_COLOURS.items()):
            points = np.array(found[f"eps_{name}"]["logsnr"])
            shift = 0.12 * (i - 1.5)  # routes that share a line stay visible
            routes.plot(
                points[:, 0] + shift,
                points[:, 1] - shift,
                ".-",
                color=colour,
                ms=5,
                lw=1.2,
                label=f"gamma_{name}",
            )
        for name, style, words in (("best", ".-", "best path KL"), ("best_w2", ".:", "best W2")):
            best = np.array(found[name]["logsnr"])
            routes.plot(best[:, 0], best[:, 1], style, color=INK, ms=5, lw=1.6, label=words)
        routes.set_xlabel("log-SNR of the fine scale (nats)")
        routes.set_ylabel("log-SNR of the coarse scale (nats)")
        routes.set_title("paths, noise prediction, power law")
        routes.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        for axes, judge, title in zip(
            costs, ("nats", "w2"), ("path KL / least", "W2 of DDIM / least"), strict=True
        ):
            for j, (spectrum, rows) in enumerate(numbers.items()):
                table = by_path(rows)
                for jacobian, mark in (("eps", "o"), ("x0", "^")):
                    values = [ratio(table, f"{jacobian}_{name}", judge) for name in FACTORS]
                    values += [ratio(table, "uniform_timesteps", judge)] if jacobian == "eps" else []
                    axes.plot(
                        np.arange(len(values)) + 0.16 * (j - 0.5) + (0.04 if jacobian == "x0" else -0.04),
                        values,
                        mark,
                        color=(INK, COLOURS["haar"])[j],
                        mfc="none" if jacobian == "x0" else None,
                        label=f"{spectrum.replace('_', ' ')}, {'noise' if jacobian == 'eps' else 'data'} prediction",
                    )
            axes.axhline(1.0, color="0.75", lw=1.0, zorder=0)
            axes.set_xticks(range(len(FACTORS) + 1), labels=[*FACTORS, "diagonal"])
            axes.set_xlabel("factor gamma, or uniform timesteps")
            axes.set_yscale("log")
            axes.set_title(title)
        for which in ("major", "minor"):
            getattr(costs[1].yaxis, f"set_{which}_formatter")(ScalarFormatter())
        figure.legend(
            *costs[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=4,
            fontsize=8,
            frameon=False,
        )
        return save_figure(
            figure,
            folder,
            "gamma-paths",
            "Left: 18-step paths that LIFT's cost picks with each factor on the power-law spectrum (drawn beside each other "
            "where they share a line). Middle and right: what the paths cost on both spectra, with the factors on the "
            "Jacobian of the noise prediction, as published, and of the data prediction; beside them LIFT's control.",
        )
