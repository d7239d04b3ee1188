"""Information grows at half the rate of the denoising error.

Raise the signal-to-noise ratio of one channel a little: the observations then know more about the data, and
the rate at which they learn is exactly half the squared error that the best denoiser still makes on that
channel. This holds for every law of the data, and for every number of channels, whatever their analysis
operators are.

Why it matters: the mutual information of a multi-scale model is a surface over its noise levels, and its
slope is the very loss that training minimises. Measured denoising losses are therefore enough to know the
whole surface; no density has to be evaluated.

How the proof goes: look at one coefficient y of channel k, observed as v = √g y + e. What the other channels
say only changes the law of y, so that law is left arbitrary. The density of v is an average of Gaussian bells
φ(v − √g y); differentiating a bell gives both the change of the density with g and the score of the density,
and one integration by parts joins them.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import sympy

from lift_theory.theorems._theorem import Cited, Claim, Digits, Statement, Symbolic, Theorem, Variable

g = sympy.Symbol("g_k", positive=True)
mmse = sympy.Symbol("mmse", positive=True)
information = sympy.Function("I")(g)

statement = Statement(
    claims=(Claim(name="slope", left=sympy.Derivative(information, g), right=mmse / 2),),
    variables=(
        Variable(
            symbol=mmse,
            tex=r"\mathrm{mmse}_k",
            meaning="expected squared error of the posterior mean of all coefficients of channel k, "
            "given all channels",
        ),
    ),
    assumptions=(
        "The data x have any law with finite second moments; y_k = A_k x for any linear operators A_k.",
        "Channel k is z_k = y_k + g_k^(-1/2) e_k; the e_k are standard normal, independent of x and of "
        "each other.",
        "I is the mutual information between x and all z together, in nats; the other g_l stay fixed.",
    ),
)


def proof(statement: Statement) -> tuple[Cited | Digits | Symbolic, ...]:
    """Differentiate the bell, integrate by parts, and compare with the statement."""
    v, y = sympy.symbols("v y", real=True)
    bell = sympy.exp(-((v - sympy.sqrt(g) * y) ** 2) / 2) / sympy.sqrt(2 * sympy.pi)
    denoised = sympy.Symbol("m", real=True)  # posterior mean of y, a function of v
    second, second_denoised, cross = sympy.symbols("E[y^2] E[m^2] E[mv]", real=True)

    score = sympy.sqrt(g) * denoised - v
    rate = sympy.expand(
        -denoised * score / (2 * sympy.sqrt(g))
    )  # integrand of dI/dg after integration by parts
    expected_rate = rate.subs({denoised**2: second_denoised}).subs(denoised * v, cross)

    return (
        Cited(
            says="The derivative may be taken under the integral, and the boundary terms of the "
            "integration by parts vanish, for every law with finite second moments. (The source "
            "also proves the whole theorem, by another route, and for vectors.)",
            reference="guo2005",
            locator="Theorems 1 and 2",
        ),
        Symbolic(
            says="A bell moves with g by a flow: ∂φ/∂g = −∂(yφ)/∂v / (2√g). Averaged over any law of "
            "y, the density p of v obeys ∂p/∂g = −∂(mp)/∂v / (2√g), where m(v) is the posterior "
            "mean of y.",
            left=sympy.diff(bell, g),
            right=-sympy.diff(y * bell, v) / (2 * sympy.sqrt(g)),
        ),
        Symbolic(
            says="A bell has ∂φ/∂v = (√g y − v) φ. Averaged over any law of y, the score is "
            "∂ log p/∂v = √g m − v.",
            left=sympy.diff(bell, v),
            right=(sympy.sqrt(g) * y - v) * bell,
        ),
        Symbolic(
            says="The noise e = v − √g y carries no information beyond a constant entropy, so dI/dg = "
            "−∫ (∂p/∂g) log p dv. Insert the flow, integrate by parts, insert the score: dI/dg is "
            "the expectation of −m(√g m − v)/(2√g).",
            left=-denoised * score / (2 * sympy.sqrt(g)),
            right=-(denoised**2) / 2 + denoised * v / (2 * sympy.sqrt(g)),
        ),
        Symbolic(
            says="E[m v] = E[y v] = √g E[y²], since e is independent of y and has mean zero; and mmse "
            "= E[y²] − E[m²]. So the expectation is what the statement says. Coefficients of the "
            "same channel add up.",
            left=statement.expression("slope", mmse=second - second_denoised),
            right=expected_rate.subs(cross, sympy.sqrt(g) * second),
        ),
        _gaussian_channels(statement),
        _discrete_law(statement, values="-1 1", weights="1/2 1/2", snr="0.7"),
        _discrete_law(statement, values="-1 0 2", weights="1/2 1/3 1/6", snr="1.3"),
    )


def _gaussian_channels(statement: Statement) -> Symbolic:
    g1, g2 = sympy.symbols("g_1 g_2", positive=True)
    a, b, c, d = sympy.symbols("a b c d", real=True)
    variance = sympy.diag(1, 2)
    first, second = sympy.Matrix([[1, a]]), sympy.Matrix([[b, c], [0, d]])
    precision = variance.inv() + g1 * first.T * first + g2 * second.T * second
    error = (second * precision.inv() * second.T).trace()
    return Symbolic(
        instance="two Gaussian coefficients, two correlated channels with arbitrary operators",
        says="Here I = ½ log det(S P), with posterior precision P = S⁻¹ + Σ g A'A, and mmse = tr A P⁻¹ A'.",
        left=sympy.diff(sympy.log((variance * precision).det()) / 2, g2),
        right=statement.expression("slope", mmse=error),
        by=sympy.cancel,
    )


def _discrete_law(statement: Statement, *, values: str, weights: str, snr: str) -> Digits:
    def law() -> list[tuple[Any, Any]]:
        return [
            (mpmath.mpmathify(y), mpmath.mpmathify(w))
            for y, w in zip(values.split(), weights.split(), strict=True)
        ]

    def average(function: Callable[[Any, Any], Any], g: Any) -> Any:
        """Average over y and v = √g y + e by the trapezoid rule, which on a line converges exponentially."""
        nodes = [mpmath.mpf(i) / 16 for i in range(-16 * 18, 16 * 18 + 1)]
        bell = [(e, mpmath.npdf(e) / 16) for e in nodes]
        return mpmath.fsum(w * b * function(y, mpmath.sqrt(g) * y + e) for y, w in law() for e, b in bell)

    def information(g: Any) -> Any:
        def density(v: Any) -> Any:
            return mpmath.fsum(w * mpmath.npdf(v - mpmath.sqrt(g) * y) for y, w in law())

        return average(lambda y, v: mpmath.log(mpmath.npdf(v - mpmath.sqrt(g) * y) / density(v)), g)

    def squared_error(g: Any) -> Any:
        def denoise(v: Any) -> Any:
            bells = [(y, w * mpmath.npdf(v - mpmath.sqrt(g) * y)) for y, w in law()]
            return mpmath.fsum(y * b for y, b in bells) / mpmath.fsum(b for _, b in bells)

        return average(lambda y, v: (y - denoise(v)) ** 2, g)

    return Digits(
        instance=f"y in {{{values}}} with probabilities {weights}, g = {snr}",
        says="Differentiate the mutual information of the channel numerically; compare with its "
        "squared error.",
        left=lambda: mpmath.diff(information, mpmath.mpf(snr)),
        right=lambda: statement.digits("slope", mmse=squared_error(mpmath.mpf(snr))),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
