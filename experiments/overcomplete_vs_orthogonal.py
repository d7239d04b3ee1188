"""Is an over-complete representation (image and downsampled image) different in kind from an orthogonal one?

Theory half: from photographs to a spectrum, to the error surfaces of every representation, to the best path on each,
to a table in nats per pixel and as percent of the anisotropic floor. What theory predicts is written to
`predictions.json` before anything is computed from the images; the report shows prediction beside measurement.

    python -m experiments.overcomplete_vs_orthogonal --preset quick
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
import xarray
from rich.console import Console
from rich.table import Table as ConsoleTable

import lift_theory as lt
from experiments import figures
from experiments.report import Picture, Section, Table, Text, render
from experiments.workspace import Workspace, digest
from lift_train import data

TITLE = "Over-complete or orthogonal? Multi-scale diffusion paths on real photographs"
START, STOP = -9.0, 9.0
PATHS = {
    "best": "best path",
    "diagonal": "diagonal, best spacing",
    "diagonal_uniform": "diagonal, uniform spacing",
    "equal_information": "equal information",
    "coarse_ahead": "coarse 2 nats ahead",
    "fine_ahead": "fine 2 nats ahead",
    "coarse_first": "coarse first (L)",
    "fine_first": "fine first (L)",
}


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sizes of a run."""

    size: int
    channels: int
    steps: tuple[int, ...]
    grid: int
    points: int


