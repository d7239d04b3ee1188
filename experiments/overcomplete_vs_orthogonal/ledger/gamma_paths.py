"""Paths that LIFT's cost picks with each of its factors, judged by what they truly cost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.path_optimization.published import uniform_timesteps
from lift_theory.optimize import published_axes
from lift_theory.optimize.lattice import lattice_axes, lattice_points, table_program
from lift_theory.optimize.published import FACTORS
from lift_theory.sampling.output import OutputError

SIZE = 64
"""Of LIFT's images; channels that are alike change no path, so one stands for all."""
STEPS = 18
NODES = 20
"""Places between two points of a path to which a point may move when the path is spaced anew."""
PROVED_WITHIN = 0.05
JACOBIANS = ("eps", "x0")
PATHS = {
    **{f"eps_{factor}": f"gamma_{factor} on the noise prediction" for factor in FACTORS},
    **{f"x0_{factor}": f"gamma_{factor} on the data prediction" for factor in FACTORS},
    "respaced": "gamma_B on the noise prediction, its route spaced anew",
    "quadratic_theirs": "gamma_B on the data prediction, quadratic in the step",
    "lattice_theirs": "best path KL on LIFT's lattice",
    "quadratic_even": "gamma_B on the data prediction, quadratic, lattice even in log-SNR",
    "lattice_even": "best path KL on that lattice",
    "uniform_timesteps": "diagonal, uniform timesteps (LIFT's control)",
    "best": "best path KL",
    "best_w2": "best W2 of DDIM",
}


def studied(bench: Bench) -> dict[str, lt.GaussianModel]:
    """Pyramids of LIFT's size with a power-law spectrum, and of the training images."""
    return {
        "power_law": lt.GaussianModel(lt.Spectrum.power_law((SIZE, SIZE), 2.0), lt.AveragePyramid()),
        "training": bench.models["pyramid"],
    }


def judged_paths(bench: Bench, name: str) -> list[dict[str, Any]]:
    """All paths between the ends of LIFT's schedule on one of the spectra, each with its costs."""
    model = studied(bench)[name]

    def compute() -> list[dict[str, Any]]:
        theirs = published_axes()
        start, stop = (np.array([axis[i] for axis in theirs]) for i in (0, -1))
        even = lattice_axes(start, stop, len(theirs[0]))
        found = {
            f"{jacobian}_{factor}": picked(model, factor, jacobian)
            for jacobian in JACOBIANS
            for factor in FACTORS
        }
        found["respaced"] = respaced(model, found["eps_B"])
        for name, axes in (("theirs", theirs), ("even", even)):
            found[f"quadratic_{name}"] = quadratic(model, axes)
            found[f"lattice_{name}"] = lt.PathKL().lattice(model, STEPS, axes).logsnr(STEPS)
        found["uniform_timesteps"] = np.stack([uniform_timesteps(STEPS)] * 2, axis=1)
        best = lt.optimal_path(model, STEPS, start, stop, gap=PROVED_WITHIN)
        found["best"] = best.path.logsnr
        output = OutputError(output="image")
        found["best_w2"] = lt.optimal_path(model, STEPS, start, stop, objective=output).path.logsnr
        return [{"path": key, **_costs(model, points)} for key, points in found.items()]

    inputs = {
        "variances": model.law.variances if isinstance(model.law, lt.Spectrum) else model.law.matrix,
        "steps": STEPS,
        "paths": sorted(PATHS),
        "nodes": NODES,
        "version": lt.__version__,
    }
    return bench.work.table(f"gamma-paths-{name}", inputs, compute)


def picked(model: lt.GaussianModel, factor: str, jacobian: str) -> Float[np.ndarray, "points scales"]:
    """The path that LIFT's dynamic program picks on its lattice."""
    cost = lt.PublishedCost(factor=factor, prediction=jacobian)
    return cost.lattice(model, STEPS, published_axes()).logsnr(STEPS)


