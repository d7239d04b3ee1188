"""Placements of band edges: no enumerated placement is cheaper, and both ends of the number of clocks are known."""

from itertools import combinations, pairwise

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from tolerances import ROUND_OFF, SEARCH

import lift_theory as lt
from lift_theory.optimize._kernels import interval_sums

STEPS = 4
LATTICE = 1e-4  # relative; 200 lattice points per step, see the module
SETTINGS = hypothesis.settings(max_examples=4, deadline=None, derandomize=True)


def alone(spectrum, mask, steps=STEPS, **options):
    """Best cost of one clock for some modes of a spectrum."""
    model = lt.GaussianModel(lt.Spectrum(np.where(mask, spectrum.variances, 0.0)), lt.SingleScale())
    return lt.optimal_path(model, steps, **options).cost


def random_spectrum(seed, shape):
    return lt.Spectrum(np.exp(np.random.default_rng(seed).uniform(-9.0, 6.0, size=shape)))


@pytest.fixture(scope="module")
def spectrum():
    """Not square, and not falling with frequency."""
    return random_spectrum(0, (3, 4))


def test_no_placement_is_better(spectrum):
    design = lt.best_bands(spectrum, 2, STEPS)
    found = {}
    for cutoffs in ((3,), (2,), (1,)):
        model = lt.GaussianModel(spectrum, lt.DctBands(cutoffs))
        found[cutoffs] = lt.optimal_path(model, STEPS, gap=0.5)  # of all scales together
    best = min(found, key=lambda cutoffs: found[cutoffs].cost)
    assert design.edges == best
    np.testing.assert_allclose(design.cost, found[best].cost, rtol=SEARCH)
    np.testing.assert_allclose(design.octave_cost, found[2,].cost, rtol=SEARCH)
    np.testing.assert_allclose(design.gain, 1.0 - found[best].cost / found[2,].cost, atol=SEARCH)
    model = lt.GaussianModel(spectrum, design.representation)
    path = lt.Path(design.path.logsnr, model.scales)
    np.testing.assert_allclose(lt.path_kl(model, path), design.cost, rtol=ROUND_OFF)
    np.testing.assert_allclose(design.group_costs.sum(), design.cost, rtol=ROUND_OFF)
    assert 0.0 <= design.estimate_error < LATTICE
    assert design.kkt_residual < SEARCH


@pytest.mark.parametrize("metric", ["w2", "kl"])
def test_output_errors_with_many_steps(metric):
    """Where the leading order decides, the placement is the best, and the returned cost is that of the sampler."""
    objective, spectrum = lt.OutputError(metric=metric), lt.Spectrum(np.array([[5.0, 0.5, 2e-3]]))
    design = lt.best_bands(spectrum, 2, 12, objective=objective)
    forced = [lt.best_bands(spectrum, 2, 12, objective=objective, cutoffs=(c,)) for c in (1, 2)]
    best = min(forced, key=lambda one: one.cost)
    assert design.edges == best.edges
    assert abs(forced[0].cost - forced[1].cost) > 0.05 * design.cost
    model = lt.GaussianModel(spectrum, design.representation)
    error = lt.sampling_error(model, lt.Path(design.path.logsnr, model.scales))
    np.testing.assert_allclose(error.w2 if metric == "w2" else error.kl, design.cost, rtol=SEARCH)
    total = design.group_costs.sum()
    np.testing.assert_allclose(np.sqrt(total) if metric == "w2" else total, design.cost, rtol=ROUND_OFF)
    assert 0.0 < design.lower_bound < design.cost
    assert abs(design.estimate_error) < 0.2


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10**6))
def test_laws_of_any_spectrum(seed):
    """One row of modes, so that the last design has a clock for every mode."""
    spectrum = random_spectrum(seed, (1, 4))
    last = lt.best_bands(spectrum, 4, STEPS)
    designs = [*last.fewer, last]
    floor = lt.lower_bound(lt.GaussianModel(spectrum, lt.SingleScale()), STEPS, -9.0, 9.0)
    np.testing.assert_allclose(last.cost, floor, rtol=SEARCH)
    np.testing.assert_allclose(designs[0].cost, alone(spectrum, True), rtol=ROUND_OFF)
    for fewer, more in pairwise(designs):
        assert more.cost <= fewer.cost * (1 + ROUND_OFF)
    for clocks, design in enumerate(designs, start=1):
        assert (design.clocks, len(design.edges)) == (clocks, clocks - 1)
        np.testing.assert_allclose(design.estimates[clocks - 1], design.cost, rtol=LATTICE)
        least = min(
            sum(
                alone(spectrum, (np.arange(4) >= a) & (np.arange(4) < b)) for a, b in pairwise((0, *inner, 4))
            )
            for inner in combinations((1, 2, 3), clocks - 1)
        )
        assert design.cost <= least * (1 + LATTICE)


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10**6))
def test_groups_do_not_see_where_modes_are(seed):
    """Shuffled modes give the same groups; sorted by variance, bands of one row are such groups."""
    spectrum = random_spectrum(seed, (1, 4))
    groups = lt.best_groups(spectrum, 2, STEPS)
    falling = lt.Spectrum(-np.sort(-spectrum.variances))
    bands = lt.best_bands(falling, 2, STEPS)
    assert bands.cost <= lt.best_bands(spectrum, 2, STEPS).cost * (1 + LATTICE)
    np.testing.assert_allclose(groups.cost, bands.cost, rtol=LATTICE)
    weak = spectrum.variances < groups.edges[0]
    parts = [alone(spectrum, weak), alone(spectrum, ~weak)]
    np.testing.assert_allclose(groups.group_costs, parts, rtol=SEARCH)


