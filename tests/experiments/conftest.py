"""A bench of networks that have hardly learned anything, for tests of what is done with them."""

from __future__ import annotations

import pytest
from rich.console import Console

from experiments.overcomplete_vs_orthogonal.trained.bench import Bench, Sizes
from experiments.overcomplete_vs_orthogonal.trained.networks import trained
from experiments.workspace import Workspace
from lift_train import NoiseLevels, TrainConfig, data

TINY = Sizes(
    training=TrainConfig(
        data="digits",
        size=8,
        channels=1,
        network="tiny",
        noise=NoiseLevels(low=-9.5, high=8.0),
        steps=12,
        batch=32,
        learning_rate=5e-3,
        warmup=4,
        ema=(0.9,),
        save_every=12,
        evaluate_every=12,
        log_every=4,
    ),
    seeds=2,
    points=5,
    images=24,
    samples=24,
    steps=6,
    probes=8,
    stability_images=16,
    stability_steps=8,
    stability_checkpoints=2,
)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two networks for every representation, trained for a dozen steps on 8x8 digits."""
    work = Workspace(folder=tmp_path_factory.mktemp("bench"), console=Console(quiet=True))
    return trained(Bench(work=work, images=data.load("digits", size=8, channels=1), sizes=TINY))
