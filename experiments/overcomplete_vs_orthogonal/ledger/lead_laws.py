"""Exact squared W2 of the images that DDIM or Heun make from pure noise along a path to clean data.

The same numbers as `lift_theory.sampling_error`, by plain matrix algebra on stacked blocks: nothing is compiled, which
for a few dozen paths of many lengths is what takes time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

import lift_theory as lt
from lift_theory.sampling.state import state_of

Solver = Literal["ddim", "heun"]


def squared_w2(model: lt.GaussianModel, paths: Sequence[lt.Path], solver: Solver) -> list[float]:
    """Squared 2-Wasserstein distance of sampled and true images, for every path to clean data.

    Sampling begins with N(0, sigma^2), as it does in practice.

    Raises:
        ValueError: for a path that does not end at clean data.
    """
    groups = [
        (
            np.moveaxis(np.asarray(blocks.factors), -1, 0),
            np.moveaxis(np.asarray(blocks.image), -1, 0),
            np.array(blocks.scales),
        )
        for blocks in state_of(model).groups
    ]
    for path in paths:
        if not np.isinf(path.logsnr[-1]).all():
            raise ValueError("paths must end at clean data; use path.to_clean_data()")
    return [float(sum(_of_blocks(*group, path.logsnr, solver) for group in groups)) for path in paths]


def _of_blocks(
    factors: Float[np.ndarray, "blocks rows members"],
    image: Float[np.ndarray, "blocks modes rows"],
    scales: np.ndarray,
    logsnr: Float[np.ndarray, "points scales"],
    solver: Solver,
) -> float:
    rows = len(scales)
    state = np.broadcast_to(np.diag(np.exp(-0.5 * logsnr[0, scales])), (len(factors), rows, rows))
    for start, stop in zip(logsnr[:-2, scales], logsnr[1:-1, scales], strict=True):
        denoised = _denoised(factors, state, start)
        ratio = np.exp(0.5 * (start - stop))[:, None]
        noise = state - denoised
        moved = denoised + ratio * noise
        if solver == "heun":
            again = (moved - _denoised(factors, moved, stop)) / ratio
            moved = state - 0.5 * (1.0 - ratio) * (noise + again)
        state = moved
    sampled = image @ _denoised(factors, state, logsnr[-2, scales])
    true = image @ factors
    overlap = np.linalg.svd(np.swapaxes(true, 1, 2) @ sampled, compute_uv=False).sum()
    return max(float(np.sum(sampled**2) + np.sum(true**2) - 2.0 * overlap), 0.0)


def _denoised(
    factors: Float[np.ndarray, "blocks rows members"],
    state: Float[np.ndarray, "blocks rows sources"],
    logsnr: Float[np.ndarray, " rows"],
) -> Float[np.ndarray, "blocks rows sources"]:
    """Posterior mean of the clean rows."""
    weighted = np.swapaxes(factors * np.exp(logsnr)[:, None], 1, 2)
    precision = weighted @ factors + np.eye(factors.shape[2])
    return factors @ np.linalg.solve(precision, weighted @ state)
