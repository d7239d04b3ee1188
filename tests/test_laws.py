"""Spectra and covariances: what their samples, their matrices and their definitions have in common."""

import numpy as np
import pytest
from tolerances import MONTE_CARLO_SIGMAS, ROUND_OFF

import lift_theory as lt


def oblong_spectrum(shape, seed=0):
    return lt.Spectrum(np.random.default_rng(seed).uniform(0.1, 2.0, shape))


def explicit_covariance(variances):
    """Sum over modes of variance times outer product of sampled cosines, one mode at a time."""
    height, width = variances.shape
    total = np.zeros((height * width,) * 2)
    for k in range(height):
        for m in range(width):
            column = np.cos(np.pi * k * (np.arange(height) + 0.5) / height)
            row = np.cos(np.pi * m * (np.arange(width) + 0.5) / width)
            mode = np.outer(column, row).ravel()
            total += variances[k, m] * np.outer(mode, mode) / (mode @ mode)
    return total


@pytest.mark.parametrize("shape", [(4, 6), (5, 3), (1, 4)])
def test_covariance_matrix_mode_by_mode(shape):
    spectrum = oblong_spectrum(shape)
    np.testing.assert_allclose(
        spectrum.covariance_matrix(), explicit_covariance(spectrum.variances), atol=ROUND_OFF
    )


def test_covariance_matrix_of_channels_is_block_diagonal():
    spectrum = oblong_spectrum((3, 4, 2))
    matrix = spectrum.covariance_matrix()
    for i in range(3):
        for j in range(3):
            block = matrix[8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
            expected = explicit_covariance(spectrum.variances[i]) if i == j else np.zeros((8, 8))
            np.testing.assert_allclose(block, expected, atol=ROUND_OFF)


def within_standard_errors(samples, covariance):
    """Empirical second moments of Gaussian samples (n, d) against their covariance, entry by entry."""
    n = len(samples)
    variance = np.diag(covariance)
    error = np.sqrt((np.outer(variance, variance) + covariance**2) / n)
    distance = np.abs(samples.T @ samples / n - covariance) / error
    assert distance.max() < MONTE_CARLO_SIGMAS + 1  # hundreds of entries: the largest of them


def test_samples_have_the_covariance():
    spectrum = oblong_spectrum((3, 4))
    samples = spectrum.sample(20000, seed=1)
    assert samples.shape == (20000, 3, 4)
    within_standard_errors(samples.reshape(20000, -1), spectrum.covariance_matrix())


def rotated_spectrum():
    basis, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    basis *= np.where(basis.sum(axis=1, keepdims=True) < 0, -1, 1)
    variances = oblong_spectrum((3, 2, 4)).variances * np.array([9.0, 3.0, 1.0])[:, None, None]
    return lt.Spectrum(variances, basis)


def test_colour_samples_are_turned_back_to_pixel_colours():
    spectrum = rotated_spectrum()
    samples = spectrum.sample(20000, seed=3)
    assert samples.shape == (20000, 2, 4, 3)
    channels = np.einsum("nhwp,cp->nchw", samples, spectrum.channel_basis)
    within_standard_errors(channels.reshape(20000, -1), spectrum.covariance_matrix())


def test_samples_repeat_with_the_seed_only():
    spectrum = oblong_spectrum((3, 4))
    np.testing.assert_array_equal(spectrum.sample(2, seed=5), spectrum.sample(2, seed=5))
    assert np.all(spectrum.sample(2, seed=5) != spectrum.sample(2, seed=6))


def test_spectrum_of_grey_samples_is_recovered():
    n, spectrum = 20000, oblong_spectrum((4, 6))
    found = lt.Spectrum.from_images(spectrum.sample(n, seed=7) + 0.3)  # a common mean is removed
    error = (found.variances / spectrum.variances - 1) / np.sqrt(2 / n)
    assert np.abs(error).max() < MONTE_CARLO_SIGMAS


def test_spectrum_and_colours_of_samples_are_recovered():
    n, spectrum = 20000, rotated_spectrum()
    found = lt.Spectrum.from_images(spectrum.sample(n, seed=8) - 0.1)
    np.testing.assert_allclose(found.channel_basis, spectrum.channel_basis, atol=0.03)
    np.testing.assert_allclose(found.variances, spectrum.variances, rtol=0.1)
    totals = found.variances.sum(axis=(1, 2))
    assert np.all(np.diff(totals) < 0)
    np.testing.assert_allclose(found.channel_basis @ found.channel_basis.T, np.eye(3), atol=ROUND_OFF)


def test_measured_energy_is_that_of_the_pixels():
    """Neither the cosines nor the rotation of colours may gain or lose energy."""
    images = np.random.default_rng(9).uniform(-1, 1, (5, 4, 6, 3))
    centred = images - images.mean(axis=(0, 1, 2))
    total = lt.Spectrum.from_images(images).variances.sum()
    assert np.isclose(total, (centred**2).sum() / 5, rtol=ROUND_OFF)


def test_power_law_is_its_definition():
    found = lt.Spectrum.power_law((3, 5), exponent=1.7, variance=0.4).variances
    shape = np.array([[(1 + k * k + m * m) ** -0.85 for m in range(5)] for k in range(3)])
    np.testing.assert_allclose(found, 0.4 * shape / shape.mean(), rtol=ROUND_OFF)
    assert lt.Spectrum.power_law((2, 3, 5)).variances.shape == (2, 3, 5)
    np.testing.assert_allclose(lt.Spectrum.power_law((4, 4), exponent=0).variances, 0.25, rtol=ROUND_OFF)
    assert np.isfinite(lt.Spectrum.power_law((64, 64), exponent=300).variances).all()


def test_odd_images_have_spectra_but_no_pyramids():
    spectrum = oblong_spectrum((5, 6))
    lt.GaussianModel(spectrum, lt.SingleScale())
    with pytest.raises(ValueError, match=r"divisible by 2; got 5 x 6"):
        lt.GaussianModel(spectrum, lt.AveragePyramid())
    with pytest.raises(ValueError, match=r"divisible by 4; got 6 x 6"):
        lt.GaussianModel(oblong_spectrum((6, 6)), lt.HaarBands(3))


def test_laws_cannot_be_changed_from_outside():
    variances, matrix = np.ones((2, 2)), np.eye(2)
    spectrum, covariance = lt.Spectrum(variances), lt.Covariance(matrix)
    variances[:] = matrix[:] = 7.0
    assert np.all(spectrum.variances == 1)
    assert np.all(covariance.matrix == np.eye(2))
    with pytest.raises(ValueError, match="read-only"):
        spectrum.variances[0, 0] = 2.0


def test_covariance_may_be_singular_and_is_symmetrised():
    rank_one = np.outer([1.0, 2.0], [1.0, 2.0])
    rank_one[0, 1] += 1e-13
    found = lt.Covariance(rank_one).covariance_matrix()
    np.testing.assert_array_equal(found, found.T)
    model = lt.GaussianModel(lt.Covariance(rank_one), lt.SingleScale())
    assert np.isclose(model.mutual_information([0.0]), 0.5 * np.log(1 + 5.0), rtol=1e-10)
