"""The answer in words, the page and the overview for terminals."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table as ConsoleTable

import lift_theory as lt
from experiments import predictions
from experiments.experiment import Job
from experiments.explorer import View, explorer
from experiments.overcomplete_vs_orthogonal.contenders import PATHS, START, STOP, Contender
from experiments.report import Item, Picture, Report, Section, Table, Text
from experiments.rows import find_path

TITLE = "Over-complete or orthogonal? Multi-scale diffusion paths on real photographs"


def answer(
    rows: list[dict[str, Any]],
    verdicts: list[dict[str, Any]],
    labels: dict[str, str],
    steps: int,
    networks: list[dict[str, Any]],
) -> list[str]:
    """The answer in three sentences with links to what bears them out, every number from the results."""
    cost = {(r["representation"], r["path"]): r["nats"] for r in rows if r["steps"] == steps}
    floor = {r["representation"]: r["floor_nats"] for r in rows if r["steps"] == steps}
    found = {v["name"]: v["measured"] for v in verdicts}
    judged = {v["name"]: v for v in networks}
    saved = {
        name: 100 * (1 - cost[name, "best"] / cost[name, "diagonal"])
        for name in ("pyramid", "haar", "dct", "bilinear")
    }
    staged = {name: cost[name, "coarse_first"] / cost[name, "best"] for name in ("pyramid", "haar", "dct")}
    spacing = 100 * (cost["pyramid", "diagonal_uniform"] / cost["pyramid", "diagonal"] - 1)
    best = min(floor, key=lambda name: cost[name, "best"] / floor[name])

    def seen(name: str, scale: float = 1.0) -> str:
        estimate = judged[name]["estimate"]
        width = estimate["half_width"]
        return f"{scale * estimate['mean']:.3g}" + (
            " (one seed)" if width is None else f" ± {scale * width:.2g}"
        )

    def ruled(names: Sequence[str]) -> str:
        counted = Counter(judged[name]["verdict"] for name in names)
        return ", ".join(f"{count} {word}" if len(names) > 1 else word for word, count in counted.items())

    clocks = [f"second_clock_{name}" for name in ("pyramid", "haar", "dct", "bilinear")]
    return [
        "Not different in kind, but in reach: an image with its 2x2 means is the orthogonal Haar split restricted to paths "
        "on which the low band has, and gains, at least the SNR of the high band "
        "([theorem](#theorem-overcomplete_equivalence)); the two [surfaces agree](#predictions) to "
        f"{found['equivalence']:.0e} of their value, and networks trained apart for the two "
        f"[differ](#equivalence) in error by {seen('equivalence', 100.0)} % over the whole square of noise levels (predicted: "
        f"at most 3 %; {ruled(['equivalence'])}).",
        "A redundant coarse copy cannot help, and here it costs, because the spectrum of photographs wants the high band "
        f"ahead, which a pyramid cannot do: at {steps} steps a second clock [saves](#costs) {saved['pyramid']:.1f} % of the path "
        f"KL of the best lock-step path for the pyramid, {saved['haar']:.1f} % for Haar bands, {saved['dct']:.1f} % for DCT bands "
        f"and {saved['bilinear']:.1f} % for bilinear residuals (closest to the [floor](#theorem-anisotropic_floor) of all "
        f"representations: '{labels[best]}', {100 * (cost[best, 'best'] / floor[best] - 1):.1f} % above it), and "
        f"[networks](#predictions-networks) sampled by DDIM make {', '.join(seen(name) for name in clocks)} times the lock-step "
        f"error with two clocks made for W2, in that order ({ruled(clocks)}).",
        "No representation prefers an L-shaped, coarse-first path ([theorem](#theorem-orthogonal_separability)), which costs "
        f"{staged['pyramid']:.2f}, {staged['haar']:.2f} and {staged['dct']:.2f} times the best path for pyramid, Haar and DCT "
        f"bands, whereas spacing [matters most](#finding-spacing): uniform log-SNR steps on the diagonal cost {spacing:.0f} % "
        "more path KL than the best spacing there, and pyramid networks sampled by DDIM with spacing for path KL instead of "
        f"W2 make {seen('spacing')} times the error ({ruled(['spacing'])}).",
    ]


def page(
    results: dict[str, Any],
    entries: list[Contender],
    pictures: dict[str, Picture],
    views: list[View],
    judged: Sequence[Section],
    job: Job,
) -> Report:
    """The self-contained report."""
    rows, held_out, verdicts = results["paths"], results["held_out"], results["predictions"]
    preset = results["settings"]
    steps = preset["steps"]
    most = preset["headline"]
    size = results["pixel_values"]
    labels = {c.name: c.label for c in entries}
    provenance = results["data"]
    sections = [
        Section(
            title="The surfaces and the paths",
            anchor="surfaces",
            items=[
                pictures["answer"],
                Text(
                    text="Every point of a surface is a pair of noise levels. The shade is what a small step that moves "
                    "both scales alike costs there. A path runs from noise (bottom left) to data (top right); each dot "
                    "is one network call."
                ),
            ],
        ),
        Section(title="Explore them", anchor="explorer", items=[explorer(views)]),
        predictions.section(verdicts),
        Section(
            title=f"Cost of every path at {most} steps",
            anchor="costs",
            items=[
                Table(
                    header=["path", *[labels[c.name] for c in entries]],
                    rows=[
                        [words, *[_cell(rows, c.name, path, most, size) for c in entries]]
                        for path, words in PATHS.items()
                    ],
                ),
                Text(
                    text="Path KL in nats per pixel value, and as percent of that representation's own anisotropic floor. "
                    "All controls have their best spacing unless stated. Ends are matched: the orthogonal bands start and "
                    f"stop where the pyramid's image does (log-SNR {START:g} to {STOP:g} on the high band, 0.22 nats more "
                    "on the low band); the single scale runs from end to end of the high band."
                ),
                pictures["controls"],
            ],
        ),
        Section(
            title="Best paths for every step count",
            items=[
                pictures["steps"],
                Table(
                    header=[
                        "representation",
                        *[f"{n} steps" for n in steps],
                        f"proved within, {most} steps",
                    ],
                    rows=[
                        [
                            c.label,
                            *[_cell(rows, c.name, "best", n, size) for n in steps],
                            _certificate(find_path(rows, c.name, "best", most)),
                        ]
                        for c in entries
                    ],
                ),
            ],
        ),
        Section(
            title="On photographs the path was not made for",
            items=[
                Text(
                    text="Each best path was made on the spectrum of the training photographs and costed on that of the "
                    "held-out ones; beside it, the best path for the held-out spectrum itself."
                ),
                Table(
                    header=["representation", "transferred, nats per pixel", "own best", "excess"],
                    rows=[
                        [
                            labels[r["representation"]],
                            f"{r['nats'] / size:.4f}",
                            f"{r['own_best_nats'] / size:.4f}",
                            f"{100 * (r['nats'] / r['own_best_nats'] - 1):.2f} %",
                        ]
                        for r in held_out
                    ],
                ),
                pictures["spectrum"],
            ],
        ),
        *judged,
        _theorems(verdicts + results["trained"]["predictions"]),
        job.reproduction(
            f"lattice of {preset['points']} log-SNRs per scale before "
            "continuous refinement; surfaces as netCDF under surfaces/, all numbers in results.json."
        ),
    ]
    return Report(
        title=TITLE,
        lead=f"Theory on the measured spectrum of {provenance['train_images']} image patches ({provenance['name']}), exact "
        "for Gaussian data of that spectrum; and networks trained on the same photographs, held to it.",
        answer=results["answer"],
        sections=sections,
    )


def _theorems(verdicts: Sequence[dict[str, Any]]) -> Section:
    """What the predictions rest on: each theorem in the words of its file."""
    items: list[Item] = [
        Text(
            text="Each is a file of the package: a statement, a proof whose steps run in the tests, and a page of the "
            "documentation with the status that the checks gave it."
        )
    ]
    for name in dict.fromkeys(v["source"] for v in verdicts):
        file = Path(lt.__file__).parent / "theorems" / f"{name}.py"
        if not file.is_file():
            continue
        statement = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
        items.append(Text(text=f"`{name}`: {' '.join(statement.split())}", anchor=f"theorem-{name}"))
    return Section(title="What the claims rest on", items=items, anchor="theorems")


def _cell(rows: list[dict[str, Any]], name: str, path: str, steps: int, size: int) -> str:
    try:
        row = find_path(rows, name, path, steps)
    except KeyError:
        return "–"
    return f"{row['nats'] / size:.4f} ({100 * row['nats'] / row['floor_nats']:.1f} %)"


def _certificate(row: dict[str, Any]) -> str:
    return f"{100 * max(row['nats'] / row['certified_nats'] - 1, 0.0):.2f} %"


def overview(results: dict[str, Any], entries: list[Contender]) -> ConsoleTable:
    """The comparison on the terminal."""
    rows, steps = results["paths"], results["settings"]["headline"]
    table = ConsoleTable(title=f"Path KL at {steps} steps: nats per pixel (percent of the floor)")
    table.add_column("representation")
    shown = ("best", "diagonal", "diagonal_uniform", "coarse_first")
    for path in shown:
        table.add_column(PATHS[path], justify="right")
    for c in entries:
        table.add_row(c.label, *[_cell(rows, c.name, path, steps, results["pixel_values"]) for path in shown])
    return table
