"""Independent scales move in lock-step: no order is preferred, and taking turns costs up to K times as much.

If the scales are independent, each observed through its own channel, information and cost are sums over
scales. In a step all of them may move at once, so the best path gives every scale its own best schedule, for
every number of steps. Moving one scale at a time, the best split of n steps gives each scale a share in
proportion to its length.

Why it matters: an orthogonal representation does not ask for an L-shaped, coarse-first path as far as
discretisation is concerned. With K scales of equal length a staged path needs K times as many steps. A staged
path wins only where a coarse step is cheaper to compute.

The scales need not be Gaussian; independence is all that is used. L_k is the length of scale k alone, the
integral of √(E‖Φ_kk‖²/2) over g_k, which holds the steps of the limit n → ∞. The first claim holds for every
n.
"""

import sympy

from lift_theory.theorems import bregman_path_kl
from lift_theory.theorems._theorem import Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

k = sympy.Symbol("k", integer=True)
scales, count = sympy.symbols("K count", integer=True, positive=True)
part, length = sympy.IndexedBase("part"), sympy.IndexedBase("length")
LIMIT = r"\lim_{n\to\infty} n\, C_n^{\mathrm{%s}}"

statement = Statement(
    claims=(
        Claim(name="cost", left=sympy.Symbol("C_n"), right=sympy.Sum(part[k], (k, 0, scales - 1))),
        Claim(
            name="lockstep",
            left=sympy.Symbol(LIMIT % "lockstep"),
            right=sympy.Sum(length[k] ** 2, (k, 0, scales - 1)) / 2,
        ),
        Claim(
            name="staged",
            left=sympy.Symbol(LIMIT % "staged"),
            right=sympy.Sum(length[k], (k, 0, scales - 1)) ** 2 / 2,
        ),
        Claim(
            name="penalty",
            left=sympy.Symbol(r"\lim_{n\to\infty} C_n^{\mathrm{staged}} / C_n^{\mathrm{lockstep}}"),
            right=count,
            relation="<=",
        ),
    ),
    variables=(
        Variable(
            symbol=part,
            size=scales,
            tex=r"C_n^{\mathrm{alone}}",
            meaning="best n-step cost of every scale alone",
        ),
        Variable(symbol=length, size=scales, tex="L", meaning="length of every scale alone, √nats"),
        Variable(symbol=count, tex="K", low=1, high=6, meaning="number of scales"),
    ),
    assumptions=(
        "The coefficients y_k = A_k x of different scales are independent, and determine x (Gaussian "
        "data in an orthonormal basis of eigenvectors, for example).",
        "Every step is one call of the network, however many scales it moves. The ends of every scale "
        "are fixed.",
        "Lock-step: all scales may move in every step. Staged: one after the other, with the best "
        "split of the n steps. The penalty is at least 1, and is K for scales of equal length.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Add up independent scales, then split the steps by completing squares."""
    a, b, n, m = sympy.symbols("L_a L_b n m", positive=True)  # m of the n steps go to scale a
    x, y, z = sympy.symbols("L_1 L_2 L_3", positive=True)
    steps, errors, gains = (
        sympy.symbols(f"{name}_1 {name}_2", positive=True) for name in ("dg", "mmse", "dI")
    )
    step = bregman_path_kl.statement.expression
    best = (a / (a + b)) * n
    lock = [statement.expression("lockstep", length=lengths) for lengths in ([x], [x, y], [x, y, z])]
    staged = [statement.expression("staged", length=lengths) for lengths in ([x], [x, y], [x, y, z])]
    joint = sympy.symbols("C_1:4", positive=True)
    return (
        Earlier(
            says="A step costs half of Σ Δg_k mmse_k minus the information gained.",
            theorem=bregman_path_kl.theorem,
        ),
        Symbolic(
            says="Independent scales: the posterior factorises, so mmse_k depends on g_k alone and "
            "information adds up. A joint step costs the sum of the steps of its scales.",
            left=step("step", increment=steps, mmse=errors, gain=sum(gains)),
            right=sum(
                step("step", increment=[dg], mmse=[e], gain=gain)
                for dg, e, gain in zip(steps, errors, gains, strict=True)
            ),
        ),
        Symbolic(
            says="No scale constrains another, so the best joint path is the best path of each scale, "
            "at the sum of their costs.",
            left=sum(joint),
            right=statement.expression("cost", part=joint),
        ),
        Symbolic(
            says="Each scale alone costs L_k²/2n to leading order; lock-step adds them up.",
            left=sum(step("many_steps", length=one) for one in (x, y, z)),
            right=lock[2],
        ),
        Symbolic(
            says="Staged, two scales: with m steps for the first the excess over (L_a + L_b)²/2 is a "
            "square, zero for m/n = L_a/(L_a + L_b).",
            left=n * (step("many_steps", length=a) / m + step("many_steps", length=b) / (n - m))
            - statement.expression("staged", length=[a, b]),
            right=((a * (n - m) - b * m) ** 2) / (2 * m * (n - m)),
        ),
        Symbolic(
            says="That split is attained.",
            left=n * (step("many_steps", length=a) / best + step("many_steps", length=b) / (n - best)),
            right=statement.expression("staged", length=[a, b]),
        ),
        Symbolic(
            says="More scales by induction: scales already staged act as one scale of length L_1 + L_2.",
            left=statement.expression("staged", length=[x + y, z]),
            right=staged[2],
        ),
        Symbolic(
            says="One scale: staging is nothing special. Several: the difference to lock-step is a sum "
            "of products of lengths.",
            left=sympy.Matrix([staged[0] - lock[0], staged[2] - lock[2]]),
            right=sympy.Matrix([0, x * y + y * z + x * z]),
        ),
        Symbolic(
            says="K times lock-step minus staged is a sum of squares Σ (L_k − L_l)²/2 over pairs "
            "(Cauchy-Schwarz; three scales written out).",
            left=statement.expression("penalty", count=3) * lock[2] - staged[2],
            right=((x - y) ** 2 + (y - z) ** 2 + (x - z) ** 2) / 2,
        ),
        Symbolic(
            says="Equal lengths attain it.",
            left=(staged[1] / lock[1]).subs(y, x),
            right=statement.expression("penalty", count=2),
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
