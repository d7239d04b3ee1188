"""Sampling from a denoiser along any path of noise levels.

The samplers are those whose exact law `lift_theory.sampling_error` knows, step by step the same. Every image has a
stream of random numbers of its own, so a sample depends on its seed and not on the batch it is in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import lift_theory as lt
from lift_train.denoisers import Denoiser
from lift_train.scales import Scales, Values

SamplerName = Literal["ddim", "ancestral", "heun", "dpmpp2m"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """What a sampler returned.

    Attributes:
        images: read from the scales, (n, height, width, 3), or (n, height, width) in grey. Not clipped.
        scales: the state at the end of the path, one array (n, channels_k, height_k, width_k) per scale.
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
    batch: int = 64,
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
        seed: of the first image; image i has seed + i.
        given: clean values of some scales, (n, channels_k, height_k, width_k) or as images, for conditional use: a
            given coarse scale makes super-resolution. The path has to stand still in these scales, at the log-SNR at
            which they are shown to the denoiser with noise of that level.
        batch: images that are denoised together.
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
    for name, value in (("n", n), ("batch", batch)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number, at least 1; got {value!r}")
    if sampler not in STEPS:
        raise ValueError(f"unknown sampler {sampler!r}; choose one of {', '.join(STEPS)}")
    clean = _given(given or {}, scales, path, n)
    device = _device(denoiser)
    parts = []
    for first in range(0, n, batch):
        count = min(batch, n - first)
        streams = _Streams(scales, [seed + first + i for i in range(count)], device)
        known = {k: values[first : first + count].to(device) for k, values in clean.items()}
        parts.append(_one_batch(denoiser, path, sampler, streams, known, on_step))
    values = [torch.cat(column).cpu() for column in zip(*parts, strict=True)]
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

    def __init__(self, scales: Scales, seeds: list[int], device: torch.device) -> None:
        self.scales, self.device = scales, device
        states = [np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] for seed in seeds]
        self.generators = [torch.Generator().manual_seed(int(state)) for state in states]

    def noise(self) -> Values:
        drawn = [
            torch.stack([torch.randn(*grid, generator=generator) for generator in self.generators])
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
        if np.ptp(path.logsnr[:, k]) > 0 or not np.isfinite(path.logsnr[:, k]).all():
            raise ValueError(
                f"the path must stand still in the given scale {name!r}, at a finite log-SNR; it goes from "
                f"{path.logsnr[0, k]:g} to {path.logsnr[-1, k]:g}"
            )
        found[k] = tensor.to(torch.float32)
    if len(found) == len(scales.names):
        raise ValueError("all scales are given; leave at least one to be sampled")
    return found


def _device(denoiser: Any) -> torch.device:
    parameters = getattr(denoiser, "parameters", None)
    first = next(parameters(), None) if callable(parameters) else None
    return torch.device("cpu") if first is None else first.device
