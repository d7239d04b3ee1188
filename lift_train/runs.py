"""Training runs on disk, and the denoisers in them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lift_train import checkpoints
from lift_train.checkpoints import CheckpointError
from lift_train.config import TrainConfig
from lift_train.denoisers import LinearDenoiser, NetworkDenoiser, Trainable
from lift_train.networks import matched, network
from lift_train.scales import Scales, representation

FORMAT = "lift-train run 1"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run on disk.

    Attributes:
        folder: holds `config.json`, `run.json`, `metrics.jsonl`, `checkpoints/` and `tensorboard/`.
        config: its settings.
        step: updates done.
    """

    folder: Path
    config: TrainConfig
    step: int

    @property
    def metrics(self) -> list[dict[str, float]]:
        """Lines of `metrics.jsonl`."""
        return metric_lines(self.folder / "metrics.jsonl")


def build(config: TrainConfig, scales: Scales, std: Float[Tensor, " scales"]) -> Trainable:
    """The denoiser that a configuration describes, with initial weights.

    Raises:
        ValueError: for an unknown network, or one that does not suit the scales.
    """
    if config.network == "linear":
        return LinearDenoiser(scales, np.full(scales.shape, 1.0))
    source: Any = config.network
    if config.match is not None:
        source = matched(source, scales, Scales(representation(config.match, scales.shape[-1]), scales.shape))
    return NetworkDenoiser(network(source, scales, seed=config.seed), scales, std, config.parametrisation)


def load_denoiser(
    folder: str | os.PathLike[str],
    ema: bool | float = True,
    *,
    step: int | None = None,
    denoiser: Trainable | None = None,
    device: str | None = None,
) -> Trainable:
    """The denoiser of a run, ready to sample from.

    Args:
        folder: of the run.
        ema: True for the average of the longest decay, a number for that of this decay, False for the raw weights.
        step: the checkpoint of this step; the newest if not given.
        denoiser: a module to load the weights into, for runs that were given one.
        device: a GPU if there is one.

    Raises:
        CheckpointError: if there is no sound checkpoint.
        ValueError: if it does not hold these averages, or the run was given a module of its own and this call is not.
    """
    folder = Path(folder)
    facts = checkpoints.read_json(folder / "run.json", FORMAT)
    config = settings_of(folder)
    if facts["custom"] and denoiser is None:
        raise ValueError(f"{folder} was trained with a module of its own; pass one like it as denoiser")
    if denoiser is None:
        denoiser = build(config, scales_of(config, tuple(facts["shape"])), torch.tensor(facts["std"]))
    found = checkpoints.read(folder / "checkpoints", step)
    weights = checkpoints.under("model", found.tensors)
    if ema is not False:
        decay = max(config.ema, default=None) if ema is True else float(ema)
        if decay not in config.ema:
            raise ValueError(f"the run keeps averages of decays {config.ema}; got ema={ema!r}")
        weights |= checkpoints.under(f"ema.{decay!r}", found.tensors)
    load_weights(denoiser, weights, folder)
    target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return denoiser.to(target).eval().requires_grad_(False)


def settings_of(folder: Path) -> TrainConfig:
    """The settings that are stored with a run."""
    facts = checkpoints.read_json(folder / "config.json", FORMAT)
    facts.pop("format")
    return TrainConfig.from_json(facts)


def scales_of(config: TrainConfig, shape: tuple[int, ...]) -> Scales:
    """The scales of a configuration for images (channels, height, width)."""
    channels, height, width = shape
    return Scales(representation(config.representation, height), (channels, height, width))


def load_weights(model: nn.Module, weights: dict[str, Tensor], where: Path) -> None:
    """Put stored weights into a module.

    Raises:
        CheckpointError: if they are not those of such a module; `where` tells the reader which these are.
    """
    own = model.state_dict()
    missing, foreign = sorted(set(own) - set(weights)), sorted(set(weights) - set(own))
    shapes = sorted(name for name in set(own) & set(weights) if own[name].shape != weights[name].shape)
    if missing or foreign or shapes:
        raise CheckpointError(
            f"the weights in {where} do not fit this network: {len(missing)} missing, {len(foreign)} foreign, "
            f"{len(shapes)} of another shape (such as {(missing + foreign + shapes)[0]!r})"
        )
    model.load_state_dict(weights)


def metric_lines(file: Path) -> list[dict[str, float]]:
    """Whole lines of a JSONL file; one that was cut off by a crash is left out."""
    if not file.exists():
        return []
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found


def cut_metrics(file: Path, step: int) -> None:
    """Forget metrics of updates that are about to be done again."""
    if file.exists():
        kept = [line for line in metric_lines(file) if line["step"] <= step]
        checkpoints.write_text(file, "".join(json.dumps(line) + "\n" for line in kept))
