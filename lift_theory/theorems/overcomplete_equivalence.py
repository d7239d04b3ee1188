"""An image with its averages is an orthogonal split in disguise.

Let D average blocks, so that its rows are orthogonal and DD' = 1/r². Noising the image x and its averages Dx
separately tells exactly as much about x as noising the two orthogonal parts of x, the averages and the
details, with

    SNR of the details  = SNR of the image,
    SNR of the averages = SNR of the image + SNR of the coarse channel / r².

Posterior, errors, information and the cost of ancestral sampling agree, for every law of the data.

Why it matters: redundancy buys nothing for an ancestral sampler. Every over-complete path is an orthogonal
path with g_low ≥ g_high whose low band gains at least as fast; the reverse is possible only inside that cone.
So the best over-complete path is never better than the best orthogonal one, and "low frequencies first" is
built into the representation, not learnt by it.

What it does not say: a deterministic sampler carries the noise of both channels along, one state more than
the orthogonal split has. Its posterior means agree, the law of its samples need not.
"""

import sympy

from lift_theory.theorems import bregman_path_kl
from lift_theory.theorems._theorem import Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

g_fine, g_coarse, g_high, g_low, ratio = sympy.symbols("g_H g_L g_high g_low r", positive=True)
error_high, error_low, gain = sympy.symbols("error_high error_low gain", positive=True)
step_fine, step_coarse = sympy.symbols("step_H step_L", positive=True)

