"""Measured derivatives of an exact denoiser are those of the closed form, or of dense algebra."""

import numpy as np
import pytest
import torch
from tolerances import MONTE_CARLO_SIGMAS

import lift_theory as lt
from lift_train import FunctionDenoiser, LinearDenoiser, Scales, measure

torch.set_num_threads(1)
SPECTRUM = lt.Spectrum.power_law((8, 8))
POINTS = [[-1.0, 2.5], [0.5, 3.0]]


def exact(representation) -> LinearDenoiser:
    return LinearDenoiser(Scales(representation, (1, 8, 8)), SPECTRUM.variances)


def close(found, wanted, error, sigmas=MONTE_CARLO_SIGMAS):
    wanted = np.asarray(wanted)
    slack = sigmas * np.asarray(error) + 1e-5 * np.abs(wanted) + 1e-9
    np.testing.assert_array_less(np.abs(np.asarray(found) - wanted), slack)


@pytest.mark.parametrize("prediction", ["x0", "eps", "v"])
@pytest.mark.parametrize("representation", [lt.AveragePyramid(), lt.HaarBands()], ids=repr)
def test_norms_of_jacobians(representation, prediction):
    model = lt.GaussianModel(SPECTRUM, representation)
    found = measure.jacobian_norms(
        exact(representation), SPECTRUM.sample(60, seed=1), POINTS, prediction, probes=2
    )
    grid = np.stack(np.meshgrid(*POINTS, indexing="ij"), axis=-1)
    close(found.jacobian_norms, model.jacobian_norms(grid, prediction), found.jacobian_norms_standard_error)
    close(found.coupling, model.coupling(grid), found.coupling_standard_error)


def test_the_published_map_is_the_published_cost():
    axes = [np.array([-1.0, 1.0, 3.0])] * 2
    images = SPECTRUM.sample(60, seed=2)
    model = lt.GaussianModel(SPECTRUM, lt.AveragePyramid())
    found = measure.lift_error_map(exact(lt.AveragePyramid()), images, axes)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    close(found.error, lt.PublishedCost().density(model, grid), found.error_standard_error)
    table = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    by_table = measure.lift_error_map(
        exact(lt.AveragePyramid()), images[:2], alphas_cumprod=table, points=3, probes=1
    )
    ends = np.log(table[[-1, 0]] / (1 - table[[-1, 0]]))
    np.testing.assert_allclose(by_table.logsnr_coarse[[0, -1]], ends)
    with pytest.raises(ValueError, match="not both"):
        measure.lift_error_map(exact(lt.AveragePyramid()), images, axes, alphas_cumprod=table)


class Dense:
    """Posterior mean of a Gaussian by dense matrices, differentiable in the log-SNRs."""

    def __init__(self, representation):
        matrices = representation.matrices((8, 8))
        basis = np.kron(lt.laws.dct_matrix(8), lt.laws.dct_matrix(8))
        self.covariance = basis.T @ np.diag(SPECTRUM.variances.ravel()) @ basis
        self.operators = [np.asarray(m) for m in matrices.values()]
        self.sizes = [len(m) for m in self.operators]
        self.stacked = np.concatenate(self.operators)
        self.joint = self.stacked @ self.covariance @ self.stacked.T

    def variances(self, logsnr):
        return np.repeat(np.exp(-np.asarray(logsnr)), self.sizes)

    def gain(self, logsnr):
        return self.joint @ np.linalg.inv(self.joint + np.diag(self.variances(logsnr)))

    def denoiser(self, scales):
        joint = torch.from_numpy(self.joint)

        def function(zs, logsnr):
            noise = torch.repeat_interleave(torch.exp(-logsnr), torch.tensor(self.sizes), dim=1)
            z = torch.cat([part.flatten(1) for part in zs], dim=1)
            solved = torch.linalg.solve(joint + torch.diag_embed(noise), z[..., None])
            clean = (joint @ solved)[..., 0].split(self.sizes, dim=1)
            return [c.reshape(z.shape) for c, z in zip(clean, zs, strict=True)]

        return FunctionDenoiser(function, scales)


