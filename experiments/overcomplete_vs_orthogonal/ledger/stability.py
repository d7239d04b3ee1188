"""Does a two-scale model degrade less in long training than a one-scale model?

What theory has to say about it is short. The posterior mean of a pyramid is that of the Haar split, and its data hold
no more and no less than those of one scale; what a sampler adds to a network's own error is fixed by the path. Nothing
in it makes one of the two forget more with time. The interval of agreement is a fifth of the published one-scale
degradation either way.

The experiment is made to degrade: few training images, no mirrored copies, a constant learning rate. Both networks have
as many parameters. At every checkpoint raw and averaged weights (the longest average kept) are sampled with the
ancestral sampler along the path of least path KL of the closed form, the same at all times, and compared with

- the training images themselves, as LIFT's FID was, which rewards copies;
- the pool: all other patches of the photographs that the training images were cut from. They are of the law that the
  network was shown a sample of, so that what is lost there is lost to memory. Patches overlap, so they share some pixels
  with the training images, for both networks alike;
- patches of other photographs, the held-out images of the bench, whose law is another one however long one trains.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.intervals import Estimate, over_seeds
from experiments.overcomplete_vs_orthogonal.ledger import long_training, stability_report
from experiments.overcomplete_vs_orthogonal.ledger.finding import Page, Ruling
from experiments.overcomplete_vs_orthogonal.ledger.published_epochs import (
    EMA,
    RAW,
    SETTLED,
    apart,
    degradation,
    published_trend,
)
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.predictions import Prediction, judged

NAME = "stability"
TITLE = "Does the two-scale model degrade less in long training?"
CLAIM = (
    "LIFT: from epoch 200 to 2000 the FID of the one-scale baseline rises from 33.07 to 59.37 (raw weights, five seeds), that of "
    "two scales on the optimised path goes from 80.53 to 36.65. With averaged weights (one seed, epochs 400 to 2000) 27.90 to "
    "38.62 and 28.91 to 38.55."
)

SHARE = 0.2
"""Of the published one-scale degradation: what a difference may be and still count as none."""

ERRORS = 2.0
"""Standard errors within which two published slopes are not told apart."""

MAIN = "pixels_pool"


def predictions(bench: Bench) -> list[Prediction]:
    """No difference, from theory; that averages vary less, from what averaging does."""
    widest = {
        "raw": SHARE * degradation(RAW["one scale"]),
        "ema": SHARE * degradation(EMA["one scale"]),
    }
    words = {"raw": "raw", "ema": "averaged"}
    same = "overcomplete_equivalence"
    asked = [
        _prediction(
            f"{weights}_difference",
            f"Degradation, {words[weights]} weights: last distance to the pool above the least, two scales less one scale "
            "(percentage points).",
            same,
            -widest[weights],
            widest[weights],
        )
        for weights in ("raw", "ema")
    ]
    return [
        *asked,
        _prediction(
            "roughness",
            "Mean change of the distance from checkpoint to checkpoint, averaged over raw weights.",
            "LIFT, as published",
            0.0,
            1.0,
        ),
        _prediction(
            "nearness",
            "Distance of samples to the nearest training image, relative to new images: last less first checkpoint.",
            "model_error_split",
            -np.inf,
            0.0,
        ),
        _prediction(
            "loss_gap",
            "Held-out less training loss, raw weights: growth from the first to the last checkpoint.",
            "model_error_split",
            0.0,
            np.inf,
        ),
        _prediction(
            "published_slope",
            "Published raw weights, all epochs: slope of two scales (DP-Total) less that of one scale (standard errors).",
            same,
            -ERRORS,
            ERRORS,
        ),
        _prediction(
            "published_settled_slope",
            f"The same from epoch {SETTLED} on.",
            same,
            -ERRORS,
            ERRORS,
        ),
        _prediction(
            "published_other_path",
            f"The same two-scale networks on the diagonal, from epoch {SETTLED} on: slope less that of one scale (standard "
            "errors).",
            same,
            -ERRORS,
            ERRORS,
        ),
        _prediction(
            "published_ema_difference",
            "Published averaged weights, epochs 400 to 2000: degradation of two scales less that of one (percentage points).",
            same,
            -widest["ema"],
            widest["ema"],
        ),
    ]


def measure(bench: Bench) -> dict[str, Any]:
    """Curves of every network of the long training."""
    sets = long_training.references(bench)
    return {
        "networks": long_training.measured(bench),
        "images": {name: len(part) for name, part in sets.items()},
        "samples": max(bench.sizes.samples // 2, 2),
        "calls": bench.sizes.steps,
        "batch": bench.sizes.training.batch,
    }


def page(numbers: dict[str, Any], predictions: list[Prediction], folder: Path) -> Page:
    """Figures, tables and the ruling."""
    verdicts, ruling = ruled(numbers, predictions)
    return Page(
        verdicts=verdicts,
        items=stability_report.items(numbers, verdicts, folder),
        ruling=ruling,
        why=_why(numbers["networks"]),
    )


def ruled(numbers: dict[str, Any], predictions: list[Prediction]) -> tuple[list[dict[str, Any]], Ruling]:
    """Verdicts and ruling.

    Confirmed if raw weights of two scales degrade less by an interval that lies below zero, and averaged ones do not
    degrade more by one that lies above. Explained otherwise, by the scatter of raw weights from checkpoint to
    checkpoint, if averages vary less here, the published slopes from the settled epoch on are not told apart, and the
    same two-scale networks rise as fast as the baseline on another path. Otherwise not reproduced.
    """
    networks = numbers["networks"]
    difference = {weights: _difference(networks, weights) for weights in ("raw", "ema")}
    slopes = {since: _slopes(since) for since in (200, SETTLED)}
    found: dict[str, float | Estimate | None] = {
        "stability_raw_difference": difference["raw"],
        "stability_ema_difference": difference["ema"],
        "stability_roughness": _roughness(networks),
        "stability_nearness": _per_seed(
            networks, lambda run: run["raw"]["nearness"][-1] - run["raw"]["nearness"][0]
        ),
        "stability_loss_gap": _per_seed(networks, _gap_growth),
        "stability_published_slope": slopes[200]["two scales, DP-Total"],
        "stability_published_settled_slope": slopes[SETTLED]["two scales, DP-Total"],
        "stability_published_other_path": slopes[SETTLED]["two scales, diagonal"],
        "stability_published_ema_difference": degradation(EMA["two scales, DP-Total"])
        - degradation(EMA["one scale"]),
    }
    verdicts = judged(predictions, found)
    words = {v["name"]: v["verdict"] for v in verdicts}
    less = difference["raw"].high < 0.0 and not difference["ema"].low > 0.0
    scatter = (
        words["stability_roughness"] == words["stability_published_settled_slope"] == "confirmed"
        and slopes[SETTLED]["two scales, diagonal"] > -ERRORS
    )
    ruling: Ruling = "confirmed" if less else "explained otherwise" if scatter else "not reproduced"
    return verdicts, ruling


def _why(networks: dict[str, Any]) -> str:
    path, diagonal = (published_trend(f"two scales, {name}", SETTLED) for name in ("DP-Total", "diagonal"))
    baseline = published_trend("one scale", SETTLED)
    found = {weights: _difference(networks, weights) for weights in ("raw", "ema")}
    told = [word for word in found.values() if word.low > 0.0 or word.high < 0.0]
    raw, ema = (f"{found[name].mean:.1f} ± {found[name].half_width:.1f}" for name in ("raw", "ema"))
    return (
        f"Trained for long on few images, the degradation of two scales less that of one scale is {raw} percentage points with "
        f"raw weights and {ema} with averaged ones, {'one of them' if len(told) == 1 else 'both' if told else 'neither'} told "
        f"from zero. In the published table the slopes per 1000 epochs from epoch {SETTLED} on are {path.slope:.1f} ± "
        f"{path.standard_error:.1f} (optimised path) and {baseline.slope:.1f} ± {baseline.standard_error:.1f} (one scale), "
        f"{abs(apart(path, baseline)):.1f} standard errors apart, with a scatter of {path.scatter:.1f} FID about the line; the same "
        f"networks on the diagonal rise by {diagonal.slope:.1f} ± {diagonal.standard_error:.1f}."
    )


def _prediction(name: str, claim: str, source: str, low: float, high: float) -> Prediction:
    return {
        "name": f"{NAME}_{name}",
        "claim": claim,
        "source": source,
        "interval": [float(low), float(high)],
    }


def _slopes(since: int) -> dict[str, float]:
    """Published slopes of two scales less that of one scale, in standard errors."""
    baseline = published_trend("one scale", since)
    return {name: apart(published_trend(name, since), baseline) for name in RAW if name != "one scale"}


def _difference(networks: dict[str, Any], weights: str) -> Estimate:
    """Degradation of two scales less that of one scale, seed by seed."""
    one, two = (
        [degradation(run[weights][MAIN]) for run in networks[name]] for name in long_training.NETWORKS
    )
    return over_seeds([b - a for a, b in zip(one, two, strict=True)])


def _roughness(networks: dict[str, Any]) -> Estimate:
    """Mean absolute change between checkpoints, averaged over raw weights: geometric mean of both networks, by seed."""

    def change(run: dict[str, Any], weights: str) -> float:
        return float(np.mean(np.abs(np.diff(run[weights][MAIN]))))

    return over_seeds(
        [
            float(np.exp(np.mean([np.log(change(run, "ema") / change(run, "raw")) for run in runs])))
            for runs in zip(*networks.values(), strict=True)
        ]
    )


def _per_seed(networks: dict[str, Any], quantity: Any) -> Estimate:
    """The mean of both networks, by seed."""
    return over_seeds(
        [float(np.mean([quantity(run) for run in runs])) for runs in zip(*networks.values(), strict=True)]
    )


def _gap_growth(run: dict[str, Any]) -> float:
    gap = np.subtract(run["losses"]["raw"], run["losses"]["training"])
    return float(gap[-1] - gap[0])
