"""The exact best path over a lattice of log-SNRs, any jump allowed, for every step count up to n at once.

One ancestral step from SNRs g to g' >= g costs the Bregman divergence

    D(g', g) = (1/2) (g' - g) . mmse(g) - [I(g') - I(g)].

Summed over a path the bracket telescopes, so that the best path minimises a left Riemann sum, and with
`U_i(g)` the least such sum over i steps from the start to g,

    U_(i+1)(g') = min over g <= g' of U_i(g) + (1/2) (g' - g) . mmse(g).

For a fixed source g the candidate is *affine* in the target g', with slope mmse(g) / 2. With all coordinates
but the last fixed, the candidates are lines whose slopes fall along the lattice (mmse falls with SNR), and
their lower envelope answers all targets of a row in time proportional to its length. With m points per scale
one step costs O(m^(2K-1)) instead of O(m^(2K)): O(m) for one scale, O(m^3) for two, O(m^5) for three.

Nothing large is subtracted: `g_k mmse_k(g) <= size_k` bounds every product that decides the optimum, so that
values are good to about 1e-16 times the number of coefficients, in nats. Costs reported for a path are
evaluated again, step by step, with the model's cancellation-free `step_kl`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lift_theory._validation import LOGSNR_LIMIT, real_array, whole_number
from lift_theory.optimize.traceable import evaluate_mmse

ROUNDING = 1e-9
"""Relative rise of mmse along the lattice that still counts as rounding of a non-increasing function."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LatticeSolution:
    """Best paths over a lattice from its first to its last point, for every step count up to `steps`.

    Attributes:
        scales: names of the scales.
        axes: log-SNRs of the lattice, ascending, one array per scale.
        costs: `costs[i]` is the least cost of a path with i + 1 steps, nats (in the objective's units
            otherwise).
        predecessors: flat lattice index of the point before each point on the best path with i + 2 steps.
    """

    scales: tuple[str, ...]
    axes: tuple[Float[np.ndarray, " points"], ...]
    costs: Float[np.ndarray, " steps"]
    predecessors: tuple[Int[np.ndarray, " lattice"], ...]

    @property
    def steps(self) -> int:
        """The largest step count solved for."""
        return len(self.costs)

    def logsnr(self, steps: int | None = None) -> Float[np.ndarray, "points scales"]:
        """Log-SNRs along the best path with exactly `steps` steps.

        Raises:
            ValueError: if `steps` is not between 1 and the largest count solved for.
        """
        steps = self.steps if steps is None else whole_number(steps, name="steps", least=1)
        if steps > self.steps:
            raise ValueError(
                f"steps must be at most {self.steps}, the count this lattice was solved for; got {steps}."
            )
        shape = tuple(len(axis) for axis in self.axes)
        index = int(np.prod(shape)) - 1
        visited = [index]
        for count in range(steps - 2, -1, -1):
            index = int(self.predecessors[count][index])
            visited.append(index)
        visited.append(0)
        corners = np.unravel_index(visited[::-1], shape)
        return np.stack([axis[i] for axis, i in zip(self.axes, corners, strict=True)], axis=-1)


def lattice_axes(
    start: Float[np.ndarray, " scales"], stop: Float[np.ndarray, " scales"], points: int
) -> tuple[Float[np.ndarray, " points"], ...]:
    """Evenly spaced log-SNRs per scale; a scale that does not move has a single point."""
    return tuple(
        np.linspace(a, b, points) if b > a else np.array([a]) for a, b in zip(start, stop, strict=True)
    )


