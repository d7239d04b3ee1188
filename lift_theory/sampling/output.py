"""Schedules and paths that are best for what a sampler returns, through its exact law."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import one_of
from lift_theory.channels import ModeChannels
from lift_theory.gaussian import GaussianModel
from lift_theory.optimize.search import Attempt, OptimizedPath
from lift_theory.paths import Path
from lift_theory.sampling.curves import LOCAL_ERRORS, OutputCurve, joined_curve, self_consistent_curve
from lift_theory.sampling.errors import sampling_error
from lift_theory.sampling.floors import ddim_floor
from lift_theory.sampling.propagation import Loss, Setting, loss
from lift_theory.sampling.samplers import DDIM, Sampler
from lift_theory.sampling.state import state_of

METRICS = ("w2", "kl")

ITERATIONS = 400
"""Quadratic programs of a search from one start, at most."""

TOLERANCE = 1e-10
"""Relative change of the squared error at which a search ends."""

REFERENCE_STEPS = 32
"""Steps of the path that stands for the curve of coupled scales."""

PATIENCE = 15
"""Quadratic programs after which a further start that has not reached the best error so far is given up."""

Points = Float[np.ndarray, "points scales"]


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
        separate = self._separate_curve(model, first, last)
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

    def _separate_curve(self, model: GaussianModel, first: Any, last: Any) -> OutputCurve:
        """The curves of the scales, each as if it were alone; exact where they are independent."""
        error = LOCAL_ERRORS.get(type(self.sampler))
        if error is None:
            names = ", ".join(sorted(kind.__name__.replace("Sigma", "") for kind in LOCAL_ERRORS))
            raise ValueError(
                f"the leading error is known for {names}, not for {type(self.sampler).__name__}. "
                "Use one of these, or optimal_path, which needs no curve."
            )
        parts = [
            self_consistent_curve(*_own_variances(model, k), float(a), float(b), error, self.metric)
            for k, (a, b) in enumerate(zip(first, last, strict=True))
        ]
        return joined_curve(parts, tuple(model.scales), error.order)

    def optimize(
        self, model: GaussianModel, steps: int, first: Any, last: Any, thorough: bool = False
    ) -> OptimizedPath:
        """What `optimal_path` does for this objective: sequential quadratic programs from several starts.

        Args:
            model: Gaussian data and its scales.
            steps: number of steps.
            first: first log-SNR of each scale.
            last: last log-SNR of each scale.
            thorough: whether every start is followed to its end (`gap=0` of `optimal_path`), so that the costs in the
                history show how far the results of different starts are apart; otherwise a start that falls behind the
                best one is given up.
        """
        _check_model(model)
        began = time.perf_counter()
        search = _Search(
            loss(state_of(model), self.setting, self.metric), np.asarray(first), np.asarray(last)
        )
        history: list[Attempt] = []
        best: tuple[str, float, Points] | None = None
        for name, start in self._starts(model, steps, search):
            since = time.perf_counter()
            value, points, iterations = search.descend(
                start, PATIENCE if best and not thorough else ITERATIONS
            )
            if best and not thorough and self._units(value) < best[1]:
                value, points, more = search.descend(points)
                iterations += more
            cost = self._units(value)
            history.append(
                Attempt(method=name, cost=cost, iterations=iterations, seconds=time.perf_counter() - since)
            )
            if np.isfinite(cost) and (best is None or cost < best[1]):
                best = name, cost, points
        if best is None:
            self.sampler.check(Path(search.straight(steps), tuple(model.scales)), state_of(model))
            raise ValueError(
                f"{type(self.sampler).__name__} has no finite error between log-SNR {search.first} and {search.last} "
                f"with {steps} steps. Take more steps or ends closer together, or another metric."
            )
        method, cost, points = best
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

    def _starts(self, model: GaussianModel, steps: int, search: _Search) -> list[tuple[str, Points]]:
        """Named starts, the most promising first; they also measure how sure the optimum is."""
        straight = search.straight(steps)
        starts = []
        if type(self.sampler) in LOCAL_ERRORS:
            curve = self._separate_curve(model, search.first, search.last).path(steps).logsnr
            starts.append(("self-consistent curve, refined", curve))
            starts.append(("half-way to uniform log-SNR, refined", 0.5 * (curve + straight)))
        starts.append(("uniform log-SNR, refined", straight))
        rho = 7.0  # Karras et al. 2022, eq. 5: uniform in sigma^(1 / rho)
        ends = np.exp(-0.5 * np.stack([search.first, search.last]) / rho)
        even = ends[0] + np.linspace(0.0, 1.0, steps + 1)[:, None] * (ends[1] - ends[0])
        starts.append(("Karras spacing, refined", -2.0 * rho * np.log(even)))
        return starts if steps > 1 else starts[:1]

    def _units(self, value: float) -> float:
        return float(np.sqrt(value)) if self.metric == "w2" else value

    def _bounds(self, model: GaussianModel, steps: int, search: _Search) -> Float[np.ndarray, " steps"]:
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
                ddim_floor(*_own_variances(model, k), a, b, count, self.metric, self.init)
                for k, (a, b) in enumerate(zip(search.first, search.last, strict=True))
            )
            for count in range(1, steps + 1)
        ]
        return np.array([self._units(floor) for floor in floors])


@dataclass(frozen=True, eq=False)
class _Search:
    """Descent over the interior points of a monotone path between fixed ends."""

    loss: Loss
    first: Float[np.ndarray, " scales"]
    last: Float[np.ndarray, " scales"]

    def straight(self, steps: int) -> Points:
        """Equal steps of log-SNR."""
        return self.first + np.linspace(0.0, 1.0, steps + 1)[:, None] * (self.last - self.first)

    def descend(self, start: Points, iterations: int = ITERATIONS) -> tuple[float, Points, int]:
        """Squared W2 or KL, path, and iterations of a local minimum.

        The unknowns are the steps, in units of those of the start: along a good curve the error then has a Hessian
        close to a multiple of the identity, and few quadratic programs are needed.
        """
        from scipy.optimize import minimize

        start = np.concatenate([self.first[None], start[1:-1], self.last[None]])
        lowest, where = self.loss(start)[0], start
        rises = np.diff(start, axis=0)
        total = self.last - self.first
        if len(rises) == 1 or lowest == 0.0 or not np.isfinite(lowest) or not total.any():
            return lowest, where, 0
        unit = np.maximum(rises, 0.02 * total / len(rises))
        unit = np.where(unit > 0, unit, 1.0)

        def whole(relative: np.ndarray) -> Points:
            rise = np.maximum(relative.reshape(unit.shape), 0.0) * unit
            points = self.first + np.concatenate([np.zeros((1, len(total))), np.cumsum(rise, axis=0)])
            points[-1] = self.last
            return np.minimum(points, self.last)

        def logarithm(relative: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal lowest, where
            points = whole(relative)
            value, gradient = self.loss(points)
            if not np.isfinite(value):
                return 1e30, np.zeros_like(relative)
            if value < lowest:
                lowest, where = value, points
            onward = np.cumsum(gradient[-2:0:-1], axis=0)[::-1]  # a step moves all inner points after it
            slope = np.concatenate([onward, np.zeros((1, len(total)))]) * unit
            small = max(value, 1e-300)
            return float(np.log(small)), slope.ravel() / small

        moving = total > 0
        sums = np.zeros((int(moving.sum()), *unit.shape))
        for row, k in enumerate(np.flatnonzero(moving)):
            sums[row, :, k] = unit[:, k] / total[k]
        sums = sums.reshape(len(sums), -1)
        result = minimize(
            logarithm,
            (rises / unit).ravel(),
            jac=True,
            method="SLSQP",
            bounds=[(0.0, None)] * unit.size,
            constraints={"type": "eq", "fun": lambda x: sums @ x - 1.0, "jac": lambda x: sums},
            options={"maxiter": iterations, "ftol": TOLERANCE},
        )
        return lowest, where, int(result.nit)

    def conditions(self, points: Points) -> tuple[Float[np.ndarray, "steps scales"], float]:
        """Multipliers of the monotone steps, and the largest slope of the log of the error that they leave, per nat."""
        from scipy.optimize import nnls

        steps, count = len(points) - 1, points.shape[1]
        multipliers = np.zeros((steps, count))
        value, gradient = self.loss(points)
        if steps == 1 or value == 0.0:
            return multipliers, 0.0
        slope = gradient[1:-1] / value
        residual = 0.0
        for k in range(count):
            standing = np.flatnonzero(np.diff(points[:, k]) < 1e-9)
            pull = np.zeros((steps + 1, len(standing)))
            pull[standing + 1, np.arange(len(standing))] += 1.0
            pull[standing, np.arange(len(standing))] -= 1.0
            if len(standing):
                multipliers[standing, k] = nnls(pull[1:-1], slope[:, k])[0]
            rest = slope[:, k] - pull[1:-1] @ multipliers[standing, k]
            residual = max(residual, float(np.abs(rest).max(initial=0.0)))
        return multipliers, residual


def _check_model(model: Any) -> None:
    if not isinstance(model, GaussianModel):
        raise TypeError(
            f"OutputError needs a GaussianModel, whose samplers have exact laws; got {type(model).__name__}. "
            "Use PathKL() for other models."
        )


def _own_variances(model: GaussianModel, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Clean variances of the coefficients of one scale, in the coordinates of its blocks, and counts of one."""
    variances = np.concatenate(
        [
            np.sum(np.asarray(blocks.factors)[np.array(blocks.scales) == scale] ** 2, axis=1).ravel()
            for blocks in state_of(model).groups
        ]
    )
    return variances, np.ones(len(variances))
