"""What theory says trained networks will do, with the interval that counts as agreement, and what they did.

Every number is made from the spectrum of the training images before a network is trained. The rules of the intervals:
a size is predicted within a factor of two; a ratio r near one within half to one and a half times its distance from one,
and 5 % of measuring; a rank correlation is at least 0.8 for errors that theory describes, 0.6 for distances to images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import lift_theory as lt
from experiments.intervals import over_seeds
from experiments.overcomplete_vs_orthogonal.trained.bench import NETWORKS, Bench
from experiments.overcomplete_vs_orthogonal.trained.routes import routes
from experiments.predictions import Prediction, judged
from experiments.rows import find

INFINITY = float("inf")
TWO_CLOCKS = tuple(name for name in NETWORKS if name != "single")
LEADS = {
    "pyramid": "unit-free lead of the coarse channel",
    "haar": "lead of the low band",
    "dct": "lead of the low band",
}


def predictions(bench: Bench) -> list[Prediction]:
    """Everything that is asked of the networks."""
    rows = {name: {row["path"]: row for row in routes(bench, name)} for name in NETWORKS}

    def error(name: str, path: str) -> float:
        return rows[name][path]["w2"]["ddim"] ** 2

    found: list[Prediction] = []
    for name in NETWORKS:
        found += [
            _prediction(
                f"error_size_{name}",
                f"{name}: discretization error of DDIM with the trained network over the squared W2 distance of the "
                "closed form (geometric mean over paths).",
                "ddim_gaussian_law",
                [0.5, 2.0],
            ),
            _prediction(
                f"error_order_{name}",
                f"{name}: rank correlation over paths of that error with the closed form.",
                "ddim_gaussian_law",
                [0.8, INFINITY],
            ),
            _prediction(
                f"distance_order_{name}",
                f"{name}: rank correlation over paths of the Frechet distance to training images with the closed form.",
                "ddim_gaussian_law",
                [0.6, INFINITY],
            ),
            _prediction(
                f"surface_{name}",
                f"{name}: squared error of the network over that of the best linear denoiser, mean over noise levels and "
                "scales; the posterior mean is never worse.",
                "gaussian_information",
                [0.0, 1.02],
            ),
        ]
    for name in TWO_CLOCKS:
        ratio = error(name, "best_w2") / error(name, "lockstep_w2")
        saving = rows[name]["best"]["nats"] / rows[name]["lockstep_kl"]["nats"]
        found += [
            _prediction(
                f"second_clock_{name}",
                f"{name}: discretization error with two clocks over that in lock-step, both made for W2 "
                f"(closed form: {ratio:.3f}).",
                "self_consistent_geodesic",
                _near_one(ratio),
            ),
            _prediction(
                f"second_clock_kl_{name}",
                f"{name}: path KL on the measured surface, its best path over lock-step with the best spacing "
                f"(closed form: {saving:.3f}).",
                "bregman_path_kl",
                _near_one(saving),
            ),
            _prediction(
                f"transfer_{name}",
                f"{name}: path KL on the measured surface, the closed form's best path over the surface's own best.",
                "bregman_path_kl",
                [-INFINITY, 1.1],
            ),
        ]
    for name, words in LEADS.items():
        found.append(
            _prediction(
                f"lead_{name}",
                f"{name}: {words} on the best path of the measured surface (median over inner points, nats).",
                "equal_information_lead" if name == "pyramid" else "orthogonal_separability",
                [-INFINITY, 0.0],
            )
        )
    objective = error("pyramid", "lockstep_kl") / error("pyramid", "lockstep_w2")
    staged = error("pyramid", "coarse_first") / error("pyramid", "lockstep_kl")
    found += [
        _prediction(
            "equivalence",
            "Pyramid and Haar networks, trained apart: root mean square difference of their errors at mapped noise levels "
            "beyond the noise of measuring, relative, worse scale.",
            "overcomplete_equivalence",
            [-INFINITY, 0.03],
        ),
        _prediction(
            "spacing",
            f"pyramid in lock-step: discretization error with spacing for path KL over spacing for W2 (closed form: "
            f"{objective:.3g}).",
            "single_mode_schedules",
            [objective / 2.0, objective * 2.0],
        ),
        _prediction(
            "coarse_first",
            f"pyramid: discretization error of the coarse-first path over lock-step, both spaced for path KL (closed "
            f"form: {staged:.3g}).",
            "orthogonal_separability",
            _near_one(staged),
        ),
        _prediction(
            "representations",
            "Rank correlation over representations of the discretization error on the best path for W2 with the closed "
            "form.",
            "ddim_gaussian_law",
            [0.7, INFINITY],
        ),
    ]
    return found


def verdicts(
    asked: Sequence[Prediction],
    bench: Bench,
    samples: Sequence[dict[str, Any]],
    surfaces: Sequence[dict[str, Any]],
    apart: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Predictions with what was measured, an estimate over seeds each.

    Args:
        asked: as written before training.
        bench: with its networks.
        samples: rows of `sampled`.
        surfaces: one row per network: `representation`, `seed`, and `over_closed_form`, the mean ratio of errors.
        apart: rows of `equivalence`.
    """
    ddim = [row for row in samples if row["sampler"] == "ddim"]
    repeated = [
        _of_seed(
            [row for row in ddim if row["seed"] == seed],
            [row for row in surfaces if row["seed"] == seed],
            find(list(apart), seed=seed),
        )
        for seed in range(bench.sizes.seeds)
    ]
    return judged(asked, {p["name"]: over_seeds([found[p["name"]] for found in repeated]) for p in asked})


