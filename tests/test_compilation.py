"""Compiled functions run with one BLAS thread, whoever calls them and however they end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lift_theory as lt
from lift_theory.channels import DenseBlocks
from lift_theory.compilation import _blas, _limit_blas, _one_blas_thread, jit


def blas_threads() -> set[int]:
    """Of NumPy's and SciPy's BLAS; what other packages bring along later is never called by XLA."""
    return {library.num_threads for library in _blas().lib_controllers}


@pytest.fixture(autouse=True)
def two_threads():
    """The owner sets them, because no other thread may change what one has set."""
    limit = _one_blas_thread.owner.submit(_limit_blas, 2).result()
    assert blas_threads() == {2}
    yield
    assert blas_threads() == {2}, "as many as before"
    _one_blas_thread.owner.submit(limit.__exit__, None, None, None).result()


def spying(seen, x):
    jax.debug.callback(lambda _: seen.append(blas_threads()), x)
    return 2.0 * x


def test_one_thread_inside_and_as_many_as_before_afterwards():
    seen: list[set[int]] = []
    doubled = jit(lambda x: spying(seen, x))
    assert float(doubled(jnp.float64(1.5))) == 3.0
    jax.effects_barrier()
    assert seen == [{1}]


def test_the_limit_holds_until_the_last_of_several_threads_has_left():
    everyone, first_left = Barrier(3), Event()

    def stay(last: bool) -> set[int]:
        with _one_blas_thread:
            everyone.wait(timeout=60)
            if not last:
                return set()
            first_left.wait(timeout=60)
            return blas_threads()

    with ThreadPoolExecutor(3) as pool:
        early, patient = [pool.submit(stay, False) for _ in range(2)], pool.submit(stay, True)
        assert [future.result() for future in early] == [set(), set()]
        first_left.set()
        assert patient.result() == {1}


def test_an_error_lifts_the_limit_too():
    @jit
    def broken(x):
        raise RuntimeError("seen while tracing")

    with pytest.raises(RuntimeError, match="seen while tracing"):
        broken(1.0)


def test_it_is_traced_inside_other_functions_and_passes_options_on():
    power = jit(lambda x, n: x**n, static_argnames=("n",))
    assert float(jax.grad(lambda x: power(x, n=3))(2.0)) == 12.0
    np.testing.assert_allclose(jax.vmap(lambda x: power(x, n=2))(jnp.arange(3.0)), [0.0, 1.0, 4.0])


def batched_calls(function, *args) -> list[bool]:
    """Of every call of LAPACK in a compiled function, whether it is given more than one matrix."""
    text = jax.jit(function).lower(*args).as_text()
    return [n != "0" for n in re.findall(r'@lapack_.*num_batch_dims = "(\d+)"', text)]


def test_dense_blocks_are_factorized_one_at_a_time():
    """Batches are shared out to the pool that waits for them, and several at a time wait for ever."""
    root = np.random.default_rng(0).normal(size=(3, 2, 4, 4))
    blocks = DenseBlocks(
        grams=jnp.asarray(root @ np.swapaxes(root, -1, -2)), ranks=jnp.full((3, 2), 4), hidden=jnp.zeros(2)
    )
    law = lt.GaussianMixture([0.5, 0.5], [[1.0, 0.0], [-1.0, 0.0]], [np.eye(2), 2.0 * np.eye(2)])
    scales = lt.LinearScales({"high": np.eye(2)[:1], "low": np.eye(2)[1:]})
    mixture = lt.MixtureModel(law, scales, draws=4)._channels
    for quantity in (
        blocks.information,
        blocks.complement,
        jax.jacfwd(blocks.complement),
        jax.hessian(lambda g: blocks.step(g, 2.0 * g)),
        mixture.surface,
        jax.jacfwd(lambda g: mixture.step(g, 2.0 * g)[0]),
    ):
        calls = batched_calls(lambda points, of=quantity: jax.lax.map(of, points), jnp.ones((5, 2)))
        assert calls
        assert not any(calls)
    assert batched_calls(jnp.linalg.eigvalsh, blocks.grams) == [True], "a batch would be seen"


def test_dense_models_come_back_where_blas_may_start_threads():
    """Ten overlapping scales: what used to take forty times as long on two cores."""
    program = """
import numpy as np, lift_theory as lt
from lift_theory.optimize import PathKL
generator = np.random.default_rng(0)
scales = lt.LinearScales({str(k): generator.normal(size=(6 * k, 64)) for k in range(1, 11)})
root = generator.normal(size=(64, 64)) / 8
model = lt.GaussianModel(lt.Covariance(root @ root.T), scales)
path = lt.diagonal_path(model, 12, -9.0, 9.0)
print(PathKL().derivatives(model)(path.logsnr).cost - lt.path_kl(model, path))
"""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert abs(float(done.stdout)) < 1e-9
