"""What can happen to a file on disk must be noticed, and must not cost what was stored before."""

import json
import resource
import subprocess
import sys

import pytest
import torch

from lift_train import checkpoints
from lift_train.checkpoints import Checkpoint, CheckpointError


def some(step):
    return Checkpoint(
        step=step, tensors={"model.w": torch.arange(1000.0) + step, "optimizer.0.step": torch.tensor(3.0)}
    )


def test_what_is_written_is_read_and_old_ones_go(tmp_path):
    for step in (1, 2, 3):
        checkpoints.write(tmp_path, some(step), keep=2)
    assert checkpoints.steps(tmp_path) == [2, 3]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"step-0000000{i}.{kind}" for i in (2, 3) for kind in ("json", "safetensors")
    ]
    found = checkpoints.read(tmp_path)
    assert found.step == 3
    torch.testing.assert_close(found.tensors["model.w"], some(3).tensors["model.w"], rtol=0, atol=0)
    assert checkpoints.read(tmp_path, 2).step == 2
    with pytest.raises(CheckpointError, match=r"no checkpoint of step 7 .*\[2, 3\]"):
        checkpoints.read(tmp_path, 7)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda w, r: w.write_bytes(w.read_bytes()[:-10]), "truncated"),
        (lambda w, r: w.write_bytes(w.read_bytes()[:-1] + b"x"), "altered"),
        (lambda w, r: w.unlink(), "missing"),
        (lambda w, r: r.write_text("{"), "cannot be read"),
        (lambda w, r: r.write_text('{"format": "something else"}'), "is not a"),
        (lambda w, r: r.write_text(json.dumps({"format": checkpoints.FORMAT})), "not the record of step 2"),
        (
            lambda w, r: r.write_text(r.read_text().replace('"step": 2', '"step": 5')),
            "not the record of step 2",
        ),
    ],
)
def test_damage_is_refused_with_a_way_out(tmp_path, damage, told):
    checkpoints.write(tmp_path, some(1))
    record = checkpoints.write(tmp_path, some(2))
    damage(record.with_suffix(".safetensors"), record)
    with pytest.raises(CheckpointError, match=told):
        checkpoints.read(tmp_path)
    assert checkpoints.read(tmp_path, 1).step == 1


def test_a_pickle_in_disguise_is_refused_not_loaded(tmp_path):
    record = checkpoints.write(tmp_path, some(1))
    weights = record.with_suffix(".safetensors")

    class Bomb:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    torch.save(Bomb(), weights)
    facts = json.loads(record.read_text())
    facts |= {"bytes": weights.stat().st_size, "sha256": checkpoints._digest(weights)}
    record.write_text(json.dumps(facts))
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        checkpoints.read(tmp_path)
    assert not (tmp_path / "ran").exists()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import torch
from lift_train import checkpoints
folder = Path(sys.argv[1])
checkpoints.write(folder, checkpoints.Checkpoint(step=1, tensors={"w": torch.zeros(10)}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))  # stands in for a full disk
try:
    checkpoints.write(folder, checkpoints.Checkpoint(step=2, tensors={"w": torch.zeros(10000)}))
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file size")
def test_a_full_disk_loses_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=True
    )
    assert "the checkpoint of step 1 is intact" in done.stdout
    assert checkpoints.read(tmp_path).step == 1
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".safetensors"]


def test_what_a_kill_leaves_behind_is_swept_up(tmp_path):
    checkpoints.write(tmp_path, some(1))
    (tmp_path / ".step-00000002.safetensors.123").write_bytes(b"half")
    (tmp_path / "step-00000002.safetensors").write_bytes(b"weights whose record was never written")
    checkpoints.write(tmp_path, some(3))
    assert len(list(tmp_path.iterdir())) == 4
    assert checkpoints.steps(tmp_path) == [1, 3]


def test_nothing_there_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="train first"):
        checkpoints.read(tmp_path / "nowhere")
