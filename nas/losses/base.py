"""Losses: what a training step minimises, example by example."""

import abc

import jax

from supernets import Outputs


class Loss(abc.ABC):
    """A loss of each example. Concrete ones are frozen dataclasses."""

    @abc.abstractmethod
    def __call__(self, outputs: Outputs, labels: jax.Array) -> jax.Array:
        """Measure each example.

        Args:
          outputs: of one architecture on a batch; logits `float32[B, C]`.
          labels: `int32[B]`.

        Returns:
          `float32[B]`.
        """
