"""No path of any linear representation costs less than one clock for every eigenmode.

Between two posterior precisions P_0 and P_n of Gaussian data, every chain of n steps pays at least

    (n/2) Σ_j φ(log(r_j)/n),    φ(u) = eᵘ − 1 − u,

where r_j are the eigenvalues of P_0⁻¹ P_n. One clock for every generalised eigenmode, advanced by equal
factors, pays exactly that.

Why it matters: this is the limit against which every scheme can be quoted, whatever its scales, clocks or
order. Continuous in n, it is the length in the affine-invariant (Fisher-Rao) metric ½ tr (P⁻¹ dP)² on
precisions.

A condition: the simpler bound Σ log²(r_j)/(4n) needs r_j ≥ 1, that is P_n ≥ P_0, which monotone paths have;
for u < 0 it fails, as φ(u) < u²/2 there. The sharper bound needs no such condition.
"""

import sympy

from lift_theory.theorems import bregman_path_kl, gaussian_information
from lift_theory.theorems._theorem import Cited, Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

j = sympy.Symbol("j", integer=True)
dimension = sympy.Symbol("d", integer=True, positive=True)
steps = sympy.Symbol("n", integer=True, positive=True)
ratio = sympy.IndexedBase("ratio")
COST = r"\textstyle\sum_{i=1}^{n} D(g_i, g_{i-1})"

statement = Statement(
    claims=(
        Claim(
            name="floor",
            left=sympy.Symbol(COST),
            right=steps
            * sympy.Sum(
                sympy.exp(sympy.log(ratio[j]) / steps, evaluate=False) - 1 - sympy.log(ratio[j]) / steps,
                (j, 0, dimension - 1),
            )
            / 2,
            relation=">=",
        ),
        Claim(
            name="quadratic",
            left=sympy.Symbol(COST),
            right=sympy.Sum(sympy.log(ratio[j]) ** 2, (j, 0, dimension - 1)) / (4 * steps),
            relation=">=",
        ),
    ),
    variables=(
        Variable(
            symbol=ratio,
            size=dimension,
            tex="r",
            low=1.0,
            high=1e3,
            meaning="generalised eigenvalues of the last posterior precision relative to the first",
        ),
        Variable(symbol=steps, low=1, high=40, meaning="number of steps"),
    ),
    assumptions=(
        "Gaussian data. P_i = S⁻¹ + Σ g_k A_k'A_k along the path, for any operators A_k, any number of "
        "scales; P_0 and P_n are fixed.",
        "The quadratic bound: r_j ≥ 1, as on every monotone path.",
        "The floor is attained by P_i = W diag(r_j^(i/n)) W', where P_0 = WW' and P_n = W diag(r) W'. "
        "The quadratic bound is attained in the limit of many steps.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Write a step in eigenvalues, majorise, and use that φ is convex."""
    u, t = sympy.symbols("u t", positive=True)
    real = sympy.Symbol("u", real=True)
    r_1, r_2 = sympy.symbols("r_1 r_2", positive=True)
    n = sympy.Symbol("n", integer=True, positive=True)
    precision, gained = sympy.symbols("p delta", positive=True)

    def phi(value: sympy.Expr) -> sympy.Expr:
        return sympy.exp(value) - 1 - value

    names = "P_0^{-1/2} P_1^{1/2} P_1^{-1/2} P_2^{1/2}"
    A_inv, B, B_inv, C = sympy.symbols(names, commutative=False)
    return (
        Earlier(
            says="A step costs half of Σ Δg_k mmse_k minus the information.", theorem=bregman_path_kl.theorem
        ),
        Earlier(
            says="For Gaussian data both are functions of the precision.",
            theorem=gaussian_information.theorem,
        ),
        Symbolic(
            says="Σ Δg_k mmse_k = tr(P⁻¹ΔP), and 2ΔI = log det(P⁻¹P'). In the eigenvalues ρ of P⁻¹P' a "
            "step costs ½ Σ φ(log ρ) (one eigenvalue written: Δg = δ against precision p, ρ = 1 + "
            "δ/p).",
            left=bregman_path_kl.statement.expression(
                "step",
                increment=[gained],
                mmse=[1 / precision],
                gain=gaussian_information.statement.expression("general", eigenvalue=[gained / precision]),
            ),
            right=phi(sympy.log(1 + gained / precision)) / 2,
        ),
        Symbolic(
            says="The factors P_i^(1/2) P_(i−1)^(-1/2), whose squared singular values are the ρ of "
            "step i, multiply to P_n^(1/2) P_0^(-1/2), whose squared singular values are the r_j.",
            left=((C * B_inv) * (B * A_inv)).subs(B_inv * B, 1),
            right=C * A_inv,
            by=sympy.expand,
        ),
        Cited(
            says="The logarithms of the singular values of a product are majorised by the sums of the "
            "sorted logarithms of its factors (Horn).",
            reference="marshall2011",
            locator="Theorem 9.H.1",
        ),
        Symbolic(
            says="φ is convex.", left=sympy.diff(phi(real), real, 2), right=sympy.exp(real), sign="positive"
        ),
        Cited(
            says="Majorised arguments have the smaller sum of a convex function (Schur; Hardy, "
            "Littlewood, Pólya), and the mean of φ over the n steps is at least φ of the mean. So "
            "Σ_i Σ_j φ(log ρ_ij) ≥ n Σ_j φ(log(r_j)/n).",
            reference="marshall2011",
            locator="Proposition 3.C.1",
        ),
        Symbolic(
            says="Half of that is the floor (two modes written out).",
            left=n * (phi(sympy.log(r_1) / n) + phi(sympy.log(r_2) / n)) / 2,
            right=statement.expression("floor", ratio=[r_1, r_2], n=n),
        ),
        Symbolic(
            says="Attained: with P_i = W diag(r^(i/n)) W' each of the n steps has ρ_j = r_j^(1/n).",
            left=n * sum(phi(sympy.log(r ** (1 / n))) / 2 for r in (r_1, r_2)),
            right=statement.expression("floor", ratio=[r_1, r_2], n=n),
        ),
        Symbolic(
            says="φ(u) − u²/2 is the integral of a positive function for u > 0 …",
            left=phi(u) - u**2 / 2,
            right=sympy.integrate((u - t) ** 2 / 2 * sympy.exp(t), (t, 0, u)),
        ),
        Symbolic(
            says="… so the floor lies above the quadratic bound, n(φ(u) − u²/2)/2 for every mode with "
            "u = log(r_j)/n.",
            left=statement.expression("floor", ratio=[sympy.exp(n * u)], n=n)
            - statement.expression("quadratic", ratio=[sympy.exp(n * u)], n=n),
            right=n * (phi(u) - u**2 / 2) / 2,
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
