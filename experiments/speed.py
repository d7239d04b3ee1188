"""How fast is it? Seconds and memory of the core operations, and ratios within one run.

    python -m experiments.speed --preset quick

Single times depend on the machine and its load; the ratios and the memory are what to compare.
"""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

import lift_theory as lt
from experiments.command_line import run
from experiments.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Options:
    """Measure the core operations."""

    preset: Literal["quick", "standard"] = "quick"
    """quick: one repetition of the slow rows, no three-scale lattice; standard: everything, best of five."""
    out: Path | None = None
    """Output folder; results/speed/PRESET if not given."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number.

    Attributes:
        name: what was measured.
        value: the number.
        unit: seconds, ratio, MiB, ...
        target: what it should not exceed (or fall below, for ratios to a slower way), if stated.
    """

    name: str
    value: float
    unit: str
    target: float | None = None


def best_of(function: Callable[[], Any], repetitions: int) -> float:
    """Least wall-clock seconds of several calls, after one that compiles."""
    function()
    times = []
    for _ in range(repetitions):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def _model(size: int, channels: int = 3, representation: Any = None) -> lt.GaussianModel:
    law = lt.Spectrum.power_law((channels, size, size))
    return lt.GaussianModel(law, representation or lt.AveragePyramid())


def _in_a_process(code: str) -> float:
    """The number that a fresh interpreter prints last."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


PEAK = """
import re, numpy as np, lift_theory as lt, xarray
def peak():  # of this program alone, in KiB; resource.getrusage would count the parent's memory at the fork
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1))
"""
SURFACE_MEMORY = (
    PEAK
    + """
model = lt.GaussianModel(lt.Spectrum.power_law(({channels}, {size}, {size})), lt.{representation}())
before = peak()
lt.error_surface(model, np.linspace(-9, 9, {points}))
print((peak() - before) / 1024)
"""
)
MIXTURE_MEMORY = (
    PEAK
    + """
