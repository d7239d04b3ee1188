"""Pyramid and Haar networks, trained separately, on the same noise levels under the equivalence map.

At log-SNRs (fine, coarse) of the pyramid the Haar split is asked at (fine, log(g_fine + g_coarse / 4)), where its
posterior is the same. An exact pair of denoisers then has `mmse_fine = mmse_high + mmse_low` and
`mmse_coarse = mmse_low / 4`. Both networks see the same images.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.overcomplete_vs_orthogonal.trained.surfaces import chosen_images
from experiments.processes import Stage, tables
from lift_train import measure
from lift_train.measure.passes import Measurement
from lift_train.measure.surfaces import grid_points, squared_errors

BATCH = 128
SEED = 7
"""Of the noise in both networks' measurements."""


def equivalence(bench: Bench) -> list[dict[str, Any]]:
    """One row per seed: how far both networks' errors are apart, and what the closed form says of the errors."""
    key = {"noise": SEED, "images": bench.images.provenance, "count": bench.sizes.images}
    key |= {"probes": bench.sizes.probes, "axes": bench.axes("pyramid")}
    stages = [
        Stage(
            name=f"equivalence-{seed}",
            inputs={**key, "networks": [bench.identity(name, seed) for name in ("pyramid", "haar")]},
            compute=partial(compare, bench, seed),
        )
        for seed in range(bench.sizes.seeds)
    ]
    return tables(bench.work, "pyramid and Haar networks compared", stages)


def image_of(points: np.ndarray) -> np.ndarray:
    """Haar log-SNRs with the posterior of a pyramid's, (..., 2) to (..., 2)."""
    fine, coarse = points[..., 0], points[..., 1]
    return np.stack([fine, np.logaddexp(fine, coarse - np.log(4.0))], axis=-1)


def compare(bench: Bench, seed: int) -> dict[str, Any]:
    """The networks of one seed."""
    points = grid_points(bench.axes("pyramid"))
    images, _ = chosen_images(bench)
    errors = {}
    for name, at in (("pyramid", points), ("haar", image_of(points))):
        denoiser = bench.denoiser(name, seed)
        task = Measurement.of(denoiser, images, seed=SEED, batch=BATCH, folder=None, progress=False)
        errors[name] = task.run("squared errors", at, squared_errors(denoiser, at, 1), draws=1)
    high, low = errors["haar"][..., 0], errors["haar"][..., 1]
    mapped = np.stack([high + low, low / 4.0], axis=-1)
    exact = np.asarray(bench.models["pyramid"].mmse(points))
    means = {name: value.mean(axis=1) for name, value in (("pyramid", errors["pyramid"]), ("haar", mapped))}
    middle = 0.5 * (means["pyramid"] + means["haar"])
    difference = (errors["pyramid"] - mapped) / middle[:, None]
    relative, count = difference.mean(axis=1), difference.shape[1]
    standard_error = difference.std(axis=1, ddof=1) / np.sqrt(count)
    worst = np.unravel_index(np.argmax(np.abs(relative)), relative.shape)
    grid = [len(axis) for axis in bench.axes("pyramid")]
    return {
        "seed": seed,
        "scales": ["fine", "coarse"],
        "mean_absolute": np.abs(relative).mean(axis=0).tolist(),
        "mean": relative.mean(axis=0).tolist(),
        "root_mean_square": [_beyond_noise(relative[:, k], standard_error[:, k]) for k in range(2)],
        "worst": {
            "scale": ("fine", "coarse")[int(worst[1])],
            "logsnr": points[worst[0]].tolist(),
            "relative": float(relative[worst]),
            "standard_error": float(standard_error[worst]),
            "over_closed_form": {name: float(value[worst] / exact[worst]) for name, value in means.items()},
            "coupling": _coupling(bench, seed, images, points[worst[0]]),
        },
        "relative": relative.reshape(*grid, 2).tolist(),
        "over_closed_form": {name: (value / exact).mean(axis=0).tolist() for name, value in means.items()},
    }


def _beyond_noise(values: np.ndarray, standard_errors: np.ndarray) -> float:
    """Root mean square of what is measured, less what measuring alone would show."""
    return float(np.sqrt(max(np.mean(values**2) - np.mean(standard_errors**2), 0.0)))


def _coupling(bench: Bench, seed: int, images: np.ndarray, point: np.ndarray) -> dict[str, float]:
    """Coupling of the scales in both networks and in the closed form of each, at one pyramid point."""
    found = {}
    for name, at in (("pyramid", point), ("haar", image_of(point))):
        axes = [np.array([value]) for value in at]
        norms = measure.jacobian_norms(
            bench.denoiser(name, seed), images[: bench.sizes.probes], axes, prediction="x0", seed=SEED
        )
        found[name] = float(norms["coupling"].values.reshape(2, 2)[0, 1])
        found[f"{name}_closed_form"] = float(np.asarray(bench.models[name].coupling(at))[0, 1])
    return found
