"""Measured errors and costs of an exact denoiser are those of the closed form, within their standard errors."""

import numpy as np
import pytest
import torch
from tolerances import MONTE_CARLO_SIGMAS

import lift_theory as lt
from lift_train import FunctionDenoiser, LinearDenoiser, NetworkDenoiser, Scales, measure
from lift_train.measure.statistics import mean_and_error, source_numbers

torch.set_num_threads(1)
SPECTRUM = lt.Spectrum.power_law((8, 8))
AXIS = np.linspace(-4.0, 6.0, 6)
SINGLE_PRECISION = 1e-5  # relative; sums of squares of float32 predictions


def exact(representation) -> LinearDenoiser:
    return LinearDenoiser(Scales(representation, (1, 8, 8)), SPECTRUM.variances)


def close(found, wanted, error, sigmas=MONTE_CARLO_SIGMAS):
    np.testing.assert_array_less(np.abs(np.asarray(found) - np.asarray(wanted)), sigmas * np.asarray(error))


@pytest.mark.parametrize("representation", [lt.AveragePyramid(), lt.HaarBands(), lt.SingleScale()], ids=repr)
def test_errors_are_those_of_the_closed_form(representation):
    surface = measure.error_surface(exact(representation), SPECTRUM.sample(300, seed=1), AXIS)
    model = lt.GaussianModel(SPECTRUM, representation)
    wanted = lt.error_surface(model, AXIS)
    close(surface.mmse, wanted.mmse, surface.mmse_standard_error)
    assert set(surface.mmse.dims) == set(wanted.mmse.dims)
    assert surface["size"].values.tolist() == wanted["size"].values.tolist()


def test_standard_errors_are_calibrated():
    denoiser, wanted = exact(lt.AveragePyramid()), None
    model = lt.GaussianModel(SPECTRUM, lt.AveragePyramid())
    wanted = np.asarray(model.mmse(np.array([1.0, 0.0])))
    scores = []
    for seed in range(60):
        images = SPECTRUM.sample(40, seed=seed)
        found = measure.error_surface(denoiser, images, [[1.0], [0.0]], seed=seed).squeeze()
        scores.append((found.mmse.values - wanted) / found.mmse_standard_error.values)
    assert np.abs(np.mean(scores, axis=0)).max() < 4 / np.sqrt(60)
    assert 0.75 < np.std(scores) < 1.3


def alike(sources, each, seed):
    """Images of which those from one source share most of their signal, and their sources."""
    shared, own = SPECTRUM.sample(sources, seed=seed), SPECTRUM.sample(sources * each, seed=1000 + seed)
    names = np.repeat([f"photograph {i}" for i in range(sources)], each)
    return np.sqrt(0.9) * shared.repeat(each, axis=0) + np.sqrt(0.1) * own, names


def test_standard_errors_over_sources_are_calibrated():
    """Images of one source are alike; taken as independent they make standard errors far too small."""
    denoiser = exact(lt.SingleScale())
    wanted = np.asarray(lt.GaussianModel(SPECTRUM, lt.SingleScale()).mmse(np.array([-2.0])))[0]
    scores, naive = [], []
    for seed in range(80):
        images, sources = alike(40, 4, seed)
        found = measure.error_surface(denoiser, images, [-2.0], seed=seed, groups=sources, batch=125)
        scores.append(float(found.mmse[0, 0] - wanted) / float(found.mmse_standard_error[0, 0]))
        plain = measure.error_surface(denoiser, images, [-2.0], seed=seed, batch=160)
        naive.append(float(plain.mmse[0, 0] - wanted) / float(plain.mmse_standard_error[0, 0]))
    assert abs(np.mean(scores)) < 4 / np.sqrt(80)
    assert 0.75 < np.std(scores) < 1.3
    assert np.std(naive) > 1.4


def test_an_error_over_sources_of_one_size_is_that_of_their_means():
    values = np.random.default_rng(0).normal(size=(3, 12, 2)).cumsum(axis=1)
    groups = source_numbers(np.tile(["c", "a", "b"], 4), 12)
    mean, error = mean_and_error(values, groups)
    means = values.reshape(3, 4, 3, 2).mean(axis=1)
    np.testing.assert_allclose(mean, values.mean(axis=1))
    np.testing.assert_allclose(error, means.std(axis=1, ddof=1) / np.sqrt(3))
    alone = mean_and_error(values, source_numbers(range(12), 12))[1]
    np.testing.assert_allclose(alone, mean_and_error(values)[1])


