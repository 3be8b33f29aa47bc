"""Strategies: what a training step does between its batch and its gradients.

The one train step of the engine draws the batch, calls the strategy for gradients, and
updates the weights. A strategy decides which architectures it trains, by which loss,
and what it learns meanwhile: the sampler's statistics, or the architecture parameters
of a gradient method. Everything here is traced, for one sub-supernet.

Letters in shapes: K architectures of a step, D decisions, O options, B batch.
"""

import abc
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from nas.training.context import Batch, Context
from search_spaces import Architecture, SearchSpace

State = Any


class Gradients(NamedTuple):
    """What a strategy gives the train step.

    Attributes:
      grads: a tree like the weights.
      state: the strategy's next state.
      architectures: the K that were trained, stacked on a leading axis.
      loss: `float32[]`, what is logged.
      accuracy: `float32[]`, on the training batch, of the trained architectures.
      example_score: `float32[B]`, the norm of the loss' gradient at the logits, of the
        batch of the weights split; None unless `Context.needs` names it.
    """

    grads: Any
    state: State
    architectures: Architecture
    loss: jax.Array
    accuracy: jax.Array
    example_score: jax.Array | None = None


class Strategy(abc.ABC):
    """What a training step does. Concrete ones are frozen dataclasses.

    Attributes:
      SPLITS: the splits of which each step gets a batch: `weights`, or also `search`.
    """

    SPLITS: ClassVar[tuple[str, ...]] = ("weights",)

    @abc.abstractmethod
    def init(self, key: jax.Array, space: SearchSpace) -> State:
        """Make the state to start from: a pytree of arrays, checkpointed.

        Args:
          key: a JAX random key.
          space: the search space.

        Returns:
          The state.
        """

    @abc.abstractmethod
    def gradients(
        self,
        context: Context,
        state: State,
        params: Any,
        batches: dict[str, Batch],
        key: jax.Array,
        allowed: jax.Array,
    ) -> Gradients:
        """Compute the gradients of one step.

        Args:
          context: what the engine gives.
          state: the latest state.
          params: the weights of one sub-supernet.
          batches: by the names in `SPLITS`.
          key: of this step alone.
          allowed: `bool[D, O]`, the options of this sub-supernet.

        Returns:
          Gradients, and the rest of what the step needs.
        """

    def health(
        self, state: State, context: Context, allowed: jax.Array
    ) -> dict[str, jax.Array]:
        """Give what shows that training goes wrong; by default nothing.

        Args:
          state: the latest state, of one sub-supernet.
          context: the search space, and how far training is.
          allowed: `bool[D, O]`, the options of this sub-supernet.

        Returns:
          `float32[]` by name.
        """
        del state, context, allowed
        return {}

    def scalars(
        self, state: State, context: Context, allowed: jax.Array
    ) -> dict[str, float]:
        """Give what else to log, under names of its own; by default nothing.

        Args:
          state: the latest state, of one sub-supernet.
          context: the search space, and how far training is.
          allowed: `bool[D, O]`, the options of this sub-supernet.

        Returns:
          Numbers by name.
        """
        del state, context, allowed
        return {}

    def check(self, context: Context, mesh: Mesh) -> None:
        """Refuse, before anything runs, what does not fit the space or the devices.

        Args:
          context: what the engine will give.
          mesh: the devices.

        Raises:
          UserError: something does not.
        """
        del mesh
        jax.eval_shape(lambda key: self.init(key, context.space), jax.random.key(0))

    def derive(
        self, state: State, space: SearchSpace, allowed: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Give the architectures that the strategy itself has come to prefer.

        Args:
          state: after training, of one sub-supernet.
          space: the search space.
          allowed: `bool[D, O]`, the options of this sub-supernet; None: all.

        Returns:
          `int32[P, D]`; None if the strategy prefers none.
        """
        del state, space, allowed
        return None
