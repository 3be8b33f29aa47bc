"""SynFlow: the flow through a network of absolute weights.

Tanaka, Kunin, Yamins and Ganguli, "Pruning Neural Networks without Any Data by
Iteratively Conserving Synaptic Flow", NeurIPS 2020, arXiv 2006.05467; as a proxy:
Abdelfattah, Mehrotra, Dudziak and Lane, "Zero-Cost Proxies for Lightweight NAS", ICLR
2021, arXiv 2101.08134. With R the sum of the outputs of the network with |w| for every
weight w on an input of ones, the score is the sum over all weights of |w dR/dw|.

The sum is over every array of parameters, as in Tanaka et al.; code that counts the
kernels of convolutions and linear layers alone leaves out normalisation's scales.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from predictors.zero_cost.base import Apply, Proxy


@dataclasses.dataclass(frozen=True)
class SynFlow(Proxy):
    """Synaptic flow. It sees no data: only the shape of an input."""

    NAME = "synflow"
    normalises = False
    double = True

    def score(
        self, apply: Apply, params: Any, x: jax.Array, labels: jax.Array | None = None
    ) -> jax.Array:
        """Give the logarithm of the flow, which orders as the flow does.

        Args:
          apply: the network; normalisation must be the identity.
          params: its weights.
          x: of which one example's shape and type count.
          labels: not used.

        Returns:
          `float[]`; minus infinity if no weight reaches the output.
        """
        del labels
        positive = jax.tree.map(jnp.abs, params)
        ones = jnp.ones_like(x[:1])
        gradients = jax.grad(lambda p: apply(p, ones).sum())(positive)
        flows = jax.tree.map(lambda w, g: jnp.abs(w * g).sum(), positive, gradients)
        return jnp.log(sum(jax.tree.leaves(flows)))
