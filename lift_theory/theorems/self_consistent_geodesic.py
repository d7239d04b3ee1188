"""The best steps for the samples themselves follow a geodesic whose weights are its own errors.

Let a sampler of order p make, in mode k, the relative error e_k = n⁻ᵖ ∫ ρ_k |λ'(u)|^(p+1) du when it takes n
equal steps in u, with densities ρ_k ≥ 0. The distance of its samples from the data is the sum of v_k e_k²,
with v_k the true variances for Wasserstein and v_k = 1 for the divergence. A path is best if it moves at
constant speed in the length element s |dλ|, where s to the power p + 1 is Σ w_k ρ_k and the weights are w_k =
v_k e_k: the errors of this very path.

Why it matters: there is no n in it. The curve is computed once, by iterating weights and errors, and serves
every number of steps. With one clock no path does better, and any weights at all give a bound from below,
so that a schedule can be certified. DDIM and ancestral sampling of Gaussian data have such densities, in
closed form.

Several clocks: if every mode has one clock only (orthogonal independent scales) the sum splits, and each
clock follows its own curve in the same u. If the e_k are quadratic forms of several velocities, a best path
is still a geodesic of the frozen weighted sum; whether such a geodesic is best is then open.

A condition: the densities must not change sign. In a solver of higher order local errors can cancel along
the path, and neither the weights nor the bound survive that. Modes that several scales observe together have
errors that are matrices, which this does not cover either.
"""

import sympy

from lift_theory.theorems import ancestral_gaussian_law, ddim_gaussian_law
from lift_theory.theorems._theorem import Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

k = sympy.Symbol("k", integer=True)
modes, order = sympy.symbols("K p", integer=True, positive=True)
value, error, weight, density, slope = (
    sympy.IndexedBase(name) for name in ("value", "error", "weight", "density", "slope")
)
c, sigma, length = sympy.symbols("c sigma length", positive=True)
MODES = (k, 0, modes - 1)
element = sympy.Sum(value[k] * error[k] * density[k], MODES)

