"""Pictures of surfaces: what is drawn where, and clear errors."""

import matplotlib as mpl
import numpy as np
import pytest

import lift_theory as lt

mpl.use("agg")
import matplotlib.pyplot as plt


@pytest.fixture(scope="module")
def model():
    return lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.AveragePyramid())


@pytest.fixture(scope="module")
def surface(model):
    return lt.error_surface(model, logsnr=[np.linspace(-5, 5, 11), np.linspace(-4, 6, 9)])


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_finest_scale_runs_to_the_right_and_coarse_upwards(model, surface):
    path = lt.Path([[-5.0, -4.0], [-5.0, 6.0], [5.0, 6.0]])
    axes = lt.plot_surface(surface, "mmse", {"L": path}, ratio=2.0)
    assert axes.get_xlabel() == "log-SNR of fine scale (nats)"
    assert axes.get_ylabel() == "log-SNR of coarse scale (nats)"
    lines = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
    np.testing.assert_array_equal(lines["L (2 steps)"], path.logsnr)
    line = lines["equal information (+1.39 nats)"]
    np.testing.assert_allclose(line[:, 1] - line[:, 0], 2 * np.log(2))
    low, high = axes.get_xlim()
    assert low < -5.0 < 5.0 < high, "paths along the edge are inside the frame"


def test_shades_are_the_values_in_the_right_orientation(surface):
    axes = lt.plot_surface(surface, "mmse", scale="fine")
    drawn = np.asarray(axes.collections[0].get_array()).reshape(9, 11)
    np.testing.assert_allclose(drawn, surface.mmse.sel(scale="fine").values.T)


def test_contours_carry_labels(surface):
    axes = lt.plot_surface(surface, "step_cost")
    assert len(axes.texts) > 3
    assert all(float(text.get_text()) > 0 for text in axes.texts)


def test_quantities_of_pairs_need_both_scales(surface):
    assert lt.plot_surface(surface, "coupling", scale="fine", scale_other="coarse").get_title()
    with pytest.raises(ValueError, match="choose scale and scale_other"):
        lt.plot_surface(surface, "coupling")


def test_a_constant_quantity_can_be_drawn(surface):
    lt.plot_surface(surface, "coupling", scale="fine", scale_other="fine").figure.canvas.draw()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"quantity": "energy"}, ValueError, "quantity must be one of"),
        ({"quantity": "mmse", "scale": "low"}, ValueError, "scale must be one of"),
        ({"quantity": "mutual_information", "scale": "fine"}, ValueError, "leave scale out"),
        ({"paths": {"p": np.zeros((2, 2))}}, TypeError, r"lift_theory\.Path"),
        ({"paths": {"p": lt.Path([[0.0], [1.0]])}}, ValueError, "has 1 scales"),
        ({"ratio": -1.0}, ValueError, "ratio must be positive"),
    ],
)
def test_bad_arguments_are_refused_with_reasons(surface, arguments, error, words):
    with pytest.raises(error, match=words):
        lt.plot_surface(surface, **arguments)


def test_other_things_than_two_scale_surfaces_are_refused():
    with pytest.raises(TypeError, match="from error_surface"):
        lt.plot_surface(np.zeros((3, 3)))
    single = lt.error_surface(lt.GaussianModel(lt.Spectrum(np.ones((2, 2))), lt.SingleScale()), [0.0, 1.0])
    with pytest.raises(ValueError, match="two scales"):
        lt.plot_surface(single)
