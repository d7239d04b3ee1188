"""The pruned proof: never above what a path can reach, whatever the target, and far tighter than its first cells."""

from functools import partial

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from standins import averaging_pyramid, independent, random_gaussian

from lift_theory.optimize import cell_certificate, refine, tube_certificate
from lift_theory.optimize.cells import Cells
from lift_theory.optimize.certificates import Task, all_cells
from lift_theory.optimize.lattice import lattice_axes, lattice_program
from lift_theory.optimize.objectives import PathKL

SETTINGS = hypothesis.settings(max_examples=10, deadline=None, derandomize=True)
LOW, HIGH = -5.0, 5.0


def best_cost(model, steps):
    scales = len(model.scales)
    axes = lattice_axes(np.full(scales, LOW), np.full(scales, HIGH), 24)
    return refine(PathKL().derivatives(model), lattice_program(model, steps, axes).logsnr()).cost


@SETTINGS
@hypothesis.given(
    seed=st.integers(0, 10**6), scales=st.integers(1, 2), steps=st.integers(1, 6), share=st.floats(0.3, 1.5)
)
def test_no_target_makes_the_bound_exceed_a_path(seed, scales, steps, share):
    """Targets above the optimum must not be proved, and those below only up to themselves."""
    model = random_gaussian(seed % 50, scales)
    rng = np.random.default_rng(seed)
    axes = [np.concatenate([[LOW], np.sort(rng.uniform(LOW, HIGH, size=10)), [HIGH]]) for _ in range(scales)]
    cost = best_cost(model, steps)
    proof = tube_certificate(model, steps, axes, share * cost)
    assert 0.0 <= proof.bounds[-1] <= min(cost, share * cost) * (1 + 1e-10)
    assert np.all(np.diff(proof.bounds) <= 0)
    costs = lattice_program(model, steps, axes).costs
    assert np.all(proof.bounds <= costs * (1 + 1e-10))


@pytest.mark.parametrize("variance", [0.05, 3.0])
def test_a_single_mode_is_proved_to_a_tenth_of_a_percent_of_its_closed_form(variance):
    length = np.log1p(variance * np.exp(HIGH)) - np.log1p(variance * np.exp(LOW))
    exact = 5 * np.expm1(length / 10) - length / 2
    axes = [np.linspace(LOW, HIGH, 33)]
    assert tube_certificate(independent([variance]), 10, axes, 0.999 * exact).bounds[-1] == 0.999 * exact
    assert tube_certificate(independent([variance]), 10, axes, 1.01 * exact).bounds[-1] <= exact


def test_pruning_makes_coarse_cells_prove_what_they_cannot_alone():
    model = averaging_pyramid([3.0, 0.02])
    axes = [np.linspace(LOW, HIGH, 13)] * 2
    cost = best_cost(model, 6)
    proof = tube_certificate(model, 6, axes, 0.995 * cost)
    assert proof.bounds[-1] == 0.995 * cost
    assert cell_certificate(model, 6, axes).bounds[-1] < 0.97 * cost
    assert proof.cells[-1] < proof.cells[0] * 4 ** (len(proof.cells) - 1) / 10


def grid_of(model, axes):
    cells = Cells.halves(model, axes, all_cells(axes))
    return cells, cells.stage(np.arange(len(cells.lower)))


def admitted(cells, stage, nodes):
    """Every pair of a cell (first axis) and a node, as they stand in the definition."""
    return np.all(cells.lower[:, None, :] <= stage.nodes[None, nodes, :], axis=-1)


def test_sweeps_equal_their_definition_over_all_pairs():
    model = averaging_pyramid([3.0, 0.2])
    cells, stage = grid_of(model, [np.linspace(-2.0, 3.0, 6), np.linspace(-1.0, 3.0, 5)])
    rng = np.random.default_rng(0)
    heights = rng.normal(size=stage.offsets.shape)
    values = rng.normal(size=len(stage.nodes))
    offered = np.einsum("kjc,kq->jcq", stage.slopes, stage.snrs)
    allowed = admitted(cells, stage, slice(None))
    reached = np.min(np.where(allowed, heights[:, :, None] + offered, np.inf), axis=(0, 1))
    left = np.min(np.where(allowed, offered + values, np.inf), axis=2)
    np.testing.assert_allclose(stage.reach(heights, stage), reached, rtol=1e-12)
    np.testing.assert_allclose(stage.leave(stage, values), left, rtol=1e-12)