MEASUREMENTS = {
    "error_surface": lambda d, x, g: measure.error_surface(d, x, [0.0], groups=g).mmse_standard_error,
    "ays_bound": lambda d, x, g: measure.ays_bound(d, x, TWO_STEPS, groups=g).standard_error,
    "ays_bound's steps": lambda d, x, g: measure.ays_bound(d, x, TWO_STEPS, groups=g).steps_standard_error,
    "path_cost": lambda d, x, g: measure.path_cost(d, x, TWO_STEPS, groups=g).standard_error,
    "path_cost's steps": lambda d, x, g: measure.path_cost(d, x, TWO_STEPS, groups=g).steps_standard_error,
    "jacobian_norms": lambda d, x, g: (
        measure.jacobian_norms(d, x, [0.0], groups=g).jacobian_norms_standard_error
    ),
    "coupling": lambda d, x, g: measure.jacobian_norms(d, x, [0.0], groups=g).coupling_standard_error[
        ..., 0, 1
    ],
    "lift_error_map": lambda d, x, g: (
        measure.lift_error_map(d, x, [[0.0]] * 2, groups=g).error_standard_error
    ),
    "flow_sensitivity": lambda d, x, g: (
        measure.flow_sensitivity(d, x, [0.0], groups=g).flow_sensitivity_standard_error
    ),
    "explained_variance": lambda d, x, g: (
        measure.explained_variance(d, x, [0.0], HALF, groups=g).explained_variance_standard_error
    ),
    "curl": lambda d, x, g: (
        measure.curl(measure.error_surface(d, x, AXIS[:4], groups=g, per_image=True)).curl_standard_error
    ),
}
TWO_STEPS = lt.Path([[-3.0, -3.0], [0.0, 1.0], [3.0, 3.0]])
HALF = LinearDenoiser(Scales(lt.HaarBands(), (1, 8, 8)), SPECTRUM.variances / 2)


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_every_measurement_knows_sources(name):
    """Sources of one image change nothing; pairs of images do."""
    denoiser, images = exact(lt.HaarBands()), SPECTRUM.sample(6, seed=9)
    found = [np.asarray(MEASUREMENTS[name](denoiser, images, g)) for g in (None, range(6), list("aabbcc"))]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-15)
    assert (found[2] > 0).any()
    assert np.abs(found[2] / found[0] - 1).max() > 1e-3


def test_bad_sources_are_refused():
    denoiser, images = exact(lt.HaarBands()), SPECTRUM.sample(4)
    for groups, message in ((["a", "b"], "each of the 4 images"), (["a"] * 4, "all images come from")):
        with pytest.raises(ValueError, match=message):
            measure.error_surface(denoiser, images, [0.0], groups=groups)
    with pytest.raises(TypeError, match="names the source of every image"):
        measure.error_surface(denoiser, images, [0.0], groups="abcd")


def test_a_measured_surface_makes_a_model_with_the_costs_of_the_law():
    """Noise shared by all noise levels makes costs far more certain than the errors they are made of."""
    model = lt.GaussianModel(SPECTRUM, lt.AveragePyramid())
    surface = measure.error_surface(
        exact(lt.AveragePyramid()), SPECTRUM.sample(200, seed=2), np.linspace(-5.0, 5.0, 9), draws=2
    )
    measured = lt.MeasuredModel(surface)
    path = lt.diagonal_path(model, 8, -5.0, 5.0, spacing="logsnr")
    assert lt.path_kl(measured, path) == pytest.approx(lt.path_kl(model, path), rel=0.03)


