"""A pyramid is a Haar split in other coordinates: for Gaussian data exactly, for any data by simulation."""

from dataclasses import dataclass

import numpy as np
import pytest
from tolerances import MONTE_CARLO_SIGMAS, ROUND_OFF

import lift_theory as lt

LEVELS = [2, 3, 4]


def rough_spectrum(size=8):
    return lt.Spectrum(10.0 ** np.random.default_rng(0).uniform(-3, 1, (size, size)))


def haar_point(logsnr):
    """SNR of band k: that of every scale at least as fine, a quarter less for each level."""
    g = np.exp(logsnr)
    return np.log(
        np.stack([sum(g[..., j] / 4**j for j in range(k + 1)) for k in range(g.shape[-1])], axis=-1)
    )


@pytest.mark.parametrize("levels", LEVELS)
def test_gaussian_pyramid_is_haar_split(levels):
    pyramid = lt.GaussianModel(rough_spectrum(), lt.AveragePyramid(levels))
    haar = lt.GaussianModel(rough_spectrum(), lt.HaarBands(levels))
    points = np.random.default_rng(1).uniform(-4, 4, (5, levels))
    np.testing.assert_allclose(
        pyramid.mutual_information(points), haar.mutual_information(haar_point(points)), rtol=ROUND_OFF
    )
    bands = np.asarray(haar.mmse(haar_point(points)))
    # the error of the means at level k is that of all bands at least as coarse, a quarter less for each level
    expected = np.stack([bands[:, k:].sum(axis=1) / 4**k for k in range(levels)], axis=1)
    np.testing.assert_allclose(pyramid.mmse(points), expected, rtol=ROUND_OFF)


@pytest.mark.parametrize("levels", [2, 3])
def test_paths_are_mapped_there_and_back_at_equal_cost(levels):
    pyramid = lt.GaussianModel(rough_spectrum(), lt.AveragePyramid(levels))
    haar = lt.GaussianModel(rough_spectrum(), lt.HaarBands(levels))
    logsnr = np.sort(np.random.default_rng(2).uniform(-5, 5, (5, levels)), axis=0)
    path = lt.Path(logsnr)
    image = lt.to_orthogonal(path)
    np.testing.assert_allclose(image.logsnr, haar_point(logsnr), atol=ROUND_OFF)
    np.testing.assert_allclose(lt.to_pyramid(image).logsnr, logsnr, atol=1e-9)
    assert np.isclose(lt.path_kl(pyramid, path), lt.path_kl(haar, image), rtol=ROUND_OFF)


def test_orthogonal_paths_outside_the_cone_are_refused():
    with pytest.raises(ValueError, match="no pyramid counterpart"):
        lt.to_pyramid(lt.Path([[0.0, -1.0], [1.0, 2.0]], ("high", "low")))
    with pytest.raises(ValueError, match="no pyramid counterpart"):
        lt.to_pyramid(lt.Path([[0.0, 1.0], [1.0, 1.1]], ("high", "low")))  # the low band gains less SNR
    with pytest.raises(ValueError, match="no pyramid counterpart"):
        lt.to_pyramid(
            lt.Path([[0.0, 0.0], [1.0, 2.0]], ("high", "low"))
        )  # would need a coarse scale of zero SNR


@pytest.mark.parametrize("levels", [2, 3])
def test_nearest_residuals_are_haar_details_in_other_units(levels):
    residual = lt.GaussianModel(rough_spectrum(), lt.ResidualPyramid(levels))
    haar = lt.GaussianModel(rough_spectrum(), lt.HaarBands(levels))
    units = np.log(4.0) * np.arange(levels)  # a mean of four has half the norm of the orthonormal coefficient
    points = np.random.default_rng(3).uniform(-4, 4, (4, levels))
    np.testing.assert_allclose(
        residual.mmse(points), np.asarray(haar.mmse(points - units)) / np.exp(units), rtol=ROUND_OFF
    )
    np.testing.assert_allclose(residual.metric(points), haar.metric(points - units), rtol=ROUND_OFF)
    np.testing.assert_allclose(
        residual.step_kl(points, points + 2), haar.step_kl(points - units, points + 2 - units), rtol=ROUND_OFF
    )


