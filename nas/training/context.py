"""What the engine gives to strategies, samplers and partitions.

Letters in shapes: B batch, D decisions, O options.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from search_spaces import Architecture, SearchSpace
from supernets import Outputs


class Batch(NamedTuple):
    """Examples of one split.

    Attributes:
      x: what the network takes: `float32[B, H, W, C]` images, augmented and
        normalised, or `int32[B, T]` tokens.
      labels: `int32[B]`, or `int32[B, T]`.
      indices: `int32[B]`, of the examples in their split.
      weights: `float32[B]`, by which the examples' losses are multiplied; None where
        all count 1.
    """

    x: jax.Array
    labels: jax.Array
    indices: jax.Array
    weights: jax.Array | None = None

    def mean(self, losses: jax.Array) -> jax.Array:
        """Average a loss over the batch, by the examples' weights.

        Args:
          losses: `float32[B]`.

        Returns:
          `float32[]`; the sum is divided by B, not by the weights' sum.
        """
        if self.weights is not None:
            losses = losses * self.weights
        return losses.mean()


@dataclasses.dataclass(frozen=True)
class Context:
    """What the engine gives a strategy.

    Attributes:
      space: the search space.
      forward: `(params, architecture, x, key) -> Outputs`, in training mode.
      activity: `architecture -> tree like params`, in [0, 1].
      cost_order: `int32[D, O]`, the place of each option among its decision's from the
        cheapest up; see `Supernet.cost_order`.
      progress: `float32[]`, the share of the training that is done, 0 to below 1.
      needs: what of `Feedback` the engine itself wants besides the sampler.
      mesh: the devices; None for one.
      cost: `float32[D, O] -> {column: float32[]}`, the expected costs of a row on the
        simplex for each decision, as `Architecture.soft` takes them.
      ahead: `(gradients, architectures with a leading axis) -> params`, the weights
        after the step that the optimiser would make; None outside of a train step.
    """

    space: SearchSpace
    forward: Callable[[Any, Architecture, jax.Array, jax.Array], Outputs]
    activity: Callable[[Architecture], Any]
    cost_order: np.ndarray
    progress: jax.Array | float = 0.0
    needs: frozenset[str] = frozenset()
    mesh: Mesh | None = None
    cost: Callable[[jax.Array], dict[str, jax.Array]] | None = None
    ahead: Callable[[Any, Architecture], Any] | None = None

    def largest(self, allowed: jax.Array) -> jax.Array:
        """Give the architecture that costs the most among the allowed ones.

        Args:
          allowed: `bool[D, O]`, closed under the conditions.

        Returns:
          `int32[D]`, canonical: each decision's most expensive option.
        """
        order = jnp.where(allowed, jnp.asarray(self.cost_order), -1)
        return self.space.canonical(order.argmax(-1).astype(jnp.int32))

    def smallest(self, allowed: jax.Array) -> jax.Array:
        """Give the architecture that costs the least among the allowed ones.

        Args:
          allowed: `bool[D, O]`, closed under the conditions.

        Returns:
          `int32[D]`, canonical: each decision's cheapest option.
        """
        most = self.cost_order.shape[1]
        order = jnp.where(allowed, jnp.asarray(self.cost_order), most)
        return self.space.canonical(order.argmin(-1).astype(jnp.int32))
