"""Samplers on images against exact laws: with an exact denoiser every sampler is a linear map of its noise."""

import numpy as np
import pytest
import torch
from sampling.plain import Plain

import lift_theory as lt
from lift_train import FunctionDenoiser, LinearDenoiser, Scales, sample, sampling

SIZE = 4
LAW = lt.Spectrum.power_law((SIZE, SIZE))
POINTS = np.array([[-4.0, -5.0], [-2.0, -5.0], [-1.5, 0.0], [1.0, 1.5], [3.0, 4.0]])
"""The first step moves one scale only, and no two steps are alike."""
NAMES = {"ddim": "DDIM", "ancestral": "Ancestral", "heun": "Heun", "dpmpp2m": "DPMSolverPP2M"}
SINGLE_PRECISION = 1e-5  # relative to the largest entry; states and predictions in float32


def exact(representation):
    return LinearDenoiser(Scales(representation, (1, SIZE, SIZE)), LAW.variances)


class Units:
    """Noise of which every number is one in one image and zero in all others, call after call."""

    def __init__(self, scales, seed, numbers, device):
        self.scales, self.count, self.drawn = scales, len(numbers), 0
        self.sizes = [int(np.prod(grid)) for grid in scales.grids]

    def noise(self):
        unit = torch.zeros(self.count, sum(self.sizes))
        first = self.drawn * sum(self.sizes)
        unit[first : first + sum(self.sizes)] = torch.eye(sum(self.sizes))[: self.count - first]
        self.drawn += 1
        parts = unit.split(self.sizes, dim=1)
        return self.scales.project(
            [part.reshape(-1, *grid) for part, grid in zip(parts, self.scales.grids, strict=True)]
        )


