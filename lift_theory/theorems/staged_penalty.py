"""Taking turns costs at most K times as much for Gaussian data, and between scalar scales the order is free.

Let the scales be revealed one after the other, in any order, dependent or not. If each of the K stages may follow its
own shortest way between the posteriors at its ends, the lengths of the stages satisfy Σ L_k² ≤ L², where L is the
shortest length between the first and the last posterior of any linear representation. So the best split of the steps
costs at most K times what any path costs, in the limit of many steps. Independent scales of equal length attain it.

For scalar scales a stage is its own shortest way, since it changes the precision in one direction only. Its length is
√2 times the information it gains. Information adds up to the same amount in any order, so every order costs the same
to leading order: I²/n nats. Against any path that is at most (Σ log r_j)²/Σ log² r_j times as much, where r_j are the
eigenvalues of P_0⁻¹P_n: at most the number of them that are not 1, which is at most K.

Why it matters: "staging costs up to K times as much" is not a matter of independence. Dependent scales, such as those
of a pyramid, are by themselves no reason for an order.

What it does not say: a scale of many coefficients that move by one clock is not on its shortest way, and then the
bound can fail. Let scale 1 observe modes W and U and scale 2 modes U and V, all of prior variance 1, with one mode in W
and 16 each in U and V; scale 1 sees U with e⁻³⁰ of its signal-to-noise ratio. From log-SNR −8 to 40 and 10, scale 1
first costs more than 2.3 times as much as both together, which go up to 0 at one pace and on at the paces 4 : 1.
Against the floor of all representations a single clock can lose any factor: it takes (1 + log T)²/(1 + 2 log T) times
the cost in the limit of long ranges, if a share of x⁻² of the modes still moves in the last x units of log-SNR, for x
from 1 to T, and none does longer. Nor does the bound hold for laws that are not Gaussian (see the chapter).
"""

import sympy

from lift_theory.theorems import anisotropic_floor, gaussian_information, orthogonal_separability
from lift_theory.theorems._theorem import Cited, Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

k, j = sympy.symbols("k j", integer=True)
scales, dimension, count = sympy.symbols("K d count", integer=True, positive=True)
increment, error, information = sympy.symbols("dg mmse gain", positive=True)
length, ratio = sympy.IndexedBase("length"), sympy.IndexedBase("ratio")
LIMIT = r"\lim_{n\to\infty} %s"

