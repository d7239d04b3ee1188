"""How strongly one scale's prediction depends on the other scale's input: as published, Gaussian, and measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from jaxtyping import Float

import lift_theory as lt
from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.overcomplete_vs_orthogonal.trained.surfaces import BATCH
from experiments.path_optimization.published import logsnr_at
from lift_train import measure
from lift_train.denoisers import Parametrisation

SHAPE = (3, 64, 64)
"""Of LIFT's images, in the Gaussian stand-in: channels are independent and alike."""
CORNERS = {(999, 999): 2.9e-7, (999, 0): 1.9e-3, (0, 999): 2.5e-5}
"""Published influence of coarse on fine at timesteps (fine, coarse)."""
SHARES = {999: 0.0004, 826: 0.0007, 654: 0.0011, 482: 0.0016, 310: 0.0020, 137: 0.0072}
"""Published influence of coarse on fine over that of fine on itself, at fine timestep 999 and these coarse ones."""
EXPONENTS, VARIANCES = (1.5, 2.0, 2.5, 3.0), (0.1, 0.25, 0.5)
"""Power laws that photographs might have."""
PREDICTIONS: tuple[Parametrisation, ...] = get_args(Parametrisation)
FAR = 5.5
PAIRS = ((-5.74, -5.74), (-5.74, FAR), (FAR, -5.74), (-1.0, -1.0), (-1.0, 2.0), (2.0, -1.0))
"""Log-SNRs (fine, coarse) at which networks are measured: LIFT's corners, as far as the networks know them, and between."""
NOISE = 11


def per_pixels(norms: Any, pixels: Sequence[int]) -> Float[np.ndarray, "... 2 2"]:
    """Squared Jacobian norms over the numbers of pixels of both scales, output and input, as LIFT prints them."""
    count = np.asarray(pixels, dtype=float)
    return np.asarray(norms) / count[:, None] / count[None, :]


def lift_model() -> lt.GaussianModel:
    """LIFT's images as a Gaussian: a power-law spectrum with exponent 2 in three channels."""
    return lt.GaussianModel(lt.Spectrum.power_law(SHAPE, 2.0), lt.AveragePyramid())


def gaussian(model: lt.GaussianModel) -> dict[str, Any]:
    """What a Gaussian says at LIFT's timesteps: influence, shares in all parametrisations, and the coupling."""
    height, width = (model.law.shape or ())[-2:]
    pixels = (height * width, height * width // 4)
    corners = logsnr_at(list(CORNERS))
    shares = logsnr_at([(999, t) for t in SHARES])
    eps = per_pixels(model.jacobian_norms(corners, "eps"), pixels)[:, 0, 1]
    found: dict[str, Any] = {
        "influence": eps.tolist(),
        "growth": float(eps[1] / eps[0]),
        "coupling": np.asarray(model.coupling(shares))[:, 0, 1].tolist(),
    }
    for prediction in PREDICTIONS:
        norms = per_pixels(model.jacobian_norms(shares, prediction), pixels)
        found[prediction] = (norms[:, 0, 1] / norms[:, 0, 0]).tolist()
    return found


def gaussian_range() -> dict[str, Any]:
    """Least and largest of the same numbers over power laws, to tell what hangs on the spectrum."""
    found = [
        gaussian(lt.GaussianModel(lt.Spectrum.power_law(SHAPE, exponent, variance), lt.AveragePyramid()))
        for exponent in EXPONENTS
        for variance in VARIANCES
    ]
    ends = {}
    for name in ("influence", "growth", "eps"):
        values = np.array([law[name] for law in found])
        ends[name] = [values.min(axis=0).tolist(), values.max(axis=0).tolist()]
    return ends


def published() -> dict[str, Any]:
    """The same numbers as printed, with what they say about each other."""
    noisy, clean, reverse = CORNERS.values()
    own = noisy / SHARES[999]
    return {
        "influence": [noisy, clean, reverse],
        "growth": clean / noisy,
        "eps": list(SHARES.values()),
        "own": own,  # influence of fine on itself at (999, 999)
        "own_if_identity": SHAPE[0] / (SHAPE[1] * SHAPE[2]),
        "share_at_clean": clean / own,
    }


def closed_form(model: lt.GaussianModel) -> dict[str, Any]:
    """Squared norms and couplings in closed form where networks are measured."""
    points = np.array(PAIRS)
    return {
        **{p: np.asarray(model.jacobian_norms(points, p)).tolist() for p in PREDICTIONS},
        "coupling": np.asarray(model.coupling(points)).tolist(),
    }


def of_network(bench: Bench, seed: int) -> dict[str, Any]:
    """The same, measured on a pyramid network."""
    available = len(bench.images.train)
    index = np.linspace(0, available - 1, min(bench.sizes.probes, available)).round().astype(int)
    images = bench.images.train[index]

    def compute() -> dict[str, Any]:
        denoiser = bench.denoiser("pyramid", seed)
        found: dict[str, Any] = {"coupling": []}
        for prediction in PREDICTIONS:
            rows = []
            for pair in PAIRS:
                levels = [np.array([level]) for level in pair]
                norms = measure.jacobian_norms(denoiser, images, levels, prediction, seed=NOISE, batch=BATCH)
                rows.append(norms["jacobian_norms"].values[0, 0].tolist())
                if prediction == "x0":
                    found["coupling"].append(norms["coupling"].values[0, 0].tolist())
            found[prediction] = rows
        return found

    inputs = {**bench.identity("pyramid", seed), "images": images, "pairs": list(PAIRS), "noise": NOISE}
    return bench.work.table(f"guidance-influence-{seed}", inputs, compute)


def compared(network: dict[str, Any], exact: dict[str, Any]) -> dict[str, float]:
    """A network's influence and coupling over those of the closed form, geometric means over noise levels."""

    def ratio(name: str, places: Sequence[tuple[int, int]]) -> float:
        logs = [
            np.log(np.array(n)[p] / np.array(e)[p])
            for n, e in zip(network[name], exact[name], strict=True)
            for p in places
        ]
        return float(np.exp(np.mean(logs)))

    return {
        "influence": ratio("x0", [(0, 1)]),
        "coupling": ratio("coupling", [(0, 1), (1, 0)]),
        "growth": network["eps"][1][0][1] / network["eps"][0][0][1],
    }
