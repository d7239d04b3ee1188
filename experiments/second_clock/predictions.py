"""What theory predicts about a second clock, with the interval that counts as agreement, and what was measured."""

from __future__ import annotations

from typing import Any

from experiments.predictions import Prediction, judged
from experiments.rows import find
from experiments.second_clock.gains import main_line

INFINITY = float("inf")
PREDICTIONS: list[Prediction] = [
    {
        "name": "pyramid",
        "claim": "A second clock is worth next to nothing to the pyramid (gain in W2, exponent 2, headline steps, %).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 2.0],
    },
    {
        "name": "pyramid_anywhere",
        "claim": "Nor does it matter for any other spectrum or step count (largest gain of the pyramid in W2, DDIM, %).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 5.0],
    },
    {
        "name": "dct",
        "claim": "Orthogonal cosine bands gain noticeably (W2, exponent 2, headline steps, %).",
        "source": "orthogonal_separability",
        "interval": [5.0, 15.0],
    },
    {
        "name": "haar",
        "claim": "So do Haar bands (W2, exponent 2, headline steps, %).",
        "source": "orthogonal_separability",
        "interval": [5.0, 15.0],
    },
    {
        "name": "bilinear",
        "claim": "And residuals after bilinear up-sampling (W2, exponent 2, headline steps, %).",
        "source": "orthogonal_separability",
        "interval": [3.0, 15.0],
    },
    {
        "name": "never_worse",
        "claim": "A second clock never harms orthogonal bands, whose lock-step is one clock (smallest gain of Haar and "
        "DCT bands over all spectra, steps, samplers and distances, %).",
        "source": "orthogonal_separability",
        "interval": [-1e-4, INFINITY],
    },
    {
        "name": "order",
        "claim": "DCT bands gain several times as much as the pyramid (ratio of gains in W2, exponent 2, headline steps).",
        "source": "overcomplete_equivalence",
        "interval": [3.0, INFINITY],
    },
    {
        "name": "spacing",
        "claim": "Spacing one clock well saves more than a second clock: against uniform log-SNR (W2, exponent 2, headline "
        "steps, %).",
        "source": "self_consistent_geodesic",
        "interval": [10.0, 100.0],
    },
    {
        "name": "spacing_karras",
        "claim": "Even against Karras spacing (W2, exponent 2, headline steps, %).",
        "source": "self_consistent_geodesic",
        "interval": [10.0, 30.0],
    },
    {
        "name": "path_matters",
        "claim": "For the pyramid, too, a uniform diagonal is much worse than the best path (ratio of W2, photographs' "
        "spectrum, headline steps).",
        "source": "self_consistent_geodesic",
        "interval": [1.1, INFINITY],
    },
    {
        "name": "coarse_late",
        "claim": "The best pyramid path puts the coarse channel late (mean unit-free lead over the calls, exponent 2, "
        "W2, headline steps, nats).",
        "source": "equal_information_lead",
        "interval": [-INFINITY, 0.0],
    },
    {
        "name": "coarse_late_photographs",
        "claim": "Also on the spectrum of photographs (mean unit-free lead, W2, headline steps, nats).",
        "source": "equal_information_lead",
        "interval": [-INFINITY, 0.0],
    },
    {
        "name": "equal_information",
        "claim": "Leading by as much as makes both channels equally informative harms the pyramid, each lead with its own "
        "best spacing (W2 over that without lead, photographs' spectrum, headline steps).",
        "source": "equal_information_lead",
        "interval": [1.0, INFINITY],
    },
    {
        "name": "staged_dct",
        "claim": "A coarse-first path with its best split and spacing costs DCT bands up to twice the best path, a little "
        "more with few steps (ratio of W2, photographs' spectrum, headline steps).",
        "source": "orthogonal_separability",
        "interval": [1.2, 2.3],
    },
    {
        "name": "staged_pyramid",
        "claim": "It harms the pyramid, too (ratio of W2, photographs' spectrum, headline steps).",
        "source": "overcomplete_equivalence",
        "interval": [1.2, 2.5],
    },
    {
        "name": "path_kl_in_w2",
        "claim": "The path that is best for path KL is poor in W2 (smallest ratio to the best in W2 over representations, "
        "photographs' spectrum, headline steps).",
        "source": "single_mode_schedules",
        "interval": [1.3, INFINITY],
    },
    {
        "name": "w2_in_path_kl",
        "claim": "And the other way around (smallest ratio of path KL).",
        "source": "single_mode_schedules",
        "interval": [1.5, INFINITY],
    },
    {
        "name": "first_order",
        "claim": "The best path for DCT bands has first order, one curve for every step count (W2 at the fewest steps from 10 "
        "up, times that count, over the same at the most; exponent 2).",
        "source": "self_consistent_geodesic",
        "interval": [0.8, 1.25],
    },
    {
        "name": "steep",
        "claim": "DCT bands gain less where the low band dominates: gain at the flattest spectrum less that at the steepest "
        "(W2, headline steps, percentage points).",
        "source": "self_consistent_geodesic",
        "interval": [0.0, INFINITY],
    },
    {
        "name": "kl",
        "claim": "In KL, where every mode counts alike, DCT bands also gain (exponent 2, headline steps, %).",
        "source": "self_consistent_geodesic",
        "interval": [5.0, 30.0],
    },
    {
        "name": "joint",
        "claim": "Who pays for the pyramid's late coarse channel is the coarse image: along the path that is best for the image "
        "the joint law of both scales is further off than in lock-step (ratio of W2, photographs' spectrum, headline "
        "steps).",
        "source": "overcomplete_equivalence",
        "interval": [1.0, INFINITY],
    },
    {
        "name": "found_bands",
        "claim": "DCT bands have one optimum: the search reaches it from anywhere (largest excess of the median start over "
        "the best one, W2, % of the error).",
        "source": "self_consistent_geodesic",
        "interval": [0.0, 0.1],
    },
    {
        "name": "found_pyramid",
        "claim": "The pyramid's optimum is found almost as surely (the same).",
        "source": "self_consistent_geodesic",
        "interval": [0.0, 1.0],
    },
    {
        "name": "pure_noise",
        "claim": "Beginning with pure noise in place of the exact law hardly changes what a second clock is worth (largest "
        "change of the gain in W2, exponent 2, percentage points).",
        "source": "ddim_gaussian_law",
        "interval": [0.0, 1.0],
    },
    {
        "name": "other_samplers",
        "claim": "Ancestral sampling and Heun's method agree that the pyramid gains little (largest gain in W2, %).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 3.0],
    },
]


