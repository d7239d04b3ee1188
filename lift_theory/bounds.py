"""Lower bounds on the cost of any path."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from lift_theory.channels import excess
from lift_theory.controls import _ends
from lift_theory.gaussian import GaussianModel


def lower_bound(model: GaussianModel, steps: int, start: Any, stop: Any) -> float:
    """The anisotropic floor in nats: no n-step path of any linear representation between these ends costs less.

    With `r_j` the eigenvalues of the posterior precision at the end relative to that at the start it is
    `(n / 2) sum_j phi(log r_j / n)`, `phi(u) = e^u - 1 - u`, reached by one clock per eigenmode. It is at least
    `sum_j log^2 r_j / (4 n)`.

    Args:
        model: Gaussian data and a representation, which fixes the posterior precision at the ends.
        steps: number of steps n >= 1.
        start: first log-SNR, one for all scales or one per scale.
        stop: last log-SNR, likewise.

    Raises:
        TypeError: if `model` is not a `GaussianModel` or `steps` not an integer.
        ValueError: if `steps < 1` or an end is not finite, of the wrong length, or in the wrong order.

    Examples:
        >>> import lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.SingleScale())
        >>> path = lt.diagonal_path(model, 10, -4.0, 4.0)
        >>> 0.8 < lt.lower_bound(model, 10, -4.0, 4.0) / lt.path_kl(model, path) <= 1.0
        True
    """
    if not isinstance(model, GaussianModel):
        raise TypeError(
            f"the anisotropic floor is a theorem about a GaussianModel; got {type(model).__name__}."
        )
    count, begin, end = _ends(model, steps, start, stop)
    rates = model.log_precision_ratios(begin, end) / count
    return float(count / 2 * np.sum(np.asarray(excess(jnp.expm1(rates)))))
