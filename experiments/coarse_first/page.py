"""The page and the overview for terminals."""

from __future__ import annotations

from typing import Any

from rich.table import Table as ConsoleTable

from experiments import predictions
from experiments.coarse_first.cases import PATHS
from experiments.coarse_first.explanations import explain
from experiments.coarse_first.laws import REPRESENTATIONS
from experiments.coarse_first.verdicts import pays_below, percent_of_floor, price_ratio, ratio
from experiments.experiment import Job
from experiments.report import Picture, Report, Section, Table, Text
from experiments.rows import Rows


def page(results: dict[str, Any], pictures: dict[str, Picture], job: Job) -> Report:
    """The self-contained report."""
    sizes = results["settings"]["laws"]
    return Report(
        title=f"{results['question']} L-shaped paths beyond Gaussian data",
        lead="Discretisation error of ancestral sampling with the exact denoiser (path KL), for laws from independent scales to "
        "a fine part that is a function of the coarse one.",
        answer=results["answer"],
        sections=[
            Section(
                title="Costs by law and path",
                items=[
                    pictures["costs"],
                    *[_costs(results, kind) for kind in REPRESENTATIONS],
                    Text(
                        text=f"Nats per image, {sizes['steps']} steps, {sizes['draws']} draws. ± is one standard error: of the "
                        "optimum itself, elsewhere of the difference to the optimum, which the same draws make smaller. Paths "
                        "were searched on other draws. Leads are medians over the calls, without an interval: "
                        "other draws of the same law move them by 0.2 nats or so. The unit-free lead is zero where both "
                        "channels tell the same about the low band."
                    ),
                ],
                anchor="costs",
            ),
            Section(
                title="Where the optimal path leads",
                items=[
                    pictures["lead"],
                    pictures["ratio"],
                    Text(
                        text="Four clusters, all as far from each other, eleven standard deviations or more, and four coarse "
                        "coefficients. From left to right the coarse part tells nothing about the fine one, then half or all of "
                        "its cluster, then also 90 % of the variance inside the cluster, then all of it: a function. "
                        + _certainty(results["phase"])
                    ),
                ],
                anchor="phase",
            ),
            Section(
                title="Cheap coarse steps",
                items=[
                    pictures["prices"],
                    _prices(results),
                    Text(
                        text="Path KL over that of lock-step with its best spacing, for the same compute, ± the 95 % interval; in "
                        "brackets the steps of the coarse scale alone and of the others. At the price of a full step the best mix is "
                        "the optimum. Break-even: the price below which coarse first beats lock-step, by interpolation between "
                        "prices, its 95 % interval, and what the lengths of the two legs predict for independent scales."
                    ),
                ],
                anchor="prices",
            ),
            Section(
                title="Ten residual scales",
                items=[
                    pictures["residuals"],
                    _residuals(results["residuals"]),
                    Text(
                        text="Sides 1 to 16 as in VAR for 256x256 images; residuals after down-sampling by areas and bicubic "
                        "up-sampling, without quantisation and learned convolutions, so that all is linear. All scales have the same "
                        "noise at both ends, so that a coarse scale ends noisier than averaged pixels would; the image alone has a "
                        "floor of its own. VAR itself makes each scale in one go with a transformer: the column on staging says "
                        "what diffusion in its order would cost."
                    ),
                ],
                anchor="residuals",
            ),
            predictions.section(results["predictions"], explain(results)),
            job.reproduction(
                f"log-SNR {results['ends'][0]:g} to {results['ends'][1]:g} in every scale. All numbers and paths in "
                "results.json. With `--cluster ADDRESS` the same cases run on a Dask cluster."
            ),
        ],
    )