def test_prices_are_shortest_paths_through_a_cell():
    """The sum of both sweeps against the forward sweep alone with all other cells of a stage taken away."""
    model = averaging_pyramid([3.0, 0.2])
    axes = [np.linspace(-2.0, 3.0, 6), np.linspace(-1.0, 3.0, 5)]
    cells, stage = grid_of(model, axes)
    task = Task.of(model, 4, axes)
    sums = task.sums([stage] * 3)
    prices = sums.prices()
    assert sums.finals[-1] == pytest.approx(min(prices[1]), rel=1e-12)
    for at, cell in [(0, 7), (1, 60), (2, 79)]:
        stages = [stage] * 3
        stages[at] = cells.stage(np.array([cell]))
        assert task.sums(stages).finals[-1] == pytest.approx(prices[at][cell], rel=1e-12)


def tangents(model, axes):
    """The tangents of the halves of one cell as functions of SNRs, read off at the corners, with lowest and highest."""
    scales = len(axes)
    cells = Cells.halves(model, axes, np.zeros((1, scales), dtype=int))
    for cell, lower in enumerate(cells.lower):
        low, high = (
            np.exp([axis[i + far] for axis, i in zip(cells.axes, lower, strict=True)]) for far in (0, 1)
        )
        lowest = cells.slopes[:, 0, cell]
        rates = [
            (cells.slopes[:, 2 ** (scales - 1 - k), cell] - lowest) / (high[k] - low[k])
            for k in range(scales)
        ]
        yield (
            partial(
                lambda g, low, at, rates: at + (g - low) @ np.array(rates), low=low, at=lowest, rates=rates
            ),
            low,
            high,
        )


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_tangents_lie_below_the_error_everywhere(scales):
    rng = np.random.default_rng(scales)
    for seed in range(10):
        model = random_gaussian(seed, scales)
        points = rng.uniform(LOW - 5.0, HIGH, size=(100, scales))
        error = 0.5 * model.mmse(points)
        for tangent, _, _ in tangents(
            model, [np.sort(rng.uniform(LOW, HIGH, size=2)) for _ in range(scales)]
        ):
            assert np.all(tangent(np.exp(points)) <= error * (1 + 1e-9))


def test_tangents_miss_the_error_by_second_order_in_the_width():
    model = random_gaussian(3, 2)

    def miss(width):
        axes = [np.array([-0.3, -0.3 + width]), np.array([0.4, 0.4 + width])]
        return max(
            np.max(0.5 * model.mmse(np.log(g)) / tangent(g) - 1.0)
            for tangent, low, high in tangents(model, axes)
            for g in (low, 0.5 * (low + high), high)
        )

    assert miss(0.2) < 0.02
    assert miss(0.4) / miss(0.2) == pytest.approx(4.0, rel=0.3)
    assert miss(0.2) / miss(0.1) == pytest.approx(4.0, rel=0.15)


def test_scales_that_stand_still_single_steps_and_bad_targets():
    model = random_gaussian(5, 3, size=6)
    axes = [np.linspace(-3.0, 3.0, 7), np.array([0.5]), np.linspace(-2.0, 3.0, 7)]
    costs = lattice_program(model, 3, axes).costs
    bounds = tube_certificate(model, 3, axes, 0.9 * costs[-1]).bounds
    assert 0 < bounds[-1] <= 0.9 * costs[-1]
    only = tube_certificate(model, 1, axes, costs[0]).bounds[0]
    assert only == pytest.approx(costs[0], rel=1e-9)
    with pytest.raises(ValueError, match="not be negative"):
        tube_certificate(model, 2, axes, -1.0)
