"""For Gaussian data information, errors and posterior covariance are in closed form, block by block.

A Gaussian posterior has the precision S⁻¹ + Σ g_k A_k'A_k wherever the observation fell, so information is
half a log-determinant. On the cosine grid the average of pairs couples one coarse mode only to the two fine
modes that alias onto it (to at most four in two dimensions). A two-scale image model therefore falls apart
into small blocks, a diagonal one observed through a single extra row b.

Why it matters: every quantity of an image model costs a number of operations proportional to the number of
modes, without inverting a matrix, so exact surfaces over both noise levels are cheap for whole images.

Notation: c_j are the variances of the fine modes of a block, d_j = c_j / (1 + g_H c_j) is what remains of
them after the fine channel alone, and s = Σ b_j² d_j is what then remains of the coarse coefficient.
"""

import sympy

from lift_theory.theorems import i_mmse_gradient
from lift_theory.theorems._theorem import Cited, Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

j = sympy.Symbol("j", integer=True)
modes, dimension, size = sympy.symbols("m d N", integer=True, positive=True)
mode = sympy.Symbol("k", integer=True, positive=True)
variance, row, eigenvalue = (
    sympy.IndexedBase("variance"),
    sympy.IndexedBase("row"),
    sympy.IndexedBase("eigenvalue"),
)
g_fine, g_coarse = sympy.symbols("g_H g_L", positive=True)


def _over_modes(term: sympy.Expr) -> sympy.Sum:
    return sympy.Sum(term, (j, 0, modes - 1))


def _remains(index: object) -> sympy.Expr:
    return variance[index] / (1 + g_fine * variance[index])


seen = _over_modes(row[j] ** 2 * _remains(j))

