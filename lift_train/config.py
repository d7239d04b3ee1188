"""Everything that decides what is trained, in one place, as it is stored with a run."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from lift_train.denoisers import Parametrisation
from lift_train.noise import NoiseLevels, Weighting


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides what is trained.

    Raises:
        ValueError: if a number is out of its range.
    """

    data: str = "photos"
    """photos, digits, folder:PATH, npz:PATH, hf:NAME or fields:EXPONENT."""
    size: int = 32
    """Height and width of the images, pixels."""
    channels: int = 3
    """3 for colour, 1 for grey."""
    limit: int | None = None
    """At most this many images; all if not given."""
    flips: bool = True
    """Mirror half of the images, left to right."""
    representation: str = "pyramid"
    """single, pyramid, haar, dct, residual, residual-bilinear or residual-bicubic; pyramid:3 for three levels."""
    network: str = "small"
    """A preset: tiny, small, base64, lift64; or linear, the posterior mean of a Gaussian field."""
    match: str | None = None
    """A representation whose network has as many parameters, within 1 %; for one-scale baselines."""
    parametrisation: Parametrisation = "v"
    """What the raw output stands for."""
    noise: NoiseLevels = field(default_factory=NoiseLevels)
    """The law of log-SNRs."""
    weighting: Weighting = "unit"
    """What an error counts: unit (of the raw output) or path_kl (the bound on the KL divergence)."""
    steps: int = 10_000
    """Updates."""
    batch: int = 64
    """Images in an update, over all processes together."""
    learning_rate: float = 1e-3
    """Of AdamW, after warm-up."""
    warmup: int = 200
    """Updates over which the learning rate rises from zero."""
    decay: Literal["constant", "cosine"] = "cosine"
    """How the learning rate goes on after warm-up; cosine ends at one hundredth."""
    weight_decay: float = 0.0
    """Of AdamW."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema: tuple[float, ...] = (0.99, 0.999, 0.9999)
    """Decays of the running averages of the weights, all kept; each is shorter in the beginning."""
    seed: int = 0
    """Decides initial weights, batches, noise levels and noise."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the network's arithmetic; weights, loss and averages are float32."""
    compile: bool = False
    """Compile the network; pays on a GPU."""
    save_every: int = 1000
    """Updates between checkpoints."""
    evaluate_every: int = 500
    """Updates between measurements of the held-out loss."""
    log_every: int = 50
    """Updates between lines of metrics."""
    keep: int = 2
    """Checkpoints that are kept."""

    def __post_init__(self) -> None:
        least = {"steps": 1, "batch": 1, "save_every": 1, "evaluate_every": 1, "log_every": 1, "keep": 1}
        for name, bound in {**least, "size": 1, "warmup": 0, "seed": 0}.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < bound:
                raise ValueError(f"{name} must be a whole number, at least {bound}; got {value!r}")
        for name, value in (("learning_rate", self.learning_rate), ("clip", self.clip)):
            if not (value > 0.0 and math.isfinite(value)):
                raise ValueError(f"{name} must be positive and finite; got {value!r}")
        kinds = {
            "parametrisation": get_args(Parametrisation),
            "weighting": get_args(Weighting),
            "decay": ("constant", "cosine"),
            "precision": ("float32", "bfloat16"),
            "channels": (1, 3),
        }
        for name, choices in kinds.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {choices}; got {getattr(self, name)!r}")
        if not (self.weight_decay >= 0.0 and math.isfinite(self.weight_decay)):
            raise ValueError(f"weight_decay must be finite and not negative; got {self.weight_decay!r}")
        if not all(0.0 < decay < 1.0 for decay in self.ema):
            raise ValueError(f"ema must hold decays between 0 and 1; got {self.ema}")

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON holds them."""
        return json.loads(json.dumps(dataclasses.asdict(self), default=str))

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> TrainConfig:
        """The inverse of `to_json`.

        Raises:
            ValueError: for a setting that this version does not know.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        if unknown := sorted(set(facts) - known):
            raise ValueError(f"unknown settings {unknown}; the file may come from another version")
        noise = dict(facts["noise"])
        noise["path"] = None if noise["path"] is None else Path(noise["path"])
        return cls(**{**facts, "noise": NoiseLevels(**noise), "ema": tuple(facts["ema"])})
