"""Pictures: excess errors on the square of noise levels with both paths, and the shares of the bound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray

from experiments.drawing import INK, STYLE
from experiments.report import Picture, save_figure


def draw(folder: Path, surfaces: dict[str, xarray.Dataset], rows: list[dict[str, Any]]) -> list[Picture]:
    """All figures."""
    with plt.rc_context(STYLE):
        return [_excess(folder, surfaces, rows)]


def _excess(folder: Path, surfaces: dict[str, xarray.Dataset], rows: list[dict[str, Any]]) -> Picture:
    limit = max(float(100 * abs(surface["excess"]).max()) for surface in surfaces.values())
    figure, axes = plt.subplots(
        len(rows), 2, figsize=(8.4, 3.7 * len(rows)), layout="constrained", squeeze=False
    )
    mesh = None
    for line, row in zip(axes, rows, strict=True):
        surface = surfaces[row["representation"]]
        fine, coarse = row["scales"]
        for axis, scale in zip(line, row["scales"], strict=True):
            values = 100 * surface["excess"].sel(scale=scale).transpose(f"logsnr_{coarse}", f"logsnr_{fine}")
            mesh = axis.pcolormesh(
                surface[f"logsnr_{fine}"],
                surface[f"logsnr_{coarse}"],
                values,
                cmap="RdBu_r",
                vmin=-limit,
                vmax=limit,
                shading="nearest",
            )
            for path, style, label in (("best", "-", "optimum"), ("chosen", "--", "from measured errors")):
                points = np.array(row[path])
                axis.plot(points[:, 0], points[:, 1], style, color=INK, lw=1.4, label=label)
            axis.set_title(f"{row['representation']}: error of the scale '{scale}'")
            axis.set_xlabel(f"log-SNR of '{fine}' (nats)")
            axis.set_ylabel(f"log-SNR of '{coarse}' (nats)")
    axes[0, 0].legend(loc="upper left", fontsize=8, framealpha=0.9)
    if mesh is not None:
        figure.colorbar(mesh, ax=axes, label="excess over the closed form (%)", shrink=0.8)
    picture = save_figure(
        figure,
        folder,
        "excess",
        "Errors of trained networks over the closed form, on the same fields and noise. The path that is best for "
        "the measured errors and the true optimum nearly coincide.",
    )
    plt.close(figure)
    return picture
