"""Sampling the trained networks along every path, and how far what they return is from what it should be.

Two measurements, because they answer different questions. The distance to images compares laws: it contains what the
network has not learned and what a finite sample cannot show. The discretization error compares each sample with the one
that the same network makes from the same noise in the limit of small steps: it contains nothing else, and for a linear
denoiser of one scale it *is* the squared W2 distance that theory predicts. The limit is extrapolated: DDIM is of first
order, so a path whose steps are divided into m parts has an m-th of the error, and a sample is m / (m - 1) times as far
from the limit as from the divided path's.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any, Literal

import numpy as np

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.trained.bench import NETWORKS, Bench
from experiments.overcomplete_vs_orthogonal.trained.routes import ANCESTRAL, predicted, routes
from experiments.overcomplete_vs_orthogonal.trained.surfaces import measured_surface
from experiments.processes import Stage, tables
from lift_train import features, metrics, sample

FINER = 6
"""Parts that every step is divided into for the reference of the discretization error."""
COUPLED = 96
"""Images that are also sampled in such small steps."""
SHOWN = 6
"""Images whose way through the path is kept for the report."""
BATCH = 128


def sampled(bench: Bench) -> list[dict[str, Any]]:
    """What every network returns along every path: one row per representation, seed, path and sampler."""
    asked = [
        (name, seed, route, sampler)
        for seed in range(bench.sizes.seeds)
        for name in NETWORKS
        for route in [*routes(bench, name), measured_route(bench, name, seed)]
        for sampler in ("ddim", "ancestral")
        if sampler == "ddim" or route["path"] in ANCESTRAL
    ]
    stages = [
        Stage(
            name=f"samples-{name}-{seed}-{route['path']}-{sampler}",
            inputs={
                **bench.identity(name, seed),
                "images": bench.images.provenance,
                "logsnr": route["logsnr"],
                "sampler": sampler,
                "seed": seed,
                "sizes": [bench.sizes.samples, FINER, COUPLED, bench.sizes.reference],
                "reference": "extrapolated to first order",
            },
            compute=partial(distances, bench, name, seed, route["logsnr"], sampler),
        )
        for name, seed, route, sampler in asked
    ]
    return [
        {
            **{k: v for k, v in route.items() if k != "w2"},
            "seed": seed,
            "sampler": sampler,
            "predicted_w2_squared": route["w2"][sampler] ** 2,
            **numbers,
        }
        for (_, seed, route, sampler), numbers in zip(
            asked, tables(bench.work, "sampling", stages), strict=True
        )
    ]


def measured_route(bench: Bench, name: str, seed: int) -> dict[str, Any]:
    """The best path for path KL on a network's own measured errors, with what the closed form says of it."""
    key = {**bench.identity(name, seed), **bench.inputs, "sizes": [bench.sizes.steps, bench.sizes.points]}
    key["images"] = bench.sizes.images

    def found() -> dict[str, Any]:
        start, stop = bench.ends(name)
        model = lt.MeasuredModel(measured_surface(bench, name, seed))
        best = lt.optimal_path(model, bench.sizes.steps - 1, start, stop).path
        rows = routes(bench, name)
        costs = {
            row["path"]: lt.path_kl(model, lt.Path(row["logsnr"], model.scales))
            for row in rows
            if row["path"] in ("best", "lockstep_kl", "lockstep_uniform", "coarse_first")
        }
        return {
            "representation": name,
            "path": "measured",
            "steps": bench.sizes.steps,
            "logsnr": best.logsnr.tolist(),
            "measured_nats": {"measured": lt.path_kl(model, best), **costs},
            "misfit": model.misfit,
            **predicted(bench.models[name], best),
        }

    return bench.work.table(f"measured-path-{name}-{seed}", key, found)


def refined(path: lt.Path, parts: int) -> lt.Path:
    """The path with every step divided into equal parts, in log-SNR."""
    old = np.arange(path.steps + 1)
    new = np.arange(path.steps * parts + 1) / parts
    columns = [np.interp(new, old, path.logsnr[:, k]) for k in range(path.logsnr.shape[1])]
    return lt.Path(np.stack(columns, axis=1), path.scales)


def distances(bench: Bench, name: str, seed: int, logsnr: list[list[float]], sampler: Any) -> dict[str, Any]:
    """Samples of one network along one path, and how far they are from images and from finer steps."""
    denoiser, path = bench.denoiser(name, seed), lt.Path(np.array(logsnr))
    found = sample(denoiser, path.to_clean_data(), bench.sizes.samples, sampler, seed, batch=BATCH)
    result: dict[str, Any] = {"calls": found.calls}
    for part in ("train", "held_out"):
        images = reference(bench, part)
        result[f"fd_{part}"] = metrics.frechet_distance(found.images, images, draws=2).value
        result[f"kd_{part}"] = metrics.kernel_distance(found.images, images, TEXTURE).value
    if sampler == "ddim":
        count = min(COUPLED, bench.sizes.samples)
        exact = sample(denoiser, refined(path, FINER).to_clean_data(), count, sampler, seed, batch=BATCH)
        apart = (found.images[:count] - exact.images) * FINER / (FINER - 1.0)
        errors = (apart**2).reshape(count, -1).sum(axis=1)
        result["flow_error"] = float(errors.mean())
        result["flow_error_standard_error"] = float(errors.std(ddof=1) / np.sqrt(count))
    return result


def reference(bench: Bench, part: Literal["train", "held_out"]) -> np.ndarray:
    """The images, evenly spaced, that distances are taken to."""
    images = bench.images.train if part == "train" else bench.images.held_out
    return images[
        np.linspace(0, len(images) - 1, min(bench.sizes.reference, len(images))).round().astype(int)
    ]


class _Remembered:
    """Features that keep what they gave for the same images: those of the reference are asked for at every path."""

    def __init__(self, features: features.Features) -> None:
        self.features, self.name = features, features.name
        self.found: dict[bytes, np.ndarray] = {}

    def __call__(self, images: Any) -> np.ndarray:
        key = hashlib.sha256(np.asarray(images).tobytes()).digest()
        if key not in self.found:
            self.found[key] = self.features(images)
        return self.found[key]


TEXTURE = _Remembered(features.RandomConvolutions())


def strip(denoiser: Any, path: lt.Path, seed: int = 0, images: int = SHOWN) -> np.ndarray:
    """What the network predicts at every point of a path, for a few images: (calls, images, height, width[, 3])."""
    frames: list[np.ndarray] = []

    class Watched:
        scales = denoiser.scales

        def __call__(self, zs: Any, logsnr: Any) -> Any:
            found = denoiser(zs, logsnr)
            frames.append(self.scales.array(self.scales.synthesise(found)))
            return found

    sample(Watched(), path.to_clean_data(), images, "ddim", seed, batch=images, device="cpu")
    return np.stack(frames)
