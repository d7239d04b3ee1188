"""Schedules and paths that are best for what a sampler returns, through its exact law."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import one_of
from lift_theory.channels import ModeChannels
from lift_theory.gaussian import GaussianModel
from lift_theory.laws import Spectrum
from lift_theory.optimize.search import Attempt, OptimizedPath
from lift_theory.paths import Path
from lift_theory.representations import SingleScale
from lift_theory.sampling.curves import OutputCurve
from lift_theory.sampling.descent import ITERATIONS, Descent
from lift_theory.sampling.errors import sampling_error
from lift_theory.sampling.floors import ddim_floor
from lift_theory.sampling.propagation import Setting, loss
from lift_theory.sampling.samplers import DDIM, DPMSolverPP2M, Sampler
from lift_theory.sampling.starts import own_variances, separate_curve, starts
from lift_theory.sampling.state import state_of

METRICS = ("w2", "kl")

STARTS = 4
"""Starts of least error that a thorough search descends from."""

CHALLENGERS = 2
"""Further starts that any other search looks into."""

REFERENCE_STEPS = 32
"""Steps of the path that stands for the curve of coupled scales."""

PATIENCE = 10
"""Quadratic programs after which a further start that has not reached the best error so far is given up."""


@dataclass(frozen=True)
class OutputError:
    """The exact error of what a sampler returns on Gaussian data, as something to optimise paths for.

    Attributes:
        sampler: the sampler, `DDIM()` if not given.
        metric: "w2" for the 2-Wasserstein distance, "kl" for KL(true || sampled) in nats.
        init: initial law, "exact" or "standard", as in `sampling_error`.
        target: "marginal" or "data".
        output: "scales" or "image".

    Raises:
        TypeError: if the sampler is not one.
        ValueError: for another word.

    Examples:
        >>> import lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.SingleScale())
        >>> best = lt.optimal_path(model, 6, -6.0, 6.0, objective=OutputError())
        >>> plain = lt.sampling_error(model, lt.diagonal_path(model, 6, -6.0, 6.0))
        >>> bool(best.cost < plain.w2)
        True
    """

    sampler: Sampler = field(default_factory=DDIM)
    metric: str = "w2"
    init: str = "exact"
    target: str = "marginal"
    output: str = "scales"

    def __post_init__(self) -> None:
        one_of(self.metric, METRICS, name="metric")
        _ = self.setting

    @property
    def setting(self) -> Setting:
        """What is compared with what."""
        return Setting(self.sampler, self.init, self.target, self.output)

    def cost(self, model: GaussianModel, path: Path) -> float:
        """W2 (pixel units) or KL (nats) of one path."""
        setting = self.setting
        error = sampling_error(model, path, setting.sampler, setting.init, setting.target, setting.output)
        return error.w2 if self.metric == "w2" else error.kl

    def curve(self, model: GaussianModel, first: Any, last: Any) -> OutputCurve:
        """The curve of `geodesic_curve`: near-optimal paths of every step count, from the exact law at the beginning.

        One clock, or scales that are independent of each other, have it as the fixed point of a self-consistent
        metric, without any step count in it. For scales that are coupled (pyramids, Haar bands of a spectrum) no such
        form is known: the curve is the best path of 32 steps, made smooth.

        Raises:
            TypeError: if the model is not Gaussian.
            ValueError: if the leading error of the sampler is not known, or the curve is asked for other settings than
                the exact initial law and the marginal target.
        """
        _check_model(model)
        if self.init != "exact" or self.target != "marginal":
            raise ValueError(
                "a curve for every step count needs init='exact' and target='marginal', whose error vanishes with many "
                f"steps; got init={self.init!r}, target={self.target!r}. Use optimal_path for each step count instead."
            )
        separate = separate_curve(model, self.sampler, self.metric, first, last)
        if isinstance(model._channels, ModeChannels):
            return separate
        best = self.optimize(model, REFERENCE_STEPS, first, last)
        error = best.cost if self.metric == "w2" else float(np.sqrt(best.cost))
        return OutputCurve(
            logsnr=best.path.logsnr,
            arc=np.linspace(0.0, 1.0, REFERENCE_STEPS + 1),
            scales=tuple(model.scales),
            kkt_residual=best.kkt_residual,
            order=separate.order,
            constant=error * REFERENCE_STEPS**separate.order,
        )

    def optimize(
        self, model: GaussianModel, steps: int, first: Any, last: Any, thorough: bool = False
    ) -> OptimizedPath:
        """What `optimal_path` does for this objective: sequential quadratic programs from several starts.

        Independent bands are searched one by one, as their errors add up; between common ends each also starts from the
        best single clock, and so never ends behind it. W2 of DPM-Solver++(2M) also starts from its best path for KL.

        Args:
            model: Gaussian data and its scales.
            steps: number of steps.
            first: first log-SNR of each scale.
            last: last log-SNR of each scale.
            thorough: whether the most promising starts are all followed to their ends (`gap=0` of `optimal_path`), so
                that the costs in the history show how far their results are apart; otherwise one that falls behind the
                best is given up.
        """
        _check_model(model)
        first, last = np.asarray(first), np.asarray(last)
        if len(model.scales) > 1 and isinstance(model._channels, ModeChannels):
            alone = [own_variances(model, k)[0] for k in range(len(model.scales))]
            if all(variances.any() for variances in alone):
                return self._band_by_band(model, alone, steps, first, last, thorough)
        return self._search(model, steps, first, last, thorough, [])

    def _band_by_band(
        self,
        model: GaussianModel,
        alone: list[Float[np.ndarray, " modes"]],
        steps: int,
        first: Float[np.ndarray, " scales"],
        last: Float[np.ndarray, " scales"],
        thorough: bool,
    ) -> OptimizedPath:
        """The best clock of every band, each searched as if it were alone."""
        began = time.perf_counter()
        known: list[tuple[str, np.ndarray]] = []
        if np.ptp(first) == np.ptp(last) == 0.0:
            one = GaussianModel(model.law, SingleScale())
            known = [
                ("best single clock", self._search(one, steps, first[:1], last[:1], thorough, []).path.logsnr)
            ]
        found = [
            self._search(
                GaussianModel(Spectrum(variances[None]), SingleScale()),
                steps,
                first[k : k + 1],
                last[k : k + 1],
                thorough,
                known,
            )
            for k, variances in enumerate(alone)
        ]
        points = np.concatenate([band.path.logsnr for band in found], axis=1)
        cost = self._units(sum(band.cost**2 if self.metric == "w2" else band.cost for band in found))
        search = Descent(loss(state_of(model), self.setting, self.metric), first, last)
        return self._result(
            model,
            search,
            points,
            cost,
            ", ".join(f"{name}: {band.method}" for name, band in zip(model.scales, found, strict=True)),
            [
                replace(attempt, method=f"{name}: {attempt.method}")
                for name, band in zip(model.scales, found, strict=True)
                for attempt in band.history
            ],
            began,
        )

    def _search(
        self,
        model: GaussianModel,
        steps: int,
        first: Float[np.ndarray, " scales"],
        last: Float[np.ndarray, " scales"],
        thorough: bool,
        known: list[tuple[str, np.ndarray]],
    ) -> OptimizedPath:
        """The best path of all scales together; `known` are starts besides the usual ones."""
        began = time.perf_counter()
        search = Descent(loss(state_of(model), self.setting, self.metric), first, last)
        found = [*starts(model, self.sampler, self.metric, steps, first, last), *known]
        if isinstance(self.sampler, DPMSolverPP2M) and self.metric == "w2":
            # its error has both signs, and paths on which they cancel are found from near only; those that are good
            # for KL, which counts every mode alike, lie nearer than shapes that suit the largest
            other = replace(self, metric="kl")._search(model, steps, first, last, thorough, known)
            found.append(("best for KL", other.path.logsnr))
        values = np.array([search.loss(points)[0] for _, points in found])
        if not np.isfinite(values).any():
            self.sampler.check(Path(found[0][1], tuple(model.scales)), state_of(model))
            raise ValueError(
                f"{type(self.sampler).__name__} has no finite error between log-SNR {search.first} and {search.last} "
                f"with {steps} steps. Take more steps or ends closer together, or another metric."
            )
        count = STARTS if thorough else 1 + CHALLENGERS
        ranks = np.argsort(np.where(np.isfinite(values), values, np.inf))[: 1 if steps == 1 else count]
        history: list[Attempt] = []
        best = "", float("inf"), found[0][1]
        for rank in ranks[np.isfinite(values[ranks])]:
            since = time.perf_counter()
            name, start = found[rank]
            whole = thorough or not history
            value, points, iterations = search.descend(start, ITERATIONS if whole else PATIENCE)
            if not whole and self._units(value) < best[1]:
                value, points, more = search.descend(points)
                iterations += more
            attempt = Attempt(
                method=f"{name}, refined",
                cost=self._units(value),
                iterations=iterations,
                seconds=time.perf_counter() - since,
            )
            history.append(attempt)
            if attempt.cost < best[1]:
                best = attempt.method, attempt.cost, points
        method, cost, points = best
        return self._result(model, search, points, cost, method, history, began)

    def _result(
        self,
        model: GaussianModel,
        search: Descent,
        points: Float[np.ndarray, "points scales"],
        cost: float,
        method: str,
        history: list[Attempt],
        began: float,
    ) -> OptimizedPath:
        steps = len(points) - 1
        self.sampler.check(Path(points, tuple(model.scales)), state_of(model))
        multipliers, residual = search.conditions(points)
        bounds = self._bounds(model, steps, search)
        unknown = np.full(steps - 1, np.inf)
        return OptimizedPath(
            path=Path(points, tuple(model.scales)),
            cost=cost,
            lower_bound=min(float(bounds[-1]), cost),
            method=method,
            history=tuple(history),
            kkt_residual=residual,
            multipliers=multipliers,
            costs_by_steps=np.append(unknown, cost),
            bounds_by_steps=bounds,
            seconds=time.perf_counter() - began,
        )

    def _units(self, value: float) -> float:
        return float(np.sqrt(value)) if self.metric == "w2" else value

    def _bounds(self, model: GaussianModel, steps: int, search: Descent) -> Float[np.ndarray, " steps"]:
        """Floors for 1, ..., n steps where every mode had a clock of its own, zeros where none is proved."""
        proved = (
            isinstance(self.sampler, DDIM)
            and isinstance(model._channels, ModeChannels)
            and self.target == "marginal"
        )
        if not proved:
            return np.zeros(steps)
        floors = [
            sum(
                ddim_floor(*own_variances(model, k), a, b, count, self.metric, self.init)
                for k, (a, b) in enumerate(zip(search.first, search.last, strict=True))
            )
            for count in range(1, steps + 1)
        ]
        return np.array([self._units(floor) for floor in floors])


def _check_model(model: Any) -> None:
    if not isinstance(model, GaussianModel):
        raise TypeError(
            f"OutputError needs a GaussianModel, whose samplers have exact laws; got {type(model).__name__}. "
            "Use PathKL() for other models."
        )