@pytest.mark.parametrize("clean", [False, True], ids=["noisy end", "clean end"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "representation", [lt.AveragePyramid(), lt.ResidualPyramid(upsampling="bilinear")], ids=repr
)
def test_covariances_are_those_of_the_sampler_written_as_matrices(monkeypatch, representation, name, clean):
    path = lt.Path(POINTS, representation.scales)
    path = path.to_clean_data() if clean else path
    denoiser = exact(representation)
    coefficients = sum(denoiser.scales.sizes)
    monkeypatch.setattr(sampling, "_Streams", Units)
    count = coefficients * (path.steps + 1 if name == "ancestral" else 1)
    samples = sample(denoiser, path, count, name, batch=count)
    response = np.concatenate([values.reshape(count, -1) for values in samples.scales], axis=1)
    plain = Plain.of(lt.GaussianModel(LAW, representation))
    wanted = plain.sampled(NAMES[name], path.sigmas, "standard")
    np.testing.assert_allclose(response.T @ response, wanted, atol=SINGLE_PRECISION * np.abs(wanted).max())


@pytest.mark.parametrize("name", NAMES)
def test_calls_of_the_denoiser_are_counted(name):
    calls = []
    denoiser = exact(lt.AveragePyramid())
    counting = FunctionDenoiser(
        lambda zs, logsnr: calls.append(len(zs[0])) or denoiser(zs, logsnr), denoiser.scales
    )
    still = lt.Path(
        np.concatenate([POINTS[:1], POINTS, np.full((1, 2), np.inf)])
    )  # first a step of no length
    assert sample(counting, still, 5, name, batch=2).calls * 3 == len(calls)
    assert len(calls) == 3 * (9 if name == "heun" else 5)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_depends_on_its_seed_alone(name):
    denoiser, path = exact(lt.HaarBands()), lt.Path(POINTS, ("high", "low"))
    together = sample(denoiser, path, 5, name, seed=3, batch=5)
    split = sample(denoiser, path, 5, name, seed=3, batch=2)
    later = sample(denoiser, path, 2, name, seed=3, first=3)
    other = sample(denoiser, path, 5, name, seed=4)
    np.testing.assert_allclose(split.images, together.images, atol=1e-4)
    np.testing.assert_allclose(later.images, together.images[3:], atol=1e-4)
    everything = np.concatenate([together.images, other.images])
    for i, image in enumerate(everything):  # no two images of two seeds are the same
        assert all(np.abs(image - another).max() > 0.01 for another in everything[i + 1 :])


def test_given_coarse_images_are_kept():
    """Super-resolution: the mean of many samples is the conditional mean given the coarse scale."""
    denoiser, level = exact(lt.AveragePyramid()), 12.0
    scales = denoiser.scales
    one = scales.tensor(LAW.sample(1, seed=5))
    coarse = scales.analyse(one)[1]
    path = lt.Path(np.stack([np.linspace(-8.0, 6.0, 25), np.full(25, level)], axis=1))
    count = 600
    samples = sample(
        denoiser, path, count, "ancestral", given={"coarse": coarse.expand(count, -1, -1, -1)}, batch=600
    )
    np.testing.assert_array_equal(samples.scales[1], coarse.expand(count, -1, -1, -1))
    means = scales.analyse(scales.tensor(samples.images))[1]
    assert float((means - coarse).abs().max()) < 0.2  # fine noise of log-SNR 6 averaged over 2x2, at most 0.1
    blind = torch.zeros(1, 1, SIZE, SIZE)
    wanted = denoiser([blind, coarse], torch.tensor([[-60.0, level]]))[0]
    error = samples.images.std(axis=0) / np.sqrt(count)
    np.testing.assert_array_less(
        np.abs(samples.images.mean(axis=0) - wanted[0, 0].detach().numpy()), 4.5 * error + 0.01
    )
    finished = sample(denoiser, path.to_clean_data(), 4, given={"coarse": coarse.expand(4, -1, -1, -1)})
    ends = scales.analyse(scales.tensor(finished.images))[1]
    assert float((ends - coarse).abs().max()) < 0.05  # without the fine noise
    with pytest.raises(ValueError, match="stand still"):
        sample(denoiser, lt.Path(POINTS), 1, given={"coarse": coarse})
    with pytest.raises(ValueError, match="unknown scale 'rough'"):
        sample(denoiser, path, 1, given={"rough": coarse})
    with pytest.raises(ValueError, match=r"of shape \(2, 1, 2, 2\)"):
        sample(denoiser, path, 2, given={"coarse": coarse})


def test_bad_input_is_told():
    denoiser = exact(lt.AveragePyramid())
    path = lt.Path(POINTS)
    with pytest.raises(ValueError, match="the path has"):
        sample(denoiser, lt.Path(POINTS[:, :1]), 1)
    with pytest.raises(ValueError, match="reorder"):
        sample(denoiser, lt.Path(POINTS, ("coarse", "fine")), 1)
    with pytest.raises(TypeError, match=r"lift_theory\.Path"):
        sample(denoiser, POINTS, 1)
    with pytest.raises(ValueError, match="unknown sampler 'euler'"):
        sample(denoiser, path, 1, "euler")
    with pytest.raises(ValueError, match="n must be"):
        sample(denoiser, path, 0)
    with pytest.raises(TypeError, match="callable"):
        FunctionDenoiser(3, denoiser.scales)
    with pytest.raises(ValueError, match="expected one tensor per scale"):
        sample(FunctionDenoiser(lambda zs, logsnr: zs[:1], denoiser.scales), path, 1)


def test_steps_are_reported():
    seen = []
    sample(
        exact(lt.AveragePyramid()),
        lt.Path(POINTS),
        3,
        batch=3,
        on_step=lambda i, zs: seen.append((i, len(zs))),
    )
    assert seen == [(i, 2) for i in range(4)]


def test_dropout_is_off_while_sampling_and_on_again_afterwards():
    exact_one = exact(lt.SingleScale())

    class Dropping(torch.nn.Module):
        scales = exact_one.scales

        def forward(self, zs, logsnr):
            return [torch.nn.functional.dropout(d, 0.5, self.training) for d in exact_one(zs, logsnr)]

    model = Dropping().train()
    path = lt.Path(POINTS[:, :1])
    np.testing.assert_allclose(sample(model, path, 2).images, sample(exact_one, path, 2).images, atol=1e-5)
    assert model.training


def test_given_bands_come_back_clean():
    """A low band shown with noise of its level must not leave that noise in the image."""
    denoiser = exact(lt.HaarBands())
    scales = denoiser.scales
    image = scales.tensor(LAW.sample(1, seed=5))
    low = scales.analyse(image)[1]
    path = lt.Path(np.stack([np.linspace(-6.0, 6.0, 9), np.full(9, 4.0)], axis=1), ("high", "low"))
    samples = sample(denoiser, path, 3, given={"low": low.expand(3, -1, -1, -1)})
    found = scales.analyse(scales.tensor(samples.images))[1]
    torch.testing.assert_close(found, low.expand(3, -1, -1, -1), atol=1e-5, rtol=0)
