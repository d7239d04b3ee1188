"""Paths optimised for the error of a sampler's output."""

from itertools import pairwise, product

import numpy as np
import pytest
from scipy.optimize import minimize
from tolerances import LIMIT, ROUND_OFF, SEARCH

import lift_theory as lt

START, STOP, STEPS = -4.0, 6.0, 5
VARIANCE = 0.3


def one_variance(representation):
    return lt.GaussianModel(lt.Spectrum(np.full((2, 2), VARIANCE)), representation)


def arctan_sigmas(steps, start=START, stop=STOP, variance=VARIANCE):
    ends = np.arctan(np.exp(-np.array([start, stop]) / 2) / np.sqrt(variance))
    return np.sqrt(variance) * np.tan(np.linspace(*ends, steps + 1))


def score(model, path, metric, **options):
    error = lt.sampling_error(model, path, **options)
    return error.w2 if metric == "w2" else error.kl


@pytest.mark.parametrize("metric", ["w2", "kl"])
def test_one_variance_has_the_arctan_schedule(metric):
    """Sabour et al. 2024, Theorem 3.1."""
    model = one_variance(lt.SingleScale())
    best = lt.optimal_path(model, STEPS, START, STOP, objective=lt.OutputError(metric=metric)).path
    expected = lt.Path(-2 * np.log(arctan_sigmas(STEPS))[:, None])
    assert np.isclose(score(model, best, metric), score(model, expected, metric), rtol=SEARCH)
    np.testing.assert_allclose(best.sigmas[:, 0], expected.sigmas[:, 0], rtol=LIMIT)


@pytest.mark.parametrize("metric", ["w2", "kl"])
def test_one_variance_for_the_ancestral_sampler(metric):
    """Against a search over the scalar recursion."""

    def sampled(sigmas):
        w = VARIANCE + sigmas[0] ** 2
        for s, t in pairwise(sigmas):
            q = t**2 / s**2
            w = (q + (1 - q) * VARIANCE / (VARIANCE + s**2)) ** 2 * w + t**2 * (1 - q)
        return w

    def cost(moves):
        shares = np.exp(moves - moves.max())
        levels = START + (STOP - START) * np.concatenate([[0.0], np.cumsum(shares / shares.sum())])
        sigmas = np.exp(-levels / 2)
        true, w = VARIANCE + sigmas[-1] ** 2, sampled(sigmas)
        if metric == "w2":
            return 2 * abs(np.sqrt(w) - np.sqrt(true))  # of four modes
        return 2 * (true / w - 1 - np.log(true / w))

    found = minimize(
        cost, np.zeros(STEPS), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-14, "maxiter": 8000}
    )
    model = one_variance(lt.SingleScale())
    objective = lt.OutputError(sampler=lt.Ancestral(), metric=metric)
    best = lt.optimal_path(model, STEPS, START, STOP, objective=objective).path
    assert np.isclose(score(model, best, metric, sampler=lt.Ancestral()), found.fun, rtol=SEARCH)


def test_bands_of_one_variance_each_have_their_own_arctan_schedule():
    variances = np.full((4, 4), 0.02)
    variances[:2, :2] = 3.0
    model = lt.GaussianModel(lt.Spectrum(variances), lt.DctBands((2,)))
    found = lt.optimal_path(model, STEPS, START, STOP, objective=lt.OutputError())
    expected = np.stack([arctan_sigmas(STEPS, variance=c) for c in (0.02, 3.0)], axis=1)
    np.testing.assert_allclose(found.path.sigmas, expected, rtol=LIMIT)
    # one clock for every variance: nothing is better, and the bound says so
    assert found.lower_bound <= found.cost <= found.lower_bound * (1 + SEARCH)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metric": "kl"},
        {"sampler": "Heun"},
        {
            "sampler": "DPMSolverPP2M",
            "output": "image",
        },  # of bands with many modes: on few it can be made exact
        {"init": "standard", "target": "data"},
    ],
    ids=str,
)
def test_no_path_nearby_and_no_usual_schedule_is_better(options):
    metric = options.get("metric", "w2")
    if "sampler" in options:
        options = {**options, "sampler": getattr(lt, options["sampler"])()}
    model = lt.GaussianModel(lt.Spectrum.power_law((2, 2)), lt.AveragePyramid())
    if options.get("output") == "image":
        model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.DctBands((3,)))
    found = lt.optimal_path(model, STEPS, START, STOP, objective=lt.OutputError(**options))
    asked = {key: value for key, value in options.items() if key != "metric"}
    best = score(model, found.path, metric, **asked)
    rng = np.random.default_rng(15)
    for size in (1e-2, 1e-1):
        for _ in range(10):
            moved = np.array(found.path.logsnr)
            moved[1:-1] += size * rng.normal(size=moved[1:-1].shape)
            moved = np.clip(np.maximum.accumulate(moved, axis=0), START, STOP)
            assert score(model, lt.Path(moved), metric, **asked) >= best * (1 - SEARCH)
    for spacing in ("logsnr", "karras", "arctan", "optimal"):
        usual = lt.diagonal_path(model, STEPS, START, STOP, spacing=spacing)
        assert score(model, usual, metric, **asked) >= best * (1 - SEARCH)


