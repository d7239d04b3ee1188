"""What is in the package and where to start; with the name of a theorem, its statement and proof."""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import io
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import lift_theory as lt

PACKAGE = Path(__file__).resolve().parent
GROUPS = {
    "Data laws": ("laws",),
    "Representations": ("representations",),
    "Models": ("gaussian", "measured", "mixtures"),
    "Error surfaces": ("surfaces", "plotting"),
    "Paths": ("paths", "controls", "bounds"),
    "Best paths": ("optimize",),
    "Samplers and their exact errors": ("sampling",),
    "How many clocks, and where to cut": ("design",),
    "Published schedules": ("schedules",),
}
"""Titles of the API pages, and the modules whose public names they hold."""
COMMANDS = "python -m experiments."


def groups() -> dict[str, list[str]]:
    """The public names under the titles of the API pages."""
    title = {module: group for group, modules in GROUPS.items() for module in modules}
    found: dict[str, list[str]] = {group: [] for group in GROUPS}
    for name in lt.__all__:
        found.setdefault(title.get(getattr(lt, name).__module__.split(".")[1], "More"), []).append(name)
    return found


def theorems() -> dict[str, str]:
    """Name and words of every theorem, read without running it: no symbolic algebra is imported."""
    files = sorted((PACKAGE / "theorems").glob("[!_]*.py"))
    return {file.stem: _docstring(file) for file in files}


def experiments() -> dict[str, str]:
    """Command and question of every experiment of the clone that this package lies in; none where it is installed."""
    if not (PACKAGE.parent / "pyproject.toml").is_file():
        return {}
    files = sorted((PACKAGE.parent / "experiments").glob("*/__main__.py"))
    return {COMMANDS + file.parent.name: _docstring(file.with_name("__init__.py")) for file in files}


def overview(width: int) -> list[str]:
    """All of the above in lines of at most `width` characters, but for names that are longer."""
    lines = [f"lift_theory {lt.__version__}", *_wrapped(_first(lt.__doc__), width), ""]
    lines += _wrapped(
        'Start: in a clone, "make -C docs html" builds the documentation; open docs/_build/html/index.html at '
        '"Tutorial" or "How-tos". In Python, "import lift_theory as lt" and then help(lt.NAME).',
        width,
    )
    for title, names in groups().items():
        lines += ["", title, *_listed({name: _first(getattr(lt, name).__doc__) for name in names}, width)]
    lines += ["", *_wrapped('Theorems ("python -m lift_theory NAME" shows one and runs its proof)', width)]
    lines += _listed({name: _first(words) for name, words in theorems().items()}, width)
    lines += ["", "Commands"]
    lines += _listed({command: _first(words) for command, words in experiments().items()}, width)
    lines += _listed(
        {"python -m lift_train": "Train, sample, measure and evaluate networks; see --help."}, width
    )
    return lines


def statement(name: str, width: int) -> list[str]:
    """Words, assumptions, formulas and proof of a theorem; every step of the proof is run."""
    theorem = importlib.import_module(f"lift_theory.theorems.{name}").theorem
    report = theorem.report()
    lines = [name, ""]
    for paragraph in theorem.words.split("\n\n"):
        formula = paragraph.startswith("    ")
        lines += [*(paragraph.splitlines() if formula else _wrapped(paragraph, width)), ""]
    lines.append("Assumed")
    for assumption in theorem.statement.assumptions:
        lines += _wrapped(assumption, width, "- ")
    lines += ["", "Then"]
    for claim in theorem.statement.claims:
        lines += _wrapped(f"{claim.left} {claim.relation} {claim.right}", width, "  ")
    lines += ["", "with"]
    lines += _listed({v.name: v.meaning for v in theorem.statement.variables}, width)
    lines += ["", f"Proof: {report.status}"]
    for number, (step, verdict) in enumerate(zip(report.steps, report.verdicts, strict=True), start=1):
        outcome = "trusted" if step.kind == "cited" else "holds" if verdict else "FAILS"
        lines += _wrapped(f"[{step.kind}, {outcome}] {step.says}", width, f"{number}. ")
    return lines


def main(words: Sequence[str] | None = None) -> None:
    """Print the overview, or the theorems that are asked for.

    Raises:
        SystemExit: for a theorem that does not exist, or if SymPy or mpmath is missing.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lift_theory", description="What is in this package, and where to start."
    )
    parser.add_argument(
        "theorem", nargs="*", help="names of theorems to state and prove; the overview if none"
    )
    names = parser.parse_args(words).theorem
    if unknown := [name for name in names if name not in theorems()]:
        parser.error(f"no theorem is called {unknown[0]!r}; there are {', '.join(theorems())}")
    width = min(max(shutil.get_terminal_size((100, 24)).columns, 40), 110)
    try:
        lines = [line for name in names for line in (*statement(name, width), "")] or overview(width)
    except ModuleNotFoundError as error:
        if error.name not in ("sympy", "mpmath"):
            raise
        parser.error(f"theorems need {error.name}; install the extra: pip install 'lift-theory[theorems]'")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # terminals without Greek letters
    print("\n".join(lines).rstrip())


def _docstring(file: Path) -> str:
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def _first(words: str | None) -> str:
    """The first line of a docstring."""
    return inspect.cleandoc(words or "").partition("\n")[0].replace("`", "")


def _wrapped(text: str, width: int, bullet: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _listed(entries: dict[str, str], width: int) -> Iterable[str]:
    """Names in one column and what they are in the next, or below where there is no room."""
    column = max(map(len, entries), default=0) + 4
    for name, text in entries.items():
        if column <= width // 2:
            yield from _wrapped(text, width, f"  {name}".ljust(column))
        else:
            yield f"  {name}"
            yield from _wrapped(text, width, " " * 6)


if __name__ == "__main__":
    main()
