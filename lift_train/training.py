"""Training a multi-scale denoiser: one loop, the same in one process and in several, resumable at any moment.

Every random number of an update is drawn from the seed and the number of the update, for the whole batch on every
process. So nothing but the weights and the moments of the optimizer has to be stored to go on exactly, and several
processes see the batch that one would.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor, nn

from lift_theory import __version__
from lift_train import checkpoints
from lift_train.batches import Batches, load_images, noisy, squared_errors
from lift_train.checkpoints import Checkpoint
from lift_train.config import TrainConfig
from lift_train.denoisers import Trainable
from lift_train.noise import loss_weights
from lift_train.runs import FORMAT, Run, build, cut_metrics, load_weights, scales_of
from lift_train.scales import Scales, Values


@dataclass(frozen=True)
class _Process:
    """This process among those that train together."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        return batch[self.rank :: self.count].to(self.device, non_blocking=True)


@contextmanager
def _processes(device: str | None) -> Iterator[_Process]:
    count = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = torch.device(device or (f"cuda:{local}" if torch.cuda.is_available() else "cpu"))
    if count == 1:
        yield _Process(0, 1, chosen)
        return
    torch.distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield _Process(torch.distributed.get_rank(), count, chosen)
    finally:
        torch.distributed.destroy_process_group()


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

    Under `torchrun` all processes train together and give what one would, up to rounding.

    Args:
        config: what is trained; has to be that of the earlier run, of which only `steps` may grow.
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
    with _processes(device) as process:
        return _Training(config, folder, images, denoiser, process, console or Console()).run()


class _Training:
    """The parts of one run, put together."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        images: Any,
        denoiser: Trainable | None,
        process: _Process,
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
        if process.device.type == "cuda":
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.facts = {
            "format": FORMAT,
            "version": __version__,
            "shape": list(self.scales.shape),
            "representation": repr(self.scales.representation),
            "std": self.std.tolist(),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "custom": denoiser is not None,
            "data": loaded.provenance,
        }
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            betas=(0.9, 0.99),
        )
        self.averages = _Averages(self.model, config.ema)
        self.batches = Batches(train_images, self.scales, config)
        self.held_out = Batches(
            held_out, self.scales, dataclasses.replace(config, flips=False, seed=config.seed + 1)
        )
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
        with self._progress(step) as advance, self._tensorboard() as board:
            began, since, total = time.perf_counter(), step, torch.zeros(())
            while step < self.config.steps:
                loss = self._update(step)
                step += 1
                total = total + loss.detach().cpu()
                self.averages.update(self.model, step)
                advance(step)
                last = step == self.config.steps
                if step % self.config.log_every == 0 or last:
                    now = time.perf_counter()
                    line: dict[str, float] = {
                        "step": step,
                        "loss": float(total) / (step - since),
                        "learning_rate": self._rate(step - 1),
                        "images_per_second": (step - since) * self.config.batch / (now - began),
                    }
                    if not math.isfinite(line["loss"]):
                        raise ValueError(
                            f"the loss is {line['loss']} after {step} updates; lower learning_rate or clip. "
                            "The last checkpoint is still good."
                        )
                    if step % self.config.evaluate_every == 0 or last:
                        line |= self._evaluate()
                    self._report(line, board)
                    began, since, total = time.perf_counter(), step, torch.zeros(())
                if step % self.config.save_every == 0 or last:
                    self._save(step)
        return Run(folder=self.folder, config=self.config, step=step)

    def _update(self, step: int) -> Tensor:
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(step)
        loss = self._loss(self.module, *self.batches.draw(step))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimizer.step()
        if self.process.count > 1:
            loss = loss.detach() / self.process.count
            torch.distributed.all_reduce(loss)
        return loss

    def _loss(self, module: nn.Module, images: Tensor, logsnr: Tensor, noise: Values) -> Tensor:
        """Mean over images and coefficients of the weighted squared error, summed over scales."""
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
        weights = loss_weights(self.config.weighting, logsnr, self.std.to(logsnr))
        sizes = torch.tensor(self.scales.sizes, device=errors.device)
        return (weights * errors / sizes).sum(1).mean()

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
        if self.process.count > 1:
            total = total / self.process.count
            torch.distributed.all_reduce(total)
        return float(total)

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
            raise ValueError(f"{self.folder} holds a run with other settings ({told}); choose another folder")
        for name in ("data", "representation", "shape", "parameters"):
            if before[name] != self.facts[name]:
                raise ValueError(
                    f"{self.folder} holds a run with another {name} ({before[name]!r} before, {self.facts[name]!r} "
                    "now); choose another folder"
                )

    def _save(self, step: int) -> None:
        if not self.process.first:
            return
        tensors = {
            **checkpoints.named("model", self.model.state_dict()),
            **self.averages.tensors(),
            **checkpoints.named("optimizer", checkpoints.optimizer_tensors(self.optimizer)),
        }
        checkpoints.write(self.stored, Checkpoint(step=step, tensors=tensors), self.config.keep)

    def _report(self, line: dict[str, float], board: Any) -> None:
        if not self.process.first:
            return
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if board is not None:
            for name, value in line.items():
                board.add_scalar(name, value, int(line["step"]))

    @contextmanager
    def _progress(self, step: int) -> Iterator[Any]:
        if not self.process.first:
            yield lambda step: None
            return
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task("training", total=self.config.steps, completed=step, rate="")
            began, first = time.perf_counter(), step

            def advance(now: int) -> None:
                rate = (now - first) * self.config.batch / (time.perf_counter() - began)
                bar.update(task, completed=now, rate=f"{rate:.0f} images/s")

            yield advance

    @contextmanager
    def _tensorboard(self) -> Iterator[Any]:
        if not self.process.first:
            yield None
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:  # the metrics are in metrics.jsonl, too
            yield None
            return
        with SummaryWriter(str(self.folder / "tensorboard")) as board:
            yield board


def _standard_deviations(scales: Scales, images: Tensor) -> Float[Tensor, " scales"]:
    """Root mean square of the coefficients of each scale, over at most 4096 images."""
    chosen = images[:: max(1, len(images) // 4096)][:4096]
    squares = [value.double().square().sum() / len(chosen) for value in scales.analyse(chosen)]
    sizes = torch.tensor(scales.sizes, dtype=torch.float64)
    return torch.sqrt(torch.stack(squares) / sizes).clamp_min(1e-6).float()


def _assign(model: nn.Module, weights: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
