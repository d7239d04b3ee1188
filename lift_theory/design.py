"""Where to cut an image into bands, given as many clocks as bands.

Bands that are orthogonal and independent have costs that add up, each that of its own best schedule. The best
place for all edges together is therefore found by an exact dynamic program over intervals of cutoffs, once it is known
what one clock costs for every interval:

- for path KL the least left Riemann sum over a lattice of log-SNRs, so fine that it lies above the optimum by a few
  1e-5 of it;
- for the output error of a sampler its leading order in 1 / n, by the self-consistent curve of the interval.

The edges are exact for these costs. The costs that are returned are those of paths optimised without lattice or
expansion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int

from lift_theory._validation import real_number, whole_number
from lift_theory.bounds import lower_bound
from lift_theory.gaussian import GaussianModel
from lift_theory.laws import Spectrum
from lift_theory.optimize.objectives import PathKL
from lift_theory.optimize.search import OptimizedPath, optimal_path
from lift_theory.paths import Path
from lift_theory.representations import DctBands, SingleScale
from lift_theory.sampling.curves import LOCAL_ERRORS, self_consistent_curve
from lift_theory.sampling.output import OutputError

POINTS_PER_STEP = 200
"""Lattice points per step of the interval costs; the excess over the optimum falls with their square."""

CLASSES = 128
"""Classes of variance, of equal width in its logarithm, at whose borders `best_groups` may cut."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClockDesign:
    """Groups of modes with a clock each, and the best path of these clocks.

    Attributes:
        edges: what separates the groups, finest first: cutoffs of DCT bands, or variances.
        cost: of the path, in nats or, for W2, in pixel units.
        group_costs: its parts, finest group first, which add up to the cost; for W2 to its square.
        path: the best schedules of all groups.
        kkt_residual: largest error of the optimality conditions of these schedules.
        lower_bound: the cost if every mode had a clock of its own; 0 where it is not known.
        estimate_error: of the cost as the dynamic program saw it, relative to the cost. For path KL it is
            positive, the excess of lattice paths; for output errors it is the error of the leading order.
        estimates: the cost as the dynamic program sees it for 1, 2, ... clocks, up to one for every group that may be
            cut off: the limit of many clocks.
        fewer: the best designs with 1, 2, ... clocks, up to one less than this one has.
    """

    edges: tuple[float, ...]
    cost: float
    group_costs: Float[np.ndarray, " clocks"]
    path: Path
    kkt_residual: float
    lower_bound: float
    estimate_error: float
    estimates: Float[np.ndarray, " most"]
    fewer: tuple[Self, ...]

    @property
    def clocks(self) -> int:
        """Number of groups."""
        return len(self.group_costs)


@dataclass(frozen=True, kw_only=True, eq=False)
class BandDesign(ClockDesign):
    """Square DCT bands with a clock each: a `ClockDesign` whose edges are cutoffs.

    Attributes:
        octave_cost: of as many bands cut at 1/2, 1/4, ... of the size; infinite where the size has not so many octaves.
    """

    octave_cost: float

    @property
    def representation(self) -> SingleScale | DctBands:
        """The bands as scales of a model."""
        return DctBands(tuple(int(edge) for edge in self.edges)) if self.edges else SingleScale()

    @property
    def gain(self) -> float:
        """Share of the cost of octave bands that better edges save."""
        return 1.0 - self.cost / self.octave_cost