@pytest.mark.parametrize("representation", [lt.AveragePyramid(), lt.HaarBands()], ids=repr)
def test_the_bound_of_align_your_steps_is_the_path_cost(representation):
    model = lt.GaussianModel(SPECTRUM, representation)
    path = lt.Path([[-4.0, -4.0], [-1.0, 0.5], [2.0, 2.0], [2.0, 4.0]], model.scales)
    bound = measure.ays_bound(exact(representation), SPECTRUM.sample(100, seed=3), path)
    close(bound.value, lt.path_kl(model, path), bound.standard_error)
    assert bound.standard_error < 0.08 * bound.value
    snr, time = np.exp(path.logsnr), (np.arange(4000) + 0.5)[:, None, None] / 4000
    within = np.log(snr[:-1] + time * np.diff(snr, axis=0))
    fall = np.asarray(model.mmse(path.logsnr[:-1])) - np.asarray(model.mmse(within)).mean(axis=0)
    shares = 0.5 * np.diff(snr, axis=0) * fall
    close(bound.steps, shares, bound.steps_standard_error + 1e-9)


def test_a_path_cost_splits_into_discretization_and_approximation():
    model = lt.GaussianModel(SPECTRUM, lt.AveragePyramid())
    path, images = lt.diagonal_path(model, 6, -4.0, 4.0), SPECTRUM.sample(400, seed=4)
    perfect = measure.path_cost(exact(lt.AveragePyramid()), images, path, model)
    assert perfect.discretization == pytest.approx(lt.path_kl(model, path))
    close(perfect.approximation, 0.0, perfect.standard_error)
    wrong = LinearDenoiser(Scales(lt.AveragePyramid(), (1, 8, 8)), np.full((8, 8), SPECTRUM.variances.mean()))
    worse = measure.path_cost(wrong, images, path, model)
    assert worse.approximation > 10 * worse.standard_error
    plain = measure.path_cost(wrong, images, path)
    assert plain.cost is None
    assert plain.riemann_sum == worse.riemann_sum


def test_batches_change_nothing():
    denoiser, images = exact(lt.HaarBands()), SPECTRUM.sample(20, seed=5)
    path = lt.Path([[-3.0, -3.0], [0.0, 1.0], [3.0, 3.0]])
    first, second = (measure.error_surface(denoiser, images, AXIS, batch=b) for b in (3, 64))
    np.testing.assert_allclose(first.mmse, second.mmse, rtol=SINGLE_PRECISION)
    first, second = (measure.ays_bound(denoiser, images, path, batch=b).steps for b in (3, 64))
    np.testing.assert_allclose(first, second, rtol=SINGLE_PRECISION, atol=1e-9)


def test_the_same_noise_at_every_level_makes_differences_certain():
    denoiser, images = exact(lt.SingleScale()), SPECTRUM.sample(100, seed=6)
    surface = measure.error_surface(denoiser, images, [0.0, 0.1], per_image=True)
    change = np.diff(surface.squared_error.values[..., 0], axis=0)
    error = change.std(ddof=1) / np.sqrt(100)
    assert error < 0.2 * float(surface.mmse_standard_error.max())


class KilledError(Exception):
    """A killed process."""


def interrupting(denoiser, calls):
    """A denoiser that works for a number of calls only, and otherwise is the same."""

    class Mortal(LinearDenoiser):
        left = calls

        def forward(self, zs, logsnr):
            self.left -= 1
            if self.left < 0:
                raise KilledError
            return super().forward(zs, logsnr)

    Mortal.__name__ = type(denoiser).__name__
    return Mortal(denoiser.scales, SPECTRUM.variances)


def test_an_interrupted_measurement_goes_on_to_the_same_result(tmp_path):
    denoiser, images = exact(lt.AveragePyramid()), SPECTRUM.sample(10, seed=7)
    whole = measure.error_surface(denoiser, images, AXIS, batch=4)
    with pytest.raises(KilledError):
        measure.error_surface(interrupting(denoiser, 50), images, AXIS, batch=4, folder=tmp_path / "s")
    assert 0 < len(list((tmp_path / "s").glob("*.npy"))) < 36
    rest = interrupting(denoiser, 36 * 3 - 48)
    resumed = measure.error_surface(rest, images, AXIS, batch=4, folder=tmp_path / "s")
    np.testing.assert_array_equal(resumed.mmse, whole.mmse)
    (tmp_path / "s" / "000003.npy").write_bytes(b"torn")
    again = measure.error_surface(denoiser, images, AXIS, batch=4, folder=tmp_path / "s")
    np.testing.assert_array_equal(again.mmse, whole.mmse)
    with pytest.raises(ValueError, match="another measurement, which differs in seed"):
        measure.error_surface(denoiser, images, AXIS, batch=4, folder=tmp_path / "s", seed=1)


