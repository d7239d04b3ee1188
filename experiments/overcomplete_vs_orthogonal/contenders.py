"""The representations compared, the paths tried on each, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray

import lift_theory as lt

START, STOP = -9.0, 9.0
PROVED_WITHIN = 0.05
"""Relative gap at which the search for a better path or a better bound stops: tighter proofs take minutes."""
PATHS = {
    "best": "best path",
    "diagonal": "diagonal, best spacing",
    "diagonal_uniform": "diagonal, uniform spacing",
    "equal_information": "equal information",
    "coarse_ahead": "coarse 2 nats ahead",
    "fine_ahead": "fine 2 nats ahead",
    "coarse_first": "coarse first (L)",
    "fine_first": "fine first (L)",
}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A representation, and ends at which its posterior matches that of the others.

    Attributes:
        name: short key.
        label: words for tables.
        representation: the scales.
        units: per scale, what the log-SNR at both ends is above that of the finest; a lock-step path keeps it.
        equal_information: lead of the coarse scale at which the low band's SNR is twice the high band's, as on the
            equal-information line of a pyramid; absent for one scale.
    """

    name: str
    label: str
    representation: Any
    units: tuple[float, ...]
    equal_information: float | None = None

    def ends(self, start: float = START, stop: float = STOP) -> tuple[np.ndarray, np.ndarray]:
        """First and last log-SNR of every scale, from those of the finest."""
        return start + np.array(self.units), stop + np.array(self.units)


def contenders(size: int) -> list[Contender]:
    """The representations compared, ends matched to the pyramid's.

    A pyramid at log-SNR s on both scales is the Haar split at s for the high and s + log(5/4) for the low band. The
    orthogonal representations start and stop there. Coarse scales in plain means (norm 1/2 per coefficient) need
    log 4 more for the same. The single scale cannot raise its low band and runs from s to s.
    """
    low = float(np.log(1.25))
    return [
        Contender(name="single", label="one scale (baseline)", representation=lt.SingleScale(), units=(0.0,)),
        Contender(
            name="pyramid",
            label="image + 2x2 means (over-complete)",
            representation=lt.AveragePyramid(),
            units=(0.0, 0.0),
            equal_information=float(np.log(4.0)),
        ),
        Contender(
            name="haar",
            label="Haar bands (orthogonal)",
            representation=lt.HaarBands(),
            units=(0.0, low),
            equal_information=float(np.log(2.0)),
        ),
        Contender(
            name="dct",
            label="DCT bands (orthogonal)",
            representation=lt.DctBands(cutoffs=(size // 2,)),
            units=(0.0, low),
            equal_information=float(np.log(2.0)),
        ),
        Contender(
            name="nearest",
            label="residual, nearest (VAR-style)",
            representation=lt.ResidualPyramid(upsampling="nearest"),
            units=(0.0, low + float(np.log(4.0))),
            equal_information=float(np.log(8.0)),
        ),
        Contender(
            name="bilinear",
            label="residual, bilinear (VAR-style)",
            representation=lt.ResidualPyramid(upsampling="bilinear"),
            units=(0.0, low + float(np.log(4.0))),
            equal_information=float(np.log(8.0)),
        ),
    ]


def surface_of(model: lt.GaussianModel, contender: Contender, grid: int) -> xarray.Dataset:
    """The contender's error surface between its ends."""
    start, stop = contender.ends()
    return lt.error_surface(model, [np.linspace(a, b, grid) for a, b in zip(start, stop, strict=True)])


def costs(model: lt.GaussianModel, contender: Contender, steps: int, points: int) -> list[dict[str, Any]]:
    """The best path and every control that the representation has, each with its cost."""
    start, stop = contender.ends()
    best = lt.optimal_path(model, steps, start, stop, points=points, gap=PROVED_WITHIN)
    paths = {"best": best.path, "diagonal": lt.diagonal_path(model, steps, start, stop)}
    paths["diagonal_uniform"] = lt.diagonal_path(model, steps, start, stop, spacing="logsnr")
    if contender.equal_information is not None:
        leads = {
            "equal_information": contender.equal_information,
            "coarse_ahead": contender.units[1] + 2.0,
            "fine_ahead": contender.units[1] - 2.0,
        }
        paths.update(
            {name: lt.constant_lead_path(model, steps, start, stop, lead) for name, lead in leads.items()}
        )
        paths["coarse_first"] = lt.staged_path(model, steps, start, stop)
        paths["fine_first"] = lt.staged_path(model, steps, start, stop, order=model.scales)
    floor = lt.lower_bound(model, steps, start, stop)
    return [
        {
            "representation": contender.name,
            "path": name,
            "steps": steps,
            "nats": lt.path_kl(model, path),
            "floor_nats": floor,
            "certified_nats": float(best.lower_bound) if name == "best" else None,
            "logsnr": path.logsnr.tolist(),
        }
        for name, path in paths.items()
    ]


def transfer(
    model: lt.GaussianModel, contender: Contender, trained: dict[str, Any], points: int
) -> dict[str, Any]:
    """What a path made on the training photographs costs on the held-out ones."""
    start, stop = contender.ends()
    own = lt.optimal_path(model, trained["steps"], start, stop, points=points, gap=PROVED_WITHIN)
    cost = lt.path_kl(model, lt.Path(trained["logsnr"], model.scales))
    return {
        "representation": contender.name,
        "steps": trained["steps"],
        "nats": cost,
        "own_best_nats": lt.path_kl(model, own.path),
        "floor_nats": lt.lower_bound(model, trained["steps"], start, stop),
    }
