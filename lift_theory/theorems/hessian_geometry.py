"""The plane of two noise levels is flat if the scales separate, and bent where a box filter aliases.

In signal-to-noise ratios the information metric is a Hessian: the second derivatives of minus the
information. Its Gaussian curvature then needs third derivatives only, and is a determinant of second and
third ones over the squared determinant of the metric. If the information is a sum of functions of two linear
combinations of the SNRs, that determinant vanishes and the plane is a flat sheet. So it is for orthogonal
independent scales in their own SNRs, and for the pyramid over an ideal low-pass in (g_H, g_H + g_L/r²). A box
filter lets two fine modes of unequal variance fold onto one coarse mode; the two bands are then correlated
and the sheet becomes a saddle.

Why it matters: on a flat sheet the shortest path is a straight line in the lengths of the scales, each
scale follows its own schedule, and no order of the scales can be better than another. Curvature is the
invariant that says how far a representation is from that, in whatever coordinates the noise levels are
written.

What it does not say: a flat plane need not come from separate scales. Where the SNRs are so high that the
prior is forgotten, the information is the logarithm of a homogeneous function, and the plane is flat for
every representation. Of a whole image, a sum over many blocks, the curvature is not the sum of the
curvatures of the blocks. And for a pyramid the straight line is a path only if its low band gains at least
as fast as its high band.

How the proof goes: all first-kind Christoffel symbols of a Hessian metric are half a third derivative. In
the Riemann tensor the fourth derivatives then cancel, and what is left is a determinant.
"""

import functools
from itertools import product
from typing import Any

import sympy

from lift_theory.theorems import gaussian_information, mutual_information_hessian, overcomplete_equivalence
from lift_theory.theorems._theorem import Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

h_11, h_12, h_22 = sympy.symbols("h_11 h_12 h_22", real=True)
t_111, t_112, t_122, t_222 = sympy.symbols("t_111 t_112 t_122 t_222", real=True)
g_high, g_low, v_high, v_low, rho = sympy.symbols("g_high g_low v_high v_low rho", positive=True)
c_1, c_2, b_1, b_2 = sympy.symbols("c_1 c_2 b_1 b_2", positive=True)

JET = (h_11, h_12, h_22, t_111, t_112, t_122, t_222)
left_over = (1 + (1 - rho**2) * v_high * g_high) * (1 + (1 - rho**2) * v_low * g_low)

