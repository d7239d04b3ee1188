"""The Jacobian of the data prediction is the posterior covariance, up to a factor of the noise level.

Write an observation as u = g y + √g e. The posterior is then an exponential family in u: the derivative of the
posterior mean of one scale by the observation of another is their posterior covariance Φ_kl, exactly and for
any law of the data. A diffusion model sees x_t = √ᾱ y + √(1 − ᾱ) e instead. With S = ᾱ/(1 − ᾱ) this is u over
√(S(1 + S)), so

    E‖Φ_kl‖² = E‖∂ŷ_k/∂x_t,l‖² / (S_l (1 + S_l)).

Why it matters: this is the coupling that bends the information, so the factor γ_B = 1/(S(1 + S)), found best by
trial, is no heuristic for the Jacobian of the *data* prediction; a small step dλ then costs ½ (½ S² E‖Φ‖²) dλ².
It was applied to the Jacobian of the *noise* prediction, J_ε = (1 − √ᾱ J_y)/√(1 − ᾱ), for which it is not
exact: γ_B ‖J_ε‖² is E‖1 − S Φ‖²/S. For a single Gaussian mode of variance c that is Φ² times 1/(S c²): the noisy
end and the small variances are overrated, and only where S = 1/c² is the weight right. And it entered a path's
cost to the first power of |dλ|, while information costs the square.

What to do instead: between two scales the noise prediction has an exact factor of its own, 1/S_k more. Within a
scale the trace of J_ε, which the same random probes give, repairs the norm.
"""

import functools
from collections.abc import Callable
from typing import Any

import mpmath
import sympy

from lift_theory.theorems import mutual_information_hessian
from lift_theory.theorems._theorem import (
    Claim,
    Digits,
    Earlier,
    Statement,
    Step,
    Symbolic,
    Theorem,
    Variable,
)

S_k, S_l, jacobian, coupling, noise_norm = sympy.symbols(
    "S_k S_l jacobian coupling noise_norm", positive=True
)
trace, noise_trace, size, variance = sympy.symbols("trace noise_trace d c", positive=True)

