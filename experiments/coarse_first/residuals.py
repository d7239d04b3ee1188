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

SIDES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)
"""Of the token maps of VAR for 256x256 images (Tian et al. 2024, Visual Autoregressive Modeling)."""
FIRST, LAST = -9.0, 9.0
GAP = 0.05
"""Share of the cost by which ten clocks may exceed the floor before more starts are tried."""


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
    """

    name: str
    spectrum: lt.Spectrum
    sides: tuple[int, ...]
    steps: int

    def stage(self) -> Stage:
        """The row as a stage of a workspace."""
        inputs = {
            "variances": self.spectrum.variances,
            "sides": self.sides,
            "steps": self.steps,
            "ends": (FIRST, LAST),
            "version": lt.__version__,
        }
        return Stage(name=f"residuals-{self.name}-{self.steps}", inputs=inputs, compute=partial(row_of, self))


def row_of(row: Residuals) -> dict[str, Any]:
    """Costs in nats of ten clocks, lock-step and staging, with the floor of all linear representations."""
    scales = residual_scales(row.sides)
    model = lt.GaussianModel(row.spectrum, scales)
    ends = (row.steps, FIRST, LAST)
    best = lt.optimal_path(model, *ends, gap=GAP)
    lock_step = lt.diagonal_path(model, *ends)
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
        "optimal_gap": best.gap,
        "kkt_residual": best.kkt_residual,
        "lock_step": float(lt.path_kl(model, lock_step)),
        "staged": float(lt.path_kl(model, staged)),
        "one_scale": float(lt.path_kl(one, lt.diagonal_path(one, *ends))),
        "one_scale_floor": lt.lower_bound(one, *ends),
        "method": best.method,
        "staged_steps": np.count_nonzero(np.diff(staged.logsnr, axis=0) > 0, axis=0).tolist(),
        "median_leads": np.median(best.path.logsnr[1:-1, 1:] - best.path.logsnr[1:-1, :1], axis=0).tolist(),
        "logsnr": best.path.logsnr.tolist(),
    }
