"""The page and the overview for terminals."""

from __future__ import annotations

from typing import Any

from rich.table import Table as ConsoleTable

from experiments import predictions
from experiments.experiment import Job
from experiments.report import Picture, Report, Section, Table, Text
from experiments.rows import find
from experiments.second_clock.contenders import Contender
from experiments.second_clock.explanations import explain
from experiments.second_clock.figures import spectrum_label
from experiments.second_clock.gains import main_line
from experiments.second_clock.measures import CONTROLS

TITLE = "What is a second clock worth? One schedule against the best path through two noise levels"


def page(
    results: dict[str, Any],
    entries: list[Contender],
    pictures: dict[str, Picture],
    job: Job,
    preset: Any,
) -> Report:
    """The self-contained report."""
    table, controls, verdicts = results["gains"], results["controls"], results["predictions"]
    provenance = results["data"]
    sections = [
        Section(
            title="Gains",
            items=[
                pictures["gains"],
                *[_gains(table, entries, *kind) for kind in _kinds(table)],
                Text(
                    text="Percent by which the best two-clock path lowers the error below that of the best single schedule "
                    "(in the joint law of both scales: below that of the best lock-step). Beside it, what the best spacing "
                    "of a single clock takes off uniform log-SNR and Karras spacing. In brackets: the gain over the same scales "
                    "in lock-step with their own best spacing, which is the second clock's own share; the rest is what the "
                    "choice of scales gains or loses without it. Orthonormal bands in lock-step are one clock."
                ),
                pictures["steps"],
            ],
        ),
        predictions.section(verdicts, explain(verdicts, results, preset)),
        Section(
            title="How sure the optima are",
            items=[
                _confidence(table, entries, preset),
                Text(
                    text="Every path was searched from lock-step on one clock's best grid, from the coarse scale 3 nats late "
                    "and 3 nats early on it, and from random paths. No lower bound is known for coupled scales; that starts so "
                    "far apart agree is the evidence. Excess is how far a start ends above the best one, in percent of the "
                    "error; median excesses are in results.json."
                ),
            ],
        ),
        Section(title="Where the lead is", items=[pictures["lead"], _leads(table, entries, preset)]),
        Section(
            title="Where the bands are split",
            items=[
                _cutoffs(results["cutoffs"]),
                Text(
                    text="Added after the predictions: cosine bands split at lower frequencies. Half the size, which is what a "
                    "pyramid of 2x2 means suggests, leaves most of the variance in the low band; a second clock is worth most "
                    "where it separates frequencies that the error feels."
                ),
            ],
        ),
        Section(
            title="Other paths",
            items=[
                pictures["controls"],
                *[_controls(controls, entries, name) for name in preset.controls],
                Text(
                    text="W2 of the image over that of the representation's best path; in brackets path KL over that of the "
                    "representation's best path for path KL. Leads count from where both ends of the coarse scale lie."
                ),
                _joint(controls, entries, preset),
                Text(
                    text="W2 of the joint law of all scales. A coarse channel that is only raised at the end does the image no "
                    "harm but is itself badly sampled."
                ),
            ],
        ),
        job.reproduction(
            f"exact laws of the samplers with the exact denoiser, Gaussian data; "
            f"log-SNR {results['ends'][0]:.2f} to {results['ends'][1]:.2f} (sigma 80 to 0.02); means of the residual "
            "pyramid 2 log 2 higher at both ends, so that their noise is that of averaged pixels. All numbers and "
            "paths in results.json."
        ),
    ]
    return Report(
        title=TITLE,
        lead="Exact distances between what DDIM and other samplers return and the true law, Gaussian data with the spectra "
        f"of power laws and of {provenance['train_images']} image patches ({provenance['name']}).",
        answer=results["answer"],
        sections=sections,
    )