statement = Statement(
    claims=(
        Claim(
            name="localisation",
            left=sympy.Symbol("u / x_t"),
            right=sympy.sqrt(S_l * (1 + S_l)),
            mistakes={"in units of the data": sympy.sqrt(1 + S_l)},
        ),
        Claim(
            name="covariance",
            left=sympy.Symbol(r"\mathbb{E}\,\|\Phi_{kl}\|_F^2"),
            right=jacobian / (S_l * (1 + S_l)),
        ),
        Claim(name="metric", left=sympy.Symbol("M_{kl}"), right=S_k * jacobian / (2 * (1 + S_l))),
        Claim(
            name="across",
            left=sympy.Symbol(r"\mathbb{E}\,\|\partial \hat\epsilon_k / \partial x_{t,l}\|_F^2"),
            right=S_k * jacobian,
        ),
        Claim(
            name="within",
            left=sympy.Symbol(r"\gamma_B\,\mathbb{E}\,\|J_\epsilon\|_F^2"),
            right=(size - 2 * S_l * trace + S_l**2 * coupling) / S_l,
        ),
        Claim(
            name="repaired",
            left=sympy.Symbol(r"\mathbb{E}\,\|\Phi_{ll}\|_F^2"),
            right=(size - 2 * noise_trace / sympy.sqrt(1 + S_l) + noise_norm / (1 + S_l)) / S_l**2,
        ),
        Claim(
            name="one_mode",
            left=sympy.Symbol(r"{\gamma_B\,J_\epsilon^2} / {\Phi^2}"),
            right=1 / (S_l * variance**2),
        ),
    ),
    variables=(
        Variable(symbol=S_k, meaning="signal-to-noise ratio of the predicted scale, ᾱ/(1 − ᾱ)"),
        Variable(
            symbol=S_l, meaning="signal-to-noise ratio of the scale that is moved (the same one if within)"
        ),
        Variable(
            symbol=jacobian,
            tex=r"\mathbb{E}\,\|\partial \hat y_k / \partial x_{t,l}\|_F^2",
            meaning="mean squared norm of the Jacobian of the data prediction",
        ),
        Variable(
            symbol=coupling,
            tex=r"\mathbb{E}\,\|\Phi_{ll}\|_F^2",
            meaning="mean squared norm of the posterior covariance of the scale",
        ),
        Variable(symbol=trace, tex=r"\mathrm{mmse}_l", meaning="denoising error of the scale, E tr Φ_ll"),
        Variable(
            symbol=noise_norm,
            tex=r"\mathbb{E}\,\|J_\epsilon\|_F^2",
            meaning="mean squared norm of the Jacobian of the noise prediction within the scale",
        ),
        Variable(symbol=noise_trace, tex=r"\mathbb{E}\,\mathrm{tr}\,J_\epsilon", meaning="its mean trace"),
        Variable(symbol=size, meaning="number of coefficients of the scale"),
        Variable(symbol=variance, meaning="variance of a single Gaussian coefficient"),
    ),
    assumptions=(
        "Any law of the data with finite fourth moments; x_t = √ᾱ y + √(1 − ᾱ) e for each scale, with its own "
        "ᾱ and independent white noise; 0 < ᾱ < 1.",
        "Predictions are exact: ŷ = E[y | x_t] and ε̂ = (x_t − √ᾱ ŷ)/√(1 − ᾱ). Jacobians of a trained network "
        "obey this as far as it is a posterior mean.",
        "M is the information metric in log-SNR; γ_B = 1/(S(1 + S)) with the S of the scale that is moved.",
        "across: two different scales, k ≠ l; within and repaired: one scale, k = l, the others fixed.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Differentiate the log-normaliser, then change variables."""
    u, w, y = sympy.symbols("u w y", real=True)
    normaliser = sympy.Function("Z")(u, w)
    mean_k, mean_l, both = sympy.symbols("E[y_k] E[y_l] E[y_ky_l]", real=True)
    moments = {
        sympy.diff(normaliser, u, w): both * normaliser,
        sympy.diff(normaliser, u): mean_k * normaliser,
        sympy.diff(normaliser, w): mean_l * normaliser,
    }
    x, e, phi, prediction = sympy.symbols("x e Phi J", real=True)
    alpha, sigma = sympy.sqrt(S_l / (1 + S_l)), 1 / sympy.sqrt(1 + S_l)
    alpha_k, sigma_k = sympy.sqrt(S_k / (1 + S_k)), 1 / sympy.sqrt(1 + S_k)
    unit = statement.expression("localisation")
    noise_jacobian = (1 - alpha * phi * unit) / sigma
    gaussian = variance / (1 + S_l * variance)

    return (
        Symbolic(
            says="x_t = √ᾱ y + √(1 − ᾱ) e with ᾱ = S/(1 + S), times the factor, is S y + √S e = u.",
            left=unit * (alpha * y + sigma * e),
            right=S_l * y + sympy.sqrt(S_l) * e,
        ),
        Symbolic(
            says="The likelihood of y is exp(uy − Sy²/2) up to a factor without y: the posterior is an "
            "exponential family in u with normaliser Z, the average of exp(uy_k + wy_l − …). Moments are "
            "derivatives: Z_u = Z E[y_k | z], and so on.",
            left=-((u - S_l * y) ** 2) / (2 * S_l) + u**2 / (2 * S_l),
            right=u * y - S_l * y**2 / 2,
        ),
        Symbolic(
            says="So ∂ŷ_k/∂w = ∂² log Z/∂u∂w = E[y_k y_l | z] − E[y_k | z] E[y_l | z] = Φ_kl.",
            left=sympy.diff(sympy.log(normaliser), u, w).subs(moments),
            right=both - mean_k * mean_l,
        ),
        Symbolic(
            says="Chain rule: ∂ŷ_k/∂x_t = Φ_kl times the factor; square and average.",
            left=statement.expression("covariance", jacobian=phi**2 * unit**2),
            right=phi**2,
        ),
        Earlier(says="The metric is S_k S_l E‖Φ_kl‖²/2.", theorem=mutual_information_hessian.theorem),
        Symbolic(
            says="With k = l it is half of S² γ_B ‖J_y‖² = ᾱ ‖J_y‖²; in general:",
            left=mutual_information_hessian.statement.expression(
                "metric", g_k=S_k, g_l=S_l, coupling=statement.expression("covariance")
            ),
            right=statement.expression("metric"),
        ),
        Symbolic(
            says="Across scales the noise prediction is −√ᾱ_k/√(1 − ᾱ_k) ŷ_k plus what does not move.",
            left=sympy.diff((x - alpha_k * prediction * w) / sigma_k, w) ** 2,
            right=statement.expression("across", jacobian=prediction**2),
        ),
        Symbolic(
            says="Within a scale J_ε = (1 − √ᾱ J_y)/√(1 − ᾱ) = √(1 + S) (1 − S Φ).",
            left=noise_jacobian,
            right=sympy.sqrt(1 + S_l) * (1 - S_l * phi),
        ),
        Symbolic(
            says="Eigenvalue by eigenvalue of Φ, d of them: multiply the square by γ_B. It is E‖1 − SΦ‖²/S.",
            left=statement.expression("covariance", jacobian=noise_jacobian**2),
            right=statement.expression("within", d=1, trace=phi, coupling=phi**2),
        ),
        Symbolic(
            says="Solve J_ε = √(1 + S)(1 − SΦ) for Φ and square.",
            left=statement.expression(
                "repaired", d=1, noise_trace=noise_jacobian, noise_norm=noise_jacobian**2
            ),
            right=phi**2,
        ),
        Symbolic(
            says="One Gaussian mode has Φ = c/(1 + Sc).",
            left=statement.expression("within", d=1, trace=gaussian, coupling=gaussian**2) / gaussian**2,
            right=statement.expression("one_mode"),
        ),
        _two_scales(statement),
        *_discrete_law(statement, values="-1 0 2", weights="1/2 1/3 1/6", snr="0.8"),
    )


def _two_scales(statement: Statement) -> Symbolic:
    a, b, c = sympy.symbols("a b c", real=True)
    fine, coarse = sympy.eye(2), sympy.Matrix([[a, b]])
    precision = sympy.Matrix([[1, c], [c, 1 + c**2]]) + S_k * fine + S_l * coarse.T * coarse
    posterior = precision.inv()
    # the mean is posterior (S_k y_k + S_l A'y_l), seen through y = √((1 + S)/S) x_t
    response = posterior * coarse.T * S_l * sympy.sqrt((1 + S_l) / S_l)
    return Symbolic(
        instance="two Gaussian coefficients seen directly and through any combination",
        says="Differentiate the linear posterior mean of the first scale by x_t of the second.",
        left=statement.expression("covariance", jacobian=(response.T * response)[0]),
        right=((posterior * coarse.T).T * posterior * coarse.T)[0],
        by=sympy.cancel,
    )


def _discrete_law(statement: Statement, *, values: str, weights: str, snr: str) -> tuple[Digits, ...]:
    @functools.cache
    def law(_precision: int) -> list[tuple[Any, Any]]:
        return [
            (mpmath.mpmathify(y), mpmath.mpmathify(w))
            for y, w in zip(values.split(), weights.split(), strict=True)
        ]

    def posterior_moment(x: Any, power: int) -> Any:
        """E[y^power | x_t], by Bayes' rule in the variables of the diffusion."""
        alpha, sigma = _levels(snr)
        bells = [(y, w * mpmath.npdf(x, alpha * y, sigma)) for y, w in law(mpmath.mp.prec)]
        return mpmath.fsum(y**power * b for y, b in bells) / mpmath.fsum(b for _, b in bells)

    def average(function: Callable[[Any], Any]) -> Any:
        """Average over x_t by the trapezoid rule."""
        alpha, sigma = _levels(snr)
        nodes = [mpmath.mpf(i) / 16 for i in range(-16 * 18, 16 * 18 + 1)]
        return mpmath.fsum(
            w * mpmath.npdf(e) / 16 * function(alpha * y + sigma * e)
            for y, w in law(mpmath.mp.prec)
            for e in nodes
        )

    def spread(x: Any) -> Any:
        return posterior_moment(x, 2) - posterior_moment(x, 1) ** 2

    def data_slope(x: Any) -> Any:
        return mpmath.diff(lambda v: posterior_moment(v, 1), x)

    @functools.cache
    def noise_slope(x: Any) -> Any:
        alpha, sigma = _levels(snr)
        return mpmath.diff(lambda v: (v - alpha * posterior_moment(v, 1)) / sigma, x)

    instance = f"y in {{{values}}} with probabilities {weights}, S = {snr}"
    return (
        Digits(
            instance=instance,
            says="Differentiate the posterior mean by x_t numerically; compare with the posterior variance.",
            left=lambda: average(lambda x: spread(x) ** 2),
            right=lambda: statement.digits(
                "covariance", S_l=mpmath.mpf(snr), jacobian=average(lambda x: data_slope(x) ** 2)
            ),
        ),
        Digits(
            instance=instance,
            says="The same for the noise prediction, repaired with its trace.",
            left=lambda: average(lambda x: spread(x) ** 2),
            right=lambda: statement.digits(
                "repaired",
                S_l=mpmath.mpf(snr),
                d=1,
                noise_trace=average(noise_slope),
                noise_norm=average(lambda x: noise_slope(x) ** 2),
            ),
        ),
    )


def _levels(snr: str) -> tuple[Any, Any]:
    s = mpmath.mpf(snr)
    return mpmath.sqrt(s / (1 + s)), 1 / mpmath.sqrt(1 + s)


theorem = Theorem(module=__name__, statement=statement, proof=proof)
