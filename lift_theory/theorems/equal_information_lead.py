"""A coarse channel that leads by 2 log r has merely changed its unit.

The averages of r² samples carry r² times less noise per unit of what they measure. When the log-SNR of the
coarse channel exceeds that of the image by 2 log r (1.386 nats for 2x2 blocks), it brings exactly as much
about the low band as the image itself: the band's SNR doubles.

Why it matters: the lead of a path must be counted from that line, as λ_L − λ_H − 2 log r. A nominal lead of
one to two nats is a conversion of units and no evidence that "low guides high". At equal noise the coarse
channel adds a quarter to the SNR of the low band, 0.97 dB.
"""

import sympy

from lift_theory.theorems import overcomplete_equivalence
from lift_theory.theorems._theorem import Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

lead = sympy.Symbol("lead", real=True)
ratio = sympy.Symbol("r", positive=True)

statement = Statement(
    claims=(
        Claim(
            name="gain",
            left=sympy.Symbol(r"g_{\mathrm{low}} / g_{\mathrm{high}}"),
            right=1 + sympy.exp(lead - 2 * sympy.log(ratio), evaluate=False),
        ),
        Claim(
            name="doubling",
            left=sympy.Symbol(r"[\lambda_L - \lambda_H]_{g_{\mathrm{low}} = 2 g_{\mathrm{high}}}"),
            right=2 * sympy.log(ratio),
        ),
        Claim(
            name="decibel",
            left=sympy.Symbol(
                r"[10 \log_{10} (g_{\mathrm{low}} / g_{\mathrm{high}})]_{\lambda_L = \lambda_H}"
            ),
            right=10 * sympy.log(1 + ratio**-2) / sympy.log(10),
        ),
    ),
    variables=(
        Variable(
            symbol=lead,
            tex=r"(\lambda_L - \lambda_H)",
            low=-8,
            high=8,
            meaning="nominal lead in log-SNR, nats",
        ),
        Variable(
            symbol=ratio,
            low=1.1,
            high=8,
            meaning="r² is the number of samples averaged (r = 2 for 2x2 blocks)",
        ),
    ),
    assumptions=(
        "Averages of disjoint blocks, DD' = 1/r², in independent white noise; any law of the data.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Divide the low band's SNR by the high band's."""
    high = sympy.Symbol("lambda_H", real=True)
    low_snr = overcomplete_equivalence.statement.expression(
        "low_snr", g_H=sympy.exp(high), g_L=sympy.exp(high + lead), r=ratio
    )
    return (
        Earlier(says="g_low = g_H + g_L / r², g_high = g_H.", theorem=overcomplete_equivalence.theorem),
        Symbolic(
            says="In log-SNR the ratio depends on the lead only.",
            left=low_snr / sympy.exp(high),
            right=statement.expression("gain"),
        ),
        Symbolic(
            says="It equals two at the lead of the statement.",
            left=(low_snr / sympy.exp(high)).subs(lead, statement.expression("doubling")),
            right=2,
        ),
        Symbolic(
            says="At lead zero, in decibels.",
            left=10 * sympy.log((low_snr / sympy.exp(high)).subs(lead, 0).expand()) / sympy.log(10),
            right=statement.expression("decibel"),
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
