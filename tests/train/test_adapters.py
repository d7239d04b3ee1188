"""Exact Gaussian denoisers, dressed up as networks of other conventions, come back as they were."""

import numpy as np
import pytest
import tolerances as tol
import torch
from sampling.plain import Plain

import lift_theory as lt
from lift_train import measure, sample
from lift_train.adapters import from_diffusers, rectified_flow, variance_exploding, variance_preserving
from lift_train.denoisers import LinearDenoiser
from lift_train.scales import Scales

SHAPE = (1, 4, 4)
SPECTRUM = lt.Spectrum.power_law((4, 4), exponent=2.0, variance=0.3)
COVARIANCE = torch.from_numpy(np.array(SPECTRUM.covariance_matrix()))
ABAR = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), dim=0)
LEVELS = torch.log(ABAR / (1 - ABAR))
EXACT = LinearDenoiser(Scales(lt.SingleScale(), SHAPE), SPECTRUM.variances).requires_grad_(False)
PREDICTIONS = ["epsilon", "v_prediction", "sample"]


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=tol.DENSE, atol=tol.DENSE)


def noisy(logsnr):
    """Images with the noise of their log-SNR, (batch,)."""
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(2, len(logsnr), 16, generator=generator, dtype=torch.float64)
    clean = white[0] @ torch.linalg.cholesky(COVARIANCE).T
    return [(clean + torch.exp(-logsnr / 2)[:, None] * white[1]).reshape(-1, *SHAPE)]


def line_oracle(signal, noise, x, prediction):
    """Conditional means given `x = signal y + noise e`, by normal equations, one image at a time."""
    means = []
    for a, s, image in zip(signal, noise, x.reshape(len(x), -1), strict=True):
        weights = torch.linalg.solve(a**2 * COVARIANCE + s**2 * torch.eye(16, dtype=torch.float64), image)
        clean, error = a * COVARIANCE @ weights, s * weights
        means.append(
            {"epsilon": error, "v_prediction": a * error - s * clean, "sample": clean, "flow": error - clean}[
                prediction
            ]
        )
    return torch.stack(means).reshape(x.shape)


def ddpm(prediction, seen=None):
    """A perfect network in discrete time; between the steps of its table the log-SNR is linear."""

    def network(x, times):
        if seen is not None:
            seen.append(times)
        levels = np.interp(times.numpy(), np.arange(1000), LEVELS.numpy())
        abar = torch.sigmoid(torch.from_numpy(levels))
        return line_oracle(abar.sqrt(), (1 - abar).sqrt(), x, prediction)

    return network


@pytest.mark.parametrize("rounding", ["interpolated", "nearest"])
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_on_the_table_the_posterior_mean_comes_back(prediction, rounding):
    steps, seen = torch.tensor([0, 1, 17, 250, 500, 998, 999]), []
    logsnr = LEVELS[steps]
    denoiser = variance_preserving(ddpm(prediction, seen), ABAR, SHAPE, prediction, rounding=rounding)
    zs = noisy(logsnr)
    same(denoiser(zs, logsnr[:, None])[0], EXACT(zs, logsnr[:, None])[0])
    torch.testing.assert_close(seen[0].double(), steps.double(), rtol=0, atol=1e-9)
    assert seen[0].is_floating_point() == (rounding == "interpolated")


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_between_steps_fractional_times_are_exact(prediction):
    logsnr = torch.tensor([8.123, 3.3, 0.0, -1.234, -9.87], dtype=torch.float64)
    denoiser, zs = variance_preserving(ddpm(prediction), ABAR, SHAPE, prediction), noisy(logsnr)
    same(denoiser(zs, logsnr[:, None])[0], EXACT(zs, logsnr[:, None])[0])


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_whole_times_err_by_the_rounding(prediction):
    """At most half a step off; to first order the error is that half step times the slope in log-SNR."""
    steps = torch.tensor([100.5, 300.3, 700.5], dtype=torch.float64)
    logsnr = torch.from_numpy(np.interp(steps, np.arange(1000), LEVELS))
    zs, seen = noisy(logsnr), []
    rounded = variance_preserving(ddpm(prediction, seen), ABAR, SHAPE, prediction, rounding="nearest")
    found = rounded(zs, logsnr[:, None])[0]
    error = (found - EXACT(zs, logsnr[:, None])[0]).norm()
    coarse = torch.cat([LEVELS[[110]], LEVELS[[310]], LEVELS[[710]]])
    assert not seen[0].is_floating_point()
    assert float((seen[0] - steps).abs().max()) <= 0.5
    assert 0 < error < (EXACT(zs, coarse[:, None])[0] - EXACT(zs, logsnr[:, None])[0]).norm() / 5


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_an_image_is_denoised_the_same_in_any_company(prediction):
    logsnr = torch.tensor([5.0, -5.0, 1.0], dtype=torch.float64)[:, None]
    denoiser, (z,) = variance_preserving(ddpm(prediction), ABAR, SHAPE, prediction), noisy(logsnr[:, 0])
    alone = torch.cat([denoiser([z[i : i + 1]], logsnr[i : i + 1])[0] for i in range(3)])
    same(denoiser([z], logsnr)[0], alone)


