"""From uint8 images on the device to what a network is trained on.

Everything here is a pure function and can be traced: the same code runs eagerly, under
`jit`, and inside an exported program. Letters in shapes: B batch, N images of a split,
H height, W width, C channels.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError

_MAX_PIXEL = 255
_CHUNK = 1024


class OrderState(TypedDict):
    """The state of a `BatchOrder`, a pytree.

    Attributes:
      order: int32 [N], the permutation of this epoch.
      position: int32 [], how much of it has been used.
    """

    order: jax.Array
    position: jax.Array


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Per-channel normalisation, which a trained network carries with it.

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
        _check_images(images, len(self.mean))
        shape = (1,) * (images.ndim - 1) + (-1,)
        std = np.asarray(self.std, np.float64)
        scale = (1 / (_MAX_PIXEL * std)).astype(np.float32).reshape(shape)
        offset = (-np.asarray(self.mean) / std).astype(np.float32).reshape(shape)
        return images.astype(jnp.float32) * scale + offset


@dataclasses.dataclass(frozen=True)
class Augment:
    """Random crops of the zero-padded image and random mirror images."""

    crop_padding: int = 0
    """Pixels of black added on each side before cropping back to the size; 0: none."""

    flip: bool = False
    """Mirror half of the images, left to right. Not for digits or text."""

    def __post_init__(self) -> None:
        """Check the padding."""
        if self.crop_padding < 0:
            raise UserError(
                f"crop_padding must be 0 or more pixels, found {self.crop_padding}."
            )

    def __call__(self, key: jax.Array, images: jax.Array) -> jax.Array:
        """Augment each image by its own draw.

        Args:
          key: decides everything.
          images: uint8 [B, H, W, C].

        Returns:
          uint8 [B, H, W, C].
        """
        _check_images(images, images.shape[-1])
        crop_key, flip_key = jax.random.split(key)
        if self.crop_padding:
            num_corners = 2 * self.crop_padding + 1
            corners = jax.random.randint(
                crop_key, (len(images), 2), 0, num_corners, jnp.int32
            )
            images = jax.vmap(self._crop)(images, corners)
        if self.flip:
            shape = (len(images), 1, 1, 1)
            flips = jax.random.bernoulli(flip_key, jnp.float32(0.5), shape)
            images = jnp.where(flips, images[:, :, ::-1], images)
        return images

    def _crop(self, image: jax.Array, corner: jax.Array) -> jax.Array:
        pad = self.crop_padding
        padded = jnp.pad(image, ((pad, pad), (pad, pad), (0, 0)))
        start = (corner[0], corner[1], jnp.zeros_like(corner[0]))
        return jax.lax.dynamic_slice(padded, start, image.shape)


@dataclasses.dataclass(frozen=True)
class BatchOrder:
    """Shuffled epochs of full batches; what is left of an epoch is dropped.

    The state is all there is to save: restored, it goes on with the same batches.

    Attributes:
      num_examples: N.
      batch_size: B, at most N.
    """

    num_examples: int
    batch_size: int

    def __post_init__(self) -> None:
        """Check that an epoch holds a batch."""
        if not 1 <= self.batch_size <= self.num_examples:
            raise UserError(
                f"The batch size must be from 1 to {self.num_examples}, the number of "
                f"images to train on, found {self.batch_size}."
            )

    @property
    def batches_per_epoch(self) -> int:
        """Full batches in an epoch."""
        return self.num_examples // self.batch_size

    def init(self, key: jax.Array) -> OrderState:
        """Draw the first epoch."""
        return {"order": self._shuffle(key), "position": jnp.int32(0)}

    def next(self, state: OrderState, key: jax.Array) -> tuple[OrderState, jax.Array]:
        """Take the next batch; begin a new epoch when too few are left for one.

        Args:
          state: from `init` or from the call before.
          key: decides the new epoch, when one begins; a fresh key each time.

        Returns:
          The new state, and int32 [B], indices of examples.
        """
        finished = state["position"] > self.num_examples - self.batch_size
        order = jax.lax.cond(
            finished, lambda: self._shuffle(key), lambda: state["order"]
        )
        start = jnp.where(finished, jnp.int32(0), state["position"])
        indices = jax.lax.dynamic_slice(order, (start,), (self.batch_size,))
        return {"order": order, "position": start + self.batch_size}, indices

    def _shuffle(self, key: jax.Array) -> jax.Array:
        return jax.random.permutation(
            key, jnp.arange(self.num_examples, dtype=jnp.int32)
        )


def evaluation_batches(
    num_examples: int, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lay out a split in order, in batches of one size, each example counted once.

    The last batch is filled up with the first examples again, at weight 0.

    Args:
      num_examples: N, at least 1.
      batch_size: B, at least 1; it may exceed N.

    Returns:
      Indices int32 [num_batches, B], and weights float32 [num_batches, B] of 1 or 0
      whose sum is N.

    Raises:
      UserError: if there are no examples, or the batch size is below 1.

    Example:
      >>> evaluation_batches(3, 2)[0].tolist()
      [[0, 1], [2, 0]]
    """
    if num_examples < 1 or batch_size < 1:
        raise UserError(
            "Evaluation needs at least one example and a batch size of at least 1, "
            f"found {num_examples} and {batch_size}."
        )
    num_batches = -(-num_examples // batch_size)
    slots = np.arange(num_batches * batch_size, dtype=np.int32)
    weights = (slots < num_examples).astype(np.float32)
    shape = (num_batches, batch_size)
    return (slots % num_examples).reshape(shape), weights.reshape(shape)


def _check_images(images: jax.Array, num_channels: int) -> None:
    shape: Sequence[int] = images.shape
    if images.dtype != jnp.uint8 or len(shape) < 3 or shape[-1] != num_channels:
        raise ValueError(
            f"Images must be uint8 [.., H, W, {num_channels}], found {images.dtype} "
            f"{list(shape)}."
        )
