"""For a single variance the best schedules are explicit, and different objectives want very different ones.

The path cost of ancestral sampling is least when every step gains the same information, uniform in log(1 + c
g). The spread of the samples of deterministic sampling (DDIM) is best when every step turns by the same
angle, uniform in arctan(σ/√c).

Why it matters: these are the exact solutions against which every optimiser can be tested. They also warn: the
first schedule keeps stepping evenly in log-noise down to the smallest noise, the second rushes through both
ends. There is no objective that is "the" one.
"""

import sympy

from lift_theory.theorems import bregman_path_kl, gaussian_information
from lift_theory.theorems._theorem import Cited, Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

length, angle = sympy.symbols("length angle", positive=True)
steps = sympy.Symbol("n", integer=True, positive=True)

statement = Statement(
    claims=(
        Claim(
            name="path_kl",
            left=sympy.Symbol(r"\min_{g_0 \le \dots \le g_n} \textstyle\sum_{i=1}^{n} D(g_i, g_{i-1})"),
            right=steps * (sympy.exp(length / steps) - 1) / 2 - length / 2,
        ),
        Claim(
            name="spread",
            left=sympy.Symbol(
                r"\max_{\sigma_0 \ge \dots \ge \sigma_n} \mathrm{std}(\text{output}) / \mathrm{std}(\text{true})"
            ),
            right=sympy.cos(angle / steps) ** steps,
        ),
    ),
    variables=(
        Variable(symbol=length, tex="L", low=0.05, high=20, meaning="log of (1 + c g_n) / (1 + c g_0)"),
        Variable(
            symbol=angle,
            tex="A",
            low=0.05,
            high=1.5,
            meaning="arctan(σ_0/√c) − arctan(σ_n/√c), between 0 and π/2",
        ),
        Variable(symbol=steps, low=1, high=40, meaning="number of steps"),
    ),
    assumptions=(
        "One Gaussian coefficient of variance c, or many with the same c (then the cost is per "
        "coefficient). Fixed ends.",
        "DDIM: z' = D + (σ'/σ)(z − D) from the exact law at σ_0, compared with the exact law at σ_n. "
        "Every output is narrower than the truth, so the largest ratio is best for the divergence and "
        "for the Wasserstein distance alike.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Both totals are sums of a convex function of the steps; equal steps are best."""
    c, s, snext = sympy.symbols("c sigma sigma'", positive=True)
    n = sympy.Symbol("n", integer=True, positive=True)
    a = sympy.Symbol("a", real=True)
    x, y, u = sympy.symbols("x y u", real=True)
    phi = sympy.exp(u) - 1 - u
    denoiser = c / (c + s**2)
    gain = denoiser + snext / s * (1 - denoiser)  # z' = gain z
    cosine = (1 + s * snext / c) / sympy.sqrt((1 + s**2 / c) * (1 + snext**2 / c))
    return (
        Earlier(says="A step costs half of Δg mmse minus the information.", theorem=bregman_path_kl.theorem),
        Earlier(says="The information of one mode is ½ log(1 + c g).", theorem=gaussian_information.theorem),
        Symbolic(
            says="A step that multiplies 1 + c g by exp(u) costs φ(u)/2, with φ(u) = exp(u) − 1 − u.",
            left=bregman_path_kl.statement.expression(
                "step",
                increment=[sympy.exp(u) - 1],
                mmse=[1],
                gain=gaussian_information.statement.expression("general", eigenvalue=[sympy.exp(u) - 1]),
            ),
            right=phi / 2,
        ),
        Symbolic(
            says="φ is convex, so n steps of total length L cost least when they are equal.",
            left=sympy.diff(phi, u, 2),
            right=sympy.exp(u),
            sign="positive",
        ),
        Symbolic(
            says="n equal steps.",
            left=n * phi.subs(u, length / n) / 2,
            right=statement.expression("path_kl", n=n),
        ),
        Symbolic(
            says="A DDIM step multiplies std(output)/std(true) by this number …",
            left=gain * sympy.sqrt(c + s**2) / sympy.sqrt(c + snext**2),
            right=cosine,
        ),
        Symbolic(
            says="… which is cos(a − a'), a = arctan(σ/√c).",
            left=cosine.subs({s: sympy.sqrt(c) * x, snext: sympy.sqrt(c) * y}),
            right=sympy.expand_trig(sympy.cos(sympy.atan(x) - sympy.atan(y))),
        ),
        Symbolic(
            says="log cos is concave: its second derivative is −1/cos². So for a fixed total angle "
            "equal angles give the largest product.",
            left=-sympy.diff(sympy.log(sympy.cos(a)), a, 2),
            right=1 / sympy.cos(a) ** 2,
        ),
        Symbolic(
            says="n equal angles.",
            left=sympy.Product(sympy.cos(angle / n), (sympy.Symbol("i"), 1, n)).doit(),
            right=statement.expression("spread", n=n),
        ),
        Cited(
            says="The arctan law, derived there for the Euler discretisation of the probability flow.",
            reference="sabour2024",
            locator="Theorem 3.1",
            instance="published result",
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
