"""Exported paths drive ready-made schedulers: same outputs as the few lines of the recursion they stand for."""

from itertools import pairwise

import numpy as np
import pytest

import lift_theory as lt

SINGLE = 2e-4
"""Schedulers keep their tables and some states in single precision; a few dozen steps multiply its rounding."""

START, STOP = -8.0, 8.0
SPECTRUM = lt.Spectrum.power_law((4, 4), exponent=2.0, variance=0.25)
COVARIANCE = SPECTRUM.covariance_matrix()


@pytest.fixture(scope="module")
def diffusers():
    reason = "needs the schedulers extra: pip install lift-theory[schedulers]"
    pytest.importorskip("torch", reason=reason)
    return pytest.importorskip("diffusers", reason=reason)


def _denoise(z, sigma):
    """The exact posterior mean of one scale, (batch, d) -> (batch, d), in noise-to-data units."""
    return z @ np.linalg.solve(COVARIANCE + sigma**2 * np.eye(len(COVARIANCE)), COVARIANCE)


def _network(alphas_cumprod):
    """The exact denoiser as schedulers see one: scaled input and a timestep that may be fractional."""
    import torch

    sigmas = np.sqrt((1 - alphas_cumprod) / alphas_cumprod)

    def epsilon(scaled, timestep):
        sigma = np.exp(np.interp(float(timestep), np.arange(len(sigmas)), np.log(sigmas)))
        z = scaled.double().numpy() * np.sqrt(1 + sigma**2)
        return torch.tensor((z - _denoise(z, sigma)) / sigma)

    return epsilon


def _euler(z, sigmas):
    """Deterministic steps `z <- D + (sigma' / sigma) (z - D)`: DDIM, and Euler's method in sigma."""
    for here, there in pairwise(sigmas):
        clean = _denoise(z, here)
        z = clean + (there / here) * (z - clean)
    return z


def _table(scheduler):
    return scheduler.alphas_cumprod.double().numpy()


def _noise(sigma, batch=3):
    return sigma * np.random.default_rng(0).standard_normal((batch, len(COVARIANCE)))


def _one_scale_path(steps):
    return lt.diagonal_path(lt.GaussianModel(SPECTRUM, lt.SingleScale()), steps, START, STOP)


@pytest.mark.parametrize("steps", [1, 2, 12])
@pytest.mark.parametrize("clean", [False, True])
def test_sigmas_drive_euler(diffusers, steps, clean):
    """`sigmas=` takes all points of a path: n + 1 sigmas are n calls, the last sigma is where the sampler stops."""
    import torch

    scheduler = diffusers.EulerDiscreteScheduler(beta_start=1e-6, beta_end=0.02)
    path = _one_scale_path(steps)
    path = path.to_clean_data() if clean else path
    scheduler.set_timesteps(sigmas=path.sigmas[:, 0])
    assert len(scheduler.timesteps) == path.steps == steps + clean
    assert (scheduler.sigmas[-1] == 0) == clean
    network = _network(_table(scheduler))
    z = torch.tensor(_noise(path.sigmas[0, 0]))
    for timestep in scheduler.timesteps:
        z = scheduler.step(
            network(scheduler.scale_model_input(z, timestep), timestep), timestep, z
        ).prev_sample
    expected = _euler(_noise(path.sigmas[0, 0]), path.sigmas[:, 0])
    np.testing.assert_allclose(z.numpy(), expected, atol=SINGLE * np.abs(expected).max())


@pytest.mark.parametrize("steps", [1, 2, 12])
def test_timesteps_drive_a_first_order_solver_to_clean_data(diffusers, steps):
    """`timesteps=` takes one timestep per call; the scheduler appends sigma = 0, as `to_clean_data` does."""
    import torch

    scheduler = diffusers.DPMSolverMultistepScheduler(solver_order=1, beta_start=1e-6, beta_end=0.02)
    table = _table(scheduler)
    path = lt.Path(_one_scale_path(steps + 1).logsnr[:-1]).to_clean_data()
    timesteps = path.timesteps(table)
    assert timesteps.shape == (path.steps, 1)
    scheduler.set_timesteps(timesteps=timesteps[:, 0].astype(int))
    network = _network(table)
    sigmas = np.append(np.sqrt((1 - table) / table)[timesteps[:, 0].astype(int)], 0.0)
    assert len(scheduler.timesteps) == path.steps
    np.testing.assert_allclose(scheduler.sigmas.numpy(), sigmas, rtol=1e-5)
    z = torch.tensor(_noise(sigmas[0]) / np.sqrt(1 + sigmas[0] ** 2))
    for timestep in scheduler.timesteps:
        z = scheduler.step(network(z, timestep), timestep, z).prev_sample
    expected = _euler(_noise(sigmas[0]), sigmas)
    np.testing.assert_allclose(z.numpy(), expected, atol=SINGLE * np.abs(expected).max())


