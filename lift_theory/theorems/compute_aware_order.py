"""Coarse first pays if coarse steps are cheap, and then best for a part of the way.

Let a full step cost one unit of compute and a step that moves only the coarse scale a fraction κ. For
independent scales of lengths L_L and L_H the best use of compute C is, to leading order in the number of
steps,

    one scale after the other   (√κ L_L + L_H)² / 2C
    lock-step                   (L_L² + L_H²) / 2C
    coarse alone, then both     (√κ L_L + √(1 − κ) L_H)² / 2C     if κ ≤ L_L² / (L_L² + L_H²).

Going all the way with the coarse scale first beats lock-step below a price, √κ < (√(L_L² + L_H²) − L_H)/L_L.
But the last line is never worse than either: a full step that leaves the coarse scale where it is wastes
what it could have moved for nothing. Up to its own, higher price some cheap coarse steps always pay; beyond
it none does.

Why it matters: what makes "coarse first" rational is a cheap coarse step, not guidance. An L-shaped path is
then still not the best: the coarse scale should lead and go on moving.

What it does not say: with independent scales the order of cheap and full steps changes nothing, only their
numbers do. And a step must be priced as the network runs it: a network that sees both scales in full
resolution in every step has κ = 1.
"""

import sympy

from lift_theory.theorems import bregman_path_kl, orthogonal_separability
from lift_theory.theorems._theorem import Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

coarse, fine = sympy.symbols("L_L L_H", positive=True)
price = sympy.Symbol("kappa", positive=True)
LIMIT = r"\lim_{C\to\infty} C\, D_C^{\mathrm{%s}}"