def best_bands(
    spectrum: Spectrum,
    clocks: int,
    steps: int,
    start: float = -9.0,
    stop: float = 9.0,
    objective: PathKL | OutputError | None = None,
    cutoffs: Sequence[int] | None = None,
) -> BandDesign:
    """Of all square DCT bands, those whose best path costs least with a given number of clocks.

    For path KL the placement is the best for paths over a fine lattice of log-SNRs, whose costs are a few 1e-5 above
    those of all paths (`estimate_error`): another placement may be cheaper by such a share. For output errors the
    placement is the best to leading order in 1 / `steps`.

    Args:
        spectrum: Gaussian data.
        clocks: number K of bands, each with a clock of its own.
        steps: number of steps.
        start: first log-SNR of all bands, nats.
        stop: last log-SNR, above `start`.
        objective: `PathKL()` if not given; or an `OutputError` whose leading order is known.
        cutoffs: those that may be used, ascending; all if not given. The time grows with the square of their number.

    Raises:
        TypeError: for other data or another objective, or where an integer is missing.
        ValueError: if there are more clocks than bands, the ends are out of order, the cutoffs do not ascend within the
            image, or the objective has weights or no known leading order.

    Examples:
        >>> import lift_theory as lt
        >>> design = best_bands(lt.Spectrum.power_law((8, 8)), 2, 6)
        >>> design.edges, design.representation.sizes((8, 8))
        ((3,), (55, 9))
        >>> design.lower_bound < design.cost < design.fewer[0].cost
        True
    """
    _check_spectrum(spectrum)
    size = max(spectrum.shape[-2:])
    inner = range(1, size) if cutoffs is None else [whole_number(c, name="cutoffs", least=1) for c in cutoffs]
    borders = np.array([0, *inner, size])
    if np.any(np.diff(borders) <= 0):
        raise ValueError(
            f"cutoffs must ascend and lie below {size}, the larger side of the image; got {cutoffs}."
        )
    order = np.maximum(*np.ogrid[: spectrum.shape[-2], : spectrum.shape[-1]])
    task = _Task.of(spectrum, order, borders, clocks, steps, start, stop, objective)
    octaves = [size >> k for k in range(size.bit_length())]
    designs: list[BandDesign] = []
    placements, estimates = task.placements()
    for count, bounds in enumerate(placements[:clocks], start=1):
        cut = [0, *reversed(octaves[:count])]
        designs.append(
            BandDesign(
                **task.measured(bounds, estimates),
                edges=tuple(int(edge) for edge in bounds[-2:0:-1]),
                octave_cost=task.cost(cut) if count <= len(octaves) else np.inf,
                fewer=tuple(designs),
            )
        )
    return designs[-1]


