"""`python -m lift_theory`: nothing public left out, grouped as on the API pages, and as wide as the terminal."""

import re
from pathlib import Path

import pytest

import lift_theory as lt
from lift_theory import __main__ as overview
from lift_theory.theorems import _theorem

ROOT = Path(__file__).resolve().parents[1]


def told(capsys, monkeypatch, *words, width=70):
    monkeypatch.setenv("COLUMNS", str(width))
    overview.main(words)
    return capsys.readouterr().out.splitlines()


def test_names_are_grouped_as_on_the_api_pages():
    pages = {}
    for file in (ROOT / "docs" / "api").glob("*.md"):
        text = file.read_text()
        for module, entries in re.findall(r"currentmodule:: (\S+)\n(.*?)```", text, re.DOTALL):
            names = re.findall(r"^\.\. auto\w+:: (\w+)$", entries, re.MULTILINE)
            pages.setdefault(text.partition("\n")[0].removeprefix("# "), []).extend(
                names if module == "lift_theory" else []
            )
    pages = {title: sorted(names) for title, names in pages.items() if names}
    assert {title: sorted(names) for title, names in overview.groups().items()} == pages
    assert sorted(name for names in pages.values() for name in names) == sorted(lt.__all__)


def test_theorems_and_experiments_are_all_named():
    catalogue = {theorem.name: theorem.words for theorem in _theorem.catalogue()}
    assert overview.theorems() == catalogue
    folders = {file.parent.name for file in (ROOT / "experiments").glob("*/__main__.py")}
    assert {command.rpartition(".")[2] for command in overview.experiments()} == folders


@pytest.mark.parametrize("width", [40, 70, 110])
def test_lines_fit_the_terminal(capsys, monkeypatch, width):
    lines = told(capsys, monkeypatch, width=width)
    text = " ".join(" ".join(lines).split())
    assert all(
        len(line) <= width or len(line.split()) == 1 or line.startswith("  python -m") for line in lines
    )
    for name in (*lt.__all__, *overview.theorems(), *overview.experiments()):
        assert name in text
    assert overview._first(lt.error_surface.__doc__) in text


def test_a_theorem_is_stated_and_proved(capsys, monkeypatch):
    lines = told(capsys, monkeypatch, "equal_information_lead")
    [theorem] = [t for t in _theorem.catalogue() if t.name == "equal_information_lead"]
    text = " ".join(" ".join(lines).split())
    assert f"Proof: {theorem.report().status}" in lines
    assert sum("holds]" in line or "trusted]" in line for line in lines) == len(theorem.steps)
    for claim in theorem.statement.claims:
        assert " ".join(str(claim.right).split()) in text
    for sentence in (theorem.words.splitlines()[0], *theorem.statement.assumptions):
        assert " ".join(sentence.split()) in text


def test_an_unknown_theorem_is_refused(capsys, monkeypatch):
    with pytest.raises(SystemExit):
        told(capsys, monkeypatch, "no_such_theorem")
    assert "there are ancestral_gaussian_law, " in capsys.readouterr().err


def test_missing_algebra_is_named(capsys, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'sympy'", name="sympy")

    monkeypatch.setattr(overview.importlib, "import_module", missing)
    with pytest.raises(SystemExit):
        told(capsys, monkeypatch, "equal_information_lead")
    assert "lift-theory[theorems]" in capsys.readouterr().err