statement = Statement(
    claims=(
        Claim(
            name="wasserstein",
            left=sympy.Symbol(r"\lim_{n\to\infty} n^{2p}\, W_2^2"),
            right=sympy.Sum(value[k] * error[k] ** 2, MODES),
        ),
        Claim(
            name="divergence",
            left=sympy.Symbol(r"\lim_{n\to\infty} n^{2p}\, \mathrm{KL}(\text{true} \,\|\, \text{output})"),
            right=sympy.Sum(error[k] ** 2, MODES),
        ),
        Claim(
            name="ddim",
            left=sympy.Symbol(r"\rho^{\mathrm{DDIM}}"),
            right=c * sigma**2 / (8 * (c + sigma**2) ** 2),
        ),
        Claim(
            name="variation",
            left=sympy.Symbol(r"\tfrac{\mathrm{d}}{\mathrm{d}\epsilon} \textstyle\sum_k v_k e_k^2"),
            right=2 * sympy.Sum(value[k] * error[k] * slope[k], MODES),
        ),
        Claim(
            name="speed",
            left=sympy.Symbol(r"\frac{\mathrm{d}u}{\mathrm{d}\lambda}"),
            right=element ** (1 / (order + 1)) / length,
            mistakes={
                "weights without the variance": sympy.Sum(error[k] * density[k], MODES) ** (1 / (order + 1))
                / length,
                "weights without the errors": sympy.Sum(value[k] * density[k], MODES) ** (1 / (order + 1))
                / length,
                "half of the first weight": (element - value[0] * error[0] * density[0] / 2)
                ** (1 / (order + 1))
                / length,
                "squared errors as weights": sympy.Sum(value[k] * error[k] ** 2 * density[k], MODES)
                ** (1 / (order + 1))
                / length,
                "power 1/p": element ** (1 / order) / length,
                "a square root for every order": sympy.sqrt(element) / length,
            },
        ),
        Claim(
            name="bound",
            left=sympy.Symbol(r"\lim_{n\to\infty} n^p \left(\textstyle\sum_k v_k e_k^2\right)^{1/2}"),
            right=length ** (order + 1) / sympy.sqrt(sympy.Sum(weight[k] ** 2 / value[k], MODES)),
            relation=">=",
            mistakes={
                "power p": length**order / sympy.sqrt(sympy.Sum(weight[k] ** 2 / value[k], MODES)),
                "divided by the weights": length ** (order + 1)
                / sympy.sqrt(sympy.Sum(weight[k] ** 2, MODES)),
            },
        ),
    ),
    variables=(
        Variable(
            symbol=value,
            size=modes,
            tex="v",
            meaning="what an error of a mode counts: its true variance c_k + σ_n² for W_2², 1 for the divergence",
        ),
        Variable(
            symbol=error,
            size=modes,
            tex="E",
            meaning="limits of nᵖ e_k, in speed those of the best path; e_k = 1 − std(output)/std(true)",
        ),
        Variable(symbol=slope, size=modes, tex=r"\dot e", meaning="derivatives of e_k in a family of paths"),
        Variable(symbol=density, size=modes, tex=r"\rho", meaning="error densities at λ"),
        Variable(symbol=weight, size=modes, tex="w", meaning="any positive weights"),
        Variable(
            symbol=length,
            tex="L",
            low=0.1,
            high=10,
            meaning="length of the whole path, ∫ s dλ, with s to the power p + 1 = Σ w_k ρ_k; in speed, w_k = v_k E_k",
        ),
        Variable(symbol=order, low=1, high=4, meaning="order of the sampler; 1 for DDIM and ancestral"),
        Variable(symbol=c, meaning="variance of a mode"),
        Variable(symbol=sigma, tex=r"\sigma", meaning="noise at log-SNR λ = −2 log σ"),
    ),
    assumptions=(
        "Independent modes; errors of standard deviations, small and of one sign: e_k = n⁻ᵖ (∫ ρ_k |λ'|^(p+1) "
        "du + o(1)) for n equal steps in u along a smooth monotone path.",
        "DDIM: Gaussian data, p = 1, the exact first state.",
        "Speed and bound: one clock λ with fixed finite ends, ρ_k ≥ 0 continuous, for every λ some ρ_k > 0. Then "
        "there is exactly one best path, it is the only one that satisfies the claim, and it attains the bound "
        "with w_k = v_k E_k.",
        "Variation: any family of paths, any number of clocks.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Expand for small errors; then use convexity in the density of steps, twice."""
    return (*_small_errors(statement), *_best_density(statement), *_bound(statement), *_clocks(statement))


def _small_errors(statement: Statement) -> tuple[Step, ...]:
    epsilon, h, logsnr = sympy.symbols("epsilon h lambda", real=True)
    v, v_2, e, e_2, a = sympy.symbols("v_1 v_2 E_1 E_2 a", positive=True)
    ratios = [1 - epsilon * e, 1 - epsilon * e_2]
    law = ddim_gaussian_law.statement.expression
    exact = [law("wasserstein", truth=[v, v_2], ratio=ratios), law("divergence", ratio=ratios)]
    turn = 1 - sympy.exp(law("path", angle=[a, a - h]))
    angle = sympy.atan(sympy.exp(-logsnr / 2) / sympy.sqrt(c))
    return (
        Earlier(
            says="Both distances follow from the ratios std(output)/std(true) = 1 − ε E_k, here with ε = n⁻ᵖ.",
            theorem=ddim_gaussian_law.theorem,
        ),
        Symbolic(
            says="For small ε they are quadratic in ε, with these coefficients.",
            left=sympy.Matrix([sympy.diff(one, epsilon, 2).subs(epsilon, 0) / 2 for one in exact]),
            right=sympy.Matrix(
                [
                    statement.expression("wasserstein", value=[v, v_2], error=[e, e_2]),
                    statement.expression("divergence", error=[e, e_2]),
                ]
            ),
        ),
        Symbolic(
            says="They have no linear term.",
            left=sympy.Matrix([sympy.diff(one, epsilon).subs(epsilon, 0) for one in exact]),
            right=sympy.zeros(2, 1),
        ),
        Symbolic(
            says="A DDIM step that turns by h narrows by h²/2 to leading order, and small errors add up: n e tends "
            "to ½ ∫ (da/du)² du.",
            left=sympy.Matrix([sympy.diff(turn, h, i).subs(h, 0) for i in range(3)]),
            right=sympy.Matrix([0, 0, 1]),
        ),
        Symbolic(
            says="In log-SNR this is the density of the statement.",
            left=(sympy.diff(angle, logsnr) ** 2 / 2).subs(logsnr, -2 * sympy.log(sigma)),
            right=statement.expression("ddim"),
        ),
        Earlier(
            says="Ancestral sampling of Gaussian data has a density too, and it is not negative either.",
            theorem=ancestral_gaussian_law.theorem,
        ),
        Symbolic(
            instance="the two samplers compared",
            says="Ancestral sampling makes four times the error of DDIM late in the path, and ever less the "
            "earlier the step: the ratio is 4 (c + σ_n²)/(c + σ²).",
            left=ancestral_gaussian_law.statement.expression("density") / statement.expression("ddim"),
            right=4 * (c + ancestral_gaussian_law.sigma_last**2) / (c + sigma**2),
        ),
    )


def _best_density(statement: Statement) -> tuple[Step, ...]:
    p = order
    f, h, r, r_2, v, v_2, e, e_2 = sympy.symbols("f h rho_1 rho_2 v_1 v_2 E_1 E_2", positive=True)
    real = sympy.Symbol("epsilon", real=True)
    best = statement.expression("speed", value=[v, v_2], error=[e, e_2], density=[r, r_2])
    moved = [e + real * sympy.diff(rho * f**-p, f) * h for rho in (r, r_2)]
    moved = [m.subs(e, energy) for m, energy in zip(moved, (e, e_2), strict=True)]
    total = v * moved[0] ** 2 + v_2 * moved[1] ** 2

    def powers(expr: sympy.Expr) -> sympy.Expr:
        return sympy.simplify(sympy.powsimp(sympy.powdenest(sympy.simplify(expr), force=True), force=True))

    return (
        Symbolic(
            says="With f = du/dλ, the share of the steps per unit of λ, an error is ∫ ρ f⁻ᵖ dλ, since |λ'|^(p+1) "
            "du = f^(−p−1) f dλ.",
            left=(1 / f) ** (p + 1) * f,
            right=f**-p,
        ),
        Symbolic(
            says="That is convex in f, and not negative; so is the sum of v_k E_k². The best f is unique: where "
            "some ρ_k > 0 the convexity is strict.",
            left=sympy.diff(f**-p, f, 2),
            right=p * (p + 1) * f ** (-p - 2),
            sign="positive",
        ),
        Symbolic(
            says="First variation: moving h of the steps to λ changes each E_k by ρ_k (f⁻ᵖ)' h, and the sum by "
            "twice Σ v_k E_k times that (two modes).",
            left=sympy.diff(total, real).subs(real, 0),
            right=statement.expression(
                "variation",
                value=[v, v_2],
                error=[e, e_2],
                slope=[sympy.diff(rho * f**-p, f) * h for rho in (r, r_2)],
            ),
        ),
        Symbolic(
            says="With the speed of the statement it is the same at every λ, so that no steps want to move, the "
            "whole of f being fixed. The sum is convex: this is the best f.",
            left=(sympy.diff(total, real).subs(real, 0) / h).subs(f, best),
            right=-2 * p * length ** (p + 1),
            by=powers,
        ),
        Symbolic(
            says="In other words: the length ∫ s dλ grows at the constant rate L in u.",
            left=best * length,
            right=(v * e * r + v_2 * e_2 * r_2) ** (1 / (p + 1)),
        ),
    )


def _bound(statement: Statement) -> tuple[Step, ...]:
    p = order
    x, steps, elements = sympy.symbols("x F S", positive=True)
    w, w_2, v, v_2, e, e_2 = sympy.symbols("w_1 w_2 v_1 v_2 E_1 E_2", positive=True)
    rho, rest = sympy.symbols("rho R", positive=True)
    gap = x ** (p + 1) - length ** (p + 1) - (p + 1) * length**p * (x - length)
    spread = w**2 / v + w_2**2 / v_2
    square = v * e**2 + v_2 * e_2**2
    bound = statement.expression("bound", weight=[w, w_2], value=[v, v_2])
    own = statement.expression("bound", weight=[v * e, v_2 * e_2], value=[v, v_2])
    return (
        Symbolic(
            says="Any path and any weights: x^(p+1) lies above its tangent at L; gap and slope vanish there, and "
            "the second derivative is positive.",
            left=sympy.Matrix(
                [gap.subs(x, length), sympy.diff(gap, x).subs(x, length), sympy.diff(gap, x, 2)]
            ),
            right=sympy.Matrix([0, 0, p * (p + 1) * x ** (p - 1)]),
        ),
        Symbolic(
            says="With x = s/f, where s is the length element, integrate f times the tangent over λ; f integrates "
            "to 1 and s to L. So Σ w_k E_k = ∫ s^(p+1) f⁻ᵖ dλ is at least L^(p+1) (Hölder's inequality).",
            left=(length ** (p + 1) * steps + (p + 1) * length**p * (elements - length * steps)).subs(
                {steps: 1, elements: length}
            ),
            right=length ** (p + 1),
        ),
        Symbolic(
            says="Cauchy-Schwarz: (Σ w²/v)(Σ v E²) exceeds (Σ w E)² by a square for every pair of modes.",
            left=spread * square - (w * e + w_2 * e_2) ** 2,
            right=(w * v_2 * e_2 - w_2 * v * e) ** 2 / (v * v_2),
        ),
        Symbolic(
            says="Together: the bound, whatever the weights.",
            left=bound * sympy.sqrt(spread),
            right=length ** (p + 1),
        ),
        Symbolic(
            says="With w = v E and the speed of the statement both are equalities: L^(p+1) = Σ v E², and the bound "
            "is the distance itself. So no path does better.",
            left=own.subs(length, square ** (1 / (p + 1))),
            right=sympy.sqrt(statement.expression("wasserstein", value=[v, v_2], error=[e, e_2])),
            by=lambda expr: sympy.simplify(sympy.powdenest(sympy.simplify(expr), force=True)),
        ),
        Symbolic(
            says="Such a path exists. L is a concave continuous function of w; where it is largest on Σ w²/v ≤ 1 its "
            "derivatives are in proportion to w_k/v_k. They are ∫ ρ_k s⁻ᵖ dλ/(p + 1), in proportion to the "
            "errors at constant speed.",
            left=sympy.diff((w * rho + rest) ** (1 / (p + 1)), w),
            right=rho * (w * rho + rest) ** (-p / (p + 1)) / (p + 1),
            by=lambda expr: sympy.simplify(sympy.powsimp(expr)),
        ),
    )


def _clocks(statement: Statement) -> tuple[Step, ...]:
    u, epsilon = sympy.symbols("u epsilon", real=True)
    v, v_2 = sympy.symbols("v_1 v_2", positive=True)
    family = [sympy.Function(name)(epsilon) for name in ("e_1", "e_2")]
    x, y = sympy.Function("x")(u), sympy.Function("y")(u)
    velocity = [sympy.diff(x, u), sympy.diff(y, u)]
    g_xx, g_xy, g_yy = (sympy.Function(name)(x, y) for name in ("G_xx", "G_xy", "G_yy"))
    energy = g_xx * velocity[0] ** 2 + 2 * g_xy * velocity[0] * velocity[1] + g_yy * velocity[1] ** 2
    euler = [
        sympy.diff(sympy.diff(energy, rate), u) - sympy.diff(energy, place)
        for rate, place in zip(velocity, (x, y), strict=True)
    ]
    return (
        Symbolic(
            says="Several clocks: in any family of paths the derivative of Σ v_k e_k² is twice that of Σ w_k e_k with "
            "the weights w_k = v_k e_k held fixed. So a stationary path of the one is a stationary path of "
            "the other.",
            left=sympy.diff(v * family[0] ** 2 + v_2 * family[1] ** 2, epsilon),
            right=statement.expression(
                "variation", value=[v, v_2], error=family, slope=[sympy.diff(e, epsilon) for e in family]
            ),
        ),
        Symbolic(
            says="If the e_k are quadratic in the velocities, so is the weighted sum, and its stationary paths are "
            "geodesics at constant speed: velocity times the Euler-Lagrange expression is the derivative of "
            "the squared speed (two clocks, any metric).",
            left=velocity[0] * euler[0] + velocity[1] * euler[1],
            right=sympy.diff(energy, u),
            by=lambda expr: sympy.expand(sympy.expand(expr).doit()),
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
