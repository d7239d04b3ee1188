"""Keep one test process within the memory maps that an operating system grants."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def forget_compiled_functions():
    """Compiled functions of one module are of no use to the next, and thousands of them exhaust the maps."""
    yield
    import jax

    jax.clear_caches()
