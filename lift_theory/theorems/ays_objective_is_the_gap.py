"""The objective of "Align Your Steps" is the gap between the information and its tangent.

Align Your Steps chooses noise levels by a bound on the sampling error: how far the denoiser's prediction
moves within a step, integrated over the step. For an exact denoiser that movement has a mean that depends on
no pair of noise levels: the prediction is a martingale, so its mean squared movement is the denoising error
before minus the denoising error after. Integrated, the bound is the Bregman cost of ancestral sampling, scale
by scale and in total.

Why it matters: the objective had been estimated by Monte Carlo over pairs of noise levels. The identity
replaces that by one pass over single noise levels, with far less variance. For a trained network the two
differ; by how much says how far the network is from a posterior mean.

The constant: the bound here is the divergence itself, with the factor one half. Where a printed version
carries twice this constant, the minimiser is the same. The total over scales does not depend on the way the
scales move within a step, since the errors are a gradient; the share of a single scale does.
"""

import sympy

from lift_theory.theorems import bregman_path_kl, i_mmse_gradient
from lift_theory.theorems._theorem import Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

before, after, increment, gain = sympy.symbols("before after increment gain", positive=True)

statement = Statement(
    claims=(
        Claim(
            name="movement",
            left=sympy.Symbol(r"\mathbb{E}\,\|D(z_t) - D(z_s)\|^2"),
            right=before - after,
        ),
        Claim(
            name="objective",
            left=sympy.Symbol(
                r"\tfrac12 \int_{g}^{g'} \mathbb{E}\,\|D(z_\gamma) - D(z_g)\|^2 \,\mathrm{d}\gamma"
            ),
            right=increment * before / 2 - gain,
        ),
    ),
    variables=(
        Variable(
            symbol=before, tex=r"\mathrm{mmse}(s)", meaning="denoising error at the noisier level s (SNR g)"
        ),
        Variable(symbol=after, tex=r"\mathrm{mmse}(t)", meaning="denoising error at the cleaner level t"),
        Variable(symbol=increment, tex="(g' - g)", meaning="step in signal-to-noise ratio"),
        Variable(symbol=gain, tex="[I(g') - I(g)]", meaning="information gained over the step, in nats"),
    ),
    assumptions=(
        "D is the exact posterior mean; the data have any law with finite second moments.",
        "The noisier state is a noisier copy of the cleaner one: given z_t, z_s does not depend on x.",
        "One scale; for several, sum over scales and read the integral along any monotone curve from g "
        "to g'.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Use the martingale, then integrate the slope of the information."""
    data, early, late, product = sympy.symbols("E[y^2] E[D_s^2] E[D_t^2] E[D_tD_s]", positive=True)
    g, gnext, x = sympy.symbols("g g' gamma", positive=True)
    inform = sympy.Function("I")
    slope = sympy.diff(inform(x), x)
    error_at = sympy.solve(
        i_mmse_gradient.statement.expression("slope", mmse=sympy.Symbol("m")) - sympy.Symbol("I'"),
        sympy.Symbol("m"),
    )[0]
    mmse = error_at.subs(sympy.Symbol("I'"), slope)  # mmse(γ) = 2 I'(γ)
    start = sympy.Symbol("mmse_g", positive=True)
    movement = statement.expression("movement", before=start, after=mmse)
    integral = sympy.integrate(sympy.expand(movement), (x, g, gnext)) / 2
    curve = sympy.Function("I")
    t, a, b = sympy.symbols("t a b", real=True)
    path = curve(a + t * b, a + t**2 * b)

    return (
        Symbolic(
            says="Given z_t, the state z_s says nothing more about x, so the mean of D(z_t) given z_s "
            "is D(z_s): a martingale. So E[D_t D_s] = E[D_s²]; and each error is E[y²] minus the "
            "mean square of the prediction.",
            left=(late - 2 * product + early).subs(product, early),
            right=statement.expression("movement", before=data - early, after=data - late),
        ),
        Earlier(says="The error is twice the slope of the information.", theorem=i_mmse_gradient.theorem),
        Symbolic(
            says="Integrate half the movement over the step.",
            left=integral.doit(),
            right=statement.expression(
                "objective", increment=gnext - g, before=start, gain=inform(gnext) - inform(g)
            ),
        ),
        Earlier(says="This is what a step of ancestral sampling costs.", theorem=bregman_path_kl.theorem),
        Symbolic(
            says="It is the same formula as there.",
            left=bregman_path_kl.statement.expression(
                "step", increment=[increment], mmse=[before], gain=gain
            ),
            right=statement.expression("objective"),
        ),
        Symbolic(
            says="Several scales: the errors are twice the gradient of I, so along any curve half of Σ "
            "mmse_k dg_k is dI (chain rule, written for two scales that move differently).",
            left=sympy.diff(path, t).doit(),
            right=_chain_rule(curve, t, a, b),
        ),
        _gaussian_movement(statement),
    )


def _chain_rule(curve: sympy.Function, t: sympy.Symbol, a: sympy.Symbol, b: sympy.Symbol) -> sympy.Expr:
    p, q = sympy.symbols("p q")
    at = {p: a + t * b, q: a + t**2 * b}
    parts = [sympy.Subs(sympy.diff(curve(p, q), s), list(at), list(at.values())) for s in (p, q)]
    return parts[0] * b + parts[1] * 2 * t * b


def _gaussian_movement(statement: Statement) -> Symbolic:
    c, a, b = sympy.symbols("c a b", positive=True)  # variances: data, noise at t, noise at s ≥ t
    late, early = c / (c + a), c / (c + b)  # the linear denoisers
    movement = late**2 * (c + a) - 2 * late * early * (c + a) + early**2 * (c + b)
    return Symbolic(
        instance="one Gaussian coefficient of variance c",
        says="Here D is linear, and z_t, z_s have the covariance c + a.",
        left=movement,
        right=statement.expression("movement", before=c * b / (c + b), after=c * a / (c + a)),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
