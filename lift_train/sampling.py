"""Sampling from a denoiser along any path of noise levels.

The samplers are those whose exact law `lift_theory.sampling_error` knows, step by step the same. Every image has a
stream of random numbers of its own, so a sample depends on its seed and not on the batch it is in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

import lift_theory as lt
from lift_train.denoisers import Denoiser
from lift_train.scales import Scales, Values

SamplerName = Literal["ddim", "ancestral", "heun", "dpmpp2m"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """What a sampler returned.

    Attributes:
        images: read from the scales, (n, height, width, 3), or (n, height, width) in grey. Not clipped.
        scales: the state at the end of the path, one array (n, channels_k, height_k, width_k) per scale; given
            scales as they were given.
        calls: calls of the denoiser per image (NFE).
    """

    images: Float[np.ndarray, "n height width *channels"]
    scales: tuple[Float[np.ndarray, "n channels height width"], ...]
    calls: int

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.images, dtype=dtype)


@torch.no_grad()
def sample(
    denoiser: Denoiser,
    path: lt.Path,
    n: int,
    sampler: SamplerName = "ddim",
    seed: int = 0,
    *,
    given: Mapping[str, Any] | None = None,
    first: int = 0,
    batch: int = 64,
    device: str | None = None,
    on_step: Callable[[int, Values], None] | None = None,
) -> Samples:
    """Draw images along a path.

    Sampling begins with pure noise of the first noise level, N(0, sigma^2). It ends at the last point of the path;
    `path.to_clean_data()` adds the step that removes the rest of the noise.

    Args:
        denoiser: with an attribute `scales`.
        path: one column per scale, finest first.
        n: number of images.
        sampler: "ddim", "ancestral", "heun" (two calls a step) or "dpmpp2m" (DPM-Solver++(2M)).
        seed: of the set; every image has a stream of random numbers of its own, made of the seed and its number.
        given: clean values of some scales, (n, channels_k, height_k, width_k) or as images, for conditional use: a
            given coarse scale makes super-resolution. The path has to stand still in these scales, at the log-SNR at
            which they are shown to the denoiser with noise of that level; only a last step to clean data may move them.
        first: number of the first image, to draw a set in parts.
        batch: images that are denoised together.
        device: where to sample; that of the denoiser if not given.
        on_step: called after every step with its number and the state of the batch.

    Raises:
        ValueError: if path, scales and given values do not fit together, or a number is out of its range.

    >>> scales = Scales(lt.AveragePyramid(), (1, 8, 8))
    >>> from lift_train.denoisers import LinearDenoiser
    >>> denoiser = LinearDenoiser(scales, lt.Spectrum.power_law((8, 8)).variances)
    >>> path = lt.Path(np.linspace([-6.0, -6.0], [6.0, 6.0], 11))
    >>> samples = sample(denoiser, path, 3)
    >>> samples.images.shape, samples.calls
    ((3, 8, 8), 10)
    """
    scales = denoiser.scales
    if not isinstance(path, lt.Path):
        raise TypeError(
            f"path must be a lift_theory.Path; got {type(path).__name__}. Wrap an array: Path(logsnr)"
        )
    if len(path.scales) != len(scales.names):
        raise ValueError(f"the denoiser has scales {scales.names}; the path has {path.scales}")
    if set(path.scales) == set(scales.names) and tuple(path.scales) != scales.names:
        raise ValueError(
            f"the path lists its scales as {path.scales}, the denoiser as {scales.names}; reorder them"
        )
    for name, value, least in (("n", n, 1), ("batch", batch, 1), ("first", first, 0), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number, at least {least}; got {value!r}")
    if sampler not in STEPS:
        raise ValueError(f"unknown sampler {sampler!r}; choose one of {', '.join(STEPS)}")
    clean = _given(given or {}, scales, path, n)
    where = torch.device(device) if device else _device(denoiser)
    parts = []
    with _evaluating(denoiser):
        for start in range(0, n, batch):
            count = min(batch, n - start)
            streams = _Streams(scales, seed, range(first + start, first + start + count), where)
            known = {k: values[start : start + count].to(where) for k, values in clean.items()}
            states = _one_batch(denoiser, path, sampler, streams, known, on_step)
            parts.append([known.get(k, state).cpu() for k, state in enumerate(states)])
    values = [torch.cat(column) for column in zip(*parts, strict=True)]
    moving = sum(
        1 for start, stop in zip(path.logsnr[:-1], path.logsnr[1:], strict=True) if (stop > start).any()
    )
    ends_clean = bool(np.isinf(path.logsnr[-1]).any())
    return Samples(
        images=scales.array(scales.synthesise(values)),
        scales=tuple(value.numpy() for value in values),
        calls=2 * moving - ends_clean if sampler == "heun" else moving,
    )


class _Streams:
    """White noise on the coefficients, from one generator per image."""

    def __init__(self, scales: Scales, seed: int, numbers: range, device: torch.device) -> None:
        self.scales, self.device = scales, device
        self.generators = [
            np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, number))))
            for number in numbers
        ]

    def noise(self) -> Values:
        drawn = [
            torch.from_numpy(
                np.stack([generator.standard_normal(grid, dtype=np.float32) for generator in self.generators])
            )
            for grid in self.scales.grids
        ]
        return [value.to(self.device) for value in self.scales.project(drawn)]


def _one_batch(
    denoiser: Denoiser,
    path: lt.Path,
    sampler: str,
    streams: _Streams,
    known: dict[int, Tensor],
    on_step: Callable[[int, Values], None] | None,
) -> Values:
    sigma = path.sigmas
    zs = [float(sigma[0, k]) * e for k, e in enumerate(streams.noise())]
    for k, clean in known.items():
        zs[k] = clean + zs[k]
    count = len(zs[0])

    def denoise(values: Values, point: np.ndarray) -> Values:
        logsnr = torch.tensor(point, dtype=values[0].dtype, device=values[0].device)
        return denoiser(values, logsnr.expand(count, -1))

    state = _State(zs, None, np.zeros(len(zs)))
    for i in range(path.steps):
        start, stop = path.logsnr[i], path.logsnr[i + 1]
        if (stop > start).any():
            state = STEPS[sampler](denoise, state, start, stop, streams)
        if on_step is not None:
            on_step(i, state.zs)
    return state.zs


@dataclass(frozen=True)
class _State:
    """The noisy scales; for DPM-Solver++(2M) the previous predictions and the previous step of each scale."""

    zs: Values
    before: Values | None
    last: np.ndarray


Denoise = Callable[[Values, np.ndarray], Values]


def _fall(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """`sigma' / sigma`."""
    return np.exp(0.5 * (start - stop))


def _toward(targets: Values, zs: Values, ratio: np.ndarray) -> Values:
    """`D + ratio (z - D)`; a scale that stands still does not move at all."""
    return [z if r == 1.0 else d + float(r) * (z - d) for d, z, r in zip(targets, zs, ratio, strict=True)]


def _ddim(denoise: Denoise, state: _State, start: np.ndarray, stop: np.ndarray, _: _Streams) -> _State:
    return _State(_toward(denoise(state.zs, start), state.zs, _fall(start, stop)), None, state.last)


def _ancestral(
    denoise: Denoise, state: _State, start: np.ndarray, stop: np.ndarray, streams: _Streams
) -> _State:
    moved = _toward(denoise(state.zs, start), state.zs, _fall(start, stop) ** 2)
    spread = np.exp(-0.5 * stop) * np.sqrt(-np.expm1(start - stop))
    return _State(
        [z + float(s) * e for z, s, e in zip(moved, spread, streams.noise(), strict=True)], None, state.last
    )


def _heun(denoise: Denoise, state: _State, start: np.ndarray, stop: np.ndarray, _: _Streams) -> _State:
    ratio = _fall(start, stop)
    denoised = denoise(state.zs, start)
    predicted = _toward(denoised, state.zs, ratio)
    if (ratio == 0.0).any():
        return _State(predicted, None, state.last)
    again = denoise(predicted, stop)
    corrected = [
        z if r == 1.0 else z - 0.5 * (1.0 - float(r)) * ((z - d) + (p - a) / float(r))
        for z, d, p, a, r in zip(state.zs, denoised, predicted, again, ratio, strict=True)
    ]
    return _State(corrected, None, state.last)


def _dpmpp2m(denoise: Denoise, state: _State, start: np.ndarray, stop: np.ndarray, _: _Streams) -> _State:
    denoised = denoise(state.zs, start)
    h = 0.5 * (stop - start)
    targets = denoised
    if state.before is not None:
        usable = (state.last > 0) & np.isfinite(h)
        weight = np.divide(0.5 * h, state.last, out=np.zeros_like(h), where=usable)
        targets = [
            d + float(w) * (d - b) if w else d for d, b, w in zip(denoised, state.before, weight, strict=True)
        ]
    return _State(_toward(targets, state.zs, _fall(start, stop)), denoised, h)


STEPS: dict[str, Callable[[Denoise, _State, np.ndarray, np.ndarray, _Streams], _State]] = {
    "ddim": _ddim,
    "ancestral": _ancestral,
    "heun": _heun,
    "dpmpp2m": _dpmpp2m,
}


def _given(given: Mapping[str, Any], scales: Scales, path: lt.Path, n: int) -> dict[int, Tensor]:
    """Clean values of given scales by their number."""
    found = {}
    for name, values in given.items():
        if name not in scales.names:
            raise ValueError(f"unknown scale {name!r} among the given ones; the denoiser has {scales.names}")
        k = scales.names.index(name)
        tensor = values if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values))
        grid = scales.grids[k]
        if tuple(tensor.shape) == (n, *grid[1:], grid[0]) and tuple(tensor.shape[1:]) != grid:
            tensor = tensor.movedim(-1, 1)
        if grid[0] == 1 and tensor.ndim == 3:
            tensor = tensor[:, None]
        if tuple(tensor.shape) != (n, *grid) or not bool(torch.isfinite(tensor).all()):
            raise ValueError(
                f"given {name!r} must be finite, of shape {(n, *grid)}; got {tuple(tensor.shape)}"
            )
        levels = path.logsnr[np.isfinite(path.logsnr[:, k]), k]
        if np.ptp(levels) > 0:
            raise ValueError(
                f"the path must stand still in the given scale {name!r} until its last step to clean data; it goes "
                f"from {levels[0]:g} to {levels[-1]:g}"
            )
        found[k] = tensor.to(torch.float32)
    if len(found) == len(scales.names):
        raise ValueError("all scales are given; leave at least one to be sampled")
    return found


def _device(denoiser: Any) -> torch.device:
    parameters = getattr(denoiser, "parameters", None)
    first = next(parameters(), None) if callable(parameters) else None
    found: torch.device = getattr(denoiser, "device", torch.device("cpu")) if first is None else first.device
    return found


@contextmanager
def _evaluating(denoiser: Any) -> Iterator[None]:
    """Switch dropout and the like off, and back afterwards."""
    training = isinstance(denoiser, nn.Module) and denoiser.training
    if training:
        denoiser.eval()
    try:
        yield
    finally:
        if training:
            denoiser.train()
