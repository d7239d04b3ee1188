"""The mutual information nearest to measured denoising errors.

Half the squared errors of an exact denoiser are the gradient of one function of the SNRs, the mutual information I,
which is concave and has I = 0 where nothing is observed. Errors that were measured, of a trained network moreover,
are no exact gradient. They are explained as well as possible by

    I(g) = sum_m w_m (1 - exp(-a_m . g)) + b . g        with w_m, a_m, b >= 0,

fitted to all `mmse_k = 2 dI/dg_k` of the surface at once by non-negative least squares. Such functions, with their
limits, are those whose derivatives alternate in sign (Choquet 1969). The information of Gaussian data is one of them
for one and for two scales: the derivatives of `log det(P + s X + t Y)` are, up to their signs, traces of sums over all
words with as many letters X and Y, which Stahl 2013 (Acta Math. 211, Thm 1) proved not to be negative. For more
scales and for other data it need not be; there the misfit tells. The rates a_m begin on a grid that is even in
log-SNR; those in use are then joined by neighbours at half the distance, again and again.

What the fit cannot follow is left out: noise of the measurement, the curl of the field of errors (no potential has
one), and rises of an error with an SNR (no posterior mean has any). The term b is an error that no observation
reduces; it costs no path anything, as the cost of a step is a difference of errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float
from scipy.interpolate import make_interp_spline
from scipy.optimize import nnls

SPACING = {1: 0.7, 2: 1.0, 3: 2.4}
"""Distance of neighbouring rates in nats at the beginning of a fit; wider for more scales."""

ROUNDS = 4
"""Times that the distance is halved, at most."""

MARGIN = (3.0, 2.0)
"""Nats by which rates reach beyond the surface: knees above its highest and below its lowest log-SNR."""

PRECISE = 2e-5
"""Relative misfit at which a fit is finished."""

FLOOR = 1e-4
"""Least relative standard error that a fit believes."""

CLOSE = {1: 0.45, 2: 0.45, 3: 0.95}
"""Nats between points to which errors are interpolated before a fit, so that it cannot ripple between them."""

POINTS = 4096
"""Points of a surface that a fit looks at; of larger surfaces, as many chosen by chance."""

RIDGE = 1e-12
"""Relative diagonal added to the normal equations, at least."""

PADDED = 64
"""Numbers of terms are multiples of this, so that few sizes are ever compiled."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True, eq=False)
class FittedInformation:
    """`sum_m w_m (1 - exp(-a_m . g)) + b . g` with what follows from it, each for one point.

    Attributes:
        rates: a.
        weights: w.
        linear: b.
        sizes: number of coefficients of each scale.
    """

    rates: Float[Array, "terms scales"]
    weights: Float[Array, " terms"]
    linear: Float[Array, " scales"]
    sizes: tuple[int, ...] = field(metadata={"static": True})

    def information(self, g: Any) -> Any:
        """Nats."""
        return -self.weights @ jnp.expm1(-self.rates @ g) + self.linear @ g

    def mmse(self, g: Any) -> Any:
        """Twice the gradient."""
        return 2.0 * ((self.weights * jnp.exp(-self.rates @ g)) @ self.rates + self.linear)

    def gram(self, g: Any) -> Any:
        """Minus twice the Hessian, `E||Phi_kl||^2`."""
        return 2.0 * jnp.einsum(
            "m,mk,ml->kl", self.weights * jnp.exp(-self.rates @ g), self.rates, self.rates
        )

    def step(self, g: Any, dg: Any) -> Any:
        """Bregman divergence of minus the information, a sum of positive terms."""
        moved = self.rates @ dg
        small = jnp.abs(moved) < 1e-3
        series = moved**2 * (0.5 - moved * (1.0 / 6.0 - moved * (1.0 / 24.0 - moved / 120.0)))
        safe = jnp.where(small, 1.0, moved)
        return (self.weights * jnp.exp(-self.rates @ g)) @ jnp.where(small, series, safe + jnp.expm1(-safe))

    def complement(self, g: Any) -> Any:
        """`E||1 - g_k Phi_kk||^2` and `E tr Phi_kk (1 - g_k Phi_kk)`, as far as errors tell them, not negative."""
        error, own = self.mmse(g), jnp.diagonal(self.gram(g))
        squares = jnp.asarray(self.sizes) - 2.0 * g * error + g**2 * own
        return jnp.maximum(squares, 0.0), jnp.maximum(error - g * own, 0.0)


