"""Losses: what a training step minimises, example by example.

A loss compares an architecture's outputs with labels, a divergence with the outputs of
another architecture, from which it is to learn.

An example has one label, or one at each of its places, as each token of a text has; its
loss is then the mean over its places.
"""

import abc
from typing import NamedTuple

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


class Divergences(NamedTuple):
    """How far each example's prediction is from the teacher's.

    Attributes:
      value: `float32[B]`, the divergence, which is what to log; its gradient may be
        another than the one that a divergence asks for.
      surrogate: `float32[B]`, what to differentiate; its value means nothing.
    """

    value: jax.Array
    surrogate: jax.Array


class Divergence(abc.ABC):
    """What a student minimises, of each example. Concrete ones are frozen dataclasses.

    The prediction of an example is its distribution over classes: the teacher's is p,
    the student's q.
    """

    @abc.abstractmethod
    def places(self, student: jax.Array, teacher: jax.Array) -> Divergences:
        """Measure each prediction.

        Args:
          student: `float[.., C]`, logits.
          teacher: the same shape; constant.

        Returns:
          Value and surrogate, `float[..]`.
        """

    def __call__(self, student: Outputs, teacher: Outputs) -> Divergences:
        """Measure each example.

        Args:
          student: outputs of one architecture on a batch; logits `float32[B, C]`, or
            `float32[B, T, V]` where examples have T places.
          teacher: of another one on the same batch. No gradient goes there.

        Returns:
          Value and surrogate, `float32[B]`: means over an example's places.
        """
        fixed = jax.lax.stop_gradient(teacher.logits)
        value, surrogate = self.places(student.logits, fixed)
        return Divergences(mean_over_places(value), mean_over_places(surrogate))


def kl(log_p: jax.Array, log_q: jax.Array) -> jax.Array:
    """Give the Kullback-Leibler divergence `sum_i p_i log(p_i / q_i)`.

    Args:
      log_p: `float[.., C]`, log-probabilities; minus infinity is allowed.
      log_q: the same shape.

    Returns:
      `float[..]`.
    """
    p = jnp.exp(log_p)
    # A class without mass in p adds nothing, whatever q gives it.
    return (p * jnp.where(p > 0, log_p - log_q, 0)).sum(-1)


def mean_over_places(values: jax.Array) -> jax.Array:
    """Average what was measured at each place of an example.

    Args:
      values: `float[B]`, or `float[B, ..]` with an entry for each place.

    Returns:
      `float[B]`.
    """
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))
