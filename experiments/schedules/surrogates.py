"""Numbers that are cheap to minimise, and are hoped to rank schedules by the error of what samplers return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

import lift_theory as lt
from lift_theory.sampling.curves import LOCAL_ERRORS, LocalError

SURROGATES = {
    "path_kl": "path KL (= AYS bound)",
    "information": "uneven information, sum of squared gains",
    "arctan": "arctan law at the data's std",
    "flow": "local error of the flow",
    "leading": "leading-order error of the sampler",
}
WIDTH = 0.02
"""Width of a class of log-variance: the few large modes, which decide W2, stay alone."""

FINE = 4097
"""Points of the grid of log-SNRs."""

Levels = Float[np.ndarray, " points"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables:
    """What surrogates of one model look up between two noise levels.

    Attributes:
        model: one scale.
        logsnr: a fine grid.
        centres: log-variances of classes of modes with nearly the same one.
        counts: number of modes in each.
        information: nats up to every point of the grid.
    """

    model: lt.GaussianModel
    logsnr: Levels
    centres: Float[np.ndarray, " classes"]
    counts: Float[np.ndarray, " classes"]
    information: Levels

    @classmethod
    def of(cls, model: lt.GaussianModel, spectrum: lt.Spectrum, first: float, last: float) -> Tables:
        """Tables between two log-SNRs."""
        levels = np.log(spectrum.variances[spectrum.variances > 0].ravel())
        place = np.round((levels - levels.min()) / WIDTH).astype(int)
        _, place, counts = np.unique(place, return_inverse=True, return_counts=True)
        logsnr = np.linspace(first, last, FINE)
        return cls(
            model=model,
            logsnr=logsnr,
            centres=np.bincount(place, levels) / counts,
            counts=counts.astype(float),
            information=np.asarray(model.mutual_information(logsnr[:, None])),
        )

    def all_of(self, path: Levels) -> dict[str, float]:
        """Every surrogate of a path; "leading:SAMPLER:METRIC" for those that depend on the sampler."""
        gains = np.diff(np.interp(path, self.logsnr, self.information))
        std = np.sqrt(np.sum(self.counts * np.exp(self.centres)) / np.sum(self.counts))
        angles = np.diff(np.arctan(np.exp(-0.5 * path) / std))
        moved = np.diff(path)
        result = {
            "path_kl": lt.path_kl(self.model, lt.Path(path[:, None])),
            "information": float(np.sum(gains**2)),
            "arctan": float(-np.sum(np.log(np.cos(angles)))),
            "flow": float(0.25 * np.sum(moved * self._between(path, self._turning()))),
        }
        for kind, error in LOCAL_ERRORS.items():
            for metric in ("w2", "kl"):
                result[f"leading:{NAMES[kind.__name__]}:{metric}"] = self._leading(path, error, metric)
        return result

    def _turning(self) -> Levels:
        """How fast the prediction turns along the flow, per nat: `|T|`, the root of the sum over modes."""
        noise = np.exp(-self.logsnr)[:, None]
        variance = np.exp(self.centres)
        squares = (0.5 * variance * noise) ** 2 / (variance + noise) ** 3
        return np.sqrt(squares @ self.counts)

    def _leading(self, path: Levels, error: LocalError, metric: str) -> float:
        """Root of the sum of squared leading-order errors, `e = sum_i dlam_i^p int_i rho dlam`."""
        end = 1.0 + np.exp(-path[-1] - self.centres)
        density = error.density(self.logsnr[:, None] + self.centres, end)
        own = np.diff(path) ** error.order @ self._between(path, density)
        worth = np.exp(self.centres) + np.exp(-path[-1]) if metric == "w2" else 1.0
        return float(np.sqrt(np.sum(self.counts * worth * own**2)))

    def _between(self, path: Levels, density: np.ndarray) -> np.ndarray:
        """Integrals of a density over the steps of a path."""
        step = self.logsnr[1] - self.logsnr[0]
        zero = np.zeros((1, *density.shape[1:]))
        total = np.concatenate([zero, np.cumsum(0.5 * step * (density[1:] + density[:-1]), axis=0)])
        place = np.clip((path - self.logsnr[0]) / step, 0.0, FINE - 1.0)
        below = np.minimum(place.astype(int), FINE - 2)
        part = (place - below).reshape(-1, *[1] * (density.ndim - 1))
        return np.diff(total[below] * (1.0 - part) + total[below + 1] * part, axis=0)


NAMES = {"DDIM": "ddim", "Ancestral": "ancestral", "HeunSigma": "heun", "DPMSolverPP2M": "dpm"}
"""Keys of the samplers whose leading error is known."""
