"""Networks trained elsewhere as one-scale denoisers: noise in other units, time instead of log-SNR.

The denoisers of this package take `z = y + sigma e` and the log-SNR `lam = -2 log sigma`. Others take
`x_t = sqrt(abar) y + sqrt(1 - abar) e` and a time step (`variance_preserving`, `from_diffusers`), the same z with
sigma (`variance_exploding`), or a straight line between data and noise (`rectified_flow`). Nothing but units changes,
so a path, a sampler or a measurement made for one of them serves the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

import lift_theory as lt
from lift_train.denoisers import FunctionDenoiser, LogSNR, per_scale
from lift_train.scales import Images, Scales, Values

Prediction = Literal["epsilon", "v_prediction", "sample"]
"""What a network predicts: the noise e, the velocity `sqrt(abar) e - sqrt(1 - abar) y`, or the clean image y."""

Rounding = Literal["interpolated", "nearest"]
Outside = Literal["error", "clamp"]
Predictor = Callable[[Images, Tensor], Tensor]
"""Takes noisy images (batch, ...) and one time or noise level per image (batch,)."""


def variance_preserving(
    function: Predictor,
    alphas_cumprod: Any,
    shape: tuple[int, int, int],
    prediction: Prediction = "epsilon",
    *,
    rounding: Rounding = "interpolated",
    outside: Outside = "error",
) -> FunctionDenoiser:
    """A network `(x_t, t) -> prediction` with a table of abar as a denoiser.

    The image is scaled with `abar = 1 / (1 + exp(-lam))` of its own log-SNR, whatever the table has. The time step is
    where the table, linear in log-SNR between its entries, has that log-SNR.

    Args:
        function: the network; takes `x_t` and time steps (batch,), floating-point ones if they are interpolated.
        alphas_cumprod: (T,) decreasing values in (0, 1), index 0 the least noisy.
        shape: (channels, height, width) of the images.
        prediction: what the network returns.
        rounding: "interpolated" for fractional time steps, "nearest" for a network that takes whole ones only.
        outside: whether log-SNRs more than half a time step beyond the table raise an error, or are announced as the
            end of the table ("clamp"). In that case a clean image (log-SNR +inf) comes back as it is, unless the
            network predicts the clean image itself.

    Raises:
        ValueError: if the table or an option is not as described, and when the denoiser is called outside the table.
        TypeError: if the function is not callable.

    >>> abar = torch.linspace(0.999, 0.001, 100)
    >>> silent = variance_preserving(lambda x, t: torch.zeros_like(x), abar, (1, 4, 4))
    >>> silent([torch.ones(2, 1, 4, 4)], torch.zeros(2, 1))[0].unique()
    tensor([1.])
    """
    _choice("prediction", prediction, Prediction)
    _choice("rounding", rounding, Rounding)
    _choice("outside", outside, Outside)
    _callable(function, "(x_t, t) -> prediction")
    levels = _levels(alphas_cumprod)

    def denoise(zs: Values, logsnr: LogSNR) -> Values:
        z = zs[0]
        times = _times(logsnr[:, 0].double(), levels.to(logsnr.device), outside)
        times = times.round().long() if rounding == "nearest" else times.to(z.dtype)
        signal, noise = (
            per_scale(torch.sigmoid(sign * logsnr).sqrt(), 0).to(z.dtype) for sign in (1.0, -1.0)
        )
        x = signal * z
        found = _same_shape(function(x, times), x).to(z.dtype)
        if prediction == "sample":
            return [found]
        if prediction == "v_prediction":
            return [signal * x - noise * found]
        return [z - noise / signal * found]

    return FunctionDenoiser(denoise, Scales(lt.SingleScale(), shape))


def variance_exploding(function: Predictor, shape: tuple[int, int, int]) -> FunctionDenoiser:
    """A network `(y + sigma e, sigma) -> y` as a denoiser, the form of Karras et al. 2022.

    Args:
        function: takes noisy images and sigma (batch,), returns clean images. At log-SNR +inf it is given sigma = 0.
        shape: (channels, height, width) of the images.

    Raises:
        TypeError: if the function is not callable.

    >>> wiener = variance_exploding(lambda x, sigma: x / (1 + sigma[:, None, None, None] ** 2), (1, 4, 4))
    >>> wiener([torch.ones(2, 1, 4, 4)], torch.zeros(2, 1))[0].unique()
    tensor([0.5000])
    """
    _callable(function, "(x, sigma) -> clean image")

    def denoise(zs: Values, logsnr: LogSNR) -> Values:
        sigma = torch.exp(-0.5 * logsnr[:, 0]).to(zs[0].dtype)
        return [_same_shape(function(zs[0], sigma), zs[0])]

    return FunctionDenoiser(denoise, Scales(lt.SingleScale(), shape))


def rectified_flow(function: Predictor, shape: tuple[int, int, int]) -> FunctionDenoiser:
    """A network `((1 - t) y + t e, t) -> e - y` as a denoiser, the velocity of a straight line (Liu et al. 2023).

    Args:
        function: takes points of the line and t in [0, 1] (batch,), returns velocities from data to noise. A network
            with another scale of time, or the opposite direction, needs a lambda around it.
        shape: (channels, height, width) of the images.

    Raises:
        TypeError: if the function is not callable.

    >>> still = rectified_flow(lambda x, t: torch.zeros_like(x), (1, 4, 4))
    >>> still([torch.ones(2, 1, 4, 4)], torch.zeros(2, 1))[0].unique()
    tensor([0.5000])
    """
    _callable(function, "(x, t) -> velocity")

    def denoise(zs: Values, logsnr: LogSNR) -> Values:
        times = torch.sigmoid(-0.5 * logsnr).to(zs[0].dtype)
        x = per_scale(1 - times, 0) * zs[0]
        return [x - per_scale(times, 0) * _same_shape(function(x, times[:, 0]), x)]

    return FunctionDenoiser(denoise, Scales(lt.SingleScale(), shape))


def from_diffusers(
    unet: Any,
    scheduler: Any,
    shape: tuple[int, int, int] | None = None,
    *,
    outside: Outside = "error",
) -> FunctionDenoiser:
    """An unconditional `UNet2DModel` of diffusers and the scheduler it was trained with as a denoiser.

    The scheduler contributes `alphas_cumprod` and what the network predicts; its clipping and its steps are not used.
    Of a network with twice as many output channels, which predicts variances as well, those are dropped. The network
    stays in the mode it is in: call `unet.eval()` before.

    Args:
        unet: takes images and fractional time steps, returns an object with the attribute `sample`.
        scheduler: has `alphas_cumprod` and `config.prediction_type`.
        shape: (channels, height, width); by default what the network says it was made for.
        outside: see `variance_preserving`.

    Raises:
        TypeError: if the scheduler has no table, or the network needs a class or a text.
        ValueError: if the shape is neither given nor known, or as `variance_preserving`.
    """
    table = getattr(scheduler, "alphas_cumprod", None)
    if table is None:
        raise TypeError(
            "scheduler must have a table alphas_cumprod, as DDPMScheduler has; "
            f"{type(scheduler).__name__} has none: use rectified_flow or variance_exploding instead"
        )
    _callable(unet, "UNet2DModel")
    config = getattr(unet, "config", {})
    conditions = [name for name in ("num_class_embeds", "cross_attention_dim") if _read(config, name)]
    if conditions:
        raise TypeError(
            f"unet must be unconditional, but has {', '.join(conditions)}: fix its condition in a function "
            "(x_t, t) -> prediction and pass that to variance_preserving"
        )
    if shape is None:
        channels, size = _read(config, "in_channels"), _read(config, "sample_size")
        if channels is None or size is None:
            raise ValueError(
                "unet does not say what size of images it takes; pass shape=(channels, height, width)"
            )
        height, width = (size, size) if isinstance(size, int) else size
        shape = (channels, height, width)

    def predict(x: Images, times: Tensor) -> Tensor:
        found = unet(x.to(getattr(unet, "dtype", x.dtype)), times).sample
        return found[:, : x.shape[1]] if found.shape[1] == 2 * x.shape[1] else found

    prediction = _read(scheduler.config, "prediction_type")
    return variance_preserving(predict, table, shape, prediction, outside=outside)


def _levels(alphas_cumprod: Any) -> Float[Tensor, " times"]:
    """Log-SNR of every time step, decreasing."""
    table = torch.as_tensor(alphas_cumprod).detach().double()
    if table.ndim != 1 or len(table) < 2 or not bool(((table > 0) & (table < 1)).all()):
        raise ValueError(
            "alphas_cumprod must be at least two values inside (0, 1), the signal variance of every time step; "
            f"got shape {tuple(table.shape)}. Leave out entries that are exactly 0 or 1"
        )
    if bool((table.diff() >= 0).any()):
        raise ValueError("alphas_cumprod must decrease strictly, index 0 the least noisy; reverse the table")
    return torch.logit(table)


def _times(logsnr: Float[Tensor, " batch"], levels: Float[Tensor, " times"], outside: Outside) -> Tensor:
    """Fractional time steps of log-SNRs, differentiable."""
    if outside == "error":
        high, low = (1.5 * levels[i] - 0.5 * levels[j] for i, j in ((0, 1), (-1, -2)))
        wrong = ~((logsnr >= low) & (logsnr <= high))
        if bool(wrong.any()):
            raise ValueError(
                f"the table reaches log-SNRs from {float(levels[-1]):g} to {float(levels[0]):g}; got "
                f"{float(logsnr[wrong][0]):g}. Choose a path inside, or pass outside='clamp'"
            )
    inside = logsnr.clamp(levels[-1], levels[0])
    below = torch.searchsorted(-levels, -inside.detach(), right=True) - 1
    below = below.clamp(0, len(levels) - 2)
    left, right = levels[below], levels[below + 1]
    return below + (left - inside) / (left - right)


def _same_shape(found: Tensor, x: Tensor) -> Tensor:
    if found.shape != x.shape:
        raise ValueError(f"the network must return images {tuple(x.shape)}; got {tuple(found.shape)}")
    return found


def _choice(name: str, value: Any, allowed: Any) -> None:
    if value not in get_args(allowed):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(allowed)))}; got {value!r}")


def _callable(function: Any, form: str) -> None:
    if not callable(function):
        raise TypeError(f"expected a callable {form}; got {type(function).__name__}")


def _read(config: Any, name: str) -> Any:
    return config.get(name) if hasattr(config, "get") else getattr(config, name, None)