class Pointwise(torch.nn.Module):
    """A network of one number."""

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, inputs, logsnr):
        return [self.gain * z for z in inputs]


def networks(**changes):
    given = {"std": [0.5], "parametrisation": "v"} | changes
    return NetworkDenoiser(Pointwise(), Scales(lt.SingleScale(), (1, 8, 8)), **given)


@pytest.mark.parametrize("change", [{"std": [0.6]}, {"parametrisation": "eps"}], ids=str)
def test_a_folder_tells_denoisers_of_equal_weights_apart(change, tmp_path):
    images = SPECTRUM.sample(4, seed=8)
    first = measure.error_surface(networks(), images, [0.0], folder=tmp_path / "s")
    again = measure.error_surface(networks(), images, [0.0], folder=tmp_path / "s")
    np.testing.assert_array_equal(again.mmse, first.mmse)
    with pytest.raises(ValueError, match="differs in denoiser"):
        measure.error_surface(networks(**change), images, [0.0], folder=tmp_path / "s")


def test_a_folder_needs_to_know_functions_by_name(tmp_path):
    scales, images = Scales(lt.SingleScale(), (1, 8, 8)), SPECTRUM.sample(4, seed=8)
    nameless = FunctionDenoiser(lambda zs, logsnr: zs, scales)
    with pytest.raises(ValueError, match="attribute identity"):
        measure.error_surface(nameless, images, [0.0], folder=tmp_path / "s")
    with pytest.raises(ValueError, match="attribute identity"):
        measure.explained_variance(networks(), images, [0.0], nameless, folder=tmp_path / "e")
    same, zero = (
        FunctionDenoiser(lambda zs, logsnr, by=by: [by * z for z in zs], scales, identity=f"times {by}")
        for by in (1.0, 0.0)
    )
    kept = measure.error_surface(same, images, [0.0], folder=tmp_path / "s")
    np.testing.assert_array_equal(kept.mmse, measure.error_surface(same, images, [0.0]).mmse)
    with pytest.raises(ValueError, match="differs in denoiser"):
        measure.error_surface(zero, images, [0.0], folder=tmp_path / "s")


def test_surfaces_survive_a_file(tmp_path):
    import xarray

    surface = measure.error_surface(exact(lt.HaarBands()), SPECTRUM.sample(5), AXIS, per_image=True)
    surface.to_netcdf(tmp_path / "s.nc")
    xarray.testing.assert_equal(xarray.load_dataset(tmp_path / "s.nc"), surface)


def test_tensors_and_three_channels_are_taken():
    scales = Scales(lt.HaarBands(), (3, 8, 8))
    denoiser = LinearDenoiser(scales, SPECTRUM.variances)
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 3))
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2)
    first = measure.error_surface(denoiser, images, [0.0])
    second = measure.error_surface(denoiser, tensor.float(), [0.0])
    np.testing.assert_array_equal(first.mmse, second.mmse)
    double = measure.error_surface(denoiser, tensor, [0.0])
    assert double.mmse.values == pytest.approx(first.mmse.values, rel=0.5)


def test_bad_arguments_are_refused():
    denoiser, images = exact(lt.HaarBands()), SPECTRUM.sample(4)
    with pytest.raises(ValueError, match="two or more"):
        measure.error_surface(denoiser, images[:1], AXIS)
    with pytest.raises(ValueError, match="must be finite"):
        measure.error_surface(denoiser, np.full((2, 8, 8), np.nan), AXIS)
    with pytest.raises(TypeError, match="attribute scales"):
        measure.error_surface(lambda zs, logsnr: zs, images, AXIS)
    with pytest.raises(ValueError, match="strictly increasing"):
        measure.error_surface(denoiser, images, [1.0, 0.0])
    with pytest.raises(ValueError, match="1 scales"):
        measure.ays_bound(denoiser, images, lt.Path([[0.0], [1.0]]))
    with pytest.raises(ValueError, match="finite end"):
        measure.path_cost(denoiser, images, lt.Path([[0.0, 0.0], [np.inf, np.inf]]))
    with pytest.raises(TypeError, match=r"lift_theory\.Path"):
        measure.path_cost(denoiser, images, [[0.0, 0.0], [1.0, 1.0]])
