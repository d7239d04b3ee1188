"""XLA compiles fast rather than well where most programs run once, on small arrays."""

from __future__ import annotations

import os
import subprocess
import sys

FLAGS = " ".join(
    (
        "--xla_backend_optimization_level=0",
        "--xla_cpu_use_fusion_emitters=false",
        "--xla_cpu_parallel_codegen_split_count=1",
    )
)
"""With them the programs of samplers take a quarter of the time to compile (jaxlib 0.10)."""


def compile_fast() -> None:
    """Ask XLA to, in this process and those that it starts, unless the user has asked for something in `XLA_FLAGS`.

    It has to be called before anything is compiled. Results differ by rounding only.
    """
    if "XLA_FLAGS" not in os.environ and _known(FLAGS):
        os.environ["XLA_FLAGS"] = FLAGS


def _known(flags: str) -> bool:
    """Whether this jaxlib has the flags: it ends the process where it has not."""
    start = [sys.executable, "-c", "import jax; jax.devices()"]
    return subprocess.run(start, env=os.environ | {"XLA_FLAGS": flags}, capture_output=True).returncode == 0
