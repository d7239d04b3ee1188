"""One curve for every step count: its local errors, its fixed point, and how near its paths are to the best ones."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from tolerances import FINITE_DIFFERENCE, LIMIT, ROUND_OFF

import lift_theory as lt
from lift_theory.sampling.curves import LOCAL_ERRORS
from lift_theory.sampling.floors import ddim_floor
from lift_theory.sampling.propagation import Setting, loss
from lift_theory.sampling.state import state_of

START, STOP = -6.0, 7.0
SAMPLERS = {"ddim": lt.DDIM(), "ancestral": lt.Ancestral(), "heun": lt.Heun(), "2m": lt.DPMSolverPP2M()}


def one_mode(variance):
    return lt.GaussianModel(lt.Spectrum(np.array([[variance]])), lt.SingleScale())


def spectrum_model(exponent=2.0, size=16):
    return lt.GaussianModel(lt.Spectrum.power_law((size, size), exponent), lt.SingleScale())


def relative_std_error(variance, sampler, steps, start, stop):
    """Exact, of one mode along a uniform path; its sign is that of a standard deviation that is too small."""
    model = one_mode(variance)
    path = lt.Path(np.linspace(start, stop, steps + 1)[:, None])
    return lt.sampling_error(model, path, sampler=sampler).w2 / np.sqrt(variance + np.exp(-stop))


@pytest.mark.parametrize("name", ["ddim", "ancestral", "heun"])
@pytest.mark.parametrize("variance", [0.02, 1.0, 9.0])
def test_the_local_error_integrates_to_the_limit_of_many_steps(name, variance):
    sampler = SAMPLERS[name]
    local = LOCAL_ERRORS[type(sampler)]
    end = 1.0 + np.exp(-STOP) / variance

    def density(level):
        return float(local.density(np.array(level + np.log(variance)), np.array(end)))

    expected = (STOP - START) ** local.order * quad(density, START, STOP)[0]
    errors = [n**local.order * relative_std_error(variance, sampler, n, START, STOP) for n in (128, 256)]
    assert np.isclose(2 * errors[1] - errors[0], expected, rtol=LIMIT)


def test_the_local_error_of_the_multistep_solver_bounds_its_limit():
    """A window in which the error has one sign, begun so early that its first step of lower order does not count."""
    local = LOCAL_ERRORS[lt.DPMSolverPP2M]
    expected = (
        18.0**2 * quad(lambda level: float(local.density(np.array(level), np.array(1.0))), -18.0, 0.0)[0]
    )
    # sigma^2 > 3/2 has one sign, sigma^2 < 3/2 the other: what is left of both is less than their sizes together
    measured = (
        256**2 * relative_std_error(1.0, lt.DPMSolverPP2M(), 256, -18.0, 0.0) / np.sqrt(0.5) / np.sqrt(2)
    )
    assert 0.0 < measured < expected


@pytest.mark.parametrize("metric", ["w2", "kl"])
@pytest.mark.parametrize("name", ["ddim", "ancestral", "heun"])
def test_no_other_spacing_is_better_in_the_limit(name, metric):
    model, steps = spectrum_model(size=8), 192
    objective = lt.OutputError(sampler=SAMPLERS[name], metric=metric)
    curve = lt.geodesic_curve(model, START, STOP, objective=objective)
    best = objective.cost(model, curve.path(steps))
    bump = np.sin(np.pi * np.linspace(0.0, 1.0, steps + 1))[:, None]
    wave = np.sin(3 * np.pi * np.linspace(0.0, 1.0, steps + 1))[:, None]
    for change in (bump, -bump, wave, -wave):
        moved = lt.Path(curve.path(steps).logsnr + 0.1 * change)
        assert objective.cost(model, moved) > best


@pytest.mark.parametrize("metric", ["w2", "kl"])
def test_the_curve_predicts_the_error_of_many_steps(metric):
    model = spectrum_model()
    objective = lt.OutputError(metric=metric)
    curve = lt.geodesic_curve(model, START, STOP, objective=objective)
    costs = [objective.cost(model, curve.path(n)) for n in (160, 320)]
    errors = np.sqrt(costs) if metric == "kl" else np.array(costs)
    limit = 2 * 320 * errors[1] - 160 * errors[0]
    assert np.isclose(curve.constant, limit, rtol=LIMIT)
    assert np.isclose(curve.predicted(20), curve.constant / 20, rtol=ROUND_OFF)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_paths_of_one_curve_are_nearly_the_best_for_every_step_count(exponent):
    """Within 0.1 % of the best squared distance from ten steps on."""
    model = spectrum_model(exponent)
    objective = lt.OutputError()
    curve = lt.geodesic_curve(model, START, STOP, objective=objective)
    for steps in (10, 16, 32):
        best = lt.optimal_path(model, steps, START, STOP, objective=objective)
        along = lt.sampling_error(model, curve.path(steps)).w2
        assert best.cost <= along * (1 + 1e-9)
        assert along**2 < 1.001 * best.cost**2


def test_bands_have_the_curves_of_their_own_variances():
    spectrum = lt.Spectrum.power_law((8, 8))
    both = lt.GaussianModel(spectrum, lt.DctBands((4,)))
    joint = lt.geodesic_curve(both, START, STOP, objective=lt.OutputError())
    low = np.zeros((8, 8), dtype=bool)
    low[:4, :4] = True
    for k, mask in enumerate((~low, low)):
        alone = lt.GaussianModel(lt.Spectrum(np.where(mask, spectrum.variances, 0.0)), lt.SingleScale())
        curve = lt.geodesic_curve(alone, START, STOP, objective=lt.OutputError())
        np.testing.assert_allclose(
            joint.path(10).logsnr[:, k], curve.path(10).logsnr[:, 0], atol=1e-3
        )  # read off different knots


def test_coupled_scales_share_one_curve_too():
    model = lt.GaussianModel(lt.Spectrum([[3.0, 0.2], [0.2, 0.05]]), lt.AveragePyramid())
    objective = lt.OutputError()
    curve = lt.geodesic_curve(model, START, STOP, objective=objective)
    best = lt.optimal_path(model, 12, START, STOP, objective=objective)
    along = lt.sampling_error(model, curve.path(12)).w2
    assert best.cost <= along * (1 + 1e-9)
    assert along < 1.001 * best.cost


def test_what_has_no_curve_says_so():
    model = spectrum_model(size=4)
    with pytest.raises(ValueError, match=r"leading error is known for .*optimal_path"):
        lt.geodesic_curve(model, START, STOP, objective=lt.OutputError(sampler=lt.RK4(lt.VPLinear())))
    with pytest.raises(ValueError, match="init='exact'"):
        lt.geodesic_curve(model, START, STOP, objective=lt.OutputError(init="standard"))
    flat = lt.geodesic_curve(model, 2.0, 2.0, objective=lt.OutputError())
    assert np.all(flat.path(3).logsnr == 2.0)
    assert flat.constant == 0.0


@settings(max_examples=40)
@given(
    logs=st.lists(st.floats(-6.0, 4.0), min_size=2, max_size=6),
    cuts=st.lists(st.floats(-5.9, 6.9), min_size=0, max_size=6),
    init=st.sampled_from(["exact", "standard"]),
)
def test_no_path_is_below_the_floor_of_modes_with_clocks_of_their_own(logs, cuts, init):
    variances = np.exp(np.array(logs))
    path = np.array([START, *sorted(cuts), STOP])
    sigma = np.exp(-path / 2)
    ratio = np.ones(len(variances))
    for before, after in itertools.pairwise(sigma):  # the step itself, not the theorem
        ratio *= (variances + before * after) / np.sqrt((variances + before**2) * (variances + after**2))
    if init == "standard":
        ratio *= sigma[0] / np.sqrt(variances + sigma[0] ** 2)
    w2 = np.sum((variances + sigma[-1] ** 2) * (1 - ratio) ** 2)
    kl = 0.5 * np.sum(1 / ratio**2 - 1 + 2 * np.log(ratio))
    for metric, value in (("w2", w2), ("kl", kl)):
        floor = ddim_floor(variances, np.ones(len(logs)), START, STOP, len(path) - 1, metric, init)
        assert 0.0 <= floor <= value * (1 + 1e-9) + 1e-14


@pytest.mark.parametrize("metric", ["w2", "kl"])
@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_gradients_agree_with_differences(name, metric):
    size = 4 if (name, metric) == ("ddim", "w2") else 2  # the form of blocks decides the time of compilation
    model = lt.GaussianModel(lt.Spectrum.power_law((size, size)), lt.AveragePyramid())
    function = loss(state_of(model), Setting(SAMPLERS[name]), metric)
    points = np.array([[-4.0, -4.0], [-2.0, -1.0], [0.5, 0.0], [0.5, 2.0], [4.0, 4.0]])
    _, gradient = function(points)
    assert not gradient[[0, -1]].any()
    for i, k in ((1, 0), (1, 1), (2, 1), (3, 1)):
        slopes = []
        for step in (2e-3, 1e-3):
            moved = [points.copy(), points.copy()]
            moved[0][i, k] -= step
            moved[1][i, k] += step
            slopes.append((function(moved[1])[0] - function(moved[0])[0]) / (2 * step))
        expected = (4 * slopes[1] - slopes[0]) / 3
        assert np.isclose(gradient[i, k], expected, rtol=1e2 * FINITE_DIFFERENCE, atol=1e-9)
