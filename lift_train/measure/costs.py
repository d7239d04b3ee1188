"""What a path costs with a given denoiser: the Monte Carlo bound of Align Your Steps, and the sum of its errors."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import lift_theory as lt
from lift_theory._validation import whole_number
from lift_theory.paths import checked_path
from lift_train.denoisers import Denoiser, per_scale
from lift_train.measure.passes import Batch, Measurement, differences, squared_norms
from lift_train.measure.surfaces import squared_errors


@dataclass(frozen=True, kw_only=True, eq=False)
class AysBound:
    """A Monte Carlo estimate of the bound of Align Your Steps, nats.

    Attributes:
        value: the bound for the whole path.
        standard_error: of `value`, over images or sources.
        steps: share of every step and scale.
        steps_standard_error: of `steps`.
    """

    value: float
    standard_error: float
    steps: Float[np.ndarray, "steps scales"]
    steps_standard_error: Float[np.ndarray, "steps scales"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PathCost:
    """The path KL of a denoiser from its squared errors, nats.

    Attributes:
        riemann_sum: `(1/2) sum_i sum_k (g_k[i+1] - g_k[i]) mse_k(g[i])`; of two paths with the same ends, the one
            with the smaller sum is better for this denoiser, whatever the information.
        standard_error: of `riemann_sum`, over images or sources; also of `cost` and `approximation`.
        steps: share of every step and scale.
        steps_standard_error: of `steps`.
        cost: `riemann_sum` less the information gained, None without a reference.
        discretization: the part of `cost` that a denoiser with the reference's errors would have, None without one.
        approximation: the part that larger errors add, `cost - discretization`, None without a reference.
    """

    riemann_sum: float
    standard_error: float
    steps: Float[np.ndarray, "steps scales"]
    steps_standard_error: Float[np.ndarray, "steps scales"]
    cost: float | None
    discretization: float | None
    approximation: float | None


def ays_bound(
    denoiser: Denoiser,
    images: Any,
    path: lt.Path,
    *,
    seed: int = 0,
    pairs: int = 1,
    batch: int = 64,
    groups: Sequence[Hashable] | None = None,
    folder: str | Path | None = None,
    progress: bool = False,
) -> AysBound:
    """The bound that Align Your Steps minimises, estimated as there: by pairs of noise levels.

    In every step from SNRs g to g' it is `(1/2) sum_k int E||D_k(z_t) - D_k(z_g)||^2 dg_k` along the straight line in
    SNR, the convention of `PathKL` for the shares of scales. Noise levels t are drawn uniformly in SNR, which makes
    the measure `dg_k` itself the importance weight; the noisier `z_g` is `z_t` with more noise. For an exact denoiser
    the bound is `lift_theory.path_kl`; what is missing or in excess tells how far this one is from that.

    Args:
        denoiser: predicts the clean scales.
        images: as for `error_surface`.
        path: with a finite end.
        seed: of noise and levels.
        pairs: draws per image and step.
        batch: images per call; there are two calls per draw.
        groups: as for `error_surface`.
        folder: where finished steps are kept, as for `error_surface`.
        progress: show a progress bar.

    Raises:
        TypeError: if `path` is not a path or the denoiser has no scales.
        ValueError: if path and denoiser have different numbers of scales, or as for `error_surface`.

    References:
        Sabour, Fidler and Kreis 2024, eq. 10 (with half the constant of eqs. 8 and 9).
    """
    measurement = Measurement.of(
        denoiser, images, seed=seed, batch=batch, folder=folder, progress=progress, groups=groups
    )
    pairs = whole_number(pairs, name="pairs", least=1)
    points = path_points(measurement, path)
    before, gain = torch.from_numpy(points[:-1]), torch.from_numpy(np.diff(np.exp(points), axis=0))

    def values(step: int, batch: Batch) -> Float[Tensor, "batch scales"]:
        clean = batch.clean[0]
        earlier = batch.levels(points[step])
        total = torch.zeros(len(batch.index), points.shape[1], dtype=torch.float64, device=clean.device)
        move = gain[step].to(clean.device)
        for pair in range(pairs):
            progress_in_step = batch.uniform(1, step, pair)[:, None]
            exact = torch.log(torch.exp(before[step]).to(clean.device) + progress_in_step * move)
            later = exact.to(clean)
            cleaner = batch.noisy(later, batch.noise(2, step, pair))
            added = torch.sqrt(torch.clamp(torch.exp(-earlier) - torch.exp(-later), min=0.0))
            noisier = [
                z + per_scale(added, k) * e
                for k, (z, e) in enumerate(zip(cleaner, batch.noise(3, step, pair), strict=True))
            ]
            total += squared_norms(differences(denoiser(cleaner, later), denoiser(noisier, earlier)))
        return 0.5 * move * total / pairs

    shares = measurement.run("pairs of noise levels", points[:-1], values, pairs=pairs, path=points.tolist())
    steps, steps_error = measurement.mean_and_error(shares)
    value, error = (float(part[0]) for part in measurement.mean_and_error(shares.sum(axis=(0, 2))[None]))
    return AysBound(
        value=value,
        standard_error=error,
        steps=steps,
        steps_standard_error=steps_error,
    )


def path_cost(
    denoiser: Denoiser,
    images: Any,
    path: lt.Path,
    reference: Any = None,
    *,
    seed: int = 0,
    draws: int = 1,
    batch: int = 64,
    groups: Sequence[Hashable] | None = None,
    folder: str | Path | None = None,
    progress: bool = False,
) -> PathCost:
    """The path KL of a denoiser, from its squared errors where the steps of a path begin.

    For any denoiser it is `(1/2) sum dg_k mse_k` less the information gained, which no denoiser can tell. A reference
    model of the data supplies it and splits the cost into discretization and approximation.

    Args:
        denoiser: predicts the clean scales.
        images: as for `error_surface`.
        path: with a finite end.
        reference: a model with `mutual_information` and `step_kl`, such as `GaussianModel` for Gaussian data.
        seed: of the noise.
        draws: noise draws per image and step.
        batch: images per call of the denoiser.
        groups: as for `error_surface`.
        folder: where finished steps are kept, as for `error_surface`.
        progress: show a progress bar.

    Raises:
        TypeError: if `path` is not a path, the denoiser has no scales, or the reference is no model.
        ValueError: as for `ays_bound`.
    """
    measurement = Measurement.of(
        denoiser, images, seed=seed, batch=batch, folder=folder, progress=progress, groups=groups
    )
    draws = whole_number(draws, name="draws", least=1)
    points = path_points(measurement, path)
    errors = measurement.run(
        "squared errors along a path", points[:-1], squared_errors(denoiser, points, draws), draws=draws
    )
    shares = 0.5 * np.diff(np.exp(points), axis=0)[:, None] * errors
    steps, steps_error = measurement.mean_and_error(shares)
    value, error = (float(part[0]) for part in measurement.mean_and_error(shares.sum(axis=(0, 2))[None]))
    cost = discretization = None
    if reference is not None:
        checked_path(path, reference)
        information = np.asarray(reference.mutual_information(points[[0, -1]]), dtype=float)
        cost = value - float(information[1] - information[0])
        discretization = lt.path_kl(reference, path)
    return PathCost(
        riemann_sum=value,
        standard_error=error,
        steps=steps,
        steps_standard_error=steps_error,
        cost=cost,
        discretization=discretization,
        approximation=None if cost is None or discretization is None else cost - discretization,
    )


def path_points(measurement: Measurement, path: Any) -> Float[np.ndarray, "points scales"]:
    """The points of a path that suits the denoiser and has a finite end."""
    if not isinstance(path, lt.Path):
        raise TypeError(f"path must be a lift_theory.Path; got {type(path).__name__}.")
    names = measurement.scales.names
    if len(path.scales) != len(names):
        raise ValueError(f"the path has {len(path.scales)} scales {path.scales}, the denoiser {names}.")
    if not np.isfinite(path.logsnr).all():
        raise ValueError("this needs a path with a finite end; leave out the last point at +inf.")
    return np.array(path.logsnr)
