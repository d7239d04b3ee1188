"""The lattice program against enumeration of every path, a linear program, and closed forms."""

import itertools

import hypothesis
import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest
from standins import averaging_pyramid, independent, random_gaussian

from lift_theory.optimize.flow import flow_program
from lift_theory.optimize.lattice import lattice_points, lattice_program, table_program

SETTINGS = hypothesis.settings(max_examples=25, deadline=None, derandomize=True)


def edge_costs(model, axes):
    """Exact cost of every lattice edge, from the determinant formula; infinite against the order."""
    points = lattice_points(axes)
    source, target = points[:, None, :], points[None, :, :]
    ordered = np.all(source <= target, axis=-1)
    costs = np.asarray(
        model.step_kl(np.broadcast_to(source, (*ordered.shape, len(axes))), np.maximum(source, target))
    )
    return np.where(ordered, costs, np.inf)


def enumerated(edges, steps):
    """The least cost over every sequence of lattice points, one by one."""
    count = len(edges)
    return min(
        sum(edges[p, q] for p, q in itertools.pairwise((0, *middle, count - 1)))
        for middle in itertools.product(range(count), repeat=steps - 1)
    )


def lattice_path_cost(model, logsnr):
    return float(np.sum(model.step_kl(logsnr[:-1], logsnr[1:])))


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10**6), scales=st.integers(1, 3), data=st.data())
def test_equals_enumeration_of_every_path(seed, scales, data):
    model = random_gaussian(seed, scales)
    lengths = [data.draw(st.integers(1 if k else 2, {1: 7, 2: 4, 3: 2}[scales])) for k in range(scales)]
    rng = np.random.default_rng(seed)
    axes = [np.cumsum(rng.uniform(0.1, 3.0, size=m)) - 5.0 for m in lengths]
    solution = lattice_program(model, 4, axes)
    edges = edge_costs(model, axes)
    for steps in range(1, 5):
        least = enumerated(edges, steps)
        assert solution.costs[steps - 1] == pytest.approx(least, rel=1e-9, abs=1e-10)
        assert lattice_path_cost(model, solution.logsnr(steps)) == pytest.approx(least, rel=1e-9, abs=1e-10)


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10**6), scales=st.integers(1, 2), steps=st.integers(1, 8))
def test_paths_are_monotone_with_pinned_ends_and_exact_length(seed, scales, steps):
    model = random_gaussian(seed, scales)
    axes = [np.linspace(-6.0, 4.0 + k, 17 + k) for k in range(scales)]
    solution = lattice_program(model, 8, axes)
    logsnr = solution.logsnr(steps)
    assert logsnr.shape == (steps + 1, scales)
    assert np.all(np.diff(logsnr, axis=0) >= 0)
    assert np.array_equal(logsnr[0], [a[0] for a in axes])
    assert np.array_equal(logsnr[-1], [a[-1] for a in axes])
    assert np.all(np.diff(solution.costs) <= 1e-9)


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10**6), scales=st.integers(1, 2), steps=st.integers(2, 6))
def test_equals_the_program_over_a_table_of_every_edge(seed, scales, steps):
    model = random_gaussian(seed, scales)
    axes = [np.linspace(-12.0, 9.0 + 2 * k, (40, 11)[scales - 1]) for k in range(scales)]
    fast = lattice_program(model, steps, axes)
    slow = table_program(model.scales, steps, axes, edge_costs(model, axes))
    np.testing.assert_allclose(fast.costs, slow.costs, rtol=1e-9, atol=1e-9)


def test_every_tail_of_a_best_path_is_best():
    model = averaging_pyramid([3.0, 0.2])
    axis = np.linspace(-6.0, 6.0, 13)
    solution = lattice_program(model, 5, [axis, axis])
    logsnr = solution.logsnr()
    for i in range(1, 4):
        axes = [axis[axis >= logsnr[i, k]] for k in range(2)]
        tail = lattice_program(model, 5 - i, axes)
        assert lattice_path_cost(model, logsnr[i:]) == pytest.approx(tail.costs[-1], rel=1e-10)


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10**6), steps=st.integers(1, 6))
def test_a_finer_nested_lattice_never_costs_more(seed, steps):
    model = random_gaussian(seed, 2)
    fine = np.linspace(-6.0, 6.0, 25)
    costs = [lattice_program(model, steps, [fine[::k], fine[::k]]).costs[-1] for k in (4, 2, 1)]
    assert costs[0] >= costs[1] - 1e-10
    assert costs[1] >= costs[2] - 1e-10


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10**6), steps=st.integers(1, 6))
def test_separable_models_decompose_into_their_scales(seed, steps):
    rng = np.random.default_rng(seed)
    spectra = [np.exp(rng.uniform(-3.0, 3.0, size=3)) for _ in range(2)]
    axes = [np.linspace(-5.0, 6.0, 20), np.linspace(-4.0, 5.0, 15)]
    joint = lattice_program(independent(*spectra), steps, axes).costs[-1]
    alone = sum(
        lattice_program(independent(s), steps, [a]).costs[-1] for s, a in zip(spectra, axes, strict=True)
    )
    assert joint == pytest.approx(alone, rel=1e-10)


