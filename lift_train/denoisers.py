"""What a denoiser is, and two ways to make one: a network between fixed in- and outputs, and an exact linear one.

A denoiser takes the noisy scales `z_k = y_k + sigma_k e_k` and their log-SNRs `-2 log sigma_k` in nats, and returns
its predictions of the clean scales `y_k`. Everything that samples or measures works on any callable of that form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

import lift_theory as lt
from lift_train.scales import Scales, Values

LogSNR = Float[Tensor, "batch scales"]
Parametrisation = Literal["x0", "eps", "v"]


class Denoiser(Protocol):
    """A callable that predicts clean scales from noisy ones, and knows what its scales are."""

    scales: Scales

    def __call__(self, zs: Values, logsnr: LogSNR) -> Values:
        """Predictions of the clean scales."""


class Network(Protocol):
    """What is trained: inputs and outputs of about unit variance, on the grids of the scales."""

    def __call__(self, inputs: Values, logsnr: LogSNR) -> Values:
        """Raw outputs, of which `NetworkDenoiser` makes predictions."""


class FunctionDenoiser:
    """Any callable as a denoiser.

    Args:
        function: takes noisy scales and log-SNRs (batch, scales), returns predictions of the clean scales.
        scales: what the scales are.
        device: where it computes, such as "cuda"; the CPU if not given.
        identity: a name for what it computes, such as a version of its weights. Measurements that are kept in a folder
            need one, since a function has no weights to be recognised by.

    >>> scales = Scales(lt.SingleScale(), (1, 4, 4))
    >>> shrink = FunctionDenoiser(lambda zs, logsnr: [z / 2 for z in zs], scales)
    >>> shrink([torch.ones(2, 1, 4, 4)], torch.zeros(2, 1))[0].unique()
    tensor([0.5000])
    """

    def __init__(
        self,
        function: Callable[[Values, LogSNR], Sequence[Tensor]],
        scales: Scales,
        *,
        device: str | None = None,
        identity: str | None = None,
    ) -> None:
        if not callable(function):
            raise TypeError(f"function must be a callable (zs, logsnr) -> predictions; got {function!r}")
        self.function = function
        self.scales = scales
        self.device = torch.device(device or "cpu")
        self.identity = identity

    def __call__(self, zs: Values, logsnr: LogSNR) -> Values:
        """Predictions of the clean scales, their shapes checked."""
        return list(self.scales.checked(list(self.function(zs, logsnr))))


def coefficients(
    logsnr: LogSNR, std: Float[Tensor, " scales"], parametrisation: Parametrisation
) -> tuple[Tensor, Tensor, Tensor]:
    """How a prediction is made of noisy scales z and a raw output F: `D = skip z + out F(in z)`.

    With s the standard deviation of the clean scale and sigma that of the noise:

    - "x0": `F` is the clean scale in units of s;
    - "eps": `F` is minus the noise in units of its own deviation;
    - "v": `skip = s^2 / (sigma^2 + s^2)`, `out = s sigma / sqrt(sigma^2 + s^2)` (Karras et al. 2022, Table 1), which
      for s = 1 is the velocity `alpha e - sigma_t y` of Salimans & Ho 2022 up to its sign.

    Always `in = 1 / sqrt(sigma^2 + s^2)`, so that inputs have unit variance.

    Returns:
        skip, out, in, each (batch, scales).

    >>> skip, out, scale = coefficients(torch.zeros(1, 1), torch.ones(1), "v")
    >>> [round(float(c), 4) for c in (skip, out, scale)]
    [0.5, 0.7071, 0.7071]
    """
    sigma = torch.exp(-0.5 * logsnr)
    total = torch.hypot(sigma, std.expand_as(sigma))
    if parametrisation == "x0":
        return torch.zeros_like(sigma), std.expand_as(sigma), 1 / total
    if parametrisation == "eps":
        return torch.ones_like(sigma), sigma, 1 / total
    if parametrisation == "v":
        return (std / total) ** 2, sigma * std / total, 1 / total
    raise ValueError(f"parametrisation must be 'x0', 'eps' or 'v'; got {parametrisation!r}")


def per_scale(weights: Float[Tensor, "batch scales"], scale: int) -> Float[Tensor, "batch 1 1 1"]:
    """One factor per image, ready to multiply a tensor of that scale."""
    return weights[:, scale, None, None, None]


class Trainable(nn.Module):
    """A denoiser whose parameters can be trained."""

    scales: Scales

    def __call__(self, zs: Values, logsnr: LogSNR) -> Values:
        """Predictions of the clean scales."""
        return super().__call__(zs, logsnr)


class NetworkDenoiser(Trainable):
    """A network between preconditioned in- and outputs.

    Args:
        network: maps inputs of unit variance to raw outputs on the same grids.
        scales: what the scales are.
        std: root mean square of each clean scale, over the coefficients of training images.
        parametrisation: what the raw output stands for, see `coefficients`.

    Predictions are projected onto what the coefficients can be.
    """

    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        scales: Scales,
        std: Sequence[float] | Tensor,
        parametrisation: Parametrisation = "v",
    ) -> None:
        super().__init__()
        std = torch.as_tensor(std, dtype=torch.float32)
        if std.shape != (len(scales.names),) or not bool((std > 0).all()):
            raise ValueError(f"std must be one positive number per scale {scales.names}; got {std.tolist()}")
        coefficients(torch.zeros(1, len(std)), std, parametrisation)
        self.network = network
        self.scales = scales
        self.parametrisation = parametrisation
        self.register_buffer("std", std, persistent=False)

    def forward(self, zs: Values, logsnr: LogSNR) -> Values:
        """Predictions of the clean scales."""
        skip, out, scale = coefficients(logsnr, self.std.to(logsnr.dtype), self.parametrisation)
        dtype = zs[0].dtype
        inputs = [per_scale(scale, k).to(dtype) * z for k, z in enumerate(zs)]
        raw = self.network(inputs, logsnr)
        predictions = [
            per_scale(skip, k).to(dtype) * z + per_scale(out, k).to(dtype) * f.to(dtype)
            for k, (z, f) in enumerate(zip(zs, raw, strict=True))
        ]
        with torch.autocast(zs[0].device.type, enabled=False):  # bands stay exact under mixed precision
            return self.scales.project(predictions)


class LinearDenoiser(Trainable):
    """The posterior mean of a Gaussian field whose spectrum is the parameter.

    With variances c on the orthonormal DCT-II grid and `A_k` the operators of the scales the prediction is
    `A_k C (I + sum_l g_l A_l^T A_l C)^-1 sum_l g_l A_l^T z_l`, by dense linear algebra per image. It is exact where c
    is the true spectrum, and trained like any network it has to find c.

    Args:
        scales: what the scales are; at most 4096 pixel values.
        variances: (height, width) or (channels, height, width), positive.

    >>> scales = Scales(lt.AveragePyramid(), (1, 4, 4))
    >>> exact = LinearDenoiser(scales, lt.Spectrum.power_law((4, 4)).variances)
    >>> [tuple(d.shape) for d in exact([torch.ones(2, 1, 4, 4), torch.ones(2, 1, 2, 2)], torch.zeros(2, 2))]
    [(2, 1, 4, 4), (2, 1, 2, 2)]
    """

    operator: Tensor
    edges: list[int]

    def __init__(self, scales: Scales, variances: Any) -> None:
        super().__init__()
        shape = scales.shape
        variances = np.broadcast_to(np.asarray(variances, dtype=np.float64), shape)
        if not (np.isfinite(variances).all() and variances.min() > 0):
            raise ValueError("variances must be finite and positive; replace zeros by a tiny variance")
        size = int(np.prod(shape))
        if size > 4096:
            raise ValueError(
                f"the dense posterior is formed up to 4096 pixel values; shape {shape} has {size}"
            )
        self.scales = scales
        self.log_variances = nn.Parameter(torch.from_numpy(np.log(variances).ravel()))
        self.register_buffer("operator", self._operator(), persistent=False)

    def _operator(self) -> Tensor:
        """All scales of every DCT mode, (coefficients on the grids, modes)."""
        channels, height, width = self.scales.shape
        rows, columns = (torch.from_numpy(lt.laws.dct_matrix(n)) for n in (height, width))
        plane = torch.einsum("ih,jw->ijhw", rows, columns).reshape(-1, height, width)
        modes = torch.zeros(channels, len(plane), channels, height, width, dtype=torch.float64)
        for channel in range(channels):
            modes[channel, :, channel] = plane
        values = self.scales.analyse(modes.flatten(0, 1))
        return torch.cat([value.flatten(1) for value in values], dim=1).T

    def forward(self, zs: Values, logsnr: LogSNR) -> Values:
        """Predictions of the clean scales, computed in float64."""
        sizes = [int(np.prod(grid)) for grid in self.scales.grids]
        parts = (self.operator * torch.exp(0.5 * self.log_variances)).split(sizes)
        grams = torch.stack([part.T @ part for part in parts])
        snr = torch.exp(logsnr.double())
        evidence = torch.stack(
            [snr[:, k, None] * (z.double().flatten(1) @ parts[k]) for k, z in enumerate(zs)]
        ).sum(0)
        if _differentiated(snr):  # every image has a derivative of its own
            levels, which = snr, torch.arange(len(snr))
        else:
            levels, which = torch.unique(snr, dim=0, return_inverse=True)
        precisions = torch.einsum("bk,kij->bij", levels, grams) + torch.eye(grams.shape[1]).to(grams)
        factors = torch.linalg.cholesky(precisions)
        if len(levels) == 1:
            mean = torch.cholesky_solve(evidence.T, factors[0]).T
        else:
            mean = torch.cholesky_solve(evidence[..., None], factors[which])[..., 0]
        clean = (mean @ torch.cat(parts).T).split(sizes, dim=1)
        return [
            part.reshape(-1, *grid).to(z.dtype)
            for part, grid, z in zip(clean, self.scales.grids, zs, strict=True)
        ]


def _differentiated(tensor: Tensor) -> bool:
    """Whether a derivative with respect to this tensor is being taken, in either mode."""
    return tensor.requires_grad or torch.autograd.forward_ad.unpack_dual(tensor).tangent is not None
