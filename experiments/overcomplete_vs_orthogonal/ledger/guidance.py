"""Does the coarse scale guide the fine one? LIFT's leads and Jacobians beside a Gaussian and trained networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.intervals import over_seeds
from experiments.overcomplete_vs_orthogonal.ledger import guidance_figures as figures
from experiments.overcomplete_vs_orthogonal.ledger import guidance_influence as influence
from experiments.overcomplete_vs_orthogonal.ledger import guidance_leads as leads
from experiments.overcomplete_vs_orthogonal.ledger.finding import Page, Ruling
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.path_optimization.published import UNIT
from experiments.predictions import Prediction, judged, verdict_table
from experiments.report import Item, Table, Text

NAME = "guidance"
TITLE = "Does low guide high?"
CLAIM = (
    "LIFT, as published: the coarse scale leads at 17 of 19 points of the optimised path; the influence of the coarse "
    "scale on the fine one is 6400 times stronger where the coarse scale is clean (t64 = 999, t32 = 0 against 999), "
    "but at most 0.72 % of the influence of the fine scale on itself (t64 = 999, noise prediction)."
)
INFINITY = float("inf")
FACTOR = 5.0
"""Published numbers may differ from those of a Gaussian by so much: images are not Gaussian, networks not exact."""
NETWORK_FACTOR = 3.0
"""The same for networks of the bench, whose spectrum is known."""


def predictions(bench: Bench) -> list[Prediction]:
    """What a Gaussian says about the published numbers and about networks that are still to be trained."""
    exact = influence.gaussian(influence.lift_model())
    at_ends = influence.closed_form(bench.models["pyramid"])
    largest = max(influence.SHARES.values())
    place = list(influence.SHARES.values()).index(largest)
    paths = leads.closed_form_paths(bench)
    middle = 0.5 * (paths["joint"]["unit_free"] + paths["decoupled"]["unit_free"])
    growth = at_ends["eps"][1][0][1] / at_ends["eps"][0][0][1]
    return [
        _prediction(
            "unit",
            "The published lead is a change of units: its median over the published points after the first, minus "
            "2 log 2, is zero give or take half of that (nats).",
            "equal_information_lead",
            [-UNIT / 2, UNIT / 2],
        ),
        _prediction(
            "joint_optimum",
            "With the exact denoiser of the training spectrum the best path has the fine scale ahead (median unit-free "
            "lead of the coarse scale over inner points, nats).",
            "equal_information_lead",
            [-INFINITY, 0.0],
        ),
        _prediction(
            "decoupled_optimum",
            "With denoisers that ignore the other scale it has the coarse scale slightly ahead in nominal log-SNR "
            "(median lead over inner points, nats).",
            "orthogonal_separability",
            [0.0, 2 * UNIT],
        ),
        _prediction(
            "lead",
            f"Trained pyramid networks follow the exact pair, whose lead is {paths['joint']['unit_free']:.2f}, rather than "
            f"the decoupled one with {paths['decoupled']['unit_free']:.2f}: the best path on their measured errors "
            "leads by less than the mean of the two (median unit-free lead, nats).",
            "bregman_path_kl",
            [-INFINITY, middle],
        ),
        _prediction(
            "coarse_to_fine",
            "Trained networks take from the coarse scale what there is for the fine one (their gain over that of the "
            "closed form, where it is at least half of the largest).",
            "overcomplete_equivalence",
            [0.5, 1.5],
        ),
        _prediction(
            "fine_to_coarse",
            "And from the fine scale what there is for the coarse one (likewise).",
            "overcomplete_equivalence",
            [0.5, 1.5],
        ),
        _prediction(
            "growth",
            "The published growth of the influence of coarse on fine when the coarse scale becomes clean is that of a "
            f"Gaussian with a power-law spectrum, {exact['growth']:.3g}, within a factor of {FACTOR:g}.",
            "chain_rule_factor",
            [exact["growth"] / FACTOR, exact["growth"] * FACTOR],
        ),
        _prediction(
            "largest_share",
            "So is the largest published share of that influence in the influence of fine on itself: "
            f"{100 * exact['eps'][place]:.3g} % (per cent).",
            "chain_rule_factor",
            [100 * exact["eps"][place] / FACTOR, 100 * exact["eps"][place] * FACTOR],
        ),
        _prediction(
            "reverse",
            "And the published influence of a noisy coarse scale on a clean fine one: "
            f"{exact['influence'][2]:.2g} (per pixel of both scales).",
            "chain_rule_factor",
            [exact["influence"][2] / FACTOR, exact["influence"][2] * FACTOR],
        ),
        _prediction(
            "network_growth",
            "Trained networks: the influence of coarse on fine (noise prediction) grows as in the closed form of their "
            f"training spectrum, {growth:.3g} between log-SNR {influence.PAIRS[0][1]:g} and {influence.FAR:g} of the coarse "
            f"scale, within a factor of {NETWORK_FACTOR:g}.",
            "chain_rule_factor",
            [growth / NETWORK_FACTOR, growth * NETWORK_FACTOR],
        ),
        _prediction(
            "cross_jacobian",
            "Trained networks: squared Jacobian of the fine prediction by the coarse input over that of the closed form "
            "(geometric mean over noise levels; the same in all parametrisations).",
            "chain_rule_factor",
            [1.0 / NETWORK_FACTOR, NETWORK_FACTOR],
        ),
        _prediction(
            "coupling",
            "Trained networks: coupling of the scales over that of the closed form (geometric mean over noise levels).",
            "mutual_information_hessian",
            [0.5, 2.0],
        ),
    ]


def measure(bench: Bench) -> dict[str, Any]:
    """Leads, gains and influences of all pyramid networks, beside closed forms and published numbers."""
    exact = influence.closed_form(bench.models["pyramid"])
    networks = [influence.of_network(bench, seed) for seed in range(len(bench.runs["pyramid"]))]
    return {
        "published": {"leads": leads.published_leads(), "influence": influence.published()},
        "paths": {**leads.closed_form_paths(bench), "networks": leads.network_paths(bench)},
        "gains": leads.gains(bench),
        "influence": {
            "power_law": influence.gaussian(influence.lift_model()),
            "training": influence.gaussian(bench.models["pyramid"]),
            "closed_form": exact,
            "networks": networks,
            "compared": [influence.compared(network, exact) for network in networks],
        },
    }


def page(numbers: dict[str, Any], predictions: list[Prediction], folder: Path) -> Page:
    """The ruling with its figures and tables."""
    found, paths = numbers["published"], numbers["paths"]
    compared = numbers["influence"]["compared"]
    measured: dict[str, Any] = {
        "unit": found["leads"]["median"],
        "joint_optimum": paths["joint"]["unit_free"],
        "decoupled_optimum": paths["decoupled"]["nominal"],
        "lead": over_seeds([path["unit_free"] for path in paths["networks"]]),
        "growth": found["influence"]["growth"],
        "largest_share": 100 * max(found["influence"]["eps"]),
        "reverse": found["influence"]["influence"][2],
        "network_growth": over_seeds([c["growth"] for c in compared]),
        "cross_jacobian": over_seeds([c["influence"] for c in compared]),
        "coupling": over_seeds([c["coupling"] for c in compared]),
    }
    for direction in leads.DIRECTIONS:
        rows = numbers["gains"][direction]["networks"]
        measured[direction] = over_seeds([row["of_closed_form"] for row in rows])
    verdicts = judged(predictions, {f"{NAME}_{name}": value for name, value in measured.items()})
    ruling = ruled({v["name"].removeprefix(f"{NAME}_"): v["verdict"] for v in verdicts})
    items: list[Item] = [
        verdict_table(verdicts),
        figures.ahead(folder, numbers),
        _lead_table(numbers),
        _gain_table(numbers),
        figures.influence(folder, numbers),
        _published_table(numbers["influence"], found["influence"]),
        Text(text=_normalisation(found["influence"])),
        _network_table(numbers["influence"]),
    ]
    return Page(verdicts=verdicts, items=items, ruling=ruling, why=_why(numbers, measured))


def ruled(verdict: dict[str, str]) -> Ruling:
    """Explained otherwise if units and a Gaussian give the published numbers.

    If they do not: confirmed if trained networks want the coarse scale ahead in unit-free terms, and not reproduced if
    they do not either.
    """
    if all(verdict[name] == "confirmed" for name in ("unit", "growth", "largest_share")):
        return "explained otherwise"
    return "confirmed" if verdict["lead"] == "failed" else "not reproduced"


def _prediction(name: str, claim: str, source: str, interval: list[float]) -> Prediction:
    return {"name": f"{NAME}_{name}", "claim": claim, "source": source, "interval": interval}


def _why(numbers: dict[str, Any], measured: dict[str, Any]) -> str:
    found, exact = numbers["published"], numbers["influence"]["power_law"]
    lead, shares = found["leads"], list(influence.SHARES.values())
    place = shares.index(max(shares))
    return (
        f"Of {lead['points']} published points after the first {lead['nominally_ahead']} have the coarse scale ahead in "
        f"timesteps, by a median of {lead['median']:+.2f} nats once 2 log 2 is taken off for the units; the exact "
        f"denoiser of the training images wants {measured['joint_optimum']:+.2f}, and the networks {measured['lead']}. "
        f"A Gaussian without any network gives a growth of {exact['growth']:.3g} for the published "
        f"{found['influence']['growth']:.3g}, and {100 * exact['eps'][place]:.2g} % for the published "
        f"{100 * shares[place]:.2g} %, "
        f"where the data prediction shows {100 * exact['x0'][place]:.2g} % and the coupling is {exact['coupling'][place]:.2f}. "
        f"Networks take {measured['coarse_to_fine']} of the closed form's gain from coarse to fine and "
        f"{measured['fine_to_coarse']} from fine to coarse: guidance goes both ways."
    )


def _lead_table(numbers: dict[str, Any]) -> Table:
    paths, published = numbers["paths"], numbers["published"]["leads"]
    rows = [
        [
            "LIFT's path, published beginning",
            f"{published['median'] + UNIT:+.2f}",
            f"{published['median']:+.2f}",
            f"{published['ahead']} of {published['points']}",
        ]
    ]
    named = [
        ("exact denoiser of the spectrum", paths["joint"]),
        ("denoisers that ignore the other scale", paths["decoupled"]),
    ]
    named += [(f"network, seed {seed}", path) for seed, path in enumerate(paths["networks"])]
    for words, path in named:
        ahead = f"{path['ahead']} of {path['points']}"
        rows.append([words, f"{path['nominal']:+.2f}", f"{path['unit_free']:+.2f}", ahead])
    return Table(
        header=["best path of", "median lead, nats", "minus 2 log 2", "points with coarse ahead, unit-free"],
        words=frozenset({0}),
        rows=rows,
    )


def _gain_table(numbers: dict[str, Any]) -> Table:
    rows = []
    for direction, found in numbers["gains"].items():
        columns = [
            str(over_seeds([row[key] for row in found["networks"]]))
            for key in ("of_closed_form", "in_nats", "of_gap")
        ]
        rows.append(
            [direction.replace("_", " "), str(found["points"]), f"{found['closed_form']:.2f}", *columns]
        )
    return Table(
        header=[
            "direction",
            "noise levels",
            "gain in closed form",
            "networks' gain over it",
            "the same in nats of error",
            "share closed of the gap between the two closed forms",
        ],
        rows=rows,
    )


def _published_table(found: dict[str, Any], published: dict[str, Any]) -> Table:
    law, training = found["power_law"], found["training"]
    rows = [
        [f"influence at t64 = {fine}, t32 = {coarse}", f"{value:.2g}", f"{exact:.2g}", "", "", "", ""]
        for (fine, coarse), value, exact in zip(
            influence.CORNERS, published["influence"], law["influence"], strict=True
        )
    ]
    rows.append(
        [
            "growth when coarse becomes clean",
            f"{published['growth']:.3g}",
            f"{law['growth']:.3g}",
            f"{training['growth']:.3g}",
            "",
            "",
            "",
        ]
    )
    for i, (coarse, value) in enumerate(influence.SHARES.items()):
        shares = [law["eps"][i], training["eps"][i], law["x0"][i], law["v"][i]]
        rows.append(
            [
                f"share at t64 = 999, t32 = {coarse}, %",
                f"{100 * value:.2f}",
                *[f"{100 * share:.2g}" for share in shares],
                f"{law['coupling'][i]:.2f}",
            ]
        )
    return Table(
        header=[
            "coarse on fine",
            "published, noise prediction",
            "Gaussian, power law, 64x64",
            "Gaussian, training spectrum",
            "power law, data prediction",
            "power law, velocity",
            "coupling",
        ],
        rows=rows,
    )


def _normalisation(published: dict[str, Any]) -> str:
    return (
        "Influence is the squared Jacobian over the numbers of pixels of both scales, which the published numbers bear "
        f"out: they put the influence of fine on itself at {published['own']:.2g} where all is noise, and the identity in "
        f"three channels gives {published['own_if_identity']:.2g}. The published growth ends at a coarse scale without "
        f"noise, where the share is {100 * published['share_at_clean']:.0f} % by the same numbers: 0.72 % is the largest "
        "only among the timesteps listed. The stand-in for the images has three independent channels with the spectrum "
        "1 / (1 + |k|^2) and variance 0.25; the training spectrum is that of the bench at its own size."
    )


def _network_table(found: dict[str, Any]) -> Table:
    rows = []
    for i, pair in enumerate(influence.PAIRS):
        row = [f"{pair[0]:g}, {pair[1]:g}"]
        for name in influence.PREDICTIONS:
            values = over_seeds([n[name][i][0][1] / n[name][i][0][0] for n in found["networks"]])
            exact = found["closed_form"][name][i]
            row += [f"{values.mean:.2g} ({exact[0][1] / exact[0][0]:.2g})"]
        coupling = over_seeds(
            [float(np.mean([n["coupling"][i][0][1], n["coupling"][i][1][0]])) for n in found["networks"]]
        )
        row.append(f"{coupling} ({found['closed_form']['coupling'][i][0][1]:.2f})")
        rows.append(row)
    return Table(
        header=[
            "log-SNR of fine, coarse",
            "J_HL / J_HH, data prediction: networks (closed form)",
            "noise prediction",
            "velocity",
            "coupling: networks (closed form)",
        ],
        rows=rows,
    )