def best_groups(
    spectrum: Spectrum,
    clocks: int,
    steps: int,
    start: float = -9.0,
    stop: float = 9.0,
    objective: PathKL | OutputError | None = None,
) -> ClockDesign:
    """The least cost of a given number of clocks if modes need not form bands: those of like variance share a clock.

    What it saves over `best_bands` is the price of square bands. Groups are intervals of variance, cut at the borders
    of 128 classes. That intervals are best is an assumption. It fails where few modes are strong and many are of middle
    variance, as the weakest may then do better with the strong ones; spectra of images are the other way round.

    Args:
        spectrum: Gaussian data.
        clocks: number K of groups, each with a clock of its own.
        steps: number of steps.
        start: first log-SNR of all groups, nats.
        stop: last log-SNR, above `start`.
        objective: as for `best_bands`.

    Raises:
        TypeError: for other data or another objective, or where an integer is missing.
        ValueError: if there are more clocks than classes of variance in use, or as `best_bands`.

    Examples:
        >>> import lift_theory as lt
        >>> spectrum = lt.Spectrum.power_law((8, 8))
        >>> bool(best_groups(spectrum, 2, 6).cost < best_bands(spectrum, 2, 6).cost)
        True
    """
    _check_spectrum(spectrum)
    level = np.log(np.where(spectrum.variances > 0, spectrum.variances, spectrum.variances.max()))
    edges = np.linspace(level.max(), level.min(), CLASSES + 1)[1:-1]
    used, order = np.unique(np.searchsorted(-edges, -level), return_inverse=True)
    order = order.reshape(level.shape)
    task = _Task.of(spectrum, order, np.arange(len(used) + 1), clocks, steps, start, stop, objective)
    designs: list[ClockDesign] = []
    placements, estimates = task.placements()
    for bounds in placements[:clocks]:
        borders = tuple(float(np.exp(level[order < b].min())) for b in bounds[-2:0:-1])
        designs.append(ClockDesign(**task.measured(bounds, estimates), edges=borders, fewer=tuple(designs)))
    return designs[-1]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """Modes in an order, the borders at which this may be cut, and what one clock costs between two of them."""

    spectrum: Spectrum
    order: Int[np.ndarray, "*channels height width"]
    borders: Int[np.ndarray, " borders"]
    steps: int
    first: float
    last: float
    objective: PathKL | OutputError
    known: dict[tuple[int, int], OptimizedPath | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        spectrum: Spectrum,
        order: Int[np.ndarray, "*channels height width"],
        borders: Int[np.ndarray, " borders"],
        clocks: int,
        steps: int,
        start: float,
        stop: float,
        objective: PathKL | OutputError | None,
    ) -> _Task:
        """A task whose input has been checked."""
        objective = PathKL() if objective is None else objective
        most = len(borders) - 1
        if whole_number(clocks, name="clocks", least=1) > most:
            raise ValueError(f"clocks must be at most {most}, as many as there are groups; got {clocks}.")
        first, last = real_number(start, name="start"), real_number(stop, name="stop")
        if last <= first:
            raise ValueError(f"stop must lie above start; got start {first:g} and stop {last:g}.")
        if isinstance(objective, PathKL):
            if objective.weights is not None:
                raise ValueError(
                    f"weights belong to given scales, and here these are sought; got {objective}. Use PathKL()."
                )
        elif not isinstance(objective, OutputError):
            raise TypeError(
                f"objective must be PathKL() or an OutputError; got {type(objective).__name__}. "
                "For another one, give bands to optimal_path and compare."
            )
        elif (objective.init, objective.target) != ("exact", "marginal") or type(
            objective.sampler
        ) not in LOCAL_ERRORS:
            raise ValueError(
                "objective must be an output error whose leading order is known, that of DDIM, Ancestral, Heun or "
                f"DPMSolverPP2M with init='exact' and target='marginal'; got {objective}."
            )
        return cls(
            spectrum=spectrum,
            order=np.broadcast_to(order, spectrum.shape),
            borders=borders,
            steps=whole_number(steps, name="steps", least=1),
            first=first,
            last=last,
            objective=objective,
        )

    def placements(self) -> tuple[list[list[int]], Float[np.ndarray, " most"]]:
        """The best borders, both ends included, for 1, 2, ... clocks up to one per row, and the estimated costs."""
        intervals = self._path_kl() if isinstance(self.objective, PathKL) else self._leading_order()
        count = len(self.borders)
        totals = np.where(np.arange(count) == 0, 0.0, np.inf)
        choices: list[np.ndarray] = []
        placements, estimates = [], []
        for _ in range(count - 1):
            sums = totals[:-1, None] + intervals
            choices.append(np.argmin(sums, axis=0))
            totals = np.min(sums, axis=0)
            places = [count - 1]
            for choice in reversed(choices):
                places.append(int(choice[places[-1]]))
            placements.append([int(self.borders[p]) for p in reversed(places)])
            estimates.append(self._units(float(totals[-1])))
        return placements, np.array(estimates)

    def measured(self, bounds: list[int], estimates: Float[np.ndarray, " most"]) -> dict[str, Any]:
        """What a design says about its groups: the best path, and what it costs."""
        found = [self._schedule(a, b) for a, b in pairwise(bounds)][::-1]
        straight = np.linspace(self.first, self.last, self.steps + 1)
        columns = [straight if f is None else f.path.logsnr[:, 0] for f in found]
        costs = np.array([0.0 if f is None else self._part(f.cost) for f in found])
        cost = self._units(costs.sum())
        return {
            "cost": cost,
            "group_costs": costs,
            "path": Path(np.stack(columns, axis=1)),
            "kkt_residual": max(0.0 if f is None else f.kkt_residual for f in found),
            "lower_bound": self._floor(),
            "estimate_error": float(estimates[len(bounds) - 2]) / cost - 1.0,
            "estimates": estimates,
        }

    def cost(self, bounds: list[int]) -> float:
        """Cost of groups between given borders, each with its best schedule."""
        found = [self._schedule(a, b) for a, b in pairwise(bounds)]
        return self._units(sum(self._part(f.cost) for f in found if f is not None))

    def _schedule(self, a: int, b: int) -> OptimizedPath | None:
        """The best schedule of the modes a <= order < b alone; nothing where they have no variance."""
        if (a, b) not in self.known:
            own = np.where((self.order >= a) & (self.order < b), self.spectrum.variances, 0.0)
            self.known[a, b] = (
                optimal_path(
                    GaussianModel(Spectrum(own), SingleScale()),
                    self.steps,
                    self.first,
                    self.last,
                    objective=self.objective,
                )
                if own.any()
                else None
            )
        return self.known[a, b]

    def _path_kl(self) -> Float[np.ndarray, "borders-1 borders"]:
        """Path KL of the best lattice schedule of all modes between two borders."""
        from lift_theory.optimize._kernels import interval_sums

        snr = np.exp(np.linspace(self.first, self.last, POINTS_PER_STEP * self.steps + 1))
        slopes = np.zeros((len(self.borders) - 1, len(snr)))
        gained = np.zeros(len(slopes))
        for row, variances in enumerate(self._rows()):
            for part in np.array_split(variances, 1 + len(variances) // 512):  # keeps memory small
                slopes[row] += 0.5 * np.sum(part[:, None] / (1.0 + part[:, None] * snr), axis=0)
            gained[row] = 0.5 * np.sum(np.log1p(variances * (snr[-1] - snr[0]) / (1.0 + variances * snr[0])))
        until = np.concatenate([[0.0], np.cumsum(gained)])
        sums = interval_sums(np.minimum.accumulate(slopes, axis=1), snr, self.steps)
        return sums - (until - until[:-1, None])

    def _leading_order(self) -> Float[np.ndarray, "borders-1 borders"]:
        """Squared W2, or KL, to leading order in the number of steps."""
        objective = self.objective
        assert isinstance(objective, OutputError)
        error = LOCAL_ERRORS[type(objective.sampler)]
        rows = self._rows()
        costs = np.full((len(rows), len(rows) + 1), np.inf)
        for a in range(len(rows)):
            for b in range(a + 1, len(rows) + 1):
                variances = np.concatenate(rows[a:b])
                curve = self_consistent_curve(
                    variances, np.ones(len(variances)), self.first, self.last, error, objective.metric
                )
                costs[a, b] = curve[2] / self.steps ** (2 * error.order)
        return costs

    def _rows(self) -> list[Float[np.ndarray, " modes"]]:
        """Positive variances between neighbouring borders."""
        group = np.where(
            self.spectrum.variances > 0, np.searchsorted(self.borders, self.order, side="right") - 1, -1
        )
        return [self.spectrum.variances[group == row] for row in range(len(self.borders) - 1)]

    def _floor(self) -> float:
        if isinstance(self.objective, PathKL):
            return lower_bound(GaussianModel(self.spectrum, SingleScale()), self.steps, self.first, self.last)
        whole = self._schedule(int(self.borders[0]), int(self.borders[-1]))
        return 0.0 if whole is None else whole.lower_bound

    def _part(self, cost: float) -> float:
        """What adds up over groups."""
        return cost**2 if self._is_w2 else cost

    def _units(self, total: float) -> float:
        return float(np.sqrt(total)) if self._is_w2 else float(total)

    @property
    def _is_w2(self) -> bool:
        return isinstance(self.objective, OutputError) and self.objective.metric == "w2"


def _check_spectrum(spectrum: object) -> None:
    if not isinstance(spectrum, Spectrum):
        raise TypeError(
            f"spectrum must be a Spectrum, whose modes are independent; got {type(spectrum).__name__}. "
            "Spectrum.from_images makes one from images."
        )
