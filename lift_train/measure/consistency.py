"""How far a denoiser is from the posterior mean of any data, and how much of it is that of Gaussian data."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray
from jaxtyping import Float
from scipy.interpolate import make_interp_spline
from torch import Tensor

from lift_theory.surfaces import scale_axes
from lift_train.denoisers import Denoiser
from lift_train.measure.passes import (
    Batch,
    Measurement,
    differences,
    evaluating,
    squared_norms,
)
from lift_train.measure.statistics import mean_and_error, source_numbers
from lift_train.measure.surfaces import dataset, grid_points


def curl(surface: xarray.Dataset) -> xarray.Dataset:
    """The curl of the field of errors, which vanishes for the posterior mean of any data.

    With `F_k = g_k mse_k / 2`, which would be the gradient of the information in log-SNR, it is
    `dF_k/dlam_l - dF_l/dlam_k` for every pair k < l, in nats per squared nat, by cubic splines through the grid. The
    standard error follows from the same derivative of every image's errors, so that the noise which all
    noise levels share is counted once; it is one over sources if the surface was measured with `groups`.

    Args:
        surface: from `error_surface(..., per_image=True)`, two scales or more, four points or more per axis.

    Returns:
        Dataset with `curl`, `curl_standard_error` and `relative` (the curl over the larger of the two derivatives),
        with the dimension `pair`, and the log-SNRs.

    Raises:
        ValueError: if errors per image are missing, there is one scale, or an axis is too short.
    """
    if "squared_error" not in surface:
        raise ValueError(
            "curl needs the errors of every image for its standard error; measure the surface with "
            "error_surface(..., per_image=True)."
        )
    names = [str(name) for name in surface["scale"].values]
    grid = [f"logsnr_{name}" for name in names]
    if len(names) < 2:
        raise ValueError(f"a field of one scale has no curl; the surface has {names}.")
    axes = [surface[dim].values for dim in grid]
    if min(map(len, axes)) < 4:
        raise ValueError(f"every axis needs four log-SNRs or more; got {[len(axis) for axis in axes]}.")
    errors = surface["squared_error"].transpose(*grid, "image", "scale").values
    sources = surface["source"].values.tolist() if "source" in surface.coords else None
    groups = source_numbers(sources, errors.shape[-2])
    snr = np.exp(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
    field = 0.5 * snr[..., None, :] * errors
    slopes = [make_interp_spline(axis, np.eye(len(axis)))(axis, nu=1) for axis in axes]

    def derivative(of: int, by: int) -> Float[np.ndarray, "*grid image"]:
        return np.moveaxis(np.tensordot(slopes[by], field[..., of], axes=(1, by)), 0, by)

    found: dict[str, list[np.ndarray]] = {"curl": [], "curl_standard_error": [], "relative": []}
    pairs = list(combinations(range(len(names)), 2))
    for k, other in pairs:
        first, second = derivative(k, other), derivative(other, k)
        difference = (first - second).reshape(-1, first.shape[-1])
        mean, error = (part.reshape(first.shape[:-1]) for part in mean_and_error(difference, groups))
        size = np.maximum(np.abs(first.mean(axis=-1)), np.abs(second.mean(axis=-1)))
        found["curl"].append(mean)
        found["curl_standard_error"].append(error)
        found["relative"].append(np.where(size > 0, mean / np.where(size > 0, size, 1.0), 0.0))
    units = {"curl": "nat per squared nat", "curl_standard_error": "nat per squared nat", "relative": "1"}
    return xarray.Dataset(
        {
            name: ((*grid, "pair"), np.stack(values, axis=-1), {"units": units[name]})
            for name, values in found.items()
        },
        coords={
            **{dim: surface[dim] for dim in grid},
            "pair": [f"{names[k]}, {names[other]}" for k, other in pairs],
        },
        attrs={**surface.attrs, "title": "curl of the field of squared errors"},
    )


def explained_variance(
    denoiser: Denoiser,
    images: Any,
    logsnr: Any,
    reference: Denoiser,
    *,
    seed: int = 0,
    batch: int = 64,
    groups: Sequence[Hashable] | None = None,
    folder: str | Path | None = None,
    progress: bool = False,
) -> xarray.Dataset:
    """The share of a denoiser's predictions that another denoiser explains, `1 - E||D - R||^2 / E||D - mean||^2`.

    The mean is that of the clean images. With the posterior mean of a Gaussian with the images' covariance as the
    reference it is the Gaussian part of what was learned (Wang and Vastola 2024, arXiv 2412.09726).

    Args:
        denoiser: predicts the clean scales.
        images: as for `error_surface`.
        logsnr: as for `error_surface`.
        reference: a denoiser of the same scales, such as `LinearDenoiser`.
        seed: of the noise.
        batch: images per call of the denoisers.
        groups: as for `error_surface`.
        folder: where finished points are kept, as for `error_surface`.
        progress: show a progress bar.

    Returns:
        Dataset with `explained_variance(scale)`, at most one, and `explained_variance_standard_error(scale)`.

    Raises:
        TypeError: as for `error_surface`.
        ValueError: as for `error_surface`, and if the two denoisers have different scales.
    """
    measurement = Measurement.of(
        denoiser, images, seed=seed, batch=batch, folder=folder, progress=progress, groups=groups
    )
    other = Measurement.of(reference, images, seed=seed, batch=batch, folder=None, progress=False)
    if other.scales.grids != measurement.scales.grids or other.scales.names != measurement.scales.names:
        raise ValueError(f"the reference must have the scales {measurement.scales}; it has {other.scales}.")
    axes = scale_axes(measurement.scales.names, logsnr)
    points = grid_points(axes)
    mean_image = measurement.images.double().mean(dim=0, keepdim=True).to(measurement.images)
    centre = measurement.scales.analyse(mean_image)

    def values(unit: int, batch: Batch) -> Float[Tensor, "batch 2 scales"]:
        levels = batch.levels(points[unit])
        noisy = batch.noisy(levels, batch.noise(0))
        found, explained = denoiser(noisy, levels), reference(noisy, levels)
        around = [part.to(d).expand_as(d) for part, d in zip(centre, found, strict=True)]
        return torch.stack(
            [squared_norms(differences(found, explained)), squared_norms(differences(found, around))], dim=1
        )

    kept = {} if folder is None else {"reference": other.fingerprint}
    with evaluating(reference):
        parts = measurement.run("explained variance", points, values, **kept)
    rest, whole = parts[:, :, 0], parts[:, :, 1]
    total = np.maximum(whole.mean(axis=1), np.finfo(float).tiny)
    share = rest.mean(axis=1) / total
    error = measurement.mean_and_error((rest - share[:, None] * whole) / total[:, None])[1]
    return dataset(
        measurement,
        axes,
        {
            "explained_variance": (("scale",), 1.0 - share),
            "explained_variance_standard_error": (("scale",), error),
        },
    )
