"""Measured surfaces of the bench's networks."""

from __future__ import annotations

import dataclasses
import pickle
from functools import partial

import numpy as np
import torch
from rich.console import Console

from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.overcomplete_vs_orthogonal.trained.surfaces import (
    _fill,
    _inputs,
    chosen_images,
    measure_all,
    measured_surface,
)
from experiments.workspace import Workspace


def test_images_are_spread_over_the_training_set(bench: Bench) -> None:
    images, sources = chosen_images(bench)
    assert len(images) == bench.sizes.images
    assert np.array_equal(images[0], bench.images.train[0])
    assert np.array_equal(images[-1], bench.images.train[-1])
    assert sources is not None
    assert len(sources) == len(images)
    few = dataclasses.replace(bench.images, train_sources=tuple("a" for _ in bench.images.train))
    assert chosen_images(dataclasses.replace(bench, images=few))[1] is None


def test_errors_are_those_of_the_network_and_are_measured_once(bench: Bench) -> None:
    surface = measured_surface(bench, "pyramid", 0)
    fine, coarse = bench.axes("pyramid")
    assert np.allclose(surface["logsnr_fine"], fine)
    assert np.allclose(surface["logsnr_coarse"], coarse)
    images, _ = chosen_images(bench)
    denoiser = bench.denoiser("pyramid", 0)
    clean = denoiser.scales.analyse(torch.as_tensor(images)[:, None])
    generator = torch.Generator().manual_seed(1)
    found = []
    for _ in range(40):  # noise of its own: equal within what that noise leaves open
        noisy = [
            y + np.exp(-0.5 * level) * torch.randn(y.shape, generator=generator)
            for y, level in zip(clean, (fine[2], coarse[3]), strict=True)
        ]
        levels = torch.tensor([[fine[2], coarse[3]]], dtype=torch.float32).repeat(len(images), 1)
        found.append(
            [
                float(((d - y) ** 2).sum() / len(images))
                for d, y in zip(denoiser(noisy, levels), clean, strict=True)
            ]
        )
    assert np.allclose(surface["mmse"].values[2, 3], np.mean(found, axis=0), rtol=0.15)
    reused = len(bench.work.reused)
    measured_surface(bench, "pyramid", 0)
    assert bench.work.reused[reused:] == ["surface-pyramid-0"]


def test_all_are_measured_once(bench: Bench) -> None:
    few = dataclasses.replace(bench, runs={"single": bench.runs["single"][:1]})
    measure_all(few)
    again = Workspace(folder=bench.work.folder, console=Console(quiet=True))
    fresh = dataclasses.replace(few, work=again)
    measure_all(fresh)
    measured_surface(fresh, "single", 0)
    assert again.reused == ["surfaces", "surface-single-0"]


def test_a_measurement_travels_to_another_process(bench: Bench) -> None:
    job = partial(
        _fill, bench.work.folder, "single", 1, _inputs(bench, "single", 1), bench.runs["single"][1].folder
    )
    assert pickle.loads(pickle.dumps(job))() == "single-1"
    reused = len(bench.work.reused)
    measured_surface(bench, "single", 1)
    assert bench.work.reused[reused:] == ["surface-single-1"]
