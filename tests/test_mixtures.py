"""Mixtures of Gaussians against brute-force integration, against Gaussians, and against their own identities."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import simpson
from scipy.stats import multivariate_normal
from tolerances import AUTODIFF, DENSE, MONTE_CARLO_SIGMAS, QUADRATURE, ROUND_OFF

import lift_theory as lt

TWO = lt.LinearScales({"first": [[1.0, 0.2]], "second": [[0.6, 0.8]]})
WEIGHTS = np.array([0.5, 0.3, 0.2])
MEANS = np.array([[-1.0, 0.4], [0.9, 1.1], [0.5, -1.2]])
SHARED = np.array([[[0.12, 0.05], [0.05, 0.2]]])
OWN = np.array([[[0.12, 0.05], [0.05, 0.2]], [[0.4, -0.1], [-0.1, 0.1]], [[0.02, 0.0], [0.0, 0.3]]])
POINTS = np.array([[-3.0, 1.0], [0.5, 0.0], [2.0, 3.5]])


@pytest.fixture(scope="module", params=["shared", "own"])
def law(request):
    return lt.GaussianMixture(WEIGHTS, MEANS, {"shared": SHARED, "own": OWN}[request.param])


@pytest.fixture(scope="module")
def model(law):
    return lt.MixtureModel(law, TWO, draws=4000)


def within(value, expected, error):
    """Agreement within a few standard errors, and rounding."""
    slack = MONTE_CARLO_SIGMAS * np.asarray(error) + DENSE * np.abs(expected)
    np.testing.assert_array_less(np.abs(np.asarray(value) - expected), slack)


def brute_force(law, operators, logsnr, count=60):
    """Information, mmse and metric of square operators by sums over grids of coefficients and observations."""
    stacked = np.concatenate([np.asarray(a) for a in operators])
    noise = np.exp(-np.asarray(logsnr))
    own = np.broadcast_to(law.covariances, (law.components, *law.covariances.shape[1:]))
    means, covariances = law.means @ stacked.T, stacked @ own @ stacked.T

    def density(points, extra):
        return sum(
            w * multivariate_normal(m, c + np.diag(extra)).pdf(points).reshape(-1)
            for w, m, c in zip(law.weights, means, covariances, strict=True)
        )

    def grid(extra):
        spread = 6.0 * np.sqrt(np.max(np.diagonal(covariances, axis1=1, axis2=2), axis=0) + extra)
        axes = [np.linspace(m.min() - s, m.max() + s, count) for m, s in zip(means.T, spread, strict=True)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(noise))
        return points, np.prod([a[1] - a[0] for a in axes])

    clean, clean_cell = grid(np.zeros_like(noise))
    noisy, cell = grid(noise)
    prior = density(clean, np.zeros_like(noise)) * clean_cell
    evidence = density(noisy, noise)
    information = -np.sum(evidence * np.log(evidence)) * cell - 0.5 * np.sum(np.log(2 * np.pi * np.e * noise))
    distance = ((noisy[:, None, :] - clean) ** 2 / noise).sum(axis=2)
    joint = prior * np.exp(-0.5 * distance)
    joint /= np.maximum(joint.sum(axis=1, keepdims=True), 1e-300)
    mean = joint @ clean
    second = np.einsum("zy,yk,yl->zkl", joint, clean, clean, optimize=True)
    posterior = second - mean[:, :, None] * mean[:, None, :]
    average = np.einsum("z,zkl->kl", evidence * cell, posterior)
    squares = np.einsum("z,zkl->kl", evidence * cell, posterior**2)
    return information, np.diag(average), 0.5 * squares / np.outer(noise, noise)


@pytest.mark.parametrize("covariances", [[0.05], [[0.05], [0.3]]], ids=["shared", "own"])
def test_one_value_against_quadrature(covariances):
    law = lt.GaussianMixture([0.7, 0.3], [[-0.6], [1.1]], np.array(covariances))
    model = lt.MixtureModel(law, lt.SingleScale(), draws=4000)
    for point in ([-2.0], [0.5], [2.0]):  # with more SNR rare draws decide, and errors are not normal
        information, mmse, metric = brute_force(law, [np.eye(1)], point, count=2000)
        errors = model.standard_errors(point)
        within(model.mutual_information(point), information, errors.mutual_information)
        within(model.mmse(point), mmse, errors.mmse)
        within(model.metric(point), metric, errors.metric)


def test_two_scales_against_quadrature(law, model):
    errors = model.standard_errors(POINTS)
    for i, point in enumerate(POINTS[1:], start=1):
        information, mmse, metric = brute_force(law, TWO.operators.values(), point)
        within(model.mutual_information(POINTS)[i], information, errors.mutual_information[i])
        within(model.mmse(POINTS)[i], mmse, errors.mmse[i])
        within(model.metric(POINTS)[i], metric, errors.metric[i])


def test_one_component_is_a_gaussian():
    generator = np.random.default_rng(1)
    factor = generator.standard_normal((16, 16))
    covariance = factor @ factor.T / 16
    gaussian = lt.GaussianModel(lt.Covariance(covariance, (4, 4)), lt.AveragePyramid())
    law = lt.GaussianMixture([1.0], generator.standard_normal((1, 16)), covariance[None], (4, 4))
    model = lt.MixtureModel(law, lt.AveragePyramid(), draws=8)
    points = generator.uniform(-6, 6, (4, 2))
    stops = points + generator.uniform(0, 4, (4, 2))
    assert model.sizes == gaussian.sizes
    for name in ("mutual_information", "mmse", "metric", "coupling"):
        np.testing.assert_allclose(getattr(model, name)(points), getattr(gaussian, name)(points), rtol=DENSE)
    for name in ("x0", "eps", "v"):
        expected = gaussian.jacobian_norms(points, name)
        np.testing.assert_allclose(model.jacobian_norms(points, name), expected, rtol=DENSE)
    np.testing.assert_allclose(model.step_kl(points, stops), gaussian.step_kl(points, stops), rtol=DENSE)
    errors = model.standard_errors(points)
    assert (
        max(
            np.max(np.abs(e / v))
            for e, v in [
                (errors.mmse, model.mmse(points)),
                (errors.metric, model.metric(points)),
                (errors.mutual_information, model.mutual_information(points)),
            ]
        )
        < ROUND_OFF
    )


def test_covariances_of_their_own_may_be_equal():
    """Two ways through the code, the same draws."""
    equal = lt.GaussianMixture(WEIGHTS, MEANS, np.repeat(SHARED, 3, axis=0))
    models = [
        lt.MixtureModel(law, TWO, draws=300) for law in (lt.GaussianMixture(WEIGHTS, MEANS, SHARED), equal)
    ]
    one, other = (m.surface(POINTS) for m in models)
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=1e3 * ROUND_OFF, err_msg=name)
    costs = [m.step_kl(POINTS, POINTS + np.array([1.0, 2.0])) for m in models]
    np.testing.assert_allclose(*costs, rtol=QUADRATURE)


@pytest.mark.parametrize("representation", [lt.HaarBands(), lt.AveragePyramid()], ids=["bands", "pyramid"])
def test_many_components_of_which_few_are_likely(representation):
    """All of them in noise, some, or one; with weights that differ, and where residuals have to be whitened."""
    generator = np.random.default_rng(4)
    count, size = 70, 16
    factor = generator.standard_normal((size, size)) / 4
    shared = (0.3 * factor @ factor.T + 0.05 * np.eye(size))[None]
    weights, means = generator.dirichlet(np.ones(count)), 0.6 * generator.standard_normal((count, size))
    laws = [
        lt.GaussianMixture(weights, means, covariance, (4, 4))
        for covariance in (shared, np.repeat(shared, count, axis=0))
    ]
    points = np.array(
        [[-8.0, -8.0], [-2.0, -3.0], [2.5, 1.0], [3.0, 3.0], [6.0, 5.0], [20.0, 4.0], [20.0, 20.0]]
    )
    models = [lt.MixtureModel(law, representation, draws=600) for law in laws]
    one, other = (model.surface(points) for model in models)
    for name, value in one.items():
        scale = np.abs(value).reshape(len(value), -1).max(axis=1).reshape(-1, *[1] * (value.ndim - 1))
        np.testing.assert_allclose(value / scale, other[name] / scale, atol=DENSE, err_msg=name)
    gradients = [jax.grad(lambda p, m=m: jnp.sum(m.mmse(p)) + jnp.sum(m.metric(p))) for m in models]
    for point in points[[1, 3, 4]]:
        np.testing.assert_allclose(gradients[0](point), gradients[1](point), rtol=DENSE)


def test_identities_hold_within_their_spread(law):
    """Gradient, Hessian and divergence of the information, as the average over independent sets of draws."""
    start, stop = POINTS[1], POINTS[1] + np.array([0.8, 1.7])

    @jax.jit
    def gaps(model):
        g = np.exp(start)
        gradient = jax.jacfwd(model.mutual_information)(start)
        turn = jax.jacfwd(model.mmse)(start)
        gain = model.mutual_information(stop) - model.mutual_information(start)
        spent = 0.5 * (np.exp(stop) - g) @ model.mmse(start)
        return (
            2.0 * gradient / g - model.mmse(start),
            (-0.5 * g[:, None] * turn - model.metric(start)).ravel(),
            (spent - gain - model.step_kl(start, stop))[None],
        )

    found = [gaps(lt.MixtureModel(law, TWO, draws=1000, seed=seed)) for seed in range(12)]
    for gap in zip(*found, strict=True):
        gap = np.array(gap)
        within(gap.mean(axis=0), 0.0, gap.std(axis=0, ddof=1) / np.sqrt(len(gap)))
        assert np.abs(gap.mean(axis=0)).max() < 0.1


def test_finite_differences_of_the_information(model):
    """The same draws at both ends: the quotient has no more noise than the derivative."""
    for point in POINTS:
        for k, step in enumerate(1e-4 * np.eye(2)):
            rise = model.mutual_information(point + step) - model.mutual_information(point - step)
            derivative = jax.jvp(model.mutual_information, (point,), (np.eye(2)[k],))[1]
            assert float(rise / 2e-4) == pytest.approx(float(derivative), rel=1e-5, abs=1e-9)


def test_standard_errors_are_those_of_repeated_draws(law):
    models = [lt.MixtureModel(law, TWO, draws=400, seed=seed) for seed in range(16)]
    surfaces = [m.surface(POINTS) for m in models]
    for name in ("mutual_information", "mmse", "metric"):
        spread = np.std([s[name] for s in surfaces], axis=0, ddof=1)
        claimed = np.mean([s[f"{name}_standard_error"] for s in surfaces], axis=0)
        assert np.all(spread < 1.6 * claimed), name
        assert np.all(spread > 0.1 * claimed), name
    costs = [m.step_kl(POINTS[1], POINTS[2]) for m in models]
    claimed = np.mean([m.step_kl_standard_error(POINTS[1], POINTS[2]) for m in models])
    assert 0.1 * claimed < np.std(costs, ddof=1) < 1.6 * claimed


def test_steps(model):
    """Never negative, quadratic when tiny, and the whole of a path known better in differences."""
    begin = np.random.default_rng(5).uniform(-9, 6, (20, 2))
    end = begin + np.random.default_rng(6).uniform(0, 3, (20, 2))
    assert np.all(np.asarray(model.step_kl(begin, end)) > 0)
    assert float(model.step_kl(begin[0], begin[0])) == 0.0
    move = np.array([2e-7, 1e-7])
    half = 0.5 * np.einsum("k,nkl,l->n", move, model.metric(POINTS), move)
    np.testing.assert_allclose(model.step_kl(POINTS, POINTS + move), half, rtol=1e-6)
    line = lt.diagonal_path(model, 6, -5.0, 5.0, spacing="logsnr")
    bent = lt.constant_lead_path(model, 6, -5.0, 5.0, 0.3, spacing="logsnr")
    single = model.path_kl_standard_error(line)
    total = lt.path_kl(model, line)
    assert 0 < single < 0.05 * total
    assert 0 < model.path_kl_standard_error(line, bent) < 0.5 * single
    assert model.path_kl_standard_error(line, line) == 0.0
    waiting = np.repeat(
        line.logsnr[:1], 9, axis=0
    )  # steps that cost nothing: more of them than a block holds
    late = lt.Path(np.concatenate([waiting, line.logsnr]), line.scales)
    np.testing.assert_allclose(model.path_kl_standard_error(late), single, rtol=ROUND_OFF)


def test_a_long_step_through_sharp_clusters():
    """Two points without width: the quadrature of one step must still resolve the transition."""
    law = lt.GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], 0.0)
    model = lt.MixtureModel(law, lt.SingleScale(), draws=20000)
    begin, end = np.array([-9.0]), np.array([4.0])
    gain = model.mutual_information(end) - model.mutual_information(begin)
    cost = 0.5 * (np.exp(end) - np.exp(begin)) @ model.mmse(begin) - gain
    assert float(gain) == pytest.approx(np.log(2), abs=1e-4)
    assert float(model.step_kl(begin, end)) == pytest.approx(float(cost), rel=1e-2)


def test_posterior_by_bayes_rule(law):
    """An over-complete scale with redundant rows, and an observation of the other."""
    scales = lt.LinearScales({"tall": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "short": [[0.5, 0.5]]})
    model = lt.MixtureModel(law, scales, draws=6)
    noisy = {"tall": np.array([[0.3, -0.2, 0.5], [1.0, 1.0, 2.5]]), "short": np.array([[0.1], [0.9]])}
    logsnr = np.array([0.4, 1.5])
    found = model.posterior(noisy, logsnr)
    axis = np.linspace(-6, 6, 500)
    x = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    own = np.broadcast_to(law.covariances, (3, 2, 2))
    prior = np.array(
        [w * multivariate_normal(m, c).pdf(x) for w, m, c in zip(law.weights, law.means, own, strict=True)]
    )
    for i in range(2):
        energy = sum(
            0.5 * np.exp(level) * ((noisy[name][i] - x @ a.T) ** 2).sum(axis=1)
            for level, (name, a) in zip(logsnr, scales.operators.items(), strict=True)
        )
        joint = prior * np.exp(-energy)
        joint /= joint.sum()
        mean = joint.sum(axis=0) @ x
        np.testing.assert_allclose(found.responsibilities[i], joint.sum(axis=1), rtol=QUADRATURE)
        np.testing.assert_allclose(found.mean[i], mean, rtol=QUADRATURE)
        covariance = np.einsum("x,xd,xe->de", joint.sum(axis=0), x - mean, x - mean)
        np.testing.assert_allclose(found.covariance[i], covariance, rtol=QUADRATURE)


def test_order_and_axes_do_not_matter(law, model):
    """Components in another order, and data turned with their operators."""
    order = [2, 0, 1]
    covariances = law.covariances if len(law.covariances) == 1 else law.covariances[order]
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    permuted = lt.GaussianMixture(law.weights[order], law.means[order], covariances)
    turned = lt.GaussianMixture(law.weights, law.means @ turn.T, turn @ law.covariances @ turn.T)
    scales = lt.LinearScales({name: a @ turn.T for name, a in TWO.operators.items()})
    here, here_error = model.mmse(POINTS), model.standard_errors(POINTS).mmse
    for other in (lt.MixtureModel(permuted, TWO, 4000), lt.MixtureModel(turned, scales, 4000)):
        error = np.hypot(here_error, other.standard_errors(POINTS).mmse)
        within(other.mmse(POINTS), np.asarray(here), error)
    noisy = {"first": [[0.4]], "second": [[-0.3]]}
    plain = model.posterior(noisy, POINTS[0])
    np.testing.assert_allclose(
        lt.MixtureModel(permuted, TWO, 6).posterior(noisy, POINTS[0]).mean, plain.mean, rtol=DENSE
    )
    after = lt.MixtureModel(turned, scales, 6).posterior(noisy, POINTS[0])
    np.testing.assert_allclose(after.mean, plain.mean @ turn.T, rtol=DENSE)
    np.testing.assert_allclose(after.covariance, turn @ plain.covariance @ turn.T, rtol=DENSE)


def test_coarse_value_that_determines_the_cluster():
    """Once the coarse scale is clean the rest is Gaussian; to walk it first is still no better than lock-step."""
    means = np.array([[-3.0, 0.0, 0.5], [0.0, 1.0, -1.0], [3.0, -1.0, 0.5]])
    law = lt.GaussianMixture(np.full(3, 1 / 3), means, np.diag([1e-3, 0.04, 0.04])[None])
    scales = lt.LinearScales({"fine": np.eye(3)[1:], "coarse": np.eye(3)[:1]})
    model = lt.MixtureModel(law, scales, draws=600)
    points = np.array([[-3.0, 6.0], [0.0, 6.0], [2.0, 6.0]])
    g = np.exp(points)
    np.testing.assert_allclose(model.mmse(points)[:, 0], 2 / (1 / 0.04 + g[:, 0]), rtol=1e-6)
    gaussian = np.log1p(0.04 * g[:, 0]) + 0.5 * np.log1p(1e-3 * g[:, 1])
    np.testing.assert_allclose(model.mutual_information(points), np.log(3) + gaussian, rtol=1e-6)
    staged = lt.staged_path(model, 12, -7.0, 5.0, order=("coarse", "fine"), spacing="logsnr")
    together = lt.diagonal_path(model, 12, -7.0, 5.0, spacing="logsnr")
    assert lt.path_kl(model, staged) > 1.2 * lt.path_kl(model, together)


def test_tools_take_it_like_any_model(tmp_path):
    law = lt.GaussianMixture([0.5, 0.5], [[-1.0, 0.3], [1.0, -0.3]], [[0.2, 0.05]])
    model = lt.MixtureModel(law, TWO, draws=32)
    axis = np.linspace(-5, 5, 12)
    surface = lt.error_surface(model, axis)
    np.testing.assert_allclose(surface.mmse[3, 8], model.mmse([axis[3], axis[8]]), rtol=AUTODIFF)
    errors = model.standard_errors([axis[3], axis[8]])
    np.testing.assert_allclose(surface.metric_standard_error[3, 8], errors.metric, rtol=1e-6)
    assert surface.mmse_standard_error.attrs["units"] == surface.mmse.attrs["units"]
    assert surface.attrs["draws"] == "32 with seed 0"
    surface.to_netcdf(tmp_path / "surface.nc")
    assert np.linalg.eigvalsh(surface.metric.values).min() > 0
    measured = lt.MeasuredModel(surface)
    path = lt.diagonal_path(model, 5, -5.0, 5.0)
    assert lt.path_kl(measured, path) == pytest.approx(lt.path_kl(model, path), rel=0.05)
    best = lt.optimal_path(model, 5, -5.0, 5.0, points=8)
    assert best.cost <= lt.path_kl(model, path) * (1 + 1e-3)
    assert best.cost == pytest.approx(lt.path_kl(model, best.path), rel=ROUND_OFF)
    assert best.lower_bound == 0.0
    curve = lt.geodesic_curve(model, -5.0, 5.0, points=24)
    assert curve.length**2 / (2 * 40) == pytest.approx(lt.path_kl(model, curve.path(40)), rel=0.1)


@pytest.mark.parametrize(
    "ends", [([-60.0, -60.0], [15.0, 10.0]), ([0.0, -40.0], [0.5, 12.0]), ([-8.0, -8.0], [8.0, 8.0])]
)
def test_one_step_over_many_nats(law, ends):
    """The divergence as an integral of the metric, by Simpson's rule on a dense grid."""
    model = lt.MixtureModel(law, TWO, draws=24)
    start, stop = (np.exp(np.array(end)) for end in ends)
    reach = np.max(np.log(stop / start))
    grid = np.linspace(0.0, reach, 2001)
    progress = np.expm1(grid) / np.expm1(reach)
    points = np.log(start + progress[:, None] * (stop - start))
    change = (stop - start) / np.exp(points)
    length = np.einsum("nkl,nk,nl->n", np.asarray(model.metric(points)), change, change)
    expected = simpson((1 - progress) * length * np.exp(grid) / np.expm1(reach), x=grid)
    assert float(model.step_kl(*ends)) == pytest.approx(expected, rel=3e-4)


