"""What theory predicts about schedules, with the interval that counts as agreement, and what was measured."""

from __future__ import annotations

from typing import Any

from experiments.predictions import Prediction, judged
from experiments.schedules.contenders import IN_SIGMA, IN_TIME, METRICS, PLAIN, PUBLISHED

INFINITY = float("inf")
EXACT = 1.0 + 1e-6
PREDICTIONS: list[Prediction] = [
    {
        "name": "optimum",
        "claim": "The schedule optimised for a sampler and a metric is at least as good there as every other schedule, at "
        "every step count (largest ratio to the best of the others, samplers in sigma and in time).",
        "source": "definition of the optimum",
        "interval": [0.0, EXACT],
    },
    {
        "name": "floor",
        "claim": "No schedule of one clock beats the floor of DDIM with a clock per mode (smallest ratio, W2 and KL).",
        "source": "single_mode_schedules",
        "interval": [1.0 - 1e-9, INFINITY],
    },
    {
        "name": "curve_w2",
        "claim": "From 10 steps on the self-consistent curve, which knows no step count, is within 3 % of the optimum in W2 of "
        "DDIM (largest ratio).",
        "source": "self_consistent_geodesic",
        "interval": [1.0 - 1e-9, 1.03],
    },
    {
        "name": "curve_kl",
        "claim": "The same for KL, where the error is squared: within 10 % (largest ratio from 10 steps on).",
        "source": "self_consistent_geodesic",
        "interval": [1.0 - 1e-9, 1.10],
    },
    {
        "name": "curve_distance",
        "claim": "On power-law spectra the self-consistent curve is within 0.1 % of the optimum in W2 of DDIM from 10 steps on "
        "(largest excess over exponents and counts, percent of the error).",
        "source": "self_consistent_geodesic",
        "interval": [-1e-6, 0.1],
    },
    {
        "name": "path_kl_for_w2",
        "claim": "The path-KL optimum spends its steps where most modes have their noise and is bad for W2 of DDIM, which is "
        "made by the modes of large variance (ratio to the optimum at the headline count).",
        "source": "self_consistent_geodesic",
        "interval": [1.5, 10.0],
    },
    {
        "name": "path_kl_for_kl",
        "claim": "The bound's own optimum is not the best for what it bounds, the output KL of ancestral sampling: the bound goes "
        "on paying for steps beyond the last knee (ratio at the headline count).",
        "source": "ays_objective_is_the_gap",
        "interval": [1.5, 30.0],
    },
    {
        "name": "path_kl_rank_w2",
        "claim": "Among schedules of one count path KL does not rank W2 of DDIM (median Spearman coefficient low or negative).",
        "source": "self_consistent_geodesic",
        "interval": [-1.0, 0.3],
    },
    {
        "name": "path_kl_rank_kl",
        "claim": "It ranks the output KL of ancestral sampling, which it bounds, better (difference of the two coefficients).",
        "source": "bregman_path_kl",
        "interval": [0.2, 2.0],
    },
    {
        "name": "leading_rank_w2",
        "claim": "The leading-order error ranks W2 of DDIM almost perfectly (median Spearman coefficient).",
        "source": "self_consistent_geodesic",
        "interval": [0.9, 1.0],
    },
    {
        "name": "best_published",
        "claim": "Among published shapes between the same ends GITS is best for W2 of DDIM at the headline count: one step to reach "
        "the largest mode, nearly even log-SNR steps over the knees, one step beyond (its W2 over the least).",
        "source": "self_consistent_geodesic",
        "interval": [1.0, 1.0 + 1e-9],
    },
    {
        "name": "arctan_w2",
        "claim": "The arctan law, best for one variance, jumps over the large modes of images (W2 of DDIM, the better of the two "
        "stds over the optimum, headline count).",
        "source": "ddim_gaussian_law",
        "interval": [3.0, INFINITY],
    },
    {
        "name": "ancestral_shares",
        "claim": "DDIM and ancestral sampling have errors of one order at nearly the same noise levels: the W2 optimum of the one "
        "serves the other (W2 of ancestral sampling over its optimum, headline count).",
        "source": "ancestral_gaussian_law",
        "interval": [1.0, 1.25],
    },
    {
        "name": "second_clock",
        "claim": "Two bands with a clock each beat the best schedule of one clock at every step count (largest ratio).",
        "source": "orthogonal_separability",
        "interval": [0.0, 0.999],
    },
    {
        "name": "second_clock_w2",
        "claim": "For W2 of DDIM the second clock is worth about a tenth (ratio at the headline count).",
        "source": "orthogonal_separability",
        "interval": [0.85, 0.95],
    },
    {
        "name": "vanishing_floor",
        "claim": "DPM-Solver++(2M) errs in both directions, so that one mode with its own clock has no error at all: no floor "
        "of this kind exists for it (largest relative W2 of one mode).",
        "source": "leading error of both signs",
        "interval": [0.0, 1e-6],
    },
    {
        "name": "calls",
        "claim": "At equal network calls DPM-Solver++(2M), of second order with one call a step, beats Heun with two (W2 of Heun "
        "over that of DPM-Solver++(2M), both at their best, largest budget that both have).",
        "source": "order of the solvers",
        "interval": [2.0, INFINITY],
    },
    {
        "name": "own_ends",
        "claim": "At the ends of every published list the optimum is at least as good as the list, in the metric it is made "
        "for (largest ratio, samplers in sigma).",
        "source": "definition of the optimum",
        "interval": [0.0, EXACT],
    },
]


