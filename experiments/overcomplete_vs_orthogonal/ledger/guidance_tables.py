"""Tables and paragraphs of the page on guidance."""

from __future__ import annotations

from typing import Any

from experiments.intervals import over_seeds
from experiments.overcomplete_vs_orthogonal.ledger import guidance_influence as influence
from experiments.path_optimization.published import UNIT
from experiments.report import Table


def lead_table(numbers: dict[str, Any]) -> Table:
    """Median leads of the published path and of best paths."""
    paths, published = numbers["paths"], numbers["published"]["leads"]
    rows = [
        [
            "LIFT, its published beginning",
            f"{published['median'] + UNIT:+.2f}",
            f"{published['median']:+.2f}",
            f"{published['ahead']} of {published['points']}",
            "",
            "",
        ]
    ]
    named = [
        ("LIFT's cost, on a Gaussian (power law)", paths["by_cost"]),
        ("exact denoiser of the training spectrum", paths["joint"]),
        ("denoisers that ignore the other scale", paths["decoupled"]),
    ]
    named += [(f"network, seed {seed}", path) for seed, path in enumerate(paths["networks"])]
    for words, path in named:
        ahead = f"{path['ahead']} of {path['points']}"
        costs = [f"{100 * (cost - 1):.1f}" for cost in path.get("costs", {}).values()] or ["", ""]
        rows.append([words, f"{path['nominal']:+.2f}", f"{path['unit_free']:+.2f}", ahead, *costs])
    return Table(
        header=[
            "path of",
            "median lead, nats",
            "minus 2 log 2",
            "inner points with coarse ahead, unit-free",
            "extra cost there of the exact pair's path, %",
            "of the decoupled one's, %",
        ],
        words=frozenset({0}),
        rows=rows,
    )


def on_leads(numbers: dict[str, Any]) -> str:
    """How much weight the leads of networks can bear."""
    by_cost = numbers["paths"]["by_cost"]
    misfits = [path["misfit"] for path in numbers["paths"]["networks"]]
    return (
        "LIFT's path follows from its cost: with gamma_B on the noise prediction of a Gaussian, without any network, the dynamic "
        f"program picks the published points up to number {by_cost['same']} of the {by_cost['printed']} that were printed and "
        f"then strays by {by_cost['furthest']:.2f} nats at most; this was seen after the predictions were written. Paths of least "
        "path KL are the best over a lattice an eighth of a nat fine, from the bench's first to its last noise level. On the "
        "networks they follow from the information whose errors are nearest to the measured ones, which leaves "
        f"{100 * max(misfits):.1f} % of the errors unexplained at most. The two last columns say how little a lead "
        "decides: what a path costs on the network's own surface more than the best one."
    )


def gain_table(numbers: dict[str, Any]) -> Table:
    """What the other scale is worth, in closed form and to networks."""
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


def published_table(numbers: dict[str, Any]) -> Table:
    """Published influences beside those of Gaussians."""
    published = numbers["published"]["influence"]
    law, training, ends = (numbers["influence"][name] for name in ("power_law", "training", "range"))
    low, high = ({name: values[i] for name, values in ends.items()} for i in (0, 1))
    rows = [
        [
            f"influence, {fine} / {coarse}",
            f"{published['influence'][i]:.2g}",
            f"{law['influence'][i]:.2g}",
            f"{low['influence'][i]:.2g} to {high['influence'][i]:.2g}",
            *[""] * 4,
        ]
        for i, (fine, coarse) in enumerate(influence.CORNERS)
    ]
    rows.append(
        [
            "growth, 999 / 999 to 0",
            f"{published['growth']:.3g}",
            f"{law['growth']:.3g}",
            f"{low['growth']:.2g} to {high['growth']:.2g}",
            f"{training['growth']:.3g}",
            *[""] * 3,
        ]
    )
    for i, coarse in enumerate(influence.SHARES):
        rows.append(
            [
                f"share, 999 / {coarse}",
                f"{published['eps'][i]:.2g}",
                f"{law['eps'][i]:.2g}",
                f"{low['eps'][i]:.2g} to {high['eps'][i]:.2g}",
                *[f"{share:.2g}" for share in (training["eps"][i], law["x0"][i], law["v"][i])],
                f"{law['coupling'][i]:.2f}",
            ]
        )
    return Table(
        header=[
            "coarse on fine, at t64 / t32",
            "published, noise prediction",
            "Gaussian, power law",
            "other power laws",
            "training spectrum",
            "power law, data prediction",
            "power law, velocity",
            "coupling",
        ],
        rows=rows,
    )


