"""What must hold of sampling errors whatever their values: inequalities, symmetries, and ends of every kind."""

import gc
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from plain import SIGMA, VP, Plain, kl, logsnr_of, package_sampler, w2_squared
from tolerances import CANCELLATION, CONDITIONED, DENSE, ROUND_OFF

import lift_theory as lt
from lift_theory.sampling import propagation

SAMPLERS = SIGMA + VP
STEPS = 4


def rough(shape=(2, 4), seed=12):
    return lt.Spectrum(10.0 ** np.random.default_rng(seed).uniform(-2.0, 0.5, shape))


def grid_of(name, scales, end=1.0, seed=13):
    """Random points that descend in every coordinate; `end=0` ends at clean data."""
    steps = np.random.default_rng(seed).uniform(0.2, 1.0, (STEPS, scales))
    path = np.cumsum(np.pad(steps, ((1, 0), (0, 0))), axis=0)
    grid = np.exp(1.5 - path) if name in SIGMA else 0.42 - 0.1 * path
    grid[-1] *= end
    return grid


def path_of(name, scales, **options):
    return lt.Path(logsnr_of(name, grid_of(name, scales, **options)))


@pytest.mark.parametrize(
    ("shape", "representation"),
    [((2, 2), lt.AveragePyramid()), ((2, 4), lt.HaarBands()), ((4, 4), lt.DctBands((3,)))],
    ids=str,
)
def test_nothing_computed_from_a_trajectory_is_further_than_the_trajectory(shape, representation):
    """Data processing: path >= all scales >= the image, from the exact initial law."""
    model = lt.GaussianModel(rough(shape), representation)
    path = path_of("Ancestral", len(model.scales))
    everything = lt.sampling_error(model, path, lt.Ancestral())
    image = lt.sampling_error(model, path, lt.Ancestral(), output="image")
    assert np.isclose(everything.path_kl, lt.path_kl(model, path), rtol=ROUND_OFF)
    assert 0 < everything.kl < everything.path_kl
    assert 0 < image.kl <= everything.kl * (1 + CANCELLATION)


def test_pyramid_and_its_haar_image_sample_the_same_clean_image():
    """Ancestral sampling needs the scales only through `sum_k g_k A_k^T z_k`, and moves that alike for both.

    So the clean images agree in law. The noisy scales do not: they hold that statistic and something else. Nor do
    the images of a deterministic sampler, which carries the something else along.
    """
    pyramid, haar = (lt.GaussianModel(rough(), r) for r in (lt.AveragePyramid(), lt.HaarBands()))
    path = path_of("Ancestral", 2)
    image = lt.to_orthogonal(path)

    def both(first, second, sampler, **options):
        return [
            lt.sampling_error(model, points, sampler, **options)
            for model, points in ((pyramid, first), (haar, second))
        ]

    clean = path.to_clean_data(), image.to_clean_data()
    one, other = both(*clean, lt.Ancestral(), output="image")
    assert np.isclose(one.w2, other.w2, rtol=CANCELLATION)
    assert np.isclose(one.kl, other.kl, rtol=CANCELLATION)
    one, other = both(path, image, lt.Ancestral())
    assert np.isclose(one.path_kl, other.path_kl, rtol=CANCELLATION)
    assert one.kl > other.kl * (1 + 1e-4)
    one, other = both(*clean, lt.DDIM(), output="image")
    assert not np.isclose(one.kl, other.kl, rtol=1e-4)


