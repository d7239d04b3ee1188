"""The answer in words, the page and the overview for terminals."""

from __future__ import annotations

from typing import Any

from rich.table import Table as ConsoleTable

from experiments import predictions
from experiments.clocks.figures import FAMILIES, NAMES, line
from experiments.experiment import Job
from experiments.report import Picture, Report, Section, Table, Text
from experiments.rows import find

TITLE = "How many clocks, and where to cut?"


def answer(results: dict[str, Any]) -> list[str]:
    """The answer in plain words, every number from the results."""
    settings = results["settings"]
    at = {"size": settings["headline_size"], "steps": settings["headline"]}

    def percents(family: str, objective: str) -> str:
        rows = line(results, family, objective)[:6]
        return ", ".join(f"{100.0 * row['cost'] / row['floor']:.1f}" for row in rows)

    numbers = {
        name: sorted({r["recommended"] for r in results["recommended"] if r["objective"] == name})
        for name in NAMES
    }
    words = []
    for name, label in NAMES.items():
        found = numbers[name]
        words.append(
            f"{label}: {' to '.join(str(n) for n in dict.fromkeys((found[0], found[-1])))} clocks are enough. With so many, the "
            f"best bands come within {100 * results['tolerance']:.0f} % of the limit in which every cutoff is used, at "
            f"{' and '.join(str(s) for s in settings['sizes'])} pixels and {' and '.join(str(s) for s in settings['steps'])} "
            f"steps. At {at['size']} pixels and {at['steps']} steps 1, 2, ... best bands cost {percents('best', name)} % of the "
            f"floor, bands cut at octaves {percents('octave', name)} %."
        )
    pyramid = line(results, "pyramid", "path_kl")
    edges = find(results["rows"], **at, family="best", clocks=4, objective="path_kl")["edges"]
    low = find(results["rows"], **at, family="best", clocks=4, objective="w2")["edges"]
    return [
        *words,
        f"More scales do not help a pyramid of image and means: with 1 to {pyramid[-1]['clocks']} scales its best path KL is "
        f"{percents('pyramid', 'path_kl')} % of its floor. Where the edges belong depends on the cost: four bands are best cut at {_listed(edges)} for path KL and at "
        f"{_listed(low)} for W2.",
    ]


def page(results: dict[str, Any], pictures: dict[str, Picture], job: Job) -> Report:
    """The self-contained report."""
    return Report(
        title=TITLE,
        lead="Best paths of 1 to 8 noise levels in closed form, Gaussian data with the spectrum of "
        f"{results['data']['train_images']} images ({results['data']['name']}).",
        answer=results["answer"],
        sections=[
            Section(
                title="Cost and number of clocks",
                items=[
                    pictures["clocks"],
                    *[_costs(results, name) for name in NAMES],
                    Text(
                        text="Percent of the floor, which is what a clock for every mode would cost. Octave bands are cut at "
                        "1/2, 1/4, ... of the size. Free groups are intervals of variance, not bound to squares of frequencies."
                    ),
                ],
            ),
            Section(
                title="Where returns stop",
                items=[
                    pictures["limit"],
                    _recommended(results),
                    Text(
                        text="The rule, fixed before measuring: the smallest number of clocks whose best bands cost at most "
                        f"{100 * results['tolerance']:.0f} % more than the limit in which every cutoff is used. Path KL from "
                        "lattices, within 1e-4 of the optimum; W2 to leading order in the number of steps."
                    ),
                ],
            ),
            Section(title="Where to cut", items=[pictures["edges"], _edges(results)]),
            predictions.section(results["predictions"], explain(results)),
            Section(
                title="How sure the optima are",
                items=[
                    _joint(results),
                    Text(
                        text="Octave bands with all clocks searched together, from lock-step, against the sum of the bands' own "
                        "searches, each of which is proved optimal within 0.9 %. `optimal_path` begins with a lattice of six "
                        "points per scale, whose time grows with the power 2 K - 1: four scales take seconds, five more than minutes. "
                        "Refinement from lock-step needs no lattice."
                    ),
                    _coupled(results),
                    Text(
                        text="Pyramid and Haar bands are refined from lock-step and from coarse scales that come late, one nat a "
                        "level; the disagreement is how far the two ends are apart. The largest KKT residual of all single "
                        f"schedules in path KL is {_worst(results, 'path_kl'):.1g}; in W2 the largest slope of the log of the "
                        f"error is {_worst(results, 'w2'):.1g} per nat."
                    ),
                ],
            ),
            job.reproduction(
                f"closed forms; log-SNR {results['ends'][0]:g} to {results['ends'][1]:g} for all scales; all numbers in "
                "results.json."
            ),
        ],
    )


