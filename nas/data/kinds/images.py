"""Images: bytes in, normalised by channel."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from nas.data.kinds.base import Kind, Preprocessing, Words
from nas.errors import UserError

_MAX_PIXEL = 255
_CHUNK = 1024


@dataclasses.dataclass(frozen=True)
class Images(Kind):
    """Images uint8 [N, H, W, C] with one label each, int32 [N]."""

    NAME: ClassVar[str] = "image"
    RAW_DTYPE: ClassVar[str] = "uint8"
    INPUT_DTYPE: ClassVar[str] = "float32"
    INPUT_NAME: ClassVar[str] = "images"

    @property
    def words(self) -> Words:
        """What people call them."""
        return Words(
            example="image",
            examples="images",
            place="image",
            places="images",
            task="The networks sort images of {shape} ({data}) into {classes} classes.",
            interval="Wilson's 95 % interval",
            argument="IMAGE.png",
            predicts="classify an image",
            headline="error",
        )

    def check_inputs(self, where: str, inputs: np.ndarray, labels: np.ndarray) -> None:
        """Check types and shapes; see `Kind.check_inputs`."""
        if inputs.dtype != np.uint8 or inputs.ndim != 4 or 0 in inputs.shape:
            raise UserError(
                f"{where} images must be uint8 [N, H, W, C] and not empty, found "
                f"{inputs.dtype} {list(inputs.shape)}."
            )
        if labels.dtype != np.int32 or labels.shape != inputs.shape[:1]:
            raise UserError(
                f"{where} labels must be int32 [{len(inputs)}], one for each image, "
                f"found {labels.dtype} {list(labels.shape)}."
            )

    def fit(self, inputs: np.ndarray) -> "ImagePreprocessing":
        """Measure the channels; see `Kind.fit`."""
        return ImagePreprocessing.fit(inputs)

    def measured(self, num_examples: int, num_places: int, nll: float | None) -> dict:
        """Count images; see `Kind.measured`."""
        del num_places, nll
        return {"num_images": num_examples}

    def to_json(self) -> dict[str, Any]:
        """Write for `config.json`."""
        return {"kind": self.NAME}


@dataclasses.dataclass(frozen=True)
class ImagePreprocessing(Preprocessing):
    """Per-channel normalisation.

    Attributes:
      mean: mean of each channel, of pixels scaled to 0..1.
      std: standard deviation of each channel, same scale; above 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check that there is one sane pair for each channel."""
        numbers = (*self.mean, *self.std)
        if not self.mean or len(self.mean) != len(self.std):
            raise UserError(
                "Preprocessing needs one mean and one std for each channel, found "
                f"{len(self.mean)} and {len(self.std)}."
            )
        if not all(math.isfinite(number) for number in numbers) or min(self.std) <= 0:
            raise UserError(
                "Preprocessing needs finite means and positive stds, found mean "
                f"{self.mean} and std {self.std}."
            )

    @classmethod
    def fit(cls, images: np.ndarray) -> Self:
        """Measure mean and standard deviation; give it the weights split only.

        Args:
          images: uint8 [N, H, W, C].
        """
        # Counts of the 256 values are exact, and need no float copy of the images.
        counts = np.zeros((images.shape[-1], _MAX_PIXEL + 1), np.int64)  # [C, 256]
        for start in range(0, len(images), _CHUNK):
            chunk = images[start : start + _CHUNK]
            for channel, row in enumerate(counts):
                row += np.bincount(chunk[..., channel].ravel(), minlength=len(row))
        values = np.arange(_MAX_PIXEL + 1) / _MAX_PIXEL
        shares = counts / counts.sum(axis=1, keepdims=True)
        mean = shares @ values  # [C]
        variance = (shares * np.square(values - mean[:, np.newaxis])).sum(axis=1)
        # A constant channel says nothing; 1 keeps it finite, and at zero.
        std = np.where(counts.max(axis=1) == counts.sum(axis=1), 1, np.sqrt(variance))
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(tuple(content["mean"]), tuple(content["std"]))

    def to_json(self) -> dict[str, list[float]]:
        """Write as JSON values; reading them back gives an equal object."""
        return {"mean": list(self.mean), "std": list(self.std)}

    def __call__(self, images: jax.Array) -> jax.Array:
        """Normalise images.

        Args:
          images: uint8 [.., H, W, C].

        Returns:
          float32 [.., H, W, C]: zero mean, unit variance over the fitted images.
        """
        self._check(images)
        shape = (1,) * (images.ndim - 1) + (-1,)
        std = np.asarray(self.std, np.float64)
        scale = (1 / (_MAX_PIXEL * std)).astype(np.float32).reshape(shape)
        offset = (-np.asarray(self.mean) / std).astype(np.float32).reshape(shape)
        return images.astype(jnp.float32) * scale + offset

    @property
    def kind(self) -> Images:
        """Of images."""
        return Images()

    @property
    def num_values(self) -> int:
        """How many values a pixel can have."""
        return _MAX_PIXEL + 1

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Refuse another number of channels; see `Preprocessing.check_shape`."""
        if len(shape) != 3 or shape[-1] != len(self.mean):
            raise UserError(
                f"The preprocessing is for {len(self.mean)} channels, but the network "
                f"takes inputs of shape {list(shape)}."
            )

    def _check(self, images: jax.Array) -> None:
        shape: Sequence[int] = images.shape
        channels = len(self.mean)
        if images.dtype != jnp.uint8 or len(shape) < 3 or shape[-1] != channels:
            raise ValueError(
                f"Images must be uint8 [.., H, W, {channels}], found {images.dtype} "
                f"{list(shape)}."
            )
