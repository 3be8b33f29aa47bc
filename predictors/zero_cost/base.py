"""The boundary of zero-cost proxies: a score of a network that was never trained.

A proxy sees a function from parameters and inputs to outputs. Which architecture the
function computes is the caller's matter; where it is data of one program, as in a
supernet, a whole population costs one compilation.
"""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import jax

Apply = Callable[[Any, jax.Array], jax.Array]
"""`(params, x: [B, ...]) -> float[B, C]`."""


class Proxy(abc.ABC):
    """A score without training; larger is better.

    Attributes:
      normalises: whether the function should normalise by the batch, as it would in
        training. If not, its normalisation must be the identity: statistics of mean 0
        and variance 1.
      double: whether to compute in float64, because products over layers leave float32.
    """

    normalises: ClassVar[bool] = True
    double: ClassVar[bool] = False

    @abc.abstractmethod
    def score(self, apply: Apply, params: Any, x: jax.Array) -> jax.Array:
        """Score one network; traceable.

        Args:
          apply: the network.
          params: its random weights.
          x: `float[B, ...]`, a batch of inputs. A proxy may use its shape alone.

        Returns:
          `float[]`, larger is better.
        """