def fit_information(
    axes: list[np.ndarray], sizes: tuple[int, ...], errors: np.ndarray, uncertainty: np.ndarray | None
) -> tuple[FittedInformation, np.ndarray]:
    """The information nearest to the errors, and the errors it has itself.

    Raises:
        ValueError: if the nearest errors are constant.
    """
    count = len(axes)
    relative = np.ones_like(errors) if uncertainty is None else np.hypot(uncertainty / errors, FLOOR)
    dense = [_refined(axis, CLOSE.get(count, np.inf)) for axis in axes]
    logs = _interpolated(np.log(errors), axes, dense, degree=5)
    spread = np.exp(_interpolated(np.log(relative), axes, dense, degree=1)).reshape(-1, count).T.ravel()
    values = np.exp(logs).reshape(-1, count).T.ravel()
    snr = _snr(dense)
    if len(snr) > POINTS:
        chosen = np.sort(np.random.default_rng(0).choice(len(snr), POINTS, replace=False))
        values, spread = (part.reshape(count, -1)[:, chosen].ravel() for part in (values, spread))
        snr = snr[chosen]

    def solved(rates: np.ndarray) -> tuple[np.ndarray, float]:
        matrix = _errors_of_terms(snr, rates) / (values * spread)[:, None]
        norms = np.linalg.norm(matrix, axis=0)
        matrix *= np.where(norms > 0, 1.0 / np.where(norms > 0, norms, 1.0), 0.0)
        gram = matrix.T @ matrix
        factor = _factor(gram)
        target = scipy.linalg.solve_triangular(factor, matrix.T @ (1.0 / spread), lower=True)
        found, _ = nnls(factor.T, target, maxiter=20 * len(gram))
        rest = np.linalg.norm(matrix @ found - 1.0 / spread) / np.linalg.norm(1.0 / spread)
        return found / np.where(norms > 0, norms, 1.0), float(rest)

    distance = SPACING.get(count, 3.0)
    moves = np.unique(np.concatenate([np.eye(count), np.ones((1, count))]), axis=0)
    candidates = _grid(axes, distance)
    best: tuple[np.ndarray, np.ndarray] | None = None
    least = np.inf
    for _ in range(ROUNDS + 1):
        try:
            weights, rest = solved(np.exp(candidates))
        except RuntimeError:  # too many like candidates to converge: what was found before is as good
            if best is None:
                raise
            break
        improved = rest < least
        used = weights[:-count] > 0
        if improved:
            best = (candidates[used], weights[np.append(used, np.ones(count, dtype=bool))])
        if not improved or rest > 0.95 * least or rest < PRECISE:
            break
        least = rest
        distance /= 2.0
        around = distance * np.concatenate([np.zeros((1, count)), moves, -moves])
        candidates = np.unique(np.round((candidates[used][:, None] + around).reshape(-1, count), 9), axis=0)
    assert best is not None
    rates, weights = np.exp(best[0]), best[1]
    if len(rates) == 0:
        raise ValueError(
            "errors do not fall with any log-SNR, as those of a posterior mean must: no observation informs. Check "
            "that log-SNRs increase from noise to data and that the denoiser was trained on them."
        )
    fitted = (_errors_of_terms(_snr(axes), rates) @ weights).reshape(count, -1).T.reshape(errors.shape)
    padding = -len(rates) % PADDED
    information = FittedInformation(
        rates=jnp.asarray(np.pad(rates, ((0, padding), (0, 0)))),
        weights=jnp.asarray(np.pad(weights[:-count], (0, padding)) / 2.0),
        linear=jnp.asarray(weights[-count:] / 2.0),
        sizes=sizes,
    )
    return information, fitted


def _factor(gram: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Cholesky factor of a matrix that rounding may have made indefinite."""
    ridge = RIDGE
    while True:
        try:
            return np.linalg.cholesky(gram + ridge * np.eye(len(gram)))
        except np.linalg.LinAlgError:
            ridge *= 10.0


def _snr(axes: list[np.ndarray]) -> Float[np.ndarray, "points scales"]:
    return np.exp(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes)))


def _errors_of_terms(
    snr: Float[np.ndarray, "points scales"], rates: Float[np.ndarray, "terms scales"]
) -> Float[np.ndarray, "errors columns"]:
    """What terms of unit weight add to the errors, scale after scale; one constant per scale behind them."""
    decay = np.exp(-snr @ rates.T)
    blocks = [decay * own for own in rates.T]
    constants = np.kron(np.eye(len(blocks)), np.ones((len(snr), 1)))
    return np.concatenate([np.concatenate(blocks), constants], axis=1)


def _refined(axis: np.ndarray, distance: float) -> np.ndarray:
    """The axis with points added evenly until neighbours are close."""
    parts = max(1, int(np.ceil(np.diff(axis).max() / distance)))
    return np.interp(np.arange(parts * (len(axis) - 1) + 1) / parts, np.arange(len(axis)), axis)


def _interpolated(
    values: Float[np.ndarray, "*grid scales"], axes: list[np.ndarray], dense: list[np.ndarray], degree: int
) -> Float[np.ndarray, "*finer scales"]:
    """Splines along one axis after the other."""
    for k, (axis, finer) in enumerate(zip(axes, dense, strict=True)):
        if len(finer) > len(axis):
            order = degree if len(axis) > degree else min(degree, 3)
            values = make_interp_spline(axis, values, k=order, axis=k)(finer)
    return values


def _grid(axes: list[np.ndarray], distance: float) -> Float[np.ndarray, "candidates scales"]:
    """Logarithms of rates whose knees lie on or about the surface; minus infinity for scales that do not matter."""
    choices = []
    for axis in axes:
        low, high = -axis[-1] - MARGIN[0], -axis[0] + MARGIN[1]
        even = np.linspace(low, high, int(np.ceil((high - low) / distance)) + 1)
        choices.append(np.append(-np.inf, even))
    return np.stack(np.meshgrid(*choices, indexing="ij"), axis=-1).reshape(-1, len(axes))[1:]
