"""Every control path on every representation, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray

import lift_theory as lt
from experiments.path_optimization.lattices import coarse_for_fine_grid, with_lead
from experiments.path_optimization.published import ends, uniform_timesteps
from lift_theory.optimize import published_axes, refine
from lift_theory.optimize.lattice import lattice_axes
from lift_theory.optimize.published import FACTORS

PATHS = {
    "uniform_timesteps": "diagonal, uniform timesteps (LIFT's control)",
    "logsnr": "diagonal, uniform log-SNR",
    "karras": "diagonal, Karras spacing",
    "arctan": "diagonal, arctan spacing",
    "diagonal": "diagonal, best spacing",
    "lead_only": "uniform timesteps, best lead",
    "equal_information_same": "equal information, best diagonal's spacing",
    "equal_information": "equal information, own best spacing",
    "best_grid_lead_0": "the best path's fine grid, lead 0",
    "coarse_ahead_1": "coarse 1 nat ahead, best spacing",
    "coarse_ahead_2": "coarse 2 nats ahead, best spacing",
    "fine_ahead_1": "fine 1 nat ahead, best spacing",
    "fine_ahead_2": "fine 2 nats ahead, best spacing",
    "coarse_first": "coarse first (L), best split",
    "fine_first": "fine first (L), best split",
    **{f"published_{factor}": f"LIFT's published cost, gamma_{factor}" for factor in FACTORS},
    "best": "best path",
}
OTHER_OBJECTIVES = {
    "fine_only": "best for the fine scale's error alone",
    "decoupled": "best for denoisers that ignore the other scale",
}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A two-scale representation with ends whose posteriors match the pyramid's.

    Attributes:
        name: short key.
        label: words for tables.
        representation: the scales.
        shift: coarse log-SNR above the fine one at both ends; a lock-step path keeps it.
        band_shift: added to the lead of the coarse scale, gives the log-SNR of the low band above that of the high one;
            None for the pyramid, whose fine channel adds to it.
        equal_information: nominal lead at which the low band has twice the SNR of the high one.
    """

    name: str
    label: str
    representation: Any
    shift: float
    band_shift: float | None
    equal_information: float

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last log-SNR of both scales: the range of LIFT's schedule."""
        first, last = ends()
        return first + np.array([0.0, self.shift]), last + np.array([0.0, self.shift])

    def band_lead(self, logsnr: Any) -> np.ndarray:
        """Log-SNR of the low band minus that of the high band along a path, comparable between representations."""
        lead = np.asarray(logsnr)[:, 1] - np.asarray(logsnr)[:, 0]
        return np.log1p(np.exp(lead) / 4) if self.band_shift is None else lead + self.band_shift


