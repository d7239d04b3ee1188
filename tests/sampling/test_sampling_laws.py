"""The exact error of every sampler, against dense matrices that know nothing of modes or blocks."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from plain import BETA, SIGMA, VP, Plain, decay, kl, logsnr_of, package_sampler, w2_squared
from reference import Dense
from tolerances import CANCELLATION, DENSE, ROUND_OFF

import lift_theory as lt

SAMPLERS = SIGMA + VP
STEPS = 4


def six_by_six(rng):
    root = rng.normal(size=(6, 6))
    return lt.Covariance(root @ root.T / 6 + 0.1 * np.eye(6))


def sixteen_pixels(rng):
    root = rng.normal(size=(16, 16))
    return lt.Covariance(root @ root.T / 16 + 0.1 * np.eye(16), shape=(4, 4))


def spectrum(*shape):
    return lambda rng: lt.Spectrum(10.0 ** rng.uniform(-2.0, 0.5, shape))


# fixed, so that all spectra share one compilation; more coefficients than pixels, fewer than pixels
OPERATORS = {
    "many": np.random.default_rng(4).normal(size=(9, 6)),
    "few": np.random.default_rng(5).normal(size=(2, 6)),
}
CASES = {
    "single": (spectrum(2, 4), lt.SingleScale()),
    "square": (spectrum(2, 2), lt.AveragePyramid()),
    "pyramid": (spectrum(4, 8), lt.AveragePyramid()),
    "pyramid of three": (spectrum(4, 4), lt.AveragePyramid(3)),
    "haar": (spectrum(2, 4), lt.HaarBands()),
    "haar of three": (spectrum(4, 4), lt.HaarBands(3)),
    "cosines": (spectrum(8, 8), lt.DctBands((3,))),
    "cosines of three": (spectrum(4, 4), lt.DctBands((3, 1))),
    "nearest": (spectrum(2, 4), lt.ResidualPyramid()),
    "bilinear": (spectrum(2, 4), lt.ResidualPyramid(2, "bilinear")),
    "bicubic": (spectrum(2, 4), lt.ResidualPyramid(2, "bicubic")),
    "bicubic of three": (spectrum(4, 4), lt.ResidualPyramid(3, "bicubic")),
    "coloured": (spectrum(3, 2, 2), lt.AveragePyramid()),
    "coloured haar": (spectrum(3, 4, 2), lt.HaarBands()),
    "covariance": (six_by_six, lt.SingleScale()),
    "covariance of an image": (sixteen_pixels, lt.AveragePyramid()),
    "any operators": (six_by_six, lt.LinearScales(OPERATORS)),
}
# scales whose clean coefficients do not fill all directions: no density, so no score, at t = 0
BASES = {"single", "haar", "haar of three", "cosines", "cosines of three", "coloured haar", "covariance"}
ALL_SAMPLERS = ("single", "square")
SETTINGS = [
    dict(zip(("init", "target", "output", "clean"), words, strict=True))
    for words in product(("exact", "standard"), ("marginal", "data"), ("scales", "image"), (False, True))
]


def tasks():
    """Every sampler on two small cases, two samplers on every other; each with one of all the settings in turn.

    A setting is compiled anew for every sampler and form of blocks: the cover is as thin as it can be.
    """
    pairs = [(case, name) for name in SAMPLERS for case in ALL_SAMPLERS]
    rest = [case for case in CASES if case not in ALL_SAMPLERS]
    pairs += [(case, SAMPLERS[(3 * i + 1) % len(SAMPLERS)]) for i, case in enumerate(rest)]
    pairs += [("bilinear", "Ancestral"), ("nearest", "DPMSolverPP2M"), ("any operators", "VP Heun")]
    # seven is no divisor of sixteen: neighbours differ in several words, and every setting has its turn
    return [(*pair, SETTINGS[(7 * i + 1) % len(SETTINGS)]) for i, pair in enumerate(pairs)]


def random_grid(rng, name, scales, steps, clean):
    """Points from noise to data in which coordinates stand still about one time in three."""
    moves = rng.random((steps, scales)) > 1 / 3
    moves[rng.integers(steps)] = True
    fractions = rng.uniform(0.1, 1.0, (steps, scales)) * moves
    if name in SIGMA:
        grid = np.exp(rng.uniform(0.5, 2.0, scales) - np.cumsum(np.pad(fractions, ((1, 0), (0, 0))), axis=0))
    else:  # short enough for DDPM, whose steps end at 2 h beta = 1, also in one step to the end
        span = 0.05 if clean else 0.1
        grid = 4.2 * span - np.cumsum(np.pad(span * fractions, ((1, 0), (0, 0))), axis=0)
    if clean:
        grid[-1] = 0.0
    return grid


def same_error(found, true, sampled):
    """A pair (squared distance, divergence) from the package against two dense covariances."""
    size = np.trace(true) + np.trace(sampled)
    assert abs(found[0] - w2_squared(true, sampled)) <= DENSE * size
    expected = kl(true, sampled)
    if np.isinf(expected):
        assert np.isinf(found[1])
    else:
        assert np.isclose(found[1], expected, rtol=CANCELLATION, atol=DENSE * len(true))


@pytest.mark.parametrize(("case", "name", "setting"), tasks())
@settings(
    max_examples=4, deadline=None, phases=[Phase.explicit, Phase.generate]
)  # no seed is simpler than another
@given(seed=st.integers(0, 2**32 - 1), one=st.booleans())
def test_errors_equal_those_of_dense_covariances(case, name, setting, seed, one):
    init, target, output, clean = setting.values()
    rng = np.random.default_rng(seed)
    law, representation = CASES[case]
    model = lt.GaussianModel(law(rng), representation)
    grid = random_grid(rng, name, len(model.scales), 1 if one else STEPS, clean)
    path = lt.Path(logsnr_of(name, grid))

    def run():
        return lt.sampling_error(model, path, package_sampler(name), init=init, target=target, output=output)

    if clean and name in ("VP Heun", "RK4") and case not in BASES:
        with pytest.raises(ValueError, match="score"):
            run()
        return
    error, plain = run(), Plain.of(model)
    check_totals_and_modes(error, plain, name, grid, setting, pure_noise=case in ("any operators", "nearest"))
    if clean:
        assert error.path_kl == np.inf
    else:
        dense = Dense(plain.covariance, plain.operators)
        costs = sum(dense.step_kl(*step) for step in pairwise(path.logsnr))
        assert np.isclose(error.path_kl, costs, rtol=CANCELLATION)


def check_totals_and_modes(error, plain, name, grid, setting, pure_noise):
    """The whole error, and its shares; pure noise on what no image reaches need not belong to any mode."""
    init, target, output, _ = setting.values()
    true, sampled = plain.errors(name, grid, init, target, output)
    same_error((error.w2**2, error.kl), true, sampled)
    modes = error.per_mode.w2_squared.values, error.per_mode.kl.values
    assert all(np.all(values >= 0) for values in modes)
    room = DENSE * (np.trace(true) + np.trace(sampled)), DENSE * len(true)
    if pure_noise:
        assert modes[0].sum() <= error.w2**2 + room[0]
        assert modes[1].sum() <= error.kl + room[1]
    else:
        assert abs(modes[0].sum() - error.w2**2) <= room[0]
        assert np.isclose(modes[1].sum(), error.kl, rtol=ROUND_OFF, atol=room[1])


@pytest.mark.parametrize(
    ("case", "name", "options"),
    [
        ("square", "DDIM", {}),
        ("square", "EulerMaruyama", {"target": "data", "init": "standard", "output": "image"}),
        ("cosines of three", "Ancestral", {"output": "image"}),
        ("any operators", "DPMSolverPP2M", {"init": "standard"}),
    ],
)
def test_scales_by_themselves(case, name, options):
    """Whatever the output is, every scale's own law is the block of the joint one."""
    law, representation = CASES[case]
    model = lt.GaussianModel(law(np.random.default_rng(16)), representation)
    grid = random_grid(np.random.default_rng(17), name, len(model.scales), STEPS, clean=False)
    found = lt.sampling_error(
        model, lt.Path(logsnr_of(name, grid)), package_sampler(name), **options
    ).per_scale
    assert tuple(found["scale"].values) == model.scales
    plain = Plain.of(model)
    init, target = options.get("init", "exact"), options.get("target", "marginal")
    laws = plain.errors(name, grid, init, target, "scales")
    for w2, divergence, true, sampled in zip(
        found.w2.values, found.kl.values, *map(plain.blocks, laws), strict=True
    ):
        same_error((w2**2, divergence), true, sampled)