def on_influence(numbers: dict[str, Any]) -> list[str]:
    """What the published numbers are, and where no exact denoiser has them."""
    published, exact = numbers["published"]["influence"], numbers["influence"]["power_law"]
    noisy, clean, reverse = (p / e for p, e in zip(published["influence"], exact["influence"], strict=True))
    last, ends = numbers["influence"]["power_law"], numbers["influence"]["range"]
    above = [p / high for p, high in zip(published["influence"], ends["influence"][1], strict=True)]
    return [
        "Influence is the squared Jacobian over the numbers of pixels of both scales; a share is that of coarse on fine over "
        "that of fine on itself. The published numbers bear this reading out: they put the influence of fine on itself "
        f"at {published['own']:.2g} where all is noise, and the identity in three channels gives "
        f"{published['own_if_identity']:.2g}. The stand-in for the images has three independent channels with the spectrum "
        "1 / (1 + |k|^2) and variance 0.25. Other power laws, exponents 1.5 to 3 and variances 0.1 to 0.5, were tried after the "
        "numbers had been seen and have no prediction.",
        f"Published over Gaussian the influence is {noisy:.3g} where both scales are noise, {clean:.3g} where the coarse one "
        f"is clean and {reverse:.2g} where the fine one is. The last two hardly hang on the spectrum: a clean coarse pixel sets the mean "
        "of its four fine ones, which fixes the Jacobian of an exact denoiser, and a clean fine image leaves nothing to "
        "learn from a noisy coarse one. There the likeliest reading is that the network's own error was measured, so that the published "
        "growth is not that of the information. Some power laws have a growth as large, but none has the published influence at "
        f"any of the three corners: the nearest fall short by factors of {above[0]:.2g}, {above[1]:.3g} and {above[2]:.2g}. By the same numbers the share at a clean coarse scale is "
        f"{100 * published['share_at_clean']:.0f} %: 0.72 % is the largest only among the timesteps listed.",
        f"A share says little by itself. One and the same coupling of {last['coupling'][-1]:.2f} reads {last['eps'][-1]:.2g} in "
        f"the noise prediction, {last['v'][-1]:.2g} in the velocity and {last['x0'][-1]:.2g} in the data prediction.",
    ]


def network_table(found: dict[str, Any]) -> Table:
    """Ratios of squared Jacobians and couplings of networks, each with its closed form in brackets."""
    rows = []
    for i, pair in enumerate(influence.PAIRS):
        row = [f"{pair[0]:g}, {pair[1]:g}"]
        for name in influence.PREDICTIONS:
            values = over_seeds([n[name][i][0][1] / n[name][i][0][0] for n in found["networks"]])
            exact = found["closed_form"][name][i]
            row.append(f"{values.mean:.2g} ({exact[0][1] / exact[0][0]:.2g})")
        for k, other in ((0, 1), (1, 0)):
            values = over_seeds([n["coupling"][i][k][other] for n in found["networks"]])
            row.append(f"{values.mean:.2g} ({found['closed_form']['coupling'][i][k][other]:.2g})")
        rows.append(row)
    return Table(
        header=[
            "log-SNR of fine, coarse",
            "J_HL / J_HH, data prediction",
            "noise prediction",
            "velocity",
            "coupling, fine by coarse",
            "coupling, coarse by fine",
        ],
        rows=rows,
    )


def on_networks(found: dict[str, Any]) -> str:
    """Where networks are no posterior means."""
    excess = []
    for i, pair in enumerate(influence.PAIRS):
        ratios = [n["x0"][i][0][1] / found["closed_form"]["x0"][i][0][1] for n in found["networks"]]
        excess.append((over_seeds(ratios).mean, pair))
    (least, near), (most, far) = min(excess), max(excess)
    return (
        "Networks, mean over seeds, with the closed form in brackets. For a posterior mean both couplings are equal and at most "
        "one. The networks' squared Jacobian of fine by coarse is "
        f"{least:.2g} times the closed form's at ({near[0]:g}, {near[1]:g}) and {most:.2g} times at ({far[0]:g}, {far[1]:g}). "
        "Where the exact Jacobian all but vanishes, that of a network is its error, at whatever size training left it: "
        "single cross-Jacobians at the corners of the plane, such as those that were published, do not measure guidance; "
        "gains in error do."
    )
