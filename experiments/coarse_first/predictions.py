"""What theory predicts about going coarse first, with the interval that counts as agreement."""

from __future__ import annotations

from experiments.predictions import Prediction

INFINITY = float("inf")
PREDICTIONS: list[Prediction] = [
    {
        "name": "independent",
        "claim": "With independent scales coarse first costs about twice the optimum, a little more with few steps (bands, "
        "ratio of path KL).",
        "source": "orthogonal_separability",
        "interval": [1.6, 2.7],
    },
    {
        "name": "no_order",
        "claim": "And there no order is preferred (bands, coarse first less fine first, share of the optimum).",
        "source": "orthogonal_separability",
        "interval": [-0.05, 0.05],
    },
    {
        "name": "hierarchical",
        "claim": "Guidance is no reason: where the coarse value determines the cluster of the fine part, coarse first still "
        "costs about twice the optimum (bands, ratio).",
        "source": "bregman_path_kl",
        "interval": [1.6, 2.7],
    },
    {
        "name": "determined",
        "claim": "Even where the fine part is a function of the coarse one (bands, ratio; carried over from clusters whose "
        "fine part keeps a spread of its own).",
        "source": "bregman_path_kl",
        "interval": [1.6, 2.7],
    },
    {
        "name": "determined_nothing_left",
        "claim": "Against the previous line: once the coarse part is known nothing is left to sample, the fine leg has no length, "
        "and an L loses little more than the one step that it still takes (bands, function, largest ratio over laws and "
        "phase diagram).",
        "source": "hessian_geometry",
        "interval": [1.0, 1.3],
    },
    {
        "name": "determined_fine_first",
        "claim": "That is no reason for an order: the fine part tells the coarse one, too, and fine first costs little more than the "
        "optimum (bands, function, ratio).",
        "source": "hessian_geometry",
        "interval": [1.0, 1.3],
    },
    {
        "name": "determined_lock_step",
        "claim": "Nor is it one against lock-step, which need not spend a step on what is known (bands, function, coarse first less "
        "lock-step, share of the optimum).",
        "source": "hessian_geometry",
        "interval": [0.0, 0.3],
    },
    {
        "name": "scale_mixture",
        "claim": "Variances tied across scales are no reason either (bands, ratio).",
        "source": "bregman_path_kl",
        "interval": [1.6, 2.7],
    },
    {
        "name": "photographs",
        "claim": "Nor are photographs' patches (bands, ratio).",
        "source": "bregman_path_kl",
        "interval": [1.6, 3.0],
    },
    {
        "name": "pyramid",
        "claim": "Coarse first harms the pyramid, too, but less (smallest ratio over laws whose fine part is no function of the "
        "coarse one).",
        "source": "overcomplete_equivalence",
        "interval": [1.1, 2.3],
    },
    {
        "name": "redundancy",
        "claim": "The pyramid's optimum is never below that of the bands (smallest ratio of optima over laws).",
        "source": "overcomplete_equivalence",
        "interval": [0.98, INFINITY],
    },
    {
        "name": "lead",
        "claim": "The best path has the coarse scale behind in nominal log-SNR, since it has more variance (bands, largest "
        "median lead over laws whose fine part is no function of the coarse one, nats).",
        "source": "orthogonal_separability",
        "interval": [-INFINITY, 0.0],
    },
    {
        "name": "lead_by_variance",
        "claim": "Half of the ratio of variances is what the lead follows (bands, independent: change of the median lead per "
        "nat of variance ratio, from the least to the largest ratio in the phase diagram, first dimension ratio).",
        "source": "single_mode_schedules",
        "interval": [-0.75, -0.25],
    },
    {
        "name": "lead_by_dependence",
        "claim": "Dependence of clusters moves the lead little (bands, largest change of the median lead from independent to "
        "hierarchical, nats).",
        "source": "orthogonal_separability",
        "interval": [0.0, 1.0],
    },
    {
        "name": "quarter_price",
        "claim": "Coarse steps at a quarter of the price do not make staging pay (bands, smallest ratio of staged to lock-step "
        "over laws whose fine part is no function of the coarse one).",
        "source": "compute_aware_order",
        "interval": [1.0, INFINITY],
    },
    {
        "name": "sixteenth_price",
        "claim": "At a sixteenth it pays (bands, largest ratio of staged to lock-step over laws).",
        "source": "compute_aware_order",
        "interval": [0.0, 1.0],
    },
    {
        "name": "break_even",
        "claim": "The price at which staging starts to pay is the one that the lengths of the scales predict, a little less with "
        "few steps (bands, independent: measured over predicted price).",
        "source": "compute_aware_order",
        "interval": [0.5, 1.2],
    },
    {
        "name": "mixed",
        "claim": "Even then the best use of the compute lets the coarse scale go on moving (bands, largest ratio of the best mix "
        "of moves to staged at a sixteenth of the price over laws).",
        "source": "compute_aware_order",
        "interval": [0.5, 1.0],
    },
    {
        "name": "mixed_saving",
        "claim": "What that saves is what the lengths of the scales say, (sqrt(k) L_L + sqrt(1 - k) L_H)^2 against "
        "(sqrt(k) L_L + L_H)^2 (bands, independent, k = 1/16: measured over predicted ratio).",
        "source": "compute_aware_order",
        "interval": [0.9, 1.1],
    },
    {
        "name": "ten_scales",
        "claim": "Ten residual scales, one after the other, cost several times what ten free clocks do (ratio).",
        "source": "orthogonal_separability",
        "interval": [5.0, 40.0],
    },
    {
        "name": "ten_clocks",
        "claim": "Ten free clocks come close to the floor of all linear representations (percent of it).",
        "source": "anisotropic_floor",
        "interval": [100.0, 122.0],
    },
    {
        "name": "ten_lock_step",
        "claim": "Ten scales in lock-step are about as good as one scale is (percent of the floor).",
        "source": "anisotropic_floor",
        "interval": [112.0, 150.0],
    },
]
