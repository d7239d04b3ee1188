"""`python -m lift_train train | sample | measure | evaluate`."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

import lift_theory as lt
from lift_theory.measured import LEAST_POINTS
from lift_train import data, measure, metrics
from lift_train.checkpoints import read_json
from lift_train.config import TrainConfig
from lift_train.features import EfficientNetLite0, Pixels, RandomConvolutions
from lift_train.runs import FORMAT, load_denoiser, settings_of
from lift_train.sampling import SamplerName, sample
from lift_train.training import train


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a denoiser, or go on with a run that was interrupted.

    Under `torchrun --nproc-per-node=N -m lift_train train ...` N processes train together.
    """

    out: Path
    """Folder of the run."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)
    like: Path | None = None
    """Folder of a run whose settings take the place of the defaults."""
    device: str | None = None
    """Such as cuda:0 or cpu; a GPU if there is one."""

    def run(self, console: Console) -> None:
        """Train, and say where the run is."""
        done = train(self.config, self.out, device=self.device, console=console)
        if int(os.environ.get("RANK", "0")) > 0:  # the first of several processes speaks for all
            return
        if done.metrics:
            console.print(json.dumps(done.metrics[-1]), soft_wrap=True)
        console.print(f"Run: {done.folder}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class _OfARun:
    """What all commands need that use a trained denoiser."""

    run_folder: Annotated[Path, tyro.conf.arg(name="run")]
    """Folder of a run."""
    ema: Literal["longest", "raw"] | float = "longest"
    """Which weights: the average of the longest decay, that of a given decay, or the raw ones."""
    device: str | None = None
    """Such as cuda:0 or cpu; a GPU if there is one."""

    @property
    def settings(self) -> TrainConfig:
        """Settings of the run."""
        return settings_of(self.run_folder)

    def denoiser(self) -> Any:
        """The trained denoiser."""
        ema = self.ema == "longest" if isinstance(self.ema, str) else self.ema
        return load_denoiser(self.run_folder, ema, device=self.device)

    def images(self) -> data.Images:
        """The images of the run, training and held-out."""
        return images_of(self.run_folder)


@dataclass(frozen=True, kw_only=True)
class Sample(_OfARun):
    """Draw images along a path and store them as an archive and a picture."""

    out: Path = Path("samples.npz")
    """Archive of the images; a picture of the first ones is put beside it."""
    path: Path | None = None
    """File of a path; the best for ancestral sampling on the spectrum of the training images if not given."""
    steps: int = 20
    """Steps of the path, where no file is given."""
    n: int = 64
    """Number of images."""
    sampler: SamplerName = "ancestral"
    """The sampler; the path that is found where no file is given is for the ancestral one."""
    seed: int = 0
    """Of the set; every image has a stream of random numbers of its own."""
    batch: int = 64
    """Images that are denoised together."""

    def run(self, console: Console) -> None:
        """Sample, and say where the images are."""
        denoiser = self.denoiser()
        path = lt.Path.load(self.path) if self.path else gaussian_path(self, denoiser, self.steps, console)
        samples = sample(denoiser, path, self.n, self.sampler, self.seed, batch=self.batch)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        np.savez(self.out, images=samples.images, logsnr=path.logsnr)
        picture = self.out.with_suffix(".png")
        contact_sheet(samples.images[:64], picture)
        console.print(
            f"{self.n} images of {samples.calls} calls each: {self.out} and {picture}", soft_wrap=True
        )


@dataclass(frozen=True, kw_only=True)
class Measure(_OfARun):
    """Measure the errors on a grid of log-SNRs, and find the best path for them."""

    out: Path = Path("surface.nc")
    """netCDF file of the error surface; interrupted measurements go on."""
    low: float = -8.0
    """Least log-SNR, nats."""
    high: float = 8.0
    """Largest log-SNR, nats."""
    points: int = 17
    """Log-SNRs of each scale."""
    n: int = 256
    """Held-out images."""
    seed: int = 0
    """Of the noise."""
    batch: int = 128
    """Images that are denoised together."""
    steps: int = 20
    """Steps of the best path."""

    def run(self, console: Console) -> None:
        """Measure, find the best path, and say where both are."""
        if self.points < LEAST_POINTS:
            raise ValueError(
                f"points must be at least {LEAST_POINTS}, or no path can be found; got {self.points}."
            )
        self.out.parent.mkdir(parents=True, exist_ok=True)
        images = self.images()
        chosen = evenly(len(images.held_out), self.n)
        surface = measure.error_surface(
            self.denoiser(),
            images.held_out[chosen],
            np.linspace(self.low, self.high, self.points),
            seed=self.seed,
            batch=self.batch,
            groups=[images.held_out_sources[i] for i in chosen],
            folder=self.out.with_suffix(".parts"),
            progress=True,
        )
        surface.to_netcdf(self.out, engine="h5netcdf")
        best = lt.optimal_path(lt.MeasuredModel(surface), self.steps, self.low, self.high)
        target = self.out.with_suffix(".path.json")
        best.path.save(target)
        console.print(f"Surface: {self.out}", soft_wrap=True)
        console.print(f"Best {self.steps} steps, {best.cost:.4g} nats: {target}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Compare sampled images with held-out ones by Frechet and kernel distances."""

    samples: Path
    """Archive of `sample`."""
    run_folder: Annotated[Path, tyro.conf.arg(name="run")]
    """Folder of the run, for its held-out images."""
    features: tuple[Literal["pixels", "random", "efflite0"], ...] = ("pixels", "random")
    """Spaces to compare in: pixel values, a fixed random network, EfficientNet-Lite0."""
    out: Path | None = None
    """JSON file of the distances."""

    def run(self, console: Console) -> None:
        """Print the distances with their intervals."""
        images = np.load(self.samples)["images"]
        reference = images_of(self.run_folder)
        held_out, sources = reference.held_out, reference.held_out_sources
        kinds = {"pixels": Pixels, "random": RandomConvolutions, "efflite0": EfficientNetLite0}
        found = [
            distance(images, held_out, kinds[name](), groups=(None, sources))
            for name in self.features
            for distance in (metrics.frechet_distance, metrics.kernel_distance)
        ]
        table = Table(title=f"{len(images)} samples against {len(held_out)} held-out images")
        for column in ("distance", "value", "standard error", "95 % interval"):
            table.add_column(column, justify="left" if column == "distance" else "right")
        for d in found:
            table.add_row(
                d.name,
                f"{d.value:.4g}",
                f"{d.standard_error:.2g}",
                f"{d.interval[0]:.4g} to {d.interval[1]:.4g}",
            )
        console.print(table)
        if self.out is not None:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self.out.write_text(json.dumps([dataclasses.asdict(d) for d in found], indent=1) + "\n")
            console.print(f"Distances: {self.out}", soft_wrap=True)


