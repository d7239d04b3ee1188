"""Compiled functions that run with one BLAS thread.

XLA calls LAPACK, SciPy's build of it, for many matrices at once from its own threads. Where OpenBLAS then starts
threads of its own, these wait for each other: with two cores a hundred inverses of 64 x 64 matrices took 40 times as
long (jaxlib 0.10, OpenBLAS 0.3.30). That whole batches wait for each other for ever is another matter, which one
BLAS thread does not prevent: see `lift_theory.channels._one_by_one`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import scipy.linalg  # noqa: F401  loads the BLAS that XLA calls, before it is looked for
from threadpoolctl import ThreadpoolController


def jit(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`jax.jit`, with one BLAS thread until the result is there.

    Args:
        function: anything that `jax.jit` takes. Inside other compiled functions it is traced as ever; the limit is
            that of the outermost call.
        **options: passed on.

    Returns:
        A function that returns finished arrays. Threads may call it at once; as many BLAS threads as before are
        allowed again as soon as the last of them has returned.
    """
    compiled = jax.jit(function, **options)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((args, kwargs))):
            return compiled(*args, **kwargs)
        with _one_blas_thread:
            return jax.block_until_ready(compiled(*args, **kwargs))

    return call


class _OneBlasThread:
    """A limit of the whole process that holds from the first to enter until the last has left.

    The limit belongs to whoever sets it: threadpoolctl 3.8 lets no other thread lift it. So one thread does both. A
    limit that the caller holds already is left as it is.
    """

    def __init__(self) -> None:
        self.owner = ThreadPoolExecutor(1, thread_name_prefix="blas-limit")
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0 and any(library.num_threads > 1 for library in _blas().lib_controllers):
                self._limit = self.owner.submit(_limit_blas, 1).result()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._limit is not None:
                self.owner.submit(self._limit.__exit__, *error).result()
                self._limit = None


def _limit_blas(threads: int) -> Any:
    """A limit that holds until its `__exit__` is called, by the same thread."""
    limit = _blas().limit(limits=threads)
    limit.__enter__()
    return limit


@functools.cache
def _blas() -> ThreadpoolController:
    """NumPy's and SciPy's, which is the one that XLA calls; what is loaded later does not matter."""
    return ThreadpoolController().select(user_api="blas")


_one_blas_thread = _OneBlasThread()
