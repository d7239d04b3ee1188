"""The networks that the main experiment compares."""

from __future__ import annotations

import numpy as np

from experiments.overcomplete_vs_orthogonal.trained.bench import NETWORKS, Bench
from experiments.overcomplete_vs_orthogonal.trained.networks import trained
from lift_train.scales import representation


def test_networks_of_all_representations_have_as_many_parameters(bench: Bench) -> None:
    counts = {n: sum(p.numel() for p in bench.denoiser(n, 0).parameters()) for n in NETWORKS}
    assert max(counts.values()) < 1.01 * min(counts.values()), counts


def test_networks_and_closed_forms_mean_the_same_coefficients(bench: Bench) -> None:
    for name, model in bench.models.items():
        trained, exact = bench.denoiser(name, 0).scales, model.representation
        assert repr(representation(NETWORKS[name], 8)) == repr(exact)
        assert tuple(trained.sizes) == tuple(model.sizes)


def test_seeds_differ_and_a_second_call_trains_nothing_again(bench: Bench) -> None:
    first, second = (bench.identity("pyramid", seed) for seed in (0, 1))
    assert first["weights"] != second["weights"]
    folders = [run.folder for runs in bench.runs.values() for run in runs]
    files = [file for folder in folders for file in (folder / "checkpoints").rglob("*") if file.is_file()]
    before = {file: file.stat().st_mtime_ns for file in files}
    again = trained(bench)
    assert [run.folder for runs in again.runs.values() for run in runs] == folders
    assert files
    assert {file: file.stat().st_mtime_ns for file in files} == before


def test_ends_are_matched(bench: Bench) -> None:
    start, stop = bench.ends("pyramid")
    image = np.log(np.exp(start[0]) + np.exp(start[1]) / 4.0)
    assert np.allclose(bench.ends("haar")[0], [start[0], image])
    assert np.isclose(np.diff(stop), 0.0)
