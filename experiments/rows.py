"""Looking up rows of results."""

from __future__ import annotations

from typing import Any

Rows = list[dict[str, Any]]


def find(rows: Rows, **wanted: Any) -> dict[str, Any]:
    """The first row with these entries.

    Raises:
        KeyError: if there is none.
    """
    for row in rows:
        if all(row.get(name) == value for name, value in wanted.items()):
            return row
    raise KeyError(wanted)


def find_path(rows: Rows, representation: str, path: str, steps: int) -> dict[str, Any]:
    """The row of one path.

    Raises:
        KeyError: if there is none.
    """
    return find(rows, representation=representation, path=path, steps=steps)
