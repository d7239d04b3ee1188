"""An image with its 2x2 means can only go where the low band leads.

Random paths of the pyramid, drawn as the paths of Haar bands that they are, whatever the data.
"""

import matplotlib.pyplot as plt
import numpy as np

import lift_theory as lt

generator = np.random.default_rng(0)
for _ in range(40):
    steps = np.sort(generator.uniform(-6.0, 6.0, size=(12, 2)), axis=0)  # any two clocks that never go back
    bands = lt.to_orthogonal(lt.Path(steps))
    assert np.all(bands.lead() > 0)
    plt.plot(*bands.logsnr.T, color="C0", alpha=0.4)
plt.fill_between([-6, 6], [-6, 6], -6, color="0.9", label="out of the pyramid's reach")
plt.xlabel("log-SNR of the high band (nats)")
plt.ylabel("log-SNR of the low band (nats)")
plt.legend(loc="lower right")
plt.savefig("cone.svg")
