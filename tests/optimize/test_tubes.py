"""The pruned proof: never above what a path can reach, whatever the target, and far tighter than its first cells."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from standins import averaging_pyramid, independent, random_gaussian

from lift_theory.optimize import cell_certificate, refine, tube_certificate, tubes
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
    axes = [np.linspace(LOW, HIGH, 25)] * 2
    cost = best_cost(model, 6)
    proof = tube_certificate(model, 6, axes, 0.995 * cost)
    assert proof.bounds[-1] == 0.995 * cost
    assert cell_certificate(model, 6, axes).bounds[-1] < 0.97 * cost
    assert proof.cells[-1] < proof.cells[0] * 4 ** (len(proof.cells) - 1) / 10


def test_envelopes_price_cells_like_all_pairs():
    """The first level's two sweeps against the plain ones, on slopes that fall already."""
    model = averaging_pyramid([3.0, 0.2])
    axes = [np.linspace(-2.0, 3.0, 12), np.linspace(-1.0, 3.0, 9)]
    lower = np.stack(np.meshgrid(np.arange(11), np.arange(8), indexing="ij"), -1).reshape(-1, 2)
    cells = tubes._Cells.of(model, axes, lower).falling()
    arguments = {
        "cells": cells,
        "stages": [np.arange(88)] * 4,
        "start": np.exp([-2.0, -1.0]),
        "stop": np.exp([3.0, 3.0]),
        "slope": 0.5 * model.mmse(np.array([-2.0, -1.0])),
    }
    sums, prices = tubes._Grid(**arguments).sweep()
    expected_sums, expected_prices = tubes._Tube(**arguments).sweep()
    np.testing.assert_allclose(sums, expected_sums, rtol=1e-12)
    np.testing.assert_allclose(prices, expected_prices, rtol=1e-12)
    assert sums[-1] == pytest.approx(min(prices[0]), rel=1e-12)
    assert sums[-1] == pytest.approx(min(prices[-1]), rel=1e-12)


def test_the_excess_over_the_tangent_is_never_underestimated():
    rng = np.random.default_rng(0)
    for seed in range(10):
        model = random_gaussian(seed, 2)
        axes = [np.sort(rng.uniform(LOW, HIGH, size=2)) for _ in range(2)]
        cells = tubes._Cells.of(model, axes, np.zeros((1, 2), dtype=int))
        excess = 0.5 * model.mmse(np.log(cells.corners[0])) - cells.slopes[0]
        widths = cells.corners[0, -1] - cells.corners[0, 0]
        assert np.all(excess >= -1e-12 * np.abs(cells.slopes[0]))
        assert np.all(widths * excess <= cells.slack[0] * (1 + 1e-12))


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
