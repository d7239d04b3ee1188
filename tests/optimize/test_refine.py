"""Refinement: exact derivatives, optimality conditions, and agreement with closed forms and SciPy."""

from functools import partial

import hypothesis
import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from standins import averaging_pyramid, independent, random_gaussian

from lift_theory.optimize.derivatives import automatic_steps, bregman_steps, path_derivatives, symmetric_steps
from lift_theory.optimize.lattice import lattice_axes, lattice_program
from lift_theory.optimize.objectives import PathKL
from lift_theory.optimize.refine import refine

SETTINGS = hypothesis.settings(max_examples=8, deadline=None, derandomize=True)


def random_path(seed, steps, scales, low=-6.0, high=5.0):
    """A monotone path between fixed ends, here and there standing still."""
    rng = np.random.default_rng(seed)
    shares = rng.exponential(size=(steps, scales)) * (rng.uniform(size=(steps, scales)) > 0.2)
    shares[0] += 1e-3
    return low + (high - low) * np.concatenate(
        [np.zeros((1, scales)), np.cumsum(shares / shares.sum(0), axis=0)]
    )


def half_jeffreys(model, start, stop):
    return 0.25 * jnp.sum((jnp.exp(stop) - jnp.exp(start)) * (model.mmse(start) - model.mmse(stop)))


@pytest.mark.parametrize("scales", [1, 3])
@pytest.mark.parametrize(
    ("closed", "cost"),
    [(bregman_steps, lambda m, a, b: m.step_kl(a, b)), (symmetric_steps, half_jeffreys)],
    ids=["bregman", "symmetric"],
)
def test_closed_derivatives_equal_automatic_ones(scales, closed, cost):
    model = random_gaussian(scales, scales)
    path = random_path(scales, 6, scales)
    for ours, reference in zip(closed(model, path), automatic_steps(cost, model, path), strict=True):
        np.testing.assert_allclose(ours, reference, rtol=1e-8, atol=1e-10 * np.abs(reference).max())


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10**6), scales=st.integers(1, 2), steps=st.integers(1, 12))
def test_refined_paths_are_feasible_optimal_and_no_dearer(seed, scales, steps):
    model = random_gaussian(seed % 50, scales)
    derivatives = PathKL().derivatives(model)
    axes = lattice_axes(np.full(scales, -6.0), np.full(scales, 5.0), 24)
    start = lattice_program(model, steps, axes).logsnr()
    found = refine(derivatives, start)
    assert np.all(np.diff(found.logsnr, axis=0) >= 0)
    assert np.array_equal(found.logsnr[[0, -1]], start[[0, -1]])
    assert np.all(np.diff(found.costs) <= 0)
    assert found.cost <= derivatives(start).cost
    assert found.kkt_residual < 1e-6
    # The multipliers prove it: stationarity and complementarity, recomputed here.
    here = derivatives(found.logsnr)
    balance = here.gradient[1:-1] - found.multipliers[:-1] + found.multipliers[1:]
    assert found.multipliers.min() >= 0
    assert np.abs(balance).max(initial=0.0) <= 1e-6 * here.force
    assert np.max(found.multipliers * np.diff(found.logsnr, axis=0)) <= 1e-6 * here.force


@pytest.mark.parametrize("variance", [1e-2, 1.0, 30.0])
@pytest.mark.parametrize("steps", [1, 2, 7, 20])
def test_single_mode_optimum_is_uniform_in_log_one_plus_snr(variance, steps):
    first, last = -5.0, 6.0
    ends = np.log1p(variance * np.exp([first, last]))
    length = ends[1] - ends[0]
    found = refine(
        PathKL().derivatives(independent([variance])), np.linspace(first, last, steps + 1)[:, None]
    )
    assert found.cost == pytest.approx(0.5 * steps * np.expm1(length / steps) - 0.5 * length, rel=1e-9)
    np.testing.assert_allclose(
        np.log1p(variance * np.exp(found.logsnr[:, 0])), np.linspace(*ends, steps + 1), atol=1e-5
    )