@pytest.mark.parametrize(("name", "clean"), [("Ancestral", True), ("DPMSolverPP2M", False), ("RK4", False)])
def test_orthogonal_bands_err_on_their_own(name, clean):
    """Squared distances and divergences add up over bands, each sampled along its own column of the path."""
    spectrum, bands = rough((8, 8)), lt.DctBands((3,))
    grid = grid_of(name, 2, end=0.0 if clean else 1.0)
    index = np.maximum(*np.ogrid[:8, :8])
    together = lt.sampling_error(
        lt.GaussianModel(spectrum, bands), lt.Path(logsnr_of(name, grid)), package_sampler(name)
    )
    alone = [
        lt.sampling_error(
            lt.GaussianModel(lt.Covariance(np.diag(spectrum.variances[inside])), lt.SingleScale()),
            lt.Path(logsnr_of(name, grid[:, [k]])),
            package_sampler(name),
        )
        for k, inside in enumerate((index >= 3, index < 3))
    ]
    assert np.isclose(together.w2**2, sum(error.w2**2 for error in alone), rtol=CANCELLATION)
    assert np.isclose(together.kl, sum(error.kl for error in alone), rtol=CANCELLATION)


@pytest.mark.parametrize(("name", "output"), [("DPMSolverPP2M", "scales"), ("EulerMaruyama", "image")])
def test_the_order_in_which_scales_are_listed_is_of_no_account(name, output):
    rng = np.random.default_rng(14)
    operators = {"a": rng.normal(size=(4, 6)), "b": rng.normal(size=(3, 6)), "c": rng.normal(size=(2, 6))}
    law = lt.Covariance(np.diag(rng.uniform(0.1, 2.0, 6)))
    grid = grid_of(name, 3)
    found = []
    for order in ("abc", "cab"):
        model = lt.GaussianModel(law, lt.LinearScales({key: operators[key] for key in order}))
        path = lt.Path(logsnr_of(name, grid[:, ["abc".index(key) for key in order]]), tuple(order))
        found.append(lt.sampling_error(model, path, package_sampler(name), output=output))
    assert np.isclose(found[0].w2, found[1].w2, rtol=CANCELLATION)
    assert np.isclose(found[0].kl, found[1].kl, rtol=CANCELLATION)
    # and the test notices when clocks are swapped
    swapped = lt.Path(logsnr_of(name, grid[:, [1, 0, 2]]), tuple("abc"))
    model = lt.GaussianModel(law, lt.LinearScales(operators))
    error = lt.sampling_error(model, swapped, package_sampler(name), output=output)
    assert not np.isclose(error.w2, found[0].w2, rtol=1e-4)


def with_holes():
    variances = np.array(rough((4, 4)).variances)
    variances[0, 1] = variances[2:, 2:] = 0.0
    return variances


@pytest.mark.parametrize("name", ["DDIM", "RK4"])
def test_modes_without_variance_are_plain_noise(name):
    model = lt.GaussianModel(lt.Spectrum(with_holes()), lt.DctBands((2,)))
    grid = grid_of(name, 2)
    error = lt.sampling_error(model, lt.Path(logsnr_of(name, grid)), package_sampler(name), init="standard")
    true, sampled = Plain.of(model).errors(name, grid, "standard", "marginal", "scales")
    assert abs(error.w2**2 - w2_squared(true, sampled)) <= DENSE * (np.trace(true) + np.trace(sampled))
    assert np.isclose(error.kl, kl(true, sampled), rtol=CANCELLATION)


@pytest.mark.parametrize(
    "name", ["DDIM", "Ancestral", "Heun", "DPMSolverPP2M", "Euler", "DDPM", "VP Heun", "RK4"]
)
def test_modes_without_variance_at_clean_data(name):
    """A sampler that answers with the denoised image puts them right; noise or a flow's remainder stays."""
    variances = with_holes()
    single = lt.GaussianModel(lt.Spectrum(variances), lt.SingleScale())
    clean = lt.Path(logsnr_of(name, grid_of(name, 1, end=0.0)))
    if name in ("VP Heun", "RK4"):
        with pytest.raises(ValueError, match="score"):
            lt.sampling_error(single, clean, package_sampler(name))
        return
    error = lt.sampling_error(single, clean, package_sampler(name))
    lost = [share.values[0][variances == 0] for share in (error.per_mode.w2_squared, error.per_mode.kl)]
    assert np.isfinite(error.w2)
    if name in SIGMA:
        assert np.isfinite(error.kl)
        assert np.all(lost[0] == 0)
        assert np.all(lost[1] == 0)
    else:
        assert np.all(lost[0] > 0)
        assert np.all(lost[1] == np.inf)
        assert error.kl == np.inf


