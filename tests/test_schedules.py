"""Published schedules: formulas by an independent route, lists number by number, and what a stretch keeps."""

import mpmath
import numpy as np
import pytest
from tolerances import MANY_DIGITS, ROUND_OFF

import lift_theory as lt
from lift_theory.schedules import FORMULAS, LISTS

AYS_SD15 = "14.615 6.475 3.861 2.697 1.886 1.396 0.963 0.652 0.399 0.152 0.029"
AYS_SDXL = "14.615 6.315 3.771 2.181 1.342 0.862 0.555 0.380 0.234 0.113 0.029"
GITS = "80 13.9293 5.1092 2.5152 1.3482 .6799 .3183 .1698 .0665 .0225 .002"
PRINTED = {"ays-sd15": AYS_SD15, "ays-sdxl": AYS_SDXL, "gits-cifar10": GITS}


@pytest.mark.parametrize("steps", [1, 2, 7, 18])
def test_edm_noise_levels_are_seventh_powers_of_an_arithmetic_sequence(steps):
    """In fifty digits, as printed: `(smax^(1/7) + i / (N - 1) (smin^(1/7) - smax^(1/7)))^7` with N = steps + 1."""
    with mpmath.workdps(50):
        top, low = (mpmath.root(mpmath.mpf(s), 7) for s in ("80", "0.002"))
        points = steps + 1
        printed = [float((top + mpmath.mpf(i) / (points - 1) * (low - top)) ** 7) for i in range(points)]
    np.testing.assert_allclose(lt.published_path("edm", steps).sigmas[:, 0], printed, rtol=MANY_DIGITS)


def test_formulas_agree_with_the_spacings_of_diagonals():
    spectrum = lt.Spectrum(np.full((4, 4), 0.49))
    model = lt.GaussianModel(spectrum, lt.SingleScale())
    for name, spacing, std in (
        ("edm", "karras", None),
        ("logsnr", "logsnr", None),
        ("arctan", "arctan", 0.7),
    ):
        path = lt.published_path(name, 9, -6.0, 7.0, std=std)
        expected = lt.diagonal_path(model, 9, -6.0, 7.0, spacing=spacing)
        np.testing.assert_allclose(path.logsnr, expected.logsnr, atol=1e-10)


def test_the_arctan_law_has_equal_angles_and_is_best_for_its_own_variance():
    """DDIM on one variance: the product of the cosines of the angles is largest when they are equal."""
    path = lt.published_path("arctan", 6, std=0.5)
    angles = np.arctan(path.sigmas[:, 0] / 0.5)
    np.testing.assert_allclose(np.diff(angles), -np.ptp(angles) / 6, rtol=1e-9)
    model = lt.GaussianModel(lt.Spectrum(np.full((1, 1), 0.25)), lt.SingleScale())
    others = [lt.published_path("arctan", 6, std=std) for std in (0.4, 0.6)]
    assert all(lt.sampling_error(model, path).w2 < lt.sampling_error(model, other).w2 for other in others)


@pytest.mark.parametrize("name", PRINTED)
def test_lists_are_reproduced_at_their_own_length(name):
    printed = [float(word) for word in PRINTED[name].split()]
    path = lt.published_path(name, 10)
    np.testing.assert_array_equal(path.logsnr[:, 0], -2 * np.log(printed))
    np.testing.assert_allclose(path.sigmas[:, 0], printed, rtol=1e-14)


@pytest.mark.parametrize("name", PRINTED)
def test_other_step_counts_interpolate_the_logarithm_over_the_index(name):
    printed = np.array([float(word) for word in PRINTED[name].split()])
    doubled = lt.published_path(name, 20).sigmas[:, 0]
    np.testing.assert_allclose(doubled[::2], printed, rtol=ROUND_OFF)
    np.testing.assert_allclose(doubled[1::2], np.sqrt(printed[1:] * printed[:-1]), rtol=ROUND_OFF)
    np.testing.assert_allclose(lt.published_path(name, 5).sigmas[:, 0], printed[::2], rtol=ROUND_OFF)


@pytest.mark.parametrize("name", PRINTED)
def test_a_stretch_keeps_the_ratios_of_the_steps(name):
    own = np.diff(lt.published_path(name, 10).logsnr[:, 0])
    path = lt.published_path(name, 10, start=-3.0, stop=5.0)
    np.testing.assert_array_equal(path.logsnr[[0, -1], 0], [-3.0, 5.0])
    np.testing.assert_allclose(np.diff(path.logsnr[:, 0]) / own, 8.0 / own.sum(), rtol=1e-9)


@pytest.mark.parametrize("name", [*FORMULAS, *LISTS])
def test_any_count_between_any_ends_is_a_path_of_one_clock(name):
    for steps in (1, 3, 40):
        path = lt.published_path(name, steps, start=-4.0, stop=4.0, scales=("fine", "coarse"))
        assert (path.steps, path.scales) == (steps, ("fine", "coarse"))
        np.testing.assert_array_equal(path.logsnr[[0, -1]], [[-4.0, -4.0], [4.0, 4.0]])
        np.testing.assert_array_equal(path.logsnr[:, 0], path.logsnr[:, 1])
        assert np.all(np.diff(path.logsnr[:, 0]) > 0)


def test_one_end_of_two_may_be_given():
    path = lt.published_path("ays-sd15", 10, stop=9.0)
    np.testing.assert_allclose(path.logsnr[[0, -1], 0], [-2 * np.log(14.615), 9.0])


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"name": "karras", "steps": 3}, ValueError, "name must be one of 'edm'"),
        ({"name": "edm", "steps": 2.0}, TypeError, "steps must be an integer"),
        ({"name": "edm", "steps": 0}, ValueError, "at least 1"),
        ({"name": "edm", "steps": 3, "start": 5.0, "stop": 5.0}, ValueError, "noisier than stop"),
        ({"name": "edm", "steps": 3, "start": 90.0}, ValueError, "schedule's own"),
        ({"name": "edm", "steps": 3, "start": np.nan}, ValueError, "start must not contain NaN"),
        ({"name": "edm", "steps": 3, "stop": np.inf}, ValueError, "stop must be finite"),
        ({"name": "edm", "steps": 3, "stop": "late"}, TypeError, "stop must hold real numbers"),
        ({"name": "edm", "steps": 3, "std": 0.5}, ValueError, "Leave it out"),
        ({"name": "arctan", "steps": 3, "std": 0.0}, ValueError, "std must be positive"),
        ({"name": "logsnr", "steps": 3, "start": -5.0}, ValueError, "give both start and stop"),
    ],
)
def test_bad_input_is_answered_with_what_to_do(arguments, kind, words):
    with pytest.raises(kind, match=words):
        lt.published_path(**arguments)