statement = Statement(
    claims=(
        Claim(
            name="low_snr",
            left=sympy.Symbol(r"g_{\mathrm{low}}"),
            right=g_fine + g_coarse / ratio**2,
            mistakes={"coarse noise spread over the block the wrong way": g_fine + g_coarse * ratio**2},
        ),
        Claim(name="coarse_snr", left=sympy.Symbol("g_L"), right=ratio**2 * (g_low - g_high)),
        Claim(
            name="fine_error",
            left=sympy.Symbol(r"\mathrm{mmse}_{\mathrm{fine}}"),
            right=error_high + error_low,
        ),
        Claim(
            name="coarse_error",
            left=sympy.Symbol(r"\mathrm{mmse}_{\mathrm{coarse}}"),
            right=error_low / ratio**2,
        ),
        Claim(
            name="step",
            left=sympy.Symbol(r"D_{\mathrm{pyramid}}"),
            right=(step_fine * error_high + (step_fine + step_coarse / ratio**2) * error_low) / 2 - gain,
        ),
    ),
    variables=(
        Variable(symbol=g_fine, meaning="SNR of the fine channel of the pyramid, and of the high band"),
        Variable(symbol=g_coarse, meaning="SNR of the coarse channel of the pyramid"),
        Variable(
            symbol=g_high, tex=r"g_{\mathrm{high}}", meaning="SNR of the high band of the orthogonal split"
        ),
        Variable(
            symbol=g_low,
            tex=r"g_{\mathrm{low}}",
            meaning="SNR of the low band; a pyramid exists for g_low ≥ g_high",
        ),
        Variable(
            symbol=ratio,
            low=1.1,
            high=8,
            meaning="r² is the number of samples averaged (r = 2 for 2x2 blocks)",
        ),
        Variable(
            symbol=error_high,
            tex=r"\mathrm{mmse}_{\mathrm{high}}",
            meaning="denoising error of the high band",
        ),
        Variable(
            symbol=error_low, tex=r"\mathrm{mmse}_{\mathrm{low}}", meaning="denoising error of the low band"
        ),
        Variable(symbol=step_fine, tex=r"\Delta g_H", meaning="step of the fine channel"),
        Variable(symbol=step_coarse, tex=r"\Delta g_L", meaning="step of the coarse channel"),
        Variable(symbol=gain, tex=r"\Delta I", meaning="information gained over the step, in nats"),
    ),
    assumptions=(
        "DD' = 1/r²: averages of disjoint blocks of r² samples, at one or more levels. Any law of the data.",
        "Pyramid: x at SNR g_H and Dx at SNR g_L. Split: Qx at g_high = g_H and Wx at g_low, where W = "
        "rD and the rows of Q complete those of W to an orthonormal basis. All noises are white and "
        "independent.",
        "The noise of Dx is not the average of the noise of x.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Compare sufficient statistics, with D, Q and their transposes as symbols that do not commute."""
    D, Dt, Q, Qt = sympy.symbols("D D' Q Q'", commutative=False)
    x, xt, zH, zHt, zL, zLt = sympy.symbols("x x' z_H z_H' z_L z_L'", commutative=False)
    zh, zht, zl, zlt = sympy.symbols("z_high z_high' z_low z_low'", commutative=False)
    low = statement.expression("low_snr")
    projector = ratio**2 * Dt * D
    information = g_fine + g_coarse * Dt * D  # the matrix SNR Λ

    def reduced(expr: sympy.Expr) -> sympy.Expr:
        """Use DD' = 1/r² and Q'Q = 1 − P wherever they occur."""
        expr = sympy.expand(expr)
        return sympy.expand(sympy.expand(expr.subs(D * Dt, ratio**-2)).subs(Qt * Q, 1 - projector))

    statistic = g_fine * zH + g_coarse * Dt * zL
    split_statistic = g_fine * Qt * zh + low * ratio * Dt * zl
    pyramid_energy = g_fine * (zHt - xt) * (zH - x) + g_coarse * (zLt - xt * Dt) * (zL - D * x)
    split_energy = g_fine * (zht - xt * Qt) * (zh - Q * x) + low * (zlt - ratio * xt * Dt) * (
        zl - ratio * D * x
    )

    return (
        Symbolic(says="P = r²D'D is a projector.", left=reduced(projector * projector), right=projector),
        Symbolic(
            says="The matrix SNR of the pyramid is that of the split: g_H + g_L D'D = g_H (1 − P) + g_low P.",
            left=information,
            right=reduced(g_fine * (1 - projector) + low * projector),
        ),
        Symbolic(
            says="Pyramid: the likelihood depends on x through x'Λx and x'u, with u = g_H z_H + g_L D'z_L.",
            left=pyramid_energy,
            right=g_fine * zHt * zH
            + g_coarse * zLt * zL
            - xt * statistic
            - (g_fine * zHt + g_coarse * zLt * D) * x
            + xt * information * x,
        ),
        Symbolic(
            says="Split: it depends on x through the same x'Λx, and x'u with u = g_high Q'z_high + "
            "g_low W'z_low.",
            left=reduced(split_energy),
            right=reduced(
                g_fine * zht * zh
                + low * zlt * zl
                - xt * split_statistic
                - (g_fine * zht * Q + low * ratio * zlt * D) * x
                + xt * information * x
            ),
        ),
        Symbolic(
            says="Given x, both u are normal with mean Λx and covariance Λ: means and covariances of "
            "the two, in turn. So u is one and the same observation of x, and everything that "
            "depends on the posterior alone agrees, for any law of x.",
            left=sympy.Matrix(
                [
                    statistic.subs({zH: x, zL: D * x}),
                    reduced(split_statistic.subs({zh: Q * x, zl: ratio * D * x})),
                    g_fine + g_coarse * Dt * D,
                    reduced(g_fine * Qt * Q + low * ratio**2 * Dt * D),
                ]
            ),
            right=sympy.Matrix([information * x, sympy.expand(information * x), information, information]),
            by=lambda e: sympy.simplify(sympy.expand(e)),
        ),
        Symbolic(
            says="The way back: the coarse SNR that gives g_low. It is not negative iff g_low ≥ "
            "g_high; the same holds for steps.",
            left=statement.expression("coarse_snr", g_low=low, g_high=g_fine),
            right=g_coarse,
        ),
        Symbolic(
            says="Errors: trace(Φ) splits by 1 = Q'Q + W'W into those of the bands, and D = W/r.",
            left=sympy.Matrix(
                [
                    reduced(Qt * Q + ratio**2 * Dt * D),
                    statement.expression("fine_error"),
                    statement.expression("coarse_error") * ratio**2,
                ]
            ),
            right=sympy.Matrix([1, error_high + error_low, error_low]),
        ),
        Earlier(
            says="A step costs half of Σ Δg_k mmse_k minus the information gained.",
            theorem=bregman_path_kl.theorem,
        ),
        Symbolic(
            says="Put in the errors: the pyramid's cost is the one of the statement …",
            left=bregman_path_kl.statement.expression(
                "step",
                increment=[step_fine, step_coarse],
                mmse=[statement.expression("fine_error"), statement.expression("coarse_error")],
                gain=gain,
            ),
            right=statement.expression("step"),
        ),
        Symbolic(
            says="… which is what the split pays for its steps Δg_H and Δg_low.",
            left=bregman_path_kl.statement.expression(
                "step",
                increment=[step_fine, statement.expression("low_snr", g_H=step_fine, g_L=step_coarse)],
                mmse=[error_high, error_low],
                gain=gain,
            ),
            right=statement.expression("step"),
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
