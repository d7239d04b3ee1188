"""On Gaussian data ancestral sampling loses, step by step, the squares of what it learns.

For a mode of variance c and noise σ, let m = σ²/(c + σ²) be the share of its variance that the noisy state
leaves unknown: 1 for pure noise, 0 without noise. A step from m to m' adds (m − m')²/m to an account that
nothing is ever taken from. At the end the output's variance is short of the true one by the account divided
by 1 − m_n.

Why it matters: the law of the samples is known exactly, for every number of steps. Like those of DDIM the
samples are never too wide. Unlike there, the steps add up without interacting, so the best steps are known
too: for one variance and many steps they are equal in √m = sin(arctan(σ/√c)), where DDIM wants them equal in
the angle itself, and the path cost equal in log m. The cost, which bounds the divergence of the samples, is
infinite when a path ends without noise; the divergence is not.

How it comes about: the sampler's transition has the true mean. Its variance misses what the plugged-in
posterior mean does not know, (1 − σ'²/σ²)² times the posterior variance. A loss of variance made earlier is
damped by the square of the true regression of z' on z, for steps of any size.

Limits: a mode of variance zero has m = 1 throughout and loses nothing when started from N(0, σ_0²); the
formulas then read 0/0.
"""

import sympy

from lift_theory.theorems import bregman_path_kl, ddim_gaussian_law, gaussian_information
from lift_theory.theorems._theorem import Claim, Earlier, Statement, Step, Symbolic, Theorem, Variable

i = sympy.Symbol("i", integer=True)
points = sympy.Symbol("N", integer=True, positive=True)
unknown = sympy.IndexedBase("unknown")
c, sigma, sigma_next, sigma_last = sympy.symbols("c sigma sigma' sigma_n", positive=True)
before, short, first, last, account = sympy.symbols("before short first last account", positive=True)
STEPS = (i, 1, points - 1)
LAST = unknown[points - 1]

statement = Statement(
    claims=(
        Claim(
            name="step",
            left=sympy.Symbol(r"\mathrm{Var}(z')"),
            right=((c + sigma_next**2) / (c + sigma**2)) ** 2 * before
            + sigma_next**2 * (1 - sigma_next**2 / sigma**2),
        ),
        Claim(
            name="deficit",
            left=sympy.Symbol(r"1 - \frac{\mathrm{Var}(\text{output})}{\mathrm{Var}(\text{true})}"),
            right=(
                short * (1 - unknown[0])
                + sympy.Sum((unknown[i - 1] - unknown[i]) ** 2 / unknown[i - 1], STEPS)
            )
            / (1 - LAST),
        ),
        Claim(
            name="bound",
            left=sympy.Symbol(r"\mathrm{KL}(\text{true} \,\|\, \text{output})"),
            right=(sympy.Sum(unknown[i - 1] / unknown[i] - 1, STEPS) + sympy.log(LAST / unknown[0])) / 2,
            relation="<=",
        ),
        Claim(
            name="density",
            left=sympy.Symbol(
                r"\lim_{n\to\infty} n \left(1 - \frac{\mathrm{std}(\text{output})}"
                r"{\mathrm{std}(\text{true})}\right) = \int_0^1 \rho(\lambda)\, \lambda'(u)^2 \,\mathrm{d}u,"
                r"\qquad \rho"
            ),
            right=c * sigma**2 * (c + sigma_last**2) / (2 * (c + sigma**2) ** 3),
        ),
        Claim(
            name="many_steps",
            left=sympy.Symbol(
                r"\lim_{n\to\infty} n \min_{\sigma_0 \ge \dots \ge \sigma_n} \left(1 - "
                r"\frac{\mathrm{std}(\text{output})}{\mathrm{std}(\text{true})}\right)"
            ),
            right=2 * (sympy.sqrt(first) - sympy.sqrt(last)) ** 2 / (1 - last),
        ),
        Claim(
            name="best",
            left=sympy.Symbol(r"\kappa_{n+1}"),
            right=account - account**2 / 4,
        ),
    ),
    variables=(
        Variable(symbol=c, meaning="variance of the mode"),
        Variable(symbol=sigma, tex=r"\sigma", meaning="noise before the step, at log-SNR λ = −2 log σ"),
        Variable(symbol=sigma_next, tex=r"\sigma'", meaning="noise after the step"),
        Variable(symbol=sigma_last, tex=r"\sigma_n", meaning="noise at the end of the path"),
        Variable(symbol=before, tex=r"\mathrm{Var}(z)", meaning="the sampler's variance before the step"),
        Variable(
            symbol=unknown,
            size=points,
            tex="m",
            low=0.05,
            high=0.95,
            meaning="falling shares σ_i²/(c + σ_i²) = mmse_i/c of the N = n + 1 points of the path",
        ),
        Variable(
            symbol=short,
            tex="d_0",
            low=0.01,
            high=1,
            meaning="relative lack of variance of the first state: 0 for the exact law, 1 − m_0 for N(0, σ_0²)",
        ),
        Variable(symbol=first, tex="m_0", low=0.5, high=1, meaning="share unknown at the first point"),
        Variable(symbol=last, tex="m_n", low=0.01, high=0.5, meaning="share unknown at the last point"),
        Variable(
            symbol=account,
            tex=r"\kappa_n",
            low=0.01,
            high=1,
            meaning="least relative lack of variance of n steps from the exact law to σ_n = 0, divided by m_0; "
            "κ_1 = 1",
        ),
    ),
    assumptions=(
        "One Gaussian mode of variance c > 0, seen through white noise; for several independent modes every "
        "claim holds mode by mode. Mean zero; another mean is followed exactly from the exact first state.",
        "Ancestral sampling with the exact posterior mean D: z' = (σ'²/σ²) z + (1 − σ'²/σ²) D + σ' √(1 − "
        "σ'²/σ²) e, σ ≥ σ'. The last step may go to σ_n = 0 (m_n = 0), except in the bound, which is then "
        "infinite.",
        "The bound, the limits and the last claim: the first state has its exact law. The bound is attained by "
        "one step from pure noise, m_0 = 1.",
        "Density: n equal steps in u of any smooth monotone path λ(u). Many steps: fixed ends, m_n > 0.",
    ),
)


