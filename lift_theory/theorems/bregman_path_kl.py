"""A step of ancestral sampling costs the Bregman divergence of the negative information.

Ancestral sampling puts the posterior mean where the unknown clean data stands in the Gaussian bridge between
two noise levels. The law of the next, cleaner state is then slightly wrong. Averaged over the states it is
wrong by exactly

    half the denoising errors, weighted by the steps in signal-to-noise ratio, minus the information gained,

for every law of the data and every number of scales. Since half the denoising error is the slope of the
information, this is the gap between the information and its tangent: a left Riemann sum of a gradient field,
minus its integral.

Why it matters: a whole path costs the sum of its steps, and that sum bounds the Kullback-Leibler divergence
of the samples from above. It needs denoising losses at single noise levels only, never pairs of them. Small
steps cost half the squared length in the metric −d²I, so n steps cost at least L²/2n to leading order, where
L is the length of the shortest path.

How the proof goes: knowing x, the bridge has the same variance for truth and sampler, so their divergence is
a squared distance. That charges the sampler for not knowing x, which the true transition does not know
either; the amount to be refunded is I(x; z' | z).
"""

import sympy

from lift_theory.theorems import i_mmse_gradient, mutual_information_hessian
from lift_theory.theorems._theorem import Cited, Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

k = sympy.Symbol("k", integer=True)
scales = sympy.Symbol("K", integer=True, positive=True)
increment, mmse = sympy.IndexedBase("increment"), sympy.IndexedBase("mmse")
gain, form, length = sympy.symbols("gain form length", positive=True)

