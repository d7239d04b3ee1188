"""Noise prediction hides how much two scales share.

Fine scale at log-SNR -5: what it shares with the coarse scale, and what a noise-predicting network seems to use.
"""

import matplotlib.pyplot as plt
import numpy as np

import lift_theory as lt

model = lt.GaussianModel(lt.Spectrum.power_law((16, 16)), lt.AveragePyramid())
coarse = np.linspace(-6.0, 6.0, 49)
points = np.stack([np.full_like(coarse, -5.0), coarse], axis=1)
norms = np.asarray(model.jacobian_norms(points, prediction="eps"))
seen = norms[:, 0, 1] / norms[:, 0, 0]
shared = np.asarray(model.coupling(points))[:, 0, 1]
assert np.all(shared > 10 * seen)

plt.semilogy(coarse, shared, label="posterior coupling")
plt.semilogy(coarse, seen, label="Jacobian of noise prediction, coarse over fine")
plt.xlabel("log-SNR of the coarse scale (nats)")
plt.legend()
plt.savefig("hidden_coupling.svg")