# --- a law that is not Gaussian ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Images:
    """Finitely many 4x4 images with unequal probabilities: posterior means are exact sums."""

    pictures: np.ndarray
    probabilities: np.ndarray

    def simulate(self, operators, snr, n, seed):
        """Per observation: squared error of every operator's coefficients, and the information in nats."""
        generator = np.random.default_rng(seed)
        truth = generator.choice(len(self.pictures), n, p=self.probabilities)
        log_posterior = np.log(self.probabilities) * np.ones((n, 1))
        for operator, g in zip(operators, snr, strict=True):
            clean = self.pictures @ operator.T
            seen = clean[truth] + generator.standard_normal((n, len(operator))) / np.sqrt(g)
            log_posterior = log_posterior - g / 2 * ((seen[:, None] - clean) ** 2).sum(axis=2)
        posterior = np.exp(log_posterior - log_posterior.max(1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
        miss = self.pictures[truth] - posterior @ self.pictures
        errors = np.stack([((miss @ a.T) ** 2).sum(axis=1) for a in operators], axis=1)
        return errors, np.log(posterior[np.arange(n), truth] / self.probabilities[truth])


@pytest.fixture(scope="module")
def law():
    generator = np.random.default_rng(4)
    pictures = generator.normal(size=(7, 16)) * np.array([0.3, 1.0, 2.0, 0.5, 1.5, 1.0, 0.1])[:, None]
    return Images(pictures, np.array([0.3, 0.2, 0.05, 0.15, 0.1, 0.1, 0.1]))


OPERATORS = {r: list(r.matrices((4, 4)).values()) for r in (lt.AveragePyramid(), lt.HaarBands())}
PYRAMID, HAAR = OPERATORS.values()
N = 40000


def agree(first, second):
    """Means of two independent samples, within their standard errors."""
    error = np.sqrt(first.var(axis=0) / len(first) + second.var(axis=0) / len(second))
    assert np.all(np.abs(first.mean(axis=0) - second.mean(axis=0)) < MONTE_CARLO_SIGMAS * error)


@pytest.mark.parametrize(("fine", "coarse"), [(-2.0, 1.0), (-1.0, -1.0), (0.5, 2.0), (-4.0, 3.0)])
def test_any_law_has_the_same_errors_and_information(law, fine, coarse):
    point = np.array([fine, coarse])
    errors, information = law.simulate(PYRAMID, np.exp(point), N, seed=5)
    bands, as_much = law.simulate(HAAR, np.exp(haar_point(point)), N, seed=6)
    agree(errors, np.stack([bands.sum(axis=1), bands[:, 1] / 4], axis=1))
    agree(information, as_much)


def test_the_simulation_notices_a_wrong_map(law):
    """The Haar split at the pyramid's own SNRs knows more: a plain mean carries a quarter of a scaled one's SNR."""
    point = np.array([-2.0, 1.0])
    (_, ours), (_, wrong) = (
        law.simulate(operators, np.exp(point), N, seed=7) for operators in (PYRAMID, HAAR)
    )
    assert wrong.mean() - ours.mean() > 2 * MONTE_CARLO_SIGMAS * np.sqrt((ours.var() + wrong.var()) / N)


def test_any_law_has_the_same_path_cost(law):
    path = lt.Path([[-4.0, -4.0], [-2.0, 0.0], [0.0, 1.5]])
    image = lt.to_orthogonal(path)

    def cost(operators, logsnr, seed):
        """Per sample: every point is simulated afresh, so that the terms are independent."""
        snr = np.exp(logsnr)
        total = np.zeros(N)
        for i, g in enumerate(snr):
            errors, information = law.simulate(operators, g, N, seed + i)
            if i + 1 < len(snr):
                total += 0.5 * errors @ (snr[i + 1] - g)
            total += information * ((i == 0) - float(i + 1 == len(snr)))
        return total

    ours, theirs = cost(PYRAMID, path.logsnr, 10), cost(HAAR, image.logsnr, 20)
    assert ours.mean() > 10 * ours.std() / np.sqrt(N)
    agree(ours, theirs)
