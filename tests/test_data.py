"""Images: what every loader promises, and what it says about bad input."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn

from lift_train import data

CIFAR = Path(__file__).resolve().parents[2] / "shared" / "data" / "cifar10_subset.npz"
RNG = np.random.default_rng(0)


def pixels(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def pictures(tmp_path):
    """A folder with two classes, one loose file, and things that are no pictures."""
    for name, suffix in (
        ("a/1", "png"),
        ("a/2", "jpg"),
        ("b/1", "png"),
        ("b/deep/2", "webp"),
        ("loose", "bmp"),
    ):
        file = tmp_path / f"{name}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(20, 30, 3)).save(file)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".hidden.png").write_bytes(b"not a picture")
    return tmp_path


@pytest.fixture
def archive(tmp_path):
    def save(**arrays):
        file = tmp_path / "images.npz"
        np.savez(file, **arrays)
        return f"npz:{file}"

    return save


@pytest.mark.parametrize(("channels", "tail"), [(3, (3,)), (1, ())])
@pytest.mark.parametrize("size", [7, 64, 128])
def test_photographs_have_the_wanted_form(size, channels, tail):
    images = data.load("photos", size=size, channels=channels, limit=40)
    for part, sources in ((images.train, images.train_sources), (images.held_out, images.held_out_sources)):
        assert part.dtype == np.float32
        assert part.shape[1:] == (size, size, *tail)
        assert np.abs(part).max() <= 1
        assert len(part) == len(sources) <= 40
    assert (images.size, images.channels) == (size, channels)


@pytest.mark.parametrize(("channels", "count"), [(3, 7), (1, 10)])
def test_every_photograph_is_on_one_side(channels, count):
    images = data.load("photos", channels=channels)
    assert len(images.sources) == count
    assert not set(images.train_sources) & set(images.held_out_sources)
    assert len(set(images.held_out_sources)) >= 2
    if channels == 3:
        assert not {"camera", "coins", "moon"} & set(images.sources)


def test_photographs_depend_on_the_seed_only():
    first, again, other = (data.load("photos", size=32, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.train, again.train)
    assert first.provenance == again.provenance
    assert first.provenance["sha256"] != other.provenance["sha256"]
    assert set(first.held_out_sources) != set(other.held_out_sources)


def test_colour_and_grey_show_the_same_photograph():
    colour, grey = (data.photographs(48, channels, overlap=0) for channels in (3, 1))
    [name] = {*colour.train_sources[:1]} & {*grey.train_sources}
    chosen = [np.array([source == name for source in images.train_sources]) for images in (colour, grey)]
    luma = colour.train[chosen[0]] @ np.array([0.299, 0.587, 0.114], np.float32)
    # Grey is rounded to 8 bits before the reduction and colour after it; overshoot is clipped per channel.
    assert np.quantile(np.abs(luma - grey.train[chosen[1]]), 0.999) < 2 * 2 / 255


def test_photographs_have_a_natural_spectrum():
    """Power falls by a power law between 1/f^2 and 1/f^3 over a decade, as in any natural scene."""
    images = data.load("photos", size=64, channels=1)
    variances = np.mean(
        dctn(np.concatenate([images.train, images.held_out]), axes=(1, 2), norm="ortho") ** 2, axis=0
    )
    radius = np.hypot(*np.mgrid[:64, :64])
    band = (radius >= 4) & (radius < 40)
    slope, _ = np.polyfit(np.log(radius[band]), np.log(variances[band]), 1)
    assert 2.0 < -slope < 3.0
    assert variances.min() > 1e-5


def test_patches_cover_the_whole_photograph():
    """Cut without overlap at full resolution, no column of any photograph is lost."""
    wide = data.photographs(300, 1, downscale=(1,), overlap=0)
    assert (
        wide.train_sources.count("motorcycle") + wide.held_out_sources.count("motorcycle") == 2 * 3
    )  # 500 x 741


def test_large_patches_fall_back_to_full_resolution():
    assert data.load("photos", size=300).train.shape[1:] == (300, 300, 3)
    with pytest.raises(ValueError, match=r"at most 300 .* got 301"):
        data.load("photos", size=301)


def test_digits_are_the_published_levels():
    from sklearn.datasets import load_digits

    images = data.load("digits", size=8, channels=1)
    everything = np.concatenate([images.train, images.held_out])
    assert len(everything) == 1797
    assert set(np.unique((everything + 1) * 8)) == set(range(17))
    np.testing.assert_allclose(
        np.sort(everything.sum((1, 2))), np.sort((load_digits().images / 8 - 1).sum((1, 2)))
    )
    large = data.load("digits", size=16, channels=3, limit=5)
    assert large.train.shape == (5, 16, 16, 3)
    np.testing.assert_array_equal(large.train[..., 0], large.train[..., 2])


def test_folder_splits_by_file(pictures):
    images = data.load(f"folder:{pictures}", size=16)
    assert images.sources == ("a/1.png", "a/2.jpg", "b/1.png", "b/deep/2.webp", "loose.bmp")
    assert images.train.shape == (4, 16, 16, 3)
    assert images.name == f"folder:{pictures.name}"  # results must not carry the layout of a disk


def test_folder_splits_by_subfolder(pictures):
    images = data.folder(pictures, 16, 1, group="subfolder")
    assert images.sources == ("a", "b", "loose.bmp")
    assert images.train.shape[1:] == (16, 16)


def test_folder_keeps_a_published_split(tmp_path):
    for name in ("train/cat/1", "train/dog/2", "test/cat/1"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(8, 8, 3)).save(tmp_path / f"{name}.png")
    images = data.folder(tmp_path, 8)
    assert images.train_sources == ("train/cat/1.png", "train/dog/2.png")
    assert images.held_out_sources == ("test/cat/1.png",)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.fromarray(np.full((9, 6), 65535, np.uint16)), 1.0),
        (Image.fromarray(np.full((6, 9), 128, np.uint8)), 128 / 127.5 - 1),
        (Image.new("RGBA", (6, 6), (0, 0, 0, 0)), 1.0),  # transparent shows white
        (Image.new("P", (6, 6), 0), -1.0),
        (Image.new("1", (6, 6), 1), 1.0),
    ],
)
def test_folder_reads_every_kind_of_pixel(tmp_path, picture, expected):
    for name in "ab":
        picture.save(tmp_path / f"{name}.png")
    np.testing.assert_allclose(data.folder(tmp_path, 6, 1).train, expected, atol=1e-6)


def test_folder_resizes_without_aliasing(tmp_path):
    """A one-pixel checkerboard has no content below the new Nyquist frequency: it must come out flat."""
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    for name in "ab":
        Image.fromarray(board).save(tmp_path / f"{name}.png")
    assert np.abs(data.folder(tmp_path, 16, 1).train).max() < 0.02


def test_folder_names_a_damaged_file(pictures):
    (pictures / "a" / "2.jpg").write_bytes((pictures / "a" / "2.jpg").read_bytes()[:200])
    with pytest.raises(ValueError, match=r"2\.jpg.*cannot be decoded"):
        data.load(f"folder:{pictures}", size=16)


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_folder_without_images(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"is missing|holds no images"):
        data.folder(tmp_path / name)
    with pytest.raises(ValueError, match="'file' or 'subfolder'"):
        data.folder(tmp_path, group="class")


def test_npz_with_both_parts_is_left_as_it_is(archive):
    train, test = pixels(5, 8, 8, 3), pixels(3, 8, 8, 3)
    images = data.load(archive(train=train, test=test), size=8)
    np.testing.assert_allclose(images.train, train / 127.5 - 1, atol=1e-6)
    np.testing.assert_allclose(images.held_out, test / 127.5 - 1, atol=1e-6)


def test_npz_with_one_array_is_split(archive):
    array = RNG.uniform(-1, 1, (10, 8, 8)).astype(np.float32)
    images = data.load(archive(anything=array), size=8, channels=1, held_out=0.3)
    assert (len(images.train), len(images.held_out)) == (7, 3)
    both = np.concatenate([images.train, images.held_out])
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(array, axis=0))


def test_npz_is_resized_and_recoloured(archive):
    source = archive(x=pixels(4, 12, 10, 1))
    assert data.load(source, size=5, channels=3).train.shape == (3, 5, 5, 3)
    assert data.load(source, size=20, channels=1).train.shape == (3, 20, 20)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((4, 8, 8), np.int32)}, "must be uint8, or floating point.*got int32"),
        ({"x": np.zeros((4, 8, 8, 2), np.uint8)}, r"must be \(n, H, W\).*got shape \(4, 8, 8, 2\)"),
        ({"x": np.zeros((8, 8), np.uint8)}, r"got shape \(8, 8\)"),
        ({"x": np.zeros((0, 8, 8), np.uint8)}, "at least one image"),
        ({"x": np.full((4, 8, 8), np.nan)}, "NaN or infinite"),
        ({"x": np.full((4, 8, 8), 255.0)}, r"must lie in \[-1, 1\].*rescale"),
        ({"x": np.array([None, 1])}, "cannot be read as an .npz archive of plain arrays"),
        ({"x": np.zeros((1, 8, 8), np.uint8)}, "at least 2 different sources; got 1"),
        ({"a": np.zeros(1), "b": np.zeros(1)}, r"must hold `train` and `test`.*\['a', 'b'\]"),
        ({}, "it holds"),
    ],
)
def test_npz_says_what_is_wrong(archive, arrays, message):
    with pytest.raises(ValueError, match=message):
        data.load(archive(**arrays), size=8)


def test_npz_that_is_no_archive(tmp_path):
    file = tmp_path / "images.npz"
    file.write_bytes(b"PK not really")
    with pytest.raises(ValueError, match="cannot be read"):
        data.npz(file)
    with pytest.raises(ValueError, match="is a folder"):
        data.npz(tmp_path)


@pytest.mark.skipif(not CIFAR.exists(), reason="needs a subset of CIFAR-10 beside the repository")
def test_npz_of_real_images():
    images = data.load(f"npz:{CIFAR}", size=32, limit=100)
    assert images.train.shape == (100, 32, 32, 3)
    assert 0.2 < images.train.std() < 0.8


def fake_hub(monkeypatch, splits):
    module = types.ModuleType("datasets")
    module.load_dataset = lambda name, config=None: splits
    monkeypatch.setitem(sys.modules, "datasets", module)


def rows(count):
    return [{"label": i, "picture": Image.fromarray(pixels(10, 12, 3))} for i in range(count)]


def test_hub_with_a_published_split(monkeypatch):
    fake_hub(monkeypatch, {"train": rows(4), "validation": rows(2)})
    images = data.load("hf:someone/pictures", size=8)
    assert images.train_sources == ("train/0", "train/1", "train/2", "train/3")
    assert images.held_out.shape == (2, 8, 8, 3)


def test_hub_with_one_split(monkeypatch):
    fake_hub(monkeypatch, {"train": rows(4)})
    images = data.load("hf:someone/pictures:small", size=8, channels=1)
    assert (len(images.train), len(images.held_out)) == (3, 1)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({}, "no rows"),
        ({"train": []}, "no rows"),
        ({"train": [{"text": "a"}] * 3}, r"no image column.*\['text'\]"),
    ],
)
def test_hub_says_what_is_wrong(monkeypatch, splits, message):
    fake_hub(monkeypatch, splits)
    with pytest.raises(ValueError, match=message):
        data.load("hf:someone/pictures", size=8)


def test_hub_reports_a_failed_download(monkeypatch):
    fake_hub(monkeypatch, {})

    def fail(name, config=None):
        raise ConnectionError("no route")

    monkeypatch.setattr(sys.modules["datasets"], "load_dataset", fail)
    with pytest.raises(ValueError, match="could not load 'someone/pictures': no route"):
        data.load("hf:someone/pictures")


@pytest.mark.parametrize(
    ("module", "source", "extra"), [("datasets", "hf:a/b", "hub"), ("PIL.Image", "photos", "photos")]
)
def test_missing_library_names_the_extra(monkeypatch, module, source, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install 'lift-theory\[{extra}\]'"):
        data.load(source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("photo", "did you mean 'photos'"),
        ("digit", "did you mean 'digits'"),
        ("fodler:x", "did you mean 'folder'"),
        ("photos:64", "unknown image source 'photos:64'"),
        ("", "unknown image source ''"),
        ("folder:", "does not say which data"),
        ("npz", "does not say which data"),
        ("npz:nowhere.npz", "is missing"),
    ],
)
def test_unknown_sources(source, message):
    with pytest.raises(ValueError, match=message):
        data.load(source)


@given(
    st.sampled_from(
        [
            *[("size", value) for value in (0, -3, 8.0, "8", None, True, np.nan)],
            *[("channels", value) for value in (0, 2, 4, -1, 1.0, "rgb", None, True)],
            *[("held_out", value) for value in (0, 1, 0.0, 1.0, -0.1, np.nan, np.inf, "half", None, True)],
            *[("seed", value) for value in (-1, 0.5, None, "x", True)],
            *[("limit", value) for value in (0, -1, 1.5, "x", True)],
        ]
    ),
    st.sampled_from(["photos", "digits"]),
)
@settings(deadline=None)
def test_bad_arguments_are_named(bad, source):
    name, value = bad
    with pytest.raises((ValueError, TypeError), match=f"`{name}` must be"):
        data.load(source, **{name: value})


@given(size=st.integers(9, 40), channels=st.sampled_from([1, 3]), seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=15)
def test_any_size_and_seed_works(size, channels, seed):
    images = data.load("photos", size=size, channels=channels, seed=seed, limit=3)
    assert images.train.shape == (3, size, size) + (() if channels == 1 else (3,))
    assert len(set(images.held_out_sources)) <= 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"downscale": ()}, "at least one factor"),
        ({"downscale": (0,)}, "`downscale` must be an integer of at least 1"),
        ({"downscale": (1.5,)}, "`downscale` must be an integer"),
        ({"overlap": 1.0}, r"`overlap` must be in \[0, 1\)"),
        ({"overlap": np.nan}, r"`overlap` must be in \[0, 1\)"),
    ],
)
def test_bad_patches(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        data.photographs(32, **options)


def images(**change):
    """A valid pair of parts, with changes."""
    part = np.zeros((2, 4, 4), np.float32)
    given = {"train": part, "held_out": part, "train_sources": ("a", "b"), "held_out_sources": ("c", "d")}
    return data.Images(**{**given, "name": "x", "license": "", "preparation": "", **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"held_out_sources": ("c", "a")}, "must not share a source; both have 'a'"),
        ({"train_sources": ("a",)}, "one source per image, 2; got 1"),
        ({"train": np.full((2, 4, 4), np.nan, np.float32)}, r"must lie in \[-1, 1\]"),
        ({"train": np.full((2, 4, 4), 1.5, np.float32)}, r"must lie in \[-1, 1\]"),
        ({"train": np.zeros((2, 4, 4))}, "must be float32.*got float64"),
        ({"train": np.zeros((2, 4, 5), np.float32)}, r"got float32 of shape \(2, 4, 5\)"),
        ({"train": np.zeros((2, 6, 6), np.float32)}, "images of one shape"),
    ],
)
def test_images_check_themselves(change, message):
    assert images().size == 4
    with pytest.raises(ValueError, match=message):
        images(**change)
