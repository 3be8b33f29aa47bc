"""The gradient of the loss at weights that were never trained.

Letters in shapes: B batch, C classes.
"""

from typing import Any

import jax
import jax.numpy as jnp

from predictors.zero_cost.base import Apply


def loss_gradient(apply: Apply, params: Any, x: jax.Array, labels: jax.Array) -> Any:
    """Differentiate the mean cross-entropy of a batch by every parameter.

    Args:
      apply: the network.
      params: its weights.
      x: `[B, ..]`, inputs.
      labels: `int[B, ..]`, their classes.

    Returns:
      A tree like `params`.
    """

    def loss(params: Any) -> jax.Array:
        logits = jax.nn.log_softmax(apply(params, x))
        right = jnp.take_along_axis(logits, labels[..., None], axis=-1)
        return -right.mean()

    return jax.grad(loss)(params)
