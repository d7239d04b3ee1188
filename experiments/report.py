"""Self-contained HTML reports: text, tables and figures in one file that opens offline."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { --ink: #1d2730; --soft: #5b6b78; --line: #d8e0e5; --accent: #00798c; --paper: #ffffff; --tint: #f4f7f8; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1.2rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; border-top: 1px solid var(--line); padding-top: 1.2rem; }
p { max-width: 46rem; }
.lead { color: var(--soft); margin-top: 0; }
.answer { background: var(--tint); border-left: 4px solid var(--accent); padding: .2rem 1.2rem; margin: 1.2rem 0; }
figure { margin: 1rem 0; overflow-x: auto; }
figure svg { width: 100%; min-width: 36rem; height: auto; display: block; }
figcaption { position: sticky; left: 0; }
figcaption { color: var(--soft); font-size: .92rem; max-width: 46rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; margin: .6rem 0; }
th, td { padding: .32rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: 600; white-space: normal; vertical-align: bottom; min-width: 5.5rem; } th:first-child, td:first-child { text-align: left; }
td.words, th.words { text-align: left; white-space: normal; min-width: 15rem; }
code { font-size: .9em; background: var(--tint); padding: .05rem .25rem; border-radius: 3px; }
.good { color: #12705a; font-weight: 600; } .bad { color: #b3261e; font-weight: 600; }
.open { color: #8a5a00; font-weight: 600; }
{{ style | safe }}
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p class="lead">{{ lead }}</p>
<div class="answer">{% for line in answer %}<p>{{ line | marked }}</p>{% endfor %}</div>
{% for section in sections %}
<section{% if section.anchor %} id="{{ section.anchor }}"{% endif %}>
<h2>{{ section.title }}</h2>
{% for item in section.items %}
{% if item.kind == "text" %}<p{% if item.anchor %} id="{{ item.anchor }}"{% endif %}>{{ item.text | marked }}</p>
{% elif item.kind == "list" %}<ol>{% for text, verdict in item.entries %}<li>{{ text | marked }}
<span class="{{ marks[verdict] }}">{{ verdict }}</span></li>{% endfor %}</ol>
{% elif item.kind == "markup" %}{{ item.html | safe }}
{% elif item.kind == "figure" %}<figure role="img" aria-label="{{ item.caption }}">{{ item.svg | safe }}
<figcaption>{{ item.caption }}</figcaption></figure>
{% else %}<div class="scroll"><table><thead><tr>
{% for cell in item.header %}<th{{ item.style(loop.index0) }}>{{ cell }}</th>
{% endfor %}</tr></thead><tbody>
{% for row in item.rows %}<tr>{% for cell in row %}<td{{ item.style(loop.index0) }}>
{%- if cell in marks %}<span class="{{ marks[cell] }}">{{ cell }}</span>
{%- else %}{{ cell }}{% endif %}</td>{% endfor %}</tr>{% endfor %}</tbody></table></div>{% endif %}
{% endfor %}
</section>
{% endfor %}
{% if script %}<script>
{{ script | safe }}
</script>
{% endif %}</body>
</html>
"""


LINK = re.compile(r"\[([^\]]+)\]\(#([\w-]+)\)")
CODE = re.compile(r"`([^`]+)`")
MARKS = {
    "confirmed": "good",
    "failed": "bad",
    "undecided": "open",
    "explained otherwise": "open",
    "not reproduced": "bad",
}
"""Words that stand out in tables, with the class that colours them."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph: `[words](#anchor)` leads to another part of the page, and an anchor makes it such a part."""

    text: str
    anchor: str = ""
    kind: str = "text"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text or numbers already formatted; columns in `words` hold sentences."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: frozenset[int] = frozenset()
    kind: str = "table"

    def style(self, column: int) -> Any:
        """HTML class of a column."""
        import markupsafe

        return markupsafe.Markup(' class="words"' if column in self.words else "")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure as inline SVG with a caption that states its finding."""

    name: str
    svg: str
    caption: str
    kind: str = "figure"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Numbered sentences, each with a verdict."""

    entries: Sequence[tuple[str, str]]
    kind: str = "list"


@dataclass(frozen=True, kw_only=True)
class Markup:
    """HTML that is taken as it is, with the style rules and the script that it needs."""

    html: str
    style: str = ""
    script: str = ""
    kind: str = "markup"


Item = Text | Table | Listing | Picture | Markup


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading and what stands below it; with an anchor, other parts of the page can link to it."""

    title: str
    items: Sequence[Item]
    anchor: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that a page says.

    Attributes:
        title: of the page.
        lead: what was done, in a sentence.
        answer: sentences; `[words](#anchor)` leads to what bears them out.
        sections: in order.
    """

    title: str
    lead: str
    answer: Sequence[str]
    sections: Sequence[Section]

    def html(self) -> str:
        """A self-contained page."""
        parts = [item for section in self.sections for item in section.items if isinstance(item, Markup)]
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
        environment.filters["marked"] = _marked
        return environment.from_string(PAGE).render(
            title=self.title,
            lead=self.lead,
            answer=self.answer,
            sections=self.sections,
            marks=MARKS,
            style="\n".join(dict.fromkeys(part.style for part in parts if part.style)),
            script="\n".join(dict.fromkeys(part.script for part in parts if part.script)),
        )

    def to_json(self) -> dict[str, Any]:
        """Words and tables, and the names of figures; `interactive` tells of more, which only a browser can show."""
        items = [item for section in self.sections for item in section.items]
        return {
            "interactive": any(isinstance(item, Markup) for item in items),
            "title": self.title,
            "lead": self.lead,
            "answer": list(self.answer),
            "sections": [
                {
                    "title": section.title,
                    "anchor": section.anchor,
                    "items": [_plain(item) for item in section.items if not isinstance(item, Markup)],
                }
                for section in self.sections
            ],
        }


def unlinked(text: str) -> str:
    """A sentence with links for a terminal."""
    return LINK.sub(r"\1", text)


def _marked(text: str) -> Any:
    import markupsafe

    linked = LINK.sub(r'<a href="#\2">\1</a>', html.escape(text, quote=False))
    return markupsafe.Markup(CODE.sub(r"<code>\1</code>", linked))


def _plain(item: Text | Table | Listing | Picture) -> dict[str, Any]:
    fields = {key: value for key, value in vars(item).items() if key not in ("svg", "words")}
    return {**fields, "words": sorted(item.words)} if isinstance(item, Table) else fields


def save_figure(figure: Figure, folder: Path, name: str, caption: str) -> Picture:
    """Write a figure as SVG and PNG, and give it back as an inline picture whose ids clash with no other."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, dpi=150)
    figure.savefig(folder / f"{name}.png", dpi=150)
    (folder / f"{name}.svg").write_text(buffer.getvalue(), encoding="utf-8")
    svg = buffer.getvalue()[buffer.getvalue().index("<svg") :]
    svg = re.sub(r'\b(id="|href="#|url\(#)', lambda found: f"{found.group(1)}{name}-", svg)
    return Picture(name=name, svg=_with_unique_ids(svg), caption=caption)


def _with_unique_ids(svg: str) -> str:
    """Equal images, such as two colour bars, are given the same id; nothing refers to it, so it can be counted up."""
    seen: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        seen[found.group(1)] = seen.get(found.group(1), 0) + 1
        again = seen[found.group(1)]
        return found.group(0) if again == 1 else f'id="{found.group(1)}-{again}"'

    return re.sub(r'\bid="([^"]+)"', numbered, svg)