def explain(results: dict[str, Any]) -> list[str]:
    """A paragraph for every prediction that failed."""
    return [
        f"{v['name']} failed: {EXPLANATIONS.get(v['name'], 'no explanation has been worked out.')}"
        for v in results["predictions"]
        if v["verdict"] == "failed"
    ]


GROWTH = (
    "the number for W2 rises with the size. On a spectrum near 1/f^2 every octave holds about the same variance, so that a "
    "larger image adds an octave that counts as much as the others in W2. In path KL, where modes count, the highest octaves "
    "always hold most of them."
)
EXPLANATIONS = {
    "edge": "the prediction only counted modes, of which each octave holds four times as many as the next lower one. A mode "
    "also counts by how far the path still runs after passing its noise level, and that is far for the strong modes of low "
    "frequency. That probably pulls the edge down.",
    "clocks_w2": GROWTH,
    "sizes": GROWTH,
}
"""Why predictions failed, as far as it is understood."""


def overview(results: dict[str, Any]) -> ConsoleTable:
    """The comparison on the terminal."""
    settings = results["settings"]
    table = ConsoleTable(
        title=f"Best path, % of the floor ({settings['headline_size']} pixels, {settings['headline']} steps)"
    )
    table.add_column("scales")
    for clocks in range(1, settings["most"] + 1):
        table.add_column(str(clocks), justify="right")
    for name, words in NAMES.items():
        for row in _costs(results, name).rows:
            table.add_row(f"{words}: {row[0]}", *row[1:])
    return table


def _costs(results: dict[str, Any], objective: str) -> Table:
    counts = range(1, results["settings"]["most"] + 1)
    rows = []
    for family, (label, *_) in FAMILIES.items():
        found = {
            row["clocks"]: 100.0 * row["cost"] / row["floor"] for row in line(results, family, objective)
        }
        if found:
            rows.append([label, *[f"{found[k]:.1f}" if k in found else "–" for k in counts]])
    return Table(header=[f"{NAMES[objective]}, number of clocks", *[str(k) for k in counts]], rows=rows)


def _recommended(results: dict[str, Any]) -> Table:
    return Table(
        header=["cost", "pixels", "steps", "recommended clocks", "limit of all bands (% of the floor)"],
        rows=[
            [
                NAMES[r["objective"]],
                str(r["size"]),
                str(r["steps"]),
                str(r["recommended"]),
                f"{100 * r['limit'] / r['floor']:.1f}",
            ]
            for r in sorted(results["recommended"], key=lambda r: (r["objective"], r["size"], r["steps"]))
        ],
    )


def _edges(results: dict[str, Any]) -> Table:
    lines = {name: {row["clocks"]: row for row in line(results, "best", name)} for name in NAMES}
    return Table(
        header=["clocks", *[f"best cutoffs, {words}" for words in NAMES.values()]],
        rows=[
            [str(k), *[_listed(rows[k]["edges"]) for rows in lines.values()]]
            for k in range(2, results["settings"]["most"] + 1)
            if k in lines["path_kl"]
        ],
    )


def _joint(results: dict[str, Any]) -> Table:
    return Table(
        header=["octave bands", "together less alone, relative", "KKT residual", "iterations"],
        rows=[
            [
                str(r["clocks"]),
                f"{r['together'] / r['alone'] - 1.0:.1e}",
                f"{r['kkt_residual']:.1e}",
                str(r["iterations"]),
            ]
            for r in results["joint"]
        ],
    )


def _coupled(results: dict[str, Any]) -> Table:
    rows = [row for row in results["rows"] if "disagreement" in row]
    return Table(
        header=["scales", "pixels", "steps", "% of the floor", "KKT residual", "disagreement (%)"],
        rows=[
            [
                f"{FAMILIES[r['family']][0]}, {r['clocks']}",
                str(r["size"]),
                str(r["steps"]),
                f"{100 * r['cost'] / r['floor']:.2f}",
                f"{r['kkt_residual']:.1e}",
                f"{100 * r['disagreement']:.1g}",
            ]
            for r in rows
        ],
    )


def _worst(results: dict[str, Any], objective: str) -> float:
    return max(
        row["kkt_residual"]
        for row in results["rows"]
        if row["objective"] == objective and "estimate_error" in row
    )


def _listed(edges: list[float]) -> str:
    return ", ".join(f"{edge:g}" for edge in edges)