statement = Statement(
    claims=(
        Claim(
            name="stage",
            left=sympy.Symbol("L_k"),
            right=sympy.log(1 + increment * error) / sympy.sqrt(2),
        ),
        Claim(
            name="any_order",
            left=sympy.Symbol(LIMIT % r"n\, C_n^{\mathrm{staged}}"),
            right=information**2,
        ),
        Claim(
            name="scalar_penalty",
            left=sympy.Symbol(LIMIT % r"C_n^{\mathrm{staged}} / C_n^{\mathrm{best}}"),
            right=sympy.Sum(sympy.log(ratio[j]), (j, 0, dimension - 1)) ** 2
            / sympy.Sum(sympy.log(ratio[j]) ** 2, (j, 0, dimension - 1)),
            relation="<=",
        ),
        Claim(
            name="squares",
            left=sympy.Symbol("L^2"),
            right=sympy.Sum(length[k] ** 2, (k, 0, scales - 1)),
            relation=">=",
        ),
        Claim(
            name="penalty",
            left=sympy.Symbol(LIMIT % r"C_n^{\mathrm{staged}} / C_n^{\mathrm{best}}"),
            right=count,
            relation="<=",
        ),
    ),
    variables=(
        Variable(
            symbol=increment, tex=r"\Delta g_k", meaning="gain of a scalar scale in signal-to-noise ratio"
        ),
        Variable(
            symbol=error,
            tex=r"\mathrm{mmse}_k",
            meaning="posterior variance of its coefficient at the beginning of its stage",
        ),
        Variable(symbol=information, tex=r"\Delta I", meaning="information gained from first to last, nats"),
        Variable(
            symbol=ratio,
            size=dimension,
            tex="r",
            low=1.1,
            high=1e3,
            meaning="generalised eigenvalues of the last posterior precision relative to the first",
        ),
        Variable(
            symbol=length,
            size=scales,
            tex="L",
            meaning="shortest length between the posteriors at the two ends of a stage, √nats",
        ),
        Variable(symbol=count, tex="K", low=1, high=6, meaning="number of scales"),
    ),
    assumptions=(
        "Gaussian data, any linear scales, dependent or not; each is revealed in one stage, in any order, while the "
        "others stand still. Staged: the best split of the n steps over the stages.",
        "C_n of the best is the least cost of n steps between the same two posteriors; L is the shortest length "
        "between them in the metric ½ tr(P⁻¹dP)², so that n C_n → L²/2 or more.",
        "stage, any_order, scalar_penalty: every scale has one coefficient. Not all r_j are 1.",
        "squares, penalty: scales of any size, if every stage may follow its own shortest way, one clock for each "
        "eigenmode of what it reveals.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Add up information for scalar scales; for others, compare the metric with a flat one in logarithms."""
    g, v, n, h, t = sympy.symbols("g v n h t", positive=True)
    r = sympy.symbols("r_1:4", positive=True)
    x = sympy.symbols("x_1:4", nonnegative=True)
    a, b, c = sympy.symbols("L_1:4", positive=True)
    p, q = sympy.symbols("p:4", real=True), sympy.symbols("q:4", real=True)
    gain = gaussian_information.statement.expression
    staged = orthogonal_separability.statement.expression
    floor = anisotropic_floor.statement.expression("quadratic", ratio=r, n=n)
    stages = [gain("general", eigenvalue=[e]) for e in sympy.symbols("e_1:4", positive=True)]
    exact = statement.expression("stage", dg=increment, mmse=error)
    minus, plus = (
        -sympy.Matrix(2, 2, p) * sympy.Matrix(2, 2, p).T,
        sympy.Matrix(2, 2, q) * sympy.Matrix(2, 2, q).T,
    )
    across = sympy.Matrix(2, 2, p).T * sympy.Matrix(2, 2, q)

    return (
        Earlier(says="The information is ½ log det(S P).", theorem=gaussian_information.theorem),
        Symbolic(
            says="A scalar scale of posterior variance v has the speed v/(1 + gv)/√2 per unit of g after a gain of g: "
            "½ tr(P⁻¹dP)² with a dP of rank one.",
            left=sympy.diff(statement.expression("stage", dg=g, mmse=v), g),
            right=v / (1 + g * v) / sympy.sqrt(2),
        ),
        Symbolic(
            says="It starts from nothing.",
            left=statement.expression("stage", dg=0, mmse=v),
            right=0,
        ),
        Symbolic(
            says="One eigenvalue of P_0⁻¹P_n moves, by 1 + Δg v, so that this is the shortest length, √(½ Σ log² r_j).",
            left=exact**2,
            right=2
            * n
            * anisotropic_floor.statement.expression("quadratic", ratio=[1 + increment * error], n=n),
        ),
        Symbolic(
            says="And it is √2 times the information gained.",
            left=exact,
            right=sympy.sqrt(2) * gain("general", eigenvalue=[increment * error]),
        ),
        Earlier(
            says="The best split of n steps over stages of lengths L_k costs (Σ L_k)²/2n to leading order, a "
            "property of the split alone.",
            theorem=orthogonal_separability.theorem,
        ),
        Symbolic(
            says="Stages of lengths √2 ΔI_k thus cost (Σ ΔI_k)²/n, and the sum is the information between the ends, "
            "whatever the order. Three stages.",
            left=staged("staged", length=[sympy.sqrt(2) * s for s in stages]),
            right=statement.expression("any_order", gain=sum(stages)),
        ),
        Earlier(
            says="Every path of n steps of every representation costs at least Σ log²(r_j)/4n.",
            theorem=anisotropic_floor.theorem,
        ),
        Symbolic(
            says="The information between the ends is ½ Σ log r_j. Divide its square over n by the floor.",
            left=statement.expression("any_order", gain=sum(sympy.log(one) for one in r) / 2) / (n * floor),
            right=statement.expression("scalar_penalty", ratio=r),
        ),
        Symbolic(
            says="With x_j = log r_j ≥ 0, as P_n ≥ P_0, the number of directions times Σx² exceeds (Σx)² by a sum of "
            "squares (three written): the ratio is at most the number of x_j that are not 0, the rank of P_n − P_0.",
            left=3 * sum(one**2 for one in x)
            - statement.expression("scalar_penalty", ratio=[sympy.exp(one) for one in x])
            * sum(one**2 for one in x),
            right=(x[0] - x[1]) ** 2 + (x[0] - x[2]) ** 2 + (x[1] - x[2]) ** 2,
        ),
        Symbolic(
            says="Larger scales. In logarithms P = exp(H) the metric is at least the flat one. To first order in a "
            "change K of H, P^(-1/2) dP P^(-1/2) is ∫ exp((s − ½)H) K exp((½ − s)H) ds over s from 0 to 1. In "
            "eigenvectors of H each entry of K is multiplied by sinh(δ)/δ, with δ half the difference of its two "
            "eigenvalues …",
            left=sympy.integrate(sympy.exp((t - sympy.Rational(1, 2)) * 2 * h), (t, 0, 1)),
            right=sympy.sinh(h) / h,
            by=lambda e: sympy.simplify(e.rewrite(sympy.exp)),
        ),
        Symbolic(
            says="… which is at least 1: sinh δ − δ is the integral of cosh − 1 = 2 sinh²(½·).",
            left=sympy.sinh(h) - h,
            right=sympy.integrate(sympy.cosh(t) - 1, (t, 0, h)),
        ),
        Cited(
            says="So distances grow under the exponential, δ(A, B) ≥ ‖log A − log B‖ (the exponential metric "
            "increasing property, with the derivative of the exponential that was used).",
            reference="bhatia2007",
            locator="Theorem 6.1.4, eq. 6.8",
        ),
        Symbolic(
            says="Take the posterior between two stages as the unit matrix, by a congruence, which changes no length. "
            "Before it A ≤ 1 and after it B ≥ 1, hence log A ≤ 0 ≤ log B and −tr(log A log B) is a squared norm. "
            "(By square roots and the cyclic trace in any dimension; two dimensions expanded.)",
            left=-(minus * plus).trace(),
            right=sum(entry**2 for entry in across),
            sign="nonnegative",
            by=sympy.expand,
        ),
        Symbolic(
            says="‖log A − log B‖² is ‖log A‖² + ‖log B‖² − 2 tr(log A log B), at least the sum of the two squares, "
            "which are those of the stages. Lengths are distances over √2.",
            left=((minus - plus) ** 2).trace() / 2
            - statement.expression("squares", length=[sympy.sqrt((m**2).trace() / 2) for m in (minus, plus)]),
            right=sum(entry**2 for entry in across),
            by=sympy.expand,
        ),
        Symbolic(
            says="More stages by induction: two stages act as one from which a third is split off.",
            left=statement.expression("squares", length=[sympy.sqrt(a**2 + b**2), c]),
            right=statement.expression("squares", length=[a, b, c]),
        ),
        Symbolic(
            says="K Σ L_k² exceeds (Σ L_k)² by a sum of squares (three written), so the staged cost over "
            "the best, (Σ L_k)² over L² or more, is at most K.",
            left=statement.expression("penalty", count=3) * statement.expression("squares", length=[a, b, c])
            - 2 * staged("staged", length=[a, b, c]),
            right=(a - b) ** 2 + (a - c) ** 2 + (b - c) ** 2,
        ),
        Symbolic(
            instance="two equal eigenvalues, each revealed by its own scalar scale",
            says="Both bounds are attained.",
            left=statement.expression("scalar_penalty", ratio=[r[0], r[0]]),
            right=statement.expression("penalty", count=2),
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
