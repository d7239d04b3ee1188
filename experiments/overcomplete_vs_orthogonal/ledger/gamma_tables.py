"""Tables and paragraphs of the page on the factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.intervals import over_seeds
from experiments.overcomplete_vs_orthogonal.ledger import gamma_identity as identity
from experiments.report import Table
from lift_theory.optimize.published import FACTORS

WORDS = {
    **{f"eps_{factor}": f"gamma_{factor} on the noise prediction" for factor in FACTORS},
    **{f"x0_{factor}": f"gamma_{factor} on the data prediction" for factor in FACTORS},
    "respaced": "gamma_B on the noise prediction, its route spaced anew",
    "quadratic": "gamma_B on the data prediction, quadratic in the step",
    "uniform_timesteps": "diagonal, uniform timesteps (LIFT's control)",
    "best": "best path KL",
}


def by_path(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows by the name of their path."""
    return {row["path"]: row for row in rows}


def of_factors(found: Mapping[str, dict[str, Any]], jacobian: str = "eps") -> list[str]:
    """Factors that have a path."""
    return [factor for factor in FACTORS if f"{jacobian}_{factor}" in found]


def over_least(found: Mapping[str, dict[str, Any]], judge: str, jacobian: str = "eps") -> float:
    """What the path of gamma_B costs over the cheapest of the four."""
    costs = {factor: found[f"{jacobian}_{factor}"][judge] for factor in of_factors(found, jacobian)}
    return float(costs["B"] / min(costs.values()))


def made_good(found: Mapping[str, dict[str, Any]]) -> float:
    """Share of the logarithm of gamma_B's excess path KL that new spacing on the same route removes."""
    published, respaced, best = (found[name]["nats"] for name in ("eps_B", "respaced", "best"))
    return float(np.log(published / respaced) / np.log(published / best))


def identity_table(numbers: dict[str, Any]) -> Table:
    """Ratios of both sides by noise level."""
    rows = []
    for name, found in numbers.items():
        for k in range(len(found["closed_form"]["fall"][0])):
            for i, level in enumerate(identity.LEVELS):
                row = [name if name == "single" else f"{name}, {('fine', 'coarse')[k]}", f"{level:g}"]
                for prediction in ("x0", "eps"):
                    values = over_seeds(
                        [float(identity.ratios(sides, prediction)[i, k]) for sides in found["networks"]]
                    )
                    exact = float(identity.ratios(found["closed_form"], prediction)[i, k])
                    row += [str(values), f"{exact:.3g}"]
                rows.append(row)
    return Table(
        header=[
            "network and scale",
            "log-SNR, nats",
            "data prediction: networks",
            "closed form",
            "noise prediction: networks",
            "closed form",
        ],
        rows=rows,
    )


def on_identity(numbers: dict[str, Any]) -> str:
    """What the ratios are, and how far they are from one."""
    worst = max(
        abs(np.log(identity.ratios(sides, "x0"))).max()
        for found in numbers.values()
        for sides in found["networks"]
    )
    spreads = over_seeds([identity.spread(sides, "x0") for sides in numbers["single"]["networks"]])
    return (
        "Ratios of gamma_B times the squared Jacobian to the fall of the error with the SNR, which is measured by errors alone, "
        f"{identity.STEP:g} nats to either side. For a posterior mean the first is one at every noise level; the networks' "
        f"strays by a factor of {np.exp(worst):.2f} at most, and over noise levels of single-scale networks varies by a factor of "
        f"{spreads}. The second depends on the noise level even for the exact denoiser: a path chosen by it dwells "
        "where the ratio is large, whatever the information."
    )


def path_table(numbers: dict[str, Any]) -> Table:
    """All paths on both spectra, relative to the best path KL."""
    tables = [by_path(numbers[name]) for name in ("power_law", "training")]
    rows = []
    for name, words in WORDS.items():
        row = [words]
        for found in tables:
            best = found["best"]
            row += [f"{found[name][judge] / best[judge]:.3f}" for judge in ("nats", "w2")]
        row += [f"{tables[0][name]['lead']:+.2f}", f"{tables[0][name]['cornering']:.2f}"]
        rows.append(row)
    return Table(
        header=[
            "path of",
            "path KL over the least, power law",
            "W2 of DDIM, same units",
            "path KL over the least, training spectrum",
            "W2 of DDIM, same units",
            "median unit-free lead, power law, nats",
            "largest lead, share of the way",
        ],
        words=frozenset({0}),
        rows=rows,
    )


def on_paths(numbers: dict[str, Any]) -> str:
    """Why a linear cost does not place points."""
    found = by_path(numbers["power_law"])
    same = found["respaced"]["published_cost"] / found["eps_B"]["published_cost"]
    gained = found["eps_B"]["nats"] / found["respaced"]["nats"]
    return (
        "W2 is that of the image which DDIM returns from the exact law at the first point, over that of the path with the least "
        "path KL, which is not the least W2. A cost linear in the step sums to an integral along the route, whatever "
        "points are set on it; only the trapezoids' error tells one spacing from another. New points on the "
        f"route of gamma_B change its published cost by a factor of {same:.3f} and its path KL by {1.0 / gained:.3f}."
    )
