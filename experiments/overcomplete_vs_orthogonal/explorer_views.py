"""The closed-form surfaces and the paths on them, as views of the explorer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray

import lift_theory as lt
from experiments.explorer import Quantity, Route, View
from experiments.overcomplete_vs_orthogonal.contenders import PATHS, Contender

CLOSED_FORM = "closed form, Gaussian data of the measured spectrum"
"""Heading of these views in the menu."""
MOST_POINTS = 65
"""Per axis: finer grids make the page large and look the same."""
ROUTE_COLOURS = {
    "best": "#d1495b",
    "diagonal": "#00798c",
    "diagonal_uniform": "#d17a00",
    "equal_information": "#3f6fd8",
    "coarse_ahead": "#8d5a97",
    "fine_ahead": "#6b7f1e",
    "coarse_first": "#3d3d3d",
    "fine_first": "#8a4b2a",
}
SHOWN = ("best", "diagonal", "coarse_first")
"""Paths drawn before the reader has chosen."""


def closed_form_views(
    surfaces: dict[str, xarray.Dataset],
    models: dict[str, lt.GaussianModel],
    rows: list[dict[str, Any]],
    entries: Sequence[Contender],
    preset: Any,
) -> list[View]:
    """One view per representation, surfaces before curves; quantities of one name share their colour scale."""
    quantities = {
        c.name: surface_quantities(surfaces[c.name], _pixel_values(models[c.name])) for c in entries
    }
    limits = shared_limits([q for found in quantities.values() for q in found])
    return [
        View(
            key=f"closed-form-{c.name}",
            label=c.label,
            group=CLOSED_FORM,
            scales=models[c.name].scales,
            axes=[axis[kept(len(axis))] for axis in _axes(surfaces[c.name])],
            quantities=[_with_limits(q, limits[q.key]) for q in quantities[c.name]],
            routes=_routes(rows, c.name, preset.headline, _pixel_values(models[c.name])),
            note="Exact for Gaussian data with the measured spectrum; every dot of a path is one network call.",
        )
        for c in sorted(entries, key=lambda c: len(models[c.name].scales) == 1)
    ]


def surface_quantities(surface: xarray.Dataset, pixel_values: int) -> list[Quantity]:
    """What is shown of an error surface, per coefficient or per pixel value and thinned to what a page needs."""
    scales = [str(name) for name in surface["scale"].values]
    thin = np.ix_(*(kept(len(axis)) for axis in _axes(surface)))
    sizes = surface["size"].values
    found = [
        Quantity(
            key=f"error-{k}",
            label=f"error of '{scale}' per coefficient",
            units="squared data units",
            values=surface["mmse"].values[..., k][thin] / sizes[k],
            logarithmic=True,
        )
        for k, scale in enumerate(scales)
    ]
    found += [
        Quantity(
            key="information",
            label="mutual information of data and noisy scales",
            units="nats per pixel",
            values=surface["mutual_information"].values[thin] / pixel_values,
            logarithmic=True,
        ),
        Quantity(
            key="step_cost",
            label="cost of a lock-step move",
            units="nats per pixel and squared nat",
            values=surface["step_cost"].values.sum(axis=-1)[thin] / pixel_values,
            logarithmic=True,
        ),
    ]
    if len(scales) == 2:
        found.append(
            Quantity(
                key="coupling",
                label="coupling of the two scales",
                units="",
                values=surface["coupling"].values[..., 0, 1][thin],
                limits=(0.0, 1.0),
            )
        )
    return found


def shared_limits(quantities: Sequence[Quantity]) -> dict[str, tuple[float, float] | None]:
    """Colour limits per key that hold every quantity of that key."""
    limits: dict[str, tuple[float, float] | None] = {}
    for q in quantities:
        low, high = q.limits or (float(np.min(q.values)), float(np.max(q.values)))
        so_far = limits.get(q.key)
        if so_far is not None:
            low, high = min(low, so_far[0]), max(high, so_far[1])
        limits[q.key] = (low, high) if low < high else None
    return limits


def kept(points: int) -> np.ndarray:
    """Indices of at most `MOST_POINTS` grid points of an axis, both ends among them."""
    return np.unique(np.linspace(0, points - 1, min(points, MOST_POINTS)).round().astype(int))


def _with_limits(quantity: Quantity, limits: tuple[float, float] | None) -> Quantity:
    return dataclasses.replace(quantity, limits=limits)


def _axes(surface: xarray.Dataset) -> list[np.ndarray]:
    return [surface[f"logsnr_{name}"].values for name in surface["scale"].values]


def _pixel_values(model: lt.GaussianModel) -> int:
    return int(model.law.size)


def _routes(rows: list[dict[str, Any]], name: str, steps: int, pixel_values: int) -> list[Route]:
    return [
        Route(
            key=row["path"],
            label=PATHS[row["path"]],
            points=np.array(row["logsnr"]),
            note=f"{row['nats'] / pixel_values:.4f} nats per pixel, "
            f"{100 * row['nats'] / row['floor_nats']:.1f}\u00a0% of the floor",
            colour=ROUTE_COLOURS[row["path"]],
            shown=row["path"] in SHOWN,
        )
        for row in rows
        if row["representation"] == name and row["steps"] == steps
    ]
