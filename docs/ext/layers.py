"""The layers of the code, checked against its imports, and their picture and table for the page on the design.

Nothing here knows Sphinx but the last lines. `LAYERS` is the one place where the design is written: every module
belongs to one layer, imports from its own layer or from earlier ones, and there are no circles.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("lift_theory", "lift_train", "experiments")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Modules that may import each other and those of earlier layers.

    Attributes:
        title: what the picture calls it.
        holds: what it is for, in MyST.
        modules: modules or packages, with what lies in them.
    """

    title: str
    holds: str
    modules: tuple[str, ...]


def _theory(names: str) -> tuple[str, ...]:
    return tuple(f"lift_theory.{name}" for name in names.split())


LAYERS = (
    Layer(title="Theory", holds="{doc}`theorems <theorems/index>` with proofs", modules=_theory("theorems")),
    Layer(
        title="Ground",
        holds="checks of arguments, with their messages; how functions are compiled",
        modules=_theory("_validation compilation"),
    ),
    Layer(
        title="Data and scales",
        holds="{doc}`laws <api/laws>`, {doc}`representations <api/representations>`, and the closed forms of the two",
        modules=_theory("laws modes channels trees representations"),
    ),
    Layer(
        title="Models",
        holds="{doc}`what noise levels decide <api/models>`: information, errors, costs of steps",
        modules=_theory("gaussian fitting measured"),
    ),
    Layer(
        title="Paths",
        holds="{doc}`sequences of noise levels <api/paths>`, {doc}`published ones <api/schedules>`, the floor",
        modules=_theory("paths controls bounds schedules"),
    ),
    Layer(title="Search", holds="{doc}`best paths and proofs <api/optimize>`", modules=_theory("optimize")),
    Layer(
        title="Laws of samples",
        holds="{doc}`samplers and their exact errors <api/sampling>`; mixtures of Gaussians",
        modules=_theory("sampling mixtures"),
    ),
    Layer(
        title="Design",
        holds="{doc}`where to cut an image into bands <api/design>`",
        modules=_theory("design"),
    ),
    Layer(
        title="Surfaces",
        holds="{doc}`labelled arrays and pictures <api/surfaces>`",
        modules=_theory("surfaces plotting"),
    ),
    Layer(
        title="Names",
        holds="`import lift_theory as lt`; `python -m lift_theory`",
        modules=("lift_theory", "lift_theory.__main__"),
    ),
    Layer(
        title="Networks",
        holds="{doc}`data, training, sampling, measuring <training>`",
        modules=("lift_train",),
    ),
    Layer(
        title="Questions", holds="{doc}`experiments <experiments>`, one a module", modules=("experiments",)
    ),
)


def imports(file: Path, root: Path = ROOT) -> set[str]:
    """Absolute names of all modules that a file imports anywhere, also inside functions."""
    found = set()
    package = [*file.relative_to(root).parent.parts]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def member(module: str) -> str | None:
    """The entry of a layer that a module belongs to; nothing for modules of others."""
    known = {entry for layer in LAYERS for entry in layer.modules}
    inside = module.startswith("lift_theory.")  # a module of the package that no layer lists is an error
    while module not in known:
        module = module.rpartition(".")[0]
        if not module or (inside and module == "lift_theory"):
            return None
    return module


def unplaced(root: Path = ROOT) -> list[str]:
    """Modules that belong to no layer."""
    return sorted(name for name in _files(root) if member(name) is None)


def graph(root: Path = ROOT) -> dict[str, set[str]]:
    """What each entry of a layer imports, directly, of the others.

    A module that asks its own package for a name (`from lift_theory import __version__`) does not depend on what else
    the package collects.
    """
    files = _files(root)
    found: dict[str, set[str]] = {entry: set() for layer in LAYERS for entry in layer.modules}
    for name, file in files.items():
        here = member(name)
        if here is None:
            continue
        for target in imports(file, root):
            while target and target not in files:  # `from module import name`
                target = target.rpartition(".")[0]
            there = member(target) if target else None
            own_package = (
                there == "lift_theory" and name.startswith("lift_theory.") and here != "lift_theory.__main__"
            )
            if there is not None and there != here and not own_package:
                found[here].add(there)
    return found


def violations(imported: Mapping[str, set[str]]) -> list[str]:
    """Imports of a later layer, and circles."""
    place = {entry: i for i, layer in enumerate(LAYERS) for entry in layer.modules}
    wrong = [
        f"{here} ({LAYERS[place[here]].title}) imports {there} of the later layer {LAYERS[place[there]].title}"
        for here, targets in imported.items()
        for there in sorted(targets)
        if place[there] > place[here]
    ]
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        wrong.append("a circle: " + " imports ".join(reversed(error.args[1])))
    return wrong


def ordered(imported: Mapping[str, set[str]]) -> list[str]:
    """All entries, layer by layer, each after those it imports."""
    later = list(TopologicalSorter(imported).static_order())
    return [entry for layer in LAYERS for entry in sorted(layer.modules, key=later.index)]


def table() -> str:
    """The layers, in MyST."""
    rows = ["| layer | holds | modules |", "|---|---|---|"]
    for layer in LAYERS:
        names = ", ".join(f"`{entry.removeprefix('lift_theory.')}`" for entry in layer.modules)
        rows.append(f"| {layer.title} | {layer.holds} | {names} |")
    return "\n".join(rows) + "\n"


def first_line(entry: str, root: Path = ROOT) -> str:
    """The first line of the docstring of a module."""
    docstring = ast.get_docstring(ast.parse(_files(root)[entry].read_text(encoding="utf-8")))
    return (docstring or "").partition("\n")[0]


def _files(root: Path) -> dict[str, Path]:
    return {
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file
        for package in PACKAGES
        for file in sorted((root / package).rglob("*.py"))
    }


def build(app: Sphinx) -> None:
    """Write picture and table, or stop at what the imports have against them."""
    from sphinx.errors import ExtensionError
    from theorem_graph import drawing
    from theorem_pages import write

    imported = graph()
    wrong = [f"{name} belongs to no layer" for name in unplaced()] + violations(imported)
    if wrong:
        raise ExtensionError("the layers of docs/ext/layers.py do not hold:\n  " + "\n  ".join(wrong))
    entries = ordered(imported)
    picture = drawing(
        {entry: sorted(imported[entry]) for entry in entries},
        {entry: first_line(entry) for entry in entries},
        filled=set(entries),
        link="",
        verb="imports",
        groups={entry: layer.title for layer in LAYERS for entry in layer.modules},
    )
    write(Path(app.srcdir) / "generated", {"_layers.svg": picture, "_layers.md": table()})


def setup(app: Sphinx) -> dict[str, bool]:
    """Draw before Sphinx reads the page."""
    app.connect("builder-inited", build)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
