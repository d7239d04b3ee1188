"""Models from measured surfaces: what comes out must be what a Gaussian law put in."""

import jax
import numpy as np
import pytest
import xarray
from tolerances import AUTODIFF, ROUND_OFF

import lift_theory as lt

AXIS = np.linspace(-7.0, 7.0, 16)
FITTED = 1e-3  # relative; positive terms on a grid of rates, refined a few times


@pytest.fixture(scope="module")
def exact():
    return lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.AveragePyramid())


@pytest.fixture(scope="module")
def surface(exact):
    return lt.error_surface(exact, AXIS)


@pytest.fixture(scope="module")
def measured(surface):
    return lt.MeasuredModel(surface)


@pytest.mark.parametrize("representation", [lt.SingleScale(), lt.DctBands((4,))], ids=repr)
def test_path_costs_are_those_of_the_law_that_was_measured(representation):
    exact = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), representation)
    measured = lt.MeasuredModel(lt.error_surface(exact, AXIS))
    for steps in (1, 6, 30):
        path = lt.diagonal_path(exact, steps, -7.0, 7.0, spacing="logsnr")
        assert lt.path_kl(measured, path) == pytest.approx(lt.path_kl(exact, path), rel=FITTED)


def test_the_optimal_path_of_the_fit_is_optimal(exact, measured):
    best = lt.optimal_path(exact, 12, -7.0, 7.0, gap=0.5)
    found = lt.optimal_path(measured, 12, -7.0, 7.0)
    assert found.cost == pytest.approx(best.cost, rel=FITTED)
    assert lt.path_kl(exact, found.path) <= (1.0 + 1e-3) * best.cost
    assert found.lower_bound == 0.0


def test_three_scales():
    exact = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.DctBands((4, 2)))
    measured = lt.MeasuredModel(lt.error_surface(exact, np.linspace(-4.0, 4.0, 7)))
    path = lt.diagonal_path(exact, 8, -4.0, 4.0, spacing="logsnr")
    assert lt.path_kl(measured, path) == pytest.approx(lt.path_kl(exact, path), rel=5 * FITTED)


def test_other_tools_take_it_like_any_model(exact, measured):
    curve = lt.geodesic_curve(measured, -7.0, 7.0, points=40)
    assert curve.length == pytest.approx(lt.geodesic_curve(exact, -7.0, 7.0, points=40).length, rel=FITTED)
    diagonal = lt.diagonal_path(measured, 10, -7.0, 7.0)
    assert lt.path_kl(exact, diagonal) <= (1 + FITTED) * lt.path_kl(exact, lt.diagonal_path(exact, 10, -7, 7))
    again = lt.error_surface(measured, AXIS)
    np.testing.assert_allclose(again.mmse, measured.measurement.mmse, rtol=5 * FITTED)
    np.testing.assert_allclose(again.mmse.values[0], measured.mmse(np.array([[-7.0, b] for b in AXIS])))
    with pytest.raises(TypeError, match="theorem about a GaussianModel"):
        lt.lower_bound(measured, 3, -7.0, 7.0)


def test_everything_follows_from_one_potential(measured):
    """The gradient of I is half the error, minus its Hessian the metric, its divergence the cost of a step."""
    point, other = np.array([-0.7, 1.9]), np.array([0.4, 2.6])
    gradient = jax.jit(jax.grad(lambda p: measured.mutual_information(p)))(point)
    np.testing.assert_allclose(gradient, 0.5 * np.exp(point) * measured.mmse(point), rtol=AUTODIFF)
    turn = jax.jit(jax.jacfwd(measured.mmse))(point)
    np.testing.assert_allclose(-0.5 * np.exp(point)[:, None] * turn, measured.metric(point), rtol=AUTODIFF)
    gain = measured.mutual_information(other) - measured.mutual_information(point)
    spent = 0.5 * (np.exp(other) - np.exp(point)) @ measured.mmse(point)
    np.testing.assert_allclose(measured.step_kl(point, other), spent - gain, rtol=1e-8)
    corners = np.array([point, [other[0], point[1]], other, [point[0], other[1]]])
    along = [lt.Path(corners[[0, i, 2]]) for i in (1, 3)]
    left = [0.5 * np.sum(np.diff(np.exp(p.logsnr), axis=0) * measured.mmse(p.logsnr[:-1])) for p in along]
    gains = [sum_ - lt.path_kl(measured, p) for sum_, p in zip(left, along, strict=True)]
    np.testing.assert_allclose(gains, gain, rtol=ROUND_OFF)


def test_tiny_steps_cost_half_the_squared_length(measured):
    point, move = np.array([0.3, -1.1]), np.array([2e-7, 1e-7])
    cost = float(measured.step_kl(point, point + move))
    assert cost == pytest.approx(0.5 * move @ np.asarray(measured.metric(point)) @ move, rel=1e-6)


def test_shapes_and_transformations(measured):
    points = np.random.default_rng(0).uniform(-7, 7, (3, 4, 2))
    assert measured.coupling(points).shape == (3, 4, 2, 2)
    assert measured.mutual_information(points).shape == (3, 4)
    mapped = jax.jit(jax.vmap(jax.vmap(measured.mmse)))(points)
    np.testing.assert_allclose(mapped, measured.mmse(points), rtol=ROUND_OFF)
    for leaf in jax.tree.leaves(jax.jit(lambda m, p: m.mmse(p))(measured, points)):
        np.testing.assert_allclose(leaf, mapped, rtol=ROUND_OFF)


@pytest.mark.parametrize("prediction", ["x0", "eps", "v"])
def test_the_jacobians_that_errors_imply(exact, measured, prediction):
    points = np.array([[-2.0, 0.0], [1.0, 1.0], [3.0, 2.0]])
    np.testing.assert_allclose(
        measured.jacobian_norms(points, prediction), exact.jacobian_norms(points, prediction), rtol=0.02
    )


