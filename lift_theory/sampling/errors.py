"""Exact errors of samplers on Gaussian data: the law of what they return against the true law."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float

from lift_theory.gaussian import GaussianModel
from lift_theory.paths import Path, checked_path, path_kl
from lift_theory.sampling.distances import distances
from lift_theory.sampling.propagation import (
    Setting,
    Shares,
    compare,
    compiled,
    every_share,
    padded_path,
)
from lift_theory.sampling.samplers import DDIM, Sampler
from lift_theory.sampling.state import state_of


@dataclass(frozen=True, kw_only=True, eq=False)
class SamplingError:
    """Distances between what a sampler returns and the true law.

    Attributes:
        w2: 2-Wasserstein distance (not squared), in pixel units; squared it is the Frechet distance in pixel space.
        kl: KL(true || sampled) in nats; infinite where the true law has no density with respect to the sampled one.
        setting: sampler, initial law, target and output.
    """

    w2: float
    kl: float
    setting: Setting
    _model: GaussianModel
    _path: Path
    _shares: tuple[Shares, ...]

    def __repr__(self) -> str:
        return f"SamplingError(w2={self.w2:.6g}, kl={self.kl:.6g}, path_kl={self.path_kl:.6g})"

    @cached_property
    def path_kl(self) -> float:
        """Cost of the path in nats, which bounds `kl` of `Ancestral` from the exact law; infinite to clean data."""
        if np.isinf(self._path.logsnr[-1]).any():
            return float("inf")
        return path_kl(self._model, self._path)

    @cached_property
    def per_mode(self) -> xr.Dataset:
        """`w2_squared` and `kl` on the DCT grid of the image; they sum to the totals.

        A coefficient made of several DCT modes shares its part among them in proportion to its squared loadings. With
        a covariance in place of a spectrum and one scale, modes are its eigenvectors in order of their variance.
        """
        state = state_of(self._model)
        count = int(np.prod(state.shape[1:]))
        grids = {name: np.zeros(state.shape[0] * count) for name in Shares._fields}
        clean = self.setting.sampler.lands_clean and np.isinf(self._path.logsnr[-1]).any()
        for place, shares in zip(state.places, self._shares, strict=True):
            for name, grid in grids.items():
                value = np.asarray(getattr(shares, name))
                if self.setting.output == "scales":
                    share = place.member_share if clean and name == "kl" else place.share
                    finite = np.isfinite(value)
                    infinite = np.einsum("mrb,rb->mb", share, ~finite) > 0
                    value = np.einsum("mrb,rb->mb", share, np.where(finite, value, 0.0))
                    value = np.where(infinite, np.inf, value)
                np.add.at(grid, place.channel * count + place.modes, value)
        dims = ("channel", "vertical", "horizontal") if len(state.shape) == 3 else ("channel", "mode")
        arrays = {name: (dims, grid.reshape(state.shape)) for name, grid in grids.items()}
        return xr.Dataset(
            arrays,
            attrs={"kl_units": "nats", "w2_units": "squared pixel units", "output": self.setting.output},
        )

    @cached_property
    def per_band(self) -> xr.Dataset:
        """`w2_squared` and `kl` per octave of spatial frequency: band b holds modes with `2^(b-1) <= |k| < 2^b`."""
        modes = self.per_mode
        if "vertical" not in modes.dims:
            raise ValueError("octaves need an image: the law of this model has no image shape.")
        frequency = np.hypot(*np.ogrid[: modes.sizes["vertical"], : modes.sizes["horizontal"]])
        octave = np.where(frequency < 1, 0, np.floor(np.log2(np.maximum(frequency, 1.0))) + 1).astype(int)
        labels = xr.DataArray(octave, dims=("vertical", "horizontal"), name="octave")
        return modes.sum("channel").groupby(labels).sum()

    @cached_property
    def per_scale(self) -> xr.Dataset:
        """`w2` and `kl` of each scale's own law, whatever the others do."""
        values = _per_scale(self._model, self._path, self.setting)
        return xr.Dataset(
            {"w2": ("scale", np.sqrt(values[:, 0])), "kl": ("scale", values[:, 1])},
            coords={"scale": list(self._model.scales)},
        )


