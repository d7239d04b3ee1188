"""What a run shows and writes while it trains: a progress bar, lines of metrics, TensorBoard."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@dataclass(frozen=True)
class Monitor:
    """Where the first process reports; others have none."""

    folder: Path
    bar: Progress
    task: Any
    batch: int
    first: int
    began: float
    board: Any

    def advance(self, step: int) -> None:
        """Show the number of updates done, and the rate."""
        rate = (step - self.first) * self.batch / (time.perf_counter() - self.began)
        self.bar.update(self.task, completed=step, rate=f"{rate:.0f} images/s")

    def report(self, line: dict[str, float]) -> None:
        """Append a line to `metrics.jsonl` and to TensorBoard."""
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self.board is not None:
            for name, value in line.items():
                self.board.add_scalar(name, value, int(line["step"]))


@contextmanager
def monitor(folder: Path, console: Console, *, step: int, steps: int, batch: int) -> Iterator[Monitor]:
    """Report on a run that goes on from `step`."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    board = _tensorboard(folder, step)
    try:
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("training", total=steps, completed=step, rate="")
            yield Monitor(folder, bar, task, batch, step, time.perf_counter(), board)
    finally:
        if board is not None:
            board.close()


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # the metrics are in metrics.jsonl, too
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)
