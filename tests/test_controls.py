"""Control paths: their shapes, and the optimal placement of points on each."""

from itertools import product

import numpy as np
import pytest
from reference import Dense
from scipy.optimize import minimize
from tolerances import DENSE, ROUND_OFF, SEARCH

import lift_theory as lt
from lift_theory.controls import SPACINGS

STEPS = 3
START, STOP = -5.0, 5.0


@pytest.fixture(scope="module")
def pyramid():
    return lt.GaussianModel(lt.Spectrum.power_law((4, 4), exponent=3.0), lt.AveragePyramid())


@pytest.fixture(scope="module")
def haar():
    return lt.GaussianModel(lt.Spectrum.power_law((4, 4), exponent=3.0), lt.HaarBands())


CONTROLS = {
    "diagonal": lambda model, steps, spacing: lt.diagonal_path(model, steps, START, STOP, spacing),
    "equal information": lambda model, steps, spacing: lt.equal_information_path(
        model, steps, START, STOP, spacing
    ),
    "coarse leads": lambda model, steps, spacing: lt.constant_lead_path(
        model, steps, START, STOP, 2.0, spacing
    ),
    "fine leads": lambda model, steps, spacing: lt.constant_lead_path(
        model, steps, START, STOP, -1.0, spacing
    ),
    "staged": lambda model, steps, spacing: lt.staged_path(model, steps, START, STOP, None, spacing),
    "fine first": lambda model, steps, spacing: lt.staged_path(
        model, steps, START, STOP, ("fine", "coarse"), spacing
    ),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_ends_steps_and_order(pyramid, name):
    for spacing in ("optimal", "logsnr"):
        path = CONTROLS[name](pyramid, STEPS, spacing)
        assert path.steps == STEPS
        assert path.scales == pyramid.scales
        np.testing.assert_array_equal(path.logsnr[[0, -1]], [[START] * 2, [STOP] * 2])
        assert np.all(np.diff(path.logsnr, axis=0) >= 0)


@pytest.mark.parametrize("name", ["diagonal", "equal information", "coarse leads", "fine leads"])
def test_one_step_is_the_jump(pyramid, name):
    for spacing in ("optimal", "logsnr"):
        np.testing.assert_array_equal(CONTROLS[name](pyramid, 1, spacing).logsnr, [[START] * 2, [STOP] * 2])


def test_ends_of_their_own_for_each_scale(pyramid):
    path = lt.diagonal_path(pyramid, STEPS, [-5.0, -3.0], [4.0, 4.5])
    np.testing.assert_array_equal(path.logsnr[[0, -1]], [[-5.0, -3.0], [4.0, 4.5]])
    share = (path.logsnr - path.logsnr[0]) / (path.logsnr[-1] - path.logsnr[0])
    np.testing.assert_allclose(share[:, 0], share[:, 1], atol=ROUND_OFF)


def test_named_spacings(pyramid):
    steps = 5
    paths = {s: lt.diagonal_path(pyramid, steps, START, STOP, s) for s in ("logsnr", "karras", "arctan")}
    np.testing.assert_allclose(np.diff(paths["logsnr"].logsnr, axis=0), 2.0, rtol=ROUND_OFF)
    np.testing.assert_allclose(np.diff(paths["karras"].sigmas ** (1 / 7), 2, axis=0), 0, atol=ROUND_OFF)
    angles = np.arctan(paths["arctan"].sigmas / 0.5)  # 0.5 is the standard deviation of a pixel
    np.testing.assert_allclose(np.diff(angles, 2, axis=0), 0, atol=1e-9)


def test_uniform_information_of_one_variance_is_uniform_in_its_logarithm():
    """`log(1 + c / sigma^2)` in equal steps (Sabour et al. 2024, sec. 3), from noise to nearly clean data."""
    c, steps = 0.25, 7
    model = lt.GaussianModel(lt.Spectrum(np.full((4, 4), c)), lt.SingleScale())
    path = lt.diagonal_path(model, steps, -30.0, 25.0, spacing="information")
    nats = np.linspace(np.log1p(c * np.exp(-30.0)), np.log1p(c * np.exp(25.0)), steps + 1)
    np.testing.assert_allclose(path.logsnr[1:-1, 0], np.log(np.expm1(nats[1:-1]) / c), rtol=ROUND_OFF)


@pytest.mark.parametrize("name", ["pyramid", "haar"])
def test_uniform_information_gains_equal_nats_a_step(name, request):
    """Log-determinants of dense covariances of everything that is seen, none of the model's sums over modes."""
    model, steps = request.getfixturevalue(name), 6
    path = lt.diagonal_path(model, steps, [-7.0, -4.0], [5.0, 6.0], spacing="information")
    dense = Dense.of(model.law, model.representation)
    gains = np.diff([dense.information(point) for point in path.logsnr])
    np.testing.assert_allclose(gains, gains.mean(), rtol=DENSE)
    share = (path.logsnr - path.logsnr[0]) / (path.logsnr[-1] - path.logsnr[0])
    np.testing.assert_allclose(share[:, 0], share[:, 1], atol=ROUND_OFF)


@pytest.mark.parametrize("steps", [1, 2, STEPS])
def test_one_variance_has_the_closed_form(steps):
    """All modes alike: the optimum is uniform in log(1 + c g), and its cost elementary."""
    variance = 0.3
    model = lt.GaussianModel(lt.Spectrum(np.full((4, 4), variance)), lt.SingleScale())
    path = lt.diagonal_path(model, steps, START, STOP)
    clock = np.log1p(variance * np.exp(path.logsnr[:, 0]))
    np.testing.assert_allclose(np.diff(clock), (clock[-1] - clock[0]) / steps, rtol=1e-4)
    length = clock[-1] - clock[0]
    cost = 16 * (steps / 2 * np.expm1(length / steps) - length / 2)
    assert np.isclose(lt.path_kl(model, path), cost, rtol=1e-8)
    assert np.isclose(lt.lower_bound(model, steps, START, STOP), cost, rtol=ROUND_OFF)


def best_by_descent(model, curve, steps):
    """Least cost over placements on a curve by a general optimizer from several starts."""

    def cost(gaps):
        share = np.cumsum(np.exp(gaps - gaps.max()))
        return lt.path_kl(model, lt.Path(curve(np.concatenate([[0.0], share[:-1] / share[-1], [1.0]]))))

    starts = [np.zeros(steps), np.linspace(-1, 1, steps), np.linspace(1, -1, steps)]
    options = {"xatol": 1e-7, "fatol": 1e-12, "maxiter": 400}
    return min(minimize(cost, s, method="Nelder-Mead", options=options).fun for s in starts)


def straight(u):
    return START + u[:, None] * (STOP - START) * np.ones(2)


def leading(lead):
    """Coarse is at t + lead, both held between the ends; t runs from the first to the last moment of change."""
    first, last = START - max(lead, 0), STOP - min(lead, 0)

    def curve(u):
        t = first + u * (last - first)
        return np.clip(np.stack([t, t + lead], axis=1), START, STOP)

    return curve


@pytest.mark.parametrize(
    ("name", "curve"),
    [("diagonal", straight), ("coarse leads", leading(2.0)), ("fine leads", leading(-1.0))],
)
def test_optimal_spacing_beats_every_other(pyramid, name, curve):
    cost = lt.path_kl(pyramid, CONTROLS[name](pyramid, STEPS, "optimal"))
    assert np.isclose(cost, best_by_descent(pyramid, curve, STEPS), rtol=SEARCH)
    for spacing in SPACINGS[1:] if name == "diagonal" else ("logsnr",):
        assert cost <= lt.path_kl(pyramid, CONTROLS[name](pyramid, STEPS, spacing))


def test_leads_are_kept_where_the_ends_allow(pyramid):
    for name, lead in (("coarse leads", 2.0), ("fine leads", -1.0), ("equal information", np.log(4.0))):
        path = CONTROLS[name](pyramid, 12, "logsnr")
        inside = np.all((path.logsnr > START) & (path.logsnr < STOP), axis=1)
        assert inside.sum() > 5
        np.testing.assert_allclose(path.lead()[inside], lead, atol=ROUND_OFF)
        assert np.all(path.lead() * np.sign(lead) >= 0)
        assert np.all(np.abs(path.lead()) <= abs(lead) + ROUND_OFF)


def test_leads_per_level():
    model = lt.GaussianModel(lt.Spectrum.power_law((4, 4)), lt.DctBands((3, 1)))
    path = lt.equal_information_path(model, 12, START, STOP, "logsnr", ratio=3.0)
    inside = np.all((path.logsnr > START) & (path.logsnr < STOP), axis=1)
    np.testing.assert_allclose(path.lead(ratio=3.0)[inside], 0.0, atol=ROUND_OFF)
    given = lt.constant_lead_path(model, 12, START, STOP, [1.0, -0.5], "logsnr")
    inside = np.all((given.logsnr > START) & (given.logsnr < STOP), axis=1)
    np.testing.assert_allclose(given.lead()[inside], [[1.0, -0.5]] * inside.sum(), atol=ROUND_OFF)


@pytest.mark.parametrize("order", [("coarse", "fine"), ("fine", "coarse")])
@pytest.mark.parametrize("spacing", ["optimal", "logsnr"])
def test_stages_move_one_scale_at_a_time_in_the_given_order(pyramid, order, spacing):
    path = lt.staged_path(pyramid, STEPS, START, STOP, order, spacing)
    moved = np.diff(path.logsnr, axis=0) > 0
    assert np.all(moved.sum(axis=1) == 1)
    sequence = [path.scales[k] for k in moved.argmax(axis=1)]
    assert sequence == sorted(sequence, key=order.index)
    assert set(sequence) == set(order)


def test_stages_split_their_steps_best(haar):
    """Every split of the steps, each leg placed by the general optimizer, against the chosen one."""
    steps = 4
    chosen = lt.staged_path(haar, steps, START, STOP, ("low", "high"))
    corners = np.array([[START, START], [START, STOP], [STOP, STOP]])

    def leg(first, second):
        return lambda u: first + u[:, None] * (second - first)

    best = min(
        sum(
            best_by_descent(haar, leg(a, b), n) for a, b, n in zip(corners, corners[1:], counts, strict=False)
        )
        for counts in product(range(1, steps), repeat=2)
        if sum(counts) == steps
    )
    assert np.isclose(lt.path_kl(haar, chosen), best, rtol=SEARCH)


def test_stages_skip_scales_that_stand_still(pyramid):
    path = lt.staged_path(pyramid, 1, [START, 0.0], [STOP, 0.0])
    np.testing.assert_array_equal(path.logsnr, [[START, 0.0], [STOP, 0.0]])
    still = lt.staged_path(pyramid, 2, 0.0, 0.0)
    np.testing.assert_array_equal(still.logsnr, np.zeros((3, 2)))
    for spacing in SPACINGS:
        assert lt.path_kl(pyramid, lt.diagonal_path(pyramid, 2, 0.0, 0.0, spacing)) == 0


def test_uniform_stages_share_steps_by_distance(pyramid):
    path = lt.staged_path(pyramid, 6, [0.0, 0.0], [2.0, 4.0], spacing="logsnr")
    np.testing.assert_allclose(np.diff(path.logsnr, axis=0).sum(axis=1), 1.0, rtol=ROUND_OFF)


def test_a_decoupled_model_has_control_paths_too(pyramid):
    model = lt.decoupled(pyramid)
    best = lt.diagonal_path(model, STEPS, START, STOP)
    assert lt.path_kl(model, best) <= lt.path_kl(model, lt.diagonal_path(pyramid, STEPS, START, STOP))
