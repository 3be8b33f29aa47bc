"""Samplers: which architectures a training step trains.

A sampler's settings are a frozen dataclass; what it learns is a state, a pytree of
arrays that is checkpointed with the weights. Everything here is traced.

Letters in shapes: K architectures of a step, D decisions, O options, B batch.
"""

import abc
from typing import Any, ClassVar, NamedTuple

import jax

from nas.training.context import Context
from search_spaces import SearchSpace

State = Any


class Draw(NamedTuple):
    """What a sampler drew.

    Attributes:
      genotypes: `int32[K, D]`, canonical.
      log_probability: `float32[K]`, of each under the sampler.
      weight: `float32[K]`, by which its loss is multiplied; 1 unless re-weighted.
    """

    genotypes: jax.Array
    log_probability: jax.Array
    weight: jax.Array


class Feedback(NamedTuple):
    """What a step tells its sampler: after the gradients' all-reduce, unclipped.

    Attributes:
      genotypes: `int32[K, D]`, as drawn.
      loss: `float32[K]`.
      example_score: `float32[B]`, the norm of the loss' gradient at the logits, mean
        over the step's architectures; None unless the sampler needs it.
      option_sqnorm: `float32[K, D, O]`, the squared norm of the gradient of the weights
        whose activity depends on the option that was taken, zero for other options;
        None unless the sampler needs it. It is of the gradient as multiplied by
        `weight`.
      option_count: `float32[K, D, O]`, how many weights those are; None unless the
        sampler needs it.
      weight: `float32[K]`, as drawn.
    """

    genotypes: jax.Array
    loss: jax.Array
    example_score: jax.Array | None
    option_sqnorm: jax.Array | None
    option_count: jax.Array | None = None
    weight: jax.Array | None = None


class Sampler(abc.ABC):
    """Draws the architectures of a step, and may learn from what they did.

    Attributes:
      NEEDS: which optional fields of `Feedback` it reads; the step computes no others.
    """

    NEEDS: ClassVar[frozenset[str]] = frozenset()

    @property
    def needs(self) -> frozenset[str]:
        """What it reads of `Feedback` as it is set up; `NEEDS` unless overridden."""
        return self.NEEDS

    @property
    def leads(self) -> bool:
        """Whether the first architecture of every draw is the largest allowed one.

        The others of a step may then learn from it.
        """
        return False

    def init(self, key: jax.Array, space: SearchSpace) -> State:
        """Make the state to start from; by default there is none.

        Args:
          key: a JAX random key.
          space: the search space.

        Returns:
          A pytree of arrays.
        """
        del key, space
        return ()

    @abc.abstractmethod
    def sample(
        self, state: State, context: Context, key: jax.Array, allowed: jax.Array
    ) -> Draw:
        """Draw K architectures.

        Args:
          state: the latest state.
          context: the search space, and how far training is.
          key: of this step alone.
          allowed: `bool[D, O]`, the options of this sub-supernet.

        Returns:
          The draw; K is the same at each step.
        """

    def update(self, state: State, feedback: Feedback) -> State:
        """Learn from a step; by default nothing.

        Args:
          state: the latest state.
          feedback: of the step that trained the latest draw.

        Returns:
          The next state.
        """
        del feedback
        return state

    def health(
        self, state: State, context: Context, allowed: jax.Array
    ) -> dict[str, jax.Array]:
        """Give what shows that sampling goes wrong; by default nothing.

        Args:
          state: the latest state.
          context: the search space, and how far training is.
          allowed: `bool[D, O]`, the options of this sub-supernet.

        Returns:
          `float32[]` by name.
        """
        del state, context, allowed
        return {}


def log_uniform(allowed: jax.Array, genotypes: jax.Array) -> jax.Array:
    """Give the log-probability of genotypes, each decision uniform over its options.

    Dead decisions count as if drawn: this is the probability of the raw draw.

    Args:
      allowed: `bool[D, O]`.
      genotypes: `int32[K, D]`.

    Returns:
      `float32[K]`.
    """
    total = -jax.numpy.log(allowed.sum(-1).astype("float32")).sum()
    return jax.numpy.full(genotypes.shape[:1], total)
