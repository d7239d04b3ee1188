"""An output folder that resumes: every stage is stored under the hash of its inputs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@dataclass(kw_only=True)
class Workspace:
    """Results of one experiment in one folder.

    A stage is computed once for given inputs. It is stored under a name that holds the hash of these inputs, written
    to a temporary file first and then renamed, so that an interrupted run leaves nothing half done and the next one
    goes on where it stopped.

    Attributes:
        folder: made if absent.
        console: where progress is shown.
        reused: names of the stages that were found done.
        resumed: whether an earlier run had done any.
    """

    folder: Path
    console: Console = field(default_factory=Console)
    reused: list[str] = field(default_factory=list)
    resumed: bool = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "stages").mkdir(parents=True, exist_ok=True)
        self.resumed = any((self.folder / "stages").iterdir())

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs: the folder. It shows nothing; the process that started it does."""
        return {"folder": self.folder, "console": None, "reused": [], "resumed": True}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, console=Console(quiet=True))

    def has_table(self, name: str, inputs: Mapping[str, Any]) -> bool:
        """Whether `table` would find this stage done."""
        return self._target(name, inputs, ".json").exists()

    def table(self, name: str, inputs: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """What `compute` returns, anything JSON can hold."""
        return self._stage(name, inputs, ".json", compute, _write_json, _read_json)

    def dataset(
        self, name: str, inputs: Mapping[str, Any], compute: Callable[[], xarray.Dataset]
    ) -> xarray.Dataset:
        """The `xarray.Dataset` that `compute` returns, stored as netCDF."""
        return self._stage(name, inputs, ".nc", compute, _write_dataset, xarray.load_dataset)

    def write(self, name: str, text: str) -> Path:
        """A file of the folder, replaced as a whole."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return target

    def write_dataset(self, name: str, dataset: xarray.Dataset) -> Path:
        """A netCDF file of the folder, replaced as a whole."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(target) as temporary:
            _write_dataset(temporary, dataset)
        return target

    def progress(self) -> Progress:
        """A progress bar with counts, elapsed and remaining time."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
        )

    def _target(self, name: str, inputs: Mapping[str, Any], suffix: str) -> Path:
        return self.folder / "stages" / f"{name}-{digest(inputs)[:16]}{suffix}"

    def _stage(
        self,
        name: str,
        inputs: Mapping[str, Any],
        suffix: str,
        compute: Callable[[], Any],
        write: Callable[[Path, Any], None],
        read: Callable[[Path], Any],
    ) -> Any:
        target = self._target(name, inputs, suffix)
        if target.exists():
            self.reused.append(name)
        else:
            result = compute()
            with _replacing(target) as temporary:
                write(temporary, result)
        return read(target)


def digest(inputs: Any) -> str:
    """SHA-256 of anything made of numbers, strings, arrays, sequences and mappings."""
    return hashlib.sha256(json.dumps(_plain(inputs), sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        return [str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(
        f"inputs of a stage must be numbers, strings, arrays or collections; got {type(value).__name__}."
    )


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    temporary = target.with_name(f".{target.name}.{os.getpid()}{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write_dataset(path: Path, value: xarray.Dataset) -> None:
    value.to_netcdf(path, engine="h5netcdf")
