"""The path cost that LIFT was published with, to reproduce its path and to compare it with principled ones.

LIFT measured, on a grid of 30 x 30 timesteps, `E = gamma(S) ||J||_F^2` per scale, J the Jacobian of the
predicted noise and S the SNR, divided each by its number of coefficients; a move costs `sum_k mean(E_k)
|dlam_k|` with the mean of both ends, and a dynamic program picks exactly 18 moves of at most five cells per
axis. Of its four factors, `gamma_B = 1 / (S (1 + S))` turns the Jacobian of the *data* prediction into the
posterior covariance exactly; it was applied to that of the noise prediction, and linearly in the move, where
the path KL is quadratic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import one_of, whole_number
from lift_theory.optimize.lattice import LatticeSolution, _checked_axes, lattice_points, table_program

FACTORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "A": lambda s: 1.0 / (1.0 + s),
    "B": lambda s: 1.0 / (s * (1.0 + s)),
    "C": lambda s: s / (4.0 * (1.0 + s) ** 2),
    "D": lambda s: 1.0 / (4.0 * (1.0 + s) ** 2),
}
"""gamma(S) of each published factor, S the SNR."""


@dataclass(frozen=True, kw_only=True)
class PublishedCost:
    """LIFT's cost and its restrictions as they were published.

    Attributes:
        factor: "A", "B", "C" or "D".
        prediction: parametrisation of the Jacobian, "eps" as published, or "x0", "v".
        reach: most lattice cells that one move may advance per axis.

    Raises:
        ValueError: for an unknown factor or prediction.
        TypeError: if `reach` is not an integer.

    Examples:
        >>> PublishedCost().factor
        'B'
    """

    factor: str = "B"
    prediction: str = "eps"
    reach: int = 5

    def __post_init__(self) -> None:
        one_of(self.factor, tuple(FACTORS), name="factor")
        one_of(self.prediction, ("eps", "x0", "v"), name="prediction")
        whole_number(self.reach, name="reach", least=1)

    def density(self, model: Any, logsnr: Float[np.ndarray, "... scales"]) -> Float[np.ndarray, "... scales"]:
        """Error density of every scale: `gamma(S_k) ||J_kk||_F^2` per coefficient."""
        logsnr = np.asarray(logsnr, dtype=float)
        norms = np.asarray(model.jacobian_norms(logsnr, prediction=self.prediction), dtype=float)
        own = np.einsum("...kk->...k", norms)
        return FACTORS[self.factor](np.exp(logsnr)) * own / np.asarray(model.sizes, dtype=float)

    def lattice(
        self,
        model: Any,
        steps: int,
        axes: Sequence[Float[np.ndarray, " points"]],
        mmse: np.ndarray | None = None,
    ) -> LatticeSolution:
        """The published dynamic program on a lattice: exact over its moves, for every count up to `steps`.

        Args:
            model: with `jacobian_norms`.
            steps: largest number of moves; 18 as published.
            axes: log-SNRs of the lattice; `published_axes()` for LIFT's.
            mmse: not used.

        Raises:
            ValueError: if no path of that many moves reaches the end within the reach.
        """
        axes = _checked_axes(axes, model.scales)
        points = lattice_points(axes)
        density = self.density(model, points)
        index = np.stack(np.unravel_index(np.arange(len(points)), [len(axis) for axis in axes]), axis=-1)
        edges = np.zeros((len(points), len(points)))
        allowed = np.ones_like(edges, dtype=bool)
        for k in range(len(axes)):
            cells = index[None, :, k] - index[:, None, k]
            allowed &= (cells >= 0) & (cells <= self.reach)
            edges += (
                0.5 * (density[:, None, k] + density[None, :, k]) * (points[None, :, k] - points[:, None, k])
            )
        solution = table_program(tuple(model.scales), steps, axes, np.where(allowed, edges, np.inf))
        if not np.isfinite(solution.costs[-1]):
            raise ValueError(
                f"{steps} moves of at most {self.reach} cells do not reach the end of a lattice of shape "
                f"{tuple(len(axis) for axis in axes)}; allow more moves, a longer reach or fewer points."
            )
        return solution


def published_axes(scales: int = 2, points: int = 30) -> tuple[Float[np.ndarray, " points"], ...]:
    """Log-SNRs of LIFT's lattice: evenly spaced timesteps, 999 to 0, of a cosine schedule.

    Its betas are clipped to [1e-4, 0.02], which sets the ends.

    Examples:
        >>> [round(float(v), 2) for v in published_axes()[0][[0, -1]]]
        [-5.74, 9.21]
    """
    points = whole_number(points, name="points", least=2)
    count = 1000
    edges = np.cos((np.arange(count + 1) / count + 0.008) / 1.008 * np.pi / 2) ** 2
    betas = np.clip(1.0 - edges[1:] / edges[:-1], 1e-4, 0.02)
    kept = np.cumprod(1.0 - betas)
    timesteps = np.linspace(count - 1, 0, points).round().astype(int)
    axis = np.log(kept[timesteps]) - np.log1p(-kept[timesteps])
    return (axis,) * whole_number(scales, name="scales", least=1)
