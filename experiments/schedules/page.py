"""The answer in words, the page and the overview for terminals."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from rich.table import Table as ConsoleTable

from experiments import predictions
from experiments.experiment import Job
from experiments.report import Picture, Report, Section, Text
from experiments.schedules.audit import best_surrogate, recommended
from experiments.schedules.contenders import IN_SIGMA, METRICS, PLAIN, PUBLISHED, entry, label
from experiments.schedules.curve_distance import ENDS
from experiments.schedules.figures import errors_of
from experiments.schedules.surrogates import SURROGATES
from experiments.schedules.tables import (
    by_calls,
    curve_distance_table,
    floor_table,
    in_time,
    own_ends,
    rank_table,
    ratio_table,
    transfer_table,
    two_band_table,
)

TITLE = "Which schedule for which sampler? Published and optimised noise levels, by what samplers return"


def answer(results: dict[str, Any]) -> list[str]:
    """The answer in plain words, every number from the results."""
    value, steps = errors_of(results), results["settings"]["headline"]

    def least(sampler: str, metric: str) -> tuple[str, float]:
        own = value[sampler, f"best:{sampler}:{metric}", steps][metric]
        name = min(PUBLISHED, key=lambda s: value[sampler, s, steps][metric])
        return name, value[sampler, name, steps][metric] / own

    nearest = {(e.name, m): least(e.name, m) for e in IN_SIGMA for m in METRICS}
    path_kl = {
        (s, m): value[s, "path-kl", steps][m] / value[s, f"best:{s}:{m}", steps][m]
        for s, m in (("ddim", "w2"), ("ancestral", "kl"))
    }
    ranks = {(r["sampler"], r["metric"], r["surrogate"]): r["spearman"] for r in results["rankings"]}
    table = results["transfer"]
    chosen = next(row for row in table if row["schedule"] == recommended(table))
    bound = next(row for row in table if row["schedule"] == "path-kl")
    shape = min((row for row in table if row["schedule"] in PUBLISHED), key=lambda row: row["both"])
    first, second = sorted((chosen, shape), key=lambda row: row["both"])
    surrogates = {metric: best_surrogate(results["rankings"], metric) for metric in METRICS}
    bands = [b for b in results["two_bands"] if b["metric"] == "w2" and b["sampler"] == "ddim"]
    return [
        f"Schedules. On this spectrum at {steps} steps between the same ends, the best published shape has "
        + ", ".join(
            f"{nearest[e.name, 'w2'][1]:.3g} times the least W2 for {e.label} ({label(nearest[e.name, 'w2'][0])})"
            for e in IN_SIGMA
        )
        + "; in output KL "
        + ", ".join(
            f"{nearest[e.name, 'kl'][1]:.3g} times for {e.label} ({label(nearest[e.name, 'kl'][0])})"
            for e in IN_SIGMA
        )
        + ". The optimum of DPM-Solver++(2M) is tuned to this one spectrum until errors of both signs cancel: no aim for another.",
        f"Objectives. The path-KL optimum has {path_kl['ddim', 'w2']:.3g} times the least W2 of DDIM and "
        f"{path_kl['ancestral', 'kl']:.3g} times the least output KL of ancestral sampling, which path KL bounds. Among "
        f"schedules of one count its rank correlation is {ranks['ddim', 'w2', 'path_kl']:+.2f} with W2 of DDIM and "
        f"{ranks['ancestral', 'kl', 'path_kl']:+.2f} with output KL of ancestral sampling; that of the leading-order error is "
        f"{ranks['ddim', 'w2', 'leading']:+.2f} and {ranks['ancestral', 'kl', 'leading']:+.2f}. Averaged over samplers in sigma, "
        + " and ".join(
            f"{METRICS[m]} is ranked best by the {_lower(SURROGATES[name])} ({number:+.2f})"
            for m, (name, number) in surrogates.items()
        )
        + ".",
        f"Default. Optimise for the sampler and metric that will be used; the self-consistent curve, made in "
        f"milliseconds for every count, comes to {_curves(value, steps)} times the least W2. If neither is known, take the one named \u201c{label(first['schedule'])}\u201d: over DDIM, "
        f"ancestral sampling and Heun, both metrics and all counts it is {first['both']:.3g} times the best in the geometric mean (at worst "
        f"{first['worst']:.3g}), against {bound['both']:.3g} for the path-KL optimum and {second['both']:.3g} for "
        + ("the best published shape" if second is shape else "the objective that comes next")
        + f" ({label(second['schedule'])}). If only the metric is known: "
        + ", ".join(
            f"{label(name)} ({next(row[m] for row in table if row['schedule'] == name):.3g} times the least, "
            f"{'W2' if m == 'w2' else 'root of KL'})"
            for m in METRICS
            for name in [recommended(table, m)]
        )
        + ".",
        "A second clock. Two cosine bands with a clock each lower W2 of DDIM below the best schedule of one clock by "
        + ", ".join(f"{100 * (1 - b['ratio']):.1f} % at {b['steps']} steps" for b in bands)
        + ".",
    ]


def _curves(value: dict[tuple[str, str, int], dict[str, Any]], steps: int) -> str:
    """W2 along the curve over the least, sampler by sampler."""
    return ", ".join(
        f"{value[e.name, f'curve:{e.name}:w2', steps]['w2'] / value[e.name, f'best:{e.name}:w2', steps]['w2']:.4g} "
        f"({e.label})"
        for e in IN_SIGMA
    )


def _lower(words: str) -> str:
    return words if words.startswith("path KL") else words[0].lower() + words[1:]


def page(results: dict[str, Any], pictures: dict[str, Picture], job: Job) -> Report:
    """The self-contained report."""
    preset, provenance, steps = results["settings"], results["data"], results["settings"]["headline"]
    first, last = np.exp(-0.5 * np.array(results["ends"]))
    sections = [
        Section(
            title="Every schedule against the optimum, same ends",
            items=[
                pictures["ratios"],
                *[ratio_table(results, metric, steps) for metric in METRICS],
                Text(
                    text=f"Ratio to the schedule optimised for the sampler and metric of the column, {steps} steps. All begin at "
                    f"sigma {first:g} and end at {last:g}: formulas are evaluated between these ends, lists are stretched "
                    "affinely in log-SNR. The data are pixels in [-1, 1]; the AYS lists were made for latents of unit variance, "
                    "so that this compares shapes, not the merits of a list on its own data. The samples begin from the exact "
                    "law at the first noise level and are compared with the exact law at the last."
                ),
            ],
        ),
        Section(title="Where the steps are", items=[pictures["shapes"]]),
        Section(
            title="Distance to the floor of a clock per mode",
            items=[
                *[floor_table(results, metric) for metric in METRICS],
                Text(
                    text="If every eigenmode had a clock of its own, no schedule of one clock could be better. For DDIM this floor "
                    "is exact. For ancestral sampling and Heun it is numerical: one mode is optimised for itself at "
                    f"{preset['floor_points']} log-variances and interpolated; the same procedure misses DDIM's known floor by at "
                    f"most {100 * max(f['check'] for f in results['floors'] if f['sampler'] != 'dpm'):.2g} %. DPM-Solver++(2M) errs in both directions, "
                    "and one mode with its own clock makes no error: it has no such floor."
                ),
            ],
        ),
        Section(
            title="The self-consistent curve against the optimum",
            items=[
                pictures["curve_distance"],
                curve_distance_table(results),
                Text(
                    text=f"Power-law spectra of {preset['curves']['size']} x {preset['curves']['size']} pixels, one clock, log-SNR "
                    f"{ENDS[0]:g} to {ENDS[1]:g}. The curve is made once from the sampler's leading-order error; the optimum is searched "
                    "anew for every count, from that curve and from published shapes. For ancestral sampling the curve nears the optimum much later "
                    "than for DDIM."
                ),
            ],
        ),
        Section(
            title="Which objective predicts which error",
            items=[
                pictures["audit"],
                pictures["scatter"],
                rank_table(results, "", "Spearman / Kendall within counts"),
                rank_table(results, "pooled_", "the same, counts together"),
                Text(
                    text="Spearman's and Kendall's coefficients among all schedules of one count, published and optimised, median "
                    "over counts; then over schedules and counts together, where the count alone gives most of the order. "
                    "The AYS bound is path KL, and its square root has the same ranks. The leading-order error is that of the "
                    "sampler and metric of the column, from which the self-consistent curve comes; the local error of the flow is "
                    "what one pass over a network can measure."
                ),
            ],
        ),
        Section(
            title="A default objective",
            items=[
                transfer_table(results),
                Text(
                    text="Geometric mean, over DDIM, ancestral sampling and Heun and over step counts, of the ratio to the best "
                    "schedule of the same sampler and count; KL enters by its square root, so that both are distances. The "
                    "default is the objective with the least mean over both metrics. DPM-Solver++(2M) stands apart: its error has "
                    "both signs and can be tuned away, so that ratios to its optimum know no bound and would outweigh all others; "
                    "its column counts from the best schedule that was not made for it. This rule was changed after numbers had been seen: "
                    "only samplers with a floor enter the mean. It is a choice, and no prediction was made of its outcome."
                ),
            ],
        ),
        Section(
            title="Equal network calls",
            items=[pictures["calls"], by_calls(results), *in_time(results)],
        ),
        Section(
            title="Published lists at their own ends",
            items=[
                own_ends(results),
                Text(
                    text="EDM, GITS and the arctan law were published with the common ends, so that their rows in the first tables "
                    "are at their own ends, too. The AYS lists begin and end at other noise levels; errors are those at these ends."
                ),
            ],
        ),
        Section(title="A second clock", items=[two_band_table(results)]),
        predictions.section(results["predictions"], results["explanations"]),
        job.reproduction(
            "Gaussian data with the spectrum of these images and the exact denoiser: "
            "what a trained network adds is not in these numbers. All schedules and errors are in results.json."
        ),
    ]
    return Report(
        title=TITLE,
        lead=f"Exact errors of samplers on the measured spectrum of {provenance['train_images']} images "
        f"({provenance['name']}), {min(preset['steps'])} to {max(preset['steps'])} steps.",
        answer=results["answer"],
        sections=sections,
    )


def overview(results: dict[str, Any]) -> ConsoleTable:
    """The comparison on the terminal."""
    steps, value = results["settings"]["headline"], errors_of(results)
    table = ConsoleTable(title=f"Error over that of the optimum, {steps} steps (W2 / output KL)")
    table.add_column("schedule")
    for which in IN_SIGMA:
        table.add_column(which.label, justify="right")
    for name in (*PLAIN, "curve"):
        cells = []
        for which in IN_SIGMA:
            ratios = []
            for metric in METRICS:
                key = f"curve:{which.name}:{metric}" if name == "curve" else name
                own = value[which.name, f"best:{which.name}:{metric}", steps][metric]
                ratios.append(f"{value[which.name, key, steps][metric] / own:.3g}")
            cells.append(" / ".join(ratios))
        table.add_row("self-consistent curve" if name == "curve" else label(name), *cells)
    refused = Counter(entry(r["sampler"]).label for r in results["errors"] if r["w2"] is None)
    table.caption = " ".join(
        f"{words} refused {count} schedules, whose steps are too long for it."
        for words, count in refused.items()
    )
    return table
