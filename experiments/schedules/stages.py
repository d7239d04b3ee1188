"""The stages of the experiment, each stored under the hash of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

import lift_theory as lt
from experiments.rows import find
from experiments.schedules.contenders import (
    IN_SIGMA,
    IN_TIME,
    METRICS,
    PLAIN,
    Entry,
    entry,
    errors,
    optimum,
    plain_schedules,
    published,
    with_other_ends,
)
from experiments.schedules.curve_distance import ENDS, curve_distances
from experiments.schedules.floors import mode_floor
from experiments.schedules.surrogates import Tables
from experiments.schedules.two_bands import second_clock, two_bands
from experiments.workspace import Workspace

Schedules = dict[str, dict[str, Any]]
WORKERS = 2
"""Cases that are worked on at a time; most of the time goes into compiling, which does not hold the others."""


@dataclass(kw_only=True)
class Stages:
    """What is computed on one spectrum between common ends.

    Attributes:
        work: where stages are stored.
        spectrum: the data.
        inputs: what every stage depends on.
        preset: step counts and sizes.
    """

    work: Workspace
    spectrum: lt.Spectrum
    inputs: dict[str, Any]
    preset: Any
    model: lt.GaussianModel = field(init=False)

    def __post_init__(self) -> None:
        self.model = lt.GaussianModel(self.spectrum, lt.SingleScale())

    def run(self) -> dict[str, list[dict[str, Any]]]:
        """Schedules with their surrogates, errors, floors, the comparison at other ends, and two bands."""
        first, last = self.inputs["ends"]
        in_sigma = [(e, n) for n in self.preset.steps for e in IN_SIGMA]
        in_time = [(e, calls // e.calls) for calls in self.preset.calls for e in IN_TIME]
        with self.work.progress() as progress:
            by_count: dict[int, Schedules] = {}
            for steps in self.preset.steps:
                compute = partial(plain_schedules, self.model, steps, first, last)
                by_count[steps] = self._table(
                    f"plain-{steps}", {"steps": steps, "schedules": list(PLAIN)}, compute
                )
            made = partial(self._optima, first=first, last=last)
            for (_, steps), optima in zip(
                in_sigma + in_time, self._each(progress, "schedules", made, in_sigma + in_time), strict=True
            ):
                by_count[steps] |= optima
            costed = [(e, n, by_count[n]) for e, n in in_sigma + in_time]
            rows = _joined(self._each(progress, "errors", self._errors, costed))
            floor = partial(self._floor, first=first, last=last)
            floors = self._each(progress, "floors", floor, in_sigma)
            own = _joined(self._each(progress, "own ends", self._own_ends, [(e,) for e in IN_SIGMA]))
            bands = self._bands(progress, rows, first, last)
            cases = self.preset.curves.cases()
            distances = _joined(self._each(progress, "curves", self._curve_distances, cases))
        return {
            "schedules": self._surrogates(by_count, first, last),
            "errors": rows,
            "floors": floors,
            "own_ends": own,
            "two_bands": bands,
            "curve_distances": distances,
        }

    def _table(self, name: str, more: dict[str, Any], compute: Any) -> Any:
        return self.work.table(name, {**self.inputs, **more}, compute)

    def _optima(self, which: Entry, steps: int, first: float, last: float) -> Schedules:
        result: Schedules = {}
        for metric in METRICS:
            more = {"sampler": repr(which), "metric": metric, "steps": steps, "between": [first, last]}
            compute = partial(optimum, self.model, which, metric, steps, first, last)
            result |= self._table(f"optimum-{which.name}-{metric}-{steps}", more, compute)
        return result

    def _errors(self, which: Entry, steps: int, schedules: Schedules) -> list[dict[str, Any]]:
        levels = {name: found["logsnr"] for name, found in schedules.items()}
        arrays = {name: np.array(value) for name, value in levels.items()}
        more = {"sampler": repr(which), "schedules": arrays}
        compute = partial(errors, self.model, which, levels)
        table = self._table(f"errors-{which.name}-{steps}", more, compute)
        nothing = {"w2": None, "kl": None}
        return [
            {
                "sampler": which.name,
                "schedule": name,
                "steps": steps,
                "calls": steps * which.calls,
                **(value or nothing),
            }
            for name, value in table.items()
        ]

    def _floor(self, which: Entry, steps: int, first: float, last: float) -> dict[str, Any]:
        points = self.preset.floor_points if which.name != "dpm" else 3  # vanishes wherever one looks
        more = {"sampler": repr(which), "steps": steps, "points": points}
        compute = partial(mode_floor, self.spectrum, which, steps, first, last, points)
        found = self._table(f"floor-{which.name}-{steps}", more, compute)
        return {"sampler": which.name, "steps": steps, **found}

    def _own_ends(self, which: Entry) -> list[dict[str, Any]]:
        """Published schedules at their own ends against the optimum there, where these are not the common ends."""
        steps, rows = self.preset.headline, []
        for name, (first, last) in with_other_ends(steps).items():
            best = self._optima(which, steps, first, last)
            levels = {"own": published(name, steps).logsnr[:, 0].tolist()}
            levels |= {metric: best[f"best:{which.name}:{metric}"]["logsnr"] for metric in METRICS}
            arrays = {key: np.array(value) for key, value in levels.items()}
            table = self._table(
                f"own-ends-{which.name}-{name}",
                {"sampler": repr(which), "schedules": arrays},
                partial(errors, self.model, which, levels),
            )
            rows += [
                {
                    "sampler": which.name,
                    "schedule": name,
                    "metric": metric,
                    "steps": steps,
                    "published": table["own"][metric],
                    "best": table[metric][metric],
                    "ratio": table[metric][metric] / table["own"][metric],
                }
                for metric in METRICS
            ]
        return rows

    def _bands(
        self, progress: Any, rows: list[dict[str, Any]], first: float, last: float
    ) -> list[dict[str, Any]]:
        model = two_bands(self.spectrum)

        def band(name: str, metric: str, steps: int) -> dict[str, Any]:
            own = find(rows, sampler=name, schedule=f"best:{name}:{metric}", steps=steps)
            which, one = entry(name), own[metric]
            more = {"sampler": repr(which), "metric": metric, "steps": steps, "one_clock": one}
            compute = partial(second_clock, model, which, metric, steps, first, last, one)
            return self._table(f"bands-{name}-{metric}-{steps}", more, compute)

        pairs = [(*pair, steps) for pair in self.preset.bands for steps in self.preset.steps]
        return self._each(progress, "two bands", band, pairs)

    def _curve_distances(self, sampler: str, metric: str, exponent: float) -> list[dict[str, Any]]:
        """On a power law, whatever the images are."""
        curves = self.preset.curves
        case = (curves.size, sampler, metric, exponent, curves.steps)
        inputs = {"case": case, "ends": ENDS, "version": lt.__version__}
        name = f"curve-distance-{sampler}-{metric}-{exponent:g}"
        return self.work.table(name, inputs, partial(curve_distances, *case))

    def _each(
        self, progress: Any, title: str, compute: Callable[..., Any], cases: Sequence[Any]
    ) -> list[Any]:
        """What is computed from every case, in order, a few at a time."""
        task = progress.add_task(title, total=len(cases))

        def one(case: tuple[Any, ...]) -> Any:
            result = compute(*case)
            progress.advance(task)
            return result

        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(one, cases))

    def _surrogates(self, by_count: dict[int, Schedules], first: float, last: float) -> list[dict[str, Any]]:
        tables = Tables.of(self.model, self.spectrum, first, last)
        return [
            {
                "schedule": name,
                "steps": steps,
                **found,
                "surrogates": tables.all_of(np.array(found["logsnr"])),
            }
            for steps, schedules in by_count.items()
            for name, found in schedules.items()
        ]


def _joined(parts: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [row for part in parts for row in part]
