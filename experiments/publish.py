"""Put what a run found where the documentation makes pages of it: numbers, words and figures, no weights.

python -m experiments.publish --run results/overcomplete_vs_orthogonal/standard
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from experiments.command_line import run

FILES = ("results.json", "report.json", "provenance.json")
PAGE = "report.html"
"""Published beside the rest where it shows more than `report.json` can say."""
PUBLISHED = Path(__file__).parent.parent / "docs" / "results"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Copy results, words and figures of a finished run into docs/results."""

    run: Path
    """Output folder of an experiment."""
    to: Path = PUBLISHED
    """Folder of all published runs; this one is called EXPERIMENT-PRESET there and replaced if it exists."""


def main(options: Options, console: Console | None = None) -> Path:
    """Copy, so that a run that is published again leaves nothing of the earlier one.

    Returns:
        The folder of the published run.

    Raises:
        ValueError: if the folder is not that of a finished run.
    """
    missing = [name for name in (*FILES, PAGE) if not (options.run / name).is_file()]
    if missing:
        raise ValueError(
            f"run must be the output folder of a finished experiment; {options.run} has no {', '.join(missing)}."
        )
    facts = json.loads((options.run / "provenance.json").read_text(encoding="utf-8"))
    report = json.loads((options.run / "report.json").read_text(encoding="utf-8"))
    target = options.to / f"{facts['experiment']}-{facts['preset']}"
    if target.exists():
        shutil.rmtree(target)
    (target / "figures").mkdir(parents=True)
    for name in (*FILES, PAGE) if report["interactive"] else FILES:
        shutil.copyfile(options.run / name, target / name)
    shown = [item["name"] for s in report["sections"] for item in s["items"] if item["kind"] == "figure"]
    for name in shown:
        shutil.copyfile(options.run / "figures" / f"{name}.svg", target / "figures" / f"{name}.svg")
    (console or Console()).print(f"Published: {target}", soft_wrap=True)
    return target


if __name__ == "__main__":
    run(main, Options)