def quadratic(
    model: lt.GaussianModel, axes: Sequence[Float[np.ndarray, " points"]]
) -> Float[np.ndarray, "points scales"]:
    """The best path on a lattice for the exact factor used as theory has it, quadratic in the move.

    A move costs `(1/2) dlam M dlam` with the mean of `M_kl = S_k S_l E||Phi_kl||^2 / 2` at both ends, `E||Phi_kl||^2 =
    gamma_B(S_l) E||d y_k / d x_l||^2`, the data prediction's Jacobian.
    """
    points = lattice_points(axes)
    snr = np.exp(points)
    norms = np.asarray(model.jacobian_norms(points, "x0"))
    metric = 0.5 * snr[:, :, None] * snr[:, None, :] * (FACTORS["B"](snr)[:, None, :] * norms)
    move = points[None] - points[:, None]
    forward = (move >= 0).all(axis=-1)
    costs = sum(
        0.25 * (metric[:, None, k, other] + metric[None, :, k, other]) * move[..., k] * move[..., other]
        for k in range(2)
        for other in range(2)
    )
    return table_program(tuple(model.scales), STEPS, tuple(axes), np.where(forward, costs, np.inf)).logsnr(
        STEPS
    )


def respaced(
    model: lt.GaussianModel, logsnr: Float[np.ndarray, "points scales"]
) -> Float[np.ndarray, "points scales"]:
    """As many points on the same route, where they cost least.

    The information telescopes, so that a step from SNRs g to g' costs `(g' - g) . mmse(g) / 2`; places on the route are
    the path's own points and others evenly between them.
    """
    steps = len(logsnr) - 1
    places = np.concatenate([np.linspace(a, b, NODES, endpoint=False) for a, b in pairwise(logsnr)])
    places = np.concatenate([places, logsnr[-1:]])
    snr, slopes = np.exp(places), 0.5 * np.asarray(model.mmse(places))
    edges = np.einsum("ijk,ik->ij", snr[None] - snr[:, None], slopes)
    edges[np.tril_indices(len(places), -1)] = np.inf
    value, back = edges[0], []
    for _ in range(steps - 1):
        total = value[:, None] + edges
        back.append(total.argmin(axis=0))
        value = total.min(axis=0)
    index = [len(places) - 1]
    for table in reversed(back):
        index.append(int(table[index[-1]]))
    return places[[0, *reversed(index)]]


def own_cost(
    model: lt.GaussianModel, logsnr: Float[np.ndarray, "points scales"], factor: str, jacobian: str
) -> float:
    """What a path costs by LIFT's measure: trapezoids of the density, linear in the move."""
    density = lt.PublishedCost(factor=factor, prediction=jacobian).density(model, logsnr)
    return float(np.sum(0.5 * (density[1:] + density[:-1]) * np.diff(logsnr, axis=0)))


def cornering(logsnr: Float[np.ndarray, "points scales"]) -> float:
    """How far the coarse scale is ahead of the fine one at most, as a share of the way: 0 in lock-step, 1 for an L."""
    share = (logsnr - logsnr[0]) / (logsnr[-1] - logsnr[0])
    return float((share[:, 1] - share[:, 0]).max())


def _costs(model: lt.GaussianModel, logsnr: Float[np.ndarray, "points scales"]) -> dict[str, Any]:
    path = lt.Path(logsnr, model.scales)
    steps = np.asarray(model.step_kl(logsnr[:-1], logsnr[1:]))
    return {
        "nats": float(steps.sum()),
        "last_step": float(steps[-1] / steps.sum()),
        "w2": lt.sampling_error(model, path, output="image").w2,
        "published_cost": own_cost(model, logsnr, "B", "eps"),
        "cornering": cornering(logsnr),
        "lead": float(np.median(path.lead(ratio=2.0)[1:-1])),
        "logsnr": logsnr.tolist(),
    }
