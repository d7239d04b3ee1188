"""One curve serves every step count: the error of DDIM along it falls as one over the number of steps.

Points of the self-consistent geodesic, read off at each step count, against even steps in log-SNR.
"""

import matplotlib.pyplot as plt

import lift_theory as lt

model = lt.GaussianModel(lt.Spectrum.power_law((16, 16), exponent=2.0), lt.SingleScale())
curve = lt.geodesic_curve(model, -8.0, 8.0, objective=lt.OutputError(lt.DDIM()))
counts = (5, 10, 20, 40)
along = [lt.sampling_error(model, curve.path(n)).w2 for n in counts]
even = [lt.sampling_error(model, lt.published_path("logsnr", n, -8.0, 8.0)).w2 for n in counts]
assert all(a < 0.85 * e for a, e in zip(along, even, strict=True))
assert abs(along[3] / along[2] - 0.5) < 0.02

plt.loglog(counts, even, "o-", label="even steps in log-SNR")
plt.loglog(counts, along, "o-", label="one curve")
plt.xlabel("steps")
plt.ylabel("W2 of DDIM")
plt.legend()
plt.savefig("one_curve.svg")
