"""The tutorial and the how-tos run and print what they say; the gallery, which the documentation runs, is in order."""

import re
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from pages import blocks, run
from PIL import Image

import lift_theory as lt
from docs.ext import gallery

DOCS = Path(__file__).resolve().parents[1] / "docs"
GALLERY = sorted((DOCS / "gallery").glob("*.py"))
HOWTOS = sorted((DOCS / "howto").glob("[!i]*.md"))


def draw_images(folder: Path) -> None:
    """A reader's pictures: Gaussian fields, as PNG files."""
    folder.mkdir()
    fields = lt.Spectrum.power_law((3, 40, 40), exponent=2.2, variance=0.1).sample(40, seed=7)
    for i, field in enumerate(np.clip(127.5 + 127.5 * fields, 0, 255).astype(np.uint8)):
        Image.fromarray(field).save(folder / f"{i:02d}.png")


@pytest.fixture
def images(tmp_path, monkeypatch):
    """The folder that the pages call `my-images`, in the folder where they are run."""
    monkeypatch.chdir(tmp_path)
    draw_images(tmp_path / "my-images")


@pytest.mark.parametrize(
    ("page", "agrees"),
    [
        (
            "```python\nx = 1\n```\n\n```python\nprint(f'{x:.2f} nats')\n```\n\n```text\n1.00 nats\n```\n",
            True,
        ),
        ("```python\nprint('1.00 nats')\n```\n\n```text\n1.01 nats\n```\n", True),  # rounding
        ("```python\nprint('1.00 nats')\n```\n\n```text\n1.02 nats\n```\n", False),
        ("```python\nprint('1.00 nats')\n```\n\n```text\n1.0 nats\n```\n", False),
        ("```python\nprint('10 nats')\n```\n\n```text\n11 nats\n```\n", False),
        ("```python\nprint('1.00 nats')\n```\n\nWords between.\n\n```text\n1.00 nats\n```\n", False),
        ("```python\nprint('1.00 nats')\n```\n", False),
        ("```python\npass\n```\n\n```text\n1.00 nats\n```\n", False),
        ("% needs no_such_library\n```python\nimport no_such_library\n```\n", True),
    ],
)
def test_a_page_that_shows_something_else_is_noticed(tmp_path, page, agrees):
    file = tmp_path / "page.md"
    file.write_text(f"# Title\n\n{page}")
    with nullcontext() if agrees else pytest.raises(AssertionError, match="but shows"):
        run(file)


def test_a_failing_block_is_found_by_its_line(tmp_path):
    file = tmp_path / "page.md"
    file.write_text("# Title\n\n```python\nx = 1\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as failure:
        run(file)
    assert (failure.traceback[-1].path, failure.traceback[-1].lineno + 1) == (file, 5)


def test_the_tutorial_ends_with_a_picture_of_the_readers_images(images):
    run(DOCS / "tutorial.md")
    picture = Path("my-path.svg").read_text()
    assert picture.count("best (10 steps)") == picture.count("lock-step (10 steps)") == 1


@pytest.mark.parametrize("page", HOWTOS, ids=lambda page: page.stem)
def test_a_howto_does_what_it_says(page, images):
    assert blocks(page, "python")
    run(page)


@pytest.mark.parametrize("example", GALLERY, ids=lambda example: example.stem)
def test_an_example_is_short_and_asserts_what_it_finds(example):
    code = example.read_text()
    assert len(code.splitlines()) < 25
    assert gallery.words(example)[0].endswith(".")
    assert re.search("^ *assert ", code, re.MULTILINE)


def test_an_example_is_drawn(tmp_path):
    [example] = [example for example in GALLERY if example.stem == "cone"]
    figure = gallery.draw(example, tmp_path)
    assert figure.read_text().count("<!-- log-SNR of the high band (nats) -->") == 1
    assert gallery.words(example)[0] in gallery.page([(example, figure)])


@pytest.mark.parametrize(("code", "error"), [("assert 1 > 2", AssertionError), ("", FileNotFoundError)])
def test_an_example_that_fails_or_draws_nothing_stops_the_build(tmp_path, code, error):
    example = tmp_path / "wrong.py"
    example.write_text(code)
    (tmp_path / "wrong.svg").write_text("an older figure")
    with pytest.raises(error):
        gallery.draw(example, tmp_path)
