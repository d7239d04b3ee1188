"""What theorems do to SymPy expressions: break them, unroll sums, spot what is far from zero, typeset."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy.printing.latex import LatexPrinter


def unroll(total: sympy.Sum) -> sympy.Expr:
    """Write a sum over integers term by term; leave one of symbolic length alone."""
    index, first, last = total.limits[0]
    if not (first.is_Integer and last.is_Integer):
        return total
    return sympy.Add(*(total.function.subs(index, i) for i in range(int(first), int(last) + 1)))


def plainly_nonzero(expr: sympy.Expr) -> bool:
    """Whether a difference is far from zero at one point: spares the simplification of what is wrong."""
    if (
        expr.has(sympy.core.function.AppliedUndef, sympy.Derivative, sympy.Integral)
        or not expr.is_commutative
    ):
        return False
    integers = [s for s in expr.free_symbols if isinstance(s, sympy.Symbol) and s.is_integer]
    expr = expr.subs({s: 2 + i for i, s in enumerate(sorted(integers, key=str))})
    expr = expr.replace(lambda e: isinstance(e, sympy.Sum), unroll)
    unknown = sorted(expr.atoms(sympy.Symbol, sympy.Indexed), key=str)
    value = expr.subs({s: sympy.Rational(7 + 4 * i, 11 + i) for i, s in enumerate(unknown)}).evalf(30)
    return bool(value.is_number and abs(value) > sympy.Float("1e-10"))


class Latex(LatexPrinter):
    """Print sums with their negative terms last."""

    def _as_ordered_terms(self, expr: sympy.Expr, order: str | None = None) -> list[sympy.Expr]:
        terms = super()._as_ordered_terms(expr, order=order)
        return sorted(terms, key=lambda term: bool(term.could_extract_minus_sign()))


def mutations(expr: sympy.Expr) -> Iterator[tuple[str, sympy.Expr]]:
    """Yield (what, wrong): the whole doubled or negated, a term dropped or doubled, a power dropped."""
    yield "doubled", 2 * expr
    yield "negated", -expr
    for node in _nodes(expr):
        changes: list[tuple[str, sympy.Expr]] = []
        if isinstance(node, sympy.Add):
            for term in node.args:
                changes += [
                    (f"drops {term}", node - term),
                    (f"doubles {term}", node + term),
                    (f"negates {term}", node - 2 * term),
                ]
        elif isinstance(node, sympy.Pow) and node.exp.is_number and node.exp not in (-1, 1):
            changes.append((f"{node} becomes {node.base}", node.base))
        for what, new in changes:
            yield what, expr.xreplace({node: new})


def _nodes(expr: sympy.Basic) -> Iterator[sympy.Basic]:
    """Walk the tree, but not into the limits of sums and integrals nor into indices."""
    yield expr
    if isinstance(expr, sympy.Indexed):
        return
    bounded = isinstance(expr, (sympy.Sum, sympy.Product, sympy.Integral))
    for argument in expr.args[:1] if bounded else expr.args:
        yield from _nodes(argument)
