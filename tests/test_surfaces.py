"""Error surfaces: labels, units, provenance, netCDF round trip, and the numbers behind the labels."""

import numpy as np
import pytest
import xarray
from tolerances import ROUND_OFF

import lift_theory as lt
from lift_theory.surfaces import UNITS

AXES = (np.linspace(-5.0, 4.0, 7), np.linspace(-3.0, 6.0, 5))


@pytest.fixture(scope="module")
def model():
    return lt.GaussianModel(lt.Spectrum.power_law((3, 8, 8)), lt.AveragePyramid())


@pytest.fixture(scope="module")
def surface(model):
    return lt.error_surface(model, logsnr=list(AXES))


def test_every_entry_is_what_the_model_says_at_its_coordinates(model, surface):
    for i, fine in enumerate(AXES[0]):
        for j, coarse in enumerate(AXES[1]):
            here = surface.sel(logsnr_fine=fine, logsnr_coarse=coarse)
            point = np.array([fine, coarse])
            np.testing.assert_allclose(
                here.mutual_information, model.mutual_information(point), rtol=ROUND_OFF
            )
            for scale, value in zip(model.scales, model.mmse(point), strict=True):
                np.testing.assert_allclose(here.mmse.sel(scale=scale), value, rtol=ROUND_OFF)
            np.testing.assert_allclose(here.metric, model.metric(point), rtol=ROUND_OFF)
            np.testing.assert_allclose(here.coupling, model.coupling(point), rtol=ROUND_OFF)
            assert surface.mmse.dims[:2] == ("logsnr_fine", "logsnr_coarse"), (i, j)


def test_step_cost_is_the_leading_cost_of_a_small_lock_step_move(model, surface):
    move = 1e-4
    grid = np.stack(np.meshgrid(*AXES, indexing="ij"), axis=-1)
    cost = np.asarray(model.step_kl(grid, grid + move)) / move**2
    np.testing.assert_allclose(surface.step_cost.sum("scale"), cost, rtol=1e-3)  # next order is one move


def test_step_cost_splits_by_scale_as_the_metric_does(surface):
    expected = 0.5 * surface.metric.sum("scale_other").transpose(*surface.step_cost.dims)
    np.testing.assert_allclose(surface.step_cost, expected, rtol=ROUND_OFF)


def test_surface_survives_netcdf(surface, tmp_path):
    surface.to_netcdf(tmp_path / "surface.nc")
    xarray.testing.assert_identical(xarray.load_dataset(tmp_path / "surface.nc"), surface)


def test_units_and_provenance_are_complete(surface):
    assert set(surface.data_vars) == set(UNITS)
    for name, variable in surface.data_vars.items():
        assert (variable.attrs["long_name"], variable.attrs["units"]) == UNITS[name]
    assert surface.logsnr_fine.attrs["units"] == "nat"
    assert surface["size"].values.tolist() == [192, 48]
    assert surface.attrs["representation"] == "AveragePyramid(levels=2)"
    assert lt.__version__ in surface.attrs["source"]


def test_provenance_tells_spectra_apart(surface):
    other = lt.GaussianModel(lt.Spectrum.power_law((3, 8, 8), exponent=2.1), lt.AveragePyramid())
    assert lt.error_surface(other, [0.0, 1.0]).attrs["law_sha256"] != surface.attrs["law_sha256"]


def test_one_and_three_scales():
    spectrum = lt.Spectrum.power_law((8, 8))
    single = lt.error_surface(lt.GaussianModel(spectrum, lt.SingleScale()), [0.0, 1.0, 2.0])
    assert single.mmse.dims == ("logsnr_fine", "scale")
    three = lt.error_surface(lt.GaussianModel(spectrum, lt.DctBands((4, 2))), [0.0, 1.0])
    assert three.metric.dims == ("logsnr_high", "logsnr_middle", "logsnr_low", "scale", "scale_other")
    assert bool(np.isfinite(three.coupling).all())


def test_axes_default_to_128_points_between_minus_and_plus_nine():
    surface = lt.error_surface(lt.GaussianModel(lt.Spectrum(np.ones((2, 2))), lt.SingleScale()))
    np.testing.assert_array_equal(surface.logsnr_fine, np.linspace(-9, 9, 128))


@pytest.mark.parametrize(
    ("logsnr", "words"),
    [
        ([1.0, 0.0], "strictly increasing"),
        ([0.0, 0.0], "strictly increasing"),
        ([], "non-empty"),
        (0.0, "one-dimensional"),
        ([0.0, np.nan], "NaN"),
        ([0.0, np.inf], "finite"),
        ([0.0, 1e4], "within"),
        ([[0.0, 1.0]], "one for each"),
        ([[0.0, 1.0]] * 3, "one for each"),
    ],
)
def test_bad_axes_are_refused_with_reasons(model, logsnr, words):
    with pytest.raises(ValueError, match=words):
        lt.error_surface(model, logsnr)


def test_axes_of_strings_are_refused(model):
    with pytest.raises(TypeError, match="real numbers"):
        lt.error_surface(model, ["a", "b"])


def test_something_that_is_no_model_is_refused():
    with pytest.raises(TypeError, match="must have"):
        lt.error_surface(lt.Spectrum(np.ones((2, 2))), [0.0, 1.0])
