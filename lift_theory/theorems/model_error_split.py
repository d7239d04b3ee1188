"""What an imperfect denoiser costs is added to the discretisation error, and the losses measure the sum.

Put any denoiser in the place of the posterior mean. The law of the sampler's whole trajectory then differs
from the law of the true one by exactly

    half the denoiser's losses, weighted by the steps in signal-to-noise ratio, minus the information gained,

the same formula as for an exact denoiser, with the losses it actually makes. The posterior mean is a
projection, so its distance from the denoiser adds to the loss; the cost is what the exact denoiser would pay
on the same path plus half the weighted squared distances.

Why it matters: the information gained depends on the ends of a path only. So of two paths between the same
ends the one with the smaller weighted sum of measured losses is better for this very network, its own errors
included, and no exact denoiser has to be known. More steps remove the first part of the cost, never the
second: what remains is half the excess loss, integrated along the curve.

What it does not say: the bound is on the divergence, with the noise of the bridge. It says nothing about a
deterministic sampler, and little about where the excess loss is harmless for the eye. The excess loss of a
network need not be a gradient, so the remainder depends on the curve.
"""

import sympy

from lift_theory.theorems import bregman_path_kl, i_mmse_gradient
from lift_theory.theorems._theorem import Cited, Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

j = sympy.Symbol("j", integer=True)
moves = sympy.Symbol("J", integer=True, positive=True)
increment, loss, distance = (sympy.IndexedBase(name) for name in ("increment", "loss", "distance"))
least, away, gain, start, exact, swept, excess = sympy.symbols(
    "least away gain start exact swept excess", positive=True
)
PATHS_KL = r"\mathrm{KL}(\text{true path} \,\|\, \text{sampled path})"

paid = sympy.Sum(increment[j] * loss[j], (j, 0, moves - 1))

