"""The exact factor put to trained networks: squared Jacobians against the fall of the error with the SNR."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import nn

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.overcomplete_vs_orthogonal.trained.surfaces import BATCH, chosen_images
from experiments.processes import Stage, tables
from lift_theory.optimize.published import FACTORS
from lift_train import FunctionDenoiser, measure
from lift_train.denoisers import Denoiser, LogSNR, Parametrisation
from lift_train.measure.statistics import mean_and_error, source_numbers
from lift_train.scales import Values

LEVELS = (-4.0, -2.0, 0.0, 2.0, 4.0)
"""Log-SNRs, the same in all scales."""
STEP = 0.25
"""Nats to both sides for the fall of the error; too wide by 1.6 % at most for a single Gaussian mode."""
NOISE, DRAWS = 13, 1
NAMES = ("single", "pyramid")
PREDICTIONS: tuple[Parametrisation, ...] = ("x0", "eps")


def of_networks(bench: Bench) -> dict[str, list[dict[str, Any]]]:
    """Both sides of the identity on every network, by representation and seed, as `both_sides` gives them."""
    images, sources = chosen_images(bench)
    keys = [(name, seed) for name in NAMES for seed in range(len(bench.runs[name]))]
    stages = [
        Stage(
            name=f"gamma-identity-{name}-{seed}",
            inputs={
                **bench.identity(name, seed),
                "images": images,
                "levels": list(LEVELS),
                "step": STEP,
                "noise": NOISE,
                "draws": DRAWS,
                "sources": sources,
            },
            compute=partial(_of_network, bench, name, seed),
        )
        for name, seed in keys
    ]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
    for (name, _), both in zip(keys, tables(bench.work, "gamma_B on networks", stages), strict=True):
        found[name].append(both)
    return found


def _of_network(bench: Bench, name: str, seed: int) -> dict[str, Any]:
    return both_sides(bench.denoiser(name, seed), *chosen_images(bench))


def both_sides(denoiser: Denoiser, images: Any, sources: Sequence[str] | None = None) -> dict[str, Any]:
    """Fall of each scale's error with its own SNR, and gamma_B times its squared Jacobian, (levels, scales).

    The fall is measured without any derivative of the network, by errors at two noise levels; `uncertainty` is its
    standard error over images, or over sources where they are named, relative to it.
    """
    count = len(denoiser.scales.names)
    groups = source_numbers(sources, len(images))
    found: dict[str, Any] = {"fall": [], "uncertainty": [], "x0": [], "eps": []}
    for level in LEVELS:
        here = [np.array([level])] * count
        means, errors = [], []
        for k in range(count):
            axes = [np.array([level - STEP, level + STEP]) if i == k else axis for i, axis in enumerate(here)]
            change = _errors(denoiser, images, axes, k) @ np.array([1.0, -1.0])
            mean, error = mean_and_error(change[None], groups)
            means.append(float(mean[0] / (np.exp(level + STEP) - np.exp(level - STEP))))
            errors.append(float(error[0] / abs(mean[0])))
        found["fall"].append(means)
        found["uncertainty"].append(errors)
        for prediction in PREDICTIONS:
            norms = measure.jacobian_norms(denoiser, images, here, prediction, seed=NOISE, batch=BATCH)
            own = np.diagonal(norms["jacobian_norms"].values.reshape(count, count))
            found[prediction].append((FACTORS["B"](np.exp(level)) * own).tolist())
    return found


def _errors(
    denoiser: Denoiser, images: Any, axes: Sequence[np.ndarray], k: int
) -> Float[np.ndarray, "images levels"]:
    """Squared errors of scale k for every image, means over each noise and its negative.

    The part of an error that is linear in the noise drops out of the mean; at low SNRs it hides the rest.
    """

    def mirrored(zs: Values, logsnr: LogSNR) -> Values:
        return [-part for part in denoiser([-z for z in zs], logsnr)]

    on = str(next(denoiser.parameters()).device) if isinstance(denoiser, nn.Module) else None
    mirror = FunctionDenoiser(mirrored, denoiser.scales, device=on)
    total = np.zeros((len(images), 2))
    for who, sign in ((denoiser, 1.0), (mirror, -1.0)):
        surface = measure.error_surface(
            who, sign * images, list(axes), seed=NOISE, draws=DRAWS, batch=BATCH, per_image=True
        )
        levels = surface["squared_error"].isel(scale=k).transpose("image", ...)
        total = total + 0.5 * levels.values.reshape(len(images), -1)
    return total


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
    """gamma_B times the squared Jacobian over the fall of the error, (levels, scales).

    A fall below its standard error, or a rise, counts as the standard error: nothing less can be told from none.
    """
    fall = np.array(sides["fall"])
    least = np.array(sides.get("uncertainty", 0.0)) * np.abs(fall)
    return np.array(sides[prediction]) / np.maximum(fall, least)


def average(sides: dict[str, Any], prediction: str) -> float:
    """Geometric mean of the ratios over levels and scales."""
    return float(np.exp(np.log(ratios(sides, prediction)).mean()))


def spread(sides: dict[str, Any], prediction: str) -> float:
    """Largest ratio over the smallest, over the levels of the finest scale."""
    found = ratios(sides, prediction)[:, 0]
    return float(found.max() / found.min())
