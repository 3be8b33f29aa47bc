"""The predictors' boundary: from encodings of architectures to numbers, on arrays.

A predictor knows no search space and no network. It gets the encodings of architectures
with values that were measured, and gives values for others.

Letters in shapes: P population, F features.
"""

import abc
from typing import Any, ClassVar, NamedTuple

import numpy as np


class Prediction(NamedTuple):
    """What is expected of a population.

    Attributes:
      mean: `float64[P]`.
      std: `float64[P]`, how far the mean may be off for what was not measured, by the
        predictor's own account; a single measurement's noise is not in it. None if it
        says nothing.
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
    """A way to predict: settings, without data. Concrete ones are frozen dataclasses.

    Attributes:
      NAME: what users call it; unique among those that `discover` finds.
      LEAST: with fewer measurements than this nothing can be fitted.
    """

    NAME: ClassVar[str]
    LEAST: ClassVar[int] = 1

    @abc.abstractmethod
    def fit(self, encodings: np.ndarray, values: np.ndarray) -> Fitted:
        """Learn from measurements.

        Args:
          encodings: `float64[P, F]`.
          values: `float64[P]`.

        Returns:
          The fitted predictor; this one is unchanged.

        Raises:
          ValueError: the shapes do not belong together, a number is not finite, or
            there are fewer than LEAST.
        """


def checked(
    encodings: Any, values: Any = None, least: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Refuse arrays from which nothing can be learned.

    Args:
      encodings: numbers `[P, F]`.
      values: numbers `[P]`; None to predict, which checks the encodings alone.
      least: how many there must be.

    Returns:
      Both as float64; zeros where there were no values.

    Raises:
      ValueError: the shapes do not belong together, a number is not finite, or there
        are too few.
    """
    x = np.asarray(encodings, np.float64)
    y = np.zeros(len(x)) if values is None else np.asarray(values, np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1] or not x.size:
        raise ValueError(
            f"predictor: encodings have the shape {x.shape} and values {y.shape}; "
            "[P, F] and [P] are needed, neither empty."
        )
    if len(x) < least:
        raise ValueError(
            f"predictor: {len(x)} architectures were measured, and at least {least} "
            "are needed to fit it; measure more."
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
