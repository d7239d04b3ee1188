"""Paths through the space of noise levels, their cost, and the map between pyramid and orthogonal paths."""

from __future__ import annotations

import json
from dataclasses import dataclass
from os import PathLike
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import logsnr_array, model_like, one_of, real_array, real_number
from lift_theory.gaussian import Model
from lift_theory.representations import _names
from lift_theory.trees import haar_snr

_FORMAT = "lift-theory path 1"


@dataclass(frozen=True, eq=False)
class Path:
    """A monotone sequence of log-SNRs, one per scale and point: n steps join n + 1 points.

    One step is one call of the network, made at the point where the step begins, so a path of n steps costs n calls
    (NFE); no call is made at the last point. A path ends at a noise level, and its cost is that of reaching it; to
    go on to clean data takes one more step, to `+inf`, and one more call (`to_clean_data`). A coordinate may stand
    still but not go back.

    Ready-made schedulers take a one-scale path in one of two forms. `sigmas=` wants all n + 1 points, the last one
    being where the sampler stops: `path.sigmas[:, 0]`. `timesteps=` wants one timestep per call, and the scheduler
    itself appends sigma = 0: `path.to_clean_data().timesteps(alphas_cumprod)[:, 0]`, or `path.timesteps(...)[:-1, 0]`
    to jump to clean data from the last point but one.

    Attributes:
        logsnr: (n + 1, K) in nats, finest scale first, from noise to data. Only a last point at `+inf` in every scale
            may be infinite: it stands for clean data (sigma = 0).
        scales: names of the scales; generic ones if not given.

    Raises:
        TypeError: if the log-SNRs are not real numbers.
        ValueError: for a wrong shape, fewer than two points, NaN, infinity elsewhere, or a coordinate that goes back.

    Examples:
        >>> path = Path([[-4.0, -4.0], [0.0, 1.0], [4.0, 4.0]])
        >>> path.steps, path.scales
        (2, ('fine', 'coarse'))
        >>> path.lead()
        array([0., 1., 0.])
    """

    logsnr: Float[np.ndarray, "points scales"]
    scales: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        array = real_array(self.logsnr, name="logsnr", finite=False)
        if array.ndim != 2 or array.shape[0] < 2 or array.shape[1] < 1:
            hint = " For one scale pass logsnr[:, None]." if array.ndim == 1 else ""
            raise ValueError(
                f"logsnr must have shape (n + 1, K) with n >= 1 steps and K >= 1 scales; got {array.shape}.{hint}"
            )
        finite = array[:-1] if np.all(array[-1] == np.inf) else array
        if not np.isfinite(finite).all():
            raise ValueError(
                "logsnr must be finite; only the last point may be +inf, and then in every scale (clean data)."
            )
        count = array.shape[1]
        if not isinstance(self.scales, tuple | list) or not all(
            isinstance(name, str) for name in self.scales
        ):
            raise TypeError(
                f"scales must name the columns of logsnr in a tuple of strings; got {self.scales!r}."
            )
        scales = tuple(self.scales) or _names("fine", "coarse", count)[:count]
        if len(scales) != count or len(set(scales)) != count:
            raise ValueError(
                f"scales must name each of the {count} columns of logsnr, all differently; got {self.scales!r}."
            )
        logsnr_array(finite, scales=scales)
        back = np.argwhere(array[1:] < array[:-1])
        if len(back):
            step, scale = back[0]
            raise ValueError(
                f"logsnr must not decrease along a path; step {step} takes scale {scales[scale]!r} from "
                f"{array[step, scale]:g} back to {array[step + 1, scale]:g}. "
                "Order the points from noise (low log-SNR) to data (high)."
            )
        array = np.array(array)
        array.setflags(write=False)
        object.__setattr__(self, "logsnr", array)
        object.__setattr__(self, "scales", scales)

    def __repr__(self) -> str:
        ends = " to ".join(
            str(tuple(np.round(point, 3).tolist())) for point in (self.logsnr[0], self.logsnr[-1])
        )
        return f"Path({self.steps} steps, scales {self.scales}, log-SNR {ends})"

    @property
    def steps(self) -> int:
        """Number of steps n, which is the number of network calls."""
        return len(self.logsnr) - 1

    @property
    def sigmas(self) -> Float[np.ndarray, "points scales"]:
        """Noise-to-data ratios `exp(-logsnr / 2)`, (n + 1, K), high to low; zero at a clean end."""
        return np.exp(-self.logsnr / 2)

    def to_clean_data(self) -> Path:
        """The path with one more step, from its last noise level to clean data (sigma = 0 in every scale).

        A path that ends there already is returned as it is.

        Examples:
            >>> path = Path([[-4.0], [4.0]]).to_clean_data()
            >>> path.steps, path.sigmas[-1]
            (2, array([0.]))
        """
        if np.isinf(self.logsnr[-1]).any():
            return self
        return Path(np.concatenate([self.logsnr, np.full((1, len(self.scales)), np.inf)]), self.scales)

    def lead(self, ratio: float = 1.0) -> Float[np.ndarray, "points ..."]:
        """Log-SNR of the coarser scales minus that of the finest, in nats.

        Args:
            ratio: down-sampling ratio r of a pyramid; `2 log r` is subtracted per level, the lead at which fine and
                coarse channel tell the same about the low band. With 1 the lead is the nominal one.

        Returns:
            (n + 1,) for two scales, (n + 1, K - 1) for more.

        Raises:
            ValueError: for one scale, or a ratio that is not positive.
        """
        if len(self.scales) < 2:
            raise ValueError("a path of one scale has no lead.")
        units = 2 * np.log(real_number(ratio, name="ratio", positive=True)) * np.arange(1, len(self.scales))
        ends = np.where(np.isinf(self.logsnr), 0.0, self.logsnr)
        leads = ends[:, 1:] - ends[:, :1] - units
        return leads[:, 0] if leads.shape[1] == 1 else leads

    def timesteps(self, alphas_cumprod: Any, rounding: str = "nearest") -> Float[np.ndarray, "points scales"]:
        """Timesteps of a DDPM table with these log-SNRs, for ready-made schedulers.

        The log-SNR of timestep t is `log(abar_t / (1 - abar_t))`.

        Args:
            alphas_cumprod: (T,) decreasing values in (0, 1), index 0 the least noisy.
            rounding: "nearest" for whole timesteps, "interpolated" for fractional ones, linear in log-SNR.

        Returns:
            (n + 1, K), decreasing along the path; (n, K) for a path to clean data, whose last point has no timestep.

        Raises:
            ValueError: if the table is not of that form, or the path leaves its range by more than half a timestep.

        Examples:
            >>> abar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
            >>> Path([[-9.0], [0.0], [9.0]]).timesteps(abar).ravel()
            array([942., 258.,   0.])
        """
        one_of(rounding, ("nearest", "interpolated"), name="rounding")
        levels = table_levels(alphas_cumprod)
        low = levels[-1] - (levels[-2] - levels[-1]) / 2
        high = levels[0] + (levels[0] - levels[1]) / 2
        logsnr = self.logsnr[np.isfinite(self.logsnr).all(axis=1)]
        if logsnr.min() < low or logsnr.max() > high:
            raise ValueError(
                f"the path spans log-SNR [{logsnr.min():g}, {logsnr.max():g}], but the table only reaches "
                f"[{levels[-1]:g}, {levels[0]:g}]. Choose start and stop inside."
            )
        times = np.interp(-logsnr, -levels, np.arange(len(levels)))
        if rounding == "interpolated":
            return times
        below = np.minimum(np.floor(times).astype(int), len(levels) - 2)
        upper = np.abs(levels[below + 1] - logsnr) < np.abs(levels[below] - logsnr)
        return (below + upper).astype(float)

    def save(self, file: str | PathLike[str]) -> None:
        """Write the path as JSON, every number exactly.

        Examples:
            >>> import tempfile, os
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     Path([[0.0], [0.1]]).save(os.path.join(folder, "path.json"))
            ...     Path.load(os.path.join(folder, "path.json")).logsnr.ravel()
            array([0. , 0.1])
        """
        rows = [[value if np.isfinite(value) else "inf" for value in row] for row in self.logsnr.tolist()]
        content = {"format": _FORMAT, "units": "nats", "scales": list(self.scales), "logsnr": rows}
        FilePath(file).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: str | PathLike[str]) -> Path:
        """Read a path written by `save`.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file is not a path.
        """
        raw = FilePath(file).read_bytes()
        try:
            content = json.loads(raw.decode("utf-8"))
            if content["format"] != _FORMAT:
                raise ValueError(f"unknown format {content['format']!r}")
            rows = [[np.inf if value == "inf" else value for value in row] for row in content["logsnr"]]
            return cls(np.array(rows, dtype=float), tuple(content["scales"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file} must hold a path written by Path.save: {error}") from error


def checked_path(path: Any, model: Any, *, finite: bool = True) -> Path:
    """`path`, if it is a `Path` with as many scales as `model`."""
    if not isinstance(path, Path):
        raise TypeError(
            f"path must be a lift_theory.Path; got {type(path).__name__}. Wrap the array in Path(...)."
        )
    model_like(model)
    if len(path.scales) != len(model.scales):
        raise ValueError(f"the path has {len(path.scales)} scales {path.scales}, the model {model.scales}.")
    if finite and not np.isfinite(path.logsnr).all():
        raise ValueError(
            "this needs a path with a finite end: the step to clean data (+inf) has infinite cost."
        )
    return path


def path_kl(model: Model, path: Path) -> float:
    """Discretization error of a whole path in nats, the sum of its steps' Bregman costs.

    It is the KL divergence between the ancestral sampler's law of the whole trajectory and the true one, and bounds
    that of the samples, for any data law (Gaussian closed forms here; Sabour et al. 2024, eq. 10, is the same number).

    Raises:
        TypeError: if `path` is not a `Path`.
        ValueError: if path and model have different numbers of scales, or the path ends at `+inf`.

    Examples:
        >>> import lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.SingleScale())
        >>> coarse, fine = ([[-4.0], [4.0]], [[-4.0], [0.0], [4.0]])
        >>> bool(lt.path_kl(model, lt.Path(fine)) < lt.path_kl(model, lt.Path(coarse)))
        True
    """
    points = checked_path(path, model).logsnr
    return float(np.sum(model.step_kl(points[:-1], points[1:])))


def to_orthogonal(path: Path) -> Path:
    """The path of the Haar split that tells the same as a pyramid path, `g_band = sum_(k <= band) g_k / 4^k`.

    For any data law the posterior, the errors, the information and the path cost are equal at every point.

    Raises:
        TypeError: if `path` is not a `Path`.
        ValueError: if it has one scale or ends at `+inf`.

    Examples:
        >>> image = to_orthogonal(Path([[0.0, 0.0], [1.0, 3.0]]))
        >>> image.scales, np.round(image.logsnr[0], 4).tolist()
        (('high', 'low'), [0.0, 0.2231])
    """
    points = _dyadic_points(path)
    return Path(np.log(np.asarray(haar_snr(np.exp(points)))), _names("high", "low", points.shape[1]))


def to_pyramid(path: Path) -> Path:
    """The pyramid path that tells the same as an orthogonal (Haar) path, the inverse of `to_orthogonal`.

    Raises:
        TypeError: if `path` is not a `Path`.
        ValueError: where the path leaves the cone that pyramids reach: the low band must have the higher SNR, and
            gain at least as much SNR as the high band in every step.

    Examples:
        >>> pyramid = to_pyramid(to_orthogonal(Path([[0.0, 0.0], [1.0, 3.0]])))
        >>> np.round(pyramid.logsnr, 9).tolist()
        [[0.0, 0.0], [1.0, 3.0]]
    """
    points = _dyadic_points(path)
    finer, coarser = points[:, :-1], points[:, 1:]
    gain = 4.0 ** np.arange(points.shape[1])
    if np.any(coarser <= finer):
        point, band = np.argwhere(coarser <= finer)[0]
        raise ValueError(
            f"a pyramid's coarser band always has the higher SNR, but at point {point} band {band + 1} has log-SNR "
            f"{coarser[point, band]:g}, not above the {finer[point, band]:g} of band {band}. "
            "This orthogonal path has no pyramid counterpart."
        )
    extra = coarser + np.log(-np.expm1(finer - coarser))  # log(e^coarser - e^finer)
    logsnr = np.concatenate([points[:, :1], extra], axis=1) + np.log(gain)
    slack = 1e-9 * np.maximum(1.0, np.abs(logsnr[:-1]))
    back = np.argwhere(logsnr[1:] < logsnr[:-1] - slack)
    if len(back):
        step, band = back[0]
        raise ValueError(
            f"in every step a pyramid's coarser band gains at least as much SNR as the finer one, but in step {step} "
            f"band {band} gains less than band {band - 1}. This orthogonal path has no pyramid counterpart."
        )
    return Path(np.maximum.accumulate(logsnr, axis=0), _names("fine", "coarse", points.shape[1]))


def _dyadic_points(path: Any) -> np.ndarray:
    if not isinstance(path, Path):
        raise TypeError(
            f"path must be a lift_theory.Path; got {type(path).__name__}. Wrap the array in Path(...)."
        )
    if len(path.scales) < 2:
        raise ValueError(
            "the map joins pyramids and Haar bands of two scales or more; this path has one scale."
        )
    if not np.isfinite(path.logsnr).all():
        raise ValueError("the map needs a path with a finite end; leave out the last point at +inf.")
    return path.logsnr


def table_levels(alphas_cumprod: Any) -> Float[np.ndarray, " timesteps"]:
    """Log-SNRs `log(abar_t / (1 - abar_t))` of the timesteps of a table, decreasing.

    Raises:
        ValueError: if it is not one-dimensional, strictly decreasing and inside (0, 1).
    """
    table = real_array(alphas_cumprod, name="alphas_cumprod")
    if (
        table.ndim != 1
        or len(table) < 2
        or table.min() <= 0
        or table.max() >= 1
        or np.any(np.diff(table) >= 0)
    ):
        raise ValueError(
            "alphas_cumprod must be one-dimensional, strictly decreasing and inside (0, 1); "
            f"got shape {table.shape} with values in [{table.min(initial=1):g}, {table.max(initial=0):g}]."
        )
    return np.log(table) - np.log1p(-table)
