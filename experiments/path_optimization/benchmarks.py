"""Times of the path optimizer, each beside a plain way to the same result."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy.optimize

import lift_theory as lt
from lift_theory.optimize import lattice_program, refine
from lift_theory.optimize.lattice import lattice_axes, lattice_points
from lift_theory.optimize.traceable import evaluate_mmse

START, STOP, STEPS = -9.0, 9.0, 20
SAME_COST = 1e-6
"""Relative distance from the refined cost at which another solver counts as having reached it."""
ROUND_OFF = 1e-9


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        name: what is timed.
        seconds: best of the repetitions, compiled before.
        reference: the plain way, in words; empty where there is none.
        reference_seconds: its time; None where there is none or it did not get there.
        detail: numbers that tell how good the result is.
    """

    name: str
    seconds: float
    reference: str = ""
    reference_seconds: float | None = None
    detail: dict[str, float]

    @property
    def ratio(self) -> float | None:
        """How many times faster than the reference."""
        return None if self.reference_seconds is None else self.reference_seconds / self.seconds


def lattice_against_plain(points: int = 96, size: int = 32) -> Row:
    """The lattice program against all pairs of points, both compiled, with the same errors given."""
    from lift_theory.optimize._kernels import plain_step

    model = _pyramid(size, 1)
    axes = lattice_axes(np.full(2, START), np.full(2, STOP), points)
    grid = lattice_points(axes)
    errors = evaluate_mmse(model, grid)
    snr, slopes = np.exp(grid), 0.5 * errors
    information = np.asarray(model.mutual_information(grid[[0, -1]]))

    def plain() -> float:
        values = (snr - snr[0]) @ slopes[0]
        for _ in range(STEPS - 2):
            values, _ = plain_step(values, slopes, snr)
        last = np.min(values + np.sum((snr[-1] - snr) * slopes, axis=-1))
        return float(last - (information[-1] - information[0]))

    solution, seconds = _best(lambda: lattice_program(model, STEPS, axes, mmse=errors))
    cost, plain_seconds = _best(plain)
    difference = abs(float(solution.costs[-1]) / cost - 1.0)
    if difference > ROUND_OFF:
        raise AssertionError(f"both programs must find the same cost; they differ by {difference:.1e}.")
    return Row(
        name=f"lattice program, {points} x {points}, {STEPS} steps",
        seconds=seconds,
        reference="all pairs of points, numba",
        reference_seconds=plain_seconds,
        detail={"relative_difference": difference},
    )


def refinement_against_scipy(method: str = "SLSQP", size: int = 32) -> Row:
    """Refinement against a solver of SciPy on the same cost, gradient and start, to the same cost.

    SciPy's SLSQP gets the exact gradient, trust-constr also the exact Hessian; the clock stops at the first iterate
    whose cost is within `SAME_COST` of the refined one.
    """
    model = _pyramid(size, 1)
    derivatives = lt.PathKL().derivatives(model)
    axes = lattice_axes(np.full(2, START), np.full(2, STOP), 40)
    begin = lattice_program(model, STEPS, axes).logsnr()
    found, seconds = _best(lambda: refine(derivatives, begin))
    reached = _time_to(method, derivatives, begin, found.cost * (1 + SAME_COST))
    return Row(
        name=f"refinement, two scales, {STEPS} steps",
        seconds=seconds,
        reference=f"SciPy {method}",
        reference_seconds=reached,
        detail={"kkt_residual": found.kkt_residual, "iterations": float(found.iterations)},
    )


def whole_search(size: int = 64, channels: int = 3, points: int = 96) -> Row:
    """`optimal_path` with its certificate, compiled before."""
    model = _pyramid(size, channels)
    found, seconds = _best(lambda: lt.optimal_path(model, STEPS, START, STOP, points=points))
    return Row(
        name=f"optimal_path, {size} x {size} x {channels}, {STEPS} steps, certificate included",
        seconds=seconds,
        detail={"kkt_residual": found.kkt_residual, "gap": found.gap},
    )


def lattice_alone(points: int = 256, scales: int = 2, size: int = 64) -> Row:
    """The lattice program alone, with the errors given, and the process's largest memory so far."""
    model = lt.GaussianModel(lt.Spectrum.power_law((size, size)), lt.AveragePyramid(levels=scales))
    axes = lattice_axes(np.full(scales, START), np.full(scales, STOP), points)
    errors = evaluate_mmse(model, lattice_points(axes))
    solution, seconds = _best(lambda: lattice_program(model, STEPS, axes, mmse=errors), times=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Row(
        name=f"lattice program, {' x '.join([str(points)] * scales)}, {STEPS} steps",
        seconds=seconds,
        detail={"peak_gib": peak, "nats": float(solution.costs[-1])},
    )


def rows(*, thorough: bool) -> list[dict[str, Any]]:
    """All comparisons; three scales and the large colour model only where `thorough`."""
    made = [
        lattice_against_plain(),
        refinement_against_scipy("SLSQP"),
        refinement_against_scipy("trust-constr"),
        whole_search(64, 3) if thorough else whole_search(32, 1, 64),
        lattice_alone(256),
    ]
    if thorough:
        made.append(lattice_alone(48, scales=3))
    return [{**asdict(row), "ratio": row.ratio} for row in made]


def _pyramid(size: int, channels: int) -> lt.GaussianModel:
    return lt.GaussianModel(lt.Spectrum.power_law((channels, size, size)), lt.AveragePyramid())


def _best(compute: Callable[[], Any], times: int = 3) -> tuple[Any, float]:
    """The result and the least time of several runs after one that compiles."""
    compute()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        result = compute()
        seconds.append(time.perf_counter() - began)
    return result, min(seconds)


def _time_to(method: str, derivatives: Any, begin: np.ndarray, target: float) -> float | None:
    """Seconds that a solver of SciPy takes to reach a cost, or None if it stops before."""
    inner = begin[1:-1]
    first, last = begin[[0]], begin[[-1]]
    count, scales = inner.size, inner.shape[1]

    def whole(x: np.ndarray) -> np.ndarray:
        return np.concatenate([first, x.reshape(-1, scales), last])

    def hessian(x: np.ndarray) -> np.ndarray:
        matrix = np.zeros((len(begin), scales, len(begin), scales))
        for i, block in enumerate(derivatives(whole(x)).hessians):
            matrix[i : i + 2, :, i : i + 2, :] += block
        return matrix[1:-1, :, 1:-1].reshape(count, count)

    difference = np.kron(np.diff(np.eye(len(begin)), axis=0)[:, 1:-1], np.eye(scales))
    least = -np.diff(whole(np.zeros(count)), axis=0).ravel()
    ordered = scipy.optimize.LinearConstraint(difference, least, np.inf)
    settings: dict[str, Any] = {"maxiter": 300}
    if method == "SLSQP":
        settings["ftol"] = 1e-14
    else:
        settings |= {"gtol": 1e-10, "xtol": 1e-12}
    began = time.perf_counter()
    reached: list[float] = []

    def watch(x: np.ndarray, *_: Any) -> None:
        feasible = np.all(difference @ x >= least - 1e-9)
        if not reached and feasible and derivatives(whole(x)).cost <= target:
            reached.append(time.perf_counter() - began)

    scipy.optimize.minimize(
        lambda x: derivatives(whole(x)).cost,
        inner.ravel(),
        jac=lambda x: derivatives(whole(x)).gradient[1:-1].ravel(),
        hess=hessian if method == "trust-constr" else None,
        method=method,
        constraints=[ordered],
        callback=watch,
        options=settings,
    )
    return reached[0] if reached else None