def test_one_curve_serves_every_step_count():
    """The self-consistent geodesic: exact for one variance, close to the optimum for a spectrum."""
    curve = lt.geodesic_curve(one_variance(lt.SingleScale()), START, STOP, objective=lt.OutputError())
    for steps in (1, 4, 9):
        np.testing.assert_allclose(curve.path(steps).sigmas[:, 0], arctan_sigmas(steps), rtol=LIMIT)

    model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.SingleScale())
    for metric in ("w2", "kl"):
        objective = lt.OutputError(metric=metric)
        curve = lt.geodesic_curve(model, START, STOP, objective=objective)
        best = lt.optimal_path(model, 10, START, STOP, objective=objective).path
        reached, optimum = (score(model, path, metric) for path in (curve.path(10), best))
        assert optimum <= reached * (1 + SEARCH)
        assert reached <= optimum * 1.02


def test_an_optimised_path_reports_its_error():
    model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.SingleScale())
    for metric in ("w2", "kl"):
        found = lt.optimal_path(model, STEPS, START, STOP, objective=lt.OutputError(metric=metric))
        error = score(model, found.path, metric)
        assert np.isclose(found.cost, error, rtol=ROUND_OFF)


def test_a_second_clock_for_independent_bands_is_never_worse_than_one():
    """Also where the errors of a sampler have both signs, and searches end in different valleys."""
    law = lt.Spectrum.power_law((8, 8))
    objective = lt.OutputError(lt.DPMSolverPP2M())
    one, two = (
        lt.optimal_path(lt.GaussianModel(law, kind), 8, -8.0, 8.0, objective=objective)
        for kind in (lt.SingleScale(), lt.DctBands((4,)))
    )
    assert two.cost <= one.cost * (1 + 1e-9)


def test_the_best_multistep_path_for_w2_is_no_worse_there_than_the_best_for_kl():
    model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.SingleScale())
    w2, kl = (lt.OutputError(sampler=lt.DPMSolverPP2M(), metric=metric) for metric in ("w2", "kl"))
    best, other = (lt.optimal_path(model, 12, -8.0, 8.0, objective=o) for o in (w2, kl))
    assert w2.cost(model, best.path) <= w2.cost(model, other.path) * (1 + 1e-6)


@pytest.mark.parametrize("metric", ["w2", "kl"])
def test_bands_with_ends_of_their_own_are_searched_one_by_one(metric):
    """The error of all bands together is the one that was minimised, and no step of either clock lowers it."""
    model = lt.GaussianModel(lt.Spectrum.power_law((4, 4)), lt.DctBands((2,)))
    first, last = np.array([START, START + 1.0]), np.array([STOP - 2.0, STOP])
    found = lt.optimal_path(model, STEPS, first, last, objective=lt.OutputError(metric=metric))
    np.testing.assert_array_equal(found.path.logsnr[[0, -1]], [first, last])
    best = score(model, found.path, metric)
    assert np.isclose(found.cost, best, rtol=ROUND_OFF)
    for step, scale, move in product(range(1, STEPS), range(2), (-0.02, 0.02)):
        moved = np.array(found.path.logsnr)
        moved[step, scale] += move
        assert score(model, lt.Path(moved), metric) > best


def test_a_band_that_holds_nothing_costs_nothing():
    """Its coefficients are zero, and every denoiser that knows the law says so: the other band decides alone."""
    variances = np.zeros((4, 4))
    variances[:2, :2] = [[3.0, 0.7], [0.5, 0.2]]
    both = lt.GaussianModel(lt.Spectrum(variances), lt.DctBands((2,)))
    alone = lt.GaussianModel(lt.Spectrum(variances[:2, :2]), lt.SingleScale())
    found, one = (lt.optimal_path(m, STEPS, START, STOP, objective=lt.OutputError()) for m in (both, alone))
    np.testing.assert_allclose(found.cost, one.cost, rtol=SEARCH)
    low = both.scales.index("low")
    np.testing.assert_allclose(found.path.logsnr[:, low], one.path.logsnr[:, 0], atol=LIMIT)


@pytest.mark.parametrize("kind", [lt.HaarBands, lt.AveragePyramid])
def test_images_without_fine_detail_have_a_best_path(kind):
    """No variance above half the resolution: some sets of modes hold nothing, and searches pass them by."""
    variances = np.zeros((4, 4))
    variances[:2, :2] = [[3.0, 0.7], [0.5, 0.2]]
    model = lt.GaussianModel(lt.Spectrum(variances), kind())
    found = lt.optimal_path(model, STEPS, START, STOP, objective=lt.OutputError())
    assert np.isclose(found.cost, score(model, found.path, "w2"), rtol=ROUND_OFF)
    assert found.cost < score(model, lt.diagonal_path(model, STEPS, START, STOP, spacing="karras"), "w2")
