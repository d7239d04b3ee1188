"""Information is concave in the signal-to-noise ratios: its curvature is the squared posterior covariance.

Watching channel l more closely lowers the denoising error of channel k, the more so the more the two are
still entangled: the rate is the squared posterior covariance between them, averaged. The same matrix of
numbers is the curvature of the mutual information with the sign changed, so the information is concave, for
any law of the data.

Why it matters: curvature is what a sampler pays for. Small steps cost a quadratic form with exactly this
matrix, which makes the plane of log-SNRs a surface with lengths and shortest paths. The metric transforms
like a metric: in log-SNR coordinates it is g_k g_l times the curvature, and it is not the matrix of second
derivatives with respect to the log-SNRs, which has the additional term g_k mmse_k / 2 on its diagonal.

How the proof goes: write u = g y + √g e. The posterior is then an exponential family in u, whose
log-normaliser ψ has the posterior mean as its gradient and the posterior covariance as its Hessian. In g the
normaliser obeys a heat equation backwards while the density of u obeys a Fokker-Planck equation forwards;
together they say how fast E[m²] grows.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import sympy

from lift_theory.theorems import i_mmse_gradient
from lift_theory.theorems._theorem import (
    Cited,
    Claim,
    Digits,
    Earlier,
    Statement,
    Step,
    Symbolic,
    Theorem,
    Variable,
)

g_k, g_l = sympy.symbols("g_k g_l", positive=True)
coupling, own_k, own_l = sympy.symbols("coupling own_k own_l", positive=True)
information = sympy.Function("I")(g_k, g_l)
FROBENIUS = r"\mathbb{E}\,\|\Phi_{%s}\|_F^2"

statement = Statement(
    claims=(
        Claim(name="curvature", left=-sympy.Derivative(information, g_k, g_l), right=coupling / 2),
        Claim(name="metric", left=sympy.Symbol("M_{kl}"), right=g_k * g_l * coupling / 2),
        Claim(
            name="bound",
            left=sympy.Symbol(FROBENIUS % "kl"),
            right=sympy.sqrt(own_k * own_l),
            relation="<=",
        ),
    ),
    variables=(
        Variable(
            symbol=coupling,
            tex=FROBENIUS % "kl",
            meaning="mean squared Frobenius norm of the posterior covariance A_k Cov(x | z) A_l' of "
            "two channels",
        ),
        Variable(symbol=own_k, tex=FROBENIUS % "kk", meaning="the same norm of channel k with itself"),
        Variable(symbol=own_l, tex=FROBENIUS % "ll", meaning="the same norm of channel l with itself"),
        Variable(symbol=g_k, meaning="signal-to-noise ratio of channel k"),
        Variable(symbol=g_l, meaning="signal-to-noise ratio of channel l (k = l is allowed)"),
    ),
    assumptions=(
        "The data x have any law with finite fourth moments; channels are y_k = A_k x in independent "
        "white noise.",
        "M is the metric −d²I as a quadratic form in the steps: dg' (−∂²I) dg = dλ' M dλ with g = exp(λ).",
        "The bound is an equality when the two channels have the same operator; with it, −∂²I is "
        "positive semidefinite.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Show that E[m_k²] grows at the rate E[Φ_kl²] when channel l improves."""
    u, w, y, g = sympy.symbols("u w y g", positive=True)  # u belongs to channel k, w and g to channel l
    psi = sympy.Function("psi")(u, w)
    normaliser = sympy.exp(psi)
    backward = -(sympy.diff(psi, w, 2) + sympy.diff(psi, w) ** 2) / 2
    mean_k, mean_l = sympy.diff(psi, u), sympy.diff(psi, w)
    change_of_mean = sympy.diff(backward, u)
    kernel = sympy.exp(-((w - g * y) ** 2) / (2 * g)) / sympy.sqrt(2 * sympy.pi * g)
    second = sympy.Symbol("E[y^2]")
    learnt = sympy.Function("F")(g_l)  # E[m_k²]
    weight = sympy.exp(u * y - g * y**2 / 2)

    return (
        Earlier(
            says="The slope of the information is half the squared error.", theorem=i_mmse_gradient.theorem
        ),
        Symbolic(
            says="The likelihood weight exp(uy − gy²/2) solves the heat equation backwards; so does "
            "every average Z of such weights over a law.",
            left=sympy.diff(weight, g),
            right=-sympy.diff(weight, u, 2) / 2,
        ),
        Symbolic(
            says="Hence ψ = log Z obeys ∂ψ/∂g_l = −(ψ_ww + ψ_w²)/2, where w is the observation of channel l.",
            left=-sympy.diff(normaliser, w, 2) / normaliser / 2,
            right=backward,
        ),
        Symbolic(
            says="The posterior mean m_k = ψ_u drifts so as to cancel its motion along the observations: "
            "∂m_k/∂g_l + m_l ∂m_k/∂w + ½ ∂²m_k/∂w² = 0.",
            left=change_of_mean + mean_l * sympy.diff(mean_k, w) + sympy.diff(mean_k, w, 2) / 2,
            right=0,
        ),
        Symbolic(
            says="For the square of the mean one term is left, ∂(m_k²)/∂g_l + m_l ∂(m_k²)/∂w + ½ "
            "∂²(m_k²)/∂w² = (∂m_k/∂w)². And ∂m_k/∂w = ψ_uw is the posterior covariance Φ_kl.",
            left=2 * mean_k * change_of_mean
            + mean_l * sympy.diff(mean_k**2, w)
            + sympy.diff(mean_k**2, w, 2) / 2,
            right=sympy.diff(psi, u, w) ** 2,
        ),
        Symbolic(
            says="The observation w = g y + √g e has a density that moves by ∂p/∂g = −∂(yp)/∂w + ½ "
            "∂²p/∂w²; averaged over y, y becomes the posterior mean m_l. Two integrations by "
            "parts turn the line above into ∂E[m_k²]/∂g_l = E[Φ_kl²].",
            left=sympy.diff(kernel, g),
            right=-y * sympy.diff(kernel, w) + sympy.diff(kernel, w, 2) / 2,
        ),
        Cited(
            says="The squared error may be differentiated under the expectation and the boundary terms "
            "vanish. (The source proves the one-channel case as well.)",
            reference="guo2011",
            locator="Propositions 7 and 9",
        ),
        Symbolic(
            says="Differentiate the slope, with mmse_k = E[y_k²] − E[m_k²] and ∂E[m_k²]/∂g_l the "
            "coupling. Several coefficients a channel add up to Frobenius norms.",
            left=-sympy.diff(i_mmse_gradient.statement.expression("slope", mmse=second - learnt), g_l).subs(
                sympy.Derivative(learnt, g_l), coupling
            ),
            right=statement.expression("curvature"),
        ),
        Symbolic(
            says="A step dλ is a step dg = g dλ, so the quadratic form picks up g_k g_l.",
            left=statement.expression("curvature") * g_k * g_l,
            right=statement.expression("metric"),
        ),
        _sum_of_squares(),
        Symbolic(
            says="With B = v_k A_k'A_k + v_l A_l'A_l the form is not negative for any v. Take v_k = "
            "(ll), v_l = −(kl), where (kl) = E‖Φ_kl‖²: it equals (ll) times the square of the "
            "bound minus (kl)², so (kl) is at most the bound.",
            left=own_k * own_l**2 - 2 * coupling * own_l * coupling + own_l * coupling**2,
            right=own_l * (statement.expression("bound") ** 2 - coupling**2),
        ),
        Symbolic(
            says="With the same operator twice all three norms agree, and the bound is attained.",
            left=statement.expression("bound", own_k=coupling, own_l=coupling),
            right=coupling,
        ),
        _gaussian_channels(statement),
        _two_points(statement),
    )


