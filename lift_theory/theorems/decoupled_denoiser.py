"""Denoisers that ignore the other scale put the coarse scale ahead, unless the details are weak.

If each scale is denoised from its own noisy coefficients alone, the errors are those of independent scales. Best paths
then give each scale its own schedule, at equal shares of its own length. The coarse scale is ahead, in nominal log-SNR,
exactly where it has covered the smaller share of its length at that log-SNR. So it is ahead on the whole path, or at
least never behind, if the ratio of speeds w_L/w_H grows all the way: if at every log-SNR the fine scale's modes,
weighted by their squares m², know more on average (m = cg/(1 + cg)) than those of the coarse scale.

For one low mode and n − 1 equal details, of which the coarse scale is the mean over n pixels, this holds at all noise
levels if and only if the low mode has at most n + 1 times the variance of a detail: 5 for means over 2x2 pixels, 3 for
pairs. At the noisy end it holds for any details.

Why it matters: a small nominal lead of the coarse scale was read as guidance. Denoisers without any would ask for it,
too, as long as details are strong.

What it does not say: "never behind". Let the low mode have variance 1 and three details e⁻⁵ each, and the log-SNR go
from −9 to 9. The coarse scale is ahead near the noisy end, but half way it is behind by almost half a nat (the last
step has the proof at log-SNR 5). A 1/k³ spectrum of 64x64 pixels has it behind almost everywhere. The condition on the
speeds is sufficient, not necessary: a 1/k² spectrum breaks it and has the coarse scale ahead all the same.
"""

import functools

import sympy

from lift_theory.theorems import i_mmse_gradient, orthogonal_separability
from lift_theory.theorems._theorem import Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

j = sympy.Symbol("j", integer=True)
modes = sympy.Symbol("J", integer=True, positive=True)
c = sympy.IndexedBase("c")
g, x, ratio, pixels = sympy.symbols("g x R n", positive=True)
known = c[j] * g / (1 + c[j] * g)
squares = sympy.Sum(known**2, (j, 0, modes - 1))
SLOPE = r"\frac{d \log w}{d\lambda}"

