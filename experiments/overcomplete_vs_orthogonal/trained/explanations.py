"""Why predictions of networks failed, from the same rows that were judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.intervals import over_seeds
from experiments.overcomplete_vs_orthogonal.trained.bench import NETWORKS


def explanations(
    verdicts: Sequence[dict[str, Any]], samples: Sequence[dict[str, Any]], apart: Sequence[dict[str, Any]]
) -> list[str]:
    """A paragraph for every prediction that failed and has a reason to give, and one for all that stay undecided.

    Args:
        verdicts: predictions with what was measured.
        samples: rows of `sampled`.
        apart: rows of `equivalence`.
    """
    failed = {v["name"] for v in verdicts if v["verdict"] == "failed"}
    texts = []
    clocks = [name for name in NETWORKS if f"second_clock_{name}" in failed]
    if clocks:
        gained = ", ".join(f"{name} {_with_verdict(verdicts, f'second_clock_kl_{name}')}" for name in clocks)
        texts.append(
            "Two clocks made for W2 gain less than predicted: the W2 of DDIM is that of the best linear denoiser, and two "
            "clocks are tuned to its errors more finely than one. "
            + " ".join(_beyond(name, samples) for name in clocks)
            + " A path that is the optimum of the linear denoiser need not be that of a network which knows more about "
            f"images. Path KL, whose optimum is measured on the network itself, is {gained} of that "
            "in lock-step."
        )
    if "representations" in failed:
        texts.append(
            "Representations are not ordered by the closed form on their best path for W2: the order is that of what the "
            "second clock gains there, which networks do not share; their errors differ by a factor of "
            f"{_spread(samples):.2f} only."
        )
    if "equivalence" in failed:
        texts.append(_apart(apart))
    open_ones = [v for v in verdicts if v["verdict"] == "undecided"]
    if open_ones:
        texts.append(
            f"Undecided: {', '.join(v['name'] for v in open_ones)}. The interval over {len(apart)} seeds holds a limit of the "
            "prediction; nothing is concluded from these."
        )
    return texts


def _with_verdict(verdicts: Sequence[dict[str, Any]], name: str) -> str:
    (found,) = [v for v in verdicts if v["name"] == name]
    return f"{found['estimate']['mean']:.3f} ({found['verdict']})"


def _beyond(name: str, samples: Sequence[dict[str, Any]]) -> str:
    def ratio(path: str) -> Any:
        return over_seeds(
            [
                row["flow_error"] / row["predicted_w2_squared"]
                for row in samples
                if (row["sampler"], row["representation"], row["path"]) == ("ddim", name, path)
            ]
        )

    return (
        f"Networks ({name}) make {ratio('best_w2')} times the error of the closed form there, and {ratio('lockstep_w2')} "
        "times in lock-step."
    )


def _spread(samples: Sequence[dict[str, Any]]) -> float:
    means = [
        np.mean(
            [
                row["flow_error"]
                for row in samples
                if (row["sampler"], row["representation"]) == ("ddim", name)
                and row["path"] == ("lockstep_w2" if name == "single" else "best_w2")
            ]
        )
        for name in NETWORKS
    ]
    return float(max(means) / min(means))


def _apart(apart: Sequence[dict[str, Any]]) -> str:
    both = {
        name: over_seeds([row["worst"]["over_closed_form"][name] for row in apart])
        for name in ("pyramid", "haar")
    }
    means = [100.0 * float(np.mean([row["mean"][k] for row in apart])) for k in range(2)]
    places = ", ".join(
        f"'{w['scale']}' at {w['logsnr'][0]:.1f} and {w['logsnr'][1]:.1f} nats"
        for w in (row["worst"] for row in apart)
    )
    return (
        "Networks trained apart for the pyramid and for Haar bands do not reach the same errors, though the information "
        f"they are given is the same: pyramid networks err by {means[0]:+.1f} % (fine) and {means[1]:+.1f} % (coarse) more "
        f"in the mean. Where they differ most (fine and coarse log-SNR, by seed: {places}), the pyramid networks' error is "
        f"{both['pyramid']} times that of the best linear denoiser and that of the Haar networks {both['haar']} times. The "
        "theorem is about exact denoisers; it says what both could do, not what is equally easy to learn."
    )