def _sum_of_squares() -> Symbolic:
    size = 2
    v = sympy.symbols("v_k v_l", real=True)
    root = sympy.Matrix(size, size, sympy.symbols("r:4", real=True))  # Φ = R R'
    grams = [
        sympy.Matrix([[a, b], [b, c]]) for a, b, c in (sympy.symbols(f"{s}1:4", real=True) for s in "pq")
    ]
    phi = root * root.T
    form = sum(v[i] * v[j] * (grams[i] * phi * grams[j] * phi).trace() for i in range(2) for j in range(2))
    middle = root.T * (v[0] * grams[0] + v[1] * grams[1]) * root
    return Symbolic(
        says="‖A_k Φ A_l'‖² = tr(A_k'A_k Φ A_l'A_l Φ), so with Φ = RR' the form Σ v_k v_l ‖Φ_kl‖² is "
        "‖R'BR‖², B = Σ v_k A_k'A_k: a sum of squares. (By the cyclic trace in any dimension; "
        "expanded here entry by entry for two dimensions.)",
        left=form,
        right=sum(entry**2 for entry in middle),
        sign="nonnegative",
        by=sympy.expand,
    )


def _gaussian_channels(statement: Statement) -> Symbolic:
    a, b, c, d = sympy.symbols("a b c d", real=True)
    first, second = sympy.Matrix([[1, a]]), sympy.Matrix([[b, c], [0, d]])
    precision = sympy.diag(1, sympy.Rational(1, 2)) + g_k * first.T * first + g_l * second.T * second
    cross = first * precision.inv() * second.T
    return Symbolic(
        instance="two Gaussian coefficients, two correlated channels with arbitrary operators",
        says="Differentiate ½ log det(S P) twice; Φ = P⁻¹.",
        left=-sympy.diff(sympy.log(precision.det() * 2) / 2, g_k, g_l),
        right=statement.expression("curvature", coupling=(cross * cross.T).trace()),
        by=sympy.cancel,
    )


def _two_points(statement: Statement) -> Digits:
    snr = mpmath.mpf("0.7")

    def average(function: Callable[[Any], Any], g: Any) -> Any:
        nodes = (mpmath.mpf(i) / 16 for i in range(-16 * 18, 16 * 18 + 1))
        return mpmath.fsum(mpmath.npdf(e) / 16 * function(g + mpmath.sqrt(g) * e) for e in nodes)

    def information(g: Any) -> Any:
        return g - average(lambda u: mpmath.log(mpmath.cosh(u)), g)

    return Digits(
        instance="y = ±1 with equal probability, g = 0.7",
        says="Differentiate I = g − E log cosh(u) twice numerically; the posterior variance is 1 − "
        "tanh²(u), u = g + √g e.",
        left=lambda: -mpmath.diff(information, snr, 2),
        right=lambda: statement.digits(
            "curvature", coupling=average(lambda u: (1 - mpmath.tanh(u) ** 2) ** 2, snr)
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
