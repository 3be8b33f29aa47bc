"""Data samplers: which examples a training step sees, and how much each counts.

A data sampler's settings are a frozen dataclass; what it learns is a state, a pytree of
arrays that is checkpointed with the weights and held whole by every device. Everything
here is traced.

Letters in shapes: B batch, N examples.
"""

import abc
import dataclasses
from typing import Any, NamedTuple

import jax

from nas.data import check_epoch

State = Any


class DataDraw(NamedTuple):
    """A batch that was drawn.

    Attributes:
      indices: `int32[B]`, of examples.
      weights: `float32[B]`, by which their losses are multiplied; None if all count 1.
    """

    indices: jax.Array
    weights: jax.Array | None = None


class DataSampler(abc.ABC):
    """Draws the batch of a step, and may learn from what its examples did."""

    @property
    def needs(self) -> frozenset[str]:
        """Which scores of examples it reads; the step computes no others.

        `example_score`, the norm of the loss' gradient at the logits, or
        `example_feature_score`, that of the gradient of the last layer's kernel.
        """
        return frozenset()

    @abc.abstractmethod
    def init(self, key: jax.Array, num: int, batch_size: int) -> State:
        """Make the state to start from, which may hold a first epoch.

        Args:
          key: a JAX random key.
          num: N.
          batch_size: B, at most N.

        Returns:
          A pytree of arrays.
        """

    @abc.abstractmethod
    def next(
        self,
        state: State,
        key: jax.Array,
        num: int,
        batch_size: int,
        progress: jax.Array | float,
    ) -> tuple[State, DataDraw]:
        """Draw the next batch.

        Args:
          state: the latest state.
          key: of this step alone.
          num: N.
          batch_size: B.
          progress: `float32[]`, the share of the training that is done, 0 to below 1.

        Returns:
          The next state, and the batch.
        """

    def update(self, state: State, indices: jax.Array, scores: jax.Array) -> State:
        """Learn from a step; by default nothing.

        Args:
          state: the latest state.
          indices: `int32[B]`, as drawn.
          scores: `float32[B]`; not finite where an example told nothing.

        Returns:
          The next state.
        """
        del indices, scores
        return state

    def health(self, state: State) -> dict[str, jax.Array]:
        """Give what shows that sampling goes wrong, `float32[]` by name; or nothing."""
        del state
        return {}


@dataclasses.dataclass(frozen=True)
class Order:
    """A data sampler bound to a split.

    Attributes:
      sampler: what draws.
      num_examples: N.
      batch_size: B, at most N.
    """

    sampler: DataSampler
    num_examples: int
    batch_size: int

    def __post_init__(self) -> None:
        """Check that an epoch holds a batch."""
        check_epoch(self.num_examples, self.batch_size)

    def init(self, key: jax.Array) -> State:
        """Make the state to start from; see `DataSampler.init`."""
        return self.sampler.init(key, self.num_examples, self.batch_size)

    def next(
        self, state: State, key: jax.Array, progress: jax.Array | float
    ) -> tuple[State, DataDraw]:
        """Draw the next batch; see `DataSampler.next`."""
        return self.sampler.next(
            state, key, self.num_examples, self.batch_size, progress
        )
