"""One pass of a denoiser over images at many noise levels: the same images and noise at every level, resumable.

A measurement is a list of independent units (a grid point, a step of a path). Each unit yields a few numbers per
image, in float64, which are kept until statistics over images are taken. Noise belongs to the image: stream by stream,
it is the same whatever the batch size, the unit or the order, so that differences between noise levels vary little.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lift_theory._validation import whole_number
from lift_train.denoisers import Denoiser, LogSNR, per_scale
from lift_train.measure.statistics import mean_and_error, source_numbers
from lift_train.measure.storage import FORMAT, Store, fingerprint
from lift_train.scales import Scales, Values

REMEMBERED = 1 << 26
"""Random numbers kept in memory; beyond them noise is drawn again for every unit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Some images of a measurement with a noise of their own.

    Attributes:
        clean: scales of the images.
        index: positions of the images.
        source: draws the noise.
    """

    clean: Values
    index: range
    source: Noise

    def noise(self, *stream: int) -> Values:
        """White noise on the coefficients of each scale; another stream of numbers is independent of it."""
        return [part.to(self.clean[0]) for part in self.source.normal(self.index, stream)]

    def signs(self, *stream: int) -> Values:
        """Random signs on the grids, projected on the coefficients: their covariance is that of white noise."""
        parts = [part.sign() for part in self.source.raw(self.index, stream)]
        return [part.to(self.clean[0]) for part in self.source.scales.project(parts)]

    def uniform(self, *stream: int) -> Float[Tensor, " batch"]:
        """Numbers between 0 and 1, one per image."""
        return self.source.uniform(self.index, stream).to(self.clean[0].device)

    def levels(self, logsnr: Float[np.ndarray, " scales"]) -> LogSNR:
        """One noise level for all images."""
        return torch.as_tensor(logsnr).to(self.clean[0]).repeat(len(self.index), 1)

    def noisy(self, logsnr: LogSNR, noise: Values) -> Values:
        """`z_k = y_k + sigma_k e_k`."""
        sigma = torch.exp(-0.5 * logsnr)
        return [y + per_scale(sigma, k) * e for k, (y, e) in enumerate(zip(self.clean, noise, strict=True))]


@dataclass(frozen=True, kw_only=True, eq=False)
class Noise:
    """Random numbers that belong to images.

    Attributes:
        scales: what noise is drawn for.
        seed: of all numbers.
        dtype: of the noise.
        images: number of images of the measurement.
    """

    scales: Scales
    seed: int
    dtype: torch.dtype
    images: int
    _memory: dict[tuple[int, ...], dict[int, Tensor]] = field(default_factory=dict)

    def normal(self, index: range, stream: tuple[int, ...]) -> Values:
        """Standard normal numbers on the coefficients."""
        return self.scales.project(self.raw(index, stream))

    def raw(self, index: range, stream: tuple[int, ...]) -> Values:
        """Standard normal numbers on the grids."""
        counts = [int(np.prod(grid)) for grid in self.scales.grids]
        shared = stream == (0,) and sum(counts) * self.images <= REMEMBERED
        memory = self._memory.setdefault(stream, {}) if shared else {}
        for image in index:
            if image not in memory:
                memory[image] = torch.randn(
                    sum(counts), generator=self._generator(image, stream), dtype=self.dtype
                )
        rows = torch.stack([memory[image] for image in index])
        return [
            part.reshape(-1, *grid)
            for part, grid in zip(rows.split(counts, dim=1), self.scales.grids, strict=True)
        ]

    def uniform(self, index: range, stream: tuple[int, ...]) -> Tensor:
        """One number between 0 and 1 per image, in float64."""
        draws = [torch.rand((), generator=self._generator(i, stream), dtype=torch.float64) for i in index]
        return torch.stack(draws)

    def _generator(self, image: int, stream: tuple[int, ...]) -> torch.Generator:
        sequence = np.random.SeedSequence(self.seed, spawn_key=(image, len(stream), *stream))
        words = sequence.generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(words[0]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurement:
    """What every measurement needs to know.

    Attributes:
        denoiser: what is measured.
        images: (n, channels, height, width), at least two.
        seed: of the noise.
        batch: images per call of the denoiser.
        folder: where finished units are kept, so that an interrupted measurement goes on where it was; None for
            nowhere.
        progress: whether to show a progress bar.
        groups: number of the source of every image; None for images that count as independent.

    Raises:
        TypeError: if the denoiser has no `scales`, a number is no integer, or `groups` is no sequence.
        ValueError: if there are fewer than two images or sources, or an image is not finite.
    """

    denoiser: Denoiser
    images: Float[Tensor, "n channels height width"]
    seed: int
    batch: int
    folder: Path | None
    progress: bool
    groups: Int[np.ndarray, " images"] | None = None

    @staticmethod
    def of(
        denoiser: Denoiser,
        images: Any,
        *,
        seed: int,
        batch: int,
        folder: str | Path | None,
        progress: bool,
        groups: Sequence[Hashable] | None = None,
    ) -> Measurement:
        """A measurement, its arguments checked."""
        if not isinstance(getattr(denoiser, "scales", None), Scales) or not callable(denoiser):
            raise TypeError(
                f"denoiser must be a callable with an attribute scales; got {type(denoiser).__name__}. "
                "Wrap a function in lift_train.FunctionDenoiser(function, scales)."
            )
        double = isinstance(images, Tensor) and images.dtype == torch.float64
        tensor = denoiser.scales.tensor(images, torch.float64 if double else torch.float32)
        if tensor.ndim != 4 or tuple(tensor.shape[1:]) != denoiser.scales.shape or len(tensor) < 2:
            raise ValueError(
                f"images must be two or more of shape {denoiser.scales.shape} (a standard error needs two); "
                f"got {tuple(tensor.shape)}."
            )
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError("images must be finite; remove those with NaN or infinite values.")
        return Measurement(
            denoiser=denoiser,
            images=tensor,
            seed=whole_number(seed, name="seed", least=0),
            batch=whole_number(batch, name="batch", least=1),
            folder=None if folder is None else Path(folder),
            progress=progress,
            groups=source_numbers(groups, len(tensor)),
        )

    @property
    def scales(self) -> Scales:
        """Scales of the denoiser."""
        return self.denoiser.scales

    @property
    def fingerprint(self) -> str:
        """Digest of all that the denoiser's predictions depend on."""
        return fingerprint(self.denoiser)

    def mean_and_error(
        self, values: Float[np.ndarray, "units images ..."]
    ) -> tuple[Float[np.ndarray, "units ..."], Float[np.ndarray, "units ..."]]:
        """Mean over images and its standard error, over sources where they are known."""
        return mean_and_error(values, self.groups)

    def run(
        self,
        kind: str,
        points: Float[np.ndarray, "units ..."],
        values: Callable[[int, Batch], Float[Tensor, "batch values"]],
        **options: Any,
    ) -> Float[np.ndarray, "units images values"]:
        """The values of every unit for every image.

        Args:
            kind: name of the measurement, for its folder and the progress bar.
            points: what distinguishes units, one row each.
            values: computes them for the images of one batch.
            options: everything else that results depend on.
        """
        store = None if self.folder is None else Store(self.folder, self._identity(kind, points, options))
        noise = Noise(scales=self.scales, seed=self.seed, dtype=self.images.dtype, images=len(self.images))
        found = []
        with torch.no_grad(), evaluating(self.denoiser):
            for unit in _counted(len(points), kind, self.progress):
                done = None if store is None else store.read(unit)
                if done is None:
                    done = np.concatenate(
                        [values(unit, batch).cpu().numpy() for batch in self._batches(noise)]
                    )
                    if not np.isfinite(done).all():
                        raise ValueError(
                            f"the denoiser gave values that are not finite at {points[unit]}; it cannot be "
                            "measured there. Choose noise levels that it was trained on."
                        )
                    if store is not None:
                        store.write(unit, done)
                found.append(done)
        return np.stack(found)

    def _batches(self, noise: Noise) -> Iterator[Batch]:
        device = _device(self.denoiser, self.images)
        for first in range(0, len(self.images), self.batch):
            index = range(first, min(first + self.batch, len(self.images)))
            clean = self.scales.analyse(self.images[index.start : index.stop].to(device))
            yield Batch(clean=clean, index=index, source=noise)

    def _identity(self, kind: str, points: np.ndarray, options: dict[str, Any]) -> dict[str, Any]:
        """What must agree for stored units to count."""
        digest = hashlib.sha256(self.images.detach().cpu().contiguous().numpy().tobytes()).hexdigest()
        return {
            "format": FORMAT,
            "kind": kind,
            "images": digest,
            "points": hashlib.sha256(np.ascontiguousarray(points).tobytes()).hexdigest(),
            "units": len(points),
            "denoiser": self.fingerprint,
            "scales": repr(self.scales),
            "seed": self.seed,
            "options": {name: str(value) for name, value in sorted(options.items())},
        }


def _device(denoiser: Any, images: Tensor) -> torch.device:
    if isinstance(denoiser, nn.Module):
        for tensor in (*denoiser.parameters(), *denoiser.buffers()):
            return tensor.device
    return images.device


@contextmanager
def evaluating(denoiser: Any) -> Iterator[None]:
    """Dropout and the like switched off for a while, in every part that trains."""
    training = (
        [part for part in denoiser.modules() if part.training] if isinstance(denoiser, nn.Module) else []
    )
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _counted(count: int, description: str, progress: bool) -> Iterator[int]:
    if not progress:
        yield from range(count)
        return
    from rich.progress import track

    yield from track(range(count), description=description)


def squared_norms(values: Values) -> Float[Tensor, "batch scales"]:
    """Sums of squares of each scale, in float64."""
    return torch.stack([value.double().square().flatten(1).sum(1) for value in values], dim=1)


def differences(first: Values, second: Values) -> Values:
    """Scale by scale."""
    return [a - b for a, b in zip(first, second, strict=True)]
