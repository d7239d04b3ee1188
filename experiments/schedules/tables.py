"""Tables of the report."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.report import Table
from experiments.schedules.contenders import IN_SIGMA, IN_TIME, METRICS, PLAIN, PUBLISHED, Entry, entry, label
from experiments.schedules.figures import errors_of
from experiments.schedules.floors import vanishes
from experiments.schedules.surrogates import SURROGATES

TRANSFER = ("w2", "kl", "both", "worst", "cancelling")


def _unit(number: float, metric: str, pixels: int) -> str:
    return f"{number / (pixels if metric == 'kl' else np.sqrt(pixels)):.3g}"


def ratio_table(results: dict[str, Any], metric: str, steps: int) -> Table:
    """Ratios to the optimum, schedule by sampler."""
    value, pixels = errors_of(results), results["pixel_values"]
    best = {e.name: value[e.name, f"best:{e.name}:{metric}", steps][metric] for e in IN_SIGMA}
    rows = [
        [label(name), *[f"{value[e.name, name, steps][metric] / best[e.name]:.4g}" for e in IN_SIGMA]]
        for name in PLAIN
    ]
    curves = [value[e.name, f"curve:{e.name}:{metric}", steps][metric] / best[e.name] for e in IN_SIGMA]
    rows.append(["self-consistent curve, own sampler and metric", *[f"{x:.5g}" for x in curves]])
    unit = "RMS per pixel value" if metric == "w2" else "nats per pixel value"
    rows.append([f"the optimum itself, {unit}", *[_unit(best[e.name], metric, pixels) for e in IN_SIGMA]])
    return Table(header=[f"{METRICS[metric]} at {steps} steps", *[e.label for e in IN_SIGMA]], rows=rows)


def floor_table(results: dict[str, Any], metric: str) -> Table:
    """How far optimum, best published shape and path-KL optimum are above the floor."""
    value, steps = errors_of(results), results["settings"]["steps"]
    floors = {(f["sampler"], f["steps"]): f for f in results["floors"]}
    rows = []
    for which in IN_SIGMA:
        if all(vanishes(floors[which.name, n]) for n in steps):
            rows.append([f"{which.label}: no floor", *["–" for _ in steps]])
            continue
        kind = "exact" if which.name == "ddim" else "numerical"
        for words, names in (
            ("optimum", [f"best:{which.name}:{metric}"]),
            ("best published", list(PUBLISHED)),
            ("best for path KL", ["path-kl"]),
        ):
            cells = [
                min(value[which.name, name, n][metric] for name in names) / floors[which.name, n][metric]
                for n in steps
            ]
            rows.append([f"{which.label}, {words} ({kind} floor)", *[f"{x:.4g}" for x in cells]])
    return Table(header=[f"{METRICS[metric]} over the floor", *[f"{n} steps" for n in steps]], rows=rows)


def rank_table(results: dict[str, Any], prefix: str, words: str) -> Table:
    """Both rank correlations; with the prefix "pooled_" over schedules and counts together."""
    rows = {(r["sampler"], r["metric"], r["surrogate"]): r for r in results["rankings"]}

    def cell(sampler: str, metric: str, surrogate: str) -> str:
        r = rows.get((sampler, metric, surrogate))
        return "–" if r is None else f"{r[prefix + 'spearman']:+.2f} / {r[prefix + 'kendall']:+.2f}"

    samplers = [e for e in (*IN_SIGMA, *IN_TIME) if any(key[0] == e.name for key in rows)]
    return Table(
        header=[words, *SURROGATES.values()],
        rows=[
            [f"{METRICS[m]}, {e.label}", *[cell(e.name, m, s) for s in SURROGATES]]
            for m in METRICS
            for e in samplers
        ],
    )


def transfer_table(results: dict[str, Any]) -> Table:
    """Mean distance of every objective's schedule from the best."""
    return Table(
        header=["schedule", "W2", "root of KL", "both", "worst case", "DPM-Solver++(2M) apart"],
        rows=[
            [
                label(row["schedule"]),
                *[f"{row[key]:.4g}" if key in row else "–" for key in TRANSFER],
            ]
            for row in results["transfer"]
        ],
    )


