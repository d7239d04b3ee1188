"""Code blocks of the documents: run in order, as a reader would, and held to what the page says they print."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

BLOCK = re.compile(
    r"^(?:% needs (?P<needs>\w+)\n)?```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```)?",
    re.DOTALL | re.MULTILINE,
)
"""A Python block, the library that it needs if not all readers have it, and a block of text right below."""
DECIMAL = re.compile(r"-?\d+\.\d+")
FENCE = re.compile(r"^ *(`{3,}) *([^`\n]*)\n(.*?)^ *\1 *$", re.DOTALL | re.MULTILINE)
SHELL = {"bash", "console", "sh"}


def documents(root: Path) -> list[Path]:
    """Everything written by hand for readers, and nothing that the build writes."""
    written = [file for file in (root / "docs").rglob("*.md") if not {"_build", "generated"} & {*file.parts}]
    return sorted([root / "README.md", root / "CONTRIBUTING.md", *written])


def fences(text: str) -> list[tuple[str, str]]:
    """Language and contents of all blocks of a document."""
    return [(language.strip(), body) for _, language, body in FENCE.findall(text)]


def blocks(file: Path, language: str) -> list[str]:
    """The contents of all blocks of one language."""
    return [body for named, body in fences(file.read_text()) if named == language]


def run(file: Path, *, compare: bool = True) -> None:
    """Run the Python blocks of a page one after the other in the current folder.

    Args:
        file: the page.
        compare: whether what a block prints must be shown in a block of text below it, nothing more and nothing less.
    """
    text, names = file.read_text(), {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        if block["needs"] and importlib.util.find_spec(block["needs"]) is None:
            continue
        line = text.count("\n", 0, block.start("code"))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * line + block["code"], str(file), "exec"), names)
        if compare:
            agree(printed.getvalue(), block["shown"] or "", f"{file.name}, line {line + 1}")


def agree(printed: str, shown: str, where: str) -> None:
    """Fail unless the texts are equal, but for decimals that differ by one in their last digit.

    Another processor rounds the other way now and then.
    """
    told = f"{where} prints\n{printed}\nbut shows\n{shown}"
    assert DECIMAL.split(printed) == DECIMAL.split(shown), told
    for found, written in zip(DECIMAL.findall(printed), DECIMAL.findall(shown), strict=True):
        digits = len(written.partition(".")[2])
        assert len(found.partition(".")[2]) == digits, told
        assert abs(float(found) - float(written)) <= 1.01 * 10.0**-digits, told
