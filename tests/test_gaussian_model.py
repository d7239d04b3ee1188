"""Every quantity of the closed-form model, against linear algebra that knows nothing of its structure."""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import reference
from reference import Dense, Digits, relative_error
from tolerances import AUTODIFF, CONDITIONED, DENSE, MANY_DIGITS, ROUND_OFF

import lift_theory as lt
from lift_theory.compilation import jit
from lift_theory.optimize.traceable import traceable

SHAPE = (16, 16)
PREDICTIONS = ("x0", "eps", "v")
REPRESENTATIONS = {
    "single": lt.SingleScale(),
    "pyramid": lt.AveragePyramid(),
    "haar": lt.HaarBands(),
    "cosines": lt.DctBands((5,)),
    "cosines of three": lt.DctBands((9, 3)),
    "nearest": lt.ResidualPyramid(),
    "nearest of three": lt.ResidualPyramid(3),
    "bilinear": lt.ResidualPyramid(upsampling="bilinear"),
    "bilinear of three": lt.ResidualPyramid(3, "bilinear"),
    "bicubic": lt.ResidualPyramid(upsampling="bicubic"),
    "bicubic of three": lt.ResidualPyramid(3, "bicubic"),
}


def rough_spectrum(shape, seed=0):
    """A decaying spectrum without symmetry, so that swapped axes, aliases or channels show."""
    noise = np.random.default_rng(seed).uniform(-1.0, 1.0, shape)
    return lt.Spectrum(lt.Spectrum.power_law(shape, exponent=1.5).variances * np.exp(noise))


def some_points(count, scales, limit=3.0, seed=1):
    return np.random.default_rng(seed).uniform(-limit, limit, (count, scales))


@jit
def quantities(model, points, stops):
    """Every quantity at once: one compilation where the closed forms share their sweeps, and models of one shape it."""
    return {
        "information": model.mutual_information(points),
        "mmse": model.mmse(points),
        "metric": model.metric(points),
        "coupling": model.coupling(points),
        "step_kl": model.step_kl(points, stops),
        **{prediction: model.jacobian_norms(points, prediction) for prediction in PREDICTIONS},
    }


def everything(model, points, stops):
    return {name: np.asarray(value) for name, value in quantities(traceable(model), points, stops).items()}


def check_against_dense(model, points, tolerance=DENSE):
    dense = Dense.of(model.law, model.representation)
    stops = points + np.random.default_rng(2).uniform(0.3, 3.0, (3, *points.shape))
    found = everything(model, points, stops)
    for from_here, here in zip(stops, found.pop("step_kl"), strict=True):
        costs = [dense.step_kl(point, stop) for point, stop in zip(points, from_here, strict=True)]
        np.testing.assert_allclose(here, costs, rtol=tolerance, err_msg="step_kl")
    for name, value in found.items():
        for point, here in zip(points, value, strict=True):
            expected = (
                dense.jacobian_norms(point, name) if name in PREDICTIONS else getattr(dense, name)(point)
            )
            small = tolerance * np.max(expected) if np.ndim(expected) == 2 else 0.0
            np.testing.assert_allclose(here, expected, rtol=tolerance, atol=small, err_msg=name)


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_every_quantity_equals_dense_linear_algebra(name):
    model = lt.GaussianModel(rough_spectrum(SHAPE), REPRESENTATIONS[name])
    check_against_dense(model, some_points(3, len(model.scales)))


@pytest.mark.parametrize(
    ("shape", "representation"),
    [
        ((2, 8, 16), lt.AveragePyramid(4)),
        ((8, 8), lt.HaarBands(4)),
        ((3, 8, 4), lt.HaarBands(2)),
        ((4, 8), lt.AveragePyramid(2)),
        ((3, 4, 8), lt.DctBands((5,))),
        ((3, 4, 8), lt.ResidualPyramid(2, "bicubic")),
        ((2, 2), lt.HaarBands()),
        ((5, 7), lt.DctBands((3,))),
        ((5, 7), lt.SingleScale()),
    ],
    ids=str,
)
def test_deep_coloured_oblong_and_odd(shape, representation):
    model = lt.GaussianModel(rough_spectrum(shape), representation)
    assert model.sizes == tuple(len(a) for a in representation.matrices(shape).values())
    check_against_dense(model, some_points(2, len(model.scales)))


