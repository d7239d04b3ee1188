"""Jobs on all cores: results in order, failures reported, stages made once."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from experiments import compilation
from experiments.processes import Stage, spread, tables
from experiments.workspace import Workspace


def _square(number: int) -> int:
    return number * number


def _fail(number: int) -> int:
    if number == 2:
        raise ArithmeticError("job two cannot be done")
    return number


def _note(folder: Path, number: int) -> dict[str, int]:
    (folder / f"{number}-{os.getpid()}").touch()
    return {"number": number}


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    return Workspace(folder=tmp_path / "work", console=Console(quiet=True))


def test_results_come_in_the_order_of_the_jobs(work: Workspace) -> None:
    assert spread(work, "squares", [partial(_square, n) for n in range(5)]) == [0, 1, 4, 9, 16]
    assert spread(work, "nothing", []) == []


def test_a_failing_job_ends_with_its_own_error(work: Workspace) -> None:
    with pytest.raises(ArithmeticError, match="job two"):
        spread(work, "jobs", [partial(_fail, n) for n in range(4)])


def test_stages_that_are_done_are_not_made_again(work: Workspace, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    stages = [Stage(name=f"s{n}", inputs={"number": n}, compute=partial(_note, notes, n)) for n in range(3)]
    assert tables(work, "notes", stages[:1]) == [{"number": 0}]
    assert tables(work, "notes", stages) == [{"number": n} for n in range(3)]
    assert sorted(file.name[0] for file in notes.iterdir()) == ["0", "1", "2"]
    assert work.reused == ["s0"]
    changed = Stage(name="s0", inputs={"number": 7}, compute=partial(_note, notes, 7))
    assert tables(work, "notes", [changed]) == [{"number": 7}]


@pytest.mark.parametrize("given", [None, "--xla_cpu_use_fusion_emitters=true"])
def test_flags_that_are_not_there_or_given_are_left_alone(monkeypatch, given):
    """An unknown one would end the process."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    if given:
        monkeypatch.setenv("XLA_FLAGS", given)
    else:
        monkeypatch.setattr(compilation, "FLAGS", "--xla_no_such_flag=true")
    compilation.compile_fast()
    assert os.environ.get("XLA_FLAGS") == given