def test_agrees_with_a_general_purpose_solver():
    model = averaging_pyramid([2.0, 0.3])
    steps, scales = 4, 2
    start = np.linspace([-4.0, -4.0], [4.0, 4.0], steps + 1)
    derivatives = PathKL().derivatives(model)

    def assembled(x):
        path = start.copy()
        path[1:-1] = x.reshape(-1, scales)
        return path

    differences = np.kron(np.eye(steps, steps - 1) - np.eye(steps, steps - 1, k=-1), np.eye(scales))
    fixed = np.zeros((steps, scales))
    fixed[0], fixed[-1] = -start[0], start[-1]
    reference = scipy.optimize.minimize(
        lambda x: derivatives(assembled(x)).cost,
        start[1:-1].ravel(),
        jac=lambda x: derivatives(assembled(x)).gradient[1:-1].ravel(),
        method="SLSQP",
        constraints={
            "type": "ineq",
            "fun": lambda x: differences @ x + fixed.ravel(),
            "jac": lambda x: differences,
        },
        options={"ftol": 1e-13, "maxiter": 500},
    )
    assert refine(derivatives, start).cost <= reference.fun * (1 + 1e-8)


def test_a_scale_that_must_not_move_does_not():
    model = averaging_pyramid([2.0, 0.3])
    start = np.linspace([-4.0, 1.0], [4.0, 1.0], 7)
    found = refine(PathKL().derivatives(model), start)
    assert np.all(found.logsnr[:, 1] == 1.0)
    assert found.kkt_residual < 1e-6


def test_padding_does_not_change_the_derivatives():
    model = random_gaussian(2, 2)
    path = random_path(3, 15, 2)
    short = path_derivatives(bregman_steps, model, path[:9])
    long = path_derivatives(bregman_steps, model, path)
    np.testing.assert_array_equal(short.hessians, long.hessians[:8])
    assert short.cost == pytest.approx(long.costs[:8].sum(), rel=1e-15)


def test_weighted_parts_add_up_to_the_whole_and_match_their_definition():
    model = random_gaussian(7, 2)
    path = random_path(5, 5, 2, low=-3.0, high=3.0)
    parts = [PathKL(w).step_costs(model, path) for w in ((1, 0), (0, 1))]
    np.testing.assert_allclose(parts[0] + parts[1], model.step_kl(path[:-1], path[1:]), rtol=1e-9, atol=1e-12)
    # The mean error along the straight line in SNR, by brute force.
    snr = np.exp(path)
    t = (np.arange(20000) + 0.5) / 20000
    for i in range(5):
        line = np.log(snr[i] + t[:, None] * (snr[i + 1] - snr[i]))
        fall = model.mmse(path[i]) - model.mmse(line).mean(axis=0)
        expected = 0.5 * (snr[i + 1] - snr[i]) * fall
        np.testing.assert_allclose([parts[0][i], parts[1][i]], expected, rtol=1e-5, atol=1e-9)


def test_weighted_derivatives_are_those_of_the_cost():
    model = random_gaussian(7, 2)
    path = random_path(5, 3, 2, low=-2.0, high=2.0)
    objective = PathKL((1.0, 0.25))
    here = objective.derivatives(model)(path)
    rng = np.random.default_rng(0)
    direction = rng.normal(size=path.shape)
    h = 1e-5
    cost = partial(lambda x: objective.derivatives(model)(x).cost)
    numeric = (cost(path + h * direction) - cost(path - h * direction)) / (2 * h)
    assert np.sum(here.gradient * direction) == pytest.approx(numeric, rel=1e-6)


def test_equal_weights_are_the_total():
    assert PathKL((1, 1)) == PathKL()
    with pytest.raises(ValueError, match="non-negative"):
        PathKL((1, -1))
    with pytest.raises(ValueError, match="one number for each"):
        PathKL((1.0, 0.0, 0.0)).step_costs(averaging_pyramid([1.0, 0.1]), np.zeros((3, 2)))
