"""Which number that is cheap to minimise ranks schedules as the samplers do, and which objective to take if in doubt."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from experiments.schedules.contenders import IN_SIGMA, METRICS, PUBLISHED
from experiments.schedules.floors import vanishes
from experiments.schedules.surrogates import SURROGATES

Rows = list[dict[str, Any]]
FEWEST = 12
"""Schedules that a sampler must take to be ranked."""


def rankings(rows: Rows, paths: Rows) -> Rows:
    """Spearman's and Kendall's coefficients between every surrogate and every error over all schedules.

    `spearman` and `kendall` are medians over step counts of coefficients among the schedules of one count;
    `pooled_spearman` and `pooled_kendall` are taken over schedules and counts together, where the count itself, which
    every surrogate knows, does most of the ranking.
    """
    known = {(p["schedule"], p["steps"]): p["surrogates"] for p in paths}
    result = []
    for sampler in dict.fromkeys(r["sampler"] for r in rows):
        of_sampler = [r for r in rows if r["sampler"] == sampler and r["w2"] is not None]
        if len(of_sampler) < FEWEST:
            continue
        for metric in METRICS:
            for surrogate in SURROGATES:
                key = f"leading:{sampler}:{metric}" if surrogate == "leading" else surrogate
                triples = [
                    (r["steps"], known[r["schedule"], r["steps"]].get(key), r[metric]) for r in of_sampler
                ]
                if any(value is None for _, value, _ in triples):
                    continue
                within = []
                for steps in dict.fromkeys(t[0] for t in triples):
                    within.append(_coefficients([t[1:] for t in triples if t[0] == steps]))
                pooled = _coefficients([t[1:] for t in triples])
                middle = np.median(np.array(within), axis=0)
                result.append(
                    {
                        "sampler": sampler,
                        "metric": metric,
                        "surrogate": surrogate,
                        "schedules": len(triples),
                        "spearman": float(middle[0]),
                        "kendall": float(middle[1]),
                        "pooled_spearman": pooled[0],
                        "pooled_kendall": pooled[1],
                    }
                )
    return result


def _coefficients(pairs: list[Any]) -> tuple[float, float]:
    surrogate, error = np.array(pairs, dtype=float).T
    if len(pairs) < 3 or np.ptp(surrogate) == 0 or np.ptp(error) == 0:
        return 0.0, 0.0
    spearman, kendall = stats.spearmanr(surrogate, error), stats.kendalltau(surrogate, error)
    return float(spearman.statistic), float(kendall.statistic)


def transfer(rows: Rows, floors: Rows) -> Rows:
    """How far every objective's schedule is from the best, over samplers, metrics and step counts.

    Ratios are those of W2, and of the square root of KL, so that both are distances; the best is the least error among
    all schedules of the same sampler and count. Samplers that have no floor, since one mode can be sampled without
    error, are kept apart: a schedule may be tuned until their errors cancel, and ratios to it say nothing. For these,
    `cancelling`, the best is that of the schedules that were not made for them. Only schedules of every count compete.
    """
    steady = {f["sampler"] for f in floors} - {f["sampler"] for f in floors if vanishes(f)}
    names = {e.name for e in IN_SIGMA}
    usable = [r for r in rows if r["sampler"] in names and r["w2"] is not None]
    counts = {r["steps"] for r in usable}
    coverage: dict[str, set[int]] = {}
    for r in usable:
        coverage.setdefault(r["schedule"], set()).add(r["steps"])
    whole = [r for r in usable if coverage[r["schedule"]] == counts]
    least: dict[tuple[Any, ...], float] = {}
    for r in whole:
        if r["sampler"] in steady or f":{r['sampler']}:" not in r["schedule"]:
            for metric in METRICS:
                key = (r["sampler"], r["steps"], metric)
                least[key] = min(least.get(key, np.inf), r[metric])
    result = []
    for schedule in dict.fromkeys(r["schedule"] for r in whole):
        logs: dict[str, list[float]] = {"w2": [], "kl": [], "cancelling": []}
        for r in whole:
            if r["schedule"] == schedule:
                for metric in METRICS:
                    ratio = r[metric] / least[r["sampler"], r["steps"], metric]
                    value = float(np.log(ratio)) * (1.0 if metric == "w2" else 0.5)
                    logs[metric if r["sampler"] in steady else "cancelling"].append(value)
        mean = {key: float(np.exp(np.mean(values))) for key, values in logs.items() if values}
        both = logs["w2"] + logs["kl"]
        mean |= {"both": float(np.exp(np.mean(both))), "worst": float(np.exp(np.max(both)))}
        result.append({"schedule": schedule, **mean})
    return sorted(result, key=lambda row: row["both"])


def recommended(table: Rows, key: str = "both") -> str:
    """The objective whose schedule is nearest to the best on average; published schedules are no objectives."""
    objectives = [row for row in table if row["schedule"] not in PUBLISHED]
    return str(min(objectives, key=lambda row: row[key])["schedule"])


def best_surrogate(table: Rows, metric: str) -> tuple[str, float]:
    """The surrogate with the highest rank correlation, averaged over the samplers in sigma."""
    names = {e.name for e in IN_SIGMA}
    means = {
        surrogate: float(
            np.mean(
                [
                    row["spearman"]
                    for row in table
                    if (row["surrogate"], row["metric"]) == (surrogate, metric) and row["sampler"] in names
                ]
            )
        )
        for surrogate in SURROGATES
    }
    name = max(means, key=lambda surrogate: means[surrogate])
    return name, means[name]
