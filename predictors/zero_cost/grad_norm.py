"""The norm of the loss's gradient, summed over layers.

Abdelfattah, Mehrotra, Dudziak and Lane, "Zero-Cost Proxies for Lightweight NAS", ICLR
2021, arXiv 2101.08134: after one batch, the sum over layers of the Euclidean norm of
the layer's gradient.

The sum is over every array of parameters; code that counts the kernels of convolutions
and linear layers alone leaves out biases and normalisation's scales.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from predictors.zero_cost.base import Apply, Proxy, needed
from predictors.zero_cost.loss_gradient import loss_gradient


@dataclasses.dataclass(frozen=True)
class GradNorm(Proxy):
    """The sum of the gradients' norms, of the batch and the labels that it is given."""

    NAME = "grad_norm"

    def score(
        self, apply: Apply, params: Any, x: jax.Array, labels: jax.Array | None = None
    ) -> jax.Array:
        """Give the sum of norms.

        Args:
          apply: the network, normalised by the batch.
          params: its weights, one array for each tensor of each layer.
          x: `[B, ..]`, inputs.
          labels: `int[B, ..]`, their classes.

        Returns:
          `float[]`, at least 0.

        Raises:
          ValueError: there are no labels.
        """
        gradients = loss_gradient(apply, params, x, needed(labels, self.NAME))
        norms = [jnp.sqrt((leaf**2).sum()) for leaf in jax.tree.leaves(gradients)]
        return jnp.stack(norms).sum()