def test_times_can_be_differentiated():
    seen = []
    denoiser = variance_preserving(lambda x, t: seen.append(t) or 0 * x, ABAR, SHAPE)
    logsnr = torch.tensor([[0.37]], dtype=torch.float64, requires_grad=True)
    denoiser([torch.ones(1, *SHAPE, dtype=torch.float64)], logsnr)
    (slope,) = torch.autograd.grad(seen[0].sum(), logsnr)
    step = int(seen[0])
    assert float(slope) == pytest.approx(float(-1 / (LEVELS[step] - LEVELS[step + 1])))


def test_single_precision_is_kept():
    denoiser = variance_preserving(lambda x, t: x, ABAR.float(), SHAPE)
    assert denoiser([torch.ones(1, *SHAPE)], torch.zeros(1, 1))[0].dtype == torch.float32


@pytest.mark.parametrize("value", [11.0, -13.0, torch.inf, torch.nan])
def test_outside_the_table_is_an_error(value):
    denoiser = variance_preserving(ddpm("epsilon"), ABAR, SHAPE)
    with pytest.raises(ValueError, match=r"the table reaches log-SNRs from -10\.1\d+ to 9\.21\d+; got"):
        denoiser([torch.zeros(1, *SHAPE)], torch.tensor([[value]]))


def test_rounding_at_the_ends_of_the_table_is_forgiven():
    seen = []
    ends = torch.tensor([LEVELS[0] + 1e-3, LEVELS[-1] - 1e-3], dtype=torch.float64)
    variance_preserving(ddpm("epsilon", seen), ABAR, SHAPE)(noisy(ends), ends[:, None])
    torch.testing.assert_close(seen[0], torch.tensor([0.0, 999.0], dtype=torch.float64))


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_clamped_the_end_of_the_table_is_announced(prediction):
    seen, logsnr = [], torch.tensor([30.0, -30.0], dtype=torch.float64)
    denoiser = variance_preserving(ddpm(prediction, seen), ABAR, SHAPE, prediction, outside="clamp")
    found = denoiser(noisy(logsnr), logsnr[:, None])[0]
    torch.testing.assert_close(seen[0], torch.tensor([0.0, 999.0], dtype=torch.float64))
    assert bool(torch.isfinite(found).all())


@pytest.mark.parametrize("prediction", PREDICTIONS[:2])
def test_clamped_a_clean_image_comes_back(prediction):
    denoiser = variance_preserving(ddpm(prediction), ABAR, SHAPE, prediction, outside="clamp")
    z = noisy(torch.zeros(2, dtype=torch.float64))
    same(denoiser(z, torch.full((2, 1), torch.inf, dtype=torch.float64))[0], z[0])


def test_networks_in_sigma_come_back():
    logsnr = torch.tensor([12.0, 0.0, -7.0], dtype=torch.float64)
    zs = noisy(logsnr)
    denoiser = variance_exploding(lambda x, s: line_oracle(torch.ones_like(s), s, x, "sample"), SHAPE)
    same(denoiser(zs, logsnr[:, None])[0], EXACT(zs, logsnr[:, None])[0])


def test_velocities_of_straight_lines_come_back():
    logsnr = torch.tensor([12.0, 0.0, -7.0], dtype=torch.float64)
    zs = noisy(logsnr)
    denoiser = rectified_flow(lambda x, t: line_oracle(1 - t, t, x, "flow"), SHAPE)
    same(denoiser(zs, logsnr[:, None])[0], EXACT(zs, logsnr[:, None])[0])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (ABAR.flip(0), "decrease strictly"),
        (ABAR[:1], "at least two"),
        (ABAR[None], "at least two"),
        (torch.tensor([0.5, 0.0]), "exactly 0 or 1"),
        (torch.tensor([0.5, torch.nan]), "inside"),
    ],
)
def test_tables_of_another_form_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        variance_preserving(ddpm("epsilon"), table, SHAPE)


@pytest.mark.parametrize("option", ["prediction", "rounding", "outside"])
def test_unknown_options_are_refused(option):
    with pytest.raises(ValueError, match=f"{option} must be one of"):
        variance_preserving(ddpm("epsilon"), ABAR, SHAPE, **{option: "other"})