def verdicts(
    table: list[dict[str, Any]],
    one_rows: list[dict[str, Any]],
    controls: list[dict[str, Any]],
    preset: Any,
) -> list[dict[str, Any]]:
    """Every prediction with what was measured, or "not asked" where the preset leaves it out."""
    return judged(PREDICTIONS, _measured(table, one_rows, controls, preset))


def _measured(
    table: list[dict[str, Any]],
    one_rows: list[dict[str, Any]],
    controls: list[dict[str, Any]],
    preset: Any,
) -> dict[str, float | None]:
    measured, steps = preset.controls[-1], preset.headline
    at = {"spectrum": preset.spectrum, "steps": steps}

    def gain(representation: str, **wanted: Any) -> float:
        (entry,) = main_line(table, representation=representation, **{**at, **wanted})
        return float(entry["gain"])

    def control(representation: str, path: str) -> dict[str, Any]:
        return find(controls, representation=representation, path=path, spectrum=measured)

    def ratio(representation: str, path: str, other: str = "best_w2", of: str = "w2") -> float:
        return float(control(representation, path)[of] / control(representation, other)[of])

    def lead(spectrum: str) -> float:
        (entry,) = main_line(table, representation="pyramid", spectrum=spectrum, steps=steps)
        return float(entry["lead_mean"])

    def excess(representation: str) -> float:
        return max(float(e["median_excess"]) for e in main_line(table, representation=representation))

    one = find(
        one_rows,
        sampler="ddim",
        init="exact",
        metric="w2",
        output="image",
        **at,
    )
    counts = sorted({e["steps"] for e in main_line(table, spectrum=preset.spectrum) if e["steps"] >= 10})
    dct = {
        n: main_line(table, representation="dct", spectrum=preset.spectrum, steps=n)[0]["best"]
        for n in counts
    }
    laws = sorted((s for s in preset.spectra() if s.replace(".", "").isdigit()), key=float)
    everywhere = main_line(
        table, representation="pyramid", spectrum=None, steps=None, sampler=None, init=None
    )
    noise = [
        abs(e["gain"] - gain(e["representation"], steps=e["steps"]))
        for e in main_line(table, init="standard", spectrum=preset.spectrum)
    ]
    others = [e["gain"] for e in everywhere if e["sampler"] != "ddim"]
    names = {row["representation"] for row in controls} - {"one"}
    orthogonal = [e["gain"] for e in table if e["representation"] in ("haar", "dct")]
    kl = main_line(table, representation="dct", metric="kl", **at)
    return {
        "pyramid": gain("pyramid"),
        "pyramid_anywhere": max(float(e["gain"]) for e in main_line(table, representation="pyramid")),
        "dct": gain("dct"),
        "haar": gain("haar"),
        "bilinear": gain("bilinear"),
        "never_worse": float(min(orthogonal)),
        "order": gain("dct") / max(gain("pyramid"), 1e-6),
        "spacing": 100 * (1 - one["cost"] / one["spacings"]["logsnr"]),
        "spacing_karras": 100 * (1 - one["cost"] / one["spacings"]["karras"]),
        "path_matters": ratio("pyramid", "logsnr"),
        "coarse_late": lead(preset.spectrum),
        "coarse_late_photographs": lead(measured),
        "equal_information": ratio("pyramid", "equal_information", "no_lead"),
        "staged_dct": ratio("dct", "coarse_first"),
        "staged_pyramid": ratio("pyramid", "coarse_first"),
        "path_kl_in_w2": min(ratio(name, "path_kl") for name in names),
        "w2_in_path_kl": min(ratio(name, "best_w2", "path_kl", "path_kl") for name in names),
        "first_order": counts[0] * dct[counts[0]] / (counts[-1] * dct[counts[-1]])
        if len(counts) > 1
        else None,
        "steep": gain("dct", spectrum=laws[0]) - gain("dct", spectrum=laws[-1]) if len(laws) > 1 else None,
        "kl": float(kl[0]["gain"]) if kl else None,
        "joint": ratio("pyramid", "best_w2", "lock_step", "joint_w2"),
        "found_bands": excess("dct"),
        "found_pyramid": excess("pyramid"),
        "pure_noise": float(max(noise)) if noise else None,
        "other_samplers": float(max(others)) if others else None,
    }
