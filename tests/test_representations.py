"""Operators against direct work on pixels, frames against their eigenvalues."""

import numpy as np
import pytest
from reference import Dense
from scipy import ndimage
from scipy.fft import dctn
from tolerances import DENSE, ROUND_OFF

import lift_theory as lt

FAMILIES = {
    "single": lt.SingleScale(),
    "pyramid": lt.AveragePyramid(),
    "pyramid of four": lt.AveragePyramid(4),
    "haar": lt.HaarBands(),
    "haar of four": lt.HaarBands(4),
    "cosines": lt.DctBands((5, 2)),
    "nearest": lt.ResidualPyramid(3),
    "bilinear": lt.ResidualPyramid(3, "bilinear"),
    "bicubic": lt.ResidualPyramid(3, "bicubic"),
}


def an_image(shape=(8, 16), seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def halved(image):
    """2x2 means by hand."""
    return (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4


def coefficients(representation, image):
    return {name: a @ image.ravel() for name, a in representation.matrices(image.shape).items()}


def doubled(image, kernel):
    """Up-sampling by two, pixel by pixel, as image libraries define it (half-pixel centres, mirrored borders)."""
    if kernel == "nearest":
        return np.kron(image, np.ones((2, 2)))

    def cubic(x, a=-0.75):
        x = abs(x)
        if x < 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0

    weight = {"bilinear": lambda x: max(0.0, 1 - abs(x)), "bicubic": cubic}[kernel]

    def one_axis(rows):
        padded = np.pad(rows, ((2, 2), (0, 0)), mode="symmetric")
        out = []
        for i in range(2 * len(rows)):
            centre = (i + 0.5) / 2 - 0.5
            near = [j for j in range(-2, len(rows) + 2) if abs(centre - j) < 2]
            out.append(sum(weight(centre - j) * padded[j + 2] for j in near))
        return np.array(out)

    return one_axis(one_axis(image).T).T


def test_pyramid_is_repeated_means():
    image = an_image()
    found = coefficients(lt.AveragePyramid(3), image)
    assert list(found) == ["fine", "middle", "coarse"]
    np.testing.assert_array_equal(found["fine"], image.ravel())
    np.testing.assert_allclose(found["middle"], halved(image).ravel(), atol=ROUND_OFF)
    np.testing.assert_allclose(found["coarse"], halved(halved(image)).ravel(), atol=ROUND_OFF)


def test_haar_details_are_differences_and_low_is_scaled_means():
    image = an_image()
    found = coefficients(lt.HaarBands(2), image)
    a, b, c, d = image[::2, ::2], image[::2, 1::2], image[1::2, ::2], image[1::2, 1::2]
    details = [a - b + c - d, a + b - c - d, a - b - c + d]
    np.testing.assert_allclose(found["high"].reshape(3, 4, 8), np.array(details) / 2, atol=ROUND_OFF)
    np.testing.assert_allclose(found["low"].reshape(4, 8), (a + b + c + d) / 2, atol=ROUND_OFF)
    deeper = coefficients(lt.HaarBands(3), image)
    again = coefficients(lt.HaarBands(2), (a + b + c + d) / 2)
    np.testing.assert_allclose(deeper["middle"], again["high"], atol=ROUND_OFF)
    np.testing.assert_allclose(deeper["low"], again["low"], atol=ROUND_OFF)


def test_cosine_bands_are_the_transform_cut_into_squares():
    image = an_image()
    found = coefficients(lt.DctBands((5, 2)), image)
    modes = dctn(image, norm="ortho")
    vertical, horizontal = np.mgrid[:8, :16]
    largest = np.maximum(vertical, horizontal)
    np.testing.assert_allclose(found["low"], modes[:2, :2].ravel(), atol=ROUND_OFF)
    np.testing.assert_allclose(found["middle"], modes[(largest >= 2) & (largest < 5)], atol=ROUND_OFF)
    np.testing.assert_allclose(found["high"], modes[largest >= 5], atol=ROUND_OFF)


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("shape", [(8, 16), (4, 4), (2, 4)])
def test_residual_is_what_upsampling_leaves(kernel, shape):
    image = an_image(shape)
    found = coefficients(lt.ResidualPyramid(upsampling=kernel), image)
    expected = image - doubled(halved(image), kernel)
    np.testing.assert_allclose(found["residual"].reshape(shape), expected, atol=ROUND_OFF)
    np.testing.assert_allclose(found["coarse"].reshape(halved(image).shape), halved(image), atol=ROUND_OFF)


def test_bilinear_upsampling_is_the_one_of_scipy():
    image = an_image((4, 8))
    rows, columns = np.meshgrid(np.arange(8) / 2 - 0.25, np.arange(16) / 2 - 0.25, indexing="ij")
    expected = ndimage.map_coordinates(image, [rows, columns], order=1, mode="nearest")
    np.testing.assert_allclose(doubled(image, "bilinear"), expected, atol=ROUND_OFF)


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_residuals_rebuild_the_image(kernel):
    image = an_image()
    found = coefficients(lt.ResidualPyramid(3, kernel), image)
    rebuilt = found["coarse"].reshape(2, 4)
    for name, shape in (("middle", (4, 8)), ("residual", (8, 16))):
        rebuilt = doubled(rebuilt, kernel) + found[name].reshape(shape)
    np.testing.assert_allclose(rebuilt, image, atol=ROUND_OFF)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("shape", [(8, 16), (3, 8, 8)])
def test_sizes_frames_redundancy_and_orthogonality(name, shape):
    representation = FAMILIES[name]
    matrices = list(representation.matrices(shape).values())
    assert representation.sizes(shape) == tuple(len(a) for a in matrices)
    frame = sum(a.T @ a for a in matrices)
    values = np.linalg.eigvalsh(frame)
    np.testing.assert_allclose(representation.frame_bounds(shape), values[[0, -1]], rtol=DENSE)
    assert representation.redundancy(shape) == sum(map(len, matrices)) / np.prod(shape)
    across = max((np.abs(a @ b.T).max() for i, a in enumerate(matrices) for b in matrices[:i]), default=0.0)
    assert representation.is_orthogonal(shape) == (across < 1e-12)


@pytest.mark.parametrize("name", ["haar", "haar of four", "cosines", "single"])
def test_bases_are_orthonormal(name):
    stacked = np.concatenate(list(FAMILIES[name].matrices((8, 16)).values()))
    np.testing.assert_allclose(stacked @ stacked.T, np.eye(128), atol=ROUND_OFF)


@pytest.mark.parametrize("name", FAMILIES)
def test_channels_are_treated_alike_and_apart(name):
    image = an_image((3, 8, 8))
    apart = [coefficients(FAMILIES[name], plane) for plane in image]
    for scale, value in coefficients(FAMILIES[name], image).items():
        np.testing.assert_allclose(value, np.concatenate([c[scale] for c in apart]), atol=ROUND_OFF)


@pytest.mark.parametrize("name", ["pyramid", "haar", "nearest", "bilinear", "bicubic"])
def test_mode_blocks_have_the_gram_matrices_of_the_operators(name):
    """The structure used for speed, put back together on pixels, is the operators' own product."""
    representation, shape = FAMILIES[name], (8, 16)
    members, blocks = representation._mode_blocks(shape)
    basis = np.kron(dctn(np.eye(8), axes=[0], norm="ortho"), dctn(np.eye(16), axes=[0], norm="ortho"))
    for matrix, block in zip(representation.matrices(shape).values(), blocks, strict=True):
        gram = np.zeros((129, 129))  # the last row and column take what only pads
        for index, part in zip(members, block, strict=True):
            gram[np.ix_(index, index)] += part.T @ part
        np.testing.assert_allclose(basis.T @ gram[:-1, :-1] @ basis, matrix.T @ matrix, atol=ROUND_OFF)


def test_custom_operators():
    generator = np.random.default_rng(1)
    operators = {"a": generator.normal(size=(7, 5)), "b": generator.normal(size=(2, 5))}
    scales = lt.LinearScales(operators)
    values = np.linalg.eigvalsh(sum(a.T @ a for a in operators.values()))
    np.testing.assert_allclose(scales.frame_bounds(), values[[0, -1]], rtol=DENSE)
    assert scales.redundancy((5,)) == 9 / 5
    assert not scales.is_orthogonal()
    assert lt.LinearScales({"a": np.eye(4)[:1], "b": np.eye(4)[2:]}).is_orthogonal()


def test_large_images_do_not_need_matrices():
    for representation in (lt.AveragePyramid(4), lt.HaarBands(), lt.DctBands(), lt.SingleScale()):
        sizes = representation.sizes((3, 256, 256))
        assert representation.redundancy((3, 256, 256)) == sum(sizes) / 196608
        representation.frame_bounds((3, 256, 256))
    low, high = lt.ResidualPyramid(2, "bicubic").frame_bounds((128, 128))
    assert 0 < low < 1 < high


def test_dense_reference_agrees_on_a_hand_computed_case():
    """One pixel seen twice with unit noise: the posterior variance is 1 / (1 + 1 + 1)."""
    dense = Dense(np.eye(1), [np.eye(1), np.eye(1)])
    np.testing.assert_allclose(dense.mmse([0.0, 0.0]), [1 / 3, 1 / 3])
    np.testing.assert_allclose(dense.information([0.0, 0.0]), 0.5 * np.log(3))