statement = Statement(
    claims=(
        Claim(name="speed", left=sympy.Symbol("w"), right=sympy.sqrt(squares / 2)),
        Claim(
            name="growth",
            left=sympy.Symbol(SLOPE),
            right=1 - sympy.Sum(known**3, (j, 0, modes - 1)) / squares,
        ),
        Claim(
            name="noisy_end",
            left=sympy.Symbol(r"\lim_{g\to 0} \frac{1}{g} \left(1 - " + SLOPE + r"\right)"),
            right=sympy.Sum(c[j] ** 3, (j, 0, modes - 1)) / sympy.Sum(c[j] ** 2, (j, 0, modes - 1)),
        ),
        Claim(
            name="clean_end",
            left=sympy.Symbol(r"\lim_{g\to\infty} g\," + SLOPE),
            right=sympy.Sum(1 / c[j], (j, 0, modes - 1)) / modes,
        ),
        Claim(
            name="block",
            left=sympy.Symbol(r"\frac{d}{d\lambda} \log\frac{w_L}{w_H}"),
            right=x
            * (pixels - 1)
            / (pixels + x)
            * ((1 + x) ** -3 + (pixels - ratio) / (ratio + x) ** 3)
            / ((1 + x) ** -2 + (pixels - 1) / (ratio + x) ** 2),
        ),
        Claim(name="threshold", left=sympy.Symbol(r"R_{\max}"), right=pixels + 1),
    ),
    variables=(
        Variable(symbol=c, size=modes, meaning="variances of the modes of a scale that is seen alone"),
        Variable(symbol=g, meaning="signal-to-noise ratio of the scale, λ = log g"),
        Variable(symbol=x, meaning="signal-to-noise ratio times the variance of the low mode"),
        Variable(symbol=ratio, meaning="variance of the low mode over that of a detail"),
        Variable(
            symbol=pixels,
            low=1.5,
            high=64,
            meaning="number of pixels that a coarse coefficient is the mean of",
        ),
    ),
    assumptions=(
        "Gaussian data. The denoiser of each scale is the posterior mean given the noisy coefficients of that scale: "
        "errors mmse_H(g_H, 0) and mmse_L(0, g_L). Both scales go from the same first to the same last log-SNR; "
        "steps are many.",
        "w is the speed of a scale, the length it covers per nat of its own log-SNR; its modes are the "
        "eigenvectors of the covariance of its clean coefficients.",
        "block: one low mode of variance c and n − 1 details of variance c/R, an orthonormal basis of n pixels. Their "
        "mean has variance c/n. The slope is positive at all x if and only if R ≤ R_max.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Differentiate the speeds, compare shares of length, and look at one block."""
    a, b = sympy.symbols("a b", positive=True)
    below, above, p, q = sympy.symbols("A B p q", nonnegative=True)
    phi = p + sympy.Symbol("phi", positive=True)  # the ratio of speeds here; it was lower by p on average
    low, h = sympy.symbols("c_low h", positive=True)
    coarse_below, coarse_above = below * (phi - p), above * (phi + q)
    speed, growth = (statement.expression(name, c=[a, b]) for name in ("speed", "growth"))
    bracket = (ratio + x) ** 3 + (pixels - ratio) * (1 + x) ** 3
    threshold = statement.expression("threshold")
    error = i_mmse_gradient.statement.expression("slope", mmse=a / (1 + a * g) + b / (1 + b * g))
    least = 2 * low / (3 * pixels)

    def slope_of_block(n: int) -> sympy.Expr:
        coarse = statement.expression("growth", c=[low / n])
        fine = statement.expression("growth", c=[low, *[low / ratio] * (n - 1)])
        return (coarse - fine).subs(g, x / low)

    return (
        Earlier(
            says="Errors that depend on their own signal-to-noise ratio alone are those of independent scales: each "
            "follows its own best schedule.",
            theorem=orthogonal_separability.theorem,
        ),
        Earlier(says="Half the error is the slope of the information.", theorem=i_mmse_gradient.theorem),
        Symbolic(
            says="The metric of a scale is −g² times the slope of that slope; w² is the metric. Two modes written.",
            left=-(g**2) * sympy.diff(error, g),
            right=speed**2,
        ),
        Symbolic(
            says="One mode has the speed m/√2.",
            left=statement.expression("speed", c=[a]),
            right=a * g / (1 + a * g) / sympy.sqrt(2),
        ),
        Symbolic(
            says="A mode has dm/dλ = m(1 − m), so a speed has the logarithmic derivative 1 − Σm³/Σm².",
            left=g * sympy.diff(sympy.log(speed), g),
            right=growth,
        ),
        Symbolic(
            says="At equal shares of length the coarse scale is ahead where its share is the smaller one at the same "
            "log-SNR, as shares grow. Let the fine scale cover A below and B above it. If w_L/w_H grows, it is φ "
            "here, φ − p on average below and φ + q above, and the difference of shares is not negative.",
            left=below / (below + above) - coarse_below / (coarse_below + coarse_above),
            right=below * above * (p + q) / ((below + above) * (coarse_below + coarse_above)),
        ),
        Symbolic(
            says="Noisy end: m = cg + …, so divide by g and let g → 0.",
            left=sympy.cancel((1 - growth) / g).subs(g, 0),
            right=statement.expression("noisy_end", c=[a, b]),
        ),
        Symbolic(
            says="Clean end: m = 1 − 1/(cg) + …, so multiply by g and let 1/g → 0.",
            left=sympy.cancel((growth * g).subs(g, 1 / g)).subs(g, 0),
            right=statement.expression("clean_end", c=[a, b]),
        ),
        *(
            Symbolic(
                says=f"A block of {n} pixels: subtract the fine scale's slope from the coarse one's.",
                left=slope_of_block(n),
                right=statement.expression("block", n=n),
            )
            for n in (2, 3)
        ),
        Symbolic(
            says="The sign of a block's slope is that of a bracket, for all n.",
            left=statement.expression("block")
            * (pixels + x)
            * ((ratio + x) ** 3 * (1 + x) + (pixels - 1) * (1 + x) ** 3 * (ratio + x)),
            right=x * (pixels - 1) * bracket,
        ),
        Symbolic(
            says="The bracket over (1 + x)³ is ((R + x)/(1 + x))³ + n − R. Its first term falls towards 1 if R > 1, so "
            "it is positive up to the R of the statement (and for R ≤ 1 both terms are, as n > 1).",
            left=sympy.Matrix(
                [
                    sympy.diff((ratio + x) / (1 + x), x),
                    sympy.limit((ratio + x) / (1 + x), x, sympy.oo) + pixels - threshold,
                ]
            ),
            right=sympy.Matrix([-(ratio - 1) / (1 + x) ** 2, 0]),
        ),
        Symbolic(
            says="Beyond it the bracket is negative for large x: its leading coefficient is R_max − R.",
            left=sympy.Poly(bracket, x).coeff_monomial(x**3),
            right=threshold - ratio,
        ),
        Symbolic(
            says="Noisy end of a block with any details h: n Σc³ − c_low Σc² is (n − 1) c_low³ plus nh³ − c_low h² for "
            "each detail, and that is at least −4c_low³/(27n²), less than the n − 1 can pay for.",
            left=pixels * h**3 - low * h**2,
            right=pixels * (h - least) ** 2 * (h + least / 2) - 4 * low**3 / (27 * pixels**2),
        ),
        _behind(),
    )


@functools.cache
def _behind() -> Symbolic:
    first, here, last = sympy.exp(-9), sympy.exp(5), sympy.exp(9)
    detail = sympy.exp(-5)

    def length(variance: sympy.Expr, start: sympy.Expr, stop: sympy.Expr) -> sympy.Expr:
        rate, low, high = sympy.symbols("rate low high", positive=True)
        covered = sympy.integrate(rate / (1 + rate * g), (g, low, high))  # of √2 w of one mode
        return covered.subs({rate: variance, low: start, high: stop})

    below = length(sympy.Integer(1), first, here) + sympy.sqrt(3) * length(detail, first, here)
    above = length(sympy.Integer(1), here, last) / 2 + 3 * length(detail, here, last) / 2
    quarter = sympy.Rational(1, 4)
    coarse = length(quarter, first, here) / length(quarter, first, last)
    closed = (sympy.log(1 + here / 4) - sympy.log(1 + first / 4)) / (
        sympy.log(1 + last / 4) - sympy.log(1 + first / 4)
    )
    return Symbolic(
        instance="variances 1 and three times e⁻⁵, log-SNR from −9 to 9: the coarse scale is behind at log-SNR 5",
        says="There the coarse scale has covered more of its length than the fine one: √Σm² is at most m + √3 m' "
        "below and, by Cauchy and Schwarz, at least (m + 3m')/2 above.",
        left=coarse - below / (below + above),
        right=closed - below / (below + above),
        sign="positive",
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
