"""The drawing of what rests on what: theorems one below the other, joined by arcs.

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


def drawing(basis: Mapping[str, Sequence[str]], titles: Mapping[str, str], filled: set[str]) -> str:
    """Draw the graph as SVG.

    Args:
        basis: For every theorem, in an order in which each comes after those it rests on, their names.
        titles: What to say when the pointer rests on a name.
        filled: The names whose dot is filled.
    """
    names = list(basis)
    height = {name: FIRST + ROW * i for i, name in enumerate(names)}
    arcs = [(earlier, later) for later in names for earlier in reduced(basis)[later]]
    longest = max((height[later] - height[earlier] for earlier, later in arcs), default=1)
    width = GUTTER + 14 + LETTER * max(len(name) for name in names)
    lines = [
        f'<svg class="theorem-graph" viewBox="0 0 {width:.0f} {FIRST + ROW * len(names):.0f}" '
        f'style="max-width: {1.15 * width:.0f}px" role="img" aria-label="Which theorem rests on which">'
    ]
    for earlier, later in arcs:
        top, bottom = height[earlier], height[later]
        reach = 12 + (GUTTER - 20) * ((bottom - top) / longest) ** 0.75
        bend = GUTTER - 4 / 3 * reach
        lines.append(
            f'<path d="M {GUTTER - 6} {top} C {bend:.1f} {top}, {bend:.1f} {bottom}, {GUTTER - 7} {bottom}">'
            f"<title>{escape(later)} rests on {escape(earlier)}</title></path>"
        )
    for name in names:
        kind = "proved" if name in filled else "checked"
        lines += [
            f'<a href="generated/{name}.html"><title>{escape(titles[name])}</title>',
            f'<circle class="{kind}" cx="{GUTTER}" cy="{height[name]}" r="5" />',
            f'<text x="{GUTTER + 12}" y="{height[name] + 4}">{escape(name)}</text></a>',
        ]
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
