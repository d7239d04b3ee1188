"""Training a multi-scale denoiser: one loop, the same in one process and in several, resumable at any moment.

Every random number of an update is drawn from the seed and the number of the update, for the whole batch on every
process. So nothing but the weights and the moments of the optimizer has to be stored to go on exactly, and several
processes see the batch that one would.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from rich.console import Console
from torch import Tensor, nn

from lift_theory import __version__
from lift_train import checkpoints
from lift_train.batches import Batches, load_images, noisy, squared_errors, stream_seed
from lift_train.checkpoints import Checkpoint
from lift_train.config import TrainConfig
from lift_train.denoisers import Trainable
from lift_train.monitor import monitor
from lift_train.noise import loss_weights
from lift_train.processes import Process, processes
from lift_train.runs import FORMAT, Run, build, cut_metrics, load_weights, scales_of
from lift_train.scales import Scales, Values


class _Averages:
    """Running averages of the weights, one for every decay."""

    def __init__(self, model: nn.Module, decays: tuple[float, ...]) -> None:
        self.weights = {decay: _copies(model) for decay in decays}

    def update(self, model: nn.Module, step: int) -> None:
        for decay, weights in self.weights.items():
            keep = min(decay, step / (step + 9.0))
            names, averages = zip(*weights.items(), strict=True)
            now = dict(model.named_parameters())
            torch._foreach_lerp_(list(averages), [now[name].detach() for name in names], 1.0 - keep)

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"ema.{decay!r}.{name}": tensor
            for decay, weights in self.weights.items()
            for name, tensor in weights.items()
        }

    def load(self, tensors: dict[str, Tensor]) -> None:
        for decay, weights in self.weights.items():
            stored = checkpoints.under(f"ema.{decay!r}", tensors)
            for name, tensor in weights.items():
                tensor.copy_(stored[name])


def _copies(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def train(
    config: TrainConfig,
    out: str | os.PathLike[str],
    *,
    images: Any = None,
    denoiser: Trainable | None = None,
    device: str | None = None,
    console: Console | None = None,
) -> Run:
    """Train a denoiser, or go on where an earlier run in the same folder stopped.

    Under `torchrun` all processes train together and give what one would, up to rounding (and to dropout, whose
    masks are each process's own).

    Args:
        config: what is trained; has to be that of the earlier run, but for how often it saves, logs and evaluates, and
            for `steps` where the learning rate does not depend on it (`decay="constant"`).
        out: folder of the run.
        images: `lift_train.data.Images`, or training images (n, height, width[, channels]), in place of those that
            `config.data` names.
        denoiser: a module with an attribute `scales` in place of the one that `config` describes.
        device: such as "cuda:0"; a GPU if there is one.
        console: where progress is shown.

    Returns:
        The run on disk.

    Raises:
        ValueError: if settings, data or an earlier run do not fit.
        OSError: if the disk is full; earlier checkpoints stay.
    """
    folder = Path(out)
    with processes(device) as process:
        return _Training(config, folder, images, denoiser, process, console or Console()).run()


class _Training:
    """The parts of one run, put together."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        images: Any,
        denoiser: Trainable | None,
        process: Process,
        console: Console,
    ) -> None:
        if config.batch % process.count:
            raise ValueError(f"batch must be a multiple of the {process.count} processes; got {config.batch}")
        self.config, self.folder, self.process, self.console = config, folder, process, console
        loaded = load_images(config, images)
        channels = 1 if loaded.train.ndim == 3 else loaded.train.shape[-1]
        shape = (channels, *loaded.train.shape[1:3])
        self.scales = scales_of(config, shape) if denoiser is None else denoiser.scales
        train_images, held_out = (self.scales.tensor(part) for part in (loaded.train, loaded.held_out))
        self.std = _standard_deviations(self.scales, train_images)
        torch.manual_seed(config.seed)
        chosen = build(config, self.scales, self.std) if denoiser is None else denoiser
        self.model = chosen.to(process.device)
        _check_trainable(self.model)
        if process.device.type == "cuda":
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.batches = Batches(train_images, self.scales, config)
        self.held_out = Batches(held_out, self.scales, dataclasses.replace(config, flips=False), stream=3)
        path = self.batches.path
        self.facts = {
            "format": FORMAT,
            "version": __version__,
            "shape": list(self.scales.shape),
            "representation": repr(self.scales.representation),
            "std": self.std.tolist(),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "custom": denoiser is not None,
            "data": loaded.provenance,
            "path": None if path is None else path.tolist(),
        }
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            betas=(0.9, 0.99),
        )
        self.averages = _Averages(self.model, config.ema)
        self.total = torch.zeros((), device=process.device)
        self.since = 0
        self.module: Any = self.model
        if config.compile:
            self.module = torch.compile(self.module)
        if process.count > 1:
            self.module = nn.parallel.DistributedDataParallel(self.module)

    @property
    def stored(self) -> Path:
        return self.folder / "checkpoints"

    def run(self) -> Run:
        step = self._resume()
        if self.process.first:
            self.folder.mkdir(parents=True, exist_ok=True)
            checkpoints.write_json(self.folder / "config.json", {"format": FORMAT, **self.config.to_json()})
            checkpoints.write_json(self.folder / "run.json", self.facts)
            cut_metrics(self.folder / "metrics.jsonl", step)
        self.model.train()
        reporting = (
            monitor(self.folder, self.console, step=step, steps=self.config.steps, batch=self.config.batch)
            if self.process.first
            else nullcontext()
        )
        with reporting as reports:
            began, first = time.perf_counter(), step
            while step < self.config.steps:
                self.total += self._update(step)
                step += 1
                self.averages.update(self.model, step)
                if reports is not None:
                    reports.advance(step)
                due = {
                    name: step % getattr(self.config, name) == 0 or step == self.config.steps
                    for name in ("log_every", "evaluate_every", "save_every")
                }
                if due["log_every"] or due["evaluate_every"]:
                    now = time.perf_counter()
                    line = {
                        "step": step,
                        "loss": self._mean_loss(step),
                        "learning_rate": self._rate(step - 1),
                        "images_per_second": (step - first) * self.config.batch / (now - began),
                        **(self._evaluate() if due["evaluate_every"] else {}),
                    }
                    if reports is not None:
                        reports.report(line)
                    self.total.zero_()
                    self.since, first, began = step, step, time.perf_counter()
                if due["save_every"]:
                    self._save(step)
        return Run(folder=self.folder, config=self.config, step=step)

    def _mean_loss(self, step: int) -> float:
        """Mean loss since the last line of metrics, which has to be finite."""
        loss = float(self.total) / max(1, step - self.since)
        if not math.isfinite(loss) or not all(bool(p.isfinite().all()) for p in self.model.parameters()):
            stored = checkpoints.steps(self.stored)
            kept = (
                f"the checkpoint of step {stored[-1]} is sound" if stored else "no checkpoint was stored yet"
            )
            raise ValueError(
                f"the loss or the weights are not finite after {step} updates (loss {loss}); {kept}. "
                "Lower learning_rate or clip."
            )
        return loss

    def _update(self, step: int) -> Tensor:
        torch.manual_seed(stream_seed(self.config.seed, 4, step, self.process.rank))  # of dropout
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(step)
        loss = self._loss(self.module, *self.batches.draw(step))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimizer.step()
        return self.process.mean(loss.detach())

    def _loss(self, module: nn.Module, images: Tensor, logsnr: Tensor, noise: Values) -> Tensor:
        """Mean over images of the weighted squared error, summed over scales."""
        share = self.process.share
        images, logsnr, noise = share(images), share(logsnr), [share(e) for e in noise]
        clean = self.scales.analyse(images)
        zs = noisy(self.scales, clean, logsnr, noise)
        context = (
            torch.autocast(self.process.device.type, torch.bfloat16)
            if self.config.precision == "bfloat16"
            else nullcontext()
        )
        with context:
            predictions = module(zs, logsnr)
        errors = squared_errors(predictions, clean)
        weights = loss_weights(self.config.weighting, logsnr, self.std.to(logsnr), self.scales.sizes)
        return (weights * errors).sum(1).mean()

    def _rate(self, step: int) -> float:
        """Learning rate of the update after `step` updates."""
        config = self.config
        rise = min(1.0, (step + 1) / (config.warmup + 1))
        if config.decay == "constant":
            return config.learning_rate * rise
        gone = max(0, step - config.warmup) / max(1, config.steps - config.warmup)
        return config.learning_rate * rise * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * gone)))

    @torch.no_grad()
    def _evaluate(self) -> dict[str, float]:
        """Loss on held-out images, always with the same noise, of the weights and of their averages."""
        found = {"held_out_loss": self._held_out_loss()}
        now = _copies(self.model)
        for decay, weights in self.averages.weights.items():
            _assign(self.model, weights)
            found[f"held_out_loss_ema_{decay:g}"] = self._held_out_loss()
        _assign(self.model, now)
        return found

    def _held_out_loss(self) -> float:
        self.model.eval()
        count = max(1, min(8, len(self.held_out.images) // self.config.batch))
        total = sum(self._loss(self.model, *self.held_out.draw(i)) for i in range(count)) / count
        self.model.train()
        return float(self.process.mean(torch.as_tensor(total)))

    def _resume(self) -> int:
        """Go back to the newest checkpoint, if there is one; the number of updates done."""
        if (self.folder / "run.json").exists():
            self._check_same()
        if not checkpoints.steps(self.stored):
            return 0
        found = checkpoints.read(self.stored)
        if found.step > self.config.steps:
            raise ValueError(
                f"{self.folder} has done {found.step} updates, more than steps={self.config.steps}"
            )
        load_weights(self.model, checkpoints.under("model", found.tensors), self.stored)
        self.averages.load(found.tensors)
        checkpoints.restore_optimizer(self.optimizer, checkpoints.under("optimizer", found.tensors))
        self.total += found.tensors["running.loss"].to(self.total.device)
        self.since = int(found.tensors["running.since"])
        if self.process.first:
            self.console.print(f"Going on after {found.step} updates in {self.folder}", soft_wrap=True)
        return found.step

    def _check_same(self) -> None:
        before = checkpoints.read_json(self.folder / "run.json", FORMAT)
        settings = checkpoints.read_json(self.folder / "config.json", FORMAT)
        now = self.config.to_json()
        free = {"steps", "save_every", "evaluate_every", "log_every", "keep", "compile"}
        if self.config.decay == "cosine" and checkpoints.steps(self.stored):
            free -= {"steps"}
        changed = sorted(name for name in now if name not in free and now[name] != settings.get(name))
        if changed:
            told = ", ".join(f"{name}: {settings.get(name)!r} before, {now[name]!r} now" for name in changed)
            raise ValueError(
                f"{self.folder} holds a run with other settings ({told}); choose another folder"
                + (", or train with decay='constant' to go on for longer" if changed == ["steps"] else "")
            )
        for name in ("data", "representation", "shape", "parameters", "path"):
            if before.get(name) != self.facts[name]:
                raise ValueError(
                    f"{self.folder} holds a run with another {name} ({before.get(name)!r} before, {self.facts[name]!r} "
                    "now); choose another folder"
                )

    def _save(self, step: int) -> None:
        self._mean_loss(step)
        if not self.process.first:
            return
        tensors = {
            **checkpoints.named("model", self.model.state_dict()),
            **self.averages.tensors(),
            **checkpoints.named("optimizer", checkpoints.optimizer_tensors(self.optimizer)),
            "running.loss": self.total,
            "running.since": torch.tensor(self.since),
        }
        checkpoints.write(self.stored, Checkpoint(step=step, tensors=tensors), self.config.keep)


def _check_trainable(model: nn.Module) -> None:
    """Refuse what would fail only after hours: frozen or shared weights."""
    parameters = list(model.parameters())
    if not parameters or not all(p.requires_grad for p in parameters):
        raise ValueError(
            "every weight of the denoiser must be trainable; call denoiser.requires_grad_(True), and keep what is "
            "fixed in buffers"
        )
    tensors = [t for t in model.state_dict().values() if t.numel()]
    if len({t.data_ptr() for t in tensors}) < len(tensors):
        raise ValueError("weights of the denoiser share memory, which checkpoints cannot store; untie them")


def _standard_deviations(scales: Scales, images: Tensor) -> Float[Tensor, " scales"]:
    """Root mean square of the coefficients of each scale, over at most 4096 images."""
    chosen = images[torch.linspace(0, len(images) - 1, min(len(images), 4096)).long()]
    squares = [value.double().square().sum() / len(chosen) for value in scales.analyse(chosen)]
    sizes = torch.tensor(scales.sizes, dtype=torch.float64)
    return torch.sqrt(torch.stack(squares) / sizes).clamp_min(1e-6).float()


def _assign(model: nn.Module, weights: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
