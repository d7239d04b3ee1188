"""What a second clock is worth: two frequency bands with a noise level each."""

from __future__ import annotations

from typing import Any

import numpy as np

import lift_theory as lt
from experiments.schedules.contenders import Entry
from lift_theory.sampling import OutputError


def two_bands(spectrum: lt.Spectrum) -> lt.GaussianModel:
    """Low and high cosine frequencies, cut at half the size."""
    return lt.GaussianModel(spectrum, lt.DctBands(cutoffs=(spectrum.shape[-1] // 2,)))


def second_clock(
    model: lt.GaussianModel,
    which: Entry,
    metric: str,
    steps: int,
    first: float,
    last: float,
    one_clock: float,
) -> dict[str, Any]:
    """The best two-band path and what it saves over the best schedule of one clock, which is one such path."""
    with np.errstate(invalid="ignore"):  # a squared error that rounds below zero is passed over
        found = OutputError(which.sampler, metric).optimize(model, steps, np.full(2, first), np.full(2, last))
    return {
        "sampler": which.name,
        "metric": metric,
        "steps": steps,
        "one_clock": one_clock,
        "two_bands": found.cost,
        "ratio": found.cost / one_clock,
        "logsnr": found.path.logsnr.tolist(),
        "scales": list(found.path.scales),
        "lead": float(np.median(found.path.lead()[1:-1])) if steps > 1 else 0.0,
    }
