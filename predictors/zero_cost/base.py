"""The boundary of zero-cost proxies: a score of a network that was never trained.

A proxy sees a function from parameters and inputs to outputs. Which architecture the
function computes is the caller's matter; where it is data of one program, as in a
supernet, a whole population costs one compilation.

Letters in shapes: B batch, C classes, P population, Q scores.
"""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import numpy as np

Apply = Callable[[Any, jax.Array], jax.Array]
"""`(params, x: [B, ...]) -> float[B, .., C]`."""


class Proxy(abc.ABC):
    """A score without training; larger is better. Concrete ones are frozen dataclasses.

    Attributes:
      NAME: what users call it; unique among proxies.
      normalises: whether the function should normalise by the batch, as it would in
        training. If not, its normalisation must be the identity: statistics of mean 0
        and variance 1.
      double: whether to compute in float64, because products over layers leave float32.
    """

    NAME: ClassVar[str]
    normalises: ClassVar[bool] = True
    double: ClassVar[bool] = False

    @abc.abstractmethod
    def score(
        self, apply: Apply, params: Any, x: jax.Array, labels: jax.Array | None = None
    ) -> jax.Array:
        """Score one network; traceable.

        Args:
          apply: the network.
          params: its random weights, one array for each tensor of each layer.
          x: `float[B, ...]`, a batch of inputs. A proxy may use its shape alone.
          labels: `int[B, ..]`, the classes of the inputs, as the outputs have them but
            for the last axis; None where they are not known.

        Returns:
          `float[]`, larger is better; or `float[Q]`, of which `assemble` makes one.

        Raises:
          ValueError: the proxy needs labels and there are none, or the network lacks
            what it looks at.
        """

    def assemble(self, scores: np.ndarray, macs: np.ndarray) -> np.ndarray:
        """Make one score of what `score` gave for each of a population.

        Args:
          scores: `float64[P]` or `float64[P, Q]`.
          macs: `[P]`, multiply-accumulates of one example, for those that count them.

        Returns:
          `float64[P]`, larger is better; comparable within the population alone.
        """
        del macs
        return scores


def needed(labels: jax.Array | None, name: str) -> jax.Array:
    """Refuse to score by a loss without labels."""
    if labels is None:
        raise ValueError(
            f"{name}: there are no labels, and it is the gradient of a loss; give the "
            "labels of the batch."
        )
    return labels
