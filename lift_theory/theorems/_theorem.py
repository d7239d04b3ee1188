"""What a theorem is made of: a statement that can be evaluated and broken, and a proof that can be run.

A `Statement` holds formulas in SymPy. From the same formula come its LaTeX, its value in floating point (the
oracle of the tests), its value at any number of digits, and its mutants: slightly wrong copies which both the
proof and the tests have to reject. A proof is a function of the statement that returns steps, each of one
kind: `Symbolic`, `Digits`, `Earlier` or `Cited`. The status of a theorem is what comes out when the steps are
run.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import sympy

from lift_theory.theorems._expressions import Latex, mutations, plainly_nonzero, unroll

DIGITS = 50  # decimals to which a numerical identity has to hold


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A symbol of a statement, its meaning, and the interval the hypothesis allows for it.

    An `IndexedBase` stands for a vector; `size` is then the symbol of its length.
    """

    symbol: Any
    meaning: str
    low: float = 1e-3
    high: float = 1e3
    size: sympy.Symbol | None = None
    tex: str = ""

    @property
    def name(self) -> str:
        """The keyword under which values of this variable are passed."""
        return str(self.symbol)

    def draw(self, generator: random.Random) -> Any:
        """Draw a value, log-uniform where the interval is positive; vectors get 3 entries."""
        if self.size is not None:
            return np.array([replace(self, size=None).draw(generator) for _ in range(3)])
        if self.symbol.is_integer:
            return generator.randint(int(self.low), int(self.high))
        if self.low > 0:
            return float(np.exp(generator.uniform(np.log(self.low), np.log(self.high))))
        return generator.uniform(self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One formula: `left` names the quantity, `right` is what the theorem says about it."""

    name: str
    left: sympy.Basic
    right: sympy.Expr
    relation: str = "="
    mistakes: Mapping[str, sympy.Expr] = field(default_factory=dict)  # tempting wrong versions of `right`


@dataclass(frozen=True, kw_only=True)
class Statement:
    """The claims of a theorem, the variables they speak about and what is assumed, in words."""

    claims: tuple[Claim, ...]
    variables: tuple[Variable, ...]
    assumptions: tuple[str, ...]

    def __getitem__(self, name: str) -> Claim:
        for claim in self.claims:
            if claim.name == name:
                return claim
        raise KeyError(f"the statement has the claims {[c.name for c in self.claims]}; got {name!r}")

    def value(self, claim: str, **values: Any) -> Any:
        """Evaluate the right-hand side of `claim` in floating point; impossible values come out as nan."""
        with np.errstate(all="ignore"):
            return self._evaluate(claim, "numpy", values)

    def digits(self, claim: str, **values: Any) -> Any:
        """Evaluate the right-hand side of `claim` in the current mpmath precision."""
        return self._evaluate(claim, "mpmath", values)

    def expression(self, claim: str, **values: Any) -> sympy.Expr:
        """Substitute expressions for variables in the right-hand side of `claim` (sequences for vectors)."""
        known = self._known(values)
        scalars: dict[Any, Any] = {}
        entries: dict[Any, Any] = {}
        for name, value in values.items():
            symbol = known[name].symbol
            if isinstance(symbol, sympy.IndexedBase):
                if known[name].size is not None:
                    scalars[known[name].size] = sympy.Integer(len(value))
                entries.update({symbol[i]: sympy.sympify(entry) for i, entry in enumerate(value)})
            else:
                scalars[symbol] = sympy.sympify(value)
        sized = self[claim].right.subs({k: v for k, v in scalars.items() if k.is_integer})
        unrolled = sized.replace(lambda e: isinstance(e, sympy.Sum), unroll)
        return unrolled.subs({**scalars, **entries}, simultaneous=True)

    def latex(self, claim: str) -> str:
        """Typeset `claim` as an equation or inequality."""
        tex = {getattr(v.symbol, "label", v.symbol): v.tex for v in self.variables if v.tex}
        relation = {"=": "=", "<=": r"\le", ">=": r"\ge"}[self[claim].relation]
        printer = Latex({"symbol_names": tex})
        sides = [printer.doprint(side) for side in (self[claim].left, self[claim].right)]
        return f" {relation} ".join(sides)

    def mutants(self) -> Iterator[tuple[str, Statement]]:
        """Yield every (what was done, wrong statement), leaving out changes that change no value."""
        for claim in self.claims:
            changed = [(f"{claim.name}: {what}", expr) for what, expr in claim.mistakes.items()]
            changed += [(f"{claim.name}: {what}", expr) for what, expr in mutations(claim.right)]
            seen: set[sympy.Expr] = {claim.right}
            for what, expr in changed:
                if expr in seen:
                    continue
                seen.add(expr)
                wrong = replace(claim, right=expr, mistakes={})
                mutant = replace(self, claims=tuple(wrong if c is claim else c for c in self.claims))
                if self._differ(mutant, claim.name):
                    yield what, mutant

    def examples(self, count: int) -> list[dict[str, Any]]:
        """Draw `count` points of the hypothesis domain, the same ones each time."""
        generator = random.Random(0)
        return [{v.name: v.draw(generator) for v in self.variables} for _ in range(count)]

    def _known(self, values: Mapping[str, Any]) -> dict[str, Variable]:
        known = {v.name: v for v in self.variables}
        if unknown := set(values) - set(known):
            raise KeyError(f"the statement has the variables {sorted(known)}; got {sorted(unknown)}")
        return known

    def _differ(self, other: Statement, claim: str) -> bool:
        for point in self.examples(5):
            mine, theirs = self.value(claim, **point), other.value(claim, **point)
            if not np.allclose(mine, theirs, rtol=1e-9, atol=0.0):
                return True
        return False

    def _evaluate(self, claim: str, module: str, values: Mapping[str, Any]) -> Any:
        known = self._known(values)
        arguments: dict[Any, Any] = {}
        for name, value in values.items():
            arguments[known[name].symbol] = value
            if known[name].size is not None:
                arguments[known[name].size] = len(value)
        return _compiled(self[claim].right, tuple(arguments), module)(*arguments.values())


@dataclass(frozen=True, kw_only=True)
class Symbolic:
    """`left` equals `right` for all values of their symbols: the difference simplifies to zero.

    `sign` ("positive", "nonnegative") asks in addition that SymPy can derive this sign of `right`. `instance`
    names the special case covered; an instance illustrates the theorem and carries no part of its proof.
    """

    says: str
    left: Any
    right: Any
    sign: str = ""
    instance: str = ""
    by: Callable[[Any], Any] = sympy.simplify
    kind = "symbolic"

    def holds(self) -> bool:
        """Simplify the difference and look for zeros."""
        difference = sympy.sympify(self.left) - sympy.sympify(self.right)
        entries = list(difference) if isinstance(difference, sympy.MatrixBase) else [difference]
        signs = not self.sign or getattr(sympy.sympify(self.right), f"is_{self.sign}") is True
        if not signs or any(plainly_nonzero(e) for e in entries):
            return False
        return all(sympy.expand(e) == 0 or self.by(e) == 0 for e in entries)

    def same(self, other: Step) -> bool:
        """Whether `other` asks for the same identity."""
        return isinstance(other, Symbolic) and self.left == other.left and self.right == other.right


@dataclass(frozen=True, kw_only=True)
class Digits:
    """`left()` and `right()` agree to 50 digits in one instance, computed with mpmath."""

    says: str
    left: Callable[[], Any]
    right: Callable[[], Any]
    instance: str
    kind = "50 digits"

    def holds(self) -> bool:
        """Evaluate both sides with 15 guard digits and compare."""
        with mpmath.workdps(DIGITS + 15):
            left, right = self.left(), self.right()
            return bool(abs(left - right) <= mpmath.mpf(10) ** -DIGITS * max(1, abs(right)))


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A theorem already shown in another file."""

    says: str
    theorem: Theorem
    instance: str = ""
    kind = "earlier theorem"

    def holds(self) -> bool:
        """Ask for the other theorem's own status."""
        return self.theorem.report().holds


@dataclass(frozen=True, kw_only=True)
class Cited:
    """A result taken from the literature: `reference` is a key of docs/references.bib."""

    says: str
    reference: str
    locator: str
    instance: str = ""
    kind = "cited"

    def holds(self) -> bool:
        """Accept it: a citation is trusted, and shown as such."""
        return True


Step = Symbolic | Digits | Earlier | Cited


@dataclass(frozen=True, kw_only=True)
class Report:
    """The outcome of running a proof: one verdict a step and, from them, the status."""

    steps: tuple[Step, ...]
    verdicts: tuple[bool, ...]

    @property
    def holds(self) -> bool:
        """Whether every step passed."""
        return all(self.verdicts)

    @property
    def cited(self) -> tuple[Cited, ...]:
        """The citations this theorem rests on, its own and those of earlier theorems."""
        own = [s for s in self.steps if isinstance(s, Cited) and not s.instance]
        inherited = [c for s in self.steps if isinstance(s, Earlier) for c in s.theorem.report().cited]
        return tuple({(c.reference, c.locator): c for c in own + inherited}.values())

    @property
    def status(self) -> str:
        """`failed`, `checked` (resting on cited results) or `proved` (every step of the argument was run)."""
        if not self.holds:
            return "failed"
        return "checked" if self.cited else "proved"


@dataclass(frozen=True, kw_only=True, eq=False)
class Theorem:
    """A statement with its proof; `module` is the `__name__` of its file, whose docstring has the words."""

    module: str
    statement: Statement
    proof: Callable[[Statement], tuple[Step, ...]]

    @property
    def name(self) -> str:
        """The stem shared by the file, its test and its page."""
        return self.module.rpartition(".")[2]

    @property
    def words(self) -> str:
        """The docstring of the file."""
        return inspect.cleandoc(importlib.import_module(self.module).__doc__ or "")

    @functools.cached_property
    def steps(self) -> tuple[Step, ...]:
        """The proof of the statement as it stands."""
        return self.proof(self.statement)

    @property
    def rests_on(self) -> tuple[Theorem, ...]:
        """The earlier theorems named in the proof, each once."""
        return tuple(dict.fromkeys(s.theorem for s in self.steps if isinstance(s, Earlier)))

    def report(self) -> Report:
        """Run every step (once per process)."""
        return _run(self)

    def refutes(self, mutant: Statement) -> bool:
        """Whether some step of the proof fails when it is applied to `mutant`."""
        known = [s for s in self.steps if isinstance(s, Symbolic)]
        changed = [s for s in self.proof(mutant) if not any(k.same(s) for k in known)]
        return any(not step.holds() for step in sorted(changed, key=lambda s: s.kind == Digits.kind))


def catalogue() -> tuple[Theorem, ...]:
    """Import every theorem file beside this one and return the theorems, each after those it rests on."""
    stems = [m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if not m.name.startswith("_")]
    package = __name__.rpartition(".")[0]
    ordered: dict[Theorem, None] = {}

    def visit(theorem: Theorem) -> None:
        for earlier in theorem.rests_on:
            visit(earlier)
        ordered.setdefault(theorem)

    for stem in stems:
        visit(importlib.import_module(f"{package}.{stem}").theorem)
    return tuple(ordered)


@functools.cache
def _run(theorem: Theorem) -> Report:
    return Report(steps=theorem.steps, verdicts=tuple(step.holds() for step in theorem.steps))


@functools.lru_cache(maxsize=4096)
def _compiled(expr: sympy.Expr, arguments: Sequence[Any], module: str) -> Callable[..., Any]:
    return sympy.lambdify(arguments, expr, module)
