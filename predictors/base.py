"""The predictors' boundary: from encodings of architectures to numbers, on arrays.

A predictor knows no search space and no network. It gets the encodings of architectures
with values that were measured, and gives values for others.

Letters in shapes: P population, F features.
"""

import abc
from typing import Any, NamedTuple

import numpy as np


class Prediction(NamedTuple):
    """What is expected of a population.

    Attributes:
      mean: `float64[P]`.
      std: `float64[P]`, the predictor's own uncertainty; None if it has none.
    """

    mean: np.ndarray
    std: np.ndarray | None


class Fitted(abc.ABC):
    """A predictor that has seen measurements."""

    @abc.abstractmethod
    def predict(self, encodings: np.ndarray) -> Prediction:
        """Predict a population.

        Args:
          encodings: `float64[P, F]`, of the F that were fitted.

        Returns:
          What is expected of each.
        """


class Predictor(abc.ABC):
    """A way to predict: settings, without data."""

    @abc.abstractmethod
    def fit(self, encodings: np.ndarray, values: np.ndarray) -> Fitted:
        """Learn from measurements.

        Args:
          encodings: `float64[P, F]`.
          values: `float64[P]`.

        Returns:
          The fitted predictor; this one is unchanged.

        Raises:
          ValueError: the shapes do not belong together, or a number is not finite.
        """


def checked(encodings: Any, values: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Refuse arrays from which nothing can be learned.

    Args:
      encodings: numbers `[P, F]`.
      values: numbers `[P]`; None to predict, which checks the encodings alone.

    Returns:
      Both as float64; zeros where there were no values.

    Raises:
      ValueError: the shapes do not belong together, or a number is not finite.
    """
    x = np.asarray(encodings, np.float64)
    y = np.zeros(len(x)) if values is None else np.asarray(values, np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1] or not x.size:
        raise ValueError(
            f"predictor: encodings have the shape {x.shape} and values {y.shape}; "
            "[P, F] and [P] are needed, neither empty."
        )
    for name, array in (("encodings", x), ("values", y)):
        wrong = np.argwhere(~np.isfinite(array))
        if len(wrong):
            where = ", ".join(map(str, wrong[0]))
            raise ValueError(
                f"predictor: {name}[{where}] is {array[tuple(wrong[0])]}; leave out "
                "what could not be measured."
            )
    return x, y
