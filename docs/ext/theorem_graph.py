"""The drawing of what rests on what: theorems, or modules, one below the other, joined by arcs.

A row for each name keeps the picture legible on a phone and labels apart, however many theorems there are.
"""

from collections.abc import Mapping, Sequence
from html import escape

ROW, FIRST, GUTTER, LETTER = (
    26,
    18,
    118,
    7.3,
)  # distances in pixels; a letter's width at the font size of site.css


def drawing(
    basis: Mapping[str, Sequence[str]],
    titles: Mapping[str, str],
    filled: set[str],
    *,
    link: str = "generated/{}.html",
    verb: str = "rests on",
    groups: Mapping[str, str] | None = None,
) -> str:
    """Draw the graph as SVG.

    Args:
        basis: For every name, in an order in which each comes after those it rests on, their names.
        titles: What to say when the pointer rests on a name.
        filled: The names whose dot is filled.
        link: Where a name leads, with braces for the name; nowhere if empty.
        verb: What an arc says.
        groups: The group of every name, written beside its first one.
    """
    names = list(basis)
    height = {name: FIRST + ROW * i for i, name in enumerate(names)}
    arcs = [(earlier, later) for later in names for earlier in reduced(basis)[later]]
    longest = max((height[later] - height[earlier] for earlier, later in arcs), default=1)
    column = GUTTER + 14 + LETTER * max(len(name) for name in names)
    width = column + LETTER * max((len(group) + 2 for group in (groups or {}).values()), default=0)
    lines = [
        f'<svg class="theorem-graph" viewBox="0 0 {width:.0f} {FIRST + ROW * len(names):.0f}" '
        f'style="max-width: {1.15 * width:.0f}px" role="img" aria-label="What {verb} what">'
    ]
    for earlier, later in arcs:
        top, bottom = height[earlier], height[later]
        reach = 12 + (GUTTER - 20) * ((bottom - top) / longest) ** 0.75
        bend = GUTTER - 4 / 3 * reach
        lines.append(
            f'<path d="M {GUTTER - 6} {top} C {bend:.1f} {top}, {bend:.1f} {bottom}, {GUTTER - 7} {bottom}">'
            f"<title>{escape(later)} {verb} {escape(earlier)}</title></path>"
        )
    seen = ""
    for name in names:
        kind = "proved" if name in filled else "checked"
        row = (
            f"<title>{escape(titles[name])}</title>"
            f'<circle class="{kind}" cx="{GUTTER}" cy="{height[name]}" r="5" />'
            f'<text x="{GUTTER + 12}" y="{height[name] + 4}">{escape(name)}</text>'
        )
        lines.append(f'<a href="{link.format(name)}">{row}</a>' if link else f"<g>{row}</g>")
        group = (groups or {}).get(name, "")
        if group != seen:
            top = height[name] - ROW / 2
            lines += [
                f'<line x1="{GUTTER + 12}" y1="{top}" x2="{width:.0f}" y2="{top}" />',
                f'<text class="group" x="{width:.0f}" y="{height[name] + 4}">{escape(group)}</text>',
            ]
        seen = group
    return "\n".join([*lines, "</svg>"])


def reduced(basis: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Leave out the links that follow from others."""
    below: dict[str, set[str]] = {}
    for name, earlier in basis.items():
        below[name] = set(earlier).union(*(below[e] for e in earlier))
    return {
        name: [e for e in earlier if not any(e in below[other] for other in earlier)]
        for name, earlier in basis.items()
    }
