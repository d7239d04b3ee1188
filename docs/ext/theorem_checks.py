"""What a theorem's proof and test make of the statement and of wrong versions of it.

Nothing here knows Sphinx. `examine_all` runs the tests of several theorems in parallel processes and keeps what
came out under a hash of the sources, so that only what changed is run again.
"""

import hashlib
import importlib
import json
import multiprocessing
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from lift_theory.theorems import _theorem
from lift_theory.theorems._theorem import Cited, Statement, Theorem

TESTS = Path(__file__).resolve().parents[2] / "tests"
WORKERS = 2


@dataclass(frozen=True, kw_only=True)
class Examination:
    """How the test took the statement, and which wrong versions of it got past the proof or the test."""

    error: str  # why the test rejects the statement itself; empty if it agrees
    route: str  # what the test compares with, in its own words
    mutants: tuple[str, ...]
    past_proof: tuple[str, ...]
    past_test: tuple[str, ...]


def examine(theorem: Theorem, check: Callable[[Statement], None]) -> Examination:
    """Put the statement and all its mutants before `check`, and the mutants before the proof."""
    mutants = list(theorem.statement.mutants())
    return Examination(
        error=_objection(check, theorem.statement),
        route=" ".join((check.__doc__ or "").split()),
        mutants=tuple(what for what, _ in mutants),
        past_proof=tuple(what for what, mutant in mutants if not theorem.refutes(mutant)),
        past_test=tuple(what for what, mutant in mutants if not _objection(check, mutant)),
    )


def examine_all(theorems: Iterable[Theorem], cache: Path) -> dict[str, Examination]:
    """Examine every theorem that has a test, in parallel; what has not changed is read from `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    kept = {t.name: cache / f"{t.name}-{_fingerprint(t)}.json" for t in theorems if file_of_test(t).is_file()}
    missing = [name for name, file in kept.items() if not file.exists()]
    if missing:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(WORKERS, len(missing)), mp_context=spawn) as pool:
            for name, examination in zip(missing, pool.map(_examine_named, missing), strict=True):
                kept[name].write_text(json.dumps(asdict(examination)))
    for stale in set(cache.glob("*.json")) - set(kept.values()):
        stale.unlink()
    return {name: _read(file) for name, file in kept.items()}


def refusals(
    theorem: Theorem, examination: Examination | None, keys: Iterable[str], tests: Path = TESTS
) -> list[str]:
    """Name every reason why the page of `theorem` must not be published."""
    name, report = theorem.name, theorem.report()
    found = [
        f"{name}: this step of the proof fails: {step.says}"
        for step, verdict in zip(report.steps, report.verdicts, strict=True)
        if not verdict
    ]
    if not file_of_test(theorem, tests).is_file():
        found.append(f"{name}: there is no test; write tests/theorems/test_{name}.py")
    cited = {step.reference for step in theorem.steps if isinstance(step, Cited)}
    found += [f"{name}: docs/references.bib has no entry {key!r}" for key in sorted(cited - set(keys))]
    if examination is not None:
        if examination.error:
            found.append(f"{name}: its test rejects the statement: {examination.error}")
        found += [f"{name}: the proof accepts a wrong statement, {what}" for what in examination.past_proof]
        found += [f"{name}: the test accepts a wrong statement, {what}" for what in examination.past_test]
    return found


def file_of_test(theorem: Theorem, tests: Path = TESTS) -> Path:
    """Where the test of `theorem` has to be."""
    return tests / "theorems" / f"test_{theorem.name}.py"


def basis(theorem: Theorem) -> tuple[Theorem, ...]:
    """The theorems that `theorem` names in its proof or imports for their formulas."""
    known = vars(importlib.import_module(theorem.module)).values()
    imported = [getattr(value, "theorem", value) for value in known]
    found = [*theorem.rests_on, *(t for t in imported if isinstance(t, Theorem) and t is not theorem)]
    return tuple(dict.fromkeys(found))


def _objection(check: Callable[[Statement], None], statement: Statement) -> str:
    try:
        check(statement)
    except AssertionError as error:
        return " ".join(str(error).split()) or "an assertion fails"
    except Exception as error:
        raise RuntimeError(f"{check.__module__} must reject by an assertion, but raised {error!r}") from error
    return ""


def _examine_named(name: str) -> Examination:
    sys.path[:0] = [str(TESTS), str(TESTS / "theorems")]
    theorem = importlib.import_module(f"lift_theory.theorems.{name}").theorem
    return examine(theorem, importlib.import_module(f"test_{name}").check)


def _fingerprint(theorem: Theorem) -> str:
    """Hash everything the outcome depends on, apart from installed packages."""
    below: dict[Theorem, None] = {}

    def visit(one: Theorem) -> None:
        for earlier in basis(one):
            visit(earlier)
        below.setdefault(one)

    visit(theorem)
    folder = Path(_theorem.__file__).parent
    files = [Path(__file__), Path(_theorem.__file__), *(folder / f"{t.name}.py" for t in below)]
    files += [file_of_test(theorem), *TESTS.glob("[!t]*.py"), *TESTS.glob("tolerances.py")]
    files += [*(TESTS / "theorems").glob("[!t]*.py")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _read(file: Path) -> Examination:
    stored = json.loads(file.read_text())
    return Examination(**{k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()})
