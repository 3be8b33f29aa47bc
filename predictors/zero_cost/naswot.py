"""NASWOT: how differently an untrained network sees different examples.

Mellor, Turner, Storkey and Crowley, "Neural Architecture Search without Training", ICML
2021, arXiv 2006.04647. Each example has a binary code: at which ReLUs it is above zero.
With K the number of units at which two examples agree, the number of all less the
Hamming distance of their codes, the score is log |det K|: higher where codes differ.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from predictors.zero_cost.base import Apply, Proxy
from predictors.zero_cost.relu_agreement import relu_agreement


@dataclasses.dataclass(frozen=True)
class NASWOT(Proxy):
    """NASWOT, of the batch that it is given; the paper's has 128 examples.

    Units that are switched off do not count; see `relu_agreement`.
    """

    NAME = "naswot"
    normalises = True
    double = True

    def score(
        self, apply: Apply, params: Any, x: jax.Array, labels: jax.Array | None = None
    ) -> jax.Array:
        """Give log |det K|.

        Args:
          apply: a network with ReLUs, normalised by the batch.
          params: its weights.
          x: `float[B, ..]`, at least two examples.
          labels: not used.

        Returns:
          `float[]`; minus infinity if K is singular, as with equal examples.
        """
        del labels
        kernel, _ = relu_agreement(apply, len(x), params, x)
        return jnp.linalg.slogdet(kernel)[1]
