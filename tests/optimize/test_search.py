"""The whole search on the package's own models: better than every control, symmetric where it must be, certified."""

from itertools import pairwise

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import lift_theory as lt
from lift_theory.optimize import (
    PathKL,
    PublishedCost,
    break_even_price,
    compute_aware_path,
    gaussian_curvature,
    geodesic_curve,
    optimal_path,
    published_axes,
)

# Step counts are few: whatever evaluates whole paths is compiled for each of them.
SETTINGS = hypothesis.settings(max_examples=6, deadline=None, derandomize=True)
POINTS = 40


def model_of(seed, representation):
    rng = np.random.default_rng(seed)
    spectrum = lt.Spectrum.power_law((8, 8), exponent=rng.uniform(0.5, 3.0), variance=rng.uniform(0.05, 2.0))
    return lt.GaussianModel(spectrum, representation)


def cost_of(model, path):
    """The path KL, which `lt.path_kl` would compile for every number of steps."""
    return PathKL().derivatives(model)(path.logsnr).cost


@SETTINGS
@hypothesis.given(
    seed=st.integers(0, 10**6), steps=st.sampled_from((2, 5, 10)), low=st.floats(-7, -2), high=st.floats(1, 7)
)
def test_no_control_and_no_random_path_is_better(seed, steps, low, high):
    model = model_of(seed, lt.AveragePyramid())
    found = optimal_path(model, steps, low, high, points=POINTS)
    assert found.path.steps == steps
    assert found.path.scales == model.scales
    assert np.all(found.path.logsnr[[0, -1]] == [[low, low], [high, high]])
    assert found.cost == pytest.approx(lt.path_kl(model, found.path), rel=1e-12)
    assert found.lower_bound <= found.cost
    assert lt.lower_bound(model, steps, low, high) <= found.cost * (1 + 1e-10)
    assert found.kkt_residual < 1e-6
    controls = [
        lt.diagonal_path(model, steps, low, high),
        lt.equal_information_path(model, steps, low, high),
        lt.constant_lead_path(model, steps, low, high, lead=-1.0),
        lt.staged_path(model, steps, low, high),
    ]
    rng = np.random.default_rng(seed)
    for _ in range(5):
        shares = rng.dirichlet(np.ones(steps), size=2).T
        inner = low + (high - low) * np.minimum(np.cumsum(shares, axis=0)[:-1], 1.0)
        controls.append(lt.Path(np.concatenate([[[low, low]], inner, [[high, high]]]), model.scales))
    for control in controls:
        assert found.cost <= cost_of(model, control) * (1 + 1e-9)


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10**6), steps=st.sampled_from((1, 3, 8)))
def test_the_pyramid_is_the_orthogonal_split_in_a_cone(seed, steps):
    pyramid, haar = model_of(seed, lt.AveragePyramid()), model_of(seed, lt.HaarBands())
    over = optimal_path(pyramid, steps, -5.0, 5.0, points=POINTS)
    image = lt.to_orthogonal(over.path)
    assert lt.path_kl(haar, image) == pytest.approx(over.cost, rel=1e-9)
    free = optimal_path(haar, steps, image.logsnr[0], image.logsnr[-1], points=POINTS)
    assert free.cost <= over.cost * (1 + 1e-9)


def test_more_steps_never_cost_more_and_one_step_has_no_choice():
    model = model_of(1, lt.AveragePyramid())
    found = optimal_path(model, 9, -5.0, 5.0, points=POINTS)
    costs = [optimal_path(model, n, -5.0, 5.0, points=POINTS).cost for n in (1, 2, 3, 6)]
    assert np.all(np.diff([*costs, found.cost]) < 0)
    assert costs[0] == pytest.approx(float(model.step_kl([-5.0, -5.0], [5.0, 5.0])), rel=1e-12)
    np.testing.assert_array_less(found.bounds_by_steps, found.costs_by_steps * (1 + 1e-12))
    assert np.all(np.array(costs) <= found.costs_by_steps[[0, 1, 2, 5]] * (1 + 1e-9))


def test_permuting_the_scales_permutes_the_path():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(4, 4)), rng.normal(size=(2, 4))
    law = lt.Covariance(np.diag([2.0, 1.0, 0.3, 0.1]))
    one = optimal_path(lt.GaussianModel(law, lt.LinearScales({"a": a, "b": b})), 6, -4.0, 5.0, points=POINTS)
    two = optimal_path(lt.GaussianModel(law, lt.LinearScales({"b": b, "a": a})), 6, -4.0, 5.0, points=POINTS)
    assert one.cost == pytest.approx(two.cost, rel=1e-9)
    np.testing.assert_allclose(one.path.logsnr, two.path.logsnr[:, ::-1], atol=1e-4)