@pytest.mark.parametrize("representation", [lt.AveragePyramid(), lt.SingleScale()], ids=repr)
def test_sensitivity_along_the_flow(representation):
    """D = G z is linear; T_k = (dG/dlam_k - G_k (1 - G)_k / 2) z, and z has covariance joint + noise."""
    dense = Dense(representation)
    point = np.array([0.5, -0.5])[: len(dense.sizes)]
    scales = Scales(representation, (1, 8, 8))
    images = torch.from_numpy(SPECTRUM.sample(200, seed=3))[:, None].double()
    found = measure.flow_sensitivity(dense.denoiser(scales), images, [[value] for value in point])
    gain, blocks = dense.gain(point), np.split(np.arange(len(dense.joint)), np.cumsum(dense.sizes)[:-1])
    law = dense.joint + np.diag(dense.variances(point))
    moves = []
    for k, own in enumerate(blocks):
        step = np.zeros(len(point))
        step[k] = 1e-4
        turn = (dense.gain(point + step) - dense.gain(point - step)) / 2e-4
        moves.append(turn - 0.5 * gain[:, own] @ (np.eye(len(gain)) - gain)[own])
    wanted = [[[np.trace(a[j] @ law @ b[j].T) for b in moves] for a in moves] for j in blocks]
    close(
        found.flow_sensitivity.squeeze(), np.squeeze(wanted), found.flow_sensitivity_standard_error.squeeze()
    )


def test_an_exact_denoiser_has_no_curl_and_a_twisted_one_has():
    axis = np.linspace(-2.0, 3.0, 7)
    scales = Scales(lt.AveragePyramid(), (1, 8, 8))
    perfect, images = exact(lt.AveragePyramid()), SPECTRUM.sample(60, seed=4)
    surface = measure.error_surface(perfect, images, axis, per_image=True)
    found = measure.curl(surface)
    interior = {"logsnr_fine": slice(1, -1), "logsnr_coarse": slice(1, -1)}
    close(found.curl.isel(interior), 0.0, found.curl_standard_error.isel(interior) + 0.01)

    def twisted(zs, logsnr):
        fine, coarse = perfect(zs, logsnr)
        return [fine * (1 + 0.2 * torch.tanh(logsnr[:, 1, None, None, None])), coarse]

    bent = measure.error_surface(FunctionDenoiser(twisted, scales), images, axis, per_image=True)
    curled = measure.curl(bent)
    assert float((np.abs(curled.curl) / curled.curl_standard_error).max()) > 8
    with pytest.raises(ValueError, match="per_image=True"):
        measure.curl(surface.drop_vars("squared_error"))
    with pytest.raises(ValueError, match="four log-SNRs"):
        measure.curl(surface.isel(logsnr_fine=[0, 1, 2]))


def test_explained_variance():
    """Of a denoiser that adds an independent constant error, and of the reference itself."""
    perfect, images = exact(lt.HaarBands()), SPECTRUM.sample(200, seed=5)
    found = measure.explained_variance(perfect, images, POINTS, perfect)
    np.testing.assert_allclose(found.explained_variance, 1.0)
    other = LinearDenoiser(perfect.scales, SPECTRUM.variances * 3)
    dense_true, grid = Dense(lt.HaarBands()), np.array([POINTS[0][0], POINTS[1][0]])
    law = dense_true.joint + np.diag(dense_true.variances(grid))
    gain = dense_true.gain(grid)
    wide = 3 * dense_true.joint @ np.linalg.inv(3 * dense_true.joint + np.diag(dense_true.variances(grid)))
    rest, whole = (np.diag(m @ law @ m.T) for m in (wide - gain, wide))
    parts = [slice(0, dense_true.sizes[0]), slice(dense_true.sizes[0], None)]
    wanted = [1 - rest[p].sum() / whole[p].sum() for p in parts]
    found = measure.explained_variance(other, images, [[grid[0]], [grid[1]]], perfect).squeeze()
    close(found.explained_variance, wanted, found.explained_variance_standard_error + 2e-3)


class Dropping(torch.nn.Module):
    """A denoiser that in training halves everything, with a part that is never trained."""

    def __init__(self, scales):
        super().__init__()
        self.scales, self.frozen = scales, torch.nn.Identity().eval()

    def forward(self, zs, logsnr):
        return [0.5 * z if self.training else z for z in zs]


def test_explained_variance_switches_both_denoisers_to_evaluation():
    scales, images = Scales(lt.HaarBands(), (1, 8, 8)), SPECTRUM.sample(20, seed=6)
    denoiser, reference = Dropping(scales), Dropping(scales)
    found = measure.explained_variance(denoiser.eval(), images, POINTS, reference)
    np.testing.assert_array_equal(found.explained_variance, 1.0)
    assert [reference.training, reference.frozen.training, denoiser.training] == [True, False, False]
