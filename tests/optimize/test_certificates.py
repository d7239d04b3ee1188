"""The lower bound against optima that are known, and against everything that can be tried."""

import hypothesis
import hypothesis.strategies as st
import mpmath
import numpy as np
import pytest
from standins import averaging_pyramid, independent, random_gaussian

from lift_theory.optimize.certificates import cell_certificate
from lift_theory.optimize.lattice import lattice_axes, lattice_program
from lift_theory.optimize.objectives import PathKL
from lift_theory.optimize.refine import refine

SETTINGS = hypothesis.settings(max_examples=10, deadline=None, derandomize=True)


@pytest.mark.parametrize("variance", [0.05, 3.0])
def test_single_mode_bound_is_below_and_converges_to_the_closed_form(variance):
    length = mpmath.log1p(variance * mpmath.exp(7)) - mpmath.log1p(variance * mpmath.exp(-7))
    gaps = []
    for points in (32, 64, 128):
        bounds = cell_certificate(independent([variance]), 12, [np.linspace(-7.0, 7.0, points)]).bounds
        exact = np.array([float(n * mpmath.expm1(length / n) / 2 - length / 2) for n in range(1, 13)])
        assert np.all(bounds <= exact * (1 + 1e-12))
        gaps.append(1.0 - bounds[-1] / exact[-1])
    assert gaps[-1] < 0.01
    assert gaps[1] / gaps[2] > 3.0  # second order in the width of the cells


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10**6), scales=st.integers(1, 2), steps=st.integers(1, 9))
def test_no_path_beats_the_bound(seed, scales, steps):
    """Random unevenly spaced cells; refined optimum of a finer lattice and random monotone paths."""
    model = random_gaussian(seed % 50, scales)
    rng = np.random.default_rng(seed)
    axes = [np.concatenate([[-6.0], np.sort(rng.uniform(-6.0, 5.0, size=30)), [5.0]]) for _ in range(scales)]
    bound = cell_certificate(model, steps, axes).bounds[-1]
    fine = lattice_program(model, steps, lattice_axes(np.full(scales, -6.0), np.full(scales, 5.0), 32))
    best = refine(PathKL().derivatives(model), fine.logsnr())
    assert 0.0 <= bound <= best.cost * (1 + 1e-10)
    assert bound <= lattice_program(model, steps, axes).costs[-1] * (1 + 1e-10)
    for _ in range(5):
        shares = rng.dirichlet(np.full(steps, 0.5), size=scales).T
        path = -6.0 + 11.0 * np.concatenate(
            [np.zeros((1, scales)), np.minimum(np.cumsum(shares, axis=0), 1.0)]
        )
        assert bound <= np.sum(model.step_kl(path[:-1], path[1:])) * (1 + 1e-10)


def test_two_scale_gap_is_useful_and_of_second_order():
    model = averaging_pyramid([3.0, 0.02])
    fine = lattice_program(model, 8, lattice_axes(np.full(2, -5.0), np.full(2, 6.0), 96))
    best = refine(PathKL().derivatives(model), fine.logsnr()).cost
    gaps = [
        1.0 - cell_certificate(model, 8, [np.linspace(-5.0, 6.0, m)] * 2).bounds[-1] / best
        for m in (20, 40, 80)
    ]
    assert 0 < gaps[2] < 0.01
    assert gaps[0] / gaps[1] > 2.5
    assert gaps[1] / gaps[2] > 2.5


def test_three_scales_and_scales_that_stand_still():
    model = random_gaussian(5, 3, size=6)
    axes = [np.linspace(-3.0, 3.0, 9), np.array([0.5]), np.linspace(-2.0, 3.0, 9)]
    bounds = cell_certificate(model, 3, axes).bounds
    costs = lattice_program(model, 3, axes).costs
    assert np.all(bounds <= costs * (1 + 1e-12))
    assert bounds[0] == pytest.approx(costs[0], rel=1e-9)  # one step leaves no choice
    assert bounds[2] > 0


def test_the_proof_needs_the_loss_it_subtracts():
    """Without the dips inside cells the number would exceed the true optimum: the lattice optimum does."""
    length = np.log1p(np.exp(6.0)) - np.log1p(np.exp(-6.0))
    exact = 5 * np.expm1(length / 10) - length / 2
    axes = [np.linspace(-6.0, 6.0, 40)]
    assert lattice_program(independent([1.0]), 10, axes).costs[-1] > exact
    assert cell_certificate(independent([1.0]), 10, axes).bounds[-1] < exact