means = np.random.default_rng(0).standard_normal((256, 16))
law = lt.GaussianMixture(np.full(256, 1 / 256), means, 0.1, (4, 4))
before = peak()
lt.error_surface(lt.MixtureModel(law, lt.AveragePyramid(), draws=10_000), np.linspace(-9, 9, 12))
print((peak() - before) / 1024)
"""
)


def surfaces(repetitions: int) -> list[Figure]:
    """Error surfaces, all variables, two scales on a 128 x 128 grid."""
    axis = np.linspace(-9.0, 9.0, 128)
    figures = []
    for representation in (lt.AveragePyramid(), lt.HaarBands(), lt.ResidualPyramid(upsampling="bilinear")):
        model = _model(64, representation=representation)
        seconds = best_of(partial(lt.error_surface, model, axis), repetitions)
        figures.append(
            Figure(name=f"surface, 64x64 RGB, 128x128, {representation}", value=seconds, unit="s", target=3.0)
        )
    memory = _in_a_process(
        SURFACE_MEMORY.format(channels=3, size=64, points=128, representation="AveragePyramid")
    )
    figures.append(
        Figure(name="surface, 64x64 RGB, 128x128, extra memory", value=memory, unit="MiB", target=1024.0)
    )
    return figures


def growth(repetitions: int) -> list[Figure]:
    """Time against grid points and against modes, each four-fold; 4 is linear."""
    small, wide = np.linspace(-9.0, 9.0, 64), np.linspace(-9.0, 9.0, 128)
    model, large = _model(64), _model(128)
    base = best_of(lambda: lt.error_surface(model, small), repetitions)
    points = best_of(lambda: lt.error_surface(model, wide), repetitions)
    modes = best_of(lambda: lt.error_surface(large, small), repetitions)
    return [
        Figure(name="surface, four times the grid points", value=points / base, unit="ratio", target=5.0),
        Figure(name="surface, four times the modes", value=modes / base, unit="ratio", target=5.0),
    ]


def large_images(repetitions: int) -> list[Figure]:
    """256 x 256 colour images."""
    model = _model(256)
    seconds = best_of(lambda: lt.error_surface(model, np.linspace(-9.0, 9.0, 32)), 1)
    return [Figure(name="surface, 256x256 RGB, 32x32", value=seconds, unit="s")]


def plain_numpy(repetitions: int) -> list[Figure]:
    """The same surface of errors from the textbook formula in unfused NumPy, over ours."""
    model = _model(32)
    axis = np.linspace(-9.0, 9.0, 32)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    variances = lt.Spectrum.power_law((3, 32, 32)).variances
    weights = [np.cos(np.pi * np.arange(32) / 64) ** 2] * 2

    def plain() -> np.ndarray:
        rows, columns = (np.where(np.arange(32) == 16, 0.0, w) for w in weights)
        square = np.outer(rows, columns) / 4
        result = np.empty((*grid.shape[:2], 2))
        for i, j in np.ndindex(*grid.shape[:2]):
            g = np.exp(grid[i, j])
            d = variances / (1 + g[0] * variances)
            folded = square * d
            for axis_index in (1, 2):
                half = np.moveaxis(folded, axis_index, 0)
                pairs = half[:16].copy()
                pairs[1:] += half[:16:-1]
                folded = np.moveaxis(pairs, 0, axis_index)
            result[i, j] = d.sum(), (folded / (1 + g[1] * folded)).sum()
        return result

    coarse = np.asarray(model.mmse(grid))[..., 1]
    if not np.allclose(plain()[..., 1], coarse, rtol=1e-9):
        raise ValueError("the plain formula must give the same errors of the coarse scale; it does not")
    ours = best_of(lambda: np.asarray(model.mmse(grid)), repetitions)
    return [
        Figure(name="mmse, plain NumPy over ours", value=best_of(plain, 1) / ours, unit="times faster"),
    ]


def imports(repetitions: int) -> list[Figure]:
    """Importing the package over importing JAX alone, each in fresh interpreters."""
    code = "import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"
    least = {
        name: min(_in_a_process(code.format(name=name)) for _ in range(max(5, repetitions)))
        for name in ("jax", "lift_theory")
    }
    return [
        Figure(
            name="import lift_theory over import jax",
            value=least["lift_theory"] / least["jax"],
            unit="ratio",
            target=1.5,
        )
    ]


def mixtures(repetitions: int) -> list[Figure]:
    """Surfaces of mixtures of 256 components in 16 dimensions, 10,000 draws: 64 x 64 points, from 8 x 8 of them.

    The ratio is to what no way can do without, on one core: averages of all products of means over all draws.
    """
    components, size, draws = 256, 16, 10_000
    generator = np.random.default_rng(0)
    factors = generator.standard_normal((components, size, size))
    covariances = 0.3 * factors @ np.swapaxes(factors, 1, 2) / size + 0.01 * np.eye(size)
    weights = generator.dirichlet(np.full(components, 5.0))
    means = 0.6 * generator.standard_normal((components, size))
    responsibilities = generator.random((256, components))
    squares = generator.random((components, size * (size + 1) // 2))
    axis = np.linspace(-9.0, 9.0, 8)
    figures = []
    with threadpool_limits(1):
        product = best_of(lambda: responsibilities @ squares, 20) * draws / len(responsibilities)
    for name, own in (("shared covariance", covariances[:1]), ("covariances of their own", covariances)):
        law = lt.GaussianMixture(weights, means, own, (4, 4))
        for representation in (lt.HaarBands(), lt.AveragePyramid()):
            model = lt.MixtureModel(law, representation, draws=draws)
            seconds = best_of(partial(lt.error_surface, model, axis), 1) / axis.size**2
            label = f"mixture of 256, {name}, {representation}"
            figures += [
                Figure(name=f"{label}, 64x64 from 8x8 points", value=64**2 * seconds, unit="s", target=120.0),
                Figure(
                    name=f"{label}, point over its products in NumPy", value=seconds / product, unit="ratio"
                ),
            ]
    memory = _in_a_process(MIXTURE_MEMORY)
    return [*figures, Figure(name="mixture of 256, extra memory", value=memory, unit="MiB", target=2048.0)]


def optimizer(repetitions: int) -> list[Figure]:
    """The best path of 20 steps on 64 x 64 RGB, and the lattice program alone."""
    from lift_theory.optimize import lattice_program

    figures = []
    for representation in (lt.AveragePyramid(), lt.HaarBands()):
        model = _model(64, representation=representation)
        found = lt.optimal_path(model, 20)
        seconds = best_of(partial(lt.optimal_path, model, 20), repetitions)
        name = f"optimal path, 20 steps, {representation}"
        figures += [
            Figure(name=name, value=seconds, unit="s", target=1.0),
            Figure(name=f"{name}: certified gap", value=100 * found.gap, unit="%", target=1.0),
            Figure(name=f"{name}: KKT residual", value=found.kkt_residual, unit="1", target=1e-6),
        ]
    model = _model(64)
    axes = [np.linspace(-9.0, 9.0, 256)] * 2
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    errors = np.asarray(model.mmse(points))
    seconds = best_of(lambda: lattice_program(model, 20, axes, mmse=errors), repetitions)
    return [
        *figures,
        Figure(name="lattice program alone, 256x256, 20 steps", value=seconds, unit="s", target=3.0),
    ]


def naive_program(repetitions: int) -> list[Figure]:
    """One step of the plain program over one step of the envelopes, on the same 96 x 96 lattice."""
    from lift_theory.optimize import lattice_program
    from lift_theory.optimize._kernels import plain_step

    model = _model(16, channels=1)
    axes = [np.linspace(-9.0, 9.0, 96)] * 2
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    errors, snr = np.asarray(model.mmse(points)), np.exp(points)
    first = (snr - snr[0]) @ (0.5 * errors[0])
    plain = best_of(lambda: plain_step(first, 0.5 * errors, snr), 1)
    ours = best_of(lambda: lattice_program(model, 11, axes, mmse=errors), repetitions) / 10
    return [Figure(name="lattice step, naive over envelopes, 96x96", value=plain / ours, unit="times faster")]


def against_scipy(repetitions: int) -> list[Figure]:
    """SciPy's solvers from the diagonal over `optimal_path`: time to the best cost, within one part in a million."""
    model = _model(64)
    found = [lt.optimal_path(model, 20) for _ in range(repetitions + 1)][1:]
    proved = min(path.seconds for path in found)
    bare = min(sum(a.seconds for a in path.history if a.method != "certificate") for path in found)
    figures = []
    for method, options in (
        ("SLSQP", {"maxiter": 1000, "ftol": 1e-12}),
        ("trust-constr", {"maxiter": 3000, "gtol": 1e-10, "xtol": 1e-12}),
    ):
        seconds, cost = _scipy_seconds(model, method, options, found[0].cost * (1.0 + 1e-6))
        figures += [
            Figure(name=f"optimal path, {method} over ours", value=seconds / bare, unit="times faster"),
            Figure(
                name=f"optimal path with proof, {method} over ours",
                value=seconds / proved,
                unit="times faster",
            ),
            Figure(
                name=f"optimal path, cost of {method} over ours", value=cost / found[0].cost, unit="ratio"
            ),
        ]
    return figures