def test_single_mode_lattice_with_the_closed_form_points_reaches_the_closed_form():
    variance, steps = 0.7, 6
    ends = np.log1p(variance * np.exp([-4.0, 5.0]))
    knots = np.linspace(*ends, steps + 1)
    axis = np.sort(np.concatenate([np.log(np.expm1(knots) / variance), np.linspace(-3.9, 4.9, 40)]))
    length = ends[1] - ends[0]
    expected = 0.5 * steps * np.expm1(length / steps) - 0.5 * length
    solution = lattice_program(independent([variance]), steps, [axis])
    assert solution.costs[-1] == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(np.log1p(variance * np.exp(solution.logsnr()[:, 0])), knots, atol=1e-12)


def test_rising_mmse_falls_back_to_the_plain_program():
    """A measured surface need not fall along the lattice; the result is then still the exact minimum."""

    class Wavy:
        scales = ("a", "b")

        def mutual_information(self, logsnr):
            return np.zeros(np.shape(logsnr)[:-1])

        def mmse(self, logsnr):
            return 2.0 + jnp.sin(3.0 * jnp.asarray(logsnr))

    axes = [np.linspace(-1.0, 1.0, 4), np.linspace(0.0, 1.5, 3)]
    points = lattice_points(axes)
    move = np.exp(points)[None] - np.exp(points)[:, None]
    edges = np.where(np.all(move >= 0, -1), 0.5 * np.sum(move * Wavy().mmse(points)[:, None], -1), np.inf)
    solution = lattice_program(Wavy(), 3, axes)
    assert solution.costs[-1] == pytest.approx(enumerated(edges, 3), rel=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_linear_program_agrees_and_its_potentials_prove_the_optimum(steps):
    pytest.importorskip("cvxpy")
    model = averaging_pyramid([2.0, 0.1])
    axes = [np.linspace(-4.0, 5.0, 6), np.linspace(-4.0, 5.0, 5)]
    edges = edge_costs(model, axes)
    flow = flow_program(edges, steps)
    solution = lattice_program(model, steps, axes)
    assert solution.costs[-1] == pytest.approx(flow.cost, rel=1e-7)
    for i in range(steps):
        assert np.all(flow.potentials[i][:, None] - flow.potentials[i + 1][None, :] <= edges + 1e-7)
    assert flow.lower_bound == pytest.approx(solution.costs[-1], rel=1e-6)


def test_linear_program_says_when_no_path_has_that_many_edges():
    pytest.importorskip("cvxpy")
    edges = np.array([[np.inf, 1.0], [np.inf, np.inf]])
    with pytest.raises(ValueError, match="exactly 2 steps"):
        flow_program(edges, 2)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ([np.array([0.0, 1.0])], "one array per scale"),
        ([np.array([0.0, 1.0]), np.array([1.0, 0.0])], "ascending"),
        ([np.array([0.0, 1.0]), np.array([0.0, np.nan])], "NaN"),
        ([np.array([0.0, 1.0]), np.array([0.0, 900.0])], "within"),
    ],
)
def test_bad_lattices_are_refused(axes, message):
    with pytest.raises(ValueError, match=message):
        lattice_program(averaging_pyramid([1.0, 0.1]), 3, axes)


def test_step_counts_are_checked():
    model = averaging_pyramid([1.0, 0.1])
    axes = [np.linspace(-1.0, 1.0, 3)] * 2
    with pytest.raises(TypeError, match="integer"):
        lattice_program(model, 2.5, axes)
    with pytest.raises(ValueError, match="at least 1"):
        lattice_program(model, 0, axes)
    with pytest.raises(ValueError, match="at most 2"):
        lattice_program(model, 2, axes).logsnr(3)