def _kinds(table: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return list(dict.fromkeys((e["sampler"], e["init"], e["metric"], e["output"]) for e in table))


def _words(sampler: str, init: str, metric: str, output: str) -> str:
    name = {"ddim": "DDIM", "ancestral": "Ancestral", "heun": "Heun"}[sampler]
    law = "exact law at the start" if init == "exact" else "pure noise at the start"
    what = "of the image" if output == "image" else "of both scales jointly"
    return f"{name}, {law}, {metric.upper()} {what}"


def _gains(table: list[dict[str, Any]], entries: list[Contender], *kind: str) -> Table:
    fields = dict(zip(("sampler", "init", "metric", "output"), kind, strict=True))
    mine = main_line(table, **fields)
    cells = list(dict.fromkeys((e["spectrum"], e["steps"]) for e in mine))
    rows = []
    for spectrum, steps in cells:
        at = {e["representation"]: e for e in main_line(mine, **fields, spectrum=spectrum, steps=steps)}
        first = next(iter(at.values()))
        rows.append(
            [
                f"{spectrum_label(spectrum)}, {steps} steps",
                *[_gain(at.get(e.name)) for e in entries],
                f"{first['spacing']['logsnr']:.1f} %" if fields["output"] == "image" else "–",
                f"{first['spacing']['karras']:.1f} %" if fields["output"] == "image" else "–",
            ]
        )
    header = [_words(*kind), *[e.label for e in entries], "spacing, vs uniform", "spacing, vs Karras"]
    return Table(header=header, rows=rows)


def _gain(found: dict[str, Any] | None) -> str:
    return "–" if found is None else f"{found['gain']:.2f} % ({found['gain_over_lock_step']:.2f} %)"


def _confidence(table: list[dict[str, Any]], entries: list[Contender], preset: Any) -> Table:
    def cell(entry: Contender, spectrum: str, steps: int) -> str:
        (e,) = main_line(table, representation=entry.name, spectrum=spectrum, steps=steps)
        return f"{e['found']} of {e['starts']} ({e['worst_excess']:.1g} %)"

    cells = list(dict.fromkeys((e["spectrum"], e["steps"]) for e in main_line(table)))
    return Table(
        header=["starts within 0.1 % of the best (worst excess)", *[e.label for e in entries]],
        rows=[
            [f"{spectrum_label(name)}, {steps} steps", *[cell(e, name, steps) for e in entries]]
            for name, steps in cells
        ],
    )


def _leads(table: list[dict[str, Any]], entries: list[Contender], preset: Any) -> Table:
    def cell(entry: Contender, spectrum: str, steps: int) -> str:
        (e,) = main_line(table, representation=entry.name, spectrum=spectrum, steps=steps)
        return f"{e['lead_mean']:+.2f} ({e['lead_smallest']:+.2f} to {e['lead_largest']:+.2f})"

    cells = list(dict.fromkeys((e["spectrum"], e["steps"]) for e in main_line(table)))
    return Table(
        header=["unit-free lead, mean over calls (range), nats", *[e.label for e in entries]],
        rows=[
            [f"{spectrum_label(name)}, {steps} steps", *[cell(e, name, steps) for e in entries]]
            for name, steps in cells
        ],
    )


def _cutoffs(rows: list[dict[str, Any]]) -> Table:
    return Table(
        header=["cosine bands, low band below", "gain in W2", "mean lead, nats", "variance in the low band"],
        rows=[
            [
                f"{spectrum_label(row['spectrum'])}: frequency {row['cutoff']}",
                f"{row['gain']:.2f} %",
                f"{row['lead_mean']:+.2f}",
                f"{100 * row['variance_share']:.1f} %",
            ]
            for row in rows
        ],
    )


def _controls(controls: list[dict[str, Any]], entries: list[Contender], spectrum: str) -> Table:
    def cell(entry: Contender, path: str) -> str:
        mine = {"representation": entry.name, "spectrum": spectrum}
        if not any(r["path"] == path and all(r[k] == v for k, v in mine.items()) for r in controls):
            return "–"
        row = find(controls, **mine, path=path)
        w2 = row["w2"] / find(controls, **mine, path="best_w2")["w2"]
        kl = row["path_kl"] / find(controls, **mine, path="path_kl")["path_kl"]
        return f"{w2:.3f} ({kl:.3g})"

    return Table(
        header=[f"{spectrum_label(spectrum)}: W2 (path KL) over the best", *[e.label for e in entries]],
        rows=[[words, *[cell(e, path) for e in entries]] for path, words in CONTROLS.items()],
    )


def _joint(controls: list[dict[str, Any]], entries: list[Contender], preset: Any) -> Table:
    chosen = ("best_w2", "lock_step", "no_lead", "equal_information", "coarse_first")
    spectrum = preset.controls[-1]
    return Table(
        header=[f"{spectrum_label(spectrum)}: W2 of the joint law", *[e.label for e in entries]],
        rows=[
            [
                CONTROLS[path],
                *[
                    f"{find(controls, representation=e.name, spectrum=spectrum, path=path)['joint_w2']:.4f}"
                    for e in entries
                ],
            ]
            for path in chosen
        ],
    )


def overview(results: dict[str, Any], entries: list[Contender], preset: Any) -> ConsoleTable:
    """The comparison on the terminal."""
    table = ConsoleTable(
        title=f"Gain of a second clock in W2, DDIM, {preset.headline} steps (% of one clock)"
    )
    table.add_column("spectrum")
    for entry in entries:
        table.add_column(entry.label, justify="right")
    table.add_column("spacing alone", justify="right")
    for name in preset.spectra():
        at = {
            e["representation"]: e for e in main_line(results["gains"], spectrum=name, steps=preset.headline)
        }
        if at:
            gained = [f"{at[e.name]['gain']:.2f}" for e in entries]
            table.add_row(spectrum_label(name), *gained, f"{at['dct']['spacing']['logsnr']:.1f}")
    return table
