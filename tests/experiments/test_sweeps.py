"""Sweeps: the same results on cores and on a cluster, even if a worker dies, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from experiments.processes import Stage
from experiments.sweeps import sweep
from experiments.workspace import Workspace

CASES = 8
DEADLY = 2
"""The case during which its worker is killed, once."""
STORED = 2
"""Cases that must be stored before that."""


def _square(notes: Path, stages: Path, number: int) -> dict[str, int]:
    """Note that this case is computed; the deadly one kills its process when others are done."""
    (notes / f"{number}-{time.time_ns()}").touch()
    killed = notes / "killed"
    if number == DEADLY and stages.is_dir() and not killed.exists():
        deadline = time.monotonic() + 10.0
        while len(done := list(stages.glob("*.json"))) < STORED and time.monotonic() < deadline:
            time.sleep(0.02)
        killed.write_text("\n".join(file.name for file in done))
        time.sleep(1.0)  # what is stored is released a moment later
        os.kill(os.getpid(), signal.SIGKILL)
    return {"number": number, "square": number**2}


def _cases(notes: Path, stages: Path) -> list[Stage]:
    return [
        Stage(name=f"case{n}", inputs={"number": n}, compute=partial(_square, notes, stages, n))
        for n in range(CASES)
    ]


def _computed(notes: Path) -> list[int]:
    return sorted(int(file.name.split("-")[0]) for file in notes.glob("*-*"))


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _work(path: Path) -> Workspace:
    return Workspace(folder=path, console=Console(quiet=True))


@pytest.fixture(scope="module")
def cluster() -> Any:
    """Two worker processes on this machine."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as local:
        yield local


def test_a_killed_worker_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    alone = _folder(tmp_path / "alone")
    serial = [case.compute() for case in _cases(alone, tmp_path / "nothing")]
    assert _computed(alone) == list(range(CASES))

    notes, work = _folder(tmp_path / "notes"), _work(tmp_path / "work")
    stages = tmp_path / "work" / "stages"
    cases = _cases(notes, stages)
    assert sweep(work, "cases", cases, cluster.scheduler_address) == serial
    stored = (notes / "killed").read_text().split()
    assert len(stored) >= STORED, "the worker was killed in mid-sweep"
    counts = [_computed(notes).count(n) for n in range(CASES)]
    assert counts[DEADLY] == 2
    assert all(counts[int(name[4])] == 1 for name in stored), "what was stored was not computed again"
    files = sorted(stages.iterdir())
    assert [file.name[:5] for file in files] == [f"case{n}" for n in range(CASES)]

    before = _computed(notes), [file.stat().st_mtime_ns for file in files]
    again = _work(tmp_path / "work")
    assert sweep(again, "cases", cases, cluster.scheduler_address) == serial
    assert (_computed(notes), [file.stat().st_mtime_ns for file in files]) == before
    assert len(again.reused) == CASES


def test_a_failing_case_ends_with_its_own_error_and_leaves_the_others(cluster: Any, tmp_path: Path) -> None:
    work = _work(tmp_path / "work")
    bad = Stage(name="bad", inputs={}, compute=partial(int, "no number"))
    good = Stage(name="good", inputs={}, compute=partial(int, "7"))
    with pytest.raises(ValueError, match="no number"):
        sweep(work, "cases", [bad], cluster.scheduler_address)
    assert not work.has_table("bad", {})
    assert sweep(work, "cases", [good], cluster.scheduler_address) == [7]


def test_repeated_cases_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.processes._workers", lambda: 1)
    notes, work = _folder(tmp_path / "notes"), _work(tmp_path / "work")
    cases = _cases(notes, tmp_path / "nothing")[:2]
    found = sweep(work, "cases", [*cases, cases[0]])
    assert [row["number"] for row in found] == [0, 1, 0]
    assert _computed(notes) == [0, 1]


def test_a_cluster_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
    monkeypatch.setattr("experiments.sweeps.PATIENCE", 0.5)
    cases = _cases(_folder(tmp_path / "notes"), tmp_path / "nothing")
    with pytest.raises(OSError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"):
        sweep(_work(tmp_path / "work"), "cases", cases, "tcp://127.0.0.1:9")
