"""The answer in words, the page and the overview for terminals."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.table import Table as ConsoleTable

from experiments import predictions
from experiments.experiment import Job
from experiments.path_optimization.contenders import OTHER_OBJECTIVES, PATHS, Contender
from experiments.path_optimization.decomposition import share
from experiments.path_optimization.explanations import explain
from experiments.path_optimization.published import BEGINNING, UNIT, beginning
from experiments.report import Picture, Report, Section, Table, Text
from experiments.rows import find_path

TITLE = "Spacing, lead or representation? What a path through two noise levels gains, and from what"


def answer(
    rows: list[dict[str, Any]], table: list[dict[str, Any]], verdicts: list[dict[str, Any]], steps: int
) -> list[str]:
    """The answer in plain words, every number from the results."""
    at = {name: share(table, name, steps) for name in ("pyramid", "haar", "dct", "bilinear")}
    pyramid = at["pyramid"]
    uniform, logsnr = (find_path(rows, "pyramid", name, steps) for name in ("uniform_timesteps", "logsnr"))
    found = {v["name"]: v["measured"] for v in verdicts}
    published = {
        r["path"].removeprefix("published_"): r["nats"] / pyramid["best_nats"]
        for r in rows
        if r["representation"] == "pyramid" and r["steps"] == steps and r["path"].startswith("published_")
    }
    lead = beginning()[1][1:]
    left = 100 * (pyramid["diagonal_nats"] / pyramid["floor_nats"] - 1)
    lift = np.array(find_path(rows, "pyramid", "published_B", steps)["logsnr"])
    lift_lead = (lift[:, 1] - lift[:, 0])[1 : len(lead) + 1] - UNIT
    behind = found["fine_ahead"] < 0
    return [
        f"Spacing. On photographs at {steps} steps, uniform timesteps in lock-step cost "
        f"{pyramid['uniform_nats'] / pyramid['best_nats']:.3g} times the best path of image and 2x2 means. Better spacing of "
        f"the same diagonal, with no lead at all, closes {100 * pyramid['spacing_of_saving']:.2f} % of that; the best lead on "
        f"the same fine grid, with no change of spacing, closes {100 * pyramid['lead_of_saving']:.1f} %. The last step alone, "
        f"from timestep {999 / steps:.0f} to 0, causes {100 * uniform['last_step_share']:.1f} % of the uniform diagonal's error. "
        f"Uniform log-SNR steps already come to {logsnr['nats'] / pyramid['best_nats']:.3g} times the best path. A comparison "
        "of an optimised path with a uniform diagonal therefore measures spacing.",
        f"Lead. Once the diagonal is well spaced it lies {left:.1f} % above the floor that no path can beat, and a second "
        f"clock takes {100 * pyramid['lead_after_spacing']:.1f} % off its cost for the pyramid, "
        f"{100 * at['haar']['lead_after_spacing']:.1f} % for Haar bands, {100 * at['dct']['lead_after_spacing']:.1f} % for "
        f"DCT bands and {100 * at['bilinear']['lead_after_spacing']:.1f} % for bilinear residuals. LIFT's published lead has a "
        f"median of {np.median(lead):+.2f} nats in unit-free terms ({np.median(lead) + UNIT:.2f} nominal): mostly a change of "
        f"units. Its published cost, run on this spectrum, gives {np.median(lift_lead):+.2f} over as many points, with no "
        f"network at all. The exact optimum has {found['fine_ahead']:+.2f}"
        + (
            ": to an exact denoiser a second, noisier look at the low band is redundant, and it comes last."
            if behind
            else "."
        ),
        "Representation. Against the best path of image and 2x2 means, relative to the floor of each, the best path of Haar "
        f"bands saves {100 * at['haar']['representation_after_both']:.1f} %, that of DCT bands "
        f"{100 * at['dct']['representation_after_both']:.1f} % and that of bilinear residuals "
        f"{100 * at['bilinear']['representation_after_both']:.1f} %: without lead they would save nothing, since in "
        f"lock-step, well spaced, they cost {_ratio(at['haar'], pyramid)}, {_ratio(at['dct'], pyramid)} and "
        f"{_ratio(at['bilinear'], pyramid)} times the pyramid.",
        "LIFT's published cost, run on this spectrum with its grid and moves, picks paths whose true cost is "
        + ", ".join(f"{value:.3g} (gamma_{name})" for name, value in sorted(published.items()))
        + f" times the optimum; its uniform diagonal costs {pyramid['uniform_nats'] / pyramid['best_nats']:.3g} times.",
    ]


def _ratio(one: dict[str, Any], other: dict[str, Any]) -> str:
    value = one["diagonal_nats"] / one["floor_nats"] * other["floor_nats"] / other["diagonal_nats"]
    return f"{value:.3f}"


def page(results: dict[str, Any], entries: list[Contender], pictures: dict[str, Picture], job: Job) -> Report:
    """The self-contained report."""
    rows, table, verdicts = results["paths"], results["decomposition"], results["predictions"]
    preset, size, provenance = results["settings"], results["pixel_values"], results["data"]
    headline, steps = preset["headline"], preset["steps"]
    sections = [
        Section(
            title="From uniform timesteps to the floor",
            items=[
                pictures["shares"],
                *[_shares(table, entries, n) for n in steps],
                Text(
                    text="Uniform timesteps are LIFT's own diagonal; lead alone keeps its "
                    "fine grid and chooses the coarse log-SNRs optimally; spacing alone stays in lock-step. Shares are of "
                    "the distance from uniform timesteps to the floor; representation is what the best path falls by "
                    "against the pyramid's. Spacing and lead do not add up where both remove the same waste."
                ),
            ],
        ),
        Section(title="The paths on the surface", items=[pictures["surface"]]),
        predictions.section(verdicts, explain(verdicts, rows, headline)),
        Section(
            title=f"Every control at {headline} steps",
            items=[
                pictures["controls"],
                Table(
                    header=["path", *[e.label for e in entries]],
                    rows=[
                        [words, *[_cell(rows, e.name, path, headline, size) for e in entries]]
                        for path, words in PATHS.items()
                    ]
                    + [
                        [
                            "proved: no path costs less than",
                            *[_proof(rows, e.name, headline, size) for e in entries],
                        ]
                    ]
                    + [["anisotropic floor", *[_floor(rows, e.name, headline, size) for e in entries]]],
                ),
                Text(
                    text="Path KL in nats per pixel value, and as percent of the representation's own floor. The coarse scale "
                    "of each representation starts and stops where its posterior matches the pyramid's (for DCT bands and "
                    "bilinear residuals: its band levels). Leads of 1 and 2 nats count from there."
                ),
            ],
        ),
        Section(
            title="Lead",
            items=[
                pictures["lead"],
                _beginning_table(),
                Table(
                    header=[
                        "path made for",
                        "its own objective, nats per pixel",
                        "total cost",
                        "over the best path",
                    ],
                    rows=[
                        _other(rows, name, words, headline, size) for name, words in OTHER_OBJECTIVES.items()
                    ],
                ),
                Text(
                    text="A path made for the fine scale's error alone treats the coarse scale's error as free and lets it "
                    "rush ahead; the total error says what that costs. LIFT saw the same order: its path for the "
                    "64-pixel error alone gave worse images than its path for the total."
                ),
            ],
        ),
        Section(
            title="Every step count",
            items=[
                pictures["steps"],
                *[_by_steps(rows, entries, path, steps, size) for path in ("diagonal", "best")],
            ],
        ),
        Section(
            title="What this does not say",
            items=[
                Text(
                    text="Path KL is the error that ancestral sampling with an exact denoiser accumulates, here for Gaussian "
                    "data with the spectrum of photographs. It weighs every coefficient by its relative error, so that the "
                    "lowest-variance frequencies count fully and long last steps cost much. The distance that LIFT "
                    "reported is perceptual, its sampler deterministic and its denoiser trained; the ratios there are "
                    "smaller. What carries over is the separation: spacing was never held fixed while lead changed."
                )
            ],
        ),
        job.reproduction(
            f"log-SNR {results['ends'][0]:.3f} to {results['ends'][1]:.3f}, "
            "the range of LIFT's cosine schedule with betas clipped to [1e-4, 0.02]; lattice of "
            f"{preset['points']} log-SNRs per scale before continuous refinement; all numbers and paths in "
            "results.json."
        ),
    ]
    return Report(
        title=TITLE,
        lead=f"Exact path KL on the measured spectrum of {provenance['train_images']} image patches "
        f"({provenance['name']}), {min(steps)} to {max(steps)} steps.",
        answer=results["answer"],
        sections=sections,
    )


def _shares(table: list[dict[str, Any]], entries: list[Contender], steps: int) -> Table:
    keys = ("spacing_share", "lead_share", "both_share", "representation_share")
    return Table(
        header=[
            f"{steps} steps",
            "spacing alone",
            "lead alone",
            "both",
            "representation",
            "second clock after spacing",
            "best path over floor",
        ],
        rows=[
            [
                entry.label,
                *[f"{100 * row[key]:.2f} %" for key in keys],
                f"{100 * row['lead_after_spacing']:.2f} %",
                f"{100 * (row['best_nats'] / row['floor_nats'] - 1):.2f} %",
            ]
            for entry in entries
            for row in [share(table, entry.name, steps)]
        ],
    )


def _beginning_table() -> Table:
    fine, lead = beginning()
    return Table(
        header=["LIFT's published points", *[str(i) for i in range(len(fine))]],
        rows=[
            ["timestep, fine", *[str(t) for t in BEGINNING["fine"]]],
            ["timestep, coarse", *[str(t) for t in BEGINNING["coarse"]]],
            ["log-SNR, fine", *[f"{value:.2f}" for value in fine]],
            ["nominal lead, nats", *[f"{value + UNIT:.2f}" for value in lead]],
            ["unit-free lead, nats", *[f"{value:+.2f}" for value in lead]],
        ],
    )


def _other(rows: list[dict[str, Any]], name: str, words: str, steps: int, size: int) -> list[str]:
    row, best = find_path(rows, "pyramid", name, steps), find_path(rows, "pyramid", "best", steps)
    own = f"{row['own_objective_nats'] / size:.4f}"
    return [words, own, f"{row['nats'] / size:.4g}", f"{row['nats'] / best['nats']:.4g} times"]


def _by_steps(
    rows: list[dict[str, Any]], entries: list[Contender], path: str, steps: list[int], size: int
) -> Table:
    return Table(
        header=[PATHS[path], *[f"{n} steps" for n in steps]],
        rows=[[e.label, *[_cell(rows, e.name, path, n, size) for n in steps]] for e in entries],
    )


def _cell(rows: list[dict[str, Any]], name: str, path: str, steps: int, size: int) -> str:
    try:
        row = find_path(rows, name, path, steps)
    except KeyError:
        return "–"
    percent = 100 * row["nats"] / row["floor_nats"]
    return (
        f"{row['nats'] / size:.4g} ({percent:.4g} %)"
        if percent < 1000
        else f"{row['nats'] / size:.4g} ({percent:.0f} %)"
    )


def _proof(rows: list[dict[str, Any]], name: str, steps: int, size: int) -> str:
    row = find_path(rows, name, "best", steps)
    return f"{row['certified_nats'] / size:.4g} ({100 * row['certified_nats'] / row['floor_nats']:.4g} %)"


def _floor(rows: list[dict[str, Any]], name: str, steps: int, size: int) -> str:
    return f"{find_path(rows, name, 'best', steps)['floor_nats'] / size:.4g} (100 %)"


def overview(results: dict[str, Any], entries: list[Contender]) -> ConsoleTable:
    """The comparison on the terminal."""
    rows, steps = results["paths"], results["settings"]["headline"]
    shown = ("uniform_timesteps", "lead_only", "diagonal", "best")
    table = ConsoleTable(title=f"Path KL at {steps} steps: nats per pixel (percent of the floor)")
    table.add_column("representation")
    for path in shown:
        table.add_column(PATHS[path], justify="right")
    for e in entries:
        table.add_row(e.label, *[_cell(rows, e.name, path, steps, results["pixel_values"]) for path in shown])
    return table
