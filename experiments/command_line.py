"""The command line that all experiments share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import tyro

from experiments.compilation import compile_fast


def run(entry: Callable[[Any], Any], options: type[Any]) -> None:
    """Parse the command line and run; bad input ends with its message, not a traceback."""
    try:
        asked = tyro.cli(options)
        if getattr(asked, "preset", None) == "quick":
            compile_fast()
        entry(asked)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
