"""Squared errors of a denoiser on a grid of noise levels, as surfaces that `lift_theory` can work with."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray
from jaxtyping import Float
from torch import Tensor

from lift_theory import __version__
from lift_theory._validation import whole_number
from lift_theory.surfaces import UNITS, scale_axes
from lift_train.denoisers import Denoiser
from lift_train.measure.passes import Batch, Measurement, differences, squared_norms


def error_surface(
    denoiser: Denoiser,
    images: Any,
    logsnr: Any,
    *,
    seed: int = 0,
    draws: int = 1,
    batch: int = 64,
    per_image: bool = False,
    groups: Sequence[Hashable] | None = None,
    folder: str | Path | None = None,
    progress: bool = False,
) -> xarray.Dataset:
    """Squared errors of a denoiser at every point of a grid of log-SNRs, with standard errors.

    `lift_theory.MeasuredModel` makes a model of it, for path costs and optimal paths. The same images and the same
    noise are used at every point, so that errors of neighbours are as wrong as each other and their differences,
    on which path costs depend, are much better known than the standard errors say.

    Args:
        denoiser: predicts the clean scales.
        images: NumPy (n, height, width[, channels]) or tensor (n, channels, height, width), at least two; best not
            those it was trained on.
        logsnr: increasing log-SNRs in nats for all scales, or a sequence of one such array per scale.
        seed: of the noise; results depend on nothing else.
        draws: noise draws per image and point.
        batch: images per call of the denoiser; memory is bounded by it.
        per_image: also return the variable `squared_error` with a dimension `image`, which `curl` needs, and with
            `groups` the coordinate `source` along it.
        groups: name of the source of every image, such as `Images.held_out_sources`, for standard errors that allow
            for images of one source (patches of a photograph) being alike; without it images count as independent.
            They need some ten sources to be right.
        folder: where finished points are kept; started again with the same arguments, the measurement goes on. A
            denoiser that is no module must then have a string attribute `identity`.
        progress: show a progress bar.

    Returns:
        Dataset as from `lift_theory.error_surface`: dimensions `logsnr_<scale>` and `scale`; variables `mmse`
        (mean over images, summed over coefficients) and `mmse_standard_error`.

    Raises:
        TypeError: if the denoiser has no scales, or log-SNRs are no numbers.
        ValueError: for bad axes, fewer than two images, a folder of another measurement, a folder for a denoiser
            that has neither weights nor an `identity`, or predictions that are not finite.

    Examples:
        >>> import numpy as np, lift_theory as lt
        >>> from lift_train import LinearDenoiser, Scales
        >>> spectrum = lt.Spectrum.power_law((4, 4))
        >>> exact = LinearDenoiser(Scales(lt.AveragePyramid(), (1, 4, 4)), spectrum.variances)
        >>> surface = error_surface(exact, spectrum.sample(50), np.linspace(-4, 4, 3))
        >>> dict(surface.mmse.sizes)
        {'logsnr_fine': 3, 'logsnr_coarse': 3, 'scale': 2}
    """
    measurement = Measurement.of(
        denoiser, images, seed=seed, batch=batch, folder=folder, progress=progress, groups=groups
    )
    draws = whole_number(draws, name="draws", least=1)
    axes = scale_axes(measurement.scales.names, logsnr)
    points = grid_points(axes)
    errors = measurement.run("squared errors", points, squared_errors(denoiser, points, draws), draws=draws)
    mean, error = measurement.mean_and_error(errors)
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "mmse": (("scale",), mean),
        "mmse_standard_error": (("scale",), error),
    }
    if per_image:
        variables["squared_error"] = (("image", "scale"), errors)
    surface = dataset(measurement, axes, variables, draws=draws)
    if per_image and measurement.groups is not None:
        surface = surface.assign_coords(
            source=("image", measurement.groups, {"long_name": "number of the source"})
        )
    over = "images" if measurement.groups is None else "sources"
    for name, (long_name, units) in {
        "mmse": ("squared error of the denoiser, summed over coefficients", UNITS["mmse"][1]),
        "mmse_standard_error": (
            f"standard error of mmse over {over}",
            UNITS["mmse"][1],
        ),
        "squared_error": ("squared error of one image", UNITS["mmse"][1]),
    }.items():
        if name in surface:
            surface[name].attrs.update(long_name=long_name, units=units)
    return surface


def squared_errors(denoiser: Denoiser, points: Float[np.ndarray, "units scales"], draws: int) -> Any:
    """The function that measures one unit of a surface or a path."""

    def values(unit: int, batch: Batch) -> Float[Tensor, "batch scales"]:
        levels = batch.levels(points[unit])
        total = torch.zeros(len(batch.index), levels.shape[1], dtype=torch.float64, device=levels.device)
        for draw in range(draws):
            found = denoiser(batch.noisy(levels, batch.noise(draw)), levels)
            total += squared_norms(differences(found, batch.clean))
        return total / draws

    return values


def grid_points(axes: list[np.ndarray]) -> Float[np.ndarray, "points scales"]:
    """All points of a grid, row by row."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def dataset(
    measurement: Measurement,
    axes: list[np.ndarray],
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]],
    **attributes: Any,
) -> xarray.Dataset:
    """Values per grid point, (points, ...), as a labelled dataset with provenance.

    Args:
        measurement: where they come from.
        axes: log-SNRs of every scale.
        variables: names of the dimensions behind those of the grid, and values.
        attributes: further facts.
    """
    scales = measurement.scales
    grid = tuple(f"logsnr_{name}" for name in scales.names)
    shape = tuple(len(axis) for axis in axes)
    labels = {"long_name": "scale, finest first"}
    others = {dim for dims, _ in variables.values() for dim in dims if dim.startswith("scale_")}
    images = measurement.images.detach().cpu().contiguous().numpy()
    return xarray.Dataset(
        {
            name: ((*grid, *dims), values.reshape(*shape, *values.shape[1:]))
            for name, (dims, values) in variables.items()
        },
        coords={
            **{
                name: (name, axis, {"long_name": f"log-SNR of scale {scale}", "units": "nat"})
                for name, axis, scale in zip(grid, axes, scales.names, strict=True)
            },
            "scale": ("scale", list(scales.names), labels),
            **{other: (other, list(scales.names), labels) for other in sorted(others)},
            "size": ("scale", list(scales.sizes), {"long_name": "number of coefficients", "units": "1"}),
        },
        attrs={
            "title": "measured surface of a multi-scale denoiser",
            "source": f"lift_train {__version__}, torch {torch.__version__}",
            "model": type(measurement.denoiser).__name__,
            "representation": repr(scales.representation),
            "conventions": "scales finest first; log-SNR in nats; errors summed over coefficients",
            "images": len(images),
            "images_sha256": hashlib.sha256(images.tobytes()).hexdigest(),
            **({} if measurement.groups is None else {"sources": int(measurement.groups.max()) + 1}),
            "seed": measurement.seed,
            **attributes,
        },
    )