def test_shapes_and_transformations():
    law = lt.GaussianMixture(WEIGHTS, MEANS, SHARED)
    model = lt.MixtureModel(law, TWO, draws=12)
    points = np.random.default_rng(0).uniform(-3, 3, (2, 3, 2))
    assert model.metric(points).shape == (2, 3, 2, 2)
    assert model.mutual_information(points[:0]).shape == (0, 3)
    assert model.surface(points[:0])["mmse"].shape == (0, 3, 2)
    assert model.step_kl(points, points[0, 0] + 7.0).shape == (2, 3)
    np.testing.assert_allclose(
        jax.jit(jax.vmap(jax.vmap(model.mmse)))(points), model.mmse(points), rtol=ROUND_OFF
    )
    np.testing.assert_allclose(
        jax.jit(lambda m, p: m.mmse(p))(model, points), model.mmse(points), rtol=ROUND_OFF
    )
    for value in model.surface([[-15.0, 15.0], [15.0, -15.0], [15.0, 15.0]]).values():
        assert np.isfinite(value).all()


def test_the_ends_of_the_range(law):
    """Pure noise leaves the covariance of the data, 50 nats tell the component; beyond, nothing is made up."""
    law = lt.GaussianMixture(law.weights, 1e3 * law.means, law.covariances)  # none is mistaken for another
    model = lt.MixtureModel(law, lt.SingleScale(), draws=4000)
    noisy, clean = np.array([-200.0]), np.array([50.0])
    total = np.trace(law.covariance_matrix())
    np.testing.assert_allclose(model.mmse(noisy)[0], total, rtol=1e-3)  # no noise in the draws
    assert float(model.mutual_information(noisy)) == pytest.approx(0.5 * np.exp(-200.0) * total, abs=DENSE)
    np.testing.assert_allclose(np.exp(50.0) * model.mmse(clean), 2.0, rtol=DENSE)
    np.testing.assert_allclose(model.metric(clean), 1.0, rtol=DENSE)
    own = np.broadcast_to(law.covariances, (3, 2, 2))
    given = 0.5 * law.weights @ (np.linalg.slogdet(own)[1] + 2 * 50.0)
    expected = given - law.weights @ np.log(law.weights)
    np.testing.assert_allclose(model.mutual_information(clean), expected, rtol=DENSE)
    for method in (model.mmse, model.metric, model.standard_errors):
        with pytest.raises(ValueError, match="variance times SNR below 1e12"):
            method(np.array([noisy, [200.0]]))
    with pytest.raises(ValueError, match="have none left"):
        model.step_kl([150.0], [200.0])