def test_what_is_no_network_is_refused():
    for make in (variance_exploding, rectified_flow):
        with pytest.raises(TypeError, match="expected a callable"):
            make(3, SHAPE)
    with pytest.raises(TypeError, match="expected a callable"):
        variance_preserving(None, ABAR, SHAPE)
    wrong = variance_preserving(lambda x, t: x[:, :, :2], ABAR, SHAPE)
    with pytest.raises(ValueError, match="must return images"):
        wrong([torch.zeros(1, *SHAPE)], torch.zeros(1, 1))


@pytest.fixture(scope="module")
def diffusers():
    reason = "needs the schedulers extra: pip install lift-theory[schedulers]"
    return pytest.importorskip("diffusers", reason=reason)


def random_unet(diffusers, **options):
    torch.manual_seed(0)
    chosen = {
        "sample_size": 8,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        "norm_num_groups": 4,
    }
    return diffusers.UNet2DModel(**{**chosen, **options}).eval().requires_grad_(False)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_diffusers_network_predicts_what_its_scheduler_says(diffusers, prediction):
    unet = random_unet(diffusers)
    scheduler = diffusers.DDPMScheduler(prediction_type=prediction, clip_sample=False)
    denoiser = from_diffusers(unet, scheduler)
    assert denoiser.scales.shape == (1, 8, 8)
    steps, x = [3, 500, 980], torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    abar = scheduler.alphas_cumprod.double()[steps]
    z = x / abar.sqrt().float()[:, None, None, None]
    found = denoiser([z], torch.logit(abar)[:, None])[0]
    for i, step in enumerate(steps):
        raw = unet(x[i : i + 1], step).sample
        expected = scheduler.step(raw, step, x[i : i + 1]).pred_original_sample
        scale = float(expected.abs().max())
        torch.testing.assert_close(found[i : i + 1], expected, rtol=1e-4, atol=1e-4 * scale)


def test_predicted_variances_are_dropped_and_other_sizes_taken(diffusers):
    scheduler = diffusers.DDPMScheduler()
    denoiser = from_diffusers(random_unet(diffusers, out_channels=2), scheduler, shape=(1, 8, 16))
    z = torch.randn(2, 1, 8, 16)
    assert denoiser([z], torch.zeros(2, 1))[0].shape == z.shape


def test_schedulers_without_table_and_conditional_networks_are_refused(diffusers):
    with pytest.raises(TypeError, match="FlowMatchEulerDiscreteScheduler has none"):
        from_diffusers(random_unet(diffusers), diffusers.FlowMatchEulerDiscreteScheduler())
    with pytest.raises(TypeError, match="num_class_embeds"):
        from_diffusers(random_unet(diffusers, num_class_embeds=3), diffusers.DDPMScheduler())
    with pytest.raises(ValueError, match="pass shape"):
        from_diffusers(random_unet(diffusers, sample_size=None), diffusers.DDPMScheduler())


def test_a_network_in_time_gets_the_best_schedule_from_one_pass_of_its_losses():
    network = ddpm("epsilon")
    denoiser = variance_preserving(lambda x, t: network(x.double(), t).to(x), ABAR, SHAPE)
    axis = np.linspace(float(LEVELS[-1]) + 0.1, float(LEVELS[0]) - 0.1, 25)
    surface = measure.error_surface(denoiser, SPECTRUM.sample(200, seed=3), axis)
    found = lt.optimal_path(lt.MeasuredModel(surface), 8, axis[0], axis[-1])
    model = lt.GaussianModel(SPECTRUM, lt.SingleScale())
    optimum = lt.optimal_path(model, 8, axis[0], axis[-1]).cost
    assert optimum <= lt.path_kl(model, found.path) < 1.01 * optimum
    uniform = lt.path_kl(model, lt.diagonal_path(model, 8, axis[0], axis[-1], spacing="logsnr"))
    assert uniform > 1.03 * optimum  # there was something to find
    times = found.path.timesteps(ABAR)[:, 0]
    assert (np.diff(times) < 0).all()
    images = sample(denoiser, found.path, 400, "ancestral").images
    law = Plain.of(model).sampled("Ancestral", found.path.sigmas, "standard")
    assert images.var() == pytest.approx(np.trace(law) / 16, rel=0.1)  # a third of the truth in eight steps


def test_a_diffusers_network_is_measured_and_sampled_from(diffusers):
    denoiser = from_diffusers(random_unet(diffusers), diffusers.DDPMScheduler())
    surface = measure.error_surface(
        denoiser, np.random.default_rng(0).uniform(-1, 1, (8, 8, 8)), np.linspace(-9, 9, 7)
    )
    found = lt.optimal_path(lt.MeasuredModel(surface), 5, -9.0, 9.0)
    assert np.isfinite(sample(denoiser, found.path, 2).images).all()