def curve_distance_table(results: dict[str, Any]) -> Table:
    """Excess of the self-consistent curve over the optimum."""
    found = {(r["sampler"], r["metric"], r["exponent"], r["steps"]): r for r in results["curve_distances"]}
    counts = results["settings"]["curves"]["steps"]
    return Table(
        header=["curve above optimum, % of the error", *[f"{n} steps" for n in counts]],
        rows=[
            [
                f"{METRICS[m]} of {entry(s).label}, 1/f^{e:g}",
                *[f"{found[s, m, e, n]['excess_percent']:.2g} %" for n in counts],
            ]
            for s, m, e in dict.fromkeys(key[:3] for key in found)
        ],
    )


def by_calls(results: dict[str, Any]) -> Table:
    """Optimum and best published shape at equal network calls."""
    value, pixels = errors_of(results), results["pixel_values"]
    counts = results["settings"]["steps"]
    budgets = [n for n in counts if n % 2 == 0 and n // 2 in counts]
    rows = []
    for metric in METRICS:
        for e in IN_SIGMA:
            cells = []
            for calls in budgets:
                n = calls // e.calls
                own = value[e.name, f"best:{e.name}:{metric}", n][metric]
                shape = min(value[e.name, name, n][metric] for name in PUBLISHED)
                cells.append(f"{_unit(own, metric, pixels)} / {_unit(shape, metric, pixels)}")
            rows.append([f"{METRICS[metric]}, {e.label}", *cells])
    header = ["optimum / best published, per pixel value", *[f"{n} calls" for n in budgets]]
    return Table(header=header, rows=rows)


def in_time(results: dict[str, Any]) -> list[Table]:
    """Samplers in time: every schedule at one budget of calls."""
    value, pixels = errors_of(results), results["pixel_values"]
    tables = []
    for calls in results["settings"]["calls"]:
        names = [*PLAIN, "best:ddim:w2", "best:ancestral:kl"]
        for metric in METRICS:
            rows = [
                [label(name), *[_in_time(value, e, name, metric, calls) for e in IN_TIME]] for name in names
            ]
            unit = "RMS" if metric == "w2" else "nats"
            best = [value.get((e.name, f"best:{e.name}:{metric}", calls // e.calls)) for e in IN_TIME]
            own = ["–" if row is None else _unit(row[metric], metric, pixels) for row in best]
            rows.append([f"the optimum itself, {unit} per pixel value", *own])
            header = [f"{METRICS[metric]} over the optimum, {calls} calls"]
            header += [f"{e.label}, {calls // e.calls} steps" for e in IN_TIME]
            tables.append(Table(header=header, rows=rows))
    return tables


def _in_time(
    value: dict[tuple[str, str, int], Any], which: Entry, schedule: str, metric: str, calls: int
) -> str:
    steps = calls // which.calls
    row, best = (value.get((which.name, name, steps)) for name in (schedule, f"best:{which.name}:{metric}"))
    return "–" if row is None or best is None else f"{row[metric] / best[metric]:.3g}"


def own_ends(results: dict[str, Any]) -> Table:
    """Published lists at their own ends."""
    return Table(
        header=["list", "sampler", "metric", "list", "optimum at these ends", "list over optimum"],
        rows=[
            [
                label(r["schedule"]),
                entry(r["sampler"]).label,
                METRICS[r["metric"]],
                _unit(r["published"], r["metric"], results["pixel_values"]),
                _unit(r["best"], r["metric"], results["pixel_values"]),
                f"{1 / r['ratio']:.4g}",
            ]
            for r in results["own_ends"]
        ],
    )


def two_band_table(results: dict[str, Any]) -> Table:
    """Best two-band paths against the best schedule of one clock."""
    found = {(b["sampler"], b["metric"], b["steps"]): b for b in results["two_bands"]}
    pairs = list(dict.fromkeys((s, m) for s, m, _ in found))
    steps = results["settings"]["steps"]
    rows = []
    for s, m in pairs:
        bands = [found[s, m, n] for n in steps]
        cells = [f"{b['ratio']:.4f} ({b['lead']:+.2f})" for b in bands]
        rows.append([f"{METRICS[m]} of {entry(s).label}", *cells])
    header = ["two bands over one clock (median lead of the low band, nats)", *[f"{n} steps" for n in steps]]
    return Table(header=header, rows=rows)
