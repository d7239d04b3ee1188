"""Sizes of networks that have hardly learned anything, for tests of what is done with them."""

from experiments.overcomplete_vs_orthogonal.trained.bench import Sizes
from lift_train import NoiseLevels, TrainConfig

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
