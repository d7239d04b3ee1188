"""Every tolerance of the test suite, each with its reason."""

ROUND_OFF = 1e-11  # relative; some thousand float64 operations without cancellation
CANCELLATION = 1e-8  # relative; a difference of float64 numbers that agree in about four digits
QUADRATURE = 1e-8  # relative; a Gauss rule of some twenty nodes a dimension on a smooth integrand
FINITE_DIFFERENCE = 1e-7  # relative; first central difference, step 1e-3, Richardson-extrapolated once
SECOND_DIFFERENCE = 1e-5  # relative; second central difference, step 2e-2, Richardson-extrapolated once
LIMIT = 5e-3  # relative; a limit of many steps or small ones, extrapolated from two of them
MONTE_CARLO_SIGMAS = 4.0  # standard errors; chance of a false alarm 6e-5 a comparison, with fixed seeds none
DENSE = 1e-10  # relative; dense linear algebra on a few hundred values with condition numbers up to 1e5
MANY_DIGITS = 1e-11  # relative; closed forms without cancellation, whatever the scale of variances and noise
CONDITIONED = 1e-6  # relative; dense blocks (no closed form), condition number up to 1e9
AUTODIFF = 1e-9  # relative; derivatives of a dense log-determinant with condition number up to 1e5
SEARCH = 1e-6  # relative; two searches for the same minimum, each stopped near its own rounding
PUBLISHED = 1e-12  # relative to a standard deviation; fifty steps of a scalar recursion without cancellation
FITTED_ORDER = 0.1  # absolute; from one doubling of the steps, the next order about a tenth as large
PRINTED = 0.5  # units of the last printed digit; numbers quoted from a paper
