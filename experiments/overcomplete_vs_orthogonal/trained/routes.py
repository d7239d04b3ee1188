"""The paths that trained networks are sampled along, made by theory from the spectrum alone.

All of them have as many calls, begin and end at the same noise levels, and then take one step to clean data. Leads are
compared at one spacing: the fine scale's noise levels are those of the best single clock for W2, and only the coarse
scale moves. Spacings are compared in lock-step.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.trained.bench import NETWORKS, Bench
from experiments.processes import Stage, tables

ROUTES = {
    "best": "best path for path KL",
    "measured": "best path for path KL on the measured surface",
    "best_w2": "best path for W2",
    "lockstep_w2": "lock-step, spacing for W2",
    "lockstep_kl": "lock-step, spacing for path KL",
    "lockstep_uniform": "lock-step, uniform spacing",
    "equal_information": "equal information, spacing for W2",
    "coarse_ahead": "coarse 2 nats ahead, spacing for W2",
    "fine_ahead": "fine 2 nats ahead, spacing for W2",
    "coarse_first": "coarse first (L), best spacing for path KL",
}
ANCESTRAL = ("best", "measured", "lockstep_kl", "lockstep_uniform", "coarse_first")
"""Paths that are also sampled with noise; the others are made for the deterministic sampler."""
SAMPLERS: dict[str, Any] = {"ddim": lt.DDIM(), "ancestral": lt.Ancestral()}
W2 = lt.OutputError(sampler=lt.DDIM(), metric="w2", init="standard", output="image")


def routes(bench: Bench, name: str) -> list[dict[str, Any]]:
    """Paths of a contender with the errors that theory predicts for them, made once.

    Returns:
        One row per path: `path`, `logsnr` without the step to clean data, `nats` (path KL), and `w2` per sampler: the
        distance of returned images from the data, which begins with pure noise and includes the step to clean data.
    """
    stage = _stage(bench, name)
    return bench.work.table(stage.name, stage.inputs, stage.compute)


def all_routes(bench: Bench) -> None:
    """Make the paths of all contenders, several at a time."""
    tables(bench.work, "paths for networks", [_stage(bench, name) for name in NETWORKS])


def _stage(bench: Bench, name: str) -> Stage:
    key = {**bench.inputs, "steps": bench.sizes.steps, "contender": repr(bench.contenders[name])}
    return Stage(name=f"routes-{name}", inputs=key, compute=partial(_routes, bench, name))


def predicted(model: lt.GaussianModel, path: lt.Path) -> dict[str, Any]:
    """What theory says of one path: its cost, and the W2 distance of both samplers' images from the data."""
    whole = path.to_clean_data()
    return {
        "nats": lt.path_kl(model, path),
        "w2": {
            sampler: lt.sampling_error(model, whole, method, "standard", "data", "image").w2
            for sampler, method in SAMPLERS.items()
        },
    }


def _routes(bench: Bench, name: str) -> list[dict[str, Any]]:
    model, contender = bench.models[name], bench.contenders[name]
    start, stop = bench.ends(name)
    steps = bench.sizes.steps - 1
    clock = lt.optimal_path(bench.models["single"], steps, start[:1], stop[:1], objective=W2).path.logsnr

    def led(lead: float) -> lt.Path:
        points = np.clip(clock + np.array([0.0, lead]), start, stop)
        points[0], points[-1] = start, stop
        return lt.Path(points, model.scales)

    paths = {"best": lt.optimal_path(model, steps, start, stop, gap=0.05).path}
    if contender.equal_information is None:
        paths |= {"lockstep_w2": lt.Path(clock, model.scales)}
    else:
        paths |= {
            "best_w2": lt.optimal_path(model, steps, start, stop, objective=W2).path,
            "lockstep_w2": led(contender.units[1]),
            "lockstep_kl": lt.diagonal_path(model, steps, start, stop),
        }
    paths["lockstep_uniform"] = lt.diagonal_path(model, steps, start, stop, spacing="logsnr")
    if contender.equal_information is not None:
        paths |= {
            "equal_information": led(contender.equal_information),
            "coarse_ahead": led(contender.units[1] + 2.0),
            "fine_ahead": led(contender.units[1] - 2.0),
            "coarse_first": lt.staged_path(model, steps, start, stop),
        }
    return [
        {
            "representation": name,
            "path": key,
            "steps": bench.sizes.steps,
            "logsnr": path.logsnr.tolist(),
            **predicted(model, path),
        }
        for key, path in paths.items()
    ]