statement = Statement(
    claims=(
        Claim(
            name="curvature",
            left=sympy.Symbol("K"),
            right=(
                h_11 * (t_122**2 - t_112 * t_222)
                + h_12 * (t_111 * t_222 - t_112 * t_122)
                + h_22 * (t_112**2 - t_111 * t_122)
            )
            / (4 * (h_11 * h_22 - h_12**2) ** 2),
        ),
        Claim(
            name="separated",
            left=sympy.Symbol("K_{I = I_1(u) + I_2(v)}"),
            right=sympy.Integer(0),
            mistakes={"the curvature of the unit sphere": sympy.Integer(1)},
        ),
        Claim(
            name="aliased",
            left=sympy.Symbol(r"K_{\mathrm{two\ modes}}"),
            right=-2 * rho**2 * left_over / (left_over + rho**2) ** 2,
        ),
        Claim(
            name="correlation",
            left=sympy.Symbol(r"\rho^2"),
            right=(b_1 * b_2 * (c_1 - c_2)) ** 2
            / ((b_1**2 * c_1 + b_2**2 * c_2) * (b_2**2 * c_1 + b_1**2 * c_2)),
        ),
    ),
    variables=(
        Variable(symbol=h_11, low=1, high=10, meaning="metric −∂²I/∂g_1², in SNR coordinates"),
        Variable(symbol=h_12, low=-0.9, high=0.9, meaning="metric −∂²I/∂g_1∂g_2"),
        Variable(symbol=h_22, low=1, high=10, meaning="metric −∂²I/∂g_2²"),
        Variable(symbol=t_111, low=-5, high=5, meaning="third derivative −∂³I/∂g_1³"),
        Variable(symbol=t_112, low=-5, high=5, meaning="third derivative −∂³I/∂g_1²∂g_2"),
        Variable(symbol=t_122, low=-5, high=5, meaning="third derivative −∂³I/∂g_1∂g_2²"),
        Variable(symbol=t_222, low=-5, high=5, meaning="third derivative −∂³I/∂g_2³"),
        Variable(symbol=g_high, tex=r"g_{\mathrm{high}}", meaning="SNR of the high band"),
        Variable(
            symbol=g_low,
            tex=r"g_{\mathrm{low}}",
            meaning="SNR of the low band; for a pyramid g_H + g_L/r²",
        ),
        Variable(symbol=v_high, tex=r"v_{\mathrm{high}}", meaning="variance of the high coefficient"),
        Variable(symbol=v_low, tex=r"v_{\mathrm{low}}", meaning="variance of the low coefficient"),
        Variable(symbol=rho, low=0.05, high=0.95, tex=r"\rho", meaning="correlation of the two, 0 ≤ ρ < 1"),
        Variable(symbol=c_1, meaning="variance of the first fine mode"),
        Variable(symbol=c_2, meaning="variance of the second fine mode, its alias"),
        Variable(symbol=b_1, low=0.05, high=1, meaning="weight of the first mode in the coarse mode"),
        Variable(symbol=b_2, low=0.05, high=1, meaning="weight of its alias; the sign does not matter"),
    ),
    assumptions=(
        "Two scales, any law of the data for which I is four times differentiable in the SNRs, and a metric "
        "that is not degenerate: h_11 h_22 > h_12².",
        "K is the Gaussian curvature, per nat; being intrinsic it is the same in log-SNR, where the metric is "
        "not a Hessian.",
        "Separated: I(g) = I_1(u) + I_2(v) for two independent linear combinations u, v of the SNRs. For "
        "orthogonal scales with independent coefficients these are the SNRs.",
        "Two modes: Gaussian data in one block of two fine modes with one coarse mode, as for the averages of "
        "pairs in one dimension; white noise of SNR g_high and g_low on the orthogonal split of the block.",
        "ρ > 0 iff both weights are there and the variances differ; then −1/2 < K < 0.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Compute the Riemann tensor of a general fourth-order jet; then insert the special cases."""
    g = sympy.symbols("x y", real=True)
    christoffel, third, curvature = _gaussian_curvature(g)
    degree, first, second = sympy.symbols("m g_1 g_2", positive=True)

    return (
        Earlier(
            says="In SNR coordinates the metric is minus the Hessian of the information: h = ∂²φ, φ = −I.",
            theorem=mutual_information_hessian.theorem,
        ),
        Symbolic(
            says="The Christoffel symbols of the first kind, ½(∂_i h_jm + ∂_j h_im − ∂_m h_ij), are half the "
            "third derivatives of φ. (Curvature depends on φ up to its fourth derivatives; the "
            "polynomial with general derivatives up to the fourth at a point therefore stands for any φ.)",
            left=christoffel,
            right=third / 2,
        ),
        Symbolic(
            says="The Riemann tensor R_1212 over det h: the fourth derivatives are gone.",
            left=curvature,
            right=statement.expression("curvature"),
            by=sympy.cancel,
        ),
        Symbolic(
            says="Up to −4 (det h)² this is the determinant of the metric over its two derivatives: K = 0 iff "
            "the three rows are dependent.",
            left=sympy.Matrix([JET[:3], JET[3:6], JET[4:7]]).det(),
            right=-4 * (h_11 * h_22 - h_12**2) ** 2 * statement.expression("curvature"),
            by=sympy.cancel,
        ),
        Symbolic(
            says="A linear change of coordinates turns quadratic and cubic forms, and leaves K as it is.",
            left=statement.expression("curvature", **_jet(*_turned(g), g)),
            right=statement.expression("curvature"),
            by=sympy.factor,
        ),
        Symbolic(
            says="If φ = φ_1(u) + φ_2(v), all mixed derivatives vanish in the coordinates u, v; hence K = 0 in "
            "every linear coordinates. (The new coordinates ∫ √φ_1'' du, ∫ √φ_2'' dv make it the plane's "
            "own metric.)",
            left=statement.expression("curvature", h_12=0, t_112=0, t_122=0),
            right=statement.expression("separated"),
        ),
        Earlier(
            says="A pyramid with DD' = 1/r², an ideal low-pass among them, has the information of the split "
            "at (g_H, g_H + g_L/r²): if its bands are independent, I separates in these.",
            theorem=overcomplete_equivalence.theorem,
        ),
        Earlier(
            says="Gaussian data: I is half the log-determinant of 1 + S^(1/2) Λ S^(1/2).",
            theorem=gaussian_information.theorem,
        ),
        *_two_modes(statement),
        _folded(statement),
        Symbolic(
            says="K + ½ is a square over a square: K is at least −½, and 0 for ρ = 0 only.",
            left=statement.expression("aliased") + sympy.Rational(1, 2),
            right=(left_over - rho**2) ** 2 / (2 * (left_over + rho**2) ** 2),
        ),
        *_instances(statement),
        Symbolic(
            instance="φ homogeneous up to a constant, as −½ log det Λ(g): no memory of the prior",
            says="Its second derivatives are homogeneous of degree m − 2, so by Euler's identity the metric "
            "is a combination of its own derivatives: flat without being separated.",
            left=statement.expression(
                "curvature",
                t_111=((degree - 2) * h_11 - second * t_112) / first,
                t_122=((degree - 2) * h_12 - first * t_112) / second,
                t_222=((degree - 2) * h_22 - first * ((degree - 2) * h_12 - first * t_112) / second) / second,
            ),
            right=0,
            by=sympy.cancel,
        ),
    )


def _form(coefficients: tuple[Any, ...], at: Any) -> sympy.Expr:
    """The binary form whose coefficients carry the binomial factors."""
    degree = len(coefficients) - 1
    return sympy.Add(
        *(
            sympy.binomial(degree, i) * a * at[0] ** (degree - i) * at[1] ** i
            for i, a in enumerate(coefficients)
        )
    )


@functools.cache
def _turned(g: Any) -> tuple[sympy.Expr, sympy.Expr]:
    """The second and third order of φ after a linear change of coordinates."""
    p, q, r, s = sympy.symbols("p q r s", real=True)
    turned = (p * g[0] + q * g[1], r * g[0] + s * g[1])
    return _form(JET[:3], turned) / 2, _form(JET[3:], turned) / 6


@functools.cache
def _jet(second: sympy.Expr, third: sympy.Expr, g: Any) -> dict[str, sympy.Expr]:
    """Second derivatives of one function and third ones of another, under the names of the statement."""
    orders = [(2 - i, i) for i in range(3)] + [(3 - i, i) for i in range(4)]
    sources = [second] * 3 + [third] * 4
    return {
        symbol.name: sympy.factor(sympy.diff(source, *zip(g, order, strict=True)))
        for symbol, source, order in zip(JET, sources, orders, strict=True)
    }


@functools.cache
def _gaussian_curvature(g: Any) -> tuple[sympy.Matrix, sympy.Matrix, sympy.Expr]:
    """Christoffel symbols, third derivatives, and R_1212 / det h at the origin, by their definitions.

    The potential is a polynomial with general derivatives of orders two to four.
    """
    fourth = sympy.symbols("f_0:5", real=True)
    potential = _form(JET[:3], g) / 2 + _form(JET[3:], g) / 6 + _form(fourth, g) / 24
    metric = sympy.hessian(potential, g)
    indices = list(product(range(2), repeat=3))
    first_kind: dict[Any, Any] = {
        (i, j, m): (
            sympy.diff(metric[j, m], g[i]) + sympy.diff(metric[i, m], g[j]) - sympy.diff(metric[i, j], g[m])
        )
        / 2
        for i, j, m in indices
    }
    inverse, origin = metric.inv(), dict.fromkeys(g, 0)

    def symbol(upper: int, i: int, j: int) -> sympy.Expr:
        return sum(inverse[upper, m] * first_kind[i, j, m] for m in range(2))

    def riemann(upper: int) -> sympy.Expr:
        """R^upper_212."""
        slope = sympy.diff(symbol(upper, 1, 1), g[0]) - sympy.diff(symbol(upper, 0, 1), g[1])
        turn = sum(
            symbol(upper, 0, m) * symbol(m, 1, 1) - symbol(upper, 1, m) * symbol(m, 0, 1) for m in range(2)
        )
        return slope.subs(origin) + turn.subs(origin)

    here = metric.subs(origin)
    curvature = (here[0, 0] * riemann(0) + here[0, 1] * riemann(1)) / here.det()
    third = [sympy.diff(potential, g[i], g[j], g[m]) for i, j, m in indices]
    return (
        sympy.Matrix([first_kind[index] for index in indices]),
        sympy.Matrix(third),
        sympy.cancel(curvature),
    )


def _two_modes(statement: Statement) -> tuple[Symbolic, ...]:
    cross = rho * sympy.sqrt(v_high * v_low)
    covariance = sympy.Matrix([[v_high, cross], [cross, v_low]])
    shifted = sympy.symbols("x_high x_low", positive=True)
    offset = sympy.Symbol("kappa", positive=True)
    shift_high, shift_low = (1 / ((1 - rho**2) * v) for v in (v_high, v_low))
    potential = -sympy.log(shifted[0] * shifted[1] - offset) / 2
    area = shifted[0] * shifted[1]
    curvature = -2 * offset * area / (area + offset) ** 2
    return (
        Symbolic(
            says="Two correlated coefficients, each seen at its own SNR: det(1 + SΛ) is, up to a factor, "
            "x_high x_low − κ, with x = g + 1/((1 − ρ²) v) and κ = ρ²/((1 − ρ²)² v_high v_low).",
            left=(sympy.eye(2) + covariance * sympy.diag(g_high, g_low)).det(),
            right=(1 - rho**2)
            * v_high
            * v_low
            * ((g_high + shift_high) * (g_low + shift_low) - rho**2 * shift_high * shift_low),
        ),
        Symbolic(
            says="A shift of the coordinates changes no derivative. Differentiate −½ log(x_high x_low − κ).",
            left=statement.expression("curvature", **_jet(potential, potential, shifted)),
            right=curvature,
            by=sympy.factor,
        ),
        Symbolic(
            says="Go back to the SNRs.",
            left=curvature.subs(offset, rho**2 * shift_high * shift_low),
            right=statement.expression(
                "aliased", g_high=shifted[0] - shift_high, g_low=shifted[1] - shift_low
            ),
            by=sympy.factor,
        ),
    )


def _folded(statement: Statement) -> Symbolic:
    low, high = sympy.Matrix([b_1, b_2]), sympy.Matrix([-b_2, b_1])
    covariance = sympy.diag(c_1, c_2)
    variance_low, variance_high, cross = (
        (a.T * covariance * b)[0] for a, b in ((low, low), (high, high), (high, low))
    )
    return Symbolic(
        says="The coarse row b = (b_1, b_2) and the direction across it: their correlation in a block with "
        "independent modes of variances c_1, c_2. It is 0 iff c_1 = c_2 or a weight is missing.",
        left=cross**2 / (variance_low * variance_high),
        right=statement.expression("correlation"),
        by=sympy.cancel,
    )


def _instances(statement: Statement) -> tuple[Symbolic, Symbolic]:
    """Mode 2 of 6 samples and its alias, mode 4: cos² = 3/4 and sin² = 1/4 of π/6, up to a factor."""
    squared = statement.expression(
        "correlation", c_1=4, c_2=1, b_1=sympy.sqrt(3) / 2, b_2=sympy.Rational(1, 2)
    )
    says = "Averages of pairs of 6 samples; mode 2 of variance 4 and its alias, mode 4, of variance 1"
    return (
        Symbolic(
            instance=f"{says}: the correlation",
            says="ρ² = 27/91.",
            left=squared,
            right=sympy.Rational(27, 91),
        ),
        Symbolic(
            instance=f"{says}, g_high = g_low = 1",
            says="K = −18009/240818: an exact number that is not zero.",
            left=statement.expression(
                "aliased",
                rho=sympy.sqrt(sympy.Rational(27, 91)),
                v_high=sympy.Rational(7, 4),
                v_low=sympy.Rational(13, 4),
                g_high=1,
                g_low=1,
            ),
            right=-sympy.Rational(18009, 240818),
            sign="negative",
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
