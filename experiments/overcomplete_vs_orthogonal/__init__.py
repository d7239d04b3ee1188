"""Is an over-complete representation (image and downsampled image) different in kind from an orthogonal one?

Theory first: from photographs to a spectrum, to the error surfaces of every representation, to the best path on each, to a
table in nats per pixel and as percent of the anisotropic floor. Then networks: trained on the same photographs for every
representation, equal in size, measured, and sampled along every path. What theory predicts is written down before
anything is computed from the images, and what it predicts of networks before one is trained. The report shows prediction
beside measurement and rules on each finding that LIFT published.

    python -m experiments.overcomplete_vs_orthogonal --preset quick
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from experiments import experiment
from experiments.experiment import Job
from experiments.overcomplete_vs_orthogonal import figures
from experiments.overcomplete_vs_orthogonal.contenders import PATHS
from experiments.overcomplete_vs_orthogonal.explorer_views import closed_form_views
from experiments.overcomplete_vs_orthogonal.page import answer, overview, page
from experiments.overcomplete_vs_orthogonal.predictions import PREDICTIONS
from experiments.overcomplete_vs_orthogonal.theory import theory
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench, Sizes
from experiments.overcomplete_vs_orthogonal.trained.judging import judge
from experiments.overcomplete_vs_orthogonal.trained.report import sections
from experiments.overcomplete_vs_orthogonal.trained.views import trained_views
from lift_train import NoiseLevels, TrainConfig, data


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes of a run."""

    size: int
    channels: int
    steps: tuple[int, ...]
    headline: int
    """The step count of the answer and its pictures; one of `steps`."""
    grid: int
    points: int
    trained: Sizes


LEVELS = NoiseLevels(low=-9.5, high=8.0)
"""Wide enough for every representation's ends, and for steps that are divided further."""
PRESETS = {
    "quick": Preset(
        size=32,
        channels=1,
        steps=(5, 10, 20),
        headline=20,
        grid=65,
        points=64,
        trained=Sizes(
            training=TrainConfig(
                size=8,
                channels=1,
                network="tiny",
                noise=LEVELS,
                steps=300,
                batch=64,
                learning_rate=5e-3,
                warmup=40,
                ema=(0.99,),
                save_every=150,
                evaluate_every=150,
                log_every=25,
            ),
            seeds=3,
            points=9,
            images=192,
            samples=128,
            reference=500,
            steps=10,
            probes=32,
            stability_images=64,
            stability_steps=240,
        ),
    ),
    "standard": Preset(
        size=64,
        channels=3,
        steps=(5, 10, 18, 20, 40),
        headline=20,
        grid=97,
        points=96,
        trained=Sizes(
            training=TrainConfig(
                size=16,
                channels=1,
                network="small",
                noise=LEVELS,
                steps=1300,
                batch=128,
                learning_rate=3e-3,
                warmup=100,
                ema=(0.99, 0.999),
                save_every=100,
                evaluate_every=400,
                log_every=25,
            ),
            seeds=3,
            points=13,
            images=256,
            samples=384,
            probes=64,
            stability_images=256,
            stability_steps=700,
        ),
    ),
    "full": Preset(
        size=128,
        channels=3,
        steps=(4, 5, 7, 10, 14, 18, 20, 28, 40),
        headline=20,
        grid=129,
        points=160,
        trained=Sizes(
            training=TrainConfig(
                size=64,
                channels=3,
                network="base64",
                noise=LEVELS,
                steps=100_000,
                batch=64,
                learning_rate=1e-4,
                warmup=2000,
                ema=(0.999, 0.9999),
                precision="bfloat16",
                compile=True,
                save_every=2000,
                evaluate_every=5000,
                log_every=100,
            ),
            seeds=3,
            points=17,
            images=1024,
            samples=5000,
            reference=5000,
            probes=64,
            stability_images=2000,
            stability_steps=40_000,
        ),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Options(experiment.Options):
    """Answer the question with theory on the spectrum of real images, and with networks trained on them."""

    preset: Literal["quick", "standard", "full"] = "quick"
    """quick: 32x32 grey, networks on 8x8, under 10 minutes on two cores; standard: 64x64 colour, networks on 16x16, at
    most 3 hours; full: networks of 58 million parameters on 64x64 colour, needs a GPU and a folder of images."""


def main(options: Options, console: Console | None = None) -> Path:
    """Run every stage that is not done yet and write the report.

    Returns:
        The path of `report.html`.
    """
    preset = PRESETS[options.preset]
    job = Job.begin(
        "overcomplete_vs_orthogonal",
        options,
        console,
        PREDICTIONS,
        size=preset.size,
        channels=preset.channels,
    )
    found = theory(job, preset)
    sizes = dataclasses.replace(
        preset.trained, training=dataclasses.replace(preset.trained.training, data=options.data)
    )
    own = data.load(options.data, size=sizes.training.size, channels=sizes.training.channels)
    judged = judge(Bench(work=job.work, images=own, sizes=sizes), job.work.folder / "figures")
    labels = {c.name: c.label for c in found.entries}
    results = {
        "question": "Is an over-complete representation different in kind from an orthogonal one?",
        "answer": answer(found.rows, found.verdicts, labels, preset.headline, judged.verdicts),
        **job.facts(preset, found.inputs),
        "units": "path KL in nats; nats per pixel divides by the number of pixel values",
        "pixel_values": found.spectra["train"].size,
        "predictions": found.verdicts,
        "paths": found.rows,
        "held_out": found.held_out,
        "trained": judged.to_json(),
    }
    job.record(results)
    for name, dataset in found.surfaces.items():
        job.work.write_dataset(f"surfaces/{name}.nc", dataset)
    drawn = figures.draw(
        job.work.folder / "figures",
        found.spectra,
        found.models,
        found.surfaces,
        found.rows,
        found.entries,
        PATHS,
        preset,
    )
    views = closed_form_views(found.surfaces, found.models, found.rows, found.entries, preset)
    views += trained_views(judged.bench, judged.samples)
    more = sections(judged, job.work.folder / "figures")
    return job.finish(
        results, page(results, found.entries, drawn, views, more, job), overview(results, found.entries)
    )
