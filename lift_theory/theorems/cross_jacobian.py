"""One coupling between two scales reads large in one parametrisation and vanishes in another.

How strongly one scale's prediction depends on another scale's input is a posterior covariance times factors of the
noise levels, and the factors hang on what is predicted. With S = ᾱ/(1 − ᾱ) of each scale, between scales

    data      E‖∂ŷ_k/∂x_l‖² = S_l (1 + S_l) E‖Φ_kl‖²
    noise     S_k times that
    velocity  (1 + S_k) times that.

Relative to the scale's dependence on itself, the data prediction gives the coupling
E‖Φ_HL‖²/√(E‖Φ_HH‖² E‖Φ_LL‖²) if the ratio is taken both ways round, since all factors cancel then. In the noise
prediction the share of one scale in the other goes to zero with S_H whatever the coupling is: there a network has only
to return its input.

Why it matters: "at most 0.72 % of the influence" says that the fine scale was noisy, and nothing about guidance. What
the same influence gains while the other scale is cleaned does not depend on the parametrisation, but it measures no
guidance either. For two Gaussian coefficients it is the last claim, in which v, the variance of the coarse coefficient
given the noisy fine one, is all that is left of the data: a coarse coefficient that says next to nothing about the fine
one gains as much as one that fixes it. Between LIFT's ends, S = 0.0032 and 10⁴, the gain is close to 312/v² unless v is
tiny; it is 6400 for v = 0.22.

What it does not say: an image has many coefficients, and the gain of the sum is not that of a typical one. Coefficients
with a large v dominate where the coarse scale is noise, and gain least.
"""

import sympy

from lift_theory.theorems import chain_rule_factor, mutual_information_hessian
from lift_theory.theorems._theorem import (
    Claim,
    Earlier,
    Statement,
    Step,
    Symbolic,
    Theorem,
    Variable,
)

S_k, S_l, S_after = sympy.symbols("S_k S_l S_after", positive=True)
cross, own, trace, size, variance = sympy.symbols("cross own trace d v", positive=True)
to_fine, to_coarse, in_fine, in_coarse = sympy.symbols("J_HL J_LH J_HH J_LL", positive=True)
JACOBIAN = r"\mathbb{E}\,\|\partial \hat %s_%s / \partial x_%s\|_F^2"

