"""Published schedules of one clock as paths.

A schedule is a formula between two noise levels, or a list of noise levels found by an optimiser. A formula is
evaluated between whatever ends are asked for, since they are its parameters. A list has none: for another number of
steps the logarithms of its noise levels are interpolated over the index, as its authors recommend, and for other ends
they are stretched affinely.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from lift_theory._validation import one_of, real_number, whole_number
from lift_theory.paths import Path

FORMULAS = ("edm", "logsnr", "arctan")
"""Schedules that any two ends and any number of steps have."""

LISTS = {
    "ays-sd15": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
    "ays-sdxl": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
    "gits-cifar10": (80.0, 13.9293, 5.1092, 2.5152, 1.3482, 0.6799, 0.3183, 0.1698, 0.0665, 0.0225, 0.002),
}
"""Noise levels sigma of lists of ten steps."""

ENDS = {"edm": (80.0, 0.002), "arctan": (80.0, 0.002)}
"""First and last sigma that formulas were published with."""

RHO = 7.0
"""Exponent of the EDM schedule."""

STD = 0.5
"""Standard deviation of the data for which the arctan law was published."""


def published_path(
    name: str,
    steps: int,
    start: float | None = None,
    stop: float | None = None,
    std: float | None = None,
    scales: Sequence[str] = ("fine",),
) -> Path:
    """A published one-clock schedule with any number of steps, between its own ends or others.

    ================  ===============================================================  ===============
    name              noise levels                                                     ends of its own
    ================  ===============================================================  ===============
    ``edm``           uniform in `sigma^(1/7)`: Karras et al. 2022, eq. 5              80 to 0.002
    ``logsnr``        uniform in log-SNR: Lu et al. 2022 (DPM-Solver), sec. 3.3        none
    ``arctan``        uniform in `arctan(sigma / std)`: Sabour et al. 2024, Thm 3.1    80 to 0.002
    ``ays-sd15``      for Stable Diffusion 1.5: Sabour et al. 2024, App. B.3, Table 3  14.615 to 0.029
    ``ays-sdxl``      for SDXL: Sabour et al. 2024, App. B.3, Table 3                  14.615 to 0.029
    ``gits-cifar10``  for CIFAR-10, ten steps: Chen et al. 2024 (GITS)                 80 to 0.002
    ================  ===============================================================  ===============

    Args:
        name: one of the names above.
        steps: number of steps n >= 1. Lists interpolate log sigma linearly over the index for any count but ten.
        start: first log-SNR in nats, `-2 log sigma`; the schedule's own if not given.
        stop: last log-SNR, likewise, above `start`. Formulas are evaluated between the ends; lists are stretched
            affinely in log-SNR.
        std: standard deviation of the data for "arctan"; 0.5 if not given.
        scales: names of the scales, all at the same noise level.

    Raises:
        TypeError: if `steps` is not an integer or another argument not a number.
        ValueError: for an unknown name, `steps < 1`, ends that are missing or out of order, a `std` that is not
            positive or is given to another schedule than "arctan".

    Examples:
        >>> published_path("ays-sdxl", 10).sigmas[:3, 0].round(6)
        array([14.615,  6.315,  3.771])
        >>> published_path("edm", 4).sigmas[:, 0].round(3).tolist()
        [80.0, 17.528, 2.515, 0.17, 0.002]
        >>> published_path("gits-cifar10", 2, start=-4.0, stop=4.0).logsnr[[0, -1], 0]
        array([-4.,  4.])
    """
    one_of(name, (*FORMULAS, *LISTS), name="name")
    steps = whole_number(steps, name="steps", least=1)
    if std is not None and name != "arctan":
        raise ValueError(f'std is the scale of the arctan law; "{name}" has none. Leave it out.')
    spread = STD if std is None else real_number(std, name="std", positive=True)
    first, last = _ends(name, start, stop)
    progress = np.linspace(0.0, 1.0, steps + 1)
    if name in LISTS:
        levels = -2.0 * np.log(LISTS[name])
        points = np.interp(progress, np.linspace(0.0, 1.0, len(levels)), levels)
        if (first, last) != (levels[0], levels[-1]):
            points = first + (points - levels[0]) * ((last - first) / (levels[-1] - levels[0]))
    else:
        points = _formula(name, progress, first, last, spread)
    points[0], points[-1] = first, last
    return Path(np.repeat(points[:, None], len(scales), axis=1), tuple(scales))


def _ends(name: str, start: float | None, stop: float | None) -> tuple[float, float]:
    """First and last log-SNR, given or the schedule's own."""
    own = (LISTS[name][0], LISTS[name][-1]) if name in LISTS else ENDS.get(name)
    if own is None and (start is None or stop is None):
        raise ValueError(f'"{name}" was published without ends of its own: give both start and stop.')
    values = [
        -2.0 * np.log(own[i]) if value is None and own else real_number(value, name=word)
        for i, (value, word) in enumerate(((start, "start"), (stop, "stop")))
    ]
    if not values[0] < values[1]:
        raise ValueError(
            f"start must be noisier than stop, a lower log-SNR; got {values[0]:g} and {values[1]:g} nats"
            + ("." if own is None else ", of which an end not given is the schedule's own.")
        )
    return float(values[0]), float(values[1])


def _formula(
    name: str, progress: Float[np.ndarray, " points"], first: float, last: float, std: float
) -> Float[np.ndarray, " points"]:
    """Log-SNRs that are evenly spaced in the coordinate of a formula."""
    if name == "logsnr":
        return first + progress * (last - first)
    sigmas = np.exp(-0.5 * np.array([first, last]))
    if name == "edm":
        roots = sigmas ** (1.0 / RHO)
        return -2.0 * RHO * np.log(roots[0] + progress * (roots[1] - roots[0]))
    angles = np.arctan(sigmas / std)
    return -2.0 * np.log(std * np.tan(angles[0] + progress * (angles[1] - angles[0])))