def contenders(size: int) -> list[Contender]:
    """Pyramid, Haar bands, DCT bands and residuals after bilinear up-sampling, between matched ends."""
    low, mean = float(np.log(1.25)), float(np.log(4.0))
    return [
        Contender(
            name="pyramid",
            label="image + 2x2 means",
            representation=lt.AveragePyramid(),
            shift=0.0,
            band_shift=None,
            equal_information=mean,
        ),
        Contender(
            name="haar",
            label="Haar bands",
            representation=lt.HaarBands(),
            shift=low,
            band_shift=0.0,
            equal_information=float(np.log(2.0)),
        ),
        Contender(
            name="dct",
            label="DCT bands",
            representation=lt.DctBands(cutoffs=(size // 2,)),
            shift=low,
            band_shift=0.0,
            equal_information=float(np.log(2.0)),
        ),
        Contender(
            name="bilinear",
            label="bilinear residual",
            representation=lt.ResidualPyramid(upsampling="bilinear"),
            shift=low + mean,
            band_shift=-mean,
            equal_information=float(np.log(8.0)),
        ),
    ]


def surface_of(model: lt.GaussianModel, contender: Contender, grid: int) -> xarray.Dataset:
    """The contender's error surface between its ends."""
    start, stop = contender.ends()
    return lt.error_surface(model, [np.linspace(a, b, grid) for a, b in zip(start, stop, strict=True)])


def published_paths(
    model: lt.GaussianModel, contender: Contender, steps: tuple[int, ...]
) -> list[dict[str, Any]]:
    """The paths that LIFT's dynamic program picks on its grid, costed by the exact path KL.

    A count is left out where moves of at most five cells cannot cross the grid.
    """
    axes = [axis + shift for axis, shift in zip(published_axes(), (0.0, contender.shift), strict=True)]
    rows = []
    for factor in FACTORS:
        solution = lt.PublishedCost(factor=factor).lattice(model, max(steps), axes)
        for count in steps:
            if np.isfinite(solution.costs[count - 1]):
                path = lt.Path(solution.logsnr(count), model.scales)
                rows.append(_row(model, contender, f"published_{factor}", path))
    return rows


def controls(model: lt.GaussianModel, contender: Contender, steps: int, points: int) -> list[dict[str, Any]]:
    """The best path and every control, each with its cost."""
    start, stop = contender.ends()
    best = lt.optimal_path(model, steps, start, stop, points=points)
    diagonal = lt.diagonal_path(model, steps, start, stop)
    uniform = uniform_timesteps(steps)
    paths = {"uniform_timesteps": with_lead(model, uniform, contender.shift, start, stop)}
    for spacing in ("logsnr", "karras", "arctan"):
        paths[spacing] = lt.diagonal_path(model, steps, start, stop, spacing=spacing)
    paths["diagonal"] = diagonal
    paths["lead_only"] = coarse_for_fine_grid(model, uniform, start, stop)
    lead = contender.equal_information
    paths["equal_information_same"] = with_lead(model, diagonal.logsnr[:, 0], lead, start, stop)
    paths["equal_information"] = lt.constant_lead_path(model, steps, start, stop, lead)
    paths["best_grid_lead_0"] = with_lead(model, best.path.logsnr[:, 0], contender.shift, start, stop)
    for nats in (1, 2):
        for sign, words in ((1, "coarse_ahead"), (-1, "fine_ahead")):
            ahead = contender.shift + sign * nats
            paths[f"{words}_{nats}"] = lt.constant_lead_path(model, steps, start, stop, ahead)
    paths["coarse_first"] = lt.staged_path(model, steps, start, stop)
    paths["fine_first"] = lt.staged_path(model, steps, start, stop, order=model.scales)
    rows = [_row(model, contender, name, path) for name, path in paths.items()]
    proof = {"certified_nats": float(best.lower_bound), "kkt_residual": float(best.kkt_residual)}
    return [*rows, {**_row(model, contender, "best", best.path), **proof}]


def other_objectives(
    model: lt.GaussianModel, contender: Contender, steps: int, points: int
) -> list[dict[str, Any]]:
    """Paths made for something else than the total error, costed by the total error.

    For the fine scale's error alone, a lattice and a few iterations of refinement have to do: what its path costs in
    total does not hang on the last digits.
    """
    start, stop = contender.ends()
    objective = lt.PathKL((1.0, 0.0))
    lattice = objective.lattice(model, steps, lattice_axes(start, stop, points))
    fine = refine(objective.derivatives(model), lattice.logsnr(), max_iterations=10)
    apart = lt.optimal_path(lt.decoupled(model), steps, start, stop, points=points)
    row = _row(model, contender, "fine_only", lt.Path(fine.logsnr, model.scales))
    return [
        {**row, "own_objective_nats": float(fine.cost)},
        {**_row(model, contender, "decoupled", apart.path), "own_objective_nats": float(apart.cost)},
    ]


def _row(model: lt.GaussianModel, contender: Contender, name: str, path: lt.Path) -> dict[str, Any]:
    start, stop = contender.ends()
    costs = np.asarray(model.step_kl(path.logsnr[:-1], path.logsnr[1:]))
    return {
        "representation": contender.name,
        "path": name,
        "steps": path.steps,
        "nats": lt.path_kl(model, path),
        "floor_nats": lt.lower_bound(model, path.steps, start, stop),
        "last_step_share": float(costs[-1] / costs.sum()),
        "logsnr": path.logsnr.tolist(),
    }