def _scipy_seconds(model: Any, method: str, options: dict[str, float], enough: float) -> tuple[float, float]:
    """Seconds to the first monotone path that costs no more than enough, or until a minute is over; its cost."""
    from scipy.optimize import LinearConstraint, minimize

    derivatives = lt.PathKL().derivatives(model)
    start = np.repeat(np.linspace(-9.0, 9.0, 21)[:, None], 2, axis=1)
    steps = np.kron(np.eye(20, 19) - np.eye(20, 19, -1), np.eye(2))
    ends = np.concatenate([-start[0], np.zeros(36), start[-1]])
    least, began = np.inf, time.perf_counter()

    def cost(inner: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal least
        here = derivatives(np.concatenate([start[:1], inner.reshape(-1, 2), start[-1:]]))
        if np.min(steps @ inner + ends) >= -1e-9:
            least = min(least, here.cost)
        if least <= enough or time.perf_counter() - began > 60.0:
            raise StopIteration
        return here.cost, here.gradient[1:-1].ravel()

    with suppress(StopIteration):
        monotone = LinearConstraint(steps, lb=-ends)
        minimize(cost, start[1:-1].ravel(), jac=True, method=method, constraints=monotone, options=options)
    return time.perf_counter() - began, float(least)


def three_scales(repetitions: int) -> list[Figure]:
    """Three scales on a 48 x 48 x 48 lattice, surface included."""
    from lift_theory.optimize import lattice_program

    model = _model(64, representation=lt.AveragePyramid(3))
    axes = [np.linspace(-9.0, 9.0, 48)] * 3
    began = time.perf_counter()
    lattice_program(model, 20, axes)
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Figure(
            name="lattice program, three scales, 48^3, with its surface", value=seconds, unit="s", target=60.0
        ),
        Figure(name="memory of the whole process so far", value=memory, unit="MiB", target=2048.0),
    ]


def sampling(repetitions: int) -> list[Figure]:
    """Exact sampler errors, their gradient and curve for 20 steps on 64 x 64 RGB."""
    from lift_theory.sampling.propagation import Setting, loss
    from lift_theory.sampling.state import state_of

    figures = []
    for representation in (lt.SingleScale(), lt.AveragePyramid(), lt.HaarBands(), lt.DctBands()):
        model = _model(64, representation=representation)
        path = lt.diagonal_path(model, 20, -9.0, 9.0)
        name = f"sampling error, 20 steps, {representation}"
        seconds = best_of(partial(lt.sampling_error, model, path, lt.DDIM()), max(5, repetitions))
        figures.append(Figure(name=name, value=1e3 * seconds, unit="ms", target=20.0))
        slope = loss(state_of(model), Setting(lt.DDIM()), "w2")
        ratio = best_of(partial(slope, path.logsnr), max(5, repetitions)) / seconds
        figures.append(Figure(name=f"{name}: with its gradient", value=ratio, unit="ratio", target=6.0))
    model = _model(64, representation=lt.SingleScale())
    seconds = best_of(partial(lt.geodesic_curve, model, objective=lt.OutputError()), max(5, repetitions))
    figures.append(Figure(name="curve of W2, one scale", value=1e3 * seconds, unit="ms", target=50.0))
    return figures


