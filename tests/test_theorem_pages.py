"""The theorem pages refuse what does not hold, and show what was computed."""

import dataclasses
import itertools
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "ext"))

checks = pytest.importorskip("theorem_checks")
graph = pytest.importorskip("theorem_graph")
pytest.importorskip("sphinx")
pages = pytest.importorskip("theorem_pages")

from lift_theory.theorems import bregman_path_kl, i_mmse_gradient  # noqa: E402
from lift_theory.theorems._theorem import Cited, Statement, Theorem  # noqa: E402

THEOREM = bregman_path_kl.theorem
GOOD = checks.Examination(error="", route="By hand.", mutants=("step: doubled",), past_proof=(), past_test=())


def same_as(theorem: Theorem):
    def check(statement: Statement) -> None:
        """Compare with the formulas themselves."""
        assert [c.right for c in statement.claims] == [c.right for c in theorem.statement.claims]

    return check


def keys() -> set[str]:
    return set(re.findall(r"^@\w+\{(\w+),", (ROOT / "docs" / "references.bib").read_text(), re.MULTILINE))


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """A folder with a test of the theorem in it."""
    (tmp_path / "theorems").mkdir()
    checks.file_of_test(THEOREM, tmp_path).touch()
    return tmp_path


@pytest.fixture
def broken() -> Theorem:
    """The theorem with a doubled right-hand side."""
    _, mutant = next(iter(THEOREM.statement.mutants()))
    return dataclasses.replace(THEOREM, statement=mutant)


def test_a_good_theorem_is_accepted(tests):
    assert checks.refusals(THEOREM, GOOD, keys(), tests) == []


def test_a_broken_theorem_is_refused(tests, broken):
    (complaint, *_) = checks.refusals(broken, GOOD, keys(), tests)
    assert complaint.startswith("bregman_path_kl: this step of the proof fails: ")


def test_a_missing_test_is_refused(tests):
    checks.file_of_test(THEOREM, tests).unlink()
    (complaint,) = checks.refusals(THEOREM, None, keys(), tests)
    assert complaint.endswith("write tests/theorems/test_bregman_path_kl.py")


def test_an_unknown_citation_is_refused(tests):
    cited = {step.reference for step in THEOREM.steps if isinstance(step, Cited)}
    assert cited
    complaints = checks.refusals(THEOREM, GOOD, keys() - cited, tests)
    assert [key for key in cited if any(repr(key) in line for line in complaints)] == list(cited)


def test_a_test_that_disagrees_or_accepts_too_much_is_refused(tests):
    lenient = dataclasses.replace(GOOD, error="3 is not 2", past_test=("step: doubled",))
    disagrees, accepts = checks.refusals(THEOREM, lenient, keys(), tests)
    assert "rejects the statement: 3 is not 2" in disagrees
    assert "the test accepts a wrong statement, step: doubled" in accepts


def test_examination_tries_the_statement_and_every_mutant():
    theorem = i_mmse_gradient.theorem
    strict = checks.examine(theorem, same_as(theorem))
    assert strict.error == ""
    assert strict.past_test == strict.past_proof == ()
    assert strict.mutants == tuple(what for what, _ in theorem.statement.mutants())
    careless = checks.examine(theorem, lambda statement: None)
    assert careless.past_test == careless.mutants


def test_a_test_that_stumbles_is_named():
    def stumbles(statement: Statement) -> None:
        raise TypeError("complex")

    with pytest.raises(RuntimeError, match=r"test_theorem_pages must reject by an assertion.*complex"):
        checks.examine(THEOREM, stumbles)


def test_a_mutated_statement_shows_as_failed(broken):
    text = pages.page(broken, [], [], GOOD)
    assert ":class: status failed" in text
    assert ", FAILS]" in text
    assert "holds]" in text  # the other steps still do
    assert "FAILS" not in pages.page(THEOREM, [], [], GOOD)


def test_what_rests_on_citations_is_not_called_proved():
    text = pages.page(THEOREM, [], [], GOOD)
    assert "Checked, resting on cited results" in text
    assert "{cite:t}`guo2005`" in text.partition("\n## ")[0]  # inherited from an earlier theorem
    assert pages.STATUS["proved"] not in text


def test_page_shows_every_part_of_the_theorem():
    text = pages.page(THEOREM, [i_mmse_gradient.theorem], ["/theory/cost"], GOOD)
    for claim in THEOREM.statement.claims:
        assert THEOREM.statement.latex(claim.name) in text
    for said in (*(v.meaning for v in THEOREM.statement.variables), *THEOREM.statement.assumptions):
        assert pages.prose(said) in text
    assert all(pages.prose(step.says) in text for step in THEOREM.steps)
    assert "../../../tests/theorems/test_bregman_path_kl.py" in text
    assert "{doc}`/theory/cost`" in text


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        ("y_k = A_k x + g_k^(-1/2) e", "y{sub}`k` = A{sub}`k` x + g{sub}`k`{sup}`-1/2` e"),
        ("b_(N-k), J_ε, g'_k, mmse_L", "b{sub}`N-k`, J{sub}`ε`, g'{sub}`k`, mmse{sub}`L`"),
        ("b_j² ∂_i x", "b{sub}`j`² ∂{sub}`i` x"),
        ("see i_mmse_gradient", r"see i\_mmse\_gradient"),
        ("E[y|z] of *any* `law_k`", r"E\[y\|z\] of *any* `law_k`"),
    ],
)
def test_plain_text_becomes_markup(plain, written):
    assert pages.prose(plain) == written


def test_graph_leaves_out_links_that_follow_from_others():
    basis = {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["a"]}
    assert graph.reduced(basis) == {"a": [], "b": ["a"], "c": ["b"], "d": ["a"]}
    drawn = graph.drawing(basis, dict.fromkeys(basis, "<title>"), {"a"})
    assert drawn.count("<path") == 3
    assert drawn.count("&lt;title&gt;") == 4
    assert drawn.count('class="proved"') == 1
    heights = [float(y) for y in re.findall(r'<text x="[\d.]+" y="([\d.]+)"', drawn)]
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 20  # labels keep apart


def test_stale_pages_go_and_unchanged_ones_stay(tmp_path):
    pages.write(tmp_path, {"a.md": "one", "b.md": "two"})
    before = (tmp_path / "a.md").stat().st_mtime_ns
    pages.write(tmp_path, {"a.md": "one"})
    assert [file.name for file in tmp_path.iterdir()] == ["a.md"]
    assert (tmp_path / "a.md").stat().st_mtime_ns == before
