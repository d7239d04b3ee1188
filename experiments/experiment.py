"""What every experiment does around its own work: options, output folder, images, results and report."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

from rich.console import Console
from rich.table import Table as ConsoleTable

import lift_theory as lt
from experiments.predictions import Prediction, written
from experiments.report import Report, Section, Text, unlinked
from experiments.workspace import Workspace, digest
from lift_train import data


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line of an experiment."""

    preset: Literal["quick", "standard", "full"] = "quick"
    """quick: 32x32 grey, under 3 minutes on two cores; standard: 64x64 colour; full: 128x128 colour, more steps."""
    data: str = "photos"
    """photos, digits, folder:PATH, npz:PATH or hf:NAME."""
    out: Path | None = None
    """Output folder; results/EXPERIMENT/PRESET if not given. A second run reuses what it can."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of one experiment.

    Attributes:
        name: module of the experiment.
        preset: name of its sizes.
        work: the output folder.
        images: what spectra are measured on.
    """

    name: str
    preset: str
    work: Workspace
    images: data.Images

    @classmethod
    def begin(
        cls,
        name: str,
        options: Options,
        console: Console | None,
        predictions: Sequence[Prediction],
        *,
        size: int,
        channels: int,
    ) -> Self:
        """Write the predictions down, then load the images."""
        folder = options.out or Path("results") / name / options.preset
        work = Workspace(folder=folder, console=console or Console())
        work.write("predictions.json", json.dumps([written(p) for p in predictions], indent=1) + "\n")
        work.console.print(f"Loading {options.data} at {size} x {size} ...")
        images = data.load(options.data, size=size, channels=channels)
        return cls(name=name, preset=options.preset, work=work, images=images)

    def facts(self, settings: Any, inputs: Any) -> dict[str, Any]:
        """What results come from: preset, images, version of the package."""
        return {
            "preset": self.preset,
            "settings": json.loads(json.dumps(dataclasses.asdict(settings), default=str)),
            "data": {
                **self.images.provenance,
                "train_images": len(self.images.train),
                "held_out_images": len(self.images.held_out),
            },
            "package": lt.__version__,
            "inputs_sha256": digest(inputs),
        }

    def record(self, results: dict[str, Any]) -> None:
        """Write the numbers, before anything is drawn."""
        self.work.write("results.json", json.dumps(results, indent=1, allow_nan=False) + "\n")

    def finish(self, results: dict[str, Any], page: Report, overview: ConsoleTable) -> Path:
        """Write the report; show overview, answer and verdicts on the terminal.

        Returns:
            The path of `report.html`.
        """
        report, console = self.work.write("report.html", page.html()), self.work.console
        self.work.write("report.json", json.dumps(page.to_json(), indent=1) + "\n")
        self.work.write("provenance.json", json.dumps(self._provenance(), indent=1) + "\n")
        console.print(overview)
        for sentence in results["answer"]:
            console.print(unlinked(sentence))
        for verdict in results["predictions"]:
            if verdict["measured"] is not None:
                console.print(f"{verdict['verdict']:>9}  {verdict['name']}: {verdict['measured']:.6g}")
        if self.work.resumed:
            console.print(f"{len(self.work.reused)} stages were found done and reused.")
        console.print(f"Report: {report}", soft_wrap=True)
        return report

    @property
    def _command(self) -> str:
        return f"python -m experiments.{self.name} --preset {self.preset} --data {self.images.name}"

    def _provenance(self) -> dict[str, Any]:
        """Where and with what the last part of the run was made."""
        return {
            "experiment": self.name,
            "preset": self.preset,
            "command": self._command,
            "finished": datetime.now(UTC).strftime("%Y-%m-%d"),
            "commit": _commit(),
            "processors": os.cpu_count(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "packages": {name: version(name) for name in ("lift-theory", "numpy", "scipy", "jax", "torch")},
        }

    def reproduction(self, how: str) -> Section:
        """The command and the data; `how` says what else the numbers depend on."""
        shape = self.images.train.shape
        return Section(
            title="How to reproduce this",
            items=[
                Text(text=f"`{self._command}`"),
                Text(
                    text=f"Data: {shape[0]} training and {len(self.images.held_out)} held-out images of "
                    f"{shape[1]} x {shape[2]}, {'grey' if len(shape) == 3 else 'colour'}, split by source. "
                    f"{self.images.preparation.rstrip('.')}. Licence: {self.images.license.rstrip('.')}."
                ),
                Text(text=f"lift_theory {lt.__version__}; {how}"),
            ],
        )


def _commit() -> str | None:
    """The commit of the source tree, marked where files differ from it; nothing outside of one."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