def random_covariance(size, seed=3, rank=None):
    root = np.random.default_rng(seed).normal(size=(size, rank or size)) / np.sqrt(size)
    return root @ root.T


def custom_law_and_scales():
    generator = np.random.default_rng(4)
    scales = lt.LinearScales({"many": generator.normal(size=(9, 6)), "few": generator.normal(size=(2, 6))})
    return lt.Covariance(random_covariance(6)), scales


def test_any_covariance_with_any_operators():
    check_against_dense(lt.GaussianModel(*custom_law_and_scales()), some_points(4, 2))


@pytest.mark.parametrize(
    "representation",
    [
        lt.SingleScale(),
        lt.AveragePyramid(),
        lt.HaarBands(3),
        lt.DctBands((2,)),
        lt.ResidualPyramid(2, "bilinear"),
    ],
    ids=str,
)
def test_a_covariance_that_is_not_diagonal_on_cosines(representation):
    model = lt.GaussianModel(lt.Covariance(random_covariance(16), shape=(4, 4)), representation)
    check_against_dense(model, some_points(2, len(model.scales)))


def test_operators_on_a_spectrum_are_the_pyramid():
    spectrum = rough_spectrum((4, 4))
    scales = lt.LinearScales(lt.AveragePyramid().matrices((4, 4)))
    points = some_points(3, 2)
    by_hand, built_in = lt.GaussianModel(spectrum, scales), lt.GaussianModel(spectrum, lt.AveragePyramid())
    np.testing.assert_allclose(by_hand.metric(points), built_in.metric(points), rtol=DENSE)


def test_variances_of_zero_say_nothing():
    """Half of the modes are silent: they are known without looking, and nothing becomes NaN."""
    variances = np.array(rough_spectrum((4, 4)).variances)
    variances[::2, 1::2] = variances[3:] = 0.0
    for representation in (lt.AveragePyramid(3), lt.HaarBands(3), lt.ResidualPyramid(2, "bicubic")):
        model = lt.GaussianModel(lt.Spectrum(variances), representation)
        check_against_dense(model, some_points(3, len(model.scales)))


# --- a hundred digits, at extremes -------------------------------------------------------------------------------


def bands(cutoffs, size):
    index = np.maximum(*np.ogrid[:size, :size])
    edges = [size, *cutoffs, 0]
    return [(index < upper) & (index >= lower) for upper, lower in pairwise(edges)]


EXTREME = {
    "single": (lt.SingleScale(), 2),
    "pyramid": (lt.AveragePyramid(), 4),
    "pyramid of three": (lt.AveragePyramid(3), 4),
    "haar of three": (lt.HaarBands(3), 4),
    "cosines": (lt.DctBands((2,)), 4),
    "nearest": (lt.ResidualPyramid(), 4),
    "bilinear": (lt.ResidualPyramid(2, "bilinear"), 4),
    "bicubic": (lt.ResidualPyramid(2, "bicubic"), 4),
    "smallest pyramid": (lt.AveragePyramid(), 2),
}


def digits(variances, representation):
    """The same model at many digits."""
    size = len(variances)
    if isinstance(representation, lt.DctBands):
        return Digits(variances, masks=bands(representation.cutoffs, size))
    return Digits(variances, operators=list(representation.matrices((size, size)).values()))


def check_many_digits(model, exact, points, stops):
    """Every quantity at every point, and the steps from there."""
    found = everything(model, points, stops)
    costs = found.pop("step_kl")
    for i, point in enumerate(points):
        for quantity, value in found.items():
            scale = None
            if quantity in PREDICTIONS:
                truth, parts = exact.jacobian_norms(point, quantity)
                scale = parts if quantity == "v" else None
            else:
                truth = getattr(exact, quantity)(point)
            assert relative_error(value[i], truth, scale) < MANY_DIGITS, f"{quantity} at {point}"
        for stop, cost in zip(stops[:, i], costs[:, i], strict=True):
            error = relative_error(cost, exact.step_kl(point, stop))
            assert error < MANY_DIGITS, f"step from {point} to {stop}"


