"""Write pages from the published runs in `results/`: their answers, tables, figures and rulings, nothing typed twice.

Every section of a report whose anchor begins with `finding-` becomes a page of its own. What a sentence links to (a
section, a finding, a theorem) is linked here, too; a link that leads nowhere stops the build.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from theorem_pages import write

from lift_theory.theorems import _theorem

FINDING = "finding-"
THEOREM = "theorem-"
THEOREMS = frozenset(theorem.name for theorem in _theorem.catalogue())
LINK = re.compile(r"\[([^\]]+)\]\(#([\w-]+)\)")
CODE = re.compile(r"(`[^`\n]+`)")


def marked(text: str, run: str) -> str:
    """A sentence of a report in MyST: code and links kept, everything else literal."""
    pieces = LINK.split(text)  # words, then label and anchor of a link, in turn
    result = [_literal(pieces[0])]
    for label, anchor, after in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        if anchor.startswith(THEOREM):
            result.append(f"{{doc}}`{label} </theorems/generated/{anchor.removeprefix(THEOREM)}>`")
        else:
            result.append(f"{{ref}}`{label} <{run}-{anchor}>`")
        result.append(_literal(after))
    return "".join(result)


def _literal(text: str) -> str:
    pieces = CODE.split(text)
    return "".join(
        piece if i % 2 else re.sub(r"([\\`*_\[\]{}<>$|#~^])", r"\\\1", piece)
        for i, piece in enumerate(pieces)
    )


def item(found: Mapping[str, Any], run: str) -> str:
    """A paragraph, list, figure or table."""
    if found["kind"] == "text" and found["anchor"].startswith(THEOREM):
        return f"- {{doc}}`/theorems/generated/{found['anchor'].removeprefix(THEOREM)}`"
    if found["kind"] == "text":
        return marked(found["text"], run)
    if found["kind"] == "list":
        return "\n".join(
            f"{i}. {marked(text, run)}: **{verdict}**"
            for i, (text, verdict) in enumerate(found["entries"], 1)
        )
    if found["kind"] == "figure":
        caption = marked(found["caption"], run)
        return f"```{{figure}} /results/{run}/figures/{found['name']}.svg\n{caption}\n```"
    if found["kind"] == "table":
        rows = [found["header"], ["---"] * len(found["header"]), *found["rows"]]
        return "\n".join("| " + " | ".join(_cell(cell, run) for cell in row) + " |" for row in rows)
    raise ValueError(f"a report has no items of kind {found['kind']!r}")


def _cell(text: str, run: str) -> str:
    if text in THEOREMS:
        return f"{{doc}}`{text} </theorems/generated/{text}>`"
    return text if text == "---" else marked(text, run)


def section(found: Mapping[str, Any], run: str, level: int) -> str:
    """A heading with its anchor, and what stands below."""
    anchor = [f"({run}-{found['anchor']})="] if found["anchor"] else []
    items = [item(i, run) for i in found["items"]]
    return "\n\n".join(["\n".join([*anchor, f"{'#' * level} {_literal(found['title'])}"]), *items])


def pages(run: str, report: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, str]:
    """The pages of one run by file name, its first page under its own name."""
    own = [s for s in report["sections"] if not s["anchor"].startswith(FINDING) and s["items"]]
    findings = {s["anchor"]: s for s in report["sections"] if s["anchor"].startswith(FINDING)}
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    page = ""
    if report["interactive"]:
        page = (
            f"; {{download}}`the report as one page, with pictures to explore </results/{run}/report.html>`"
        )
    made = (
        f"Made by `{facts['command']}` ({facts['processors']} processors, Python {facts['python']}, {packages}"
        f"{', commit ' + facts['commit'] if facts['commit'] else ''}; finished {facts['finished']}). "
        f"{{download}}`All numbers </results/{run}/results.json>`{page}."
    )
    answer = "\n\n".join(marked(sentence, run) for sentence in report["answer"])
    toc = ["```{toctree}", ":hidden:", "", *(f"{run}-{name}" for name in findings), "```"] if findings else []
    first = [
        f"# {_literal(report['title'])}",
        marked(report["lead"], run),
        f":::{{admonition}} The answer\n:class: important\n\n{answer}\n:::",
        made,
        *(section(s, run, 2) for s in own),
        "\n".join(toc),
    ]
    found = {f"{run}-{anchor}.md": section(s, run, 1) + "\n" for anchor, s in findings.items()}
    return {f"{run}.md": "\n\n".join(part for part in first if part) + "\n", **found}


def build(app: Sphinx) -> None:
    """Write the pages of all published runs."""
    folder = Path(app.srcdir) / "results"
    reports = sorted(folder.glob("*/report.json"))
    runs = "\n".join(
        ["```{toctree}", *(f"/results/generated/{file.parent.name}" for file in reports), "```", ""]
    )
    write(folder / "generated", {"_runs.md": runs, **dict(_all(reports))})


def _all(reports: Iterable[Path]) -> Iterable[tuple[str, str]]:
    for file in reports:
        facts = json.loads((file.parent / "provenance.json").read_text(encoding="utf-8"))
        yield from pages(file.parent.name, json.loads(file.read_text(encoding="utf-8")), facts).items()


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for them."""
    app.connect("builder-inited", build)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
