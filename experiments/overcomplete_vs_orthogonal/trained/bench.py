"""What every question put to trained networks starts from: images, their spectrum, and the networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.contenders import Contender, contenders
from experiments.workspace import Workspace
from lift_train import Run, TrainConfig, data, load_denoiser
from lift_train.measure.storage import fingerprint

NETWORKS = {
    "single": "single",
    "pyramid": "pyramid",
    "haar": "haar",
    "dct": "dct",
    "bilinear": "residual-bilinear",
}
"""Contenders that networks are trained for, and the names of their representations in a training configuration."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of the trained half.

    Attributes:
        training: settings of the networks; representation, baseline match and seed are varied.
        seeds: networks per representation.
        start: log-SNR of the finest scale at which measuring and sampling begin, nats.
        stop: log-SNR of the finest scale at which they end; one more step goes to clean data.
        points: log-SNRs per scale of a measured surface.
        images: training images that errors are measured on.
        samples: images that are sampled along every path.
        reference: images, evenly spaced among all, that distances are taken to.
        steps: network calls per sample, the last of which goes to clean data.
        probes: images for Jacobians.
        stability_images: training images of the study of long training.
        stability_steps: updates of the study of long training.
        stability_checkpoints: moments at which that study samples.
    """

    training: TrainConfig
    seeds: int
    start: float = -9.0
    stop: float = 6.0
    points: int
    images: int
    samples: int
    reference: int = 2000
    steps: int = 18
    probes: int
    stability_images: int
    stability_steps: int
    stability_checkpoints: int = 6


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Images, their spectrum, the contenders, and the networks once they are trained.

    Attributes:
        work: where stages are kept.
        images: what networks are trained on.
        sizes: of the run.
        runs: trained networks per contender, one per seed; empty while predictions are made.
    """

    work: Workspace
    images: data.Images
    sizes: Sizes
    runs: Mapping[str, Sequence[Run]] = dataclasses.field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: another process makes spectrum and closed forms itself, if it needs them."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @cached_property
    def spectrum(self) -> lt.Spectrum:
        """Of the training images."""
        return lt.Spectrum.from_images(self.images.train)

    @cached_property
    def contenders(self) -> dict[str, Contender]:
        """Those that networks are trained for."""
        return {c.name: c for c in contenders(self.images.size) if c.name in NETWORKS}

    @cached_property
    def models(self) -> dict[str, lt.GaussianModel]:
        """The closed form of every contender on the training images' spectrum."""
        return {
            name: lt.GaussianModel(self.spectrum, c.representation) for name, c in self.contenders.items()
        }

    def ends(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """First and last log-SNR of every scale of a contender."""
        return self.contenders[name].ends(self.sizes.start, self.sizes.stop)

    def axes(self, name: str) -> list[np.ndarray]:
        """Log-SNRs at which the errors of a contender's networks are measured, one array per scale."""
        start, stop = self.ends(name)
        return [np.linspace(a, b, self.sizes.points) for a, b in zip(start, stop, strict=True)]

    @property
    def inputs(self) -> dict[str, Any]:
        """What predictions depend on: the images and the version."""
        return {
            "variances": self.spectrum.variances,
            "ends": [self.sizes.start, self.sizes.stop],
            "version": lt.__version__,
        }

    def denoiser(self, name: str, seed: int, ema: bool = True) -> Any:
        """A trained network of a contender."""
        return load_denoiser(self.runs[name][seed].folder, ema)

    def identity(self, name: str, seed: int) -> dict[str, Any]:
        """What a measurement on a trained network depends on: its weights, and the version."""
        return {
            "weights": _weights(str(self.runs[name][seed].folder), self.runs[name][seed].step),
            "version": lt.__version__,
        }


@cache
def _weights(folder: str, step: int) -> str:
    return fingerprint(load_denoiser(folder, step=step))
