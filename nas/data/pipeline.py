"""How examples on the device become batches: random crops, order, evaluation.

Everything here is a pure function and can be traced: the same code runs eagerly, under
`jit`, and inside an exported program. Letters in shapes: B batch, N examples of a
split, H height, W width, C channels.
"""

import dataclasses
from typing import TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError


class OrderState(TypedDict):
    """The state of a `BatchOrder`, a pytree.

    Attributes:
      order: int32 [N], the permutation of this epoch.
      position: int32 [], how much of it has been used.
    """

    order: jax.Array
    position: jax.Array


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

    @property
    def augments(self) -> bool:
        """Whether anything is changed at all."""
        return bool(self.crop_padding or self.flip)

    def __call__(self, key: jax.Array, images: jax.Array) -> jax.Array:
        """Augment each image by its own draw.

        Args:
          key: decides everything.
          images: uint8 [B, H, W, C]; if nothing is to be changed, any inputs.

        Returns:
          What is like `images`.
        """
        if not self.augments:
            return images
        _check_images(images)
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
        check_epoch(self.num_examples, self.batch_size)

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


def check_epoch(num_examples: int, batch_size: int) -> None:
    """Refuse a batch that is empty, or larger than all examples.

    Raises:
      UserError: it is.
    """
    if not 1 <= batch_size <= num_examples:
        raise UserError(
            f"The batch size must be from 1 to {num_examples}, the number of examples "
            f"to train on, found {batch_size}."
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


def _check_images(images: jax.Array) -> None:
    if images.dtype != jnp.uint8 or images.ndim != 4:
        raise ValueError(
            f"Images must be uint8 [B, H, W, C], found {images.dtype} "
            f"{list(images.shape)}."
        )