@pytest.mark.parametrize("name", SIGMA)
def test_one_step_to_clean_data_returns_the_posterior_mean(name):
    """Its variance is `c^2 / (c + sigma^2)`, whatever the sampler, if the noise was right."""
    c, sigma = rough().variances, 0.7
    model = lt.GaussianModel(rough(), lt.SingleScale())
    path = lt.Path(np.array([[-2 * np.log(sigma)], [np.inf]]))
    error = lt.sampling_error(model, path, package_sampler(name))
    expected = (np.sqrt(c) - c / np.sqrt(c + sigma**2)) ** 2
    np.testing.assert_allclose(error.per_mode.w2_squared.values[0], expected, rtol=CANCELLATION)
    assert error.path_kl == np.inf


@pytest.mark.parametrize("name", ["DDIM", "Ancestral"])
def test_a_long_last_step_is_the_step_to_clean_data(name):
    """The law at a tiny last noise level tends to the one at +inf; the latter has no noise at all."""
    model = lt.GaussianModel(rough((2, 2)), lt.AveragePyramid())
    grid = grid_of(name, 2, end=0.0)
    ends = []
    for last in (1e-9, 0.0):
        grid[-1] = last
        path = lt.Path(logsnr_of(name, grid))
        ends.append(lt.sampling_error(model, path, package_sampler(name), output="image"))
    assert np.isclose(ends[0].w2, ends[1].w2, rtol=CONDITIONED)
    assert np.isclose(ends[0].kl, ends[1].kl, rtol=CONDITIONED)


def test_scales_that_cannot_be_right_are_infinitely_far():
    """Noise on scales that determine each other is no clean pyramid; its image is a finite distance away."""
    model = lt.GaussianModel(rough((2, 2)), lt.AveragePyramid())
    path = path_of("DDIM", 2)
    scales = lt.sampling_error(model, path, target="data")
    image = lt.sampling_error(model, path, target="data", output="image")
    assert scales.kl == np.inf
    assert np.isfinite(scales.w2)
    assert np.isfinite(image.kl)
    on_data = lt.sampling_error(model, path.to_clean_data())
    assert np.isfinite(on_data.kl)
    assert np.isclose(float(on_data.per_mode.kl.sum()), on_data.kl, rtol=ROUND_OFF)


@pytest.mark.parametrize("name", SAMPLERS)
def test_white_images_of_unit_variance_need_no_sampler(name):
    """Data with the law N(0, 1) stay N(0, 1) in variance-preserving units; flows leave them alone altogether."""
    model = lt.GaussianModel(lt.Spectrum(np.ones((2, 2))), lt.SingleScale())
    error = lt.sampling_error(model, path_of(name, 1, end=0.0), package_sampler(name), init="standard")
    if name in ("Euler", "VP Heun", "RK4", "DDPM"):  # for the last, (1 - q)^2 / (1 - q) + q = 1
        assert error.w2 < ROUND_OFF
        assert error.kl < ROUND_OFF
    else:
        assert error.w2 > 1e-3


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="counts memory maps as Linux lists them")
def test_sweeps_give_up_programs_that_they_no_longer_need(monkeypatch):
    """Every compiled program takes a dozen memory maps or more; those of all step counts would exhaust a process."""
    program = propagation._program.__wrapped__
    model = lt.GaussianModel(lt.Spectrum(np.ones((2, 2))), lt.SingleScale())

    def added(limit: int | None) -> int:
        """Maps of the last six of eight programs."""
        monkeypatch.setattr(propagation, "_program", lru_cache(maxsize=limit)(program))
        maps = []
        for steps in range(1, 9):
            lt.sampling_error(model, lt.diagonal_path(model, steps, -1.0, 1.0, spacing="logsnr"))
            gc.collect()
            maps.append(len(Path("/proc/self/maps").read_text().splitlines()))
        return maps[-1] - maps[1]

    few, all_of_them = added(2), added(None)
    assert few < all_of_them / 3