@pytest.mark.parametrize("name", EXTREME)
def test_extreme_noise_and_variances(name):
    representation, size = EXTREME[name]
    generator = np.random.default_rng(list(EXTREME).index(name))
    variances = 10.0 ** generator.uniform(-12, 12, (size, size))
    model = lt.GaussianModel(lt.Spectrum(variances), representation)
    exact = digits(variances, representation)
    points = generator.uniform(-40, 40, (3, len(model.scales)))
    tiny, mixed = points + 1e-8, points + 10.0 ** generator.uniform(-8, 0, points.shape)
    stops = np.stack([tiny, mixed, points + generator.uniform(10, 60, points.shape)])
    check_many_digits(model, exact, points, stops)


def test_blocks_without_a_closed_form_hold_over_the_stated_range():
    """Three bilinear levels: factorizations lose what the condition number takes, here 1e9."""
    generator = np.random.default_rng(5)
    variances = 10.0 ** generator.uniform(-2, 2, (4, 4))
    representation = lt.ResidualPyramid(3, "bilinear")
    model = lt.GaussianModel(lt.Spectrum(variances), representation)
    exact = Digits(variances, operators=list(representation.matrices((4, 4)).values()))
    for point in generator.uniform(-10, 10, (2, 3)):
        assert relative_error(model.mutual_information(point), exact.information(point)) < CONDITIONED
        assert relative_error(model.mmse(point), exact.mmse(point)) < CONDITIONED
        tiny = exact.step_kl(point, point + 1e-3)
        assert relative_error(model.step_kl(point, point + 1e-3), tiny) < CONDITIONED


@pytest.mark.parametrize("representation", [lt.AveragePyramid(), lt.AveragePyramid(3)], ids=str)
def test_steps_too_large_for_products_stay_finite(representation):
    """From pure noise to clean data in one step: the ratio of determinants exceeds float64, the cost does not."""
    model = lt.GaussianModel(lt.Spectrum.power_law((4, 4), variance=1e6), representation)
    count = len(model.scales)
    start, stop = np.full(count, -60.0), np.full(count, 90.0)
    gain = np.exp(90.0) - np.exp(-60.0)
    expected = 0.5 * gain * np.asarray(model.mmse(start)).sum()  # the information gained is 1e-40 of it
    assert np.isclose(model.step_kl(start, stop), expected, rtol=MANY_DIGITS)
    assert np.isfinite(jax.jit(jax.grad(model.step_kl, argnums=(0, 1)))(start, stop)).all()


@pytest.mark.parametrize(
    "name",
    [
        "single",
        "pyramid",
        "pyramid of three",
        "haar of three",
        "cosines",
        "nearest",
        "bilinear",
        "bicubic",
    ],
)
def test_one_scale_exact_and_another_pure_noise(name, monkeypatch):
    """At +-200 nats squares of what is left reach 1e-348; what they are divided by does too."""
    monkeypatch.setattr(reference, "DIGITS", 400)  # 1 - g Phi is 1e-87 of one, and inverses lose 174 digits
    representation, size = EXTREME[name]
    variances = 10.0 ** np.random.default_rng(8).uniform(-3, 1, (size, size))
    model = lt.GaussianModel(lt.Spectrum(variances), representation)
    exact = digits(variances, representation)
    points = np.array([[200.0, -200.0, 200.0], [-200.0, 200.0, -200.0], [200.0, 0.0, 0.0]])
    points = points[:, : len(model.scales)]
    stops = np.stack([np.maximum(points, stop) for stop in (-199.0, 1.0, 200.0)])
    check_many_digits(model, exact, points, stops)
    if name in ("pyramid", "pyramid of three", "nearest"):
        slopes = jax.jit(jax.jacobian(lambda point: (model.metric(point), model.coupling(point))))(points[0])
        assert all(np.isfinite(slope).all() for slope in slopes)


