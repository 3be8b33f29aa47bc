"""Losses: what a training step minimises, example by example.

An example has one label, or one at each of its places, as each token of a text has; its
loss is then the mean over its places.
"""

import abc

import jax
import jax.numpy as jnp

from supernets import Outputs


class Loss(abc.ABC):
    """A loss of each example. Concrete ones are frozen dataclasses."""

    @abc.abstractmethod
    def __call__(self, outputs: Outputs, labels: jax.Array) -> jax.Array:
        """Measure each example.

        Args:
          outputs: of one architecture on a batch; logits `float32[B, C]`, or
            `float32[B, T, V]` where examples have T places.
          labels: `int32[B]`, or `int32[B, T]`.

        Returns:
          `float32[B]`.
        """


def mean_over_places(values: jax.Array) -> jax.Array:
    """Average what was measured at each place of an example.

    Args:
      values: `float[B]`, or `float[B, ..]` with an entry for each place.

    Returns:
      `float[B]`.
    """
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))