statement = Statement(
    claims=(
        Claim(name="data", left=sympy.Symbol(JACOBIAN % ("y", "k", "l")), right=S_l * (1 + S_l) * cross),
        Claim(
            name="noise",
            left=sympy.Symbol(JACOBIAN % (r"\epsilon", "k", "l")),
            right=S_k * S_l * (1 + S_l) * cross,
        ),
        Claim(
            name="velocity",
            left=sympy.Symbol(JACOBIAN % ("v", "k", "l")),
            right=(1 + S_k) * S_l * (1 + S_l) * cross,
        ),
        Claim(
            name="noise_within",
            left=sympy.Symbol(JACOBIAN % (r"\epsilon", "k", "k")),
            right=(1 + S_k) * (size - 2 * S_k * trace + S_k**2 * own),
        ),
        Claim(
            name="velocity_within",
            left=sympy.Symbol(JACOBIAN % ("v", "k", "k")),
            right=S_k * (size - 2 * (1 + S_k) * trace + (1 + S_k) ** 2 * own),
        ),
        Claim(
            name="units_of_data",
            left=sympy.Symbol(r"\mathbb{E}\,\|\partial \hat y_k / \partial z_l\|_F^2"),
            right=S_l**2 * cross,
            mistakes={"as for x_t": S_l * (1 + S_l) * cross},
        ),
        Claim(
            name="coupling",
            left=sympy.Symbol(
                r"\frac{\mathbb{E}\,\|\Phi_{HL}\|_F^2}{\sqrt{\mathbb{E}\,\|\Phi_{HH}\|_F^2\,\mathbb{E}\,\|\Phi_{LL}\|_F^2}}"
            ),
            right=sympy.sqrt(to_fine * to_coarse / (in_fine * in_coarse)),
            mistakes={"one way round": to_fine / in_fine},
        ),
        Claim(
            name="vanishing_share",
            left=sympy.Symbol(
                r"\lim_{S_k\to 0} \frac{1}{S_k}\,"
                r"\frac{\mathbb{E}\,\|\partial \hat\epsilon_k / \partial x_l\|_F^2}"
                r"{\mathbb{E}\,\|\partial \hat\epsilon_k / \partial x_k\|_F^2}"
            ),
            right=S_l * (1 + S_l) * cross / size,
        ),
        Claim(
            name="growth",
            left=sympy.Symbol(
                r"\frac{\|\partial \hat y_k / \partial x_l\|^2 (S_l')}{\|\partial \hat y_k / \partial x_l\|^2 (S_l)}"
            ),
            right=S_after
            * (1 + S_after)
            * (1 + variance * S_l) ** 2
            / (S_l * (1 + S_l) * (1 + variance * S_after) ** 2),
        ),
    ),
    variables=(
        Variable(symbol=S_k, meaning="signal-to-noise ratio of the predicted scale, ᾱ/(1 − ᾱ)"),
        Variable(symbol=S_l, meaning="signal-to-noise ratio of the scale that is moved"),
        Variable(symbol=S_after, tex="S_l'", meaning="a second value of it"),
        Variable(
            symbol=cross,
            tex=r"\mathbb{E}\,\|\Phi_{kl}\|_F^2",
            meaning="mean squared norm of the posterior covariance of the two scales",
        ),
        Variable(
            symbol=own,
            tex=r"\mathbb{E}\,\|\Phi_{kk}\|_F^2",
            meaning="the same of the predicted scale with itself",
        ),
        Variable(symbol=trace, tex=r"\mathrm{mmse}_k", meaning="its denoising error, E tr Φ_kk"),
        Variable(symbol=size, tex="d_k", meaning="its number of coefficients"),
        *(
            Variable(
                symbol=symbol,
                tex=JACOBIAN % ("y", out, by),
                meaning=f"mean squared Jacobian of the data prediction, of {words}",
            )
            for symbol, out, by, words in (
                (to_fine, "H", "L", "the fine scale by the coarse one"),
                (to_coarse, "L", "H", "the coarse scale by the fine one"),
                (in_fine, "H", "H", "the fine scale by itself"),
                (in_coarse, "L", "L", "the coarse scale by itself"),
            )
        ),
        Variable(
            symbol=variance,
            meaning="variance of a Gaussian coefficient of scale l, given the noisy scale k and nothing of its own",
        ),
    ),
    assumptions=(
        "Any law of the data with finite fourth moments; x_k = √ᾱ_k y_k + √(1 − ᾱ_k) e_k, each scale with its own ᾱ "
        "and independent white noise; 0 < ᾱ < 1. In units of the data z = x/√ᾱ.",
        "Predictions are exact: ŷ = E[y | x], ε̂ = (x − √ᾱ ŷ)/√(1 − ᾱ) and v̂ = √ᾱ ε̂ − √(1 − ᾱ) ŷ.",
        "data, noise, velocity and vanishing_share: k ≠ l. In the limit E‖Φ_kl‖² is taken at S_k = 0.",
        "growth: Gaussian data, one coefficient each (or independent pairs with the same v); S_k is the same at both "
        "values. The noise and velocity predictions have the same growth.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Write every prediction as input and data prediction, differentiate, and cancel factors."""
    x, w, phi, S_H, S_L = sympy.symbols("x w Phi S_H S_L", positive=True)
    alpha, sigma = sympy.sqrt(S_k / (1 + S_k)), 1 / sympy.sqrt(1 + S_k)
    slope = chain_rule_factor.statement.expression("localisation") * phi  # ∂ŷ_k/∂x_l
    own_slope = slope.subs(S_l, S_k)
    noise = (x - alpha * sympy.Function("D")(x, w)) / sigma
    velocity = alpha * noise - sigma * sympy.Function("D")(x, w)
    prediction = sympy.Function("D")(x, w)
    across = {sympy.diff(prediction, w): slope}
    within = {sympy.diff(prediction, x): own_slope}
    norms = dict(zip(("HL", "HH", "LL"), sympy.symbols("Phi_HL Phi_HH Phi_LL", positive=True), strict=True))
    data = statement.expression
    blocks = {
        "J_HL": data("data", S_l=S_L, cross=norms["HL"]),
        "J_LH": data("data", S_l=S_H, cross=norms["HL"]),
        "J_HH": data("data", S_l=S_H, cross=norms["HH"]),
        "J_LL": data("data", S_l=S_L, cross=norms["LL"]),
    }
    covariance = sympy.Symbol("q", real=True)
    regression = sympy.sqrt(S_l / (1 + S_l)) * covariance / (variance * S_l / (1 + S_l) + 1 / (1 + S_l))

    return (
        Earlier(
            says="The Jacobian of the data prediction is Φ_kl √(S_l(1 + S_l)), for k = l as well.",
            theorem=chain_rule_factor.theorem,
        ),
        Symbolic(
            says="Squared and averaged; a mean of one draw is written.",
            left=statement.expression("data", cross=phi**2),
            right=slope**2,
        ),
        Symbolic(
            says="The noise prediction is √(1 + S) x − √S ŷ. Between scales x does not move: −√S_k times the "
            "Jacobian of the data prediction.",
            left=sympy.diff(noise, w).subs(across) ** 2,
            right=statement.expression("noise", cross=phi**2),
        ),
        Symbolic(
            says="The velocity is √S x − √(1 + S) ŷ: −√(1 + S_k) times that Jacobian.",
            left=sympy.diff(velocity, w).subs(across) ** 2,
            right=statement.expression("velocity", cross=phi**2),
        ),
        Symbolic(
            says="Within a scale the noise prediction has √(1 + S) (1 − SΦ) …",
            left=sympy.diff(noise, x).subs(within),
            right=sympy.sqrt(1 + S_k) * (1 - S_k * phi),
        ),
        Symbolic(
            says="… and the velocity √S (1 − (1 + S)Φ).",
            left=sympy.diff(velocity, x).subs(within),
            right=sympy.sqrt(S_k) * (1 - (1 + S_k) * phi),
        ),
        Symbolic(
            says="Square both, eigenvalue by eigenvalue of Φ, d_k of them.",
            left=sympy.Matrix([sympy.diff(p, x).subs(within) ** 2 for p in (noise, velocity)]),
            right=sympy.Matrix(
                [
                    statement.expression(name, d=1, trace=phi, own=phi**2)
                    for name in ("noise_within", "velocity_within")
                ]
            ),
        ),
        Symbolic(
            says="In units of the data z = x/√ᾱ, so ∂ŷ/∂z = √ᾱ ∂ŷ/∂x = S_l Φ_kl.",
            left=statement.expression("units_of_data", cross=phi**2),
            right=slope**2 * S_l / (1 + S_l),
        ),
        Symbolic(
            says="Both ways round, every factor of a noise level cancels.",
            left=statement.expression("coupling", **blocks),
            right=norms["HL"] / sympy.sqrt(norms["HH"] * norms["LL"]),
        ),
        Earlier(
            says="E‖Φ_kl‖² is at most √(E‖Φ_kk‖² E‖Φ_ll‖²), so the coupling lies between 0 and 1; with S_k → 0 all "
            "three stay finite.",
            theorem=mutual_information_hessian.theorem,
        ),
        Symbolic(
            says="Divide the noise prediction's share by S_k and let S_k → 0: within the scale it has become the "
            "identity.",
            left=sympy.limit(
                statement.expression("noise") / statement.expression("noise_within") / S_k, S_k, 0
            ),
            right=statement.expression("vanishing_share"),
        ),
        Symbolic(
            says="Two Gaussian coefficients: given the noisy scale k they have covariance q and scale l has variance "
            "v; its own channel divides the covariance by 1 + vS_l. So growth has v as its only property of the data.",
            left=statement.expression("data", S_l=S_after, cross=(covariance / (1 + variance * S_after)) ** 2)
            / statement.expression("data", cross=(covariance / (1 + variance * S_l)) ** 2),
            right=statement.expression("growth"),
        ),
        Symbolic(
            says="That division: the covariance of the pair after channel l is that of a 2x2 matrix inverse.",
            left=(sympy.Matrix([[x, covariance], [covariance, variance]]).inv() + sympy.diag(0, S_l)).inv()[
                0, 1
            ],
            right=covariance / (1 + variance * S_l),
        ),
        Symbolic(
            instance="the same pair in the variables of the diffusion",
            says="Regress y_k on x_l: the slope is √ᾱ q / (ᾱ v + 1 − ᾱ), with ᾱ = S/(1 + S).",
            left=(regression.subs(S_l, S_after) / regression) ** 2,
            right=statement.expression("growth"),
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