def proof(statement: Statement) -> tuple[Step, ...]:
    """Compare the sampler's transition with the true one, and add up what is missing."""
    keep = sigma_next**2 / sigma**2  # weight of z in the bridge
    now, after = c + sigma**2, c + sigma_next**2  # true variances
    mean = keep + (1 - keep) * c / now
    lost = (1 - keep) ** 2 * c * sigma**2 / now
    m, m_next, m_2, d = sympy.symbols("m m' m'' d", positive=True)
    real, real_next = sympy.symbols("m m'", real=True)
    r, h, size = sympy.symbols("r h x", positive=True)
    logsnr = sympy.Symbol("lambda", real=True)
    share = 1 / (1 + c * sympy.exp(logsnr))
    in_shares = {sigma**2: c * m / (1 - m), sigma_next**2: c * m_next / (1 - m_next)}

    def deficit(*shares: sympy.Expr, first: sympy.Expr = sympy.S.Zero) -> sympy.Expr:
        return statement.expression("deficit", unknown=shares, short=first)

    one = bregman_path_kl.statement.expression(
        "step",
        increment=[(1 / m_next - 1 / m) / c],
        mmse=[c * m],
        gain=gaussian_information.statement.expression("general", eigenvalue=[1 / m_next - 1])
        - gaussian_information.statement.expression("general", eigenvalue=[1 / m - 1]),
    )
    at_end = ddim_gaussian_law.statement.expression("divergence", ratio=[sympy.sqrt(m_next)])

    def logs(e: sympy.Expr) -> sympy.Expr:
        return sympy.simplify(sympy.expand_log(e, force=True))

    return (
        Earlier(
            says="The posterior is Gaussian, with mean D = c z/(c + σ²) and variance cσ²/(c + σ²) = c m.",
            theorem=gaussian_information.theorem,
        ),
        Symbolic(
            says="So the mean of the sampler's transition is (c + σ'²)/(c + σ²) times z: the true regression, "
            "Cov(z', z)/Var(z).",
            left=mean,
            right=after / now,
        ),
        Symbolic(
            says="Square it, and add the noise of the bridge.",
            left=mean**2 * before + (sigma_next * sympy.sqrt(1 - keep)) ** 2,
            right=statement.expression("step"),
        ),
        Symbolic(
            says="Starting a step from the true variance, the output misses (1 − σ'²/σ²)² times the posterior "
            "variance; and what was missing before is multiplied by the squared regression.",
            left=after - statement.expression("step", before=now - d),
            right=lost + (after / now) ** 2 * d,
        ),
        Symbolic(
            says="In m, with c + σ² = c/(1 − m): let the lack be d relative to the true variance. Then d (1 − m) "
            "grows by (m − m')²/m.",
            left=(after - statement.expression("step", before=now - d * now)).subs(in_shares)
            / after.subs(in_shares)
            * (1 - m_next),
            right=d * (1 - m) + (m - m_next) ** 2 / m,
        ),
        Symbolic(
            says="This is never negative: the samples are never wider than the truth.",
            left=(real - real_next) ** 2 / m,
            right=(real_next - real) ** 2 / m,
            sign="nonnegative",
        ),
        Symbolic(
            says="One step is the statement …",
            left=deficit(m, m_next, first=d),
            right=(d * (1 - m) + (m - m_next) ** 2 / m) / (1 - m_next),
        ),
        Symbolic(
            says="… and a further step continues it: induction.",
            left=deficit(m, m_next, m_2, first=d),
            right=deficit(m_next, m_2, first=deficit(m, m_next, first=d)),
        ),
        Symbolic(
            says="N(0, σ_0²) lacks c of c + σ_0²: the share 1 − m_0.",
            left=c / now,
            right=1 - (sigma**2 / now),
        ),
        Earlier(
            says="The divergence of the whole trajectories bounds that of the last state, and is the sum of the "
            "costs of the steps.",
            theorem=bregman_path_kl.theorem,
        ),
        Symbolic(
            says="Here 1 + cg = 1/m and mmse = c m: a step costs ½ (m/m' − 1 − log(m/m')) (two steps written "
            "out).",
            left=one + one.subs({m: m_next, m_next: m_2}, simultaneous=True),
            right=statement.expression("bound", unknown=[m, m_next, m_2]),
            by=logs,
        ),
        Earlier(
            says="The divergence of the output follows from its ratio of standard deviations.",
            theorem=ddim_gaussian_law.theorem,
        ),
        Symbolic(
            says="One step from pure noise, m_0 = 1, lacks 1 − m_1 of its variance; its divergence is the bound.",
            left=sympy.Matrix([deficit(1, m_next), at_end]),
            right=sympy.Matrix([1 - m_next, statement.expression("bound", unknown=[1, m_next])]),
            by=logs,
        ),
        Symbolic(
            says="Many steps: n times the account tends to the integral of (dm/du)²/m (a Riemann sum), and a lack "
            "of variance d is a lack d/2 of standard deviation.",
            left=sympy.diff(1 - sympy.sqrt(1 - d), d).subs(d, 0),
            right=sympy.Rational(1, 2),
        ),
        Symbolic(
            says="In log-SNR, m = 1/(1 + c exp(λ)), this gives the density.",
            left=(
                sympy.diff(share, logsnr) ** 2 / share / 2 / (1 - sigma_last**2 / (c + sigma_last**2))
            ).subs(logsnr, -2 * sympy.log(sigma)),
            right=statement.expression("density"),
        ),
        Symbolic(
            says="(dm)²/2m is twice the square of d√m …",
            left=1 / (2 * m),
            right=2 * sympy.diff(sympy.sqrt(m), m) ** 2,
        ),
        Symbolic(
            says="… whose integral over u in [0, 1] is least, by Cauchy-Schwarz, if √m moves at constant speed. (A "
            "step that does not shrink as n grows costs a fixed amount, so the best path has none.)",
            left=2 * sympy.integrate(((sympy.sqrt(first) - sympy.sqrt(last)) * h) ** 2, (size, 0, 1)) / h**2,
            right=statement.expression("many_steps") * (1 - last),
        ),
        Symbolic(
            says="Best n steps to σ_n = 0: the account is homogeneous, so it is κ_n m_0, and κ_1 = 1.",
            left=deficit(m, 0) / m,
            right=1,
        ),
        Symbolic(
            says="One more step before them, to m' = r m, makes (1 − r)² + κ_n r, which exceeds the statement by a "
            "square that vanishes at r = 1 − κ_n/2.",
            left=(1 - r) ** 2 + account * r - statement.expression("best"),
            right=(r - 1 + account / 2) ** 2,
        ),
        Symbolic(
            says="With it n κ_n tends to 4: 1/κ grows by ¼ for small κ, as many steps say.",
            left=sympy.limit(1 / statement.expression("best") - 1 / account, account, 0, "+"),
            right=statement.expression("many_steps", first=1, last=0) ** -1 / 2,
        ),
        Symbolic(
            instance="two and three steps to σ_n = 0",
            says="κ_2 = 3/4 and κ_3 = 39/64.",
            left=sympy.Matrix(
                [statement.expression("best", account=k) for k in (sympy.S.One, sympy.Rational(3, 4))]
            ),
            right=sympy.Matrix([sympy.Rational(3, 4), sympy.Rational(39, 64)]),
        ),
    )


theorem = Theorem(module=__name__, statement=statement, proof=proof)
