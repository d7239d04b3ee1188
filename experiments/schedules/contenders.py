"""Which samplers and schedules are compared, and the schedules' noise levels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import lift_theory as lt
from lift_theory.sampling import OutputError

COMMON = (80.0, 0.002)
"""First and last sigma of the comparison on equal terms: those of EDM and GITS."""

PUBLISHED = {
    "edm": "EDM",
    "logsnr": "uniform log-SNR",
    "arctan-0.5": "arctan, std 0.5",
    "arctan-1": "arctan, std 1",
    "ays-sd15": "AYS, SD 1.5",
    "ays-sdxl": "AYS, SDXL",
    "gits-cifar10": "GITS, CIFAR-10",
}
OF_SPECTRUM = {"information": "uniform information", "path-kl": "best for path KL"}
"""Schedules that follow from the spectrum alone, whatever sampler takes them."""
PLAIN = {**PUBLISHED, **OF_SPECTRUM}
METRICS = {"w2": "W2", "kl": "output KL"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A sampler in the comparison.

    Attributes:
        name: short key.
        label: words for tables.
        sampler: the sampler.
        calls: network calls a step.
        curve: whether its leading error, and so a self-consistent curve, is known.
    """

    name: str
    label: str
    sampler: Any
    calls: int = 1
    curve: bool = field(default=False)


IN_SIGMA = (
    Entry(name="ddim", label="DDIM", sampler=lt.DDIM(), curve=True),
    Entry(name="ancestral", label="ancestral", sampler=lt.Ancestral(), curve=True),
    Entry(name="heun", label="Heun", sampler=lt.Heun(), calls=2, curve=True),
    Entry(name="dpm", label="DPM-Solver++(2M)", sampler=lt.DPMSolverPP2M(), curve=True),
)
_VP = lt.VPLinear()
IN_TIME = (
    Entry(name="em", label="Euler-Maruyama", sampler=lt.EulerMaruyama(_VP)),
    Entry(name="ei", label="exponential integrator", sampler=lt.ExponentialIntegrator(_VP)),
    Entry(name="ddpm", label="DDPM", sampler=lt.DDPM(_VP)),
    Entry(name="euler", label="Euler in time", sampler=lt.Euler(_VP)),
    Entry(name="heun-vp", label="Heun in time", sampler=lt.Heun(_VP), calls=2),
    Entry(name="rk4", label="RK4 in time", sampler=lt.RK4(_VP), calls=4),
)


def entry(name: str) -> Entry:
    """The sampler of a key."""
    return next(e for e in (*IN_SIGMA, *IN_TIME) if e.name == name)


def label(schedule: str) -> str:
    """Words for a schedule: one of `PLAIN`, "best:SAMPLER:METRIC" or "curve:SAMPLER:METRIC"."""
    if schedule in PLAIN:
        return PLAIN[schedule]
    kind, sampler, metric = schedule.split(":")
    words = {"best": "best for", "curve": "self-consistent curve,"}[kind]
    return f"{words} {METRICS[metric]} of {entry(sampler).label}"


def ends(sigmas: tuple[float, float]) -> tuple[float, float]:
    """First and last log-SNR of noise levels."""
    first, last = -2.0 * np.log(sigmas)
    return float(first), float(last)


def published(name: str, steps: int, first: float | None = None, last: float | None = None) -> lt.Path:
    """A published schedule between given ends, or its own."""
    family, _, std = name.partition("arctan-")
    if std:
        return lt.published_path("arctan", steps, first, last, std=float(std))
    return lt.published_path(family, steps, first, last)


def with_other_ends(steps: int) -> dict[str, tuple[float, float]]:
    """Published schedules whose own ends are not the common ones, with these ends."""
    found = {}
    for name in PUBLISHED:
        if name == "logsnr":  # has no ends of its own
            continue
        first, last = published(name, steps).logsnr[[0, -1], 0]
        if not np.allclose((first, last), ends(COMMON)):
            found[name] = (float(first), float(last))
    return found


def plain_schedules(
    model: lt.GaussianModel, steps: int, first: float, last: float
) -> dict[str, dict[str, Any]]:
    """Every published schedule, and those that follow from the spectrum, between the same ends."""
    paths = {name: published(name, steps, first, last) for name in PUBLISHED}
    paths["information"] = lt.diagonal_path(model, steps, first, last, spacing="information")
    paths["path-kl"] = lt.diagonal_path(model, steps, first, last)
    return {name: {"logsnr": path.logsnr[:, 0].tolist()} for name, path in paths.items()}


def optimum(
    model: lt.GaussianModel, which: Entry, metric: str, steps: int, first: float, last: float
) -> dict[str, dict[str, Any]]:
    """The best schedule for what a sampler returns, if it takes any, and the self-consistent curve where one is known."""
    objective = OutputError(which.sampler, metric)
    start, stop = (np.full(len(model.scales), level) for level in (first, last))
    try:
        with np.errstate(invalid="ignore"):  # a squared error that rounds below zero is passed over
            found = objective.optimize(model, steps, start, stop)
    except ValueError:  # no schedule of so few steps is one that DDPM takes
        return {}
    costs = [attempt.cost for attempt in found.history if np.isfinite(attempt.cost)]
    key = f"{which.name}:{metric}"
    result = {
        f"best:{key}": {
            "logsnr": found.path.logsnr[:, 0].tolist(),
            "cost": found.cost,
            "floor": found.lower_bound,
            "starts_that_agree": int(np.sum(np.array(costs) <= found.cost * (1 + 1e-3))),
            "starts": len(found.history),
            "kkt_residual": found.kkt_residual,
        }
    }
    if which.curve:
        curve = objective.curve(model, start, stop)
        result[f"curve:{key}"] = {
            "logsnr": curve.path(steps).logsnr[:, 0].tolist(),
            "predicted": curve.predicted(steps),
        }
    return result


def errors(
    model: lt.GaussianModel, which: Entry, schedules: dict[str, list[float]]
) -> dict[str, dict[str, float] | None]:
    """W2 and KL of every schedule with one sampler; nothing where the sampler refuses the steps or blows up."""
    result: dict[str, dict[str, float] | None] = {}
    for name, levels in schedules.items():
        try:
            error = lt.sampling_error(model, lt.Path(np.array(levels)[:, None]), which.sampler)
        except ValueError:  # DDPM with a step of 2 h beta >= 1
            result[name] = None
            continue
        finite = np.isfinite(error.w2) and np.isfinite(error.kl)
        result[name] = {"w2": error.w2, "kl": error.kl} if finite else None
    return result
