"""What theory predicts, with the interval that counts as agreement; written down before anything was measured.

When these lines were written, timing the search had shown path KL at 64 pixels and 10 steps for the pyramid, Haar and
octave DCT bands with two and four scales, and the single scale; nothing had been seen of other edges, of W2, of
limits, or of other sizes.
"""

from __future__ import annotations

from experiments.predictions import Prediction

TOLERANCE = 0.02
"""The recommended number of clocks is the smallest whose best bands cost at most this share more than the limit."""

INFINITY = float("inf")

PREDICTIONS: list[Prediction] = [
    {
        "name": "two_bands",
        "claim": "Two clocks with the best edge come down to this share of the floor in path KL (% of the floor; one clock: "
        "140). Quantising log-variance in K cells leaves 1/K^2 of its spread for many cells, a bit more for two.",
        "source": "orthogonal_separability",
        "interval": [112.0, 119.0],
    },
    {
        "name": "two_bands_w2",
        "claim": "The same for W2 of DDIM.",
        "source": "self_consistent_geodesic",
        "interval": [118.0, 132.0],
    },
    {
        "name": "octave_loss",
        "claim": "In path KL octaves are nearly the best place to cut (largest saving of better edges, two to four bands, %).",
        "source": "orthogonal_separability",
        "interval": [0.3, 5.0],
    },
    {
        "name": "octave_loss_w2",
        "claim": "In W2 they are not: two bands cut at half the size leave this saving to the best edge (%).",
        "source": "self_consistent_geodesic",
        "interval": [15.0, 28.0],
    },
    {
        "name": "edge",
        "claim": "The best single edge for path KL is among high frequencies, where most modes are (share of the size).",
        "source": "orthogonal_separability",
        "interval": [0.3, 0.75],
    },
    {
        "name": "edge_w2",
        "claim": "The best single edge for W2 is among low frequencies, where most of the variance is (share of the size).",
        "source": "self_consistent_geodesic",
        "interval": [0.01, 0.13],
    },
    {
        "name": "clocks",
        "claim": "Recommended number of clocks for path KL (largest over sizes and step counts).",
        "source": "anisotropic_floor",
        "interval": [3.0, 5.0],
    },
    {
        "name": "clocks_w2",
        "claim": "Recommended number of clocks for W2 of DDIM (the same).",
        "source": "self_consistent_geodesic",
        "interval": [4.0, 7.0],
    },
    {
        "name": "sizes",
        "claim": "The recommended number hardly depends on size and step count (largest difference, both costs).",
        "source": "anisotropic_floor",
        "interval": [0.0, 1.0],
    },
    {
        "name": "decay",
        "claim": "What K bands lack to the limit of all bands falls like K^-p: p from one to four clocks, path KL.",
        "source": "orthogonal_separability",
        "interval": [1.5, 2.5],
    },
    {
        "name": "squares",
        "claim": "Square bands, however narrow, stay above the floor in path KL, as a square band holds frequencies of "
        "different length (excess of the limit, %).",
        "source": "anisotropic_floor",
        "interval": [0.5, 5.0],
    },
    {
        "name": "free_groups",
        "claim": "Four clocks for groups of like variance, not bound to squares, save this over four best bands (path KL, %).",
        "source": "anisotropic_floor",
        "interval": [0.5, 4.0],
    },
    {
        "name": "pyramid",
        "claim": "No number of levels helps the pyramid of image and means (largest saving over one clock, in points of "
        "percent of its own floor, path KL).",
        "source": "overcomplete_equivalence",
        "interval": [0.0, 3.0],
    },
    {
        "name": "haar",
        "claim": "Three Haar bands are no better than three octaves of the DCT: their filters leak (cost over cost, path KL).",
        "source": "orthogonal_separability",
        "interval": [1.0, 1.06],
    },
    {
        "name": "separable",
        "claim": "The joint search over all clocks of octave bands ends where the searches of single bands end (largest "
        "relative difference).",
        "source": "orthogonal_separability",
        "interval": [0.0, 1e-6],
    },
]