def test_clean_data_of_one_mean_leave_the_component_in_doubt():
    """Ten nats of SNR more tell every coefficient five nats more of its value, and nothing more of its component."""
    law = lt.GaussianMixture([0.4, 0.6], np.zeros((2, 2)), [1.0, 4.0])
    model = lt.MixtureModel(law, lt.SingleScale(), draws=200)
    less, more = (float(model.mutual_information([point])) for point in (30.0, 40.0))
    assert more - less == pytest.approx(10.0, abs=1e-6)
    assert float(model.standard_errors([40.0]).mutual_information) > 0.01


def test_points_seen_by_an_exact_and_a_noisy_scale():
    """Without variances of their own nothing is factorized: coupling is finite, errors are not negative."""
    model = lt.MixtureModel(lt.GaussianMixture(WEIGHTS, MEANS, 0.0), TWO, draws=40)
    corners = np.array([[a, b] for a in (-200.0, 0.0, 200.0) for b in (-200.0, 0.0, 200.0)])
    assert np.all(np.asarray(model.mmse(corners)) >= 0.0)
    coupling = np.asarray(model.coupling(corners))
    assert np.all((coupling >= 0.0) & (coupling <= 1.0 + ROUND_OFF))
    known = np.max(corners, axis=1) == 200.0
    np.testing.assert_allclose(
        np.asarray(model.mutual_information(corners))[known], -WEIGHTS @ np.log(WEIGHTS), rtol=ROUND_OFF
    )


