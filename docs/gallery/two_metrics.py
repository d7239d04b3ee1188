"""The schedule with the least path KL is among the worst for the Wasserstein error of DDIM.

Published schedules and the best spacing for path KL, ten steps between the same ends, 1/f² spectrum.
"""

import matplotlib.pyplot as plt

import lift_theory as lt

model = lt.GaussianModel(lt.Spectrum.power_law((16, 16), exponent=2.0), lt.SingleScale())
names = ("edm", "logsnr", "ays-sd15", "ays-sdxl", "gits-cifar10")
paths = {name: lt.published_path(name, 10, -8.0, 8.0) for name in names}
paths["least path KL"] = lt.diagonal_path(model, 10, -8.0, 8.0)
errors = {name: lt.sampling_error(model, path, lt.DDIM()) for name, path in paths.items()}
assert max(errors, key=lambda name: errors[name].w2) == "least path KL"

for name, error in errors.items():
    plt.loglog(error.path_kl, error.w2, "o")
    plt.annotate(name, (error.path_kl, error.w2), textcoords="offset points", xytext=(6, 4))
plt.xlabel("path KL (nats)")
plt.ylabel("W2 of DDIM")
plt.margins(x=0.25)
plt.savefig("two_metrics.svg")
