"""The report."""

from __future__ import annotations

from typing import Any

from experiments import predictions
from experiments.experiment import Job
from experiments.report import Picture, Report, Section, Table, Text


def page(results: dict[str, Any], pictures: list[Picture], job: Job) -> Report:
    """The whole page."""
    networks = results["networks"]
    errors = [
        [
            row["representation"],
            f"{row['parameters']:,}",
            f"{row['images_seen']:,}",
            *(
                ", ".join(f"{s} {v:.2f}" for s, v in zip(row["scales"], row[name], strict=True))
                for name in ("mean_excess", "worst_excess")
            ),
        ]
        for row in networks
    ]
    costs = [
        [
            row["representation"],
            f"{row['best_cost']:.4f}",
            f"{row['chosen_cost']:.4f}",
            f"{row['ays']:.4f} ± {row['ays_standard_error']:.4f}",
        ]
        for row in networks
    ]
    error = max(row["excess_standard_error"] for row in networks)
    return Report(
        title=results["question"],
        lead="Networks trained on samples of a Gaussian field, held to the field's closed form.",
        answer=results["answer"],
        sections=[
            Section(
                title="Errors and costs",
                items=[
                    Table(
                        header=[
                            "representation",
                            "parameters",
                            "fields seen",
                            "mean excess error (%)",
                            "largest excess (%)",
                        ],
                        rows=errors,
                    ),
                    Text(
                        text="Excess errors are differences to the exact denoiser on the same fields and noise, in percent "
                        f"of the closed form; their standard error is at most {error:.2g} % at any noise level."
                    ),
                    *pictures,
                    Table(
                        header=[
                            "representation",
                            "cost of the best path (nats)",
                            "true cost of the path from measured errors (nats)",
                            "bound of Align Your Steps on the best path (nats)",
                        ],
                        rows=costs,
                    ),
                ],
            ),
            predictions.section(results["predictions"]),
            job.reproduction("fields and noise are drawn from fixed seeds."),
        ],
    )
