"""Finished units of a measurement in a folder, so that an interrupted one goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

FORMAT = "lift-train measurement 2"


class Store:
    """A folder of finished units, each written as a whole or not at all."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder
        record = folder / "measurement.json"
        folder.mkdir(parents=True, exist_ok=True)
        if record.exists():
            try:
                known = json.loads(record.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{record} is damaged: {error}. Remove the folder to begin anew.") from error
            differing = sorted(name for name in identity if known.get(name) != identity[name])
            if differing:
                raise ValueError(
                    f"{folder} holds another measurement, which differs in {', '.join(differing)}; choose another "
                    "folder, or remove this one."
                )
        else:
            self._replace(record, json.dumps(identity, indent=1).encode())

    def read(self, unit: int) -> np.ndarray | None:
        """A finished unit, or None."""
        file = self.folder / f"{unit:06d}.npy"
        if not file.exists():
            return None
        try:
            return np.load(file, allow_pickle=False)
        except (ValueError, EOFError):  # not ours, or damaged: measured again
            return None

    def write(self, unit: int, values: np.ndarray) -> None:
        """Keep a finished unit."""
        target = self.folder / f"{unit:06d}.npy"
        temporary = target.with_name(f".{target.stem}.{os.getpid()}.npy")
        np.save(temporary, values, allow_pickle=False)
        temporary.replace(target)

    @staticmethod
    def _replace(target: Path, content: bytes) -> None:
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(target)


def fingerprint(denoiser: Any) -> str:
    """Digest of all that a denoiser's predictions depend on: parameters, buffers, parametrisation, `identity`.

    Raises:
        ValueError: if the denoiser is no module, whose weights could be told apart, and names no `identity`.
    """
    module = denoiser if isinstance(denoiser, nn.Module) else None
    identity = getattr(denoiser, "identity", None)
    if identity is not None and not isinstance(identity, str):
        raise ValueError(f"the identity of a denoiser must be a string; got {identity!r}.")
    if module is None and not identity:
        raise ValueError(
            f"results of a {type(denoiser).__name__} cannot be kept in a folder: it has no weights by which it "
            "could be told from another. Give it an attribute identity, a string that changes whenever its "
            "predictions do, such as FunctionDenoiser(function, scales, identity='mine, version 2'), or leave "
            "out the folder."
        )
    digest = hashlib.sha256(type(denoiser).__name__.encode())
    for fact in (identity, getattr(denoiser, "parametrisation", None)):
        digest.update(f"|{fact!r}".encode())
    if module is not None:
        for name, tensor in sorted([*module.named_parameters(), *module.named_buffers()], key=_name):
            digest.update(f"|{name} {tuple(tensor.shape)} {tensor.dtype}|".encode())
            plain = tensor.detach().cpu().contiguous().reshape(-1)  # a number has no bytes to view
            digest.update(plain.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _name(named: tuple[str, torch.Tensor]) -> str:
    return named[0]
