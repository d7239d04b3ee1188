"""Share what XLA compiles between test processes, and keep each within the memory maps that it is granted."""

import os
import tempfile

import pytest


def pytest_configure(config):
    """Let every process that the tests start find what another has compiled."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="compiled-")
        config.add_cleanup(folder.cleanup)
        os.environ |= {
            "JAX_COMPILATION_CACHE_DIR": folder.name,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
        }


@pytest.fixture(scope="module", autouse=True)
def forget_compiled_functions():
    """Compiled functions of one module are of no use to the next, and thousands of them exhaust the maps."""
    yield
    import jax

    jax.clear_caches()