statement = Statement(
    claims=(
        Claim(
            name="general",
            left=sympy.Symbol("I"),
            right=sympy.Sum(sympy.log(1 + eigenvalue[j]), (j, 0, dimension - 1)) / 2,
        ),
        Claim(
            name="information",
            left=sympy.Symbol("I"),
            right=(_over_modes(sympy.log(1 + g_fine * variance[j])) + sympy.log(1 + g_coarse * seen)) / 2,
        ),
        Claim(name="error_coarse", left=sympy.Symbol(r"\mathrm{mmse}_L"), right=seen / (1 + g_coarse * seen)),
        Claim(
            name="error_fine",
            left=sympy.Symbol(r"\mathrm{mmse}_H"),
            right=_over_modes(_remains(j))
            - g_coarse * _over_modes(row[j] ** 2 * _remains(j) ** 2) / (1 + g_coarse * seen),
        ),
        Claim(
            name="covariance",
            left=sympy.Symbol(r"\Phi_{01}"),
            right=-g_coarse * row[0] * row[1] * _remains(0) * _remains(1) / (1 + g_coarse * seen),
        ),
        Claim(
            name="kept",
            left=sympy.Symbol(r"b_{k}"),
            right=sympy.cos(sympy.pi * mode / (2 * size)) / sympy.sqrt(2),
        ),
        Claim(
            name="aliased",
            left=sympy.Symbol(r"b_{N-k}"),
            right=-sympy.sin(sympy.pi * mode / (2 * size)) / sympy.sqrt(2),
        ),
    ),
    variables=(
        Variable(
            symbol=eigenvalue,
            size=dimension,
            tex=r"\lambda",
            meaning="eigenvalues of S^(1/2) Λ S^(1/2), Λ = Σ g_k A_k'A_k",
        ),
        Variable(symbol=variance, size=modes, tex="c", meaning="variances of the fine modes of a block"),
        Variable(
            symbol=row,
            size=modes,
            tex="b",
            low=0.05,
            high=1,
            meaning="row of the coarse operator in the block",
        ),
        Variable(symbol=g_fine, meaning="signal-to-noise ratio of the fine scale"),
        Variable(symbol=g_coarse, meaning="signal-to-noise ratio of the coarse scale"),
        Variable(symbol=mode, low=1, high=7, meaning="fine cosine mode, below N/2"),
        Variable(symbol=size, low=16, high=64, meaning="number of fine samples, even"),
    ),
    assumptions=(
        "x is Gaussian with covariance S; channels z_k = A_k x + g_k^(-1/2) e_k with independent white "
        "noise.",
        "The block formulas: independent fine modes seen one by one at g_H, and their combination Σ "
        "b_j x_j at g_L.",
        "b_k and b_(N−k) are the weights of the orthonormal cosine modes (DCT-II) k and N − k of N "
        "samples in mode k of the N/2 averages of pairs, 0 ≤ k < N/2; mode N/2 averages to zero. In "
        "two dimensions weights multiply.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Invert a diagonal matrix plus one square, then integrate the slopes."""
    d_i, d_j, b_i, b_j, s, delta = sympy.symbols("d_i d_j b_i b_j s delta", positive=True)
    update = g_coarse * b_i * d_i * b_j * d_j / (1 + g_coarse * s)
    # (diag(1/d) + g b b') times (diag(d) - update), entry (i, j); sums over the inner index that give s are written s
    product = (
        delta
        + g_coarse * b_i * b_j * d_j
        - update / d_i
        - g_coarse * b_i * (g_coarse * s * b_j * d_j / (1 + g_coarse * s))
    )
    x, z, prior, noise = sympy.symbols("x z S sigma", positive=True)
    precision = 1 / prior + 1 / noise
    l_1, l_2 = sympy.symbols("lambda_1 lambda_2", positive=True)
    fine = sympy.symbols("c_1:5", positive=True)
    rows = sympy.symbols("b_1:5", real=True)
    block = {"variance": fine, "row": rows}
    s_block = sum(b**2 * c / (1 + g_fine * c) for b, c in zip(rows, fine, strict=True))

    return (
        Cited(
            says="The entropy of a Gaussian vector is half the log-determinant of its covariance, plus "
            "a constant.",
            reference="cover2006",
            locator="Theorem 8.4.1",
        ),
        Symbolic(
            says="The posterior precision is the prior's plus the channels' (exponents, completed to a "
            "square in x; written for one coefficient, the matrix algebra is the same).",
            left=x**2 / prior + (z - x) ** 2 / noise,
            right=precision * (x - z / noise / precision) ** 2 + z**2 / (prior + noise),
        ),
        Symbolic(
            says="So I = ½ log det S − ½ log det Φ = ½ log det(1 + S^(1/2) Λ S^(1/2)): a sum over "
            "eigenvalues.",
            left=sympy.log(sympy.diag(1 + l_1, 1 + l_2).det()) / 2,
            right=statement.expression("general", eigenvalue=[l_1, l_2]),
            by=lambda e: sympy.expand_log(e.replace(sympy.log, lambda a: sympy.log(sympy.factor(a)))),
        ),
        Symbolic(
            says="In a block the precision is diag(1/d) + g_L b b'. Its inverse is Φ = diag(d) − g_L "
            "(bd)(bd)'/(1 + g_L s): the product has the entries of the identity (any number of "
            "modes).",
            left=product,
            right=delta,
        ),
        Symbolic(
            says="An off-diagonal entry of Φ is what the statement says.",
            left=(-update).subs(
                {
                    s: s_block,
                    b_i: rows[0],
                    b_j: rows[1],
                    d_i: fine[0] / (1 + g_fine * fine[0]),
                    d_j: fine[1] / (1 + g_fine * fine[1]),
                }
            ),
            right=statement.expression("covariance", **block),
        ),
        Symbolic(
            says="The coarse error is b'Φb = s − g_L s²/(1 + g_L s), and the fine error is the trace of Φ.",
            left=sympy.Matrix(
                [
                    s - g_coarse * s**2 / (1 + g_coarse * s),
                    _over_modes(_remains(j))
                    - g_coarse * _over_modes(row[j] ** 2 * _remains(j) ** 2) / (1 + g_coarse * s),
                ]
            ),
            right=sympy.Matrix(
                [statement.expression(name).subs(seen, s) for name in ("error_coarse", "error_fine")]
            ),
        ),
        Earlier(says="The slopes of the information are half the errors.", theorem=i_mmse_gradient.theorem),
        Symbolic(
            says="The information formula has these slopes and vanishes at zero (any number of modes).",
            left=sympy.Matrix(
                [
                    sympy.diff(statement.expression("information"), g_coarse),
                    sympy.diff(statement.expression("information"), g_fine),
                    statement.expression("information").subs({g_fine: 0, g_coarse: 0}).doit(),
                ]
            ),
            right=sympy.Matrix(
                [
                    i_mmse_gradient.statement.expression("slope", mmse=statement.expression("error_coarse")),
                    i_mmse_gradient.statement.expression("slope", mmse=statement.expression("error_fine")),
                    0,
                ]
            ),
            by=lambda e: sympy.simplify(sympy.expand(sympy.simplify(e))),
        ),
        *_aliases(statement),
    )


def _aliases(statement: Statement) -> tuple[Symbolic, Symbolic, Symbolic]:
    i = sympy.Symbol("i", integer=True)

    def cosine(frequency: sympy.Expr, place: sympy.Expr, samples: sympy.Expr) -> sympy.Expr:
        return sympy.sqrt(2 / samples) * sympy.cos(sympy.pi * frequency * (2 * place + 1) / (2 * samples))

    def average(frequency: sympy.Expr) -> sympy.Expr:
        return (cosine(frequency, 2 * i, size) + cosine(frequency, 2 * i + 1, size)) / 2

    def zero(e: sympy.Expr) -> sympy.Expr:
        return sympy.simplify(sympy.expand(sympy.expand_trig(sympy.simplify(sympy.fu(e)))))

    coarse = cosine(mode, i, size / 2)
    return (
        Symbolic(
            says="Average neighbours in fine mode k: coarse mode k, times its weight.",
            left=average(mode),
            right=statement.expression("kept") * coarse,
            by=zero,
        ),
        Symbolic(
            says="Average neighbours in fine mode N − k: coarse mode k again, times the other weight.",
            left=average(size - mode),
            right=statement.expression("aliased") * coarse,
            by=zero,
        ),
        Symbolic(
            says="Fine mode N/2 alternates in pairs that average to zero.",
            left=average(size / 2),
            right=0,
            by=zero,
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