def _costs(results: dict[str, Any], kind: str) -> Table:
    rows = []
    for row in results["laws"]:
        if row["kind"] != kind:
            continue
        paths = row["paths"]
        best = paths["optimal"]
        cells = [f"{best['cost']:.3f} ± {best['standard_error']:.2g}"]
        for name in PATHS:
            if name != "optimal":
                error = paths[name]["difference_standard_error"] / best["cost"]
                cells.append(f"{ratio(row, name).mean:.3f} ± {error:.1g}")
        leads = [f"{row['lead_nominal']:+.2f}", f"{row['lead']:+.2f}"]
        rows.append([results["labels"][row["law"]], *cells, *leads, f"{100 * row['misfit']:.1g} %"])
    others = [f"{words}, over the optimum" for name, words in PATHS.items() if name != "optimal"]
    header = [
        REPRESENTATIONS[kind],
        "optimum (nats)",
        *others,
        "lead (nats)",
        "unit-free",
        "misfit of the search",
    ]
    return Table(header=header, rows=rows)


def _certainty(phase: Rows) -> str:
    """The largest standard errors of the map of ratios, column by column, and where the search fell short."""
    errors: dict[str, float] = {}
    for row in phase:
        paths = row["paths"]
        error = paths["coarse_first"]["difference_standard_error"] / paths["optimal"]["cost"]
        errors[row["tie"]] = max(error, errors.get(row["tie"], 0.0))
    short = sum(min(ratio(row, name).mean for name in PATHS) < 1 for row in phase)
    listed = ", ".join(f"{tie} {error:.2g}" for tie, error in errors.items())
    return (
        f"Largest standard error of the ratio by column: {listed}. In {short} of {len(phase)} cases another path came out below "
        "the optimum found, on draws that neither was searched on; leads there mean little."
    )


def _prices(results: dict[str, Any]) -> Table:
    rows = []
    for row in results["laws"]:
        if "priced" not in row:
            continue
        priced = row["priced"]
        cells = [
            f"{price_ratio(row, r['price'], 'staged')} ({r['staged_steps'][0]} + {r['staged_steps'][1]})"
            for r in priced["rows"]
        ]
        for r in priced["rows"]:
            share = r["mixed"] / priced["lock_step"]
            cells.append(f"{share:.3f} ({r['mixed_steps'][0]} + {r['mixed_steps'][1]})")
        low, high = pays_below(row)
        even = "never" if high == 0 else f"{low:.3f} to {high:.3f}"
        rows.append([results["labels"][row["law"]], *cells, even, f"{priced['break_even_predicted']:.3f}"])
    prices = ["1" if r["price"] == 1 else f"1/{1 / r['price']:g}" for r in priced["rows"]]
    header = [
        "orthogonal bands",
        *[f"coarse first, price {p}" for p in prices],
        *[f"best mix, price {p}" for p in prices],
    ]
    return Table(header=[*header, "break-even", "predicted"], rows=rows)


def _residuals(rows: Rows) -> Table:
    return Table(
        header=[
            "spectrum",
            "steps",
            "floor (nats)",
            "ten clocks",
            "one scale",
            "lock-step",
            "scale after scale",
            "steps of each",
        ],
        rows=[
            [
                "photographs" if row["name"] == "photographs" else f"1/f^{row['name']}",
                str(row["steps"]),
                f"{row['floor']:.2f}",
                *[
                    f"{percent_of_floor(row, name):.1f} %"
                    for name in ("optimal", "one_scale", "lock_step", "staged")
                ],
                ", ".join(str(count) for count in reversed(row["staged_steps"])),
            ]
            for row in rows
        ],
    )


def overview(results: dict[str, Any]) -> ConsoleTable:
    """The comparison on the terminal."""
    table = ConsoleTable(title="Path KL over the optimum, orthogonal bands")
    table.add_column("law")
    for name, words in PATHS.items():
        if name != "optimal":
            table.add_column(words, justify="right")
    table.add_column("lead (nats)", justify="right")
    for row in results["laws"]:
        if row["kind"] == "bands":
            cells = [str(ratio(row, name)) for name in PATHS if name != "optimal"]
            table.add_row(results["labels"][row["law"]], *cells, f"{row['lead']:+.2f}")
    return table
