"""Pictures of error surfaces and the paths on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lift_theory._validation import real_number
from lift_theory.paths import Path

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

PATH_COLOURS = ("#d1495b", "#00798c", "#8d5a97", "#30638e", "#3d3d3d", "#7a9e7e")
"""Distinct in print and for colour-blind readers; the yellow that lines vanish in is left out."""


def plot_surface(
    surface: xarray.Dataset,
    quantity: str = "step_cost",
    paths: Mapping[str, Path] | None = None,
    *,
    scale: str | None = None,
    scale_other: str | None = None,
    ratio: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one quantity of a two-scale error surface with labelled contours, and paths on it.

    The finest scale runs to the right, the coarser one upwards, so that a path that leads with the coarse scale lies
    above the diagonal. Positive quantities are drawn on a logarithmic colour scale.

    Args:
        surface: of two scales, from `error_surface`.
        quantity: a variable of the surface.
        paths: name -> two-scale path; drawn with a dot per network call.
        scale: which scale of a quantity that has one; the sum over scales if not given.
        scale_other: which second scale of a quantity that has two; required with `scale` there.
        ratio: down-sampling ratio of a pyramid; draws the equal-information line `coarse = fine + 2 log ratio`.
        ax: axes to draw on; a new figure if not given.

    Returns:
        The axes.

    Raises:
        TypeError: if `surface` is not a dataset or a path not a `Path`.
        ValueError: if the surface has not two scales, or a name is unknown.

    Examples:
        >>> import matplotlib; matplotlib.use("agg")
        >>> import numpy as np, lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.AveragePyramid())
        >>> surface = lt.error_surface(model, logsnr=np.linspace(-4, 4, 9))
        >>> lt.plot_surface(surface, "mmse", {"diagonal": lt.diagonal_path(model, 5, -4, 4)}).get_xlabel()
        'log-SNR of fine scale (nats)'
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
    from matplotlib.ticker import LogLocator, MaxNLocator

    field, label = _field(surface, quantity, scale, scale_other)
    names = [str(name) for name in surface["scale"].values]
    x, y = (surface[f"logsnr_{name}"].values for name in names)
    if len(x) < 2 or len(y) < 2:
        raise ValueError(f"a picture needs at least two log-SNRs per scale; got {len(x)} and {len(y)}.")
    values = field.transpose(*(f"logsnr_{name}" for name in names)).values.T
    axes = plt.subplots(figsize=(6.4, 5.4), layout="constrained")[1] if ax is None else ax
    low, high = float(values.min()), float(values.max())
    logarithmic = low > 0 and high / low > 30
    floor = max(low, high * 1e-6) if logarithmic else low
    norm = LogNorm(floor, high) if logarithmic else Normalize(low, high if high > low else low + 1.0)
    shades = LinearSegmentedColormap.from_list("paper", ["#ffffff", "#dfe7ea", "#8fa9b5"])
    mesh = axes.pcolormesh(
        x, y, np.maximum(values, floor), norm=norm, cmap=shades, shading="gouraud", rasterized=True
    )
    axes.figure.colorbar(mesh, ax=axes, label=label)
    if high > low:
        locator = LogLocator(subs=(1.0, 3.0)) if logarithmic else MaxNLocator(8)
        levels = [v for v in locator.tick_values(floor, high) if floor < v < high]
        lines = axes.contour(x, y, np.maximum(values, floor), levels=levels, colors="0.3", linewidths=0.6)
        axes.clabel(lines, fmt=lambda v: f"{v:.3g}", fontsize=7)
    if ratio is not None:
        lead = 2 * np.log(real_number(ratio, name="ratio", positive=True))
        axes.plot(
            x,
            x + lead,
            color="0.1",
            linestyle=":",
            linewidth=1.4,
            label=f"equal information (+{lead:.2f} nats)",
        )
    for index, (name, path) in enumerate((paths or {}).items()):
        if not isinstance(path, Path):
            raise TypeError(f"paths must map names to lift_theory.Path; {name!r} is a {type(path).__name__}.")
        if len(path.scales) != 2:
            raise ValueError(f"path {name!r} has {len(path.scales)} scales; the surface has two.")
        points = path.logsnr[np.isfinite(path.logsnr).all(axis=1)]
        colour = PATH_COLOURS[index % len(PATH_COLOURS)]
        axes.plot(
            *points.T,
            color=colour,
            marker="o",
            markersize=3.5,
            linewidth=1.6,
            label=f"{name} ({path.steps} steps)",
        )
    axes.set(
        xlabel=f"log-SNR of {names[0]} scale (nats)",
        ylabel=f"log-SNR of {names[1]} scale (nats)",
        xlim=_padded(x),
        ylim=_padded(y),
        title=str(surface.attrs.get("representation", "")),
    )
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", fontsize=8, framealpha=0.9)
    return axes


def _padded(axis: np.ndarray) -> tuple[float, float]:
    """Limits with a margin, so that paths along the edge are seen."""
    margin = 0.02 * (axis[-1] - axis[0])
    return axis[0] - margin, axis[-1] + margin


def _field(
    surface: Any, quantity: str, scale: str | None, scale_other: str | None
) -> tuple[xarray.DataArray, str]:
    import xarray

    if not isinstance(surface, xarray.Dataset):
        raise TypeError(
            f"surface must be an xarray.Dataset from error_surface; got {type(surface).__name__}."
        )
    if surface.sizes.get("scale") != 2:
        raise ValueError(
            f"a picture needs a surface of two scales; this one has {surface.sizes.get('scale', 'none')}. "
            "Plot surface['mmse'] against its log-SNRs where there is one."
        )
    if quantity not in surface.data_vars:
        raise ValueError(f"quantity must be one of {sorted(map(str, surface.data_vars))}; got {quantity!r}.")
    field = surface[quantity]
    label = f"{quantity.replace('_', ' ')} ({field.attrs.get('units', '')})"
    names = [str(name) for name in surface["scale"].values]
    for dim, chosen in (("scale", scale), ("scale_other", scale_other)):
        if chosen is not None:
            if dim not in field.dims:
                raise ValueError(f"{quantity} has no dimension {dim!r}; leave {dim} out.")
            if chosen not in names:
                raise ValueError(f"{dim} must be one of {names}; got {chosen!r}.")
            field = field.sel({dim: chosen})
            pair = f"{scale}, {scale_other}" if scale_other is not None else chosen
            label = f"{quantity.replace('_', ' ')} of {pair} ({surface[quantity].attrs.get('units', '')})"
    if "scale_other" in field.dims:
        raise ValueError(f"{quantity} has an entry for every pair of scales: choose scale and scale_other.")
    if "scale" in field.dims:
        field = field.sum("scale", keep_attrs=True)
        label = f"{label}, summed over scales"
    return field, label
