"""The command line that all experiments share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import tyro


def run(entry: Callable[[Any], Any], options: type[Any]) -> None:
    """Parse the command line and run; bad input ends with its message, not a traceback."""
    try:
        entry(tyro.cli(options))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
