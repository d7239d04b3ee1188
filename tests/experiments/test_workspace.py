"""Stages of an experiment: computed once, recomputed when inputs change, never half written."""

import json

import numpy as np
import pytest
import xarray

from experiments.workspace import Workspace, digest


def test_a_stage_is_computed_once_for_its_inputs(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return {"value": len(calls)}

    first = Workspace(folder=tmp_path).table("stage", {"n": 1, "array": np.arange(3.0)}, compute)
    again = Workspace(folder=tmp_path)
    assert again.table("stage", {"array": np.arange(3.0), "n": 1}, compute) == first == {"value": 1}
    assert again.reused == ["stage"]
    assert again.table("stage", {"n": 2, "array": np.arange(3.0)}, compute) == {"value": 2}
    assert again.table("stage", {"n": 1, "array": np.arange(1.0, 4.0)}, compute) == {"value": 3}


def test_datasets_come_back_identical(tmp_path):
    dataset = xarray.Dataset({"mmse": ("x", [1.0, 2.0], {"units": "1"})}, attrs={"source": "test"})
    work = Workspace(folder=tmp_path)
    xarray.testing.assert_identical(work.dataset("surface", {}, lambda: dataset), dataset)
    xarray.testing.assert_identical(work.dataset("surface", {}, lambda: None), dataset)


def test_an_interrupted_stage_leaves_nothing_behind(tmp_path):
    work = Workspace(folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        work.table("stage", {}, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(ValueError, match="not JSON compliant"):
        work.table("stage", {}, lambda: float("nan"))
    assert not list((tmp_path / "stages").iterdir())
    assert work.table("stage", {}, lambda: 1) == 1


def test_a_file_is_replaced_as_a_whole(tmp_path):
    work = Workspace(folder=tmp_path)
    work.write("results.json", "1")
    target = work.write("results.json", "22")
    assert target.read_text() == "22"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["results.json"]


def test_digest_separates_kinds_and_shapes():
    inputs = [
        1,
        "1",
        1.5,
        [1, 2],
        [2, 1],
        np.ones(4),
        np.ones((2, 2)),
        np.ones(4, dtype=np.float32),
        None,
        True,
    ]
    assert len({digest(value) for value in inputs}) == len(inputs)
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    with pytest.raises(TypeError, match="inputs of a stage"):
        digest(object())
    json.dumps(digest(inputs))
