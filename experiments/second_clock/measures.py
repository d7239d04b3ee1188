"""What is computed: best paths from many starts, and what other paths cost. Every function gives rows for JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np

import lift_theory as lt
from experiments.second_clock.contenders import MEAN, Contender, bands
from experiments.second_clock.searching import (
    Found,
    Search,
    constant_lead,
    free,
    one_clock_starts,
    through,
    two_clock_starts,
)
from lift_theory.optimize import PathKL, optimal_path
from lift_theory.sampling import OutputError
from lift_theory.sampling.distances import distances
from lift_theory.sampling.propagation import compare, compiled
from lift_theory.sampling.state import state_of

SAMPLERS = {"ddim": lt.DDIM(), "ancestral": lt.Ancestral(), "heun": lt.Heun()}
NEAR = 1e-3
"""Starts whose error is within this share of the best one's are counted as having found it."""
LEAD = 2.0
"""Nats by which the coarse scale leads or lags in two of the controls."""

CONTROLS = {
    "best_w2": "best two-clock path for W2",
    "best_kl": "best two-clock path for KL",
    "lock_step": "lock-step, one clock's best grid",
    "no_lead": "no lead, own best spacing",
    "equal_information": "coarse 2 log 2 ahead, own best spacing",
    "coarse_ahead": f"coarse {LEAD:g} nats ahead, own best spacing",
    "coarse_behind": f"coarse {LEAD:g} nats behind, own best spacing",
    "coarse_first": "coarse first, best split and spacing",
    "fine_first": "fine first, best split and spacing",
    "karras": "lock-step, Karras spacing",
    "logsnr": "lock-step, uniform log-SNR",
    "logsnr_equal": "coarse 2 log 2 ahead, uniform log-SNR",
    "logsnr_ahead": f"coarse {LEAD:g} nats ahead, uniform log-SNR",
    "logsnr_staged": "coarse first, uniform log-SNR",
    "path_kl": "best path for path KL",
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One kind of error and where it is minimised.

    Attributes:
        sampler: a name of `SAMPLERS`.
        init: "exact" or "standard".
        metric: "w2" or "kl".
        output: "image" or "scales".
        representations: names of representations of two clocks; all if empty.
        spectra: names of spectra.
        steps: step counts.
    """

    sampler: str = "ddim"
    init: str = "exact"
    metric: str = "w2"
    output: str = "image"
    representations: tuple[str, ...] = ()
    spectra: tuple[str, ...]
    steps: tuple[int, ...]

    def objective(self) -> OutputError:
        """The error."""
        return OutputError(
            sampler=SAMPLERS[self.sampler], metric=self.metric, init=self.init, output=self.output
        )

    def asks(self, representation: str) -> bool:
        """Whether a representation takes part; one clock is what the others are compared with."""
        if representation == "one":
            return self.output == "image"
        return not self.representations or representation in self.representations

    def key(self) -> dict[str, str]:
        """What tells its rows apart."""
        fields = asdict(self)
        return {name: fields[name] for name in ("sampler", "init", "metric", "output")}


def length(steps: int) -> int:
    """Steps to which paths are padded, so that few lengths are compiled."""
    return next(n for n in (10, 20, 40, 80) if n >= steps)


def search_of(model: lt.GaussianModel, objective: OutputError, steps: int) -> Search:
    """The search for paths of that many steps."""
    return Search(model=model, objective=objective, length=length(steps))


def one_clock_row(model: lt.GaussianModel, contender: Contender, run: Run, steps: int) -> dict[str, Any]:
    """The best schedule of one clock, and what plain spacings cost."""
    search, ends = search_of(model, run.objective(), steps), contender.ends()
    found = search.best(*ends, one_clock_starts(search, steps, *ends))
    plain = {
        name: search.cost(lt.diagonal_path(model, steps, *ends, spacing=name).logsnr)
        for name in ("logsnr", "karras")
    }
    return {**_row(contender, run, steps, found), "spacings": plain}


def two_clock_row(
    model: lt.GaussianModel, contender: Contender, run: Run, steps: int, one: dict[str, Any]
) -> dict[str, Any]:
    """The best path of two clocks, and the best lock-step of the same scales.

    The reference is the best schedule of one clock; in the joint law, which one clock has not, it is the best lock-step.
    """
    search, (first, last) = search_of(model, run.objective(), steps), contender.ends()
    grid = np.array(one["logsnr"])
    found = search.best(first, last, two_clock_starts(steps, first, last, grid))
    row = _row(contender, run, steps, found)
    lock_step = search.descend("lock-step", constant_lead(first, last, 0.0), grid).cost
    return {**row, "lock_step": lock_step, "reference": one["cost"] if run.output == "image" else lock_step}


def _row(contender: Contender, run: Run, steps: int, found: list[Found]) -> dict[str, Any]:
    near = [f.logsnr.tolist() for f in found[1:] if f.cost <= (1 + NEAR) * found[0].cost]
    return {
        "representation": contender.name,
        **run.key(),
        "steps": steps,
        "cost": found[0].cost,
        "logsnr": found[0].logsnr.tolist(),
        "starts": [{"start": f.start, "cost": f.cost, "iterations": f.iterations} for f in found],
        "near": near,
    }


def control_rows(
    model: lt.GaussianModel, contender: Contender, steps: int, one: np.ndarray, best: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """W2 (and KL, where it has a best path) of the image, W2 of the joint law, and path KL of every control.

    With DDIM from the exact law.
    """
    searches = {
        metric: search_of(model, OutputError(metric=metric, output="image"), steps) for metric in best
    }
    paths = {f"best_{metric}": points for metric, points in best.items()}
    paths |= _plain(model, contender, steps)
    if contender.name == "one":
        paths["lock_step"] = one
    else:
        paths |= _shapes(searches["w2"], contender, steps, one)
    rows = []
    for name, points in paths.items():
        rows.append(
            {
                "representation": contender.name,
                "path": name,
                "steps": steps,
                **{metric: search.cost(points) for metric, search in searches.items()},
                "joint_w2": joint_w2(model, points),
                "path_kl": lt.path_kl(model, lt.Path(points, model.scales)),
                "logsnr": points.tolist(),
            }
        )
    return rows


def joint_w2(model: lt.GaussianModel, points: np.ndarray) -> float:
    """W2 of all scales together, DDIM from the exact law: no gradient and no KL, so that little is compiled."""
    squared = 0.0
    for blocks in state_of(model).groups:
        law = compiled(compare, blocks, jnp.asarray(points), OutputError().setting, False)
        sampled, true = (np.moveaxis(np.asarray(factor), -1, 0) for factor in (law.sampled, law.true))
        squared += float(distances(sampled, true)[0])
    return float(np.sqrt(squared))


def _plain(model: lt.GaussianModel, contender: Contender, steps: int) -> dict[str, np.ndarray]:
    """Paths that know nothing of W2."""
    ends = contender.ends()
    paths = {name: lt.diagonal_path(model, steps, *ends, spacing=name) for name in ("karras", "logsnr")}
    paths["path_kl"] = optimal_path(model, steps, *ends, objective=PathKL(), gap=0.2).path
    if contender.name != "one":
        paths["logsnr_equal"] = lt.equal_information_path(model, steps, *ends, spacing="logsnr")
        ahead = contender.shift + LEAD
        paths["logsnr_ahead"] = lt.constant_lead_path(model, steps, *ends, ahead, spacing="logsnr")
        paths["logsnr_staged"] = lt.staged_path(model, steps, *ends, spacing="logsnr")
    return {name: path.logsnr for name, path in paths.items()}


def _shapes(search: Search, contender: Contender, steps: int, one: np.ndarray) -> dict[str, np.ndarray]:
    """Shapes with the spacing that is best for them in W2."""
    first, last = contender.ends()
    paths = {"lock_step": through(one[:, 0], first, last, 0.0)}
    leads = {
        "no_lead": 0.0,
        "equal_information": MEAN - contender.shift,
        "coarse_ahead": LEAD,
        "coarse_behind": -LEAD,
    }
    for name, lead in leads.items():
        shape = constant_lead(first, last, lead)
        share = (one - one[0]) / (one[-1] - one[0])
        start = shape.first + share * (shape.last - shape.first)
        paths[name] = search.descend(name, shape, start).logsnr
    paths["coarse_first"] = _staged(search, contender, steps, one[:, 0], (1, 0))
    paths["fine_first"] = _staged(search, contender, steps, one[:, 0], (0, 1))
    return paths


def _staged(
    search: Search, contender: Contender, steps: int, one: np.ndarray, order: tuple[int, int]
) -> np.ndarray:
    """One scale after the other; the split is chosen on one clock's grid, that and its neighbours are then refined."""
    first, last = contender.ends()

    @cache
    def start(split: int) -> np.ndarray:
        points = np.tile(first, (steps + 1, 1))
        for scale, begin, end in ((order[0], 0, split), (order[1], split, steps)):
            grid = np.interp(np.linspace(0, 1, end - begin + 1), np.linspace(0, 1, len(one)), one)
            points[begin : end + 1, scale] = grid - one[0] + first[scale]
            points[end:, scale] = last[scale]
        return points

    costs = {split: search.cost(start(split)) for split in range(1, steps)}
    likely = min(costs, key=lambda split: costs[split])
    found = []
    for split in range(max(1, likely - 1), min(steps, likely + 2)):
        moves = np.diff(start(split), axis=0) > 0
        found.append(search.descend(f"split {split}", free(first, last), start(split), moves))
    return min(found, key=lambda f: f.cost).logsnr


def cutoff_rows(
    law: lt.Spectrum, cutoffs: tuple[int, ...], run: Run, steps: int, one: dict[str, Any]
) -> list[dict[str, Any]]:
    """What a second clock is worth to cosine bands that are split elsewhere."""
    rows = []
    for cutoff in cutoffs:
        entry = bands(cutoff)
        model = lt.GaussianModel(law, entry.representation)
        row = two_clock_row(model, entry, run, steps, one)
        rows.append(
            {
                "cutoff": cutoff,
                "gain": 100 * (1 - row["cost"] / row["reference"]),
                "lead_mean": float(entry.lead(row["logsnr"]).mean()),
                "variance_share": float(law.variances[:cutoff, :cutoff].sum() / law.variances.sum()),
            }
        )
    return rows