statement = Statement(
    claims=(
        Claim(
            name="step",
            left=sympy.Symbol(r"D(g', g)"),
            right=sympy.Sum(increment[k] * mmse[k], (k, 0, scales - 1)) / 2 - gain,
            mistakes={
                "full instead of half error": sympy.Sum(increment[k] * mmse[k], (k, 0, scales - 1)) - gain
            },
        ),
        Claim(
            name="small_step",
            left=sympy.Symbol(r"\lim_{\epsilon\to 0} \epsilon^{-2} D(g + \epsilon v, g)"),
            right=form / 2,
        ),
        Claim(
            name="many_steps",
            left=sympy.Symbol(
                r"\lim_{n\to\infty} n \min_{g_0 \le \dots \le g_n} \textstyle\sum_{i=1}^{n} D(g_i, g_{i-1})"
            ),
            right=length**2 / 2,
        ),
    ),
    variables=(
        Variable(symbol=increment, size=scales, tex=r"\Delta g", meaning="step g'_k − g_k of every scale"),
        Variable(
            symbol=mmse,
            size=scales,
            tex=r"\mathrm{mmse}",
            meaning="denoising error of every scale at the start g",
        ),
        Variable(symbol=gain, tex=r"[I(g') - I(g)]", meaning="information gained over the step, in nats"),
        Variable(
            symbol=form,
            tex=r"v^\top(-\partial^2 I)\,v",
            meaning="the metric at g, applied twice to the direction v",
        ),
        Variable(
            symbol=length,
            tex="L",
            meaning="length of the shortest monotone path between fixed ends in this metric",
        ),
    ),
    assumptions=(
        "Any law of the data with finite second moments; z_k = A_k x + g_k^(-1/2) e_k with independent "
        "white noise.",
        "Along a path the same noise is refined: z given z' does not depend on x, and g' ≥ g in every scale.",
        "The sampler uses the exact posterior mean and the bridge's own variance (in other terms: "
        "small-variance DDPM, or stochastic DDIM with eta = 1); D is its Kullback-Leibler divergence "
        "from the true transition z → z', averaged over z.",
        "For whole paths: the first state has its exact law; the ends are fixed, and the information "
        "is smooth there.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Compute the cost given x, refund what nobody can know, then expand for small steps."""
    a, b = sympy.symbols("a b", positive=True)  # noise variances 1/g' and 1/g
    z, znext, y, guess = sympy.symbols("z z' y D", real=True)
    variance = a * (1 - a / b)
    mean, wrong_mean = (a / b * z + (1 - a / b) * clean for clean in (y, guess))
    next_given_x, now_given_x, next_marginal, now_marginal, noising = sympy.symbols("p1:6", positive=True)
    true_given_x = noising * next_given_x / now_given_x  # Bayes: p(z' | z, x)
    true = noising * next_marginal / now_marginal  # p(z' | z)
    sampler = sympy.Symbol("q", positive=True)
    g1, g2, h1, h2, e1, e2 = sympy.symbols("g_1 g_2 h_1 h_2 e_1 e_2", positive=True)
    total, squares, count, mean_length = sympy.symbols("total squares n m", positive=True)
    epsilon = sympy.Symbol("epsilon", real=True)
    along = sympy.Function("I")  # the information along the line g + εv
    gap = epsilon * sympy.diff(along(epsilon), epsilon).subs(epsilon, 0) - (along(epsilon) - along(0))
    curvature = -sympy.diff(along(epsilon), epsilon, 2).subs(epsilon, 0)

    return (
        Symbolic(
            says="Bridge: given z and y, z' is normal with mean (a/b) z + (1 − a/b) y and variance a "
            "(1 − a/b), where a = 1/g', b = 1/g. (Exponents of noising y → z' → z, completed to a "
            "square in z'.)",
            left=(znext - y) ** 2 / a + (z - znext) ** 2 / (b - a),
            right=(znext - mean) ** 2 / variance + (z - y) ** 2 / b,
        ),
        Symbolic(
            says="Two normals of equal variance differ in log density by a term linear in z' − mean, "
            "which averages to zero, plus a squared distance.",
            left=((znext - wrong_mean) ** 2 - (znext - mean) ** 2) / (2 * variance),
            right=(znext - mean) * (mean - wrong_mean) / variance + (mean - wrong_mean) ** 2 / (2 * variance),
        ),
        Symbolic(
            says="That distance is half the step in signal-to-noise ratio times the squared error of "
            "the guess D for y. With D the posterior mean, the average is (g'_k − g_k) mmse_k / "
            "2; the scales add up, their noises being independent.",
            left=(mean - wrong_mean) ** 2 / (2 * variance),
            right=(1 / a - 1 / b) * (y - guess) ** 2 / 2,
        ),
        Symbolic(
            says="Refund: log p(z'|z,x)/q(z'|z) splits into log p(z'|z,x)/p(z'|z), whose mean is I(x; "
            "z' | z), and the wanted log p(z'|z)/q(z'|z).",
            left=sympy.expand_log(sympy.log(true_given_x / sampler)),
            right=sympy.expand_log(sympy.log(true_given_x / true))
            + sympy.expand_log(sympy.log(true / sampler)),
        ),
        Symbolic(
            says="Since z given z' does not depend on x, Bayes' rule turns log p(z'|z,x)/p(z'|z) into "
            "log p(z'|x)/p(z') minus log p(z|x)/p(z): the refund is I(g') − I(g).",
            left=sympy.expand_log(sympy.log(true_given_x / true)),
            right=sympy.expand_log(
                sympy.log(next_given_x / next_marginal) - sympy.log(now_given_x / now_marginal)
            ),
        ),
        Symbolic(
            says="Charge minus refund is the statement (two scales written out).",
            left=(h1 - g1) * e1 / 2 + (h2 - g2) * e2 / 2 - gain,
            right=statement.expression("step", increment=[h1 - g1, h2 - g2], mmse=[e1, e2], gain=gain),
        ),
        Earlier(
            says="Half the error is the slope of I, so D is the Bregman divergence of −I.",
            theorem=i_mmse_gradient.theorem,
        ),
        Earlier(
            says="Information is concave: D is not negative, and −∂²I is a metric.",
            theorem=mutual_information_hessian.theorem,
        ),
        Symbolic(
            says="Along g + εv the cost starts at zero with zero slope, and its second derivative is "
            "the metric applied to v.",
            left=sympy.Matrix([sympy.diff(gap, epsilon, order).subs(epsilon, 0) for order in range(3)]),
            right=sympy.Matrix([0, 0, 2 * statement.expression("small_step", form=curvature)]),
        ),
        Symbolic(
            says="n small steps of lengths ℓ_i cost Σ ℓ_i²/2, with Σ ℓ_i ≥ L. Spread around the mean "
            "length m = Σℓ_i / n: Σ(ℓ_i − m)² = Σℓ_i² − (Σℓ_i)²/n is not negative, and zero for "
            "equal steps on the shortest path. (A step that does not shrink as n grows costs a "
            "fixed amount, so the best path has none.)",
            left=(squares - 2 * mean_length * total + count * mean_length**2).subs(
                mean_length, total / count
            ),
            right=squares - total**2 / count,
        ),
        Symbolic(
            says="So n times the best cost tends to n · n (L/n)²/2.",
            left=count * count * statement.expression("small_step", form=(length / count) ** 2),
            right=statement.expression("many_steps"),
        ),
        Cited(
            says="The divergences of the transitions add up to that of the whole trajectories, which "
            "bounds that of the last state.",
            reference="cover2006",
            locator="Theorem 2.5.3",
        ),
        _gaussian_step(statement),
    )


def _gaussian_step(statement: Statement) -> Symbolic:
    a, b, c = sympy.symbols("a b c", positive=True)
    slope = (c + a) / (c + b)  # true regression of z' on z
    spread = (c + a) - (c + a) ** 2 / (c + b)
    sampler_slope = a / b + (1 - a / b) * c / (c + b)
    sampler_spread = a * (1 - a / b)
    ratio = sympy.simplify(spread / sampler_spread)
    miss = (slope - sampler_slope) ** 2 * (c + b) / sampler_spread
    gain = sympy.log((1 + c / a) / (1 + c / b)) / 2
    return Symbolic(
        instance="one Gaussian coefficient of variance c",
        says="Both transitions are normal with known mean and variance; their divergence is ½(r − 1 − "
        "log r) plus the squared difference of the means, r the ratio of the variances.",
        left=(ratio + miss - 1 - sympy.log(ratio)) / 2,
        right=statement.expression("step", increment=[1 / a - 1 / b], mmse=[c / (1 + c / b)], gain=gain),
        by=lambda e: sympy.simplify(
            sympy.expand_log(sympy.logcombine(sympy.simplify(e), force=True), force=True)
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