def _of_seed(
    rows: list[dict[str, Any]], surfaces: list[dict[str, Any]], apart: dict[str, Any]
) -> dict[str, float]:
    """Every quantity that is predicted, for the networks of one seed."""

    def error(name: str, path: str) -> float:
        return find(rows, representation=name, path=path)["flow_error"]

    found: dict[str, float] = {
        "equivalence": max(apart["root_mean_square"]),
        "spacing": error("pyramid", "lockstep_kl") / error("pyramid", "lockstep_w2"),
        "coarse_first": error("pyramid", "coarse_first") / error("pyramid", "lockstep_kl"),
    }
    for name in NETWORKS:
        own = [row for row in rows if row["representation"] == name]
        known, errors, distances = (
            np.array([row[what] for row in own])
            for what in ("predicted_w2_squared", "flow_error", "fd_train")
        )
        found[f"error_size_{name}"] = float(np.exp(np.log(errors / known).mean()))
        found[f"error_order_{name}"] = float(spearmanr(known, errors).statistic)
        found[f"distance_order_{name}"] = float(spearmanr(known, distances).statistic)
        found[f"surface_{name}"] = find(surfaces, representation=name)["over_closed_form"]
        if name in TWO_CLOCKS:
            best = find(rows, representation=name, path="measured")
            nats = best["measured_nats"]
            found[f"second_clock_{name}"] = error(name, "best_w2") / error(name, "lockstep_w2")
            found[f"second_clock_kl_{name}"] = nats["measured"] / nats["lockstep_kl"]
            found[f"transfer_{name}"] = nats["best"] / nats["measured"]
            if name in LEADS:
                found[f"lead_{name}"] = median_lead(name, best["logsnr"])
    final = [
        find(rows, representation=name, path="lockstep_w2" if name == "single" else "best_w2")
        for name in NETWORKS
    ]
    known, errors = (
        np.array([row[what] for row in final]) for what in ("predicted_w2_squared", "flow_error")
    )
    found["representations"] = float(spearmanr(known, errors).statistic)
    return found


def median_lead(name: str, logsnr: Any) -> float:
    """Median lead of the coarse scale over inner points: beyond equal information for a pyramid, nominal for bands."""
    ratio = 2.0 if name == "pyramid" else 1.0
    return float(np.median(lt.Path(logsnr).lead(ratio=ratio)[1:-1]))


def _prediction(name: str, claim: str, source: str, interval: list[float]) -> Prediction:
    return {"name": name, "claim": claim, "source": source, "interval": interval}


def _near_one(ratio: float) -> list[float]:
    """Half to one and a half times the predicted distance from one, and 5 % either side."""
    ends = [1.0 + 0.5 * (ratio - 1.0), 1.0 + 1.5 * (ratio - 1.0)]
    return [min(ends) - 0.05, max(ends) + 0.05]