@pytest.mark.parametrize("noise", [0.002, 0.02])
def test_noise_of_the_measurement_costs_little(exact, surface, noise):
    draws = np.random.default_rng(3).standard_normal(surface.mmse.shape)
    noisy = surface.assign(mmse=surface.mmse * (1 + noise * draws), mmse_standard_error=noise * surface.mmse)
    model = lt.MeasuredModel(noisy)
    assert 0.5 * noise < model.misfit < 1.1 * noise
    best, found = lt.optimal_path(exact, 8, -7.0, 7.0, gap=0.5), lt.optimal_path(model, 8, -7.0, 7.0)
    assert found.cost == pytest.approx(best.cost, rel=2 * noise)
    assert lt.path_kl(exact, found.path) <= (1 + noise) * best.cost


def test_the_curl_of_a_field_is_misfit(surface):
    """Errors that grow with the other scale's SNR belong to no posterior mean."""
    tilt = 1 + 0.1 * np.tanh(surface.logsnr_coarse / 4)
    twisted = surface.assign(mmse=surface.mmse * xarray.where(surface.scale == "fine", tilt, 1.0))
    model = lt.MeasuredModel(twisted)
    assert model.misfit > 0.01
    metric = np.asarray(model.metric(np.array([[0.0, 0.0], [2.0, 1.0]])))
    assert np.linalg.eigvalsh(metric).min() >= 0


def test_exact_errors_of_a_sparse_mixture_are_misfit():
    """Of N(0, 10) with chance 0.1 and N(0, 0.01) else, by quadrature over its posterior variance."""
    chances, own, errors = np.array([0.9, 0.1]), np.array([0.01, 10.0]), []
    for noise in np.exp(-AXIS):
        z = np.sinh(np.linspace(-15.0, 15.0, 20001))[:, None] * 1e-4
        law = chances * np.exp(-(z**2) / (2 * (own + noise))) / np.sqrt(2 * np.pi * (own + noise))
        which, gain = law / np.maximum(law.sum(axis=1, keepdims=True), 1e-300), own / (own + noise)
        variance = which @ (gain * noise) + which[:, 0] * which[:, 1] * (z[:, 0] * (gain[1] - gain[0])) ** 2
        errors.append(np.trapezoid(variance * law.sum(axis=1), z[:, 0]))
    model = lt.MeasuredModel(one_scale(np.array(errors), AXIS))
    assert 0.01 < model.misfit < 0.02


def one_scale(errors, axis):
    dims = ("logsnr_pixels", "scale")
    coords = {"logsnr_pixels": axis, "scale": ["pixels"], "size": ("scale", [1])}
    return xarray.Dataset({"mmse": (dims, errors[:, None])}, coords=coords)


def test_errors_that_never_fall_are_refused(surface):
    with pytest.raises(ValueError, match="do not fall with any log-SNR"):
        lt.MeasuredModel(one_scale(1.0 + 0.1 * np.arange(16), AXIS))
    rising = surface.mmse * 0 + 1.0 + 0.05 * (surface.logsnr_fine + surface.logsnr_coarse + 14.0)
    with pytest.raises(ValueError, match="do not fall with any log-SNR"):
        lt.MeasuredModel(surface.assign(mmse=rising))


def test_the_misfit_of_the_fit_alone_is_refused(measured):
    copy = jax.tree.map(lambda leaf: leaf, measured)
    with pytest.raises(ValueError, match="ask the model that was made of the surface"):
        _ = copy.misfit
    np.testing.assert_array_equal(copy.mmse(np.zeros(2)), measured.mmse(np.zeros(2)))


def test_constant_errors_cost_nothing(surface, measured):
    floored = lt.MeasuredModel(surface.assign(mmse=surface.mmse + 0.05))
    path = lt.diagonal_path(measured, 10, -7.0, 7.0)
    assert lt.path_kl(floored, path) == pytest.approx(lt.path_kl(measured, path), rel=5 * FITTED)


def test_a_file_is_as_good_as_the_surface(surface, measured, tmp_path):
    surface.to_netcdf(tmp_path / "surface.nc")
    loaded = lt.MeasuredModel(xarray.load_dataset(tmp_path / "surface.nc"))
    points = np.array([[-3.0, -2.0], [4.0, 6.0]])
    np.testing.assert_array_equal(loaded.mmse(points), measured.mmse(points))


def test_only_the_measured_grid_is_answered(measured):
    with pytest.raises(ValueError, match=r"fine must lie within \[-7, 7\] nats"):
        measured.mmse([-7.5, 0.0])
    with pytest.raises(ValueError, match="stop of coarse"):
        measured.step_kl([0.0, 0.0], [1.0, 9.0])
    with pytest.raises(ValueError, match="measure a wider surface"):
        lt.optimal_path(measured, 5, -9.0, 7.0)


def test_bad_surfaces_are_refused(surface):
    with pytest.raises(TypeError, match=r"xarray\.Dataset"):
        lt.MeasuredModel(surface.mmse)
    with pytest.raises(ValueError, match="size is missing"):
        lt.MeasuredModel(surface.drop_vars("size"))
    with pytest.raises(ValueError, match="must be positive"):
        lt.MeasuredModel(surface.assign(mmse=surface.mmse - 100.0))
    with pytest.raises(ValueError, match="at least four"):
        lt.MeasuredModel(surface.isel(logsnr_fine=[0, 5]))
    with pytest.raises(ValueError, match="must not contain NaN"):
        lt.MeasuredModel(surface.assign(mmse=surface.mmse.where(surface.logsnr_fine > 0)))