def best_samples(repetitions: int) -> list[Figure]:
    """38 noise levels optimised for the W2 of DDIM on 64 x 64 RGB."""
    figures = []
    for representation in (lt.DctBands(), lt.HaarBands(), lt.AveragePyramid()):
        search = partial(
            lt.optimal_path, _model(64, representation=representation), 20, objective=lt.OutputError()
        )
        seconds = best_of(search, repetitions)
        name = f"path of least W2, 20 steps, {representation}"
        figures.append(Figure(name=name, value=seconds, unit="s", target=10.0))
    return figures


def training(repetitions: int) -> list[Figure]:
    """Forward and backward passes of the small network on 16 x 16 images, and of one of diffusers' of equal size."""
    try:
        import torch
        from diffusers import UNet2DModel

        from lift_train.networks import matched, network, parameter_count
        from lift_train.scales import Scales
    except ImportError:
        return []  # both are optional extras
    one, two = (Scales(kind, (1, 16, 16)) for kind in (lt.SingleScale(), lt.AveragePyramid()))
    batch = 128
    images, coarse = torch.randn(batch, 1, 16, 16), torch.randn(batch, 1, 8, 8)
    levels, times = torch.zeros(batch, 2), torch.zeros(batch)
    peer: Any = UNet2DModel(
        sample_size=16,
        in_channels=1,
        out_channels=1,
        block_out_channels=(24, 40, 56),
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * 3,
        up_block_types=("UpBlock2D",) * 3,
        norm_num_groups=8,
        add_attention=False,
    )
    pyramid, single = network("small", two, seed=0), network(matched("small", one, two), one, seed=0)

    def rate(outputs: Callable[[], list[Any]]) -> float:
        def step() -> None:
            sum(output.square().mean() for output in outputs()).backward()

        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # other work on the machine would stall a step split among cores
        try:
            return batch / best_of(step, max(3, repetitions))
        finally:
            torch.set_num_threads(threads)

    ours = rate(lambda: single([images], levels[:, :1]))
    both = rate(lambda: pyramid([images, coarse], levels))
    theirs = rate(lambda: [peer(images, times).sample])
    return [
        Figure(name="training, small, one scale", value=ours, unit="images/s/core"),
        Figure(name="training, small, pyramid", value=both, unit="images/s/core"),
        Figure(name="training, small, one scale over diffusers", value=ours / theirs, unit="times faster"),
        Figure(
            name="training, parameters of small over diffusers",
            value=parameter_count(single) / parameter_count(peer),
            unit="ratio",
        ),
    ]


BENCHMARKS = (
    surfaces,
    growth,
    large_images,
    plain_numpy,
    imports,
    mixtures,
    optimizer,
    naive_program,
    sampling,
    training,
)
SLOW = (against_scipy, three_scales, best_samples)


def main(options: Options, console: Console | None = None) -> Path:
    """Measure, print, and write results.json."""
    console = console or Console()
    standard = options.preset == "standard"
    work = Workspace(folder=options.out or Path("results") / "speed" / options.preset, console=console)
    figures: list[Figure] = []
    chosen = (*BENCHMARKS, *SLOW) if standard else BENCHMARKS
    with work.progress() as progress:
        task = progress.add_task("benchmarks", total=len(chosen))
        for benchmark in chosen:
            figures += benchmark(5 if standard else 2)
            progress.advance(task)
    table = Table(title=f"Speed on {platform.machine()}")
    for column in ("what", "measured", "unit", "target"):
        table.add_column(column, justify="left" if column in ("what", "unit") else "right")
    for figure in figures:
        limit = "" if figure.target is None else f"{figure.target:g}"
        table.add_row(figure.name, f"{figure.value:.3g}", figure.unit, limit)
    console.print(table)
    rows = [vars(figure) for figure in figures]
    target = work.write(
        "results.json", json.dumps({"package": lt.__version__, "figures": rows}, indent=1) + "\n"
    )
    console.print(f"Numbers: {target}", soft_wrap=True)
    return target


if __name__ == "__main__":
    run(main, Options)
