"""Checkpoints that survive anything but the loss of the disk: safetensors and JSON, written as a whole or not at all.

A checkpoint is `step-00001000.safetensors` and, written after it, `step-00001000.json` with its size and SHA-256.
Without the second file the first does not count. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

FORMAT = "lift-train checkpoint 1"
NAME = re.compile(r"step-(\d{8})\.json")


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or not one of ours."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """State of a training run after some step.

    Attributes:
        step: updates done.
        tensors: weights and everything else that is needed to go on.
    """

    step: int
    tensors: dict[str, Tensor]


def write(folder: Path, checkpoint: Checkpoint, keep: int = 2) -> Path:
    """Store a checkpoint and then remove all but the `keep` newest.

    Raises:
        OSError: if the disk is full or not writable; what was stored before is untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    stem = f"step-{checkpoint.step:08d}"
    weights, record = folder / f"{stem}.safetensors", folder / f"{stem}.json"
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    try:
        with _replacing(weights) as temporary:
            save_file(tensors, temporary)
        facts = {
            "format": FORMAT,
            "step": checkpoint.step,
            "bytes": weights.stat().st_size,
            "sha256": _digest(weights),
        }
        write_json(record, facts)
    except (OSError, SafetensorError) as error:
        if not record.exists():
            weights.unlink(missing_ok=True)
        last = max(steps(folder), default=None)
        kept = "nothing was stored before" if last is None else f"the checkpoint of step {last} is intact"
        raise OSError(f"could not store {weights}: {error}; {kept}. Make room and start again.") from error
    for old in sorted(steps(folder))[: -max(keep, 1)]:
        for suffix in (".json", ".safetensors"):  # in this order: a record promises its weights
            (folder / f"step-{old:08d}{suffix}").unlink(missing_ok=True)
    return record


def _sweep(folder: Path) -> None:
    """Remove what a kill in the middle of writing left behind: unfinished files, and weights without a record."""
    for file in folder.glob(".step-*"):
        file.unlink(missing_ok=True)
    for weights in folder.glob("step-*.safetensors"):
        if not weights.with_suffix(".json").exists():
            weights.unlink(missing_ok=True)


def steps(folder: Path) -> list[int]:
    """Steps of which a checkpoint is stored, ascending."""
    if not folder.is_dir():
        return []
    found = (NAME.fullmatch(file.name) for file in folder.iterdir())
    return sorted(int(match.group(1)) for match in found if match)


def read(folder: Path, step: int | None = None) -> Checkpoint:
    """The checkpoint of a step, the newest if none is given.

    Raises:
        CheckpointError: if there is none, or it is truncated, altered, or not one of ours.
    """
    there = steps(folder)
    if not there:
        raise CheckpointError(f"no checkpoint in {folder}; train first, or name the folder of a run")
    chosen = there[-1] if step is None else step
    if chosen not in there:
        raise CheckpointError(f"no checkpoint of step {step} in {folder}; there are {there}")
    record = folder / f"step-{chosen:08d}.json"
    weights = record.with_suffix(".safetensors")
    others = [other for other in there if other != chosen]
    way_out = (
        f"Remove {record} to go on from step {others[-1]}." if others else "No other checkpoint is there."
    )
    facts = read_json(record, FORMAT)
    if {"step", "bytes", "sha256"} - set(facts) or facts["step"] != chosen:
        raise CheckpointError(f"{record} is not the record of step {chosen}. {way_out}")
    if not weights.exists():
        raise CheckpointError(f"{weights} is missing though {record.name} promises it. {way_out}")
    size = weights.stat().st_size
    if size != facts["bytes"]:
        raise CheckpointError(f"{weights} has {size} bytes instead of {facts['bytes']}: truncated. {way_out}")
    if _digest(weights) != facts["sha256"]:
        raise CheckpointError(f"{weights} was altered after it was stored: SHA-256 differs. {way_out}")
    try:
        tensors = load_file(weights)
    except SafetensorError as error:
        raise CheckpointError(f"{weights} is not a safetensors file ({error}). {way_out}") from error
    return Checkpoint(step=int(facts["step"]), tensors=tensors)


def write_json(file: Path, facts: Mapping[str, Any]) -> None:
    """Replace a JSON file as a whole."""
    write_text(file, json.dumps(facts, indent=1, allow_nan=False) + "\n")


def write_text(file: Path, text: str) -> None:
    """Replace a text file as a whole."""
    with _replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(file: Path, kind: str) -> dict[str, Any]:
    """A JSON file of ours.

    Raises:
        CheckpointError: if it is damaged or says it is something else.
    """
    if not file.exists():
        raise CheckpointError(f"{file} does not exist; name the folder of a run")
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{file} cannot be read as JSON: {error}") from error
    found = facts.get("format") if isinstance(facts, dict) else None
    if found != kind:
        raise CheckpointError(f"{file} is not a {kind!r}: its format is {found!r}")
    return facts


class _replacing:  # noqa: N801 - a context manager read like a verb
    """A temporary name that takes the place of a file once its content is complete."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.temporary = target.with_name(f".{target.name}.{os.getpid()}")

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            if kind is None:
                _flush(self.temporary)
                self.temporary.replace(self.target)
                _flush(self.target.parent)
        finally:
            self.temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, have reached the disk: content before its name, new before old."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under a common prefix."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that stand under a prefix, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and counts of an optimizer, by the number of the parameter."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, moments in state.items()
        for name, value in moments.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
