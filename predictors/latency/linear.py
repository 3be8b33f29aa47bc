"""Latency as a sum: so much for each part of a network, and something for each run.

Lookup tables of latencies add up blocks in the same way (Cai, Zhu and Han,
"ProxylessNAS", 2019, arXiv 1812.00332; Cai et al., "Once-for-All", 2020, arXiv
1908.09791). Here the table need not be measured block by block: it is fitted to whole
networks, with costs such as multiply-accumulates as further features for what does not
add up, such as two widths that are multiplied.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from predictors.base import Prediction, Predictor, checked
from predictors.latency.base import FittedLatency

# A feature whose spread is less than this part of its size does not vary.
_ROUNDING = 1e-9
# How much larger costs stand beside the penalty than other features.
_EMPHASIS = 100.0


@dataclasses.dataclass(frozen=True)
class LinearLatency(Predictor):
    """Least squares of relative errors, with a penalty that the data choose.

    An error of a tenth counts the same in a fast network as in a slow one, down to a
    part of the median: the few networks of some spaces in which nothing is connected,
    and that take next to no time, would otherwise outweigh all others. The penalty is
    the one with the least error of leaving one out, which a linear model gives in
    closed form (Golub, Heath and Wahba, Technometrics 1979).
    """

    costs: int = 0
    """How many of the last features are costs, such as multiply-accumulates, which are
    hardly penalised: with few measurements, the model comes close to costs alone."""

    penalties: tuple[float, ...] = tuple(10.0 ** np.arange(-8, 6))
    """Penalties to choose from, on the squared weights of standardised features."""

    floor: float = 0.5
    """The part of the median; errors of what is faster count as of this."""

    def __post_init__(self) -> None:
        """Check the range."""
        if not self.penalties or min(self.penalties) <= 0:
            raise ValueError(
                f"latency: penalties are {self.penalties}; at least one is needed, all "
                "above 0."
            )
        if self.costs < 0:
            raise ValueError(f"latency: costs is {self.costs}; it must be 0 or more.")
        if not 0 <= self.floor <= 1:
            raise ValueError(f"latency: floor is {self.floor}; it must be from 0 to 1.")

    def fit(self, encodings: np.ndarray, values: np.ndarray) -> "FittedLinearLatency":
        """Fit; see `Predictor.fit`. A feature that never varies gets no weight.

        Args:
          encodings: `float64[P, F]`.
          values: `float64[P]`, milliseconds.

        Raises:
          ValueError: the shapes do not belong together, a number is not finite, or a
            latency is not above 0.
        """
        x, ms = checked(encodings, values)
        if ms.min() <= 0:
            raise ValueError(
                f"latency: values[{ms.argmin()}] is {ms.min()} ms; a network takes "
                "more than 0."
            )
        size = np.maximum(ms, self.floor * np.median(ms))
        importance = (1 / size**2) / np.mean(1 / size**2)
        centre = np.average(x, axis=0, weights=importance)
        middle = float(np.average(ms, weights=importance))
        scale = np.sqrt(np.average((x - centre) ** 2, axis=0, weights=importance))
        varies = scale > _ROUNDING * np.abs(x).max(0)
        scale = np.where(varies, scale, 1.0)
        scale[len(scale) - self.costs :] /= _EMPHASIS
        root = np.sqrt(importance)
        standard = root[:, None] * np.where(varies, (x - centre) / scale, 0.0)
        target = root * (ms - middle)
        u, s, vt = np.linalg.svd(standard, full_matrices=False)
        penalty = min(self.penalties, key=lambda p: _left_out(p, u, s, root, target))
        weights = (vt.T @ (s / (s**2 + penalty) * (u.T @ target))) / scale
        return FittedLinearLatency(
            weights, middle - float(centre @ weights), float(penalty)
        )


def _left_out(
    penalty: float, u: np.ndarray, s: np.ndarray, root: np.ndarray, target: np.ndarray
) -> float:
    """Give the mean squared relative error of each point, fitted without it.

    Args:
      penalty: on the squared weights.
      u: `float64[P, R]`, left singular vectors of the weighted features.
      s: `float64[R]`, their singular values.
      root: `float64[P]`, roots of the points' weights, whose mean is 1.
      target: `float64[P]`, weighted, without the mean.
    """
    kept = s**2 / (s**2 + penalty)
    residual = target - u @ (kept * (u.T @ target))
    # The mean is fitted as well, and takes its share of each point.
    leverage = u**2 @ kept + root**2 / len(root)
    return float(np.mean((residual / np.maximum(1 - leverage, 1e-12)) ** 2))


@dataclasses.dataclass(frozen=True, eq=False)
class FittedLinearLatency(FittedLatency):
    """Milliseconds that are linear in the features.

    Attributes:
      weights: `float64[F]`, ms for one unit of each feature.
      offset: ms that every network takes.
      penalty: the one chosen.
    """

    weights: np.ndarray
    offset: float
    penalty: float

    def predict(self, encodings: np.ndarray) -> Prediction:
        """Predict; see `Fitted.predict`. It gives no uncertainty."""
        x, _ = checked(encodings)
        return Prediction(x @ self.weights + self.offset, None)

    def expected(self, encoding: jax.Array) -> jax.Array:
        """Predict a mixture; exact, as the mean of sums is the sum of means."""
        weights = jnp.asarray(self.weights, jnp.float32)
        return encoding @ weights + jnp.float32(self.offset)