@pytest.mark.parametrize("end", [0.0, 1e-3, 0.3])
def test_times_become_log_snrs_and_back(end):
    points = 13
    vp = lt.VPLinear(beta_start=BETA[0], beta_end=BETA[1])
    path = vp.uniform_path(points=points, end=end)
    times = np.array([end + (1 - end) * (1 - k / (points - 1)) for k in range(points)])
    signal = np.exp(-2 * decay(times))
    assert path.steps == points - 1
    np.testing.assert_allclose(1 / (1 + np.exp(-path.logsnr[:, 0])), signal, rtol=ROUND_OFF)
    assert (path.logsnr[-1, 0] == np.inf) == (end == 0)


def test_a_scale_of_cosines_stays_on_its_own_modes():
    """Orthogonal bands of cosines share no mode: an error in one band shows in that band's modes only."""
    variances = 10.0 ** np.random.default_rng(6).uniform(-2.0, 0.5, (8, 8))
    model = lt.GaussianModel(lt.Spectrum(variances), lt.DctBands((3,)))
    moving = lt.Path(np.array([[-1.0, -3.0], [1.0, -3.0], [3.0, -3.0]]))
    error = lt.sampling_error(model, moving, lt.DDIM())
    low = np.zeros((8, 8), dtype=bool)
    low[:3, :3] = True
    squares = error.per_mode.w2_squared.squeeze("channel")
    assert squares.dims == ("vertical", "horizontal")
    assert squares.shape == (8, 8)
    assert np.all(squares.values[~low] > 1e-6)
    assert np.all(squares.values[low] <= DENSE**2)