def test_draws_are_shared_out_by_weight():
    """No component is forgotten, however light, and the mean of the draws is that of the law."""
    law = lt.GaussianMixture([0.899, 0.1, 0.001], [[0.0], [1.0], [50.0]], 0.01)
    channels = lt.MixtureModel(law, lt.SingleScale(), draws=64)._channels
    mean = float(np.sum(channels.share * (channels.means[channels.component, 0] + law.mean[0])))
    assert mean == pytest.approx(law.mean[0], rel=ROUND_OFF)
    assert set(np.unique(channels.component)) == {0, 1, 2}


def test_fit_finds_clusters_in_images():
    generator = np.random.default_rng(2)
    patterns = generator.uniform(-0.5, 0.5, (2, 4, 4, 3))
    labels = generator.integers(2, size=400)
    images = patterns[labels] + 0.05 * generator.standard_normal((400, 4, 4, 3))
    for form in ("tied", "diag"):
        model = lt.MixtureModel.fit(images, 2, lt.AveragePyramid(), form=form, draws=40)
        assert model.sizes == (48, 12)
        means = model.law.means.reshape(2, 3, 4, 4)
        order = np.argsort([np.sum((m - np.moveaxis(patterns[0], -1, 0)) ** 2) for m in means])
        np.testing.assert_allclose(means[order], np.moveaxis(patterns, -1, 1), atol=0.02)
        assert float(model.mutual_information([-9.0, 9.0])) > 0.6


