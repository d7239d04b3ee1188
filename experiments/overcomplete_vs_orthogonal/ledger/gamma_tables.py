"""Tables and paragraphs of the page on the factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.intervals import over_seeds
from experiments.overcomplete_vs_orthogonal.ledger import gamma_identity as identity
from experiments.overcomplete_vs_orthogonal.ledger.gamma_paths import PATHS
from experiments.report import Table
from lift_theory.optimize.published import FACTORS

LEAST = {"nats": "best", "w2": "best_w2"}
"""The path that is best by each judge."""


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
    uncertain = max(
        max(max(row) for row in sides["uncertainty"])
        for found in numbers.values()
        for sides in found["networks"]
    )
    return (
        "Ratios of gamma_B times the squared Jacobian to the fall of the error with the SNR, which is measured by errors alone, "
        f"{identity.STEP:g} nats to either side and with every noise and its negative; images leave it open by "
        f"{100 * uncertain:.0f} % (one standard error) at most, the same way for all seeds. For a posterior mean the "
        "first is one at every noise level; the networks' "
        f"strays by a factor of {np.exp(worst):.2f} at most, and over noise levels of single-scale networks varies by a factor of "
        f"{spreads}. The second depends on the noise level even for the exact denoiser: a path chosen by it dwells "
        "where the ratio is large, whatever the information."
    )


def path_table(numbers: dict[str, Any]) -> Table:
    """All paths on both spectra, relative to the best by each judge."""
    tables = [by_path(numbers[name]) for name in ("power_law", "training")]
    rows = []
    for name, words in PATHS.items():
        row = [words]
        for found in tables:
            row += [f"{ratio(found, name, judge):.4g}" for judge in LEAST]
        row += [f"{100 * tables[0][name]['last_step']:.0f}", f"{tables[0][name]['lead']:+.2f}"]
        rows.append([*row, f"{tables[0][name]['cornering']:.2f}"])
    return Table(
        header=[
            "path of",
            "path KL over the least, power law",
            "W2 over the least",
            "path KL over the least, training spectrum",
            "W2 over the least",
            "path KL in the last step, power law, %",
            "median unit-free lead, nats",
            "largest lead, share of the way",
        ],
        words=frozenset({0}),
        rows=rows,
    )


def ratio(found: Mapping[str, dict[str, Any]], name: str, judge: str) -> float:
    """What a path costs over the best by that judge."""
    return float(found[name][judge] / found[LEAST[judge]][judge])


def on_paths(numbers: dict[str, Any]) -> list[str]:
    """Why a linear cost does not place points, and what the judges judge."""
    found = by_path(numbers["power_law"])
    same = found["respaced"]["published_cost"] / found["eps_B"]["published_cost"]
    gained = found["respaced"]["nats"] / found["eps_B"]["nats"]
    last = np.array(found["eps_B"]["logsnr"])[-2]
    even = found["quadratic_even"]["nats"] / found["lattice_even"]["nats"]
    return [
        "W2 is that of the image which DDIM returns from the exact law at the first point. A cost linear in the step sums to "
        "an integral along the route, whatever points are set on it: only the limit of five cells and the error of the "
        "trapezoids, which is large where the density is steep, tell one spacing from another. That is the noisy end, and points "
        f"gather there. The spacing of least path KL on the route of gamma_B costs {same:.3g} times as much by the published "
        f"measure, and {gained:.2g} times as much by path KL.",
        f"Path KL is ruled by the last step: that of gamma_B goes from ({last[0]:.1f}, {last[1]:.1f}) to "
        f"{found['eps_B']['logsnr'][-1][0]:.1f} nats, which is where LIFT's evenly spaced timesteps lie, and makes "
        f"{100 * found['eps_B']['last_step']:.0f} % of its path KL. No path on that lattice costs less than "
        f"{ratio(found, 'lattice_theirs', 'nats'):.3g} times the least, and there the quadratic weight can hardly miss; on a lattice "
        f"even in log-SNR it is within {100 * (even - 1):.1f} % of the best. The order of the factors by path KL is that of their "
        "last steps, and W2, which does not mind what happens to fine noise, orders them otherwise: the path of least path KL has "
        f"{ratio(found, 'best', 'w2'):.3g} times the least W2, gamma_B {ratio(found, 'eps_B', 'w2'):.3g} times, LIFT's diagonal "
        f"with uniform timesteps {ratio(found, 'uniform_timesteps', 'w2'):.3g} times. (The even lattice and the best W2 were added "
        "after the costs had been seen and have no prediction.)",
        f"gamma_D begins with the coarse scale alone, as published, up to {_alone(found['eps_D']):.1f} nats, but then goes on in "
        f"both: its largest lead is {found['eps_D']['cornering']:.2f} of the way, where an L has 1.",
    ]


def _alone(row: Mapping[str, Any]) -> float:
    """Coarse log-SNR up to which the fine scale stands still."""
    points = np.array(row["logsnr"])
    return float(points[points[:, 0] == points[0, 0], 1].max())
