"""Errors of the trained networks on a grid of noise levels, each network measured once for all who ask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from jaxtyping import Float

from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.processes import quiet, spread
from experiments.workspace import Workspace, digest
from lift_train import load_denoiser, measure

NOISE = 5
"""Seed of the noise, the same for every network."""
LEAST_SOURCES = 10
"""Below so many photographs their number says too little to estimate a spread between them."""
BATCH = 128


def chosen_images(bench: Bench) -> tuple[Float[np.ndarray, "n height width"], list[str] | None]:
    """The training images that errors are measured on, evenly spaced, and their sources if there are enough."""
    available = len(bench.images.train)
    count = min(bench.sizes.images, available)
    index = np.linspace(0, available - 1, count).round().astype(int)
    sources = [bench.images.train_sources[i] for i in index]
    return bench.images.train[index], sources if len(set(sources)) >= LEAST_SOURCES else None


def measured_surface(bench: Bench, name: str, seed: int) -> xarray.Dataset:
    """Squared errors of a trained network between the ends of its contender, with standard errors over images.

    All networks see the same images, and those of one representation the same noise.
    """
    return _stage(bench.work, name, seed, _inputs(bench, name, seed), bench.runs[name][seed].folder)


def measure_all(bench: Bench) -> None:
    """Measure every network of the bench, side by side."""
    keys = [(name, seed) for name, runs in bench.runs.items() for seed in range(len(runs))]
    inputs = {key: _inputs(bench, *key) for key in keys}

    def fill() -> list[str]:
        jobs = [
            partial(_fill, bench.work.folder, name, seed, inputs[name, seed], bench.runs[name][seed].folder)
            for name, seed in keys
        ]
        return spread(bench.work, "error surfaces", jobs)

    # which are done is itself a stage: processes start slowly, and one stage says that none is needed
    bench.work.table("surfaces", {f"{n}-{s}": digest(inputs[n, s]) for n, s in keys}, fill)


def _inputs(bench: Bench, name: str, seed: int) -> dict[str, Any]:
    images, sources = chosen_images(bench)
    return {
        **bench.identity(name, seed),
        "axes": bench.axes(name),
        "images": images,
        "sources": sources,
        "noise": NOISE,
    }


def _fill(folder: Path, name: str, seed: int, inputs: dict[str, Any], run: Path) -> str:
    _stage(Workspace(folder=folder, console=quiet()), name, seed, inputs, run)
    return f"{name}-{seed}"


def _stage(work: Workspace, name: str, seed: int, inputs: dict[str, Any], run: Path) -> xarray.Dataset:
    axes: Sequence[np.ndarray] = inputs["axes"]

    def compute() -> xarray.Dataset:
        return measure.error_surface(
            load_denoiser(run),
            inputs["images"],
            list(axes),
            seed=inputs["noise"],
            batch=BATCH,
            per_image=False,
            groups=inputs["sources"],
            folder=work.folder / "parts" / digest(inputs)[:16],
        )

    return work.dataset(f"surface-{name}-{seed}", inputs, compute)
