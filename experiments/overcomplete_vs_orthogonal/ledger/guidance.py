"""Does the coarse scale guide the fine one? LIFT's leads and Jacobians beside a Gaussian and trained networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.intervals import over_seeds
from experiments.overcomplete_vs_orthogonal.ledger import guidance_figures as figures
from experiments.overcomplete_vs_orthogonal.ledger import guidance_influence as influence
from experiments.overcomplete_vs_orthogonal.ledger import guidance_leads as leads
from experiments.overcomplete_vs_orthogonal.ledger import guidance_tables as tables
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


PARTS = {
    "unit": "the coarse scale leads",
    "growth": "its influence grows 6400 times when it becomes clean",
    "largest_share": "its influence is at most 0.72 %",
}
"""What was published, and the prediction that explains it without guidance."""
RULE = (
    "Rule: explained otherwise if units explain the lead and a Gaussian gives the published growth and the largest "
    "published share. If not, confirmed if trained networks want the coarse scale ahead in unit-free terms, and not "
    "reproduced if they do not either."
)


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
            "cheaper",
            "And the exact pair's path costs less on the networks' measured errors than the decoupled one's (ratio).",
            "bregman_path_kl",
            [0.0, 1.0],
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
            _around(exact["growth"], FACTOR),
        ),
        _prediction(
            "largest_share",
            "So is the largest published share of that influence in the influence of fine on itself: "
            f"{100 * exact['eps'][place]:.3g} % (per cent).",
            "chain_rule_factor",
            _around(100 * exact["eps"][place], FACTOR),
        ),
        _prediction(
            "reverse",
            "And the published influence of a noisy coarse scale on a clean fine one: "
            f"{exact['influence'][2]:.2g} (per pixel of both scales).",
            "chain_rule_factor",
            _around(exact["influence"][2], FACTOR),
        ),
        _prediction(
            "network_growth",
            "Trained networks: the influence of coarse on fine (noise prediction) grows as in the closed form of their "
            f"training spectrum, {growth:.3g} between log-SNR {influence.PAIRS[0][1]:g} and {influence.FAR:g} of the coarse "
            f"scale, within a factor of {NETWORK_FACTOR:g}.",
            "chain_rule_factor",
            _around(growth, NETWORK_FACTOR),
        ),
        _prediction(
            "cross_jacobian",
            "Trained networks: squared Jacobian of the fine prediction by the coarse input over that of the closed form "
            "(geometric mean over noise levels; the same in all parametrisations).",
            "chain_rule_factor",
            _around(1.0, NETWORK_FACTOR),
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
    paths = leads.closed_form_paths(bench)
    networks = [influence.of_network(bench, seed) for seed in range(len(bench.runs["pyramid"]))]
    return {
        "published": {"leads": leads.published_leads(), "influence": influence.published()},
        "paths": {
            **paths,
            "networks": leads.network_paths(bench, paths),
            "by_cost": leads.path_by_cost(bench),
        },
        "gains": leads.gains(bench),
        "influence": {
            "power_law": influence.gaussian(influence.lift_model()),
            "range": influence.gaussian_range(),
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
        "cheaper": over_seeds([p["costs"]["joint"] / p["costs"]["decoupled"] for p in paths["networks"]]),
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
    verdict = {v["name"].removeprefix(f"{NAME}_"): v["verdict"] for v in verdicts}
    items: list[Item] = [
        verdict_table(verdicts),
        Text(text=RULE),
        Table(header=["part", "ruled by itself"], rows=[[*part] for part in parts(verdict).items()]),
        figures.ahead(folder, numbers),
        tables.lead_table(numbers),
        Text(text=tables.on_leads(numbers)),
        tables.gain_table(numbers),
        figures.influence(folder, numbers),
        tables.published_table(numbers),
        *[Text(text=text) for text in tables.on_influence(numbers)],
        tables.network_table(numbers["influence"]),
        Text(text=tables.on_networks(numbers["influence"])),
    ]
    return Page(verdicts=verdicts, items=items, ruling=ruled(verdict), why=_why(numbers, measured))


def parts(verdict: dict[str, str]) -> dict[str, Ruling]:
    """Every part of the finding ruled on by itself: explained otherwise if its prediction holds."""
    return {
        words: "explained otherwise" if verdict[name] == "confirmed" else "not reproduced"
        for name, words in PARTS.items()
    }


def ruled(verdict: dict[str, str]) -> Ruling:
    """The ruling by `RULE`."""
    if set(parts(verdict).values()) == {"explained otherwise"}:
        return "explained otherwise"
    return "confirmed" if verdict["lead"] == "failed" else "not reproduced"


def _prediction(name: str, claim: str, source: str, interval: list[float]) -> Prediction:
    return {"name": f"{NAME}_{name}", "claim": claim, "source": source, "interval": interval}


def _around(value: float, factor: float) -> list[float]:
    """Within a factor of a value; three digits say enough."""
    return [float(f"{value / factor:.3g}"), float(f"{value * factor:.3g}")]


def _why(numbers: dict[str, Any], measured: dict[str, Any]) -> str:
    found, exact = numbers["published"], numbers["influence"]["power_law"]
    lead, shares = found["leads"], list(influence.SHARES.values())
    place = shares.index(max(shares))
    excess = found["influence"]["influence"][1] / exact["influence"][1]
    by_cost = numbers["paths"]["by_cost"]
    return (
        f"Of {lead['points']} published points {lead['nominally_ahead']} have the coarse scale ahead in timesteps and "
        f"{lead['ahead']} in unit-free terms (median {lead['median']:+.2f} nats); LIFT's cost picks such a path on a Gaussian "
        f"without any network, with the coarse scale ahead at {by_cost['nominally_ahead']} of {by_cost['points']} inner points, "
        f"while the least path KL asks for {measured['joint_optimum']:+.2f} nats with the exact denoiser of the training images "
        f"and for {measured['lead']} with the networks. The same Gaussian gives the largest share, "
        f"{100 * exact['eps'][place]:.2g} % against the published {100 * shares[place]:.2g} % at a coupling of "
        f"{exact['coupling'][place]:.2f}, but a growth of {exact['growth']:.3g} against {found['influence']['growth']:.3g}: with a "
        f"clean coarse scale the published influence is {excess:.3g} times that of an exact denoiser. Guidance goes both ways: "
        f"networks take {measured['coarse_to_fine']} of the closed form's gain from coarse to fine and "
        f"{measured['fine_to_coarse']} from fine to coarse."
    )
