"""The boundary of latency models: milliseconds from encodings, also of soft choices.

Letters in shapes: F features.
"""

import abc

import jax

from predictors.base import Fitted


class FittedLatency(Fitted):
    """A latency model that can be differentiated.

    Its predictions are milliseconds.
    """

    @abc.abstractmethod
    def expected(self, encoding: jax.Array) -> jax.Array:
        """Predict what a mixture of architectures takes on average.

        Args:
          encoding: `float32[F]`, the mean of the features over architectures; traced.

        Returns:
          `float32[]`, milliseconds; differentiable.
        """