def test_scale_mixture():
    """Uncorrelated coefficients whose variances rise together: a large one in one band tells of the other."""
    bands = lt.HaarBands()
    parts = [a.T @ a for a in bands.matrices((4, 4)).values()]
    law = lt.GaussianMixture.scale_mixture([0.7, 0.3], [[0.02, 0.2], [1.0, 3.0]], np.array(parts), (4, 4))
    variances = 0.7 * 0.02 + 0.3, 0.7 * 0.2 + 0.9
    expected = sum(v * p for v, p in zip(variances, parts, strict=True))
    np.testing.assert_allclose(law.covariance_matrix(), expected, atol=ROUND_OFF)
    model = lt.MixtureModel(law, bands, draws=200)
    points = np.array([[-12.0, -12.0], [0.0, -12.0], [0.0, 0.0], [0.0, 6.0]])
    errors = np.asarray(model.mmse(points))
    np.testing.assert_allclose(errors[0], [12 * variances[0], 4 * variances[1]], rtol=1e-3)
    assert np.all(np.diff(errors[1:, 0]) < 0), "the low band must help the high one"
    assert np.all(np.diff(errors[1:, 1]) < 0)


def test_sample_has_the_moments_of_the_law(law):
    draws = law.sample(40000, seed=3)
    error = np.sqrt(np.diag(law.covariance_matrix()) / len(draws))
    within(draws.mean(axis=0), law.mean, error)
    np.testing.assert_allclose(np.cov(draws.T), law.covariance_matrix(), atol=0.03)