statement = Statement(
    claims=(
        Claim(
            name="staged",
            left=sympy.Symbol(LIMIT % "staged"),
            right=(sympy.sqrt(price) * coarse + fine) ** 2 / 2,
            mistakes={"priced by the step, not its root": (price * coarse + fine) ** 2 / 2},
        ),
        Claim(name="lockstep", left=sympy.Symbol(LIMIT % "lockstep"), right=(coarse**2 + fine**2) / 2),
        Claim(
            name="break_even",
            left=sympy.Symbol(r"\sqrt{\kappa_{\mathrm{staged} = \mathrm{lockstep}}}"),
            right=(sympy.sqrt(coarse**2 + fine**2) - fine) / coarse,
        ),
        Claim(
            name="mixed",
            left=sympy.Symbol(LIMIT % "mixed"),
            right=(sympy.sqrt(price) * coarse + sympy.sqrt(1 - price) * fine) ** 2 / 2,
        ),
        Claim(
            name="worth",
            left=sympy.Symbol(r"\kappa_{\mathrm{mixed} = \mathrm{lockstep}}"),
            right=coarse**2 / (coarse**2 + fine**2),
        ),
    ),
    variables=(
        Variable(symbol=coarse, meaning="length of the coarse scale alone, √nats"),
        Variable(symbol=fine, meaning="length of the fine scale alone, √nats"),
        Variable(
            symbol=price,
            tex=r"\kappa",
            low=0.01,
            high=0.99,
            meaning="compute of a step that moves only the coarse scale, in full steps",
        ),
    ),
    assumptions=(
        "Two independent scales, each with fixed ends and its own optimal schedule; 0 < κ < 1. A step that "
        "moves the fine scale costs 1, whether or not the coarse scale moves with it.",
        "C → ∞ at fixed κ, and with it the number of steps of each kind; step counts are whole numbers.",
        "D_C is the discretisation error in nats of the best path within compute C. Staged: each step "
        "moves one scale. Lock-step: full steps only.",
        "Mixed: cheap coarse steps and full steps in any number and order. The claim holds for κ up to "
        "the price of the last claim; above it the best mixture is lock-step.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Split the compute by completing squares (Cauchy-Schwarz), then compare the best splits."""
    cheap, full = sympy.symbols("n_L n_H", positive=True)  # steps that move the coarse, the fine scale
    root, rest = sympy.sqrt(price), sympy.sqrt(1 - price)
    many = bregman_path_kl.statement.expression
    errors = many("many_steps", length=coarse) / cheap + many("many_steps", length=fine) / full
    staged, lockstep, mixed = (statement.expression(name) for name in ("staged", "lockstep", "mixed"))
    staged_split = {cheap: coarse / root, full: fine}
    mixed_split = {cheap: coarse / root, full: fine / rest}
    multiplier, compute = sympy.symbols("mu C", positive=True)
    lagrangian = errors + multiplier * (price * cheap + full - compute)
    # the point where the Lagrangian is stationary, with √(2μ) as the unit of the step counts
    stationary = {side: steps / sympy.sqrt(2 * multiplier) for side, steps in staged_split.items()}
    worth = statement.expression("worth")

    return (
        Earlier(
            says="Independent scales add their errors; n steps of a scale cost L²/2n to leading order, and "
            "in lock-step both scales take every step.",
            theorem=orthogonal_separability.theorem,
        ),
        Symbolic(
            says="Lock-step buys C steps of each scale.",
            left=compute * errors.subs({cheap: compute, full: compute}),
            right=lockstep,
        ),
        Symbolic(
            says="Staged, n_L cheap and n_H full steps use κ n_L + n_H of compute. Errors times compute "
            "exceed the statement by a square: no split is better.",
            left=errors * (price * cheap + full) - staged,
            right=(full * coarse - root * cheap * fine) ** 2 / (2 * cheap * full),
            sign="nonnegative",
        ),
        Symbolic(
            says="The split n_L : n_H = L_L/√κ : L_H attains it.",
            left=(errors * (price * cheap + full)).subs(staged_split),
            right=staged,
        ),
        Symbolic(
            says="Lagrange finds the same split: there the errors fall at the rate μ per unit of compute, "
            "for either kind of step.",
            left=sympy.Matrix([sympy.diff(lagrangian, side) for side in (cheap, full)]).subs(stationary),
            right=sympy.zeros(2, 1),
        ),
        Symbolic(
            says="Staged and lock-step are equal at the price of the statement; staged grows with κ, so "
            "it pays below.",
            left=staged.subs(root, statement.expression("break_even")),
            right=lockstep,
        ),
        Symbolic(
            says="There always is such a price, and its root is below 1.",
            left=statement.expression("break_even"),
            right=coarse / (sympy.sqrt(coarse**2 + fine**2) + fine),
            sign="positive",
        ),
        Symbolic(
            says="Mixed: a full step may move the coarse scale too, at no extra price. With n_L steps that "
            "move it and n_H full ones among them, compute is κ (n_L − n_H) + n_H = κ n_L + (1 − κ) "
            "n_H: the same problem with other prices.",
            left=price * (cheap - full) + full,
            right=price * cheap + (1 - price) * full,
        ),
        Symbolic(
            says="Again errors times compute exceed the statement by a square.",
            left=errors * (price * cheap + (1 - price) * full) - mixed,
            right=(root * fine * cheap - rest * coarse * full) ** 2 / (2 * cheap * full),
        ),
        Symbolic(
            says="The split n_L : n_H = L_L/√κ : L_H/√(1 − κ) attains it. It needs n_L ≥ n_H, that is κ up "
            "to the price of the last claim, where n_L = n_H (lock-step).",
            left=sympy.Matrix(
                [
                    (errors * (price * cheap + (1 - price) * full)).subs(mixed_split) - mixed,
                    ((cheap / full) ** 2).subs(mixed_split).subs(price, worth),
                ]
            ),
            right=sympy.Matrix([0, 1]),
        ),
        Symbolic(
            says="Lock-step exceeds mixed by a square that vanishes at that price only …",
            left=lockstep - mixed,
            right=(rest * coarse - root * fine) ** 2 / 2,
        ),
        Symbolic(
            says="… which is where the two costs meet.",
            left=mixed.subs(price, worth),
            right=lockstep,
        ),
        Symbolic(
            says="Staged exceeds mixed for every price, since √(1 − κ) < 1.",
            left=2 * (staged - mixed),
            right=2 * root * (1 - rest) * coarse * fine + price * fine**2,
        ),
        Symbolic(
            instance="scales of equal length",
            says="Staging pays below κ = 3 − 2√2 ≈ 0.17, cheap steps below κ = ½.",
            left=sympy.Matrix(
                [
                    statement.expression("break_even", L_L=fine) ** 2,
                    statement.expression("worth", L_L=fine),
                ]
            ),
            right=sympy.Matrix([3 - 2 * sympy.sqrt(2), sympy.Rational(1, 2)]),
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
