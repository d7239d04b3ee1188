"""What holds for every theorem: the proof runs, the test passes, and neither accepts a wrong version."""

import ast
import importlib
from collections.abc import Callable
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from lift_theory.theorems import _theorem
from lift_theory.theorems._theorem import Cited, Digits, Statement, Symbolic, Theorem, Variable

THEOREMS = _theorem.catalogue()
FOLDER = Path(_theorem.__file__).parent
every_theorem = pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.name)


def check_of(theorem: Theorem) -> Callable[[Statement], None]:
    return importlib.import_module(f"test_{theorem.name}").check


def values_of(variable: Variable) -> st.SearchStrategy:
    if variable.symbol.is_integer:
        one = st.integers(int(variable.low), int(variable.high))
    else:
        one = st.floats(variable.low, variable.high)
    if variable.size is None:
        return one
    return st.lists(one, min_size=3, max_size=3).map(np.array)


@every_theorem
def test_every_step_of_the_proof_holds(theorem: Theorem) -> None:
    report = theorem.report()
    failed = [step.says for step, verdict in zip(report.steps, report.verdicts, strict=True) if not verdict]
    assert not failed
    assert report.status in {"checked", "proved"}
    assert any(isinstance(step, (Symbolic, Digits)) for step in report.steps), (
        "a proof runs at least one check"
    )


@every_theorem
def test_statement_agrees_with_an_independent_route(theorem: Theorem) -> None:
    check_of(theorem)(theorem.statement)


@every_theorem
def test_mutants_are_rejected_by_the_test(theorem: Theorem) -> None:
    check, accepted = check_of(theorem), []
    mutants = list(theorem.statement.mutants())
    for what, mutant in mutants:
        try:
            check(mutant)
        except AssertionError:
            continue
        accepted.append(what)
    assert not accepted
    assert {what.partition(":")[0] for what, _ in mutants} == {c.name for c in theorem.statement.claims}


@every_theorem
def test_mutants_are_rejected_by_the_proof(theorem: Theorem) -> None:
    assert not [what for what, mutant in theorem.statement.mutants() if not theorem.refutes(mutant)]


@every_theorem
def test_oracle_is_finite_over_the_hypothesis(theorem: Theorem) -> None:
    variables = theorem.statement.variables

    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(st.tuples(*(values_of(v) for v in variables)))
    def finite(values: tuple) -> None:
        point = {v.name: value for v, value in zip(variables, values, strict=True)}
        for claim in theorem.statement.claims:
            assert np.all(np.isfinite(theorem.statement.value(claim.name, **point))), (claim.name, point)

    finite()


@every_theorem
def test_latex_and_words(theorem: Theorem) -> None:
    for claim in theorem.statement.claims:
        tex = theorem.statement.latex(claim.name)
        assert tex.count("{") == tex.count("}")
        assert "IndexedBase" not in tex
        assert "Function" not in tex
    used = set().union(*(c.right.free_symbols for c in theorem.statement.claims))
    named = {v.symbol for v in theorem.statement.variables} | {v.size for v in theorem.statement.variables}
    labels = {getattr(s, "label", s) for s in named}
    assert {s for s in used if not isinstance(s, sympy.Indexed)} <= named | labels
    assert theorem.words.splitlines()[0].endswith(".")
    assert len(theorem.words.split("\n\n")) >= 2, "the docstring says what it says and why it matters"
    assert theorem.statement.assumptions
    assert all(v.meaning for v in theorem.statement.variables)


@every_theorem
def test_file_test_and_theorem_share_their_stem(theorem: Theorem) -> None:
    assert (FOLDER / f"{theorem.name}.py").is_file()
    assert (Path(__file__).parent / f"test_{theorem.name}.py").is_file()
    assert theorem.module == f"lift_theory.theorems.{theorem.name}"


@every_theorem
def test_citations_have_a_locator(theorem: Theorem) -> None:
    for step in theorem.steps:
        if isinstance(step, Cited):
            assert step.reference
            assert step.locator


def test_theorems_rest_on_earlier_ones_only() -> None:
    position = {theorem: i for i, theorem in enumerate(THEOREMS)}
    assert all(position[earlier] < position[t] for t in THEOREMS for earlier in t.rests_on)


def imports_of(file: Path) -> list[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    direct = [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    return direct + [
        n.module or "" for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.ImportFrom)
    ]


def test_theorems_and_numerics_do_not_import_each_other() -> None:
    for file in FOLDER.parent.rglob("*.py"):
        for name in imports_of(file):
            if FOLDER in file.parents:
                assert not name.startswith("lift_theory") or name.startswith("lift_theory.theorems"), file
            else:
                assert "theorems" not in name, file


def test_a_failing_step_is_reported() -> None:
    one = sympy.Integer(1)
    wrong = Symbolic(says="one is two", left=one, right=2 * one)
    statement = THEOREMS[0].statement
    report = Theorem(
        module="lift_theory.theorems.wrong", statement=statement, proof=lambda _: (wrong,)
    ).report()
    assert report.status == "failed"
    assert not Symbolic(says="minus one is positive", left=-one, right=-one, sign="positive").holds()
    assert not Digits(
        says="third", left=lambda: 1 / 3, right=lambda: mpmath.mpf(1) / 3, instance="float"
    ).holds()
