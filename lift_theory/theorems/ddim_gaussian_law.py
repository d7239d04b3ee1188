"""On Gaussian data a DDIM step narrows every mode by the cosine of the angle it turns.

For a mode of variance c and noise σ, let a = arctan(σ/√c): 90° is pure noise, 0° is no noise. The step from
σ to σ' multiplies the ratio between the sampler's standard deviation and the true one by cos(a − a'). A whole
path multiplies the cosines of its steps. Started from N(0, σ_0²) instead of the true law at σ_0, the ratio
begins at sin(a_0) instead of 1.

Why it matters: the law of the samples is known exactly, for every number of steps. They are never too wide,
and both distances in use, Wasserstein and Kullback-Leibler, follow from the ratios. For a single variance and
fixed ends, equal angles are best; modes of different variance have different angles, so a spectrum needs a
compromise.

Limits: a last step to σ_n = 0 is included, with a_n = 0. A mode of variance zero stays at 90° as long as
there is noise: DDIM follows pure noise exactly.
"""

import sympy

from lift_theory.theorems import gaussian_information, single_mode_schedules
from lift_theory.theorems._theorem import Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

i, k = sympy.symbols("i k", integer=True)
points, modes, steps = sympy.symbols("N K n", integer=True, positive=True)
angle, ratio, truth = sympy.IndexedBase("angle"), sympy.IndexedBase("ratio"), sympy.IndexedBase("truth")
c, sigma, sigma_next = sympy.symbols("c sigma sigma'", positive=True)
turn = sympy.Symbol("turn", positive=True)
RATIO = r"\frac{\mathrm{std}(\text{output})}{\mathrm{std}(\text{true})}"

turns = sympy.Sum(sympy.log(sympy.cos(angle[i - 1] - angle[i])), (i, 1, points - 1))