def test_coupling_of_a_silent_scale_has_a_derivative():
    variances = np.array(rough_spectrum((4, 4)).variances)
    variances[:2, :2] = 0.0  # all that the means see, but for the share of higher modes
    model = lt.GaussianModel(lt.Spectrum(variances), lt.DctBands((2,)))
    np.testing.assert_array_equal(model.coupling([0.0, 0.0]), np.eye(2))
    np.testing.assert_array_equal(jax.jacobian(model.coupling)(np.zeros(2)), 0.0)


def test_information_of_blocks_whose_scales_differ_widely():
    """Small eigenvalues drown in the rounding of large ones; pivots do not."""
    apart = lt.LinearScales({"first": [[1.0, 0.0]], "second": [[0.0, 1.0]]})
    model = lt.GaussianModel(lt.Covariance(np.diag([2.0, 0.5])), apart)
    for g in (1e-3, 1.0, 1e3):
        expected = 0.5 * np.log(2.0) + 100.0 + 0.5 * np.log1p(0.5 * g)
        found = model.mutual_information([[200.0, np.log(g)], [-200.0, np.log(g)]])
        np.testing.assert_allclose(found, [expected, 0.5 * np.log1p(0.5 * g)], rtol=ROUND_OFF)


def test_blocks_that_cannot_be_resolved_are_refused():
    """Where a factorization has no digits left the methods say so, and a step from there to anywhere too."""
    law, scales = custom_law_and_scales()
    model = lt.GaussianModel(law, scales)
    lost, fine = np.array([-200.0, 200.0]), np.array([-200.0, 20.0])
    for method in (model.mutual_information, model.mmse, model.metric, model.coupling, model.surface):
        with pytest.raises(ValueError, match="variance times SNR below 1e12"):
            method(lost)
    with pytest.raises(ValueError, match="have none left"):
        model.step_kl(lost, [0.0, 200.0])
    with pytest.raises(ValueError, match="have none left"):
        model.log_precision_ratios(lost, [0.0, 200.0])
    dense = Dense.of(law, scales)
    np.testing.assert_allclose(model.mmse(fine)[0], dense.mmse(fine)[0], rtol=CONDITIONED)
    jump = 0.5 * np.exp(200.0) * np.trace(scales.operators["few"] @ law.matrix @ scales.operators["few"].T)
    assert float(model.step_kl([-200.0, -200.0], lost)) == pytest.approx(jump, rel=DENSE)


# --- derivatives -------------------------------------------------------------------------------------------------


def derivatives(function, point):
    """Value, gradient and Hessian, in one program that holds each of them once."""

    def along(direction):
        return jax.jvp(jax.value_and_grad(function), (point,), (direction,))

    directions = jnp.eye(point.size).reshape(-1, *point.shape)
    (value, gradient), (_, hessian) = jax.vmap(along, out_axes=((None, None), (0, 0)))(directions)
    return value, gradient, hessian.reshape(point.shape * 2)


def dense_information(law, representation):
    """An own log-determinant in JAX, differentiated by JAX."""
    shape = law.shape
    root = np.linalg.cholesky(law.covariance_matrix())
    grams = jnp.stack([root.T @ a.T @ a @ root for a in representation.matrices(shape).values()])

    def information(logsnr):
        return (
            0.5 * jnp.linalg.slogdet(jnp.eye(len(root)) + jnp.einsum("k,kij->ij", jnp.exp(logsnr), grams))[1]
        )

    return information


@pytest.mark.parametrize(
    "representation",
    [
        lt.AveragePyramid(3),
        lt.HaarBands(3),
        lt.ResidualPyramid(2, "bilinear"),
        lt.ResidualPyramid(3, "bilinear"),
    ],
    ids=str,
)
def test_first_and_second_derivatives(representation):
    """Of the information by automatic differentiation: of the model itself, and of a dense determinant."""
    spectrum = rough_spectrum((4, 4))
    model = lt.GaussianModel(spectrum, representation)
    point = some_points(1, len(model.scales))[0]
    g = np.exp(point)
    for information in (model.mutual_information, dense_information(spectrum, representation)):
        _, slope, hessian = jax.jit(partial(derivatives, information))(point)
        np.testing.assert_allclose(slope, 0.5 * g * model.mmse(point), rtol=AUTODIFF)
        metric = np.diag(slope) - hessian  # second derivatives in g, not in log g
        np.testing.assert_allclose(metric, model.metric(point), rtol=AUTODIFF, atol=AUTODIFF)