def test_rescaling_an_operator_and_its_snr_changes_nothing():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(4, 4)), rng.normal(size=(2, 4))
    law = lt.Covariance(np.diag([2.0, 1.0, 0.3, 0.1]))
    plain = optimal_path(
        lt.GaussianModel(law, lt.LinearScales({"a": a, "b": b})), 6, -4.0, 5.0, points=POINTS
    )
    shift = np.array([0.0, -2.0 * np.log(3.0)])
    scaled = lt.GaussianModel(law, lt.LinearScales({"a": a, "b": 3.0 * b}))
    moved = optimal_path(scaled, 6, -4.0 + shift, 5.0 + shift, points=POINTS)
    assert moved.cost == pytest.approx(plain.cost, rel=1e-9)
    assert moved.lower_bound == pytest.approx(plain.lower_bound, rel=1e-4)


def test_same_input_same_output():
    model = model_of(3, lt.HaarBands())
    one, two = (optimal_path(model, 7, -5.0, 5.0, points=POINTS) for _ in range(2))
    assert one.cost == two.cost
    assert one.lower_bound == two.lower_bound
    np.testing.assert_array_equal(one.path.logsnr, two.path.logsnr)


def test_starts_end_with_a_proof_and_without_one_all_are_refined():
    model = model_of(3, lt.AveragePyramid())
    proved = optimal_path(model, 7, -5.0, 5.0, points=POINTS)
    assert [a.method for a in proved.history] == ["coarse lattice", "coarse lattice, refined", "certificate"]
    best = optimal_path(model, 7, -5.0, 5.0, points=POINTS, gap=0.0)
    refined = {a.method: a.cost for a in best.history if a.method.endswith(", refined")}
    starts = ("coarse lattice", "fitted lattice", "geodesic", "diagonal", "equal information")
    assert tuple(refined) == tuple(f"{start}, refined" for start in starts)
    assert best.cost == min(refined.values())
    assert max(refined.values()) <= best.cost * (1 + 1e-6)
    assert best.gap < 1e-4


def test_an_objective_that_is_no_sum_over_steps_searches_by_itself():
    class Whole:
        def optimize(self, model, steps, first, last, **options):
            return steps, first.tolist(), last.tolist()

        def curve(self, model, first, last):
            return first.tolist(), last.tolist()

    model = model_of(3, lt.AveragePyramid())
    assert optimal_path(model, 3, -1.0, (2.0, 3.0), Whole()) == (3, [-1.0, -1.0], [2.0, 3.0])
    assert geodesic_curve(model, -1.0, (2.0, 3.0), Whole()) == ([-1.0, -1.0], [2.0, 3.0])
    with pytest.raises(ValueError, match="at least 1"):
        optimal_path(model, 0, objective=Whole())


def test_only_the_fine_scale_is_cheaper_than_in_total():
    model = model_of(6, lt.AveragePyramid())
    total = optimal_path(model, 5, -4.0, 4.0, points=24)
    fine = optimal_path(model, 5, -4.0, 4.0, PathKL((1, 0)), points=24)
    assert fine.cost <= float(PathKL((1, 0)).step_costs(model, total.path.logsnr).sum()) * (1 + 1e-9)
    assert fine.lower_bound == 0.0


def test_costs_tend_to_half_the_squared_length():
    model = model_of(2, lt.AveragePyramid())
    curve = geodesic_curve(model, -5.0, 5.0)
    limit = 0.5 * curve.length**2
    excess = [n * cost_of(model, curve.path(n)) / limit - 1.0 for n in (20, 40, 80)]
    assert 0 < excess[2] < excess[1] < excess[0]
    assert excess[0] / excess[1] == pytest.approx(2.0, rel=0.15)
    best = optimal_path(model, 40, -5.0, 5.0, points=POINTS, gap=0.05)
    assert best.cost <= cost_of(model, curve.path(40)) * (1 + 1e-9)
    assert cost_of(model, curve.path(40)) <= best.cost * 1.01


def test_length_of_independent_modes_is_pythagorean():
    law = lt.Covariance(np.diag([2.0, 0.1]))
    model = lt.GaussianModel(law, lt.LinearScales({"a": np.eye(2)[:1], "b": np.eye(2)[1:]}))
    lengths = [(np.log1p(c * np.exp(6.0)) - np.log1p(c * np.exp(-6.0))) / np.sqrt(2.0) for c in (2.0, 0.1)]
    assert geodesic_curve(model, -6.0, 6.0).length == pytest.approx(np.hypot(*lengths), rel=1e-3)
    np.testing.assert_allclose(gaussian_curvature(model, np.zeros((3, 2))), 0.0, atol=1e-12)


