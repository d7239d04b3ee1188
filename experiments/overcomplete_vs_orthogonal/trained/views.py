"""Measured surfaces of trained networks as views of the explorer, with images along every path."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray

import lift_theory as lt
from experiments.explorer import Quantity, Route, Strip, View
from experiments.overcomplete_vs_orthogonal.explorer_views import ROUTE_COLOURS
from experiments.overcomplete_vs_orthogonal.trained.bench import NETWORKS, Bench
from experiments.overcomplete_vs_orthogonal.trained.routes import ROUTES
from experiments.overcomplete_vs_orthogonal.trained.samples import SHOWN, strip
from experiments.overcomplete_vs_orthogonal.trained.surfaces import measured_surface

TRAINED = "trained networks, measured"
"""Heading of these views in the menu."""
COLOURS = {
    "best": ROUTE_COLOURS["best"],
    "measured": "#b0006d",
    "best_w2": "#1b7f4b",
    "lockstep_w2": ROUTE_COLOURS["diagonal"],
    "lockstep_kl": "#2f4b8f",
    "lockstep_uniform": ROUTE_COLOURS["diagonal_uniform"],
    "equal_information": ROUTE_COLOURS["equal_information"],
    "coarse_ahead": ROUTE_COLOURS["coarse_ahead"],
    "fine_ahead": ROUTE_COLOURS["fine_ahead"],
    "coarse_first": ROUTE_COLOURS["coarse_first"],
}
DRAWN = ("best", "best_w2", "lockstep_w2", "coarse_first")
"""Paths drawn before the reader has chosen."""


def trained_views(bench: Bench, samples: list[dict[str, Any]]) -> list[View]:
    """One view per representation: the network of the first seed."""
    return [_view(bench, name, samples) for name in sorted(NETWORKS, key=lambda n: n == "single")]


def _view(bench: Bench, name: str, samples: list[dict[str, Any]]) -> View:
    model, surface = bench.models[name], measured_surface(bench, name, 0)
    rows = [r for r in samples if (r["representation"], r["seed"], r["sampler"]) == (name, 0, "ddim")]
    frames = _strips(bench, name, rows)
    return View(
        key=f"trained-{name}",
        label=f"{bench.contenders[name].label}, network",
        group=TRAINED,
        scales=model.scales,
        axes=bench.axes(name),
        quantities=_quantities(bench, name, surface),
        routes=[_route(row, frames) for row in rows],
        note=f"Errors of one network on {bench.sizes.images} training images of {bench.images.size} x "
        f"{bench.images.size}; the pictures are what it predicts at every point of the path, from the same noise.",
    )


def _quantities(bench: Bench, name: str, surface: xarray.Dataset) -> list[Quantity]:
    errors, sizes = surface["mmse"].values, surface["size"].values
    points = np.stack(np.meshgrid(*bench.axes(name), indexing="ij"), axis=-1)
    exact = np.asarray(bench.models[name].mmse(points))
    scales = bench.models[name].scales
    return [
        *[
            Quantity(
                key=f"error-{k}",
                label=f"error of '{scale}' per coefficient",
                units="squared data units",
                values=errors[..., k] / sizes[k],
                logarithmic=True,
            )
            for k, scale in enumerate(scales)
        ],
        *[
            Quantity(
                key=f"ratio-{k}",
                label=f"error of '{scale}' over the best linear denoiser's",
                units="",
                values=errors[..., k] / exact[..., k],
            )
            for k, scale in enumerate(scales)
        ],
    ]


def _route(row: dict[str, Any], frames: xarray.Dataset) -> Route:
    path = lt.Path(row["logsnr"]).to_clean_data()
    shown = frames[row["path"]].values.astype(float)
    shown = np.concatenate([shown, shown[-1:]])  # clean data: the last prediction is the sample
    return Route(
        key=row["path"],
        label=ROUTES[row["path"]],
        points=path.logsnr,
        note=f"discretization error {row['flow_error']:.3g} squared pixel units per image (closed form "
        f"{row['predicted_w2_squared']:.3g}), Fr\u00e9chet distance {row['fd_train']:.3g}",
        colour=COLOURS[row["path"]],
        shown=row["path"] in DRAWN,
        strip=Strip(frames=shown, caption="What the network predicts, for the same noise on every path"),
    )


def _strips(bench: Bench, name: str, rows: list[dict[str, Any]]) -> xarray.Dataset:
    paths = {row["path"]: row["logsnr"] for row in rows}
    key = {**bench.identity(name, 0), "paths": paths, "images": SHOWN}

    def found() -> xarray.Dataset:
        denoiser = bench.denoiser(name, 0)
        return xarray.Dataset(
            {
                path: (
                    ("call", "image", "y", "x", "channel")[: 4 + (bench.images.channels == 3)],
                    strip(denoiser, lt.Path(points)).astype(np.float32),
                )
                for path, points in paths.items()
            }
        )

    return bench.work.dataset(f"strips-{name}", key, found)
