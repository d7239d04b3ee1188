"""Training and measuring one network, each done once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray

import lift_theory as lt
from experiments.workspace import Workspace, digest
from lift_train import LinearDenoiser, Run, TrainConfig, data, load_denoiser, measure, train

if TYPE_CHECKING:
    from experiments.trained_fields import Preset

FRESH = 77
"""Seed of the fields that are measured; training and held-out fields have others."""


def trained(work: Workspace, config: TrainConfig, images: data.Images) -> Run:
    """The run of a configuration, trained to its end."""
    folder = work.folder / "runs" / f"{config.representation}-{digest(config.to_json())[:12]}"
    return train(config, folder, images=images, console=work.console)


def law_of(config: TrainConfig) -> lt.Spectrum:
    """The law that the fields of a configuration are drawn from."""
    return lt.Spectrum.power_law((config.size, config.size), float(config.data.partition(":")[2]))


def measured(work: Workspace, run: Run, preset: Preset) -> tuple[xarray.Dataset, dict[str, Any]]:
    """Errors of a network beside the closed form, the path that they suggest, and the bound of Align Your Steps."""
    config = run.config
    law = law_of(config)
    denoiser = load_denoiser(run.folder)
    model = lt.GaussianModel(law, denoiser.scales.representation)
    fields = law.sample(preset.images, seed=FRESH)
    axis = np.linspace(-preset.end, preset.end, preset.points)
    inputs = {
        "config": config.to_json(),
        "step": run.step,
        "axis": axis,
        "images": preset.images,
        "steps": preset.steps,
        "version": lt.__version__,
    }
    name = config.representation

    def surface() -> xarray.Dataset:
        work.console.print(f"Measuring the network for {name} at {preset.points}^2 noise levels ...")
        options: dict[str, Any] = {"seed": FRESH, "batch": 128, "per_image": True}
        parts = work.folder / "parts" / digest(inputs)[:12]
        found = measure.error_surface(denoiser, fields, axis, folder=parts, **options)
        exact = measure.error_surface(LinearDenoiser(denoiser.scales, law.variances), fields, axis, **options)
        return _with_excess(found, exact, model, axis)

    dataset = work.dataset(f"surface-{name}", inputs, surface)

    def costs() -> dict[str, Any]:
        best = lt.optimal_path(model, preset.steps, -preset.end, preset.end)
        chosen = lt.optimal_path(lt.MeasuredModel(dataset), preset.steps, -preset.end, preset.end)
        bound = measure.ays_bound(denoiser, fields, best.path, seed=FRESH, pairs=2, batch=128)
        true = lt.path_kl(model, chosen.path)
        return {
            "best": best.path.logsnr.tolist(),
            "best_cost": best.cost,
            "chosen": chosen.path.logsnr.tolist(),
            "chosen_cost": true,
            "path_excess": 100.0 * (true / best.cost - 1.0),
            "ays": bound.value,
            "ays_standard_error": bound.standard_error,
            "ays_sigmas": (bound.value - best.cost) / bound.standard_error,
        }

    excess = 100.0 * dataset["excess"].values
    errors = 100.0 * dataset["excess_standard_error"].values
    grid = tuple(range(excess.ndim - 1))
    return dataset, {
        "representation": name,
        "scales": list(model.scales),
        "parameters": sum(p.numel() for p in denoiser.parameters()),
        "images_seen": run.step * config.batch,
        "excess": excess.tolist(),
        "mean_excess": excess.mean(axis=grid).tolist(),
        "worst_excess": excess.max(axis=grid).tolist(),
        "excess_standard_error": float(errors.max()),
        **work.table(f"costs-{name}", inputs, costs),
    }


def _with_excess(
    found: xarray.Dataset, exact: xarray.Dataset, model: lt.GaussianModel, axis: np.ndarray
) -> xarray.Dataset:
    """The measured surface with the excess over the closed form, relative to it.

    The exact denoiser is measured on the same fields with the same noise, and the difference is what counts: its
    mean is the excess, and what the fields have in common drops out.
    """
    theory = lt.error_surface(model, axis)
    difference = found["squared_error"] - exact["squared_error"]
    relative = difference / theory["mmse"]
    count = difference.sizes["image"]
    return found.drop_vars("squared_error").assign(
        excess=relative.mean("image"),
        excess_standard_error=relative.std("image", ddof=1) / np.sqrt(count),
        closed_form=theory["mmse"],
        exact=exact["mmse"],
    )
