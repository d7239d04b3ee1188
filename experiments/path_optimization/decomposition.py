"""How much of the way from LIFT's diagonal to the floor is spacing, lead, and representation."""

from __future__ import annotations

from typing import Any

from experiments.rows import find_path

_CORNERS = ("uniform_timesteps", "diagonal", "lead_only", "best")


def decomposition(
    rows: list[dict[str, Any]], names: list[str], steps: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Costs and shares for every representation and step count.

    With U the cost on uniform timesteps in lock-step, D on the best diagonal, F with the best lead on U's fine
    grid and B the best path, all in units of the representation's own floor, the saving `U - B` splits into `U - D`
    by spacing alone, `U - F` by lead alone, and what the two do together beyond (or short of) their sum. Shares are of
    `U - 1`, which no path can exceed. A change of representation is what B falls by against the pyramid.
    """
    result = []
    for count in steps:
        floors = {name: find_path(rows, name, "best", count)["floor_nats"] for name in names}
        base = {
            path: find_path(rows, "pyramid", path, count)["nats"] / floors["pyramid"] for path in _CORNERS
        }
        for name in names:
            nats = {path: find_path(rows, name, path, count)["nats"] for path in _CORNERS}
            uniform, diagonal, lead, best = (nats[path] / floors[name] for path in _CORNERS)
            result.append(
                {
                    "representation": name,
                    "steps": count,
                    "uniform_nats": nats["uniform_timesteps"],
                    "diagonal_nats": nats["diagonal"],
                    "lead_only_nats": nats["lead_only"],
                    "best_nats": nats["best"],
                    "floor_nats": floors[name],
                    "spacing_share": (uniform - diagonal) / (uniform - 1),
                    "lead_share": (uniform - lead) / (uniform - 1),
                    "both_share": (uniform - best) / (uniform - 1),
                    "representation_share": (base["best"] - best) / (base["uniform_timesteps"] - 1),
                    "spacing_of_saving": (uniform - diagonal) / (uniform - best),
                    "lead_of_saving": (uniform - lead) / (uniform - best),
                    "lead_after_spacing": 1 - best / diagonal,
                    "representation_after_both": 1 - best / base["best"],
                }
            )
    return result


def share(table: list[dict[str, Any]], representation: str, steps: int) -> dict[str, Any]:
    """The entry of one representation and step count."""
    return next(e for e in table if (e["representation"], e["steps"]) == (representation, steps))
