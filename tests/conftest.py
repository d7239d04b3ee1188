"""Have XLA compile fast rather than well, and share the programs; keep processes within the maps that they may have."""

import os
import tempfile

import pytest

from experiments.compilation import compile_fast

MAIN_JOB = "tests/experiments/overcomplete_vs_orthogonal/"
LONGEST = (
    MAIN_JOB,
    "tests/test_gaussian_model.py",
    "tests/experiments/",
    "tests/test_howtos.py",
    "tests/sampling/",
)
"""Handed out first, so that no process is left alone with one of them at the end."""


def pytest_configure(config):
    """Let every process that the tests start find what another has compiled, and not wait for cores of another."""
    if getattr(config.option, "numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    compile_fast()
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="compiled-")
        config.add_cleanup(folder.cleanup)
        os.environ |= {
            "JAX_COMPILATION_CACHE_DIR": folder.name,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
        }


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep tests of a file in one process, and those of the main job, which share their networks."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return file.rpartition("/")[0] if MAIN_JOB in file else file

    config.option.loadscopereorder = False  # which is by the number of tests
    return Scheduling(config, log)


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest."""

    def rank(item):
        return next((i for i, path in enumerate(LONGEST) if item.nodeid.startswith(path)), len(LONGEST))

    items.sort(key=rank)


@pytest.fixture(scope="module", autouse=True)
def forget_compiled_functions():
    """Compiled functions of one module are of no use to the next, and thousands of them exhaust the maps."""
    yield
    import jax

    jax.clear_caches()
