"""What is computed: designs of bands and groups, coupled scales, and the joint search on octave bands."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

import lift_theory as lt
from lift_theory.optimize import PathKL, refine

START, STOP = -9.0, 9.0
"""Log-SNRs of both ends of every scale."""
OBJECTIVES: dict[str, PathKL | lt.OutputError] = {"path_kl": PathKL(), "w2": lt.OutputError()}
COUPLED = {"pyramid": lt.AveragePyramid, "haar": lt.HaarBands}

Variances = Float[np.ndarray, "*channels height width"]
Row = dict[str, Any]


def designs(variances: Variances, objective: str, steps: int, most: int) -> list[Row]:
    """Best bands, octave bands and free groups for 1, 2, ... clocks, and the estimates that lead to the limit."""
    spectrum, cost = lt.Spectrum(variances), OBJECTIVES[objective]
    key = {"objective": objective, "size": spectrum.shape[-1], "steps": steps}
    bands = lt.best_bands(spectrum, min(most, spectrum.shape[-1]), steps, START, STOP, cost)
    groups = lt.best_groups(spectrum, bands.clocks, steps, START, STOP, cost)
    rows: list[Row] = []
    families: dict[str, tuple[lt.ClockDesign, ...]] = {
        "best": (*bands.fewer, bands),
        "free": (*groups.fewer, groups),
    }
    for family, members in families.items():
        for design in members:
            found = {
                "family": family,
                "clocks": design.clocks,
                "cost": design.cost,
                "floor": design.lower_bound,
                "edges": list(design.edges),
                "kkt_residual": design.kkt_residual,
                "estimate_error": design.estimate_error,
            }
            rows.append({**key, **found})
    rows[0]["estimates"] = bands.estimates.tolist()
    for band in (*bands.fewer, bands):
        if np.isfinite(band.octave_cost):
            edges = [spectrum.shape[-1] >> level for level in range(1, band.clocks)]
            found = {"family": "octave", "clocks": band.clocks, "cost": band.octave_cost}
            rows.append({**key, **found, "floor": bands.lower_bound, "edges": edges})
    return rows


def coupled(variances: Variances, family: str, levels: int, steps: int) -> Row:
    """Path KL of scales that are not independent, refined from lock-step and from coarse scales that come late."""
    spectrum = lt.Spectrum(variances)
    model = lt.GaussianModel(spectrum, COUPLED[family](levels=levels))
    derivatives = PathKL().derivatives(model)
    found = [refine(derivatives, start) for start in _starts(spectrum, levels, steps)]
    best = min(found, key=lambda f: f.cost)
    return {
        "objective": "path_kl",
        "size": spectrum.shape[-1],
        "steps": steps,
        "family": family,
        "clocks": levels,
        "cost": best.cost,
        "floor": lt.lower_bound(model, steps, START, STOP),
        "kkt_residual": best.kkt_residual,
        "disagreement": max(f.cost for f in found) / best.cost - 1.0,
    }


def joint(variances: Variances, clocks: int, steps: int) -> Row:
    """Octave bands searched with all clocks together, and one by one."""
    spectrum = lt.Spectrum(variances)
    size = spectrum.shape[-1]
    cutoffs = tuple(size >> level for level in range(1, clocks))
    model = lt.GaussianModel(spectrum, lt.DctBands(cutoffs))
    together = refine(PathKL().derivatives(model), _starts(spectrum, clocks, steps)[0])
    shell = np.maximum(*np.ogrid[:size, :size])
    alone = 0.0
    for upper, lower in pairwise((size, *cutoffs, 0)):
        own = lt.Spectrum(np.where((shell >= lower) & (shell < upper), variances, 0.0))
        alone += lt.optimal_path(lt.GaussianModel(own, lt.SingleScale()), steps, START, STOP).cost
    return {
        "size": size,
        "steps": steps,
        "clocks": clocks,
        "together": together.cost,
        "alone": alone,
        "kkt_residual": together.kkt_residual,
        "iterations": together.iterations,
    }


def _starts(spectrum: lt.Spectrum, scales: int, steps: int) -> list[Float[np.ndarray, "points scales"]]:
    """The best schedule of one clock for all scales, and the same with every coarser scale a nat later."""
    model = lt.GaussianModel(spectrum, lt.SingleScale())
    one = lt.optimal_path(model, steps, START, STOP).path.logsnr
    late = np.maximum(one - np.arange(scales), START)
    late[-1] = STOP
    return [np.repeat(one, scales, axis=1), late]