def lattice_program(
    model: Any,
    steps: int,
    axes: Sequence[Float[np.ndarray, " points"]],
    *,
    mmse: Float[np.ndarray, "lattice scales"] | None = None,
) -> LatticeSolution:
    """The least path KL from the first to the last point of a lattice, for 1, 2, ..., `steps` steps.

    Exact over all monotone lattice paths; a step may stand still in any coordinate and jump any distance in
    the others. The model is asked for its mmse once per lattice point.

    Args:
        model: anything with `scales`, `mutual_information(logsnr)` and `mmse(logsnr)`.
        steps: largest number of steps.
        axes: ascending log-SNRs in nats, one array per scale.
        mmse: the model's mmse at `lattice_points(axes)`, where it is known already.

    Raises:
        TypeError: if `steps` is not an integer.
        ValueError: if the lattice is empty, not ascending or has the wrong number of axes.

    References:
        Watson et al. 2021 (dynamic program over step placements of a one-scale bound); the affine structure
        is that of the I-MMSE relation of Guo, Shamai and Verdu 2005.
    """
    from lift_theory.optimize._kernels import envelope_step, plain_step

    steps = whole_number(steps, name="steps", least=1)
    axes = _checked_axes(axes, model.scales)
    shape = tuple(len(axis) for axis in axes)
    logsnr = lattice_points(axes)
    information = np.asarray(model.mutual_information(logsnr[[0, -1]]), dtype=float)
    slopes = 0.5 * (evaluate_mmse(model, logsnr) if mmse is None else mmse)
    snr = np.exp(logsnr)

    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    grid = slopes.reshape(rows, columns, len(shape))
    falling = np.minimum.accumulate(grid[:, :, -1], axis=1)
    if np.all(grid[:, :, -1] - falling <= ROUNDING * np.abs(falling)):
        grid = grid.copy()
        grid[:, :, -1] = falling
        leading, last = snr.reshape(rows, columns, -1)[:, 0, :-1].copy(), np.exp(axes[-1])

        def advance(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            best, argument = envelope_step(values.reshape(rows, columns), grid, leading, last)
            return best.ravel(), argument.ravel()
    else:

        def advance(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return plain_step(values, slopes, snr)

    def finish(values: np.ndarray) -> np.ndarray:
        return values + np.sum((snr[-1] - snr) * slopes, axis=-1)

    first = (snr - snr[0]) @ slopes[0]
    sums, predecessors = _run(steps, first, advance, finish)
    costs = np.maximum(sums - (information[-1] - information[0]), 0.0)
    return LatticeSolution(scales=tuple(model.scales), axes=axes, costs=costs, predecessors=predecessors)


def table_program(
    scales: tuple[str, ...],
    steps: int,
    axes: Sequence[Float[np.ndarray, " points"]],
    edges: Float[np.ndarray, "p q"],
) -> LatticeSolution:
    """The least sum of tabulated edge costs from the first to the last point, for 1, ..., `steps` edges.

    Args:
        scales: names of the scales.
        steps: largest number of steps.
        axes: ascending log-SNRs in nats, one array per scale.
        edges: cost from lattice point p to lattice point q (flat, row-major), infinite where no step is
            allowed.
    """
    from lift_theory.optimize._kernels import table_step

    steps = whole_number(steps, name="steps", least=1)
    axes = _checked_axes(axes, scales)
    count = int(np.prod([len(axis) for axis in axes]))
    if edges.shape != (count, count):
        raise ValueError(
            f"edges must have shape ({count}, {count}), one row per lattice point; got {edges.shape}."
        )
    edges = np.ascontiguousarray(edges)
    costs, predecessors = _run(
        steps, edges[0], lambda values: table_step(values, edges), lambda values: values + edges[:, -1]
    )
    return LatticeSolution(scales=tuple(scales), axes=axes, costs=costs, predecessors=predecessors)


def lattice_points(axes: Sequence[Float[np.ndarray, " points"]]) -> Float[np.ndarray, "lattice scales"]:
    """All points of a lattice in row-major order."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def _run(
    steps: int,
    first: np.ndarray,
    advance: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    finish: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Values at the last point after 1, ..., `steps` steps, and the tables that lead back to the first.

    The last step is only needed into the last point, so that its table has one useful entry, filled by
    `finish`.
    """
    values = np.asarray(first, dtype=float)
    sums = [values[-1]]
    tables = []
    for count in range(2, steps + 1):
        if count < steps:
            values, argument = advance(values)
        else:
            candidates = finish(values)
            argument = np.full(len(values), -1, dtype=np.int32)
            argument[-1] = np.argmin(candidates)
            values = candidates[argument[-1] : argument[-1] + 1]
        sums.append(values[-1])
        tables.append(argument)
    return np.array(sums), tuple(tables)


def _checked_axes(axes: Sequence[Any], scales: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    if len(axes) != len(scales):
        raise ValueError(f"axes must hold one array per scale {scales}; got {len(axes)}.")
    checked = tuple(real_array(axis, name=f"axes[{k}]") for k, axis in enumerate(axes))
    for k, axis in enumerate(checked):
        if axis.ndim != 1 or len(axis) == 0 or np.any(np.diff(axis) <= 0):
            raise ValueError(f"axes[{k}] must be a non-empty ascending 1-D array of log-SNRs; got {axis!r}.")
        if np.abs(axis).max() > LOGSNR_LIMIT:
            raise ValueError(
                f"axes[{k}] must lie within +-{LOGSNR_LIMIT:g} nats; got {np.abs(axis).max():g}."
            )
    return checked