def test_forms_of_covariances():
    full = lt.GaussianMixture(WEIGHTS, MEANS, np.array([np.diag([0.1, 0.1])])).covariances
    for form in (0.1, [0.1], [[0.1, 0.1]]):
        np.testing.assert_array_equal(lt.GaussianMixture(WEIGHTS, MEANS, form).covariances, full)
    own = lt.GaussianMixture(WEIGHTS, MEANS, [0.1, 0.2, 0.3]).covariances
    for a, b in pairwise(own):
        np.testing.assert_allclose(b - a, 0.1 * np.eye(2), atol=ROUND_OFF)
    np.testing.assert_array_equal(
        lt.GaussianMixture(WEIGHTS, MEANS, [[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]).covariances[1],
        np.diag([0.2, 0.5]),
    )


def test_bad_input():
    good = lt.GaussianMixture(WEIGHTS, MEANS, SHARED)
    with pytest.raises(ValueError, match="sum one; got sum 2"):
        lt.GaussianMixture([1.0, 1.0], MEANS[:2], 0.1)
    with pytest.raises(ValueError, match="one row per component"):
        lt.GaussianMixture(WEIGHTS, MEANS[:2], 0.1)
    with pytest.raises(ValueError, match="A leading 1 means"):
        lt.GaussianMixture(WEIGHTS, MEANS, [0.1, 0.2])
    with pytest.raises(ValueError, match="no negative eigenvalue"):
        lt.GaussianMixture(WEIGHTS, MEANS, -0.1)
    with pytest.raises(ValueError, match="must be symmetric"):
        lt.GaussianMixture(WEIGHTS, MEANS, [[[1.0, 0.5], [0.0, 1.0]]])
    with pytest.raises(ValueError, match="has 4 values"):
        lt.GaussianMixture(WEIGHTS, MEANS, 0.1, (2, 2))
    with pytest.raises(TypeError, match="must be a GaussianMixture"):
        lt.MixtureModel(TWO, good)
    with pytest.raises(TypeError, match="LinearScales"):
        lt.MixtureModel(good, np.eye(2))
    with pytest.raises(ValueError, match="at least two per component, 6"):
        lt.MixtureModel(good, TWO, draws=4)
    with pytest.raises(ValueError, match="multipliers must not be negative"):
        lt.GaussianMixture.scale_mixture([1.0], [-1.0], np.eye(2))
    with pytest.raises(ValueError, match="P, d, d"):
        lt.GaussianMixture.scale_mixture([1.0], [[1.0, 2.0]], np.eye(2))
    with pytest.raises(ValueError, match="at least as many"):
        lt.GaussianMixture.fit(np.zeros((3, 2)), 5)
    model = lt.MixtureModel(good, TWO, draws=6)
    with pytest.raises(ValueError, match="one value per scale"):
        model.mmse([0.0])
    with pytest.raises(TypeError, match="each of the scales"):
        model.posterior({"first": [[0.0]]}, [0.0, 0.0])
    with pytest.raises(ValueError, match=r"must have shape \(n, 1\)"):
        model.posterior({"first": [[0.0]], "second": [0.0]}, [0.0, 0.0])
    with pytest.raises(TypeError, match="theorem about a GaussianModel"):
        lt.lower_bound(model, 3, -5.0, 5.0)
