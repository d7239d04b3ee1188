"""Sweeps: many cases of one computation, on all cores or on a cluster, each stored as it is finished."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.processes import Stage, tables
from experiments.workspace import Workspace, digest

PATIENCE = 60.0
"""Seconds in which a cluster has to answer and to have a worker."""


def sweep(work: Workspace, label: str, cases: Sequence[Stage], cluster: str | None = None) -> list[Any]:
    """The results of all cases, in their order; those that are not stored yet are computed.

    Every result is stored under the hash of its inputs as soon as there is one. What a stopped run or a lost worker
    had finished is not computed again, and no case counts twice. The scheduler of a cluster gives the cases of a lost
    worker to another; on the cores of this machine a killed process ends the run, and the next run goes on.

    Args:
        work: where results are stored and progress is shown.
        label: of the progress bar.
        cases: what to compute, picklable; cases of one name with the same inputs are one.
        cluster: address of a Dask scheduler; all cores of this machine if not given. Its workers need this source
            tree and nothing else of this machine: results travel back and are stored here.

    Raises:
        ImportError: with a cluster, without the package `distributed`.
        OSError: if there is no scheduler at the address, or it has no worker.
        Exception: whatever the first case raised that failed; cases that have not begun are given up.
    """
    unique = {_key(case): case for case in cases}
    if cluster is None:
        found = dict(zip(unique, tables(work, label, list(unique.values())), strict=True))
    else:
        missing = {key: case for key, case in unique.items() if not work.has_table(case.name, case.inputs)}
        made = _on_cluster(work, label, missing, cluster) if missing else {}
        found = {
            key: made[key] if key in made else work.table(case.name, case.inputs, case.compute)
            for key, case in unique.items()
        }
    return [found[_key(case)] for case in cases]


def _on_cluster(work: Workspace, label: str, missing: dict[str, Stage], cluster: str) -> dict[str, Any]:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise ImportError('--cluster needs Dask; pip install "lift-theory[cluster]".') from error
    try:
        client = Client(cluster, timeout=PATIENCE)
    except OSError as error:
        raise OSError(f"no Dask scheduler answers at {cluster}; start one with `dask scheduler`.") from error
    with client, work.progress() as bar:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise OSError(
                f"the scheduler at {cluster} has no worker; start some with `dask worker {cluster} --nthreads 1`."
            ) from error
        task = bar.add_task(label, total=len(missing))
        made = {}
        for future in as_completed([client.submit(case.compute, key=key) for key, case in missing.items()]):
            case, result = missing[future.key], future.result()
            made[future.key] = _stored(work, case, result)
            future.release()  # or the scheduler would compute it again where its worker is lost
            bar.advance(task)
        return made


def _stored(work: Workspace, case: Stage, result: Any) -> Any:
    return work.table(case.name, case.inputs, lambda: result)


def _key(case: Stage) -> str:
    return f"{case.name}-{digest(case.inputs)}"
