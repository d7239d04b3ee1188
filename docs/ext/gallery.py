"""Run the examples of `docs/gallery` and write them into one page: finding, picture, code.

An example is a script whose docstring begins with its finding, which it asserts, and which saves one figure under its
own name. It is run as a reader runs it and a failure stops the build, so no figure is older than the package. That is
all that is wanted of a gallery here; it takes these lines and no further dependency.
"""

from __future__ import annotations

import ast
import contextlib
import os
import runpy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def examples(folder: Path) -> list[Path]:
    """The scripts of a gallery."""
    return sorted(folder.glob("*.py"))


def words(example: Path) -> tuple[str, str]:
    """The finding of an example, and what its docstring says besides."""
    docstring = ast.get_docstring(ast.parse(example.read_text(encoding="utf-8"))) or ""
    finding, _, rest = docstring.partition("\n")
    return finding, rest.strip()


def draw(example: Path, folder: Path) -> Path:
    """Run an example and return the figure that it leaves in the folder.

    Raises:
        FileNotFoundError: if there is no figure of its name.
    """
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    with contextlib.chdir(folder), plt.rc_context({"figure.figsize": (6.4, 4.0), "figure.autolayout": True}):
        figure = Path(f"{example.stem}.svg")
        figure.unlink(missing_ok=True)
        try:
            runpy.run_path(os.fspath(example), run_name="__main__")
        finally:
            plt.close("all")
        if not figure.exists():
            raise FileNotFoundError(f"{example.name} must save its figure as {figure}")
    return folder / figure


def page(drawn: list[tuple[Path, Path]]) -> str:
    """Finding, picture and code of examples, given with their figures."""
    parts = []
    for example, figure in drawn:
        finding, rest = words(example)
        parts += [
            f"## {finding.removesuffix('.')}",
            rest,
            f"```{{figure}} /gallery/generated/{figure.name}\n:alt: {finding}\n```",
            f"```{{literalinclude}} /gallery/{example.name}\n:language: python\n```",
        ]
    return "\n\n".join(parts) + "\n"


def build(app: Sphinx) -> None:
    """Draw everything anew."""
    folder = Path(app.srcdir) / "gallery"
    target = folder / "generated"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    drawn = [(example, draw(example, target)) for example in examples(folder)]
    (target / "_examples.md").write_text(page(drawn), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Draw before Sphinx reads the pages."""
    app.connect("builder-inited", build)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
