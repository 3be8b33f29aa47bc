"""SNIP: how much the loss depends on each connection.

Lee, Ajanthan and Torr, "SNIP: Single-Shot Network Pruning Based on Connection
Sensitivity", ICLR 2019, arXiv 1810.02340; as a proxy: Abdelfattah, Mehrotra, Dudziak
and Lane, "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, arXiv 2101.08134. With L
the loss on a batch, the score is the sum over all weights of |w dL/dw|.

The sum is over every array of parameters; code that counts the kernels of convolutions
and linear layers alone leaves out normalisation's scales.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from predictors.zero_cost.base import Apply, Proxy, needed
from predictors.zero_cost.loss_gradient import loss_gradient


@dataclasses.dataclass(frozen=True)
class SNIP(Proxy):
    """Connection sensitivity, of the batch and the labels that it is given."""

    NAME = "snip"

    def score(
        self, apply: Apply, params: Any, x: jax.Array, labels: jax.Array | None = None
    ) -> jax.Array:
        """Give the sum of |w dL/dw|.

        Args:
          apply: the network, normalised by the batch.
          params: its weights.
          x: `[B, ..]`, inputs.
          labels: `int[B, ..]`, their classes.

        Returns:
          `float[]`, at least 0.

        Raises:
          ValueError: there are no labels.
        """
        gradients = loss_gradient(apply, params, x, needed(labels, self.NAME))
        parts = jax.tree.map(lambda w, g: jnp.abs(w * g).sum(), params, gradients)
        return jnp.stack(jax.tree.leaves(parts)).sum()