@pytest.mark.parametrize(
    "representation", [lt.AveragePyramid(), lt.HaarBands(), lt.ResidualPyramid(3, "bilinear")], ids=str
)
def test_derivatives_of_a_step(representation):
    """The step is the Bregman divergence of a dense determinant, with its derivatives to second order."""
    spectrum = rough_spectrum((4, 4))
    model = lt.GaussianModel(spectrum, representation)
    information = dense_information(spectrum, representation)

    def bregman(ends):
        start, stop = ends
        change = jnp.exp(stop) - jnp.exp(start)
        return change @ (jnp.exp(-start) * jax.grad(information)(start)) - (
            information(stop) - information(start)
        )

    start = some_points(1, len(model.scales))[0]
    ends = jnp.stack([start, start + 0.7])
    ours = lambda ends: model.step_kl(ends[0], ends[1])  # noqa: E731
    found, expected = (jax.jit(partial(derivatives, of))(ends) for of in (ours, bregman))
    np.testing.assert_allclose(found[0], expected[0], rtol=AUTODIFF)
    for one, other in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=AUTODIFF, atol=AUTODIFF)


# --- arrays ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pyramid():
    return lt.GaussianModel(rough_spectrum((4, 4)), lt.AveragePyramid())


METHODS = {
    "surface": lambda model, x: model.surface(x)["metric"],
    "mutual_information": lambda model, x: model.mutual_information(x),
    "mmse": lambda model, x: model.mmse(x),
    "metric": lambda model, x: model.metric(x),
    "coupling": lambda model, x: model.coupling(x),
    "step_kl": lambda model, x: model.step_kl(x, x + 1.0),
    "jacobian_norms": lambda model, x: model.jacobian_norms(x, "v"),
}


@pytest.mark.parametrize("name", METHODS)
def test_batches_transformations_and_types(pyramid, name):
    method = METHODS[name]
    points = some_points(6, 2).reshape(2, 3, 2)
    whole = method(pyramid, points)
    assert whole.dtype == np.float64
    assert whole.shape[:2] == (2, 3)
    single = np.stack([[method(pyramid, p) for p in row] for row in points])
    np.testing.assert_allclose(whole, single, rtol=ROUND_OFF)
    np.testing.assert_allclose(jax.jit(lambda x: method(pyramid, x))(points), single, rtol=ROUND_OFF)
    mapped = jax.jit(jax.vmap(jax.vmap(lambda x: method(pyramid, x))))(jnp.asarray(points))
    np.testing.assert_allclose(mapped, single, rtol=ROUND_OFF)
    assert np.isfinite(jax.jit(jax.jacobian(lambda x: method(pyramid, x)))(jnp.asarray(points[0, 0]))).all()
    assert method(pyramid, np.zeros((0, 3, 2))).shape == (0, 3, *whole.shape[2:])
    np.testing.assert_allclose(method(pyramid, points.astype(np.float32)), single, rtol=1e-5)


def test_many_points_are_evaluated_in_chunks_with_the_same_result(pyramid, monkeypatch):
    points = some_points(7, 2)
    whole = np.asarray(pyramid.metric(points))
    monkeypatch.setattr("lift_theory.gaussian._WORK", 3 * 16)
    assert pyramid._chunk < 7
    np.testing.assert_allclose(pyramid.metric(points), whole, rtol=ROUND_OFF)


