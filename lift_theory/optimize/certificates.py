"""A proof that no path with n steps, on a lattice or off it, costs less than a stated number of nats.

Let `c = mmse / 2`, a vector with one entry per scale, and let `U_i(g)` be the least left Riemann sum of c over i
steps from the start to g, so that the least path KL is `U_n(stop) - [I(stop) - I(start)]` and

    U_(i+1)(g') = inf over g <= g' of U_i(g) + c(g) . (g' - g).                                   (1)

The infimum runs over a continuum. Three facts turn (1) into a finite program whose value is never too large.

1. *Convexity of the error in the source.* For Gaussian data `mmse_k(g) = tr A_k P^-1 A_k^T` with posterior precision
   `P = S^-1 + sum g_l A_l^T A_l`. Along a line through g_0 this is a sum `sum_m w_m / (1 + x_m)` over the eigenvalues
   x_m of P - P_0 relative to P_0 with weights `w_m >= 0`, and by the inequality of Cauchy and Schwarz at least
   `(sum w_m)^2 / sum w_m (1 + x_m)`. Hence, with `c_0 = c(g_0)`,

       c_k(g) >= c_0k^2 / (c_0k - (g - g_0) . grad c_k(g_0)),

   which needs nothing but mmse and metric at g_0 (`dc_k/dg_l = -E||Phi_kl||^2 / 2`). The right side is convex in
   g, so that its tangent t_k at any point lies below c_k as well. Every cell takes g_0 at the centre of a cell
   twice as wide, of which it is a half along each axis, and the tangent at its own centre.
2. *Concavity in the target.* For a target cell C, let

       W_C(g') = inf over g of U_i(g) + t(g) . (g' - g),

   with the *true* U_i, over all g in any cell that is not above the upper corner of C, whether g <= g' or not.
   Every g of (1) is among them and `t <= c` where `g' - g >= 0`, so that `W_C <= U_(i+1)` on C. The set of sources does
   not depend on g', so that W_C is an infimum of affine functions, hence concave; sources that are not below g' lower
   it or do not, but cannot break either property. A concave function lies above the multilinear interpolant of its
   corner values (the interpolation weights are convex): with a *node value* at every lattice node that lies below
   W_C there for *all* cells C around the node, `U_(i+1)` lies above the interpolant of the node values everywhere. A
   node admits the sources of every cell whose lowest corner is not above it, which are at least those of each C.
3. *The remaining minimum is explicit.* With the interpolant for U_i, the function to be minimised over a source cell
   is a multilinear interpolant plus `t(g) . (g' - g)`, a polynomial of second degree along every axis. Its second
   derivative along axis k is the constant `m_k = -2 dt_k/dg_k`, and such a function is nowhere on a box of widths h
   more than `sum_k m_k h_k^2 / 8` below its least corner value.

Each corner of each cell thus offers an affine function of the target, and a node value is the least of those that are
admitted: a lower bound of W_C, computed from the node values of the stage before. All errors are of second order
in the width of the cells: with m cells per scale, placed where the best path needs them, the gap is about a constant
times `(n / m)^2`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lift_theory._validation import whole_number
from lift_theory.optimize.cells import Cells, Stage, Sums
from lift_theory.optimize.lattice import _checked_axes, lattice_points
from lift_theory.optimize.traceable import evaluate_mmse

ROUNDING_PER_COEFFICIENT = 1e-13
"""Nats granted to rounding, per coefficient and step."""

ROUNDING_OF_SUMS = 64 * np.finfo(float).eps
"""Share of a left Riemann sum and of the information that is granted to rounding: their difference is the bound.

Both are as accurate as this in every closed form; with `DenseBlocks` they lose digits once the posterior precision's
condition number passes 1e3, and a bound is then only as good as the model's own numbers.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Certificate:
    """Lower bounds on the path KL of every monotone path between two points, for every step count.

    Attributes:
        scales: names of the scales.
        axes: log-SNRs of the lattice the proof is built on.
        bounds: `bounds[i]` holds for all paths with i + 1 steps, nats.
        cells: cells at whose centres the model was evaluated, on each level of refinement.
    """

    scales: tuple[str, ...]
    axes: tuple[Float[np.ndarray, " points"], ...]
    bounds: Float[np.ndarray, " steps"]
    cells: tuple[int, ...] = ()


def cell_certificate(model: Any, steps: int, axes: Sequence[Float[np.ndarray, " points"]]) -> Certificate:
    """Lower bounds on the path KL over all real paths with 1, 2, ..., `steps` steps between the ends of `axes`.

    All pairs of a cell and a node are compared: for two scales the time grows with the fourth power of the points per
    scale, and `tube_certificate` proves more in less.

    Args:
        model: a model of Gaussian data: the proof uses that its mmse is convex in the SNRs.
        steps: largest number of steps.
        axes: ascending log-SNRs in nats, one array per scale; the path's ends first and last. The model is evaluated at
            the centres of their cells, and the proof is built on the halves.

    Raises:
        TypeError: if `steps` is not an integer.
        ValueError: if the lattice is empty, not ascending or has the wrong number of axes.
    """
    steps = whole_number(steps, name="steps", least=1)
    axes = _checked_axes(axes, model.scales)
    task = Task.of(model, steps, axes)
    wholes = all_cells(axes)
    cells = Cells.halves(model, axes, wholes)
    stage = cells.stage(np.arange(len(cells.lower)))
    bounds = task.bounds(task.sums([stage] * (steps - 1)).finals)
    return Certificate(scales=tuple(model.scales), axes=axes, bounds=bounds, cells=(len(wholes),))


def all_cells(axes: Sequence[Float[np.ndarray, " points"]]) -> Int[np.ndarray, "cells scales"]:
    """Lowest corners of all cells of a lattice; an axis of a single point has one cell of no width."""
    return lattice_points([np.arange(max(1, len(axis) - 1)) for axis in axes])


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """What is to be proved: a number of steps between two ends, with what the model says about these.

    Attributes:
        steps: number of steps.
        start: SNRs of the start.
        stop: SNRs of the stop.
        slope: half the mmse at the start.
        information: mutual information at both ends, nats.
        coefficients: number of coefficients of all scales.
    """

    steps: int
    start: Float[np.ndarray, " scales"]
    stop: Float[np.ndarray, " scales"]
    slope: Float[np.ndarray, " scales"]
    information: Float[np.ndarray, " ends"]
    coefficients: int

    @staticmethod
    def of(model: Any, steps: int, axes: Sequence[Float[np.ndarray, " points"]]) -> Task:
        """The task between the first and the last point of a lattice."""
        ends = np.stack([[axis[0] for axis in axes], [axis[-1] for axis in axes]])
        return Task(
            steps=steps,
            start=np.exp(ends[0]),
            stop=np.exp(ends[1]),
            slope=0.5 * evaluate_mmse(model, ends[:1])[0],
            information=np.asarray(model.mutual_information(ends), dtype=float),
            coefficients=sum(model.sizes),
        )

    def sums(self, stages: list[Stage]) -> Sums:
        """Least sums through cells for every stage between the ends."""
        return Sums.through(stages, self.start, self.stop, self.slope)

    def bounds(self, sums: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Path KL in nats that certainly belongs to least sums, whatever rounding did to them."""
        start, stop = self.information
        size = np.nan_to_num(np.abs(sums), posinf=0.0) + abs(stop)
        rounding = ROUNDING_PER_COEFFICIENT * self.coefficients * self.steps + ROUNDING_OF_SUMS * size
        return np.maximum(sums - (stop - start) - rounding, 0.0)