def brioschi(metric, point):
    """Gaussian curvature of any metric of two coordinates from its first and second derivatives."""
    import jax
    import jax.numpy as jnp

    first, second = jax.jit(lambda x: (jax.jacfwd(metric)(x), jax.jacfwd(jax.jacfwd(metric))(x)))(point)
    (e, f), (_, g) = metric(point)
    (eu, ev), (fu, fv), (gu, gv) = first[0, 0], first[0, 1], first[1, 1]
    corner = -0.5 * second[0, 0, 1, 1] + second[0, 1, 0, 1] - 0.5 * second[1, 1, 0, 0]
    one = jnp.array([[corner, eu / 2, fu - ev / 2], [fv - gu / 2, e, f], [gv / 2, f, g]])
    two = jnp.array([[0.0, ev / 2, gu / 2], [ev / 2, e, f], [gu / 2, f, g]])
    return (jnp.linalg.det(one) - jnp.linalg.det(two)) / (e * g - f * f) ** 2


def test_curvature_equals_the_formula_for_any_metric():
    import jax
    import jax.numpy as jnp

    model = model_of(8, lt.AveragePyramid())
    points = jnp.array([[0.0, 0.0], [2.0, -1.0], [-3.0, 4.0]])
    expected = jax.lax.map(lambda point: brioschi(model.metric, point), points)
    np.testing.assert_allclose(gaussian_curvature(model, points), expected, rtol=1e-6)


def test_cheap_coarse_steps_are_used_when_they_pay():
    model = model_of(9, lt.AveragePyramid())
    dear = compute_aware_path(model, 5, {"coarse": 1.0}, -4.0, 5.0, points=32)
    cheap = compute_aware_path(model, 5, {"coarse": 0.1}, -4.0, 5.0, points=32)
    assert dear.spent <= 5
    assert cheap.spent <= 5
    assert cheap.cost < dear.cost
    assert "coarse" in cheap.moves
    reached = cheap.frontier[np.isfinite(cheap.frontier)]
    assert np.all(np.diff(reached) <= 1e-9)
    still = np.diff(cheap.path.logsnr[:, 0]) == 0
    assert all(still[i] for i, move in enumerate(cheap.moves) if move == "coarse")
    axes = [np.linspace(-4.0, 5.0, 32)] * 2
    assert dear.frontier[-1] == pytest.approx(PathKL().lattice(model, 5, axes).costs[-1], rel=1e-9)
    assert dear.cost == pytest.approx(optimal_path(model, 5, -4.0, 5.0).cost, rel=1e-9)


def test_compute_aware_paths_are_optimal_off_the_lattice_for_their_moves():
    """SciPy's general solver over the increments of every scale in the steps that may move it."""
    import scipy.optimize

    model = model_of(9, lt.AveragePyramid())
    found = compute_aware_path(model, 4, {"coarse": 0.25}, -3.0, 4.0, points=16)
    assert found.kkt_residual < 1e-6
    assert found.cost < found.frontier[-1] * (1 - 1e-3)
    allowed = np.array([[move in ("all", name) for name in model.scales] for move in found.moves])
    assert not allowed.all()
    assert np.all(np.diff(found.path.logsnr, axis=0)[~allowed] == 0)
    assert found.spent == pytest.approx(sum({"all": 1.0, "coarse": 0.25}[move] for move in found.moves))
    derivatives = PathKL().derivatives(model)

    def path(increments):
        steps = np.zeros(allowed.shape)
        steps[allowed] = increments
        return np.concatenate([[[-3.0, -3.0]], -3.0 + np.cumsum(steps, axis=0)])

    def gradient(increments):
        slope = derivatives(path(increments)).gradient[1:]
        return np.cumsum(slope[::-1], axis=0)[::-1][allowed]

    begin = np.where(allowed, 7.0 / allowed.sum(axis=0), 0.0)[allowed]
    to_end = np.array([[column == k for column in np.nonzero(allowed)[1]] for k in range(2)], dtype=float)
    reference = scipy.optimize.minimize(
        lambda x: derivatives(path(x)).cost,
        begin,
        jac=gradient,
        bounds=[(0.0, None)] * len(begin),
        constraints={"type": "eq", "fun": lambda x: to_end @ x - 7.0, "jac": lambda x: to_end},
        method="SLSQP",
        options={"ftol": 1e-13, "maxiter": 300},
    )
    assert found.cost == pytest.approx(reference.fun, rel=1e-6)