def test_timesteps_drive_the_ancestral_sampler(diffusers):
    """DDPM with the small variance is the bridge that path KL is the cost of."""
    import torch

    scheduler = diffusers.DDPMScheduler(beta_start=1e-6, beta_end=0.02, clip_sample=False)
    table = _table(scheduler)
    timesteps = _one_scale_path(10).timesteps(table)[:, 0].astype(int)
    scheduler.set_timesteps(timesteps=timesteps.tolist())
    network = _network(table)
    sigmas = np.sqrt((1 - table) / table)[timesteps]
    scaled = torch.tensor(_noise(sigmas[0]) / np.sqrt(1 + sigmas[0] ** 2))
    generator = torch.Generator().manual_seed(1)
    for timestep in scheduler.timesteps[:-1]:
        scaled = scheduler.step(network(scaled, timestep), timestep, scaled, generator=generator).prev_sample
    z = _noise(sigmas[0])
    generator = torch.Generator().manual_seed(1)
    for here, there in pairwise(sigmas):
        kept = (there / here) ** 2
        fresh = torch.randn(z.shape, generator=generator, dtype=torch.float64).numpy()
        z = kept * z + (1 - kept) * _denoise(z, here) + there * np.sqrt(1 - kept) * fresh
    expected = z / np.sqrt(1 + sigmas[-1] ** 2)
    np.testing.assert_allclose(scaled.numpy(), expected, atol=SINGLE * np.abs(expected).max())


def _two_scale_denoiser():
    operators = list(lt.AveragePyramid().matrices(SPECTRUM.shape).values())
    stacked = np.concatenate(operators)
    sizes = [len(operator) for operator in operators]
    joint = stacked @ COVARIANCE @ stacked.T

    def denoise(zs, sigmas):
        noise = np.concatenate([np.full(size, sigma**2) for size, sigma in zip(sizes, sigmas, strict=True)])
        clean = np.concatenate(zs, axis=1) @ np.linalg.solve(joint + np.diag(noise), joint)
        return np.split(clean, [sizes[0]], axis=1)

    return sizes, denoise


def _two_scale_path(steps):
    model = lt.GaussianModel(SPECTRUM, lt.AveragePyramid())
    return lt.constant_lead_path(model, steps, START, STOP, 3.0)


def test_a_two_scale_path_is_a_schedule_of_timestep_vectors(diffusers):
    """Two unmodified schedulers, one per scale, fed by one joint denoiser; scales that wait repeat a timestep."""
    import torch

    path = _two_scale_path(9)
    schedulers = [
        diffusers.DPMSolverMultistepScheduler(
            solver_order=1, beta_start=1e-6, beta_end=0.02, prediction_type="sample"
        )
        for _ in path.scales
    ]
    table = _table(schedulers[0])
    timesteps = path.timesteps(table).astype(int)
    assert np.any(timesteps[1:] == timesteps[:-1]), "one scale waits while the other moves"
    for scheduler, column in zip(schedulers, timesteps.T, strict=True):
        scheduler.set_timesteps(timesteps=column)
        scheduler.set_begin_index(0)  # where a scale waits at first, its first timestep stands there twice
    sigmas = np.sqrt((1 - table) / table)[timesteps]
    sizes, denoise = _two_scale_denoiser()
    noise = np.random.default_rng(2).standard_normal((3, sum(sizes)))
    begin = [part * s for part, s in zip(np.split(noise, [sizes[0]], axis=1), sigmas[0], strict=True)]

    zs = begin
    for here, there in pairwise(sigmas):
        clean = denoise(zs, here)
        zs = [d + (b / a) * (z - d) for z, d, a, b in zip(zs, clean, here, there, strict=True)]

    growth = np.sqrt(1 + sigmas**2)
    scaled = [torch.tensor(z / g) for z, g in zip(begin, growth[0], strict=True)]
    for step in range(path.steps):
        clean = denoise([x.numpy() * g for x, g in zip(scaled, growth[step], strict=True)], sigmas[step])
        scaled = [
            scheduler.step(torch.tensor(d), scheduler.timesteps[step], x).prev_sample
            for scheduler, d, x in zip(schedulers, clean, scaled, strict=True)
        ]
    for x, g, z in zip(scaled, growth[-1], zs, strict=True):
        np.testing.assert_allclose(x.numpy() * g, z, atol=SINGLE * np.abs(z).max())


def test_a_clean_end_is_explicit():
    path = _one_scale_path(3)
    clean = path.to_clean_data()
    assert clean.steps == path.steps + 1, "the step to clean data is one more call"
    assert clean.sigmas[-1] == 0
    np.testing.assert_array_equal(clean.logsnr[:-1], path.logsnr)
    np.testing.assert_array_equal(clean.to_clean_data().logsnr, clean.logsnr)
    table = np.cumprod(1 - np.linspace(1e-6, 0.02, 1000))
    np.testing.assert_array_equal(clean.timesteps(table), path.timesteps(table))


def test_a_path_read_from_json_gives_the_same_schedule(tmp_path):
    clean = _two_scale_path(4).to_clean_data()
    clean.save(tmp_path / "path.json")
    again = lt.Path.load(tmp_path / "path.json")
    np.testing.assert_array_equal(again.sigmas, clean.sigmas)
    assert again.scales == clean.scales