def sampling_error(
    model: GaussianModel,
    path: Path,
    sampler: Sampler | None = None,
    init: str = "exact",
    target: str = "marginal",
    output: str = "scales",
) -> SamplingError:
    """The exact error of a sampler with the optimal denoiser on Gaussian data.

    A linear sampler takes Gaussian laws to Gaussian laws; the law it ends with is compared with the true one. Blocks
    of coupled coefficients are carried exactly, and distances are sums of non-negative terms without cancellation.

    Args:
        model: Gaussian data and its scales.
        path: noise levels. A last point at +inf is clean data, sigma = 0.
        sampler: `DDIM()` if not given; also `Ancestral()`, `Heun()`, `DPMSolverPP2M()`, and in the time of a
            variance-preserving diffusion `EulerMaruyama(vp)`, `ExponentialIntegrator(vp)`, `DDPM(vp)`, `Euler(vp)`,
            `Heun(vp)`, `RK4(vp)`, whose state and output are the variance-preserving x_t.
        init: "exact" begins with the true law at the first point, "standard" with pure noise, N(0, sigma^2) (with
            N(0, 1) in time): the mismatch is then part of the error.
        target: "marginal" compares with the true law at the last noise level, "data" with that of clean coefficients.
        output: "scales" compares the joint law of all scales, "image" that of the image read from them: the finest
            scale of a pyramid, the sum of bands, or whatever the representation's `synthesis` says.

    Raises:
        TypeError: if model, path or sampler is of the wrong kind.
        ValueError: if path and model have different scales, for another word, or a path the sampler cannot follow.

    References:
        Pierret and Galerne 2025 (one scale); Gelbrich 1990 (Wasserstein distance of Gaussian laws).

    Examples:
        >>> import lift_theory as lt
        >>> model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), lt.SingleScale())
        >>> paths = [lt.published_path("logsnr", n, -6.0, 6.0) for n in (20, 40)]
        >>> errors = [lt.sampling_error(model, path).w2 for path in paths]
        >>> bool(1.8 < errors[0] / errors[1] < 2.2)  # DDIM is of first order
        True
    """
    if not isinstance(model, GaussianModel):
        raise TypeError(
            f"model must be a GaussianModel, whose samplers have exact laws; got {type(model).__name__}."
        )
    setting = Setting(DDIM() if sampler is None else sampler, init, target, output)
    points = checked_path(path, model, finite=False).logsnr
    state = state_of(model)
    setting.sampler.check(path, state)
    shares = every_share(state, setting, points)
    totals = [float(sum(np.sum(getattr(part, name)) for part in shares)) for name in Shares._fields]
    return SamplingError(
        w2=float(np.sqrt(totals[0])), kl=totals[1], setting=setting, _model=model, _path=path, _shares=shares
    )


def _per_scale(model: GaussianModel, path: Path, setting: Setting) -> Float[np.ndarray, "scales 2"]:
    """Squared W2 and KL of every scale's own law."""
    state = state_of(model)
    clean = bool(np.isinf(path.logsnr[-1]).any())
    padded = jnp.asarray(padded_path(path.logsnr))
    whole = Setting(setting.sampler, setting.init, setting.target)
    result = np.zeros((len(model.scales), 2))
    for blocks in state.groups:
        law = compiled(compare, blocks, padded, whole, clean)
        sampled, true = (np.moveaxis(np.asarray(factor), -1, 0) for factor in (law.sampled, law.true))
        for k in set(blocks.scales):
            own = np.array(blocks.scales) == k
            result[k] += distances(sampled[:, own], true[:, own])
    return result
