"""Ten residual scales as VAR has them, on a Gaussian field: ten clocks, one clock, or one scale after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch
from torch.nn.functional import interpolate

import lift_theory as lt
from experiments.processes import Stage
from lift_theory.channels import DenseBlocks
from lift_theory.laws import dct_matrix
from lift_theory.optimize import PathKL
from lift_theory.optimize.refine import refine

SIDES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)
"""Of the token maps of VAR for 256x256 images (Tian et al. 2024, Visual Autoregressive Modeling)."""
FIRST, LAST = -9.0, 9.0
LEADS = {"lock-step": 0.0, "coarse ahead": 1.0, "coarse behind": -1.0}
"""Starts of the search: nats by which every scale leads the next finer one."""


class MirroredScales(lt.LinearScales):
    """Operators on images that commute with mirroring both axes: on DCT modes they fall into four blocks."""

    def blocks(self, law: Any) -> DenseBlocks:
        """Whitened Gram matrices on modes that are even or odd along each axis; one block for a covariance."""
        if not isinstance(law, lt.Spectrum):
            return super().blocks(law)
        modes = np.kron(*(dct_matrix(size) for size in law.shape)).T * np.sqrt(law.variances.ravel())
        odd = [np.arange(size) % 2 for size in law.shape]
        parity = (2 * odd[0][:, None] + odd[1]).ravel()
        seen = [matrix @ modes for matrix in self.operators.values()]
        groups = [[part[:, parity == p] for part in seen] for p in range(4)]
        ranks = np.array([[np.linalg.matrix_rank(part) for part in group] for group in groups])
        return DenseBlocks(
            grams=jnp.asarray(np.array([[part.T @ part for part in group] for group in groups])),
            ranks=jnp.asarray(ranks),
            hidden=jnp.asarray([len(m) for m in seen] - ranks.sum(axis=0), dtype=float),
        )


def residual_scales(sides: tuple[int, ...]) -> MirroredScales:
    """What is left at each side after the coarser ones, finest first; the last side, even, is that of the image.

    From the coarsest side on the residual is averaged down (areas), up-sampled (bicubic) and taken off: Algorithm 1 of
    VAR without quantisation and without the convolutions after up-sampling.
    """
    full = sides[-1]
    rest = torch.eye(full**2, dtype=torch.float64).reshape(full**2, 1, full, full)
    operators = {}
    for side in sides:
        down = interpolate(rest, size=(side, side), mode="area")
        operators[f"side_{side}"] = down.reshape(full**2, -1).T.numpy()
        rest = rest - interpolate(down, size=(full, full), mode="bicubic")
    return MirroredScales(dict(reversed(operators.items())))


@dataclass(frozen=True, kw_only=True)
class Residuals:
    """One row: a spectrum, the sides, and how many steps.

    Attributes:
        name: of the spectrum.
        spectrum: its variances.
        sides: of the scales, coarsest first.
        steps: of all paths.
        iterations: quadratic programs from every start.
    """

    name: str
    spectrum: lt.Spectrum
    sides: tuple[int, ...]
    steps: int
    iterations: int

    def stage(self) -> Stage:
        """The row as a stage of a workspace."""
        inputs = {
            "variances": self.spectrum.variances,
            "sides": self.sides,
            "steps": self.steps,
            "iterations": self.iterations,
            "ends": (FIRST, LAST),
            "version": lt.__version__,
        }
        return Stage(name=f"residuals-{self.name}-{self.steps}", inputs=inputs, compute=partial(row_of, self))


def row_of(row: Residuals) -> dict[str, Any]:
    """Costs in nats of ten clocks, lock-step and staging, with the floor of all linear representations."""
    scales = residual_scales(row.sides)
    model = lt.GaussianModel(row.spectrum, scales)
    ends = (row.steps, FIRST, LAST)
    levels = np.arange(1, len(model.scales))
    starts = {
        name: lt.constant_lead_path(model, *ends, lead * levels, "logsnr")
        if lead
        else lt.diagonal_path(model, *ends)
        for name, lead in LEADS.items()
    }
    derivatives = PathKL().derivatives(model)
    found = {
        name: refine(derivatives, start.logsnr, max_iterations=row.iterations)
        for name, start in starts.items()
    }
    best = min(found.values(), key=lambda f: f.cost)
    one = lt.GaussianModel(row.spectrum, lt.SingleScale())
    staged = lt.staged_path(model, *ends)
    return {
        "name": row.name,
        "steps": row.steps,
        "sides": list(row.sides),
        "coefficients": sum(model.sizes),
        "redundancy": scales.redundancy(row.spectrum.shape),
        "floor": lt.lower_bound(model, *ends),
        "optimal": best.cost,
        "kkt_residual": best.kkt_residual,
        "lock_step": float(lt.path_kl(model, starts["lock-step"])),
        "staged": float(lt.path_kl(model, staged)),
        "one_scale": float(lt.path_kl(one, lt.diagonal_path(one, *ends))),
        "one_scale_floor": lt.lower_bound(one, *ends),
        "starts": {name: f.cost for name, f in found.items()},
        "staged_steps": np.count_nonzero(np.diff(staged.logsnr, axis=0) > 0, axis=0).tolist(),
        "median_leads": np.median(best.logsnr[1:-1, 1:] - best.logsnr[1:-1, :1], axis=0).tolist(),
        "logsnr": best.logsnr.tolist(),
    }
