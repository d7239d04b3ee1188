"""What a path is optimised for: objects that know the cost of one step, its derivatives and a lattice program.

An objective answers four questions about a model: the cost of each step of a path, the derivatives of the whole
cost, the best path over a lattice, and, where there is one, a proof of a lower bound. `optimal_path` needs no more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift_theory._validation import real_array
from lift_theory.gaussian import _ClosedForm
from lift_theory.optimize.certificates import Certificate
from lift_theory.optimize.derivatives import PathDerivatives, automatic_steps, bregman_steps, path_derivatives
from lift_theory.optimize.lattice import LatticeSolution, lattice_points, lattice_program, table_program
from lift_theory.optimize.traceable import evaluate_tangents
from lift_theory.optimize.tubes import tube_certificate

QUADRATURE = 24
"""Nodes along one step; the integrand is smooth in the logarithm of the progress."""

Derivatives = Callable[[Float[np.ndarray, "points scales"]], PathDerivatives]


class Objective(Protocol):
    """A cost that is a sum over the steps of a path."""

    def step_costs(
        self, model: Any, logsnr: Float[np.ndarray, "points scales"]
    ) -> Float[np.ndarray, " steps"]:
        """Cost of each step."""

    def derivatives(self, model: Any) -> Derivatives:
        """The function that differentiates the cost of a path."""

    def lattice(
        self,
        model: Any,
        steps: int,
        axes: Sequence[Float[np.ndarray, " points"]],
        mmse: np.ndarray | None = None,
    ) -> LatticeSolution:
        """The best lattice paths with up to `steps` steps."""

    def certificate(
        self,
        model: Any,
        steps: int,
        axes: Sequence[Float[np.ndarray, " points"]],
        target: float,
    ) -> Certificate | None:
        """Lower bounds for all paths between the ends of the lattice, or None where no proof is known.

        The last bound need not exceed `target`, a cost a little below that of a known path.
        """


@runtime_checkable
class SearchingObjective(Protocol):
    """A cost that is no sum over the steps of a path, and knows its own search and curve, such as `OutputError`."""

    def optimize(self, model: Any, steps: int, first: Any, last: Any, thorough: bool = False) -> Any:
        """The best path."""

    def curve(self, model: Any, first: Any, last: Any) -> Any:
        """One curve for every step count."""


@dataclass(frozen=True)
class PathKL:
    """The KL error that ancestral sampling accumulates along a path, in total or weighted per scale.

    Unweighted, a step from SNRs g to g' costs the Bregman divergence of minus the mutual information, whatever
    happens within the step. How much of it each scale causes does depend on the order in which the observations of the
    step arrive; here all scales gain SNR at constant rates, so that the step is the straight line
    `g + t (g' - g)`, and scale k is charged

        d_k = (1/2) (g'_k - g_k) [mmse_k(g) - mean over t of mmse_k(g + t (g' - g))] >= 0.

    The parts add up to the whole, and `PathKL(weights)` costs `sum_k weights_k d_k`. "Only the fine scale's error" is
    `PathKL((1, 0))`.

    Attributes:
        weights: one non-negative number per scale, finest first; None counts all scales fully.

    Raises:
        ValueError: if a weight is negative or all are zero.

    Examples:
        >>> PathKL()
        PathKL(weights=None)
        >>> PathKL((1, 0)).weights
        (1.0, 0.0)
    """

    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.weights is None:
            return
        weights = np.atleast_1d(real_array(self.weights, name="weights"))
        if weights.ndim != 1 or weights.min(initial=0.0) < 0 or not weights.any():
            raise ValueError(
                f"weights must be one non-negative number per scale, not all zero; got {self.weights!r}. "
                "Leave them out for the total error."
            )
        equal = bool(np.all(weights == 1.0))
        object.__setattr__(self, "weights", None if equal else tuple(float(w) for w in weights))

    def step_costs(
        self, model: Any, logsnr: Float[np.ndarray, "points scales"]
    ) -> Float[np.ndarray, " steps"]:
        """Cost of each step, nats."""
        logsnr = np.asarray(logsnr, dtype=float)
        if self.weights is None:
            return np.asarray(model.step_kl(logsnr[:-1], logsnr[1:]), dtype=float)
        return self.derivatives(model)(logsnr).costs

    def derivatives(self, model: Any) -> Derivatives:
        """Exact first and second derivatives of the cost of a path."""
        if self.weights is None:
            return partial(path_derivatives, bregman_steps, model)
        return partial(
            path_derivatives, partial(automatic_steps, _weighted_step(self._checked(model))), model
        )

    def lattice(
        self,
        model: Any,
        steps: int,
        axes: Sequence[Float[np.ndarray, " points"]],
        mmse: np.ndarray | None = None,
    ) -> LatticeSolution:
        """The best lattice paths; exact in total, from an interpolated metric when weighted."""
        if self.weights is None:
            return lattice_program(model, steps, axes, mmse=mmse)
        return _weighted_lattice(model, steps, axes, self._checked(model))

    def certificate(
        self,
        model: Any,
        steps: int,
        axes: Sequence[Float[np.ndarray, " points"]],
        target: float,
    ) -> Certificate | None:
        """Lower bounds for Gaussian data; with weights, those of the least weight times the total."""
        if not isinstance(model, _ClosedForm):
            return None
        least = 1.0 if self.weights is None else min(self._checked(model))
        if least == 0.0:
            return None
        total = tube_certificate(model, steps, axes, target / least)
        return replace(total, bounds=least * total.bounds)

    def _checked(self, model: Any) -> tuple[float, ...]:
        weights = self.weights or ()
        if len(weights) != len(model.scales):
            raise ValueError(
                f"weights must hold one number for each of the scales {model.scales}; got {weights}."
            )
        return weights


def _progress(reach: Any) -> tuple[Any, Any]:
    """Quadrature nodes t in (0, 1) and weights, spread evenly in the logarithm of 1 + (e^reach - 1) t."""
    nodes, weights = np.polynomial.legendre.leggauss(QUADRATURE)
    tau, weights = 0.5 * (nodes + 1.0), 0.5 * weights
    reach = jnp.maximum(reach, 1e-3)
    scale = jnp.expm1(reach)
    return jnp.expm1(reach * tau) / scale, weights * reach * jnp.exp(reach * tau) / scale


@lru_cache(maxsize=32)
def _weighted_step(weights: tuple[float, ...]) -> Callable[[Any, Any, Any], Array]:
    """`sum_k weights_k d_k` as the remainder integral of the metric, a sum of positive terms.

    With the Hessian `H_kl = E||Phi_kl||^2 / 2` of minus the information,
    `d_k = (g'_k - g_k) int_0^1 (1 - t) sum_l H_kl(g + t (g' - g)) (g'_l - g_l) dt`.
    """
    import jax

    factors = jnp.asarray(weights)

    def step(model: Any, start: Float[Array, " scales"], stop: Float[Array, " scales"]) -> Array:
        rise = jnp.expm1(stop - start)
        progress, measure = _progress(jax.lax.stop_gradient(jnp.max(stop - start)))

        def at(t: Any) -> Array:
            grown = 1.0 + t * rise
            relative = rise / grown
            return jnp.sum(factors * relative * (model.metric(start + jnp.log(grown)) @ relative))

        return jnp.sum(measure * (1.0 - progress) * jax.lax.map(at, progress))

    return step


def _weighted_lattice(
    model: Any, steps: int, axes: Sequence[Float[np.ndarray, " points"]], weights: tuple[float, ...]
) -> LatticeSolution:
    """A table of all edges with the metric interpolated between lattice points: a start for refinement."""
    from lift_theory.optimize._kernels import weighted_edges

    shape = tuple(len(axis) for axis in axes)
    points = lattice_points(axes)
    _, metric = evaluate_tangents(model, points)
    longest = max(shape)
    table = np.full((len(shape), longest), np.inf)
    for k, axis in enumerate(axes):
        table[k, : len(axis)] = axis
    edges = weighted_edges(
        points, metric, table, np.array(shape), np.array(weights), *np.polynomial.legendre.leggauss(8)
    )
    return table_program(tuple(model.scales), steps, axes, edges)