def test_start_and_stop_broadcast(pyramid):
    starts, stop = some_points(3, 2), np.array([4.0, 5.0])
    each = [pyramid.step_kl(start, stop) for start in starts]
    np.testing.assert_allclose(pyramid.step_kl(starts, stop), each, rtol=ROUND_OFF)
    assert pyramid.step_kl(starts[:, None], np.tile(stop, (2, 1))).shape == (3, 2)


def test_a_step_of_nothing_costs_nothing(pyramid):
    points = some_points(4, 2)
    assert np.all(np.asarray(pyramid.step_kl(points, points)) == 0)


def test_limits_without_noise_and_without_signal(pyramid):
    """Pure noise leaves the prior; a clean image leaves nothing, and each step of noise costs half a nat a value."""
    dense = Dense.of(pyramid.law, pyramid.representation)
    prior = [np.trace(row[k]) for k, row in enumerate(dense.parts(dense.clean))]
    np.testing.assert_allclose(pyramid.mmse(np.full(2, -60.0)), prior, rtol=ROUND_OFF)
    single = lt.GaussianModel(pyramid.law, lt.SingleScale())
    np.testing.assert_allclose(np.exp(60.0) * np.asarray(single.mmse([60.0])), 16, rtol=ROUND_OFF)
    np.testing.assert_allclose(single.metric([60.0]), [[8.0]], rtol=ROUND_OFF)
    np.testing.assert_allclose(single.jacobian_norms([60.0], "x0"), [[16.0]], rtol=ROUND_OFF)
    np.testing.assert_allclose(single.jacobian_norms([-60.0], "eps"), [[16.0]], rtol=ROUND_OFF)


# --- each scale alone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "representation", [lt.AveragePyramid(), lt.HaarBands(), lt.ResidualPyramid(3, "bilinear")], ids=str
)
def test_decoupled_scales_see_only_themselves(representation):
    spectrum = rough_spectrum((4, 4))
    joint = lt.GaussianModel(spectrum, representation)
    apart = lt.decoupled(joint)
    assert apart.scales == joint.scales
    assert apart.sizes == joint.sizes
    points = some_points(3, len(joint.scales))
    stops = points + 0.8
    found = everything(apart, points, stops)
    for i, point in enumerate(points):
        alone = [Dense(spectrum.covariance_matrix(), [a]) for a in representation.matrices((4, 4)).values()]
        own = [[value] for value in point]
        mmse = [d.mmse(v)[0] for d, v in zip(alone, own, strict=True)]
        np.testing.assert_allclose(found["mmse"][i], mmse, rtol=DENSE)
        metric = [d.metric(v)[0, 0] for d, v in zip(alone, own, strict=True)]
        np.testing.assert_allclose(found["metric"][i], np.diag(metric), rtol=DENSE)
        np.testing.assert_allclose(found["coupling"][i], np.eye(len(point)), rtol=DENSE)
        total = sum(d.information(v) for d, v in zip(alone, own, strict=True))
        np.testing.assert_allclose(found["information"][i], total, rtol=DENSE)
        cost = sum(d.step_kl(v, [v[0] + 0.8]) for d, v in zip(alone, own, strict=True))
        np.testing.assert_allclose(found["step_kl"][i], cost, rtol=DENSE)
        for prediction in PREDICTIONS:
            own_norms = [d.jacobian_norms(v, prediction)[0, 0] for d, v in zip(alone, own, strict=True)]
            np.testing.assert_allclose(found[prediction][i], np.diag(own_norms), rtol=DENSE)
    assert np.all(found["mmse"] >= np.asarray(joint.mmse(points)) * (1 - ROUND_OFF))


def test_a_discrete_sum_of_logarithms():
    """Four variances worked by hand: 1/2 sum log(1 + g c), with mpmath's logarithm."""
    variances = np.array([[4.0, 1.0], [0.5, 1e-9]])
    model = lt.GaussianModel(lt.Spectrum(variances), lt.SingleScale())
    exact = (
        sum(mpmath.log(1 + mpmath.exp(mpmath.mpf("0.25")) * mpmath.mpf(float(c))) for c in variances.ravel())
        / 2
    )
    assert np.isclose(float(model.mutual_information([0.25])), float(exact), rtol=ROUND_OFF)