def images_of(folder: Path) -> data.Images:
    """The images that a run was trained on, loaded again.

    Raises:
        ValueError: if its settings no longer lead to them, as for a run that was given images of its own.
    """
    config = settings_of(folder)
    found = data.load(config.data, size=config.size, channels=config.channels, limit=config.limit)
    if found.provenance["sha256"] != read_json(folder / "run.json", FORMAT)["data"]["sha256"]:
        raise ValueError(
            f"{config.data!r} does not give the images that {folder} was trained on; if it was trained from Python on "
            "images of its own, measure and evaluate it from Python, too"
        )
    return found


def evenly(there: int, count: int) -> np.ndarray:
    """Numbers of at most `count` images, evenly from all, so that every source is among them."""
    return np.linspace(0, there - 1, min(count, there)).round().astype(int)


def gaussian_path(command: Sample, denoiser: Any, steps: int, console: Console) -> lt.Path:
    """The path of least cost for Gaussian data with the spectrum of the training images."""
    law = lt.Spectrum.from_images(command.images().train)
    low, high = command.settings.noise.low, command.settings.noise.high
    model = lt.GaussianModel(law, denoiser.scales.representation)
    found = lt.optimal_path(model, steps, low, high)
    console.print(f"Path: best {steps} steps on the spectrum of the training images, {found.cost:.4g} nats")
    return found.path


def contact_sheet(images: np.ndarray, target: Path) -> None:
    """Images side by side in one picture."""
    from PIL import Image

    columns = int(np.ceil(np.sqrt(len(images))))
    height, width = images.shape[1:3]
    rows = -(-len(images) // columns)
    sheet = np.ones((rows * (height + 1) - 1, columns * (width + 1) - 1, *images.shape[3:]))
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        top, left = row * (height + 1), column * (width + 1)
        sheet[top : top + height, left : left + width] = image
    Image.fromarray(np.uint8(np.round(127.5 * (np.clip(sheet, -1, 1) + 1)))).save(target)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run; bad input ends with its message, not a traceback."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        defaults = TrainConfig()
        like = [word.partition("=")[2] for word in arguments if word.startswith("--like=")]
        if like or "--like" in arguments[:-1]:
            defaults = settings_of(Path(like[0] if like else arguments[arguments.index("--like") + 1]))
        commands = (
            Annotated[Train, tyro.conf.subcommand("train", default=Train(out=tyro.MISSING, config=defaults))]
            | Annotated[Sample, tyro.conf.subcommand("sample")]
            | Annotated[Measure, tyro.conf.subcommand("measure")]
            | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
        )
        chosen: Any = tyro.cli(commands, prog="python -m lift_train", args=arguments)
        chosen.run(Console())
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
