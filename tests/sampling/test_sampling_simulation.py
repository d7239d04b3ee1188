"""The propagated laws, against samplers that are run on sampled fields."""

import numpy as np
import pytest
from plain import SIGMA, VP, Plain, logsnr_of, package_sampler
from tolerances import MONTE_CARLO_SIGMAS

import lift_theory as lt

SAMPLERS = SIGMA + VP
FIRST_ORDER = set(SAMPLERS) - {"Heun", "DPMSolverPP2M", "VP Heun", "RK4"}
COUNT = 20_000


def grid_of(name, scales, clean=False):
    """Five points; the coarse scale is ahead and stands still in the last step but one."""
    if name in SIGMA:
        grid = np.array([[4.0, 3.0], [2.0, 1.4], [1.2, 0.6], [0.8, 0.6], [0.3, 0.2]])
    else:
        grid = np.array([[0.40, 0.38], [0.33, 0.30], [0.28, 0.21], [0.20, 0.21], [0.11, 0.12]])
    if clean:
        grid[-1] = 0.0
    return grid[:, :scales]


def deviation(samples, covariance):
    """Standard errors by which a sample covariance misses, over all its entries at once.

    White coordinates have unit variances and no correlations; the squared errors of all entries add up to a
    chi-square, judged by its own mean and deviation.
    """
    white = np.linalg.solve(np.linalg.cholesky(covariance), samples)
    size, count = white.shape
    error = white @ white.T / count - np.eye(size)
    square = count * (np.sum(np.triu(error, 1) ** 2) + np.sum(np.diag(error) ** 2) / 2)
    entries = size * (size + 1) / 2
    return abs(square - entries) / np.sqrt(2 * entries)


def model_of(representation):
    return lt.GaussianModel(lt.Spectrum(np.random.default_rng(7).uniform(0.05, 2.0, (4, 4))), representation)


@pytest.mark.parametrize("init", ["exact", "standard"])
@pytest.mark.parametrize("name", SAMPLERS)
def test_dense_covariances_are_those_of_samples(name, init):
    plain = Plain.of(model_of(lt.ResidualPyramid(2, "bilinear")))
    grid = grid_of(name, 2)
    samples = plain.simulate(name, grid, init, COUNT)
    assert deviation(samples, plain.sampled(name, grid, init)) < MONTE_CARLO_SIGMAS
    # the test can tell the samplers apart
    other = "Euler" if name == "EulerMaruyama" else "EulerMaruyama" if name in VP else "DDIM"
    if name != other:
        assert deviation(samples, plain.sampled(other, grid, init)) > MONTE_CARLO_SIGMAS


def predicted_variances(error, true):
    """Variance of each mode that has this distance and this divergence from its true variance."""
    distance, divergence = np.sqrt(error.per_mode.w2_squared.values[0]), error.per_mode.kl.values[0]
    both = np.stack([(np.sqrt(true) + sign * distance) ** 2 for sign in (-1, 1)])
    implied = 0.5 * (true / both - 1 - np.log(true / both))
    return np.take_along_axis(both, np.abs(implied - divergence).argmin(axis=0)[None], axis=0)[0]


@pytest.mark.parametrize(("name", "clean"), [(name, i % 2 == 1) for i, name in enumerate(SAMPLERS)])
def test_predicted_variances_are_those_of_samples(name, clean):
    """Without matrices in between: what `sampling_error` says of each cosine, and what sampled fields show."""
    model = model_of(lt.SingleScale())
    plain, grid = Plain.of(model), grid_of(name, 1, clean)
    error = lt.sampling_error(model, lt.Path(logsnr_of(name, grid)), package_sampler(name))
    cosines = lt.DctBands((1,)).matrices((4, 4))
    cosines = np.concatenate([cosines["low"], cosines["high"]])  # the mean, then all others row by row
    true = np.einsum("ij,jk,ik->i", cosines, plain.truth(name, grid, "marginal"), cosines).reshape(4, 4)
    predicted = predicted_variances(error, true)
    found = np.mean((cosines @ plain.simulate(name, grid, "exact", COUNT)) ** 2, axis=1).reshape(4, 4)
    scores = (found / predicted - 1) / np.sqrt(2 / COUNT)
    assert abs(np.sum(scores**2) - scores.size) / np.sqrt(2 * scores.size) < MONTE_CARLO_SIGMAS
    if name in FIRST_ORDER:  # the error itself is large enough to be seen
        assert np.abs(found / true - 1).max() > 3 * MONTE_CARLO_SIGMAS * np.sqrt(2 / COUNT)