def verdicts(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Every prediction with what was measured."""
    rows, headline = results["errors"], results["settings"]["headline"]
    value = {(r["sampler"], r["schedule"], r["steps"]): r for r in rows if r["w2"] is not None}
    counts = results["settings"]["steps"]
    ddim = {name: value["ddim", name, headline]["w2"] for name in (*PLAIN, "best:ddim:w2")}
    ranks = {(r["sampler"], r["metric"], r["surrogate"]): r["spearman"] for r in results["rankings"]}
    bands = {(b["sampler"], b["metric"], b["steps"]): b["ratio"] for b in results["two_bands"]}
    floors = {(f["sampler"], f["steps"]): f for f in results["floors"]}
    published = [ddim[name] for name in PUBLISHED]
    late = [n for n in counts if n >= 10] or counts
    curve = {
        m: max(value["ddim", f"curve:ddim:{m}", n][m] / value["ddim", f"best:ddim:{m}", n][m] for n in late)
        for m in METRICS
    }
    apart = [
        r["excess_percent"]
        for r in results["curve_distances"]
        if (r["sampler"], r["metric"]) == ("ddim", "w2") and r["steps"] >= 10
    ]
    measured = {
        "optimum": max(_over_others(value, e.name, m) for e in (*IN_SIGMA, *IN_TIME) for m in METRICS),
        "floor": min(
            r[m] / floors["ddim", r["steps"]][m]
            for r in value.values()
            for m in METRICS
            if r["sampler"] == "ddim"
        ),
        "curve_w2": curve["w2"],
        "curve_kl": curve["kl"],
        "curve_distance": max(apart, default=None),
        "path_kl_for_w2": ddim["path-kl"] / ddim["best:ddim:w2"],
        "path_kl_for_kl": value["ancestral", "path-kl", headline]["kl"]
        / value["ancestral", "best:ancestral:kl", headline]["kl"],
        "path_kl_rank_w2": ranks["ddim", "w2", "path_kl"],
        "path_kl_rank_kl": ranks["ancestral", "kl", "path_kl"] - ranks["ddim", "w2", "path_kl"],
        "leading_rank_w2": ranks["ddim", "w2", "leading"],
        "best_published": ddim["gits-cifar10"] / min(published),
        "arctan_w2": min(ddim["arctan-0.5"], ddim["arctan-1"]) / ddim["best:ddim:w2"],
        "ancestral_shares": value["ancestral", "best:ddim:w2", headline]["w2"]
        / value["ancestral", "best:ancestral:w2", headline]["w2"],
        "second_clock": max(bands.values()),
        "second_clock_w2": bands["ddim", "w2", headline],
        "vanishing_floor": max(f["worst_mode"] for f in results["floors"] if f["sampler"] == "dpm"),
        "calls": _heun_over_multistep(value, counts),
        "own_ends": max(r["ratio"] for r in results["own_ends"]),
    }
    return judged(PREDICTIONS, measured)


def _over_others(value: dict[tuple[str, str, int], Any], sampler: str, metric: str) -> float:
    """Largest ratio, over step counts, of a sampler's optimum to the best other schedule."""
    own = f"best:{sampler}:{metric}"
    ratios = []
    for steps in {n for s, name, n in value if (s, name) == (sampler, own)}:
        others = [
            r[metric] for (s, name, n), r in value.items() if (s, n) == (sampler, steps) and name != own
        ]
        ratios.append(value[sampler, own, steps][metric] / min(others))
    return max(ratios, default=0.0)


def _heun_over_multistep(value: dict[tuple[str, str, int], Any], counts: list[int]) -> float:
    """W2 of Heun over that of DPM-Solver++(2M) at equal calls; zero if no two counts are as one to two."""
    halves = [n for n in counts if 2 * n in counts]
    if not halves:
        return 0.0
    n = max(halves)
    return float(value["heun", "best:heun:w2", n]["w2"] / value["dpm", "best:dpm:w2", 2 * n]["w2"])
