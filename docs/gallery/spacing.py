"""Well-placed steps cost a fraction of even ones: jump over the noise, walk where the error falls.

Both schedules have ten steps between the same ends, for images of a 1/f² spectrum at one scale.
"""

import matplotlib.pyplot as plt

import lift_theory as lt

model = lt.GaussianModel(lt.Spectrum.power_law((16, 16), exponent=2.0), lt.SingleScale())
even = lt.diagonal_path(model, 10, -8.0, 8.0, spacing="logsnr")
best = lt.diagonal_path(model, 10, -8.0, 8.0)
costs = {name: lt.path_kl(model, path) for name, path in {"even": even, "best": best}.items()}
assert costs["best"] < costs["even"] / 2

for (name, cost), path in zip(costs.items(), (even, best), strict=True):
    plt.plot(path.logsnr[:, 0], "o-", label=f"{name}: {cost:.0f} nats")
plt.xlabel("step")
plt.ylabel("log-SNR (nats)")
plt.legend()
plt.savefig("spacing.svg")
