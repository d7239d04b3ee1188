"""Which scale goes ahead, and what each learns from the other: in closed form and on trained networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray
from jaxtyping import Float

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.ledger.gamma_paths import SIZE, STEPS, picked, studied
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.overcomplete_vs_orthogonal.trained.surfaces import measured_surface
from experiments.path_optimization.published import BEGINNING, UNIT, beginning, logsnr_at
from lift_theory.optimize import published_axes

LATTICE = 121
"""Points per scale on which paths are searched: an eighth of a nat apart, fine enough to tell a lead."""
SHARE_OF_LARGEST = 0.5
"""Noise levels count where a scale gains from the other at least this share of what it gains at most."""
DIRECTIONS = {"coarse_to_fine": 0, "fine_to_coarse": 1}
"""The scale that learns."""


def best_path(
    bench: Bench, model: Any, start: np.ndarray, stop: np.ndarray
) -> Float[np.ndarray, "points scales"]:
    """The best path of the bench's step count over a lattice, before the last step to clean data."""
    axes = [np.linspace(a, b, LATTICE) for a, b in zip(start, stop, strict=True)]
    return lt.PathKL().lattice(model, bench.sizes.steps - 1, axes).logsnr()


def closed_forms(bench: Bench) -> dict[str, Any]:
    """The pyramid denoised jointly, and with every scale left to itself."""
    joint = bench.models["pyramid"]
    return {"joint": joint, "decoupled": lt.decoupled(joint)}


def closed_form_paths(bench: Bench) -> dict[str, Any]:
    """Best paths of both closed forms and their median leads."""
    return {
        name: _led(best_path(bench, model, *bench.ends("pyramid")))
        for name, model in closed_forms(bench).items()
    }


def network_paths(bench: Bench, exact: dict[str, Any]) -> list[dict[str, Any]]:
    """Best paths on the measured surfaces of all pyramid networks, and what the closed forms' paths cost there.

    `misfit` says how well the errors of a posterior mean fit the measured ones.
    """

    def of(seed: int) -> dict[str, Any]:
        surface = measured_surface(bench, "pyramid", seed)

        def compute() -> dict[str, Any]:
            model = lt.MeasuredModel(surface)
            found = _led(best_path(bench, model, *bench.ends("pyramid")))
            own = lt.path_kl(model, lt.Path(found["logsnr"]))
            costs = {name: lt.path_kl(model, lt.Path(path["logsnr"])) / own for name, path in exact.items()}
            return {**found, "misfit": model.misfit, "costs": costs}

        inputs = {
            **bench.identity("pyramid", seed),
            "mmse": surface["mmse"].values,
            "axes": bench.axes("pyramid"),
            "steps": bench.sizes.steps,
            "lattice": LATTICE,
            "exact": {name: path["logsnr"] for name, path in exact.items()},
        }
        return bench.work.table(f"guidance-path-{seed}", inputs, compute)

    return [of(seed) for seed in range(len(bench.runs["pyramid"]))]


def published_leads() -> dict[str, Any]:
    """The published beginning in log-SNR, and how often its coarse scale leads before and after conversion of units."""
    fine, lead = beginning()
    coarse = np.array(BEGINNING["coarse"]) < np.array(BEGINNING["fine"])
    return {
        "fine": fine.tolist(),
        "unit_free": lead.tolist(),
        "median": float(np.median(lead[1:])),
        "nominally_ahead": int(coarse[1:].sum()),
        "ahead": int((lead[1:] > 0).sum()),
        "points": len(lead) - 1,
    }


def path_by_cost(bench: Bench) -> dict[str, Any]:
    """The path that LIFT's cost with gamma_B picks on a Gaussian of its size, and how long it keeps to the published one."""

    def compute() -> dict[str, Any]:
        return _led(picked(studied(bench)["power_law"], "B", "eps"))

    found = bench.work.table(
        "guidance-cost", {"size": SIZE, "steps": STEPS, "version": lt.__version__}, compute
    )
    theirs = np.stack([logsnr_at(BEGINNING[name]) for name in ("fine", "coarse")], axis=1)
    ours = np.array(found["logsnr"])[: len(theirs)]
    half = 0.5 * np.diff(published_axes(scales=1)[0]).min()  # timesteps were printed as whole numbers
    apart = np.abs(ours - theirs).max(axis=1) > half
    return {
        **found,
        "same": int(apart.argmax()) if apart.any() else len(theirs),
        "printed": len(theirs),
        "furthest": float(np.abs(ours - theirs).max()),
    }


def gains(bench: Bench) -> dict[str, Any]:
    """What each scale gains from the other: in closed form, and per network.

    A scale's gain is the share of its error that the other scale's channel takes away, the error without it being
    that at the other's first log-SNR. Networks are judged by gains of their own, so that what they know beyond
    second moments, which lowers both errors, is not taken for guidance.
    """
    axes = bench.axes("pyramid")
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    exact = {name: np.asarray(model.mmse(points)) for name, model in closed_forms(bench).items()}
    surfaces = [measured_surface(bench, "pyramid", seed) for seed in range(len(bench.runs["pyramid"]))]
    return {
        name: _gain(k, axes, exact, [_errors(surface) for surface in surfaces])
        for name, k in DIRECTIONS.items()
    }


def _gain(
    k: int, axes: list[np.ndarray], exact: dict[str, np.ndarray], networks: list[np.ndarray]
) -> dict[str, Any]:
    joint, apart = exact["joint"][..., k], exact["decoupled"][..., k]
    expected = 1.0 - joint / alone(joint, k)
    chosen = expected >= SHARE_OF_LARGEST * expected.max()
    rows = []
    for errors in networks:
        own = alone(errors[..., k], k)
        gain = 1.0 - errors[..., k] / own
        rows.append(
            {
                "of_closed_form": float(gain[chosen].mean() / expected[chosen].mean()),
                "in_nats": float(
                    np.log(own / errors[..., k])[chosen].mean()
                    / np.log(alone(joint, k) / joint)[chosen].mean()
                ),
                "of_gap": float((apart - errors[..., k])[chosen].sum() / (apart - joint)[chosen].sum()),
            }
        )
    level = int(
        np.median(np.argwhere(chosen)[:, k])
    )  # a row of the surface in the middle of those that count
    size = float(joint.max())

    def row(values: np.ndarray) -> list[float]:
        return (np.take(values, level, axis=k) / size).tolist()

    return {
        "closed_form": float(expected[chosen].mean()),
        "points": int(chosen.sum()),
        "networks": rows,
        "slice": {
            "level": float(axes[k][level]),
            "other": axes[1 - k].tolist(),
            "joint": row(joint),
            "decoupled": row(apart),
            "networks": [row(errors[..., k]) for errors in networks],
        },
    }


def alone(errors: Float[np.ndarray, "fine coarse"], k: int) -> Float[np.ndarray, "fine coarse"]:
    """Errors of scale k where the other scale says next to nothing, at every point of the grid."""
    return np.broadcast_to(np.take(errors, [0], axis=1 - k), errors.shape)


def _errors(surface: xarray.Dataset) -> Float[np.ndarray, "fine coarse scales"]:
    return surface["mmse"].transpose("logsnr_fine", "logsnr_coarse", "scale").values


def _led(logsnr: np.ndarray) -> dict[str, Any]:
    lead = lt.Path(logsnr).lead()[1:-1]
    return {
        "logsnr": logsnr.tolist(),
        "nominal": float(np.median(lead)),
        "unit_free": float(np.median(lead) - UNIT),
        "nominally_ahead": int((lead > 0).sum()),
        "ahead": int((lead > UNIT).sum()),
        "points": len(lead),
    }
