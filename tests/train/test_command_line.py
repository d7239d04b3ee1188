"""The command line as a user types it."""

import json
import shutil

import numpy as np
import pytest

import lift_theory as lt
from lift_train.__main__ import main


def run(*words):
    main([str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of a few updates on digits."""
    folder = tmp_path_factory.mktemp("command") / "run"
    run(
        *("train", "--out", folder, "--data", "digits", "--size", 8, "--channels", 1, "--network", "tiny"),
        *(
            "--steps",
            6,
            "--batch",
            8,
            "--save-every",
            3,
            "--evaluate-every",
            6,
            "--log-every",
            3,
            "--ema",
            0.9,
        ),
        *("--noise.low", -6, "--noise.high", 6),
    )
    return folder


def test_train_measure_sample_evaluate(trained, tmp_path, capsys):
    surface = tmp_path / "deep" / "surface.nc"
    run(
        *("measure", "--run", trained, "--out", surface, "--points", 4, "--n", 16, "--steps", 5),
        *("--low", -5, "--high", 5),
    )
    path = surface.with_suffix(".path.json")
    assert lt.Path.load(path).steps == 5
    archive = tmp_path / "samples.npz"
    run("sample", "--run", trained, "--path", path, "--n", 5, "--out", archive, "--sampler", "heun")
    stored = np.load(archive)
    assert stored["images"].shape == (5, 8, 8)
    np.testing.assert_array_equal(stored["logsnr"], lt.Path.load(path).logsnr)
    assert archive.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    distances = tmp_path / "distances.json"
    run("evaluate", "--run", trained, "--samples", archive, "--out", distances, "--features", "pixels")
    assert [d["name"][:2] for d in json.loads(distances.read_text())] == ["FD", "KD"]
    told = capsys.readouterr().out
    assert "5 images of 10 calls each" in told
    assert "95 % interval" in told


def test_a_run_is_reused_as_settings(trained, tmp_path):
    for i, like in enumerate((("--like", trained), (f"--like={trained}",))):
        run("train", *like, "--out", tmp_path / str(i), "--steps", 2, "--ema", 0.5)
        before, now = (
            json.loads((folder / "config.json").read_text()) for folder in (trained, tmp_path / str(i))
        )
        assert {name for name in now if now[name] != before[name]} == {"steps", "ema"}


def test_other_images_than_those_of_the_run_are_refused(trained, tmp_path, capsys):
    facts = json.loads((trained / "run.json").read_text())
    facts["data"]["sha256"] = "0" * 64
    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    (copy / "run.json").write_text(json.dumps(facts))
    with pytest.raises(SystemExit):
        run("measure", "--run", copy)
    assert "does not give the images" in capsys.readouterr().err


def test_a_path_is_found_where_none_is_given(trained, tmp_path, capsys):
    run("sample", "--run", trained, "--steps", 4, "--n", 2, "--out", tmp_path / "s.npz", "--ema", "raw")
    assert np.load(tmp_path / "s.npz")["logsnr"].shape == (5, 2)
    assert "best 4 steps on the spectrum of the training images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("sample", "--run", "nowhere"), "does not exist; name the folder of a run"),
        (("train", "--out", "x", "--data", "fotos"), "did you mean 'photos'?"),
        (("train", "--out", "x", "--noise.low", "3", "--noise.high", "2"), "low must lie below high"),
        (("train", "--like", "nowhere", "--out", "x"), "does not exist"),
        (("measure", "--run", "nowhere", "--points", "2"), "points must be at least 4"),
    ],
)
def test_bad_input_ends_with_its_message(tmp_path, monkeypatch, capsys, words, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        run(*words)
    assert stop.value.code == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_help_explains_every_option(capsys):
    for command in ("train", "sample", "measure", "evaluate"):
        with pytest.raises(SystemExit) as stop:
            run(command, "--help")
        assert stop.value.code == 0
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())  # tyro draws boxes
    for words in (
        "Updates between checkpoints.",
        "a stream of random numbers",
        "Log-SNRs of each scale.",
        "EfficientNet",
    ):
        assert words in told