statement = Statement(
    claims=(
        Claim(name="projection", left=sympy.Symbol(r"\mathbb{E}\,\|D(z) - y\|^2"), right=least + away),
        Claim(
            name="path",
            left=sympy.Symbol(PATHS_KL),
            right=start + paid / 2 - gain,
            mistakes={"full instead of half loss": start + paid - gain},
        ),
        Claim(
            name="split",
            left=sympy.Symbol(PATHS_KL),
            right=start + exact + sympy.Sum(increment[j] * distance[j], (j, 0, moves - 1)) / 2,
        ),
        Claim(
            name="measurable",
            left=sympy.Symbol(PATHS_KL),
            right=start + (paid - swept) / 2 + excess / 2,
        ),
        Claim(
            name="remainder",
            left=sympy.Symbol(r"\lim_{n\to\infty}" + PATHS_KL),
            right=start + excess / 2,
        ),
        Claim(
            name="samples",
            left=sympy.Symbol(r"\mathrm{KL}(\text{true} \,\|\, \text{output})"),
            right=start + paid / 2 - gain,
            relation="<=",
        ),
    ),
    variables=(
        Variable(symbol=least, tex=r"\mathrm{mmse}", meaning="squared error of the posterior mean"),
        Variable(
            symbol=away,
            tex=r"\mathbb{E}\,\|D(z) - \mathbb{E}[y|z]\|^2",
            meaning="squared distance between the denoiser and the posterior mean",
        ),
        Variable(
            symbol=increment,
            size=moves,
            tex=r"\Delta g",
            meaning="steps g'_k − g_k in signal-to-noise ratio, of every scale in every step: J of them",
        ),
        Variable(
            symbol=loss,
            size=moves,
            tex=r"\mathrm{mse}",
            meaning="squared errors of the denoiser at the starts of these steps",
        ),
        Variable(
            symbol=distance,
            size=moves,
            tex=r"\mathrm{dist}",
            meaning="squared distances mse − mmse to the posterior mean there",
        ),
        Variable(symbol=gain, tex="[I(g_n) - I(g_0)]", meaning="information gained over the path, in nats"),
        Variable(
            symbol=start,
            tex=r"\mathrm{KL}_0",
            meaning="divergence of the first state's true law from the law that the sampler starts with",
        ),
        Variable(
            symbol=exact,
            tex=r"\textstyle\sum_{i=1}^{n} D(g_i, g_{i-1})",
            meaning="cost of the path with the exact denoiser",
        ),
        Variable(
            symbol=swept,
            tex=r"\textstyle\int \sum_k \mathrm{mse}_k \,\mathrm{d}g_k",
            meaning="losses of the denoiser, integrated along a monotone curve through the points",
        ),
        Variable(
            symbol=excess,
            tex=r"\textstyle\int \sum_k (\mathrm{mse}_k - \mathrm{mmse}_k) \,\mathrm{d}g_k",
            meaning="excess losses, integrated along that curve",
        ),
    ),
    assumptions=(
        "Any law of the data with finite second moments; z_k = A_k x + g_k^(-1/2) e_k with independent "
        "white noise. Any denoiser D with finite squared errors: biased, inconsistent between noise levels, "
        "or blind to some scales.",
        "True path: the same noise is refined, z given z' does not depend on x, and g' ≥ g in every scale. "
        "Sampled path: every transition is the Gaussian bridge with D in the place of the unknown y, and the "
        "bridge's own variance.",
        "Losses are averages over true noisy data, as in training, not over the sampler's own states.",
        "Remainder: the steps shrink on a fixed curve along which the losses are continuous.",
        "The bound on the samples is attained by one step that starts from pure noise, g_0 → 0.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Repeat the cost of a step with an arbitrary guess, then project onto functions of z."""
    a, b = sympy.symbols("a b", positive=True)  # noise variances 1/g' and 1/g
    z, y, guess, mean = sympy.symbols("z y D m", real=True)
    variance = a * (1 - a / b)
    right_mean, wrong_mean = (a / b * z + (1 - a / b) * clean for clean in (y, guess))
    far = sympy.Symbol("E(D-m)^2", positive=True)
    dg_1, dg_2, e_1, e_2, gap_1, gap_2 = sympy.symbols("dg_1 dg_2 mse_1 mse_2 far_1 far_2", positive=True)
    gain_1, gain_2, error = sympy.symbols("dI_1 dI_2 mmse", positive=True)
    steps = {"increment": [dg_1, dg_2], "loss": [e_1, e_2]}
    cost = bregman_path_kl.statement.expression
    path = statement.expression("path", **steps, gain=gain_1 + gain_2)
    exact_cost = sum(
        cost("step", increment=[dg], mmse=[e - far_k], gain=g)
        for dg, e, far_k, g in ((dg_1, e_1, gap_1, gain_1), (dg_2, e_2, gap_2, gain_2))
    )
    gradient = i_mmse_gradient.statement.expression("slope", mmse=error)

    return (
        Symbolic(
            says="With m = E[y|z], the square splits into two squares and a product …",
            left=(guess - y) ** 2,
            right=(mean - y) ** 2 + (guess - mean) ** 2 + 2 * (guess - mean) * (mean - y),
        ),
        Symbolic(
            says="… whose mean given z is zero, D and m being functions of z and E[y|z] = m. So the loss is the "
            "statement.",
            left=(least + far + 2 * (guess - mean) * (mean - y)).subs(y, mean),
            right=statement.expression("projection", away=far),
        ),
        Symbolic(
            says="Given z and y the true bridge and the sampler's are normal with the same variance. Their "
            "divergence is half the step in signal-to-noise ratio times the squared error of the guess D, "
            "whatever the guess: on average Σ_k (g'_k − g_k) mse_k/2.",
            left=(right_mean - wrong_mean) ** 2 / (2 * variance),
            right=(1 / a - 1 / b) * (y - guess) ** 2 / 2,
        ),
        Earlier(
            says="That charges the sampler for not knowing x. The refund I(x; z' | z) = I(g') − I(g) is a matter "
            "of the true law alone.",
            theorem=bregman_path_kl.theorem,
        ),
        Cited(
            says="Divergences of the first law and of the transitions add up to that of the paths, which is at "
            "least that of the last states.",
            reference="cover2006",
            locator="Theorem 2.5.3",
        ),
        Symbolic(
            says="The sum, for two moves.",
            left=start
            + sum(
                cost("step", increment=[dg], mmse=[e], gain=g)
                for dg, e, g in ((dg_1, e_1, gain_1), (dg_2, e_2, gain_2))
            ),
            right=path,
        ),
        Symbolic(
            says="It bounds the divergence of the samples.",
            left=path,
            right=statement.expression("samples", **steps, gain=gain_1 + gain_2),
        ),
        Symbolic(
            says="Write every loss as mmse plus distance: the cost of the exact denoiser appears, and the rest.",
            left=path,
            right=statement.expression(
                "split", exact=exact_cost, increment=[dg_1, dg_2], distance=[gap_1, gap_2]
            ),
        ),
        Earlier(
            says="Half of Σ mmse_k dg_k is dI: along any curve it integrates to the information gained.",
            theorem=i_mmse_gradient.theorem,
        ),
        Symbolic(
            says="So that half the losses, integrated, are the information plus half the excess …",
            left=gradient + (swept - error) / 2,
            right=swept / 2,
        ),
        Symbolic(
            says="… and the information can be exchanged for losses that are measured.",
            left=path.subs(gain_1, (swept - excess) / 2 - gain_2),
            right=statement.expression("measurable", **steps),
        ),
        Symbolic(
            says="When the steps shrink, Σ Δg mse tends to the integral of the losses (a Riemann sum).",
            left=statement.expression("measurable", increment=[1], loss=[swept]),
            right=statement.expression("remainder"),
        ),
        _noise_to_one_step(statement),
    )


def _noise_to_one_step(statement: Statement) -> Symbolic:
    c, g, bias = sympy.symbols("c g b", positive=True)
    # from pure noise z carries nothing: the guess is a number b, the output N(b, 1/g), the truth N(0, c + 1/g)
    divergence = (c * g + g * bias**2 - sympy.log(1 + c * g)) / 2
    return Symbolic(
        instance="one Gaussian coefficient of variance c, one step from pure noise with the guess b",
        says="The output is N(b, 1/g), the truth N(0, c + 1/g); the loss is c + b². Their divergence is the bound.",
        left=divergence,
        right=statement.expression(
            "samples", increment=[g], loss=[c + bias**2], gain=sympy.log(1 + c * g) / 2, start=0
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
