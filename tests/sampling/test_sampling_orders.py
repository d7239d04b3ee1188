"""How fast every sampler's error falls with the number of steps."""

import numpy as np
import pytest
from plain import SIGMA, VP, Plain, kl, logsnr_of, package_sampler, w2_squared
from tolerances import FITTED_ORDER, ROUND_OFF

import lift_theory as lt

ORDERS = dict.fromkeys(SIGMA + VP, 1) | {"Heun": 2, "DPMSolverPP2M": 2, "VP Heun": 2, "RK4": 4}


def grid_of(name, steps, scales):
    """A smooth curve through the noise levels; a second clock runs a little ahead in between."""
    u = np.linspace(0.0, 1.0, steps + 1)[:, None]
    u = u + 0.1 * np.arange(scales) * np.sin(np.pi * u)
    return np.exp(1.5 - 2.5 * u) if name in SIGMA else 0.9 - 0.75 * u


@pytest.mark.parametrize("name", ORDERS)
def test_order_of_convergence(name):
    """Distance and the root of the divergence are first order in the error of the covariance."""
    variances = np.random.default_rng(11).uniform(0.5, 2.0, (2, 2))
    model = lt.GaussianModel(lt.Spectrum(variances), lt.AveragePyramid())
    counts = (64, 128)
    errors = []
    for steps in counts:
        path = lt.Path(logsnr_of(name, grid_of(name, steps, len(model.scales))))
        error = lt.sampling_error(model, path, package_sampler(name))
        errors.append([error.w2, np.sqrt(error.kl)])
    orders = np.log2(np.divide(*errors))
    assert np.abs(orders - ORDERS[name]).max() < FITTED_ORDER, orders


def test_a_path_that_stays_costs_nothing():
    """No step, no error: neither scale moves, so the initial law is returned, right or wrong."""
    model = lt.GaussianModel(lt.Spectrum.power_law((2, 2)), lt.AveragePyramid())
    path = lt.Path(np.array([[1.0, 2.0]] * 5))
    plain = Plain.of(model)
    for name in ("DDIM", "DPMSolverPP2M"):
        sampler = package_sampler(name)
        assert lt.sampling_error(model, path, sampler).w2 < ROUND_OFF
        error = lt.sampling_error(model, path, sampler, init="standard")
        white = np.diag(plain.spread(path.sigmas[0] ** 2))
        true = plain.truth(name, path.sigmas, "marginal")
        assert np.isclose(error.w2**2, w2_squared(true, white))
        assert np.isclose(error.kl, kl(true, white))
