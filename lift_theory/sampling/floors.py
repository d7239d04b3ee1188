"""What no schedule can beat: the error of a sampler if every eigenmode had a clock of its own."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def ddim_floor(
    variances: Float[np.ndarray, " modes"],
    counts: Float[np.ndarray, " modes"],
    first: float,
    last: float,
    steps: int,
    metric: str,
    init: str,
) -> float:
    """Least squared W2, or KL, of DDIM over independent modes between two log-SNRs.

    The standard deviation of a mode ends too small by `prod cos(a_i - a_(i+1))`, `a = arctan(sigma / sqrt c)`, whose
    largest value for given ends has equal angles (Sabour et al. 2024, Thm 3.1), whatever path the other modes take.
    """
    seen = variances > 0
    root, number = np.sqrt(variances[seen]), counts[seen]
    begin, end = (np.arctan(np.exp(-0.5 * level) / root) for level in (first, last))
    deficit = -steps * np.log1p(-2.0 * np.sin(0.5 * (begin - end) / steps) ** 2)
    with np.errstate(divide="ignore"):
        if init == "standard":
            deficit = deficit - np.log(np.sin(begin))
        if metric == "w2":
            true = variances[seen] + np.exp(-last)
            return float(np.sum(number * true * np.expm1(-deficit) ** 2))
        return float(np.sum(number * (0.5 * np.expm1(2.0 * deficit) - deficit)))
