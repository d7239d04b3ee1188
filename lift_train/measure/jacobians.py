"""Derivatives of a denoiser by forward-mode differentiation along random directions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray
from jaxtyping import Float
from torch import Tensor

from lift_theory._validation import one_of, whole_number
from lift_theory.paths import table_levels
from lift_theory.surfaces import scale_axes
from lift_train.denoisers import Denoiser, LogSNR, Parametrisation
from lift_train.measure.passes import Batch, Measurement, squared_norms
from lift_train.measure.surfaces import dataset, grid_points
from lift_train.scales import Values

PREDICTIONS = ("x0", "eps", "v")


def jacobian_norms(
    denoiser: Denoiser,
    images: Any,
    logsnr: Any,
    prediction: Parametrisation = "x0",
    *,
    seed: int = 0,
    probes: int = 1,
    batch: int = 64,
    groups: Sequence[Hashable] | None = None,
    folder: str | Path | None = None,
    progress: bool = False,
) -> xarray.Dataset:
    """Mean squared Frobenius norms `E||d prediction_k / d x_l||^2`, and the coupling that no parametrisation changes.

    Inputs are variance preserving, `x_l = alpha_l y_l + sigma_l e_l`, as for `GaussianModel.jacobian_norms`. Each
    random direction (signs, one per coefficient) costs one Jacobian-vector product per scale (Hutchinson 1990).

    Args:
        denoiser: made of operations that PyTorch can differentiate forwards.
        images: as for `error_surface`.
        logsnr: as for `error_surface`; arrays of one value for a single point.
        prediction: "x0" (clean data), "eps" (noise) or "v" (`alpha eps - sigma x0`).
        seed: of noise and directions.
        probes: directions per image, point and scale.
        batch: images per call of the denoiser.
        groups: as for `error_surface`.
        folder: where finished points are kept, as for `error_surface`.
        progress: show a progress bar.

    Returns:
        Dataset with `jacobian_norms(scale, scale_input)` and `coupling(scale, scale_input)`, each with a variable
        `..._standard_error`. The coupling is `P_kl / sqrt(P_kk P_ll)` with `P_kl = ||d x0_k / d x_l||^2 / (g_l (1 +
        g_l))`; for a posterior mean it is symmetric.

    Raises:
        TypeError: as for `error_surface`.
        ValueError: as for `error_surface`, and for an unknown prediction.
    """
    one_of(prediction, PREDICTIONS, name="prediction")
    measurement = Measurement.of(
        denoiser, images, seed=seed, batch=batch, folder=folder, progress=progress, groups=groups
    )
    axes = scale_axes(measurement.scales.names, logsnr)
    found = _norms(measurement, axes, prediction, whole_number(probes, name="probes", least=1))
    norms, clean = found[:, :, 0], found[:, :, 1]
    mean, error = measurement.mean_and_error(norms)
    coupling, coupling_error = _coupling(measurement, clean, np.exp(grid_points(axes)))
    dims = ("scale", "scale_input")
    return dataset(
        measurement,
        axes,
        {
            "jacobian_norms": (dims, mean),
            "jacobian_norms_standard_error": (dims, error),
            "coupling": (dims, coupling),
            "coupling_standard_error": (dims, coupling_error),
        },
        prediction=prediction,
        probes=probes,
    )


def lift_error_map(
    denoiser: Denoiser,
    images: Any,
    logsnr: Any = None,
    *,
    alphas_cumprod: Any = None,
    points: int = 30,
    factor: str = "B",
    prediction: Parametrisation = "eps",
    seed: int = 0,
    probes: int = 4,
    batch: int = 64,
    groups: Sequence[Hashable] | None = None,
    folder: str | Path | None = None,
    progress: bool = False,
) -> xarray.Dataset:
    """The error map LIFT chose its path by: `gamma(S_k) ||d eps_k / d x_k||^2` per coefficient.

    It is what `lift_theory.PublishedCost` computes in closed form.

    Args:
        denoiser: as for `jacobian_norms`.
        images: as for `error_surface`.
        logsnr: as for `error_surface`; if not given, evenly spaced timesteps of a schedule.
        alphas_cumprod: (T,) decreasing table of that schedule, LIFT's own if not given.
        points: number of timesteps.
        factor: "A", "B", "C" or "D", see `lift_theory.PublishedCost`.
        prediction: whose Jacobian; "eps" as published.
        seed: of noise and directions.
        probes: directions per image, point and scale; 4 as published.
        batch: images per call of the denoiser.
        groups: as for `error_surface`.
        folder: where finished points are kept, as for `error_surface`.
        progress: show a progress bar.

    Returns:
        Dataset with `error(scale)` and `error_standard_error(scale)`.

    Raises:
        TypeError: as for `error_surface`.
        ValueError: as for `jacobian_norms`, for an unknown factor, or for a table that is no schedule.
    """
    from lift_theory.optimize.published import FACTORS, published_axes

    one_of(factor, tuple(FACTORS), name="factor")
    one_of(prediction, PREDICTIONS, name="prediction")
    measurement = Measurement.of(
        denoiser, images, seed=seed, batch=batch, folder=folder, progress=progress, groups=groups
    )
    names = measurement.scales.names
    if logsnr is None:
        logsnr = (
            published_axes(len(names), points)
            if alphas_cumprod is None
            else [_timesteps(alphas_cumprod, points)] * len(names)
        )
    elif alphas_cumprod is not None:
        raise ValueError("give logsnr or alphas_cumprod, not both.")
    axes = scale_axes(names, list(logsnr))
    found = _norms(measurement, axes, prediction, whole_number(probes, name="probes", least=1))
    own = np.einsum("uikk->uik", found[:, :, 0])
    weights = FACTORS[factor](np.exp(grid_points(axes))) / np.array(measurement.scales.sizes)
    mean, error = measurement.mean_and_error(weights[:, None] * own)
    return dataset(
        measurement,
        axes,
        {"error": (("scale",), mean), "error_standard_error": (("scale",), error)},
        factor=factor,
        prediction=prediction,
        probes=probes,
    )


def flow_sensitivity(
    denoiser: Denoiser,
    images: Any,
    logsnr: Any,
    *,
    seed: int = 0,
    batch: int = 64,
    groups: Sequence[Hashable] | None = None,
    folder: str | Path | None = None,
    progress: bool = False,
) -> xarray.Dataset:
    """How predictions change while the deterministic flow moves each clock: the local error of its sampler.

    Moving clock k by `dlam_k` moves `z_k` by `-(z_k - D_k) dlam_k / 2`, and prediction j by `T_jk dlam_k` with
    `T_jk = dD_j/dlam_k - (dD_j/dz_k)(z_k - D_k) / 2`, one Jacobian-vector product per clock. A DDIM step errs in
    scale j by about `|dlam_j| ||sum_k T_jk dlam_k|| / 4`, whose square is a quadratic form with the matrix
    `E<T_jk, T_jl>` (times `dlam_j^2 / 16`).

    Args:
        denoiser: as for `jacobian_norms`, differentiable in the log-SNRs, too.
        images: as for `error_surface`.
        logsnr: as for `error_surface`.
        seed: of the noise.
        batch: images per call of the denoiser.
        groups: as for `error_surface`.
        folder: where finished points are kept, as for `error_surface`.
        progress: show a progress bar.

    Returns:
        Dataset with `flow_sensitivity(scale, scale_input, scale_other)`, the matrices of all predicted scales, and
        their `flow_sensitivity_standard_error`.

    Raises:
        TypeError: as for `error_surface`.
        ValueError: as for `error_surface`.
    """
    measurement = Measurement.of(
        denoiser, images, seed=seed, batch=batch, folder=folder, progress=progress, groups=groups
    )
    axes = scale_axes(measurement.scales.names, logsnr)
    points = grid_points(axes)
    count = points.shape[1]

    def values(unit: int, batch: Batch) -> Float[Tensor, "batch scales scales scales"]:
        levels = batch.levels(points[unit])
        noisy = batch.noisy(levels, batch.noise(0))
        clean = denoiser(noisy, levels)
        moved = []
        for k in range(count):
            direction = [torch.zeros_like(z) for z in noisy]
            direction[k] = -0.5 * (noisy[k] - clean[k])
            clock = torch.zeros_like(levels)
            clock[:, k] = 1.0
            moved.append(_directional(denoiser, noisy, levels, direction, clock))
        return torch.stack(
            [
                torch.einsum("kbd,lbd->bkl", stacked, stacked)
                for stacked in (torch.stack([m[j].double().flatten(1) for m in moved]) for j in range(count))
            ],
            dim=1,
        )

    mean, error = measurement.mean_and_error(measurement.run("sensitivity along the flow", points, values))
    dims = ("scale", "scale_input", "scale_other")
    return dataset(
        measurement,
        axes,
        {"flow_sensitivity": (dims, mean), "flow_sensitivity_standard_error": (dims, error)},
    )


def _norms(
    measurement: Measurement, axes: list[np.ndarray], prediction: str, probes: int
) -> Float[np.ndarray, "points images 2 scales scales"]:
    """Squared norms of Jacobians of the prediction asked for and of that of clean data, per image."""
    points = grid_points(axes)
    count = points.shape[1]
    denoiser = measurement.denoiser

    def values(unit: int, batch: Batch) -> Float[Tensor, "batch 2 scales scales"]:
        alpha = np.sqrt(1.0 / (1.0 + np.exp(-points[unit])))
        sigma = np.sqrt(1.0 / (1.0 + np.exp(points[unit])))
        levels = batch.levels(points[unit])
        noisy = batch.noisy(levels, batch.noise(0))
        found = torch.zeros(len(batch.index), 2, count, count, dtype=torch.float64, device=levels.device)
        for probe in range(probes):
            for scale in range(count):
                direction = [torch.zeros_like(z) for z in noisy]
                direction[scale] = batch.signs(1, probe, scale)[scale]
                inputs = [part / a for part, a in zip(direction, alpha, strict=True)]
                clean = _directional(denoiser, noisy, levels, inputs, torch.zeros_like(levels))
                noise = [(v - a * d) / s for v, d, a, s in zip(direction, clean, alpha, sigma, strict=True)]
                chosen = {
                    "x0": clean,
                    "eps": noise,
                    "v": [a * e - s * d for e, d, a, s in zip(noise, clean, alpha, sigma, strict=True)],
                }[prediction]
                found[:, 0, :, scale] += squared_norms(chosen)
                found[:, 1, :, scale] += squared_norms(clean)
        return found / probes

    return measurement.run("Jacobians", points, values, prediction=prediction, probes=probes)


def _directional(
    denoiser: Denoiser, noisy: Values, levels: LogSNR, direction: Values, clock: LogSNR
) -> list[Tensor]:
    """Derivative of all predictions along one direction of inputs and log-SNRs."""
    count = len(noisy)
    moving = bool(clock.any())  # constants stay constants: not every denoiser differentiates in its log-SNRs

    def predictions(*inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(denoiser(list(inputs[:count]), inputs[count] if moving else levels))

    function: Callable[..., Any] = torch.func.jvp
    try:
        _, change = function(
            predictions,
            (*noisy, levels) if moving else tuple(noisy),
            (*direction, clock) if moving else tuple(direction),
        )
    except NotImplementedError as error:
        raise NotImplementedError(
            "the denoiser must be made of operations that PyTorch differentiates forwards"
            f"{', in the log-SNRs too' if moving else ''}: {str(error).splitlines()[0]} "
            "Replace that operation, for instance fused attention by the plain one."
        ) from error
    return list(change)


def _coupling(
    measurement: Measurement,
    norms: Float[np.ndarray, "points images scales scales"],
    snr: Float[np.ndarray, "points scales"],
) -> tuple[Float[np.ndarray, "points scales scales"], Float[np.ndarray, "points scales scales"]]:
    """Coupling and its standard error to first order in the deviations of the norms."""
    gram = norms / (snr * (1.0 + snr))[:, None, None, :]
    mean = gram.mean(axis=1)
    own = np.einsum("ukk->uk", mean)
    safe = np.where(own > 0, own, 1.0)
    coupling = mean / np.sqrt(safe[:, :, None] * safe[:, None, :])
    relative = gram / np.where(mean > 0, mean, 1.0)[:, None]
    diagonal = np.einsum("uikk->uik", relative)
    influence = relative - 0.5 * (diagonal[..., :, None] + diagonal[..., None, :])
    return coupling, coupling * measurement.mean_and_error(influence)[1]


def _timesteps(alphas_cumprod: Any, points: int) -> Float[np.ndarray, " points"]:
    """Log-SNRs of evenly spaced timesteps of a table, from noise to data."""
    levels = table_levels(alphas_cumprod)
    count = whole_number(points, name="points", least=2)
    return levels[np.unique(np.linspace(0, len(levels) - 1, count).round().astype(int))[::-1]]
