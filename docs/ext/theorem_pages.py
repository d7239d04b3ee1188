"""Write a page for every theorem from its own file, after running its proof and its test.

Pages go to `theorems/generated`. Nothing on them is typed twice: words, formulas, assumptions and steps come from
the theorem, its status from running it now. A theorem whose check fails, that has no test, or that cites
an unknown source stops the build.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import sympy
from pybtex.database import parse_file
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from theorem_checks import Examination, basis, examine_all, refusals
from theorem_graph import drawing

from lift_theory.theorems import _theorem
from lift_theory.theorems._theorem import Cited, Earlier, Step, Symbolic, Theorem

STATUS = {
    "proved": "Proved",
    "checked": "Checked, resting on cited results",
    "failed": "Failed",
}
"""How a status is shown."""

INDEX = "[A-Za-z0-9α-ωΑ-Ω]"  # what may stand in a subscript
LARGEST = 100  # an identity between expressions of more nodes than this is not displayed


def prose(text: str) -> str:
    """Turn plain text into MyST: subscripts and exponents raised, code kept, everything else literal."""
    pieces = re.split(r"(`[^`\n]+`)", text)
    return "".join(piece if i % 2 else _inline(piece) for i, piece in enumerate(pieces))


def title(theorem: Theorem) -> str:
    """The first sentence of the docstring, without its full stop."""
    return prose(theorem.words.splitlines()[0].removesuffix("."))


def words(theorem: Theorem) -> str:
    """The rest of the docstring; what is indented there is set apart."""
    paragraphs = [p for p in theorem.words.split("\n\n")[1:] if p.strip()]
    return "\n\n".join(
        "\n".join(("> " if line.startswith("    ") else "") + prose(line.strip()) for line in p.splitlines())
        for p in paragraphs
    )


def citation(step: Cited) -> str:
    """A reference with its locator."""
    return f"{{cite:t}}`{step.reference}`, {prose(step.locator)}"


def link(theorem: Theorem) -> str:
    """A link to the page of `theorem`, in the words of its first sentence."""
    return f"{{doc}}`/theorems/generated/{theorem.name}`"


def status(theorem: Theorem) -> str:
    """What running the proof gave, in a sentence or two."""
    report = theorem.report()
    if not report.holds:
        return f"{report.verdicts.count(False)} of {len(report.verdicts)} steps fail."
    counts = {
        "symbolic": "{} symbolic",
        "50 digits": "{} to 50 digits",
        "earlier theorem": "{} by an earlier theorem",
    }
    run = [
        text.format(n) for kind, text in counts.items() if (n := sum(s.kind == kind for s in report.steps))
    ]
    said = f"These steps were run when this page was built, and hold: {', '.join(run)}."
    if report.cited:
        said += " Taken from the literature, not run: " + "; ".join(citation(c) for c in report.cited) + "."
    return said


def page(theorem: Theorem, used_by: Sequence[Theorem], quoted_in: Sequence[str], seen: Examination) -> str:
    """The whole page of one theorem."""
    report = theorem.report()
    name = theorem.name
    parts = [
        f"# {title(theorem)}",
        f":::{{admonition}} {STATUS[report.status]}\n:class: status {report.status}\n\n{status(theorem)}\n:::",
        words(theorem),
        "## Statement",
        "Assumed:",
        "\n".join(f"- {prose(line)}" for line in theorem.statement.assumptions),
        "Then",
        *(f"$$\n{theorem.statement.latex(claim.name)}\n$$" for claim in theorem.statement.claims),
        "with",
        "\n".join(f"- ${_symbol(v)}$: {prose(v.meaning)}" for v in theorem.statement.variables),
        "## Proof",
        "\n".join(
            _step(number, step, verdict)
            for number, (step, verdict) in enumerate(zip(report.steps, report.verdicts, strict=True), start=1)
        ),
        "## Test",
        f"`tests/theorems/test_{name}.py` compares the statement with a route that shares no formula with the "
        f"proof. {prose(seen.route)}",
        f"Test and proof were also given {len(seen.mutants)} wrong versions of the statement (a term dropped, "
        "a sign turned, a factor doubled). " + _verdict_on_mutants(seen),
        _folded("the wrong versions", "\n".join(f"- `{what}`" for what in seen.mutants)),
        "## Connections",
        _connections(theorem, used_by, quoted_in),
        "## Files",
        _source(f"lift_theory/theorems/{name}.py"),
        _source(f"tests/theorems/test_{name}.py"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def overview(theorems: Sequence[Theorem]) -> str:
    """The list of all theorems and the table of contents behind it."""
    entries = [f"{link(t)}\n: `{t.name}`. {STATUS[t.report().status]}.\n" for t in theorems]
    toc = ["```{toctree}", ":hidden:", "", *(f"/theorems/generated/{t.name}" for t in theorems), "```"]
    return "\n".join([*entries, *toc, ""])


def graph(theorems: Sequence[Theorem]) -> str:
    """The drawing of what rests on what."""
    return drawing(
        {t.name: [earlier.name for earlier in basis(t)] for t in theorems},
        {t.name: t.words.splitlines()[0] for t in theorems},
        {t.name for t in theorems if t.report().status == "proved"},
    )


def quotations(folder: Path) -> dict[str, list[str]]:
    """Which chapters quote which theorem."""
    found: dict[str, list[str]] = {}
    for file in sorted(folder.glob("*.md")):
        for name in re.findall(r"^```\{claim\} (\w+)", file.read_text(), re.MULTILINE):
            found.setdefault(name, []).append(f"/{folder.name}/{file.stem}")
    return found


def write(folder: Path, contents: Mapping[str, str]) -> None:
    """Bring `folder` to `contents`; files that are right already keep their time stamp."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in {file.name for file in folder.iterdir()} - set(contents):
        (folder / stale).unlink()
    for name, text in contents.items():
        file = folder / name
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def build(app: Sphinx) -> None:
    """Run every proof and test, refuse what does not hold, write the pages."""
    theorems = _theorem.catalogue()
    examined = examine_all(theorems, Path(app.doctreedir) / "theorems")
    keys = {
        key for file in app.config.bibtex_bibfiles for key in parse_file(str(Path(app.srcdir) / file)).entries
    }
    found = [line for t in theorems for line in refusals(t, examined.get(t.name), keys)]
    if found:
        raise ExtensionError("the theorems do not hold together:\n  " + "\n  ".join(found))
    chapters = quotations(Path(app.srcdir) / "theory")
    pages = {
        f"{t.name}.md": page(
            t,
            [later for later in theorems if t in basis(later)],
            chapters.get(t.name, []),
            examined[t.name],
        )
        for t in theorems
    }
    extra = {"_overview.md": overview(theorems), "_graph.svg": graph(theorems)}
    write(Path(app.srcdir) / "theorems" / "generated", pages | extra)


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for them."""
    app.connect("builder-inited", build)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(text: str) -> str:
    marked = re.sub(r"(?<![*\w])\*(\w[\w -]*)\*(?![*\w])", "\4\\1\4", text)
    marked = re.sub(
        rf"(?<![A-Za-z0-9_])((?:mmse|[^\W\d_]|∂)'?)_(?:({INDEX}+)|\(([^()]*)\))(?!{INDEX}|_)",
        lambda m: f"{m[1]}\0{m[2] or m[3]}\1",
        marked,
    )
    marked = re.sub(r"\^\(([^()]*)\)|\^(-?\w)", lambda m: f"\2{m[1] or m[2]}\1", marked)
    literal = re.sub(r"([\\`*_\[\]{}<>$|#~^])", r"\\\1", marked)
    for mark, written in {"\0": "{sub}`", "\1": "`", "\2": "{sup}`", "\4": "*"}.items():
        literal = literal.replace(mark, written)
    return literal


def _symbol(variable: _theorem.Variable) -> str:
    return variable.tex or sympy.latex(getattr(variable.symbol, "label", variable.symbol))


def _step(number: int, step: Step, verdict: bool) -> str:
    outcome = "holds" if verdict else "FAILS"
    if isinstance(step, Cited):
        outcome = "trusted"
    lines = [f"[{step.kind}, {outcome}]{{.step .{step.kind.split()[-1]}}} {prose(step.says)}"]
    if step.instance:
        lines.append(f"For example: {prose(step.instance)}.")
    if isinstance(step, Earlier):
        lines.append(f"See {link(step.theorem)}.")
    if isinstance(step, Cited):
        lines.append(f"Source: {citation(step)}.")
    if isinstance(step, Symbolic) and (identity := _identity(step)):
        lines.append("\n" + _folded("the identity", f"$$\n{identity}\n$$") + "\n")
    indent = " " * (len(str(number)) + 2)
    return f"{number}. " + "\n".join(lines).replace("\n", f"\n{indent}")


def _identity(step: Symbolic) -> str:
    sides = [sympy.sympify(step.left), sympy.sympify(step.right)]
    if any(sum(1 for _ in sympy.preorder_traversal(side)) > LARGEST for side in sides):
        return ""
    names = {symbol: _upright(symbol) for side in sides for symbol in side.free_symbols}
    left, right = (sympy.latex(side, symbol_names=names) for side in sides)
    return f"{left} = {right}" if left != right else ""


def _upright(symbol: sympy.Basic) -> str:
    """Typeset a name of several letters as one word, and an expectation as one."""
    name, tex = str(symbol), sympy.latex(symbol)
    if "[" in name:
        return name.replace("E[", r"\mathbb{E}[")
    return rf"\mathrm{{{name}}}" if tex == name and len(name) > 1 else tex


def _verdict_on_mutants(seen: Examination) -> str:
    past = sorted({*seen.past_proof, *seen.past_test})
    return f"{len(past)} were accepted." if past else "Both rejected them all."


def _folded(summary: str, body: str) -> str:
    opening = f"```{{raw}} html\n<details><summary>{summary}</summary>\n```"
    return f"{opening}\n\n{body}\n\n```{{raw}} html\n</details>\n```"


def _source(path: str) -> str:
    code = f"```{{literalinclude}} ../../../{path}\n:language: python\n```"
    return _folded(f"<code>{path}</code>", code)


def _connections(theorem: Theorem, used_by: Sequence[Theorem], quoted_in: Sequence[str]) -> str:
    own = [citation(step) for step in theorem.steps if isinstance(step, Cited)]
    rows = {
        "Rests on": [link(t) for t in basis(theorem)],
        "Used by": [link(t) for t in used_by],
        "Quoted in": [f"{{doc}}`{chapter}`" for chapter in quoted_in],
        "References": own,
    }
    return "\n\n".join(f"{head}\n: " + "\n: ".join(items) for head, items in rows.items() if items)
