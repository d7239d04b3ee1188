"""The exact factor put to trained networks: squared Jacobians against the fall of the error with the SNR."""

from __future__ import annotations

from typing import Any

import numpy as np

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.overcomplete_vs_orthogonal.trained.surfaces import BATCH, chosen_images
from lift_theory.optimize.published import FACTORS
from lift_train import measure
from lift_train.denoisers import Denoiser

LEVELS = (-4.0, -2.0, 0.0, 2.0, 4.0)
"""Log-SNRs, the same in all scales."""
STEP = 0.25
"""Nats to both sides for the fall of the error; too wide by 1.6 % at most for a single Gaussian mode."""
NOISE = 13
NAMES = ("single", "pyramid")


def of_network(bench: Bench, name: str, seed: int) -> dict[str, Any]:
    """Both sides of the identity on a network, as `both_sides` gives them."""
    images, _ = chosen_images(bench)
    inputs = {
        **bench.identity(name, seed),
        "images": images,
        "levels": list(LEVELS),
        "step": STEP,
        "noise": NOISE,
    }
    return bench.work.table(
        f"gamma-identity-{name}-{seed}", inputs, lambda: both_sides(bench.denoiser(name, seed), images)
    )


def both_sides(denoiser: Denoiser, images: Any) -> dict[str, Any]:
    """Fall of each scale's error with its own SNR, and gamma_B times its squared Jacobian, (levels, scales).

    The fall is measured without any derivative of the network: by errors at two noise levels.
    """
    count = len(denoiser.scales.names)
    found: dict[str, Any] = {"fall": [], "x0": [], "eps": []}
    for level in LEVELS:
        here = [np.array([level])] * count
        falls = []
        for k in range(count):
            axes = [np.array([level - STEP, level + STEP]) if i == k else axis for i, axis in enumerate(here)]
            surface = measure.error_surface(denoiser, images, axes, seed=NOISE, batch=BATCH)
            before, after = surface["mmse"].isel(scale=k).values.ravel()
            falls.append((before - after) / (np.exp(level + STEP) - np.exp(level - STEP)))
        found["fall"].append([float(fall) for fall in falls])
        for prediction in ("x0", "eps"):
            norms = measure.jacobian_norms(denoiser, images, here, prediction, seed=NOISE, batch=BATCH)[
                "jacobian_norms"
            ].values.reshape(count, count)
            found[prediction].append((FACTORS["B"](np.exp(level)) * np.diagonal(norms)).tolist())
    return found


def closed_form(model: lt.GaussianModel) -> dict[str, Any]:
    """The same in closed form."""
    count = len(model.scales)
    points = np.repeat(np.array(LEVELS)[:, None], count, axis=1)
    factor = FACTORS["B"](np.exp(points))

    def own(prediction: str) -> np.ndarray:
        return factor * np.einsum("...kk->...k", np.asarray(model.jacobian_norms(points, prediction)))

    # the metric is half of S_k S_l E||Phi_kl||^2
    fall = 2.0 * np.einsum("...kk->...k", np.asarray(model.metric(points))) / np.exp(2.0 * points)
    return {"fall": fall.tolist(), "x0": own("x0").tolist(), "eps": own("eps").tolist()}


def ratios(sides: dict[str, Any], prediction: str) -> np.ndarray:
    """gamma_B times the squared Jacobian over the fall of the error, (levels, scales)."""
    return np.array(sides[prediction]) / np.array(sides["fall"])


def average(sides: dict[str, Any], prediction: str) -> float:
    """Geometric mean of the ratios over levels and scales."""
    return float(np.exp(np.log(ratios(sides, prediction)).mean()))


def spread(sides: dict[str, Any], prediction: str) -> float:
    """Largest ratio over the smallest, over the levels of the finest scale."""
    found = ratios(sides, prediction)[:, 0]
    return float(found.max() / found.min())