PRESETS = {
    "quick": Preset(size=32, channels=1, steps=(5, 10, 20), grid=65, points=64),
    "standard": Preset(size=64, channels=3, steps=(5, 10, 18, 20, 40), grid=97, points=96),
    "full": Preset(size=128, channels=3, steps=(4, 5, 7, 10, 14, 18, 20, 28, 40), grid=129, points=160),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Answer the question with theory on the spectrum of real images."""

    preset: Literal["quick", "standard", "full"] = "quick"
    """quick: 32x32 grey, under 3 minutes on two cores; standard: 64x64 colour; full: 128x128 colour, more steps."""
    data: str = "photos"
    """photos, digits, folder:PATH, npz:PATH or hf:NAME."""
    out: Path | None = None
    """Output folder; results/overcomplete_vs_orthogonal/PRESET if not given. A second run reuses what it can."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A representation, and ends at which its posterior matches that of the others.

    Attributes:
        name: short key.
        label: words for tables.
        representation: the scales.
        units: per scale, what the log-SNR at both ends is above that of the finest; a lock-step path keeps it.
        equal_information: lead of the coarse scale at which the low band's SNR is twice the high band's, as on the
            equal-information line of a pyramid; absent for one scale.
    """

    name: str
    label: str
    representation: Any
    units: tuple[float, ...]
    equal_information: float | None = None

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last log-SNR of every scale."""
        return START + np.array(self.units), STOP + np.array(self.units)


def contenders(size: int) -> list[Contender]:
    """The representations compared, ends matched to the pyramid's.

    A pyramid at log-SNR s on both scales is the Haar split at s for the high and s + log(5/4) for the low band. The
    orthogonal representations start and stop there. Coarse scales in plain means (norm 1/2 per coefficient) need
    log 4 more for the same. The single scale cannot raise its low band and runs from s to s.
    """
    low = float(np.log(1.25))
    return [
        Contender(name="single", label="one scale (baseline)", representation=lt.SingleScale(), units=(0.0,)),
        Contender(
            name="pyramid",
            label="image + 2x2 means (over-complete)",
            representation=lt.AveragePyramid(),
            units=(0.0, 0.0),
            equal_information=float(np.log(4.0)),
        ),
        Contender(
            name="haar",
            label="Haar bands (orthogonal)",
            representation=lt.HaarBands(),
            units=(0.0, low),
            equal_information=float(np.log(2.0)),
        ),
        Contender(
            name="dct",
            label="DCT bands (orthogonal)",
            representation=lt.DctBands(cutoffs=(size // 2,)),
            units=(0.0, low),
            equal_information=float(np.log(2.0)),
        ),
        Contender(
            name="nearest",
            label="residual, nearest (VAR-style)",
            representation=lt.ResidualPyramid(upsampling="nearest"),
            units=(0.0, low + float(np.log(4.0))),
            equal_information=float(np.log(8.0)),
        ),
        Contender(
            name="bilinear",
            label="residual, bilinear (VAR-style)",
            representation=lt.ResidualPyramid(upsampling="bilinear"),
            units=(0.0, low + float(np.log(4.0))),
            equal_information=float(np.log(8.0)),
        ),
    ]


PREDICTIONS: list[dict[str, Any]] = [
    {
        "name": "equivalence",
        "claim": "The pyramid's information and errors equal those of its Haar image at every grid point "
        "(largest relative difference).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 1e-9],
    },
    {
        "name": "path_equivalence",
        "claim": "Every pyramid path costs what its Haar image costs (largest relative difference).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 1e-9],
    },
    {
        "name": "redundancy_never_helps",
        "claim": "Between the same ends, the best pyramid path never costs less than the best Haar path "
        "(smallest ratio over step counts).",
        "source": "overcomplete_equivalence",
        "interval": [1.0 - 1e-6, float("inf")],
    },
    {
        "name": "nearest_is_haar",
        "claim": "A residual with nearest up-sampling costs what the Haar split costs (largest relative difference).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 1e-6],
    },
    {
        "name": "floor",
        "claim": "No path of any representation beats the anisotropic floor (smallest ratio to it).",
        "source": "anisotropic_floor",
        "interval": [1.0 - 1e-9, float("inf")],
    },
    {
        "name": "no_order",
        "claim": "For independent orthogonal bands order is pure loss: the cost of the coarse-first path over the best, "
        "at the largest step count, relative to its limit (sum L)^2 / sum L^2.",
        "source": "orthogonal_separability",
        "interval": [0.9, 1.25],
    },
    {
        "name": "orthogonal_lead",
        "claim": "The best path of DCT bands has the high band ahead in nominal log-SNR (median lead of the low band "
        "over inner points at the largest step count, nats).",
        "source": "orthogonal_separability",
        "interval": [float("-inf"), 0.0],
    },
    {
        "name": "pyramid_lead",
        "claim": "The best pyramid path has the coarse channel behind the equal-information line (median unit-free lead "
        "over inner points at the largest step count, nats).",
        "source": "equal_information_lead",
        "interval": [float("-inf"), 0.0],
    },
]


def main(options: Options, console: Console | None = None) -> Path:
    """Run every stage that is not done yet and write the report.

    Returns:
        The path of `report.html`.
    """
    console = console or Console()
    preset = PRESETS[options.preset]
    folder = options.out or Path("results") / "overcomplete_vs_orthogonal" / options.preset
    work = Workspace(folder=folder, console=console)
    predictions = [{**p, "interval": [_finite(v) for v in p["interval"]]} for p in PREDICTIONS]
    work.write("predictions.json", json.dumps(predictions, indent=1) + "\n")

    console.print(f"Loading {options.data} at {preset.size} x {preset.size} ...")
    images = data.load(options.data, size=preset.size, channels=preset.channels)
    spectra = {
        part: lt.Spectrum.from_images(array)
        for part, array in (("train", images.train), ("held_out", images.held_out))
    }
    entries = contenders(preset.size)
    models = {
        part: {c.name: lt.GaussianModel(spectrum, c.representation) for c in entries}
        for part, spectrum in spectra.items()
    }
    inputs = {"variances": spectra["train"].variances, "ends": [START, STOP], "version": lt.__version__}

    surfaces: dict[str, xarray.Dataset] = {}
    rows: list[dict[str, Any]] = []
    with work.progress() as progress:
        task = progress.add_task("error surfaces", total=len(entries))
        for c in entries:
            key = {**inputs, "contender": repr(c), "grid": preset.grid}
            surfaces[c.name] = work.dataset(
                f"surface-{c.name}", key, lambda c=c: _surface(models["train"][c.name], c, preset)
            )
            progress.advance(task)
        task = progress.add_task("paths", total=len(entries) * len(preset.steps))
        for c in entries:
            for steps in preset.steps:
                key = {
                    **inputs,
                    "contender": repr(c),
                    "steps": steps,
                    "points": preset.points,
                    "paths": list(PATHS),
                }
                rows += work.table(
                    f"paths-{c.name}-{steps}",
                    key,
                    lambda c=c, n=steps: _paths(models["train"][c.name], c, n, preset),
                )
                progress.advance(task)
        task = progress.add_task("held-out photographs", total=len(entries))
        held_out = []
        for c in entries:
            key = {
                **inputs,
                "held_out": spectra["held_out"].variances,
                "contender": repr(c),
                "points": preset.points,
            }
            key["steps"] = max(preset.steps)
            best = _find(rows, c.name, "best", max(preset.steps))
            held_out.append(
                work.table(
                    f"held-out-{c.name}",
                    {**key, "path": best["logsnr"]},
                    lambda c=c, best=best: _transfer(models["held_out"][c.name], c, best, preset),
                )
            )
            progress.advance(task)
    verdicts = _verdicts(models["train"], surfaces, rows, entries, preset)
    results = {
        "question": "Is an over-complete representation different in kind from an orthogonal one?",
        "answer": _answer(rows, verdicts, max(preset.steps)),
        "preset": options.preset,
        "settings": dataclasses.asdict(preset),
        "data": {
            **images.provenance(),
            "train_images": len(images.train),
            "held_out_images": len(images.held_out),
        },
        "package": lt.__version__,
        "units": "path KL in nats; nats per pixel divides by the number of pixel values",
        "pixel_values": spectra["train"].size,
        "predictions": verdicts,
        "paths": rows,
        "held_out": held_out,
        "inputs_sha256": digest(inputs),
    }
    work.write("results.json", json.dumps(results, indent=1, allow_nan=False) + "\n")
    pictures = figures.draw(
        work.folder / "figures", spectra, models["train"], surfaces, rows, entries, preset.steps
    )
    report = work.write(
        "report.html", _report(results, rows, held_out, verdicts, entries, pictures, preset, images, work)
    )
    _summary(console, results, rows, entries, max(preset.steps))
    if work.reused:
        console.print(f"{len(work.reused)} stages were found done and reused.")
    console.print(f"Report: {report}", soft_wrap=True)
    return report


def _surface(model: lt.GaussianModel, contender: Contender, preset: Preset) -> xarray.Dataset:
    start, stop = contender.ends()
    return lt.error_surface(model, [np.linspace(a, b, preset.grid) for a, b in zip(start, stop, strict=True)])


def _paths(model: lt.GaussianModel, contender: Contender, steps: int, preset: Preset) -> list[dict[str, Any]]:
    """The best path and every control that the representation has, each with its cost."""
    start, stop = contender.ends()
    best = lt.optimal_path(model, steps, start, stop, points=preset.points)
    paths = {"best": best.path, "diagonal": lt.diagonal_path(model, steps, start, stop)}
    paths["diagonal_uniform"] = lt.diagonal_path(model, steps, start, stop, spacing="logsnr")
    if contender.equal_information is not None:
        leads = {
            "equal_information": contender.equal_information,
            "coarse_ahead": contender.units[1] + 2.0,
            "fine_ahead": contender.units[1] - 2.0,
        }
        paths.update(
            {name: lt.constant_lead_path(model, steps, start, stop, lead) for name, lead in leads.items()}
        )
        paths["coarse_first"] = lt.staged_path(model, steps, start, stop)
        paths["fine_first"] = lt.staged_path(model, steps, start, stop, order=model.scales)
    floor = lt.lower_bound(model, steps, start, stop)
    return [
        {
            "representation": contender.name,
            "path": name,
            "steps": steps,
            "nats": lt.path_kl(model, path),
            "floor_nats": floor,
            "certified_nats": float(best.lower_bound) if name == "best" else None,
            "logsnr": path.logsnr.tolist(),
        }
        for name, path in paths.items()
    ]


def _transfer(
    model: lt.GaussianModel, contender: Contender, trained: dict[str, Any], preset: Preset
) -> dict[str, Any]:
    """What a path made on the training photographs costs on the held-out ones."""
    start, stop = contender.ends()
    own = lt.optimal_path(model, trained["steps"], start, stop, points=preset.points)
    cost = lt.path_kl(model, lt.Path(trained["logsnr"], model.scales))
    return {
        "representation": contender.name,
        "steps": trained["steps"],
        "nats": cost,
        "own_best_nats": lt.path_kl(model, own.path),
        "floor_nats": lt.lower_bound(model, trained["steps"], start, stop),
    }


def _find(rows: list[dict[str, Any]], representation: str, path: str, steps: int) -> dict[str, Any]:
    for row in rows:
        if (row["representation"], row["path"], row["steps"]) == (representation, path, steps):
            return row
    raise KeyError((representation, path, steps))


def _verdicts(
    models: dict[str, lt.GaussianModel],
    surfaces: dict[str, xarray.Dataset],
    rows: list[dict[str, Any]],
    entries: list[Contender],
    preset: Preset,
) -> list[dict[str, Any]]:
    """Every prediction with what was measured."""
    most = max(preset.steps)
    cost = {(r["representation"], r["path"], r["steps"]): r["nats"] for r in rows}
    dct = _find(rows, "dct", "best", most)["logsnr"]
    pyramid = _find(rows, "pyramid", "best", most)["logsnr"]
    measured = {
        "equivalence": _surface_gap(models["haar"], surfaces["pyramid"]),
        "path_equivalence": max(
            abs(lt.path_kl(models["haar"], lt.to_orthogonal(lt.Path(r["logsnr"]))) / r["nats"] - 1)
            for r in rows
            if r["representation"] == "pyramid"
        ),
        "redundancy_never_helps": min(
            cost["pyramid", "best", n] / cost["haar", "best", n] for n in preset.steps
        ),
        "nearest_is_haar": max(
            abs(cost["nearest", "best", n] / cost["haar", "best", n] - 1) for n in preset.steps
        ),
        "floor": min(r["nats"] / r["floor_nats"] for r in rows),
        "no_order": cost["dct", "coarse_first", most]
        / cost["dct", "best", most]
        / _staging_limit(models["dct"], entries),
        "orthogonal_lead": float(np.median(lt.Path(dct).lead()[1:-1])),
        "pyramid_lead": float(np.median(lt.Path(pyramid).lead(ratio=2.0)[1:-1])),
    }
    verdicts = []
    for prediction in PREDICTIONS:
        low, high = prediction["interval"]
        value = measured[prediction["name"]]
        verdicts.append(
            {
                **prediction,
                "interval": [_finite(low), _finite(high)],
                "measured": value,
                "verdict": "confirmed" if low <= value <= high else "failed",
            }
        )
    return verdicts


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _surface_gap(haar: lt.GaussianModel, surface: xarray.Dataset) -> float:
    """Largest relative difference between a pyramid's surface and its Haar image."""
    fine, coarse = np.meshgrid(surface["logsnr_fine"], surface["logsnr_coarse"], indexing="ij")
    image = np.stack([fine, np.log(np.exp(fine) + np.exp(coarse) / 4)], axis=-1)
    high, low = np.moveaxis(np.asarray(haar.mmse(image)), -1, 0)
    expected = {"fine": high + low, "coarse": low / 4}
    gaps = [
        np.abs(surface["mmse"].sel(scale=name).values / value - 1).max() for name, value in expected.items()
    ]
    information = np.asarray(haar.mutual_information(image))
    return float(max(*gaps, np.abs(surface["mutual_information"].values / information - 1).max()))


def _staging_limit(model: lt.GaussianModel, entries: list[Contender]) -> float:
    """`(sum L)^2 / sum L^2` with L the information length of each band's own range."""
    start, stop = next(c for c in entries if c.name == "dct").ends()
    points = np.linspace(start, stop, 4001)
    rates = np.sqrt(np.diagonal(np.asarray(model.metric(points)), axis1=1, axis2=2))
    lengths = np.trapezoid(rates, points[:, 0], axis=0)
    return float(lengths.sum() ** 2 / np.sum(lengths**2))


def _answer(rows: list[dict[str, Any]], verdicts: list[dict[str, Any]], steps: int) -> list[str]:
    """The answer in three sentences, every number from the results."""
    cost = {(r["representation"], r["path"]): r["nats"] for r in rows if r["steps"] == steps}
    floor = {r["representation"]: r["floor_nats"] for r in rows if r["steps"] == steps}
    found = {v["name"]: v["measured"] for v in verdicts}
    extra = 100 * (cost["pyramid", "best"] / cost["haar", "best"] - 1)
    staged = {name: cost[name, "coarse_first"] / cost[name, "best"] for name in ("pyramid", "haar", "dct")}
    spacing = 100 * (cost["pyramid", "diagonal_uniform"] / cost["pyramid", "diagonal"] - 1)
    return [
        "Not different in kind: an image with its 2x2 means is the orthogonal Haar split with the low band held at or "
        f"above the high band's SNR. On these images the two error surfaces agree to {found['equivalence']:.0e}, and "
        f"between the same ends the best over-complete path costs {extra:.2f} % more than the best orthogonal one at "
        f"{steps} steps; it can never cost less.",
        "No representation prefers an L-shaped, coarse-first path: going coarse first costs "
        f"{staged['pyramid']:.2f}, {staged['haar']:.2f} and {staged['dct']:.2f} times the best path for pyramid, Haar and "
        "DCT bands. The best paths let the fine scale run ahead of the equal-information line (median unit-free lead of "
        f"the coarse scale {found['pyramid_lead']:+.2f} nats for the pyramid).",
        f"What matters is spacing: on the diagonal, uniform instead of best spacing costs {spacing:.0f} % more, while all "
        "best paths lie within "
        f"{100 * (max(cost[n, 'best'] / floor[n] for n in floor) - 1):.1f} % of the anisotropic floor that no path of any "
        "linear representation can beat.",
    ]


def _report(
    results: dict[str, Any],
    rows: list[dict[str, Any]],
    held_out: list[dict[str, Any]],
    verdicts: list[dict[str, Any]],
    entries: list[Contender],
    pictures: dict[str, Picture],
    preset: Preset,
    images: data.Images,
    work: Workspace,
) -> str:
    most = max(preset.steps)
    size = results["pixel_values"]
    labels = {c.name: c.label for c in entries}
    provenance = results["data"]
    sections = [
        Section(
            title="The surfaces and the paths",
            items=[
                pictures["answer"],
                Text(
                    text="Every point of a surface is a pair of noise levels. The shade is what a small step that moves "
                    "both scales alike costs there. A path runs from noise (bottom left) to data (top right); each dot "
                    "is one network call."
                ),
            ],
        ),
        Section(
            title="Prediction and measurement",
            items=[
                Text(
                    text="Written to predictions.json before the images were looked at, with the interval that counts."
                ),
                Table(
                    header=["prediction", "interval", "measured", "verdict", "theorem"],
                    words=frozenset({0}),
                    rows=[
                        [
                            v["claim"],
                            _interval(v["interval"]),
                            f"{v['measured']:.4g}",
                            v["verdict"],
                            v["source"],
                        ]
                        for v in verdicts
                    ],
                ),
            ],
        ),
        Section(
            title=f"Cost of every path at {most} steps",
            items=[
                Table(
                    header=["path", *[labels[c.name] for c in entries]],
                    rows=[
                        [words, *[_cell(rows, c.name, path, most, size) for c in entries]]
                        for path, words in PATHS.items()
                    ],
                ),
                Text(
                    text="Path KL in nats per pixel value, and as percent of that representation's own anisotropic floor. "
                    "All controls have their best spacing unless stated. Ends are matched: the orthogonal bands start and "
                    f"stop where the pyramid's image does (log-SNR {START:g} to {STOP:g} on the high band, 0.22 nats more "
                    "on the low band); the single scale runs from end to end of the high band."
                ),
                pictures["controls"],
            ],
        ),
        Section(
            title="Best paths for every step count",
            items=[
                pictures["steps"],
                Table(
                    header=[
                        "representation",
                        *[f"{n} steps" for n in preset.steps],
                        f"proved within, {most} steps",
                    ],
                    rows=[
                        [
                            c.label,
                            *[_cell(rows, c.name, "best", n, size) for n in preset.steps],
                            _certificate(_find(rows, c.name, "best", most)),
                        ]
                        for c in entries
                    ],
                ),
            ],
        ),
        Section(
            title="On photographs the path was not made for",
            items=[
                Text(
                    text="Each best path was made on the spectrum of the training photographs and costed on that of the "
                    "held-out ones; beside it, the best path for the held-out spectrum itself."
                ),
                Table(
                    header=["representation", "transferred, nats per pixel", "own best", "excess"],
                    rows=[
                        [
                            labels[r["representation"]],
                            f"{r['nats'] / size:.4f}",
                            f"{r['own_best_nats'] / size:.4f}",
                            f"{100 * (r['nats'] / r['own_best_nats'] - 1):.2f} %",
                        ]
                        for r in held_out
                    ],
                ),
                pictures["spectrum"],
            ],
        ),
        Section(
            title="How to reproduce this",
            items=[
                Text(
                    text=f"python -m experiments.overcomplete_vs_orthogonal --preset {results['preset']} "
                    f"--data {provenance['name']}"
                ),
                Text(
                    text=f"Data: {provenance['train_images']} training and {provenance['held_out_images']} held-out "
                    f"images of {preset.size} x {preset.size}, {preset.channels} channel(s), split by source. "
                    f"{images.preparation} {images.license}"
                ),
                Text(
                    text=f"lift_theory {results['package']}; lattice of {preset.points} log-SNRs per scale before "
                    "continuous refinement; surfaces as netCDF under stages/, all numbers in results.json."
                ),
            ],
        ),
    ]
    return render(
        title=TITLE,
        lead=f"Theory on the measured spectrum of {provenance['train_images']} image patches ({provenance['name']}); "
        "costs are exact for Gaussian data of that spectrum.",
        answer=results["answer"],
        sections=sections,
    )


def _interval(interval: list[float | None]) -> str:
    low, high = interval
    if low is None:
        return f"at most {high:g}"
    if high is None:
        return f"at least {low:.9g}"
    return f"{low:g} to {high:g}"


def _cell(rows: list[dict[str, Any]], name: str, path: str, steps: int, size: int) -> str:
    try:
        row = _find(rows, name, path, steps)
    except KeyError:
        return "–"
    return f"{row['nats'] / size:.4f} ({100 * row['nats'] / row['floor_nats']:.1f} %)"


def _certificate(row: dict[str, Any]) -> str:
    return f"{100 * max(row['nats'] / row['certified_nats'] - 1, 0.0):.2f} %"


def _summary(
    console: Console,
    results: dict[str, Any],
    rows: list[dict[str, Any]],
    entries: list[Contender],
    steps: int,
) -> None:
    table = ConsoleTable(title=f"Path KL at {steps} steps: nats per pixel (percent of the floor)")
    table.add_column("representation")
    shown = ("best", "diagonal", "diagonal_uniform", "coarse_first")
    for path in shown:
        table.add_column(PATHS[path], justify="right")
    for c in entries:
        table.add_row(c.label, *[_cell(rows, c.name, path, steps, results["pixel_values"]) for path in shown])
    console.print(table)
    for sentence in results["answer"]:
        console.print(sentence)
    for verdict in results["predictions"]:
        console.print(f"{verdict['verdict']:>9}  {verdict['name']}: {verdict['measured']:.4g}")


def run(entry: Callable[[Any], Any], options: type[Any]) -> None:
    """Parse the command line and run; bad input ends with its message, not a traceback."""
    try:
        entry(tyro.cli(options))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error


if __name__ == "__main__":
    run(main, Options)