statement = Statement(
    claims=(
        Claim(
            name="step",
            left=sympy.Symbol(RATIO + r"\text{ after one step}"),
            right=sympy.cos(sympy.atan(sigma / sympy.sqrt(c)) - sympy.atan(sigma_next / sympy.sqrt(c))),
        ),
        Claim(name="path", left=sympy.Symbol(r"\log" + RATIO), right=turns),
        Claim(
            name="from_noise",
            left=sympy.Symbol(r"\log" + RATIO + r"\text{ from } N(0, \sigma_0^2)"),
            right=sympy.log(sympy.sin(angle[0])) + turns,
        ),
        Claim(
            name="floor",
            left=sympy.Symbol("1 - " + RATIO),
            right=1 - sympy.cos(turn / steps) ** steps,
            relation=">=",
        ),
        Claim(
            name="wasserstein",
            left=sympy.Symbol("W_2^2"),
            right=sympy.Sum(truth[k] * (1 - ratio[k]) ** 2, (k, 0, modes - 1)),
        ),
        Claim(
            name="divergence",
            left=sympy.Symbol(r"\mathrm{KL}(\text{true} \,\|\, \text{output})"),
            right=sympy.Sum((ratio[k] ** -2 - 1 + 2 * sympy.log(ratio[k])) / 2, (k, 0, modes - 1)),
        ),
    ),
    variables=(
        Variable(symbol=c, meaning="variance of the mode"),
        Variable(symbol=sigma, tex=r"\sigma", meaning="noise before the step, relative to the data"),
        Variable(symbol=sigma_next, tex=r"\sigma'", meaning="noise after the step"),
        Variable(
            symbol=angle,
            size=points,
            tex="a",
            low=0.05,
            high=1.5,
            meaning="falling angles arctan(σ_i/√c) of the N = n + 1 points of the path",
        ),
        Variable(symbol=turn, tex="A", low=0.05, high=1.5, meaning="whole angle a_0 − a_n"),
        Variable(symbol=steps, low=1, high=40, meaning="number of steps"),
        Variable(
            symbol=truth, size=modes, tex="v", meaning="true variances c_k + σ_n² at the end of the path"
        ),
        Variable(
            symbol=ratio,
            size=modes,
            tex=r"\varrho",
            low=0.05,
            high=0.999,
            meaning="std(output) / std(true) of every mode",
        ),
    ),
    assumptions=(
        "Gaussian data, one scale that sees each of its modes through white noise of the same σ (or several "
        "orthogonal independent scales, each mode with the σ of its own scale). Mean zero; another mean "
        "is followed exactly from the exact first state.",
        "DDIM: z' = D + (σ'/σ)(z − D) with the exact posterior mean D and σ ≥ σ'; equally, Euler steps "
        "of the probability flow in σ.",
        "The first three claims and the floor are about one mode. Its true variance is c + σ_n² at the end: c "
        "only if the path goes down to σ_n = 0.",
        "Path and floor: the first state has its exact law. The floor is attained by equal angles.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Multiply gains; then compare two Gaussians mode by mode."""
    shrink = c / (c + sigma**2)
    gain = shrink + sigma_next / sigma * (1 - shrink)  # z' = gain z
    a, b, d = sympy.symbols("a_0 a_1 a_2", positive=True)
    x, y = sympy.symbols("x y", positive=True)
    angles = [a, b, d]
    v, w, v_2, w_2, square, product = sympy.symbols("v w v_2 w_2 z^2 E[XY]", positive=True)
    rho = [sympy.sqrt(w / v), sympy.sqrt(w_2 / v_2)]
    log_ratio = sympy.log(w / v) / 2 + square / (2 * w) - square / (2 * v)  # log N(0, v) / N(0, w) at z
    one = statement.expression("divergence", ratio=rho[:1])
    n = steps

    return (
        Earlier(
            says="The posterior mean of one mode is D = c z/(c + σ²): the posterior is Gaussian and its "
            "precision is 1/c + 1/σ².",
            theorem=gaussian_information.theorem,
        ),
        Symbolic(
            says="So a step multiplies z by (c + σσ')/(c + σ²), also where σ' = 0.",
            left=gain,
            right=(c + sigma * sigma_next) / (c + sigma**2),
        ),
        Symbolic(
            says="From the true standard deviation √(c + σ²), relative to the true one at σ', this is the "
            "cosine of the statement.",
            left=(gain * sympy.sqrt(c + sigma**2) / sympy.sqrt(c + sigma_next**2)).subs(
                {sigma: sympy.sqrt(c) * x, sigma_next: sympy.sqrt(c) * y}
            ),
            right=sympy.expand_trig(
                statement.expression("step").subs({sigma: sympy.sqrt(c) * x, sigma_next: sympy.sqrt(c) * y})
            ),
        ),
        Symbolic(
            says="The map is linear, so the ratio before a step is a factor of the ratio after it, and the "
            "logarithms of the cosines add up (two steps written out).",
            left=sympy.log(sympy.cos(a - b)) + sympy.log(sympy.cos(b - d)),
            right=statement.expression("path", angle=angles),
        ),
        Symbolic(
            says="The first ratio of N(0, σ_0²) is σ_0/√(c + σ_0²) = sin(a_0).",
            left=sympy.sin(sympy.atan(sigma / sympy.sqrt(c))),
            right=sigma / sympy.sqrt(c + sigma**2),
        ),
        Symbolic(
            says="It multiplies the rest.",
            left=sympy.log(sympy.sin(a)) + sympy.log(sympy.cos(a - b)) + sympy.log(sympy.cos(b - d)),
            right=statement.expression("from_noise", angle=angles),
        ),
        Symbolic(
            says="A mode of variance zero: every step has the ratio 1.",
            left=sympy.limit(gain * sympy.sqrt(c + sigma**2) / sympy.sqrt(c + sigma_next**2), c, 0, "+"),
            right=1,
        ),
        Earlier(
            says="Log cos is concave: for a given whole angle, equal angles make the ratio largest.",
            theorem=single_mode_schedules.theorem,
        ),
        Symbolic(
            says="That largest ratio leaves the error of the floor.",
            left=1 - single_mode_schedules.statement.expression("spread", angle=turn, n=n),
            right=statement.expression("floor"),
        ),
        Symbolic(
            says="Wasserstein: for any coupling of modes X, Y of variances v, w, E(X − Y)² = v + w − 2 E[XY], "
            "and E[XY] ≤ √(vw) (Cauchy-Schwarz), with equality for Y = √(w/v) X. So every mode costs (√v − "
            "√w)², and one coupling attains that for all modes.",
            left=(v + w - 2 * product).subs(product, sympy.sqrt(v * w)),
            right=statement.expression("wasserstein", truth=[v], ratio=rho[:1]),
        ),
        Symbolic(
            says="The modes are independent in both laws; their costs add up.",
            left=(sympy.sqrt(v) - sympy.sqrt(w)) ** 2 + (sympy.sqrt(v_2) - sympy.sqrt(w_2)) ** 2,
            right=statement.expression("wasserstein", truth=[v, v_2], ratio=rho),
        ),
        Symbolic(
            says="Divergence: the mean of log N(0, v)/N(0, w) under N(0, v), where z² has the mean v.",
            left=log_ratio.subs(square, v),
            right=one,
            by=lambda e: sympy.simplify(sympy.expand_log(e, force=True)),
        ),
        Symbolic(
            says="Log densities of independent modes add up.",
            left=one + one.subs({v: v_2, w: w_2}),
            right=statement.expression("divergence", ratio=rho),
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
