"""What `sampling_error` and its objects cannot use is refused in words, by the package itself."""

import traceback
from pathlib import Path as FilePath

import numpy as np
import pytest

import lift_theory as lt

IN_TIME = ["EulerMaruyama", "ExponentialIntegrator", "DDPM", "Euler", "Heun", "RK4"]
HOME = FilePath(lt.__file__).parent
MODEL = lt.GaussianModel(lt.Spectrum.power_law((2, 2)), lt.AveragePyramid())
PATH = lt.Path([[-2.0, -2.0], [2.0, 2.0]])
SINGLE = lt.GaussianModel(lt.Spectrum.power_law((4, 4)), lt.SingleScale())


def refused(call, kind, *words):
    with pytest.raises(kind) as caught:
        call()
    innermost = traceback.extract_tb(caught.value.__traceback__)[-1].filename
    assert HOME in FilePath(innermost).parents, f"{innermost} complains, not the package: {caught.value}"
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"{missing} not in: {caught.value}"


@pytest.mark.parametrize("sampler", ["ddim", 3, object()], ids=["word", "number", "object"])
def test_a_sampler_has_to_be_one(sampler):
    refused(lambda: lt.sampling_error(MODEL, PATH, sampler), TypeError, "sampler", repr(sampler))


@pytest.mark.parametrize(
    "name",
    ["DDIM", "Ancestral", "DPMSolverPP2M", *IN_TIME],
)
def test_a_sampler_is_an_object_not_its_class(name):
    refused(lambda: lt.sampling_error(MODEL, PATH, getattr(lt, name)), TypeError, "sampler", name)


def test_a_diffusion_is_no_sampler():
    refused(lambda: lt.sampling_error(MODEL, PATH, lt.VPLinear()), TypeError, "sampler", "VPLinear")


@pytest.mark.parametrize("argument", ["init", "target", "output"])
@pytest.mark.parametrize("word", ["Exact", "", "prior", None, 1, ["exact"]], ids=repr)
def test_words_have_to_be_known(argument, word):
    refused(
        lambda: lt.sampling_error(MODEL, PATH, **{argument: word}),
        (TypeError, ValueError),
        argument,
        repr(word),
    )


def test_a_path_has_to_fit_the_model():
    refused(lambda: lt.sampling_error(MODEL, [[-2.0, -2.0], [2.0, 2.0]]), TypeError, "path", "list")
    refused(lambda: lt.sampling_error(MODEL, None), TypeError, "path", "NoneType")
    refused(lambda: lt.sampling_error(SINGLE, PATH), ValueError, "2 scales", "fine")


@pytest.mark.parametrize(
    "model",
    [None, "model", lt.GaussianModel, lt.Spectrum.power_law((4, 4))],
    ids=["None", "word", "class", "law"],
)
def test_a_model_has_to_be_gaussian(model):
    refused(lambda: lt.sampling_error(model, PATH), TypeError, "model")


def test_a_decoupled_model_has_no_exact_denoiser():
    """Its mmse is known, but what its denoiser does to the other scales' law is another question."""
    refused(lambda: lt.sampling_error(lt.decoupled(MODEL), PATH), TypeError, "model", "DecoupledModel")


@pytest.mark.parametrize("name", IN_TIME)
def test_samplers_in_time_need_a_diffusion(name):
    for diffusion in ("linear", 10.0, lt.VPLinear, [0.05, 10.0]):
        refused(lambda diffusion=diffusion: getattr(lt, name)(diffusion), TypeError, "VPLinear")


@pytest.mark.parametrize(
    "rates",
    [(-1.0, 10.0), (0.05, 0.0), (np.nan, 10.0), (0.05, np.inf), (0.0, 0.0), (0.05, -3.0)],
    ids=str,
)
def test_rates_of_a_diffusion_are_positive(rates):
    refused(lambda: lt.VPLinear(beta_start=rates[0], beta_end=rates[1]), ValueError, "beta_")


@pytest.mark.parametrize("rate", ["1", None, [1.0, 2.0], 1j, True], ids=repr)
def test_rates_of_a_diffusion_are_numbers(rate):
    refused(lambda: lt.VPLinear(beta_start=rate), (TypeError, ValueError), "beta_start")


@pytest.mark.parametrize("points", [1, 0, -3, 2.5, "9", None, True], ids=repr)
def test_a_grid_of_times_has_two_points(points):
    refused(lambda: lt.VPLinear().uniform_path(points=points, end=0.0), (TypeError, ValueError), "points")


@pytest.mark.parametrize("end", [-0.1, 1.0, 1.5, np.nan, np.inf, "0", None], ids=repr)
def test_a_grid_of_times_ends_inside(end):
    refused(lambda: lt.VPLinear().uniform_path(points=9, end=end), (TypeError, ValueError), "end")


def test_steps_of_ddpm_end_before_all_signal_is_gone():
    """`1 - 2 h beta` is a variance."""
    vp = lt.VPLinear(beta_start=0.05, beta_end=10.0)
    path = vp.uniform_path(points=10, end=0.0)
    refused(lambda: lt.sampling_error(SINGLE, path, lt.DDPM(vp)), ValueError, "DDPM", "steps")


@pytest.mark.parametrize("name", IN_TIME)
def test_a_diffusion_has_an_end(name):
    """More noise than at time one is not on the way."""
    vp = lt.VPLinear(beta_start=0.05, beta_end=1.0)
    path = lt.Path(np.linspace(-30.0, 0.0, 9)[:, None])
    refused(lambda: lt.sampling_error(SINGLE, path, getattr(lt, name)(vp)), ValueError, "log-SNR")


@pytest.mark.parametrize("name", ["Heun", "RK4"])
def test_a_score_at_clean_data_needs_a_density(name):
    vp = lt.VPLinear()
    clean = vp.uniform_path(points=5, end=0.0).logsnr
    sampler = getattr(lt, name)(vp)
    refused(
        lambda: lt.sampling_error(MODEL, lt.Path(np.repeat(clean, 2, axis=1)), sampler), ValueError, "score"
    )
    holes = lt.Spectrum(np.array([[1.0, 0.0], [1.0, 1.0]]))
    refused(
        lambda: lt.sampling_error(lt.GaussianModel(holes, lt.SingleScale()), lt.Path(clean), sampler),
        ValueError,
        "score",
    )


@pytest.mark.parametrize("argument", ["metric", "init", "target", "output", "sampler"])
def test_an_objective_refuses_what_its_sampler_would(argument):
    refused(lambda: lt.OutputError(**{argument: "wrong"}), (TypeError, ValueError), argument, "wrong"[:3])
