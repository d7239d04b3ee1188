"""Independent jobs on all cores, with one progress bar."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar

from loky import get_reusable_executor

from experiments.workspace import Workspace

T = TypeVar("T")
POLL = 2.0
"""Seconds between looks at how far jobs are."""
IDLE = 120.0
"""Seconds after which processes that have nothing to do end; the next jobs find what they loaded and compiled."""


def spread(
    work: Workspace,
    label: str,
    jobs: Sequence[Callable[[], T]],
    progress: Callable[[int], float] | None = None,
) -> list[T]:
    """The results of jobs that know nothing of each other, in their order.

    Each job has one thread of arithmetic; as many run at once, in processes that serve all calls, as there are cores,
    and one where a GPU does the work. Jobs must be picklable (`functools.partial` of a function of a module).

    Args:
        work: shows the progress.
        label: of the progress bar.
        jobs: what to do.
        progress: share of job i that is done, between 0 and 1, for jobs that take long; it is asked now and then.

    Raises:
        Exception: whatever the first job raised that failed; jobs that have not begun are given up.
    """
    if not jobs:
        return []
    with work.progress() as bar, warnings.catch_warnings():
        # a process that compiled much is replaced between two jobs: nothing is lost, nobody has to act
        warnings.filterwarnings("ignore", message="A worker (was restarted|stopped) while some jobs")
        task = bar.add_task(label, total=len(jobs))
        count = min(len(jobs), _workers())
        if count == 1:
            results = []
            for index, job in enumerate(jobs):
                results.append(job())
                bar.update(task, completed=index + 1)
            return results
        pool = get_reusable_executor(
            _workers(),
            timeout=IDLE,
            initializer=_one_thread,
            env={"OMP_NUM_THREADS": "1", "JAX_COMPILATION_CACHE_DIR": _compiled()},
        )
        futures = [pool.submit(job) for job in jobs]
        waiting = set(futures)
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=POLL, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                shares = [
                    1.0 if f.done() else progress(i) if progress and f.running() else 0.0
                    for i, f in enumerate(futures)
                ]
                bar.update(task, completed=sum(shares))
        except BaseException as failure:
            for future in waiting:
                future.cancel()
            if not isinstance(failure, Exception):
                pool.shutdown(kill_workers=True)
            raise
        return [future.result() for future in futures]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A table of a workspace that a process of its own can make.

    Attributes:
        name: of the stage.
        inputs: everything it depends on.
        compute: makes it; picklable.
    """

    name: str
    inputs: Mapping[str, Any]
    compute: Callable[[], Any]


def tables(work: Workspace, label: str, stages: Sequence[Stage]) -> list[Any]:
    """All stages, those that are not done yet made on all cores."""
    done = [work.has_table(stage.name, stage.inputs) for stage in stages]
    missing = [stage for stage, known in zip(stages, done, strict=True) if not known]
    made = iter(spread(work, label, [partial(_make, work, stage) for stage in missing]))
    return [_make(work, stage) if known else next(made) for stage, known in zip(stages, done, strict=True)]


def _make(work: Workspace, stage: Stage) -> Any:
    return work.table(stage.name, stage.inputs, stage.compute)


@cache
def _compiled() -> str:
    """Where processes find what others have compiled: a folder of the user's, or one that ends with this process."""
    if given := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return given
    folder = tempfile.mkdtemp(prefix="compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _workers() -> int:
    import torch

    return 1 if torch.cuda.is_available() else len(os.sched_getaffinity(0))


def one_thread() -> None:
    """Have PyTorch use one thread in this process: small networks wait for threads more than they gain from them."""
    import torch

    torch.set_num_threads(1)


def _one_thread() -> None:
    import torch

    one_thread()
    torch.set_num_interop_threads(1)


def quiet() -> Any:
    """A console for jobs, whose progress is shown by the process that started them."""
    from rich.console import Console

    return Console(quiet=True)