def test_groups_of_like_variance_are_not_always_best():
    """One strong mode goes better with the weak ones than these with the many in between."""
    levels = np.repeat([15.0, 5.0, -9.0], [1, 100, 20])[None]
    spectrum, ends = lt.Spectrum(np.exp(levels)), {"start": -15.0, "stop": 15.0}
    many = levels == 5.0
    crossed = alone(spectrum, many, 20, **ends) + alone(spectrum, ~many, 20, **ends)
    assert crossed < 0.998 * lt.best_groups(spectrum, 2, 20, **ends).cost


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_interval_sums_are_those_of_plain_recursion(steps):
    rng = np.random.default_rng(3)
    snr = np.exp(np.linspace(-3.0, 4.0, 23))
    slopes = 1.0 / (np.exp(rng.uniform(-3, 3, size=(3, 1))) + snr)
    sums = interval_sums(slopes, snr, steps)
    for a in range(3):
        assert np.isinf(sums[a, : a + 1]).all()
        for b in range(a + 1, 4):
            edges = slopes[a:b].sum(axis=0)[:, None] * (snr - snr[:, None])
            edges[np.tri(len(snr), k=-1, dtype=bool)] = np.inf
            least = edges[0]
            for _ in range(steps - 1):
                least = np.min(least[:, None] + edges, axis=0)
            np.testing.assert_allclose(sums[a, b], least[-1], rtol=ROUND_OFF)


def test_allowed_cutoffs_are_kept(spectrum):
    design = lt.best_bands(spectrum, 2, STEPS, cutoffs=(1, 3))
    assert design.edges in ((1,), (3,))
    assert len(design.estimates) == 3
    only = lt.best_bands(spectrum, 2, STEPS, cutoffs=(2,))
    np.testing.assert_allclose(only.cost, only.octave_cost, rtol=ROUND_OFF)


def test_bands_without_variance_cost_nothing():
    variances = np.array([[4.0, 0.0, 1e-2]])
    design = lt.best_bands(lt.Spectrum(variances), 3, STEPS)
    assert design.group_costs[1] == 0.0
    assert lt.best_groups(lt.Spectrum(variances), 2, STEPS).cost == pytest.approx(design.cost)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"spectrum": lt.Covariance(np.eye(4))}, TypeError, "must be a Spectrum"),
        ({"clocks": 0}, ValueError, "clocks must be at least 1"),
        ({"clocks": 5}, ValueError, "clocks must be at most 4"),
        ({"clocks": 2.0}, TypeError, "clocks must be an integer"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"stop": -9.0}, ValueError, "stop must lie above start"),
        ({"objective": lt.PathKL((1, 0))}, ValueError, "Use PathKL"),
        ({"objective": lt.PublishedCost()}, TypeError, "must be PathKL"),
        ({"objective": lt.OutputError(init="standard")}, ValueError, "leading order is known"),
        ({"objective": lt.OutputError(lt.RK4(lt.VPLinear()))}, ValueError, "leading order is known"),
        ({"cutoffs": (2, 1)}, ValueError, "must ascend"),
        ({"cutoffs": (1, 4)}, ValueError, "lie below 4"),
        ({"cutoffs": (1.5,)}, TypeError, "cutoffs must be an integer"),
    ],
)
def test_bad_input(spectrum, arguments, error, words):
    given = {"spectrum": spectrum, "clocks": 2, "steps": STEPS, **arguments}
    with pytest.raises(error, match=words):
        lt.best_bands(**given)
    if not {"cutoffs", "clocks"} & set(arguments):
        with pytest.raises(error, match=words):
            lt.best_groups(**given)
