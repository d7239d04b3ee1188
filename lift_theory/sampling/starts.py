"""Paths to begin a search from: curves of leading errors and the shapes of published schedules."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from lift_theory.gaussian import GaussianModel
from lift_theory.sampling.curves import LOCAL_ERRORS, OutputCurve, joined_curve, self_consistent_curve
from lift_theory.sampling.samplers import DDIM, Ancestral, Sampler
from lift_theory.sampling.state import state_of
from lift_theory.sampling.variance_preserving import VPLinear
from lift_theory.schedules import LISTS, published_path

Ends = Float[np.ndarray, " scales"]
Points = Float[np.ndarray, "points scales"]


def starts(
    model: GaussianModel, sampler: Sampler, metric: str, steps: int, first: Ends, last: Ends
) -> Iterator[tuple[str, Points]]:
    """Named paths with these ends.

    An optimum found from the best of them is at least as good as all of them, published schedules included.
    """
    straight = first + np.linspace(0.0, 1.0, steps + 1)[:, None] * (last - first)
    curves = {"self-consistent curve": sampler} if type(sampler) in LOCAL_ERRORS else {}
    for name, of in (curves or {"curve of DDIM": DDIM(), "curve of ancestral sampling": Ancestral()}).items():
        curve = separate_curve(model, of, metric, first, last).path(steps).logsnr
        yield name, curve
        yield f"half-way from {name} to uniform log-SNR", 0.5 * (curve + straight)
    yield "uniform log-SNR", straight
    diffusion = getattr(sampler, "diffusion", None)
    if isinstance(diffusion, VPLinear):
        times = np.asarray(diffusion.time(np.stack([first, last])))
        even = times[0] + np.linspace(0.0, 1.0, steps + 1)[:, None] * (times[1] - times[0])
        yield "uniform time", diffusion.logsnr(even)
    for name in ("edm", "arctan", *LISTS):
        columns = [
            published_path(name, steps, a, b).logsnr[:, 0] if b > a else np.full(steps + 1, a)
            for a, b in zip(first, last, strict=True)
        ]
        yield name, np.stack(columns, axis=1)


def separate_curve(
    model: GaussianModel, sampler: Sampler, metric: str, first: Ends, last: Ends
) -> OutputCurve:
    """The curves of the scales, each as if it were alone; exact where they are independent.

    Raises:
        ValueError: if the leading error of the sampler is not known.
    """
    error = LOCAL_ERRORS.get(type(sampler))
    if error is None:
        names = ", ".join(sorted(kind.__name__.replace("Sigma", "") for kind in LOCAL_ERRORS))
        raise ValueError(
            f"the leading error is known for {names}, not for {type(sampler).__name__}. "
            "Use one of these, or optimal_path, which needs no curve."
        )
    parts = [
        self_consistent_curve(*own_variances(model, k), float(a), float(b), error, metric)
        for k, (a, b) in enumerate(zip(first, last, strict=True))
    ]
    return joined_curve(parts, tuple(model.scales), error.order)


def own_variances(model: GaussianModel, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Clean variances of the coefficients of one scale, in the coordinates of its blocks, and counts of one."""
    variances = np.concatenate(
        [
            np.sum(np.asarray(blocks.factors)[np.array(blocks.scales) == scale] ** 2, axis=1).ravel()
            for blocks in state_of(model).groups
        ]
    )
    return variances, np.ones(len(variances))