def test_break_even_price_equalises_the_two_costs():
    coarse, fine = 1.7, 2.9
    price = break_even_price(coarse, fine)
    assert (np.sqrt(price) * coarse + fine) ** 2 == pytest.approx(coarse**2 + fine**2, rel=1e-12)


def test_the_published_program_keeps_its_restrictions_and_is_exact():
    model = model_of(10, lt.AveragePyramid())
    axes = published_axes()
    cost = PublishedCost()
    logsnr = cost.lattice(model, 18, axes).logsnr()
    index = np.stack([np.searchsorted(axes[k], logsnr[:, k]) for k in range(2)], axis=1)
    assert index.shape == (19, 2)
    assert np.diff(index, axis=0).max() <= 5
    assert np.diff(index, axis=0).min() >= 0
    density = cost.density(model, logsnr)
    trapezoid = np.sum(0.5 * (density[1:] + density[:-1]) * np.diff(logsnr, axis=0))
    assert cost.lattice(model, 18, axes).costs[-1] == pytest.approx(trapezoid, rel=1e-10)
    with pytest.raises(ValueError, match="do not reach"):
        cost.lattice(model, 4, axes)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": 0}, ValueError, "at least 1"),
        ({"steps": 2.5}, TypeError, "integer"),
        ({"steps": 3, "start": 2.0, "stop": 1.0}, ValueError, "below start"),
        ({"steps": 3, "start": [0.0, 0.0, 0.0]}, ValueError, "one for each"),
        ({"steps": 3, "stop": float("nan")}, ValueError, "NaN"),
        ({"steps": 3, "points": 1}, ValueError, "at least 2"),
        ({"steps": 3, "gap": 1.0}, ValueError, "share of the cost"),
    ],
)
def test_bad_arguments_are_explained(arguments, error, message):
    with pytest.raises(error, match=message):
        optimal_path(model_of(0, lt.AveragePyramid()), **arguments)


def test_degenerate_ends_and_small_lattices_work():
    model = model_of(0, lt.AveragePyramid())
    assert optimal_path(model, 3, 1.0, 1.0).cost == pytest.approx(0.0, abs=1e-12)
    half = optimal_path(model, 4, [-3.0, 2.0], [3.0, 2.0], points=20)
    assert np.all(half.path.logsnr[:, 1] == 2.0)
    assert half.kkt_residual < 1e-6
    assert np.isfinite(optimal_path(model, 2, -3.0, 3.0, points=2).cost)


def test_many_scales_are_searched_without_a_lattice():
    """Five independent bands: the optimum is the sum of the optima of single bands, which lattices find."""
    law, edges = lt.Spectrum.power_law((16, 16)), (8, 4, 2, 1)
    found = lt.optimal_path(lt.GaussianModel(law, lt.DctBands(edges)), 6, -6.0, 6.0)
    order = np.maximum(*np.ogrid[:16, :16])
    alone = [
        lt.optimal_path(
            lt.GaussianModel(
                lt.Spectrum(np.where((low <= order) & (order < high), law.variances, 0.0)), lt.SingleScale()
            ),
            6,
            -6.0,
            6.0,
        )
        for low, high in pairwise([0, *edges[::-1], 16])
    ]
    np.testing.assert_allclose(found.cost, sum(band.cost for band in alone), rtol=1e-9)
    np.testing.assert_allclose(found.path.logsnr[:, ::-1].T, [b.path.logsnr[:, 0] for b in alone], atol=1e-4)
    assert found.kkt_residual < 1e-9
    assert 0.95 * found.cost < found.lower_bound < found.cost
    assert np.isinf(found.costs_by_steps[:-1]).all()
    assert found.costs_by_steps[-1] == found.cost


@pytest.mark.parametrize(
    ("model", "objective", "words"),
    [
        (lt.Spectrum(np.ones((2, 2))), None, "SingleScale"),
        (lt.GaussianModel(lt.Spectrum(np.ones((2, 2))), lt.SingleScale()), "ddim", "OutputError"),
        (lt.GaussianModel(lt.Spectrum(np.ones((2, 2))), lt.SingleScale()), lt.PathKL, "OutputError"),
    ],
)
def test_what_is_no_model_or_objective_is_refused(model, objective, words):
    with pytest.raises(TypeError, match=words):
        lt.optimal_path(model, 4, objective=objective)
