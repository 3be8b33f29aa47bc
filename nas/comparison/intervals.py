"""Intervals of a mean over a few seeds, by Student's t."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
METHOD = (
    "Student's t over seeds, 95 %; that of a difference over the differences of the "
    "same seed"
)


class Interval(NamedTuple):
    """A mean and how far off it may be.

    Attributes:
      mean: of the values.
      low: the lower bound, None if there is a single value.
      high: the upper bound, None if there is a single value.
      n: how many values.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


def student(values: Sequence[float] | np.ndarray) -> Interval:
    """Give the mean of independent values with its 95 % interval.

    Student (1908): exact where values are normal, and with five of them wider by 1.4
    than the normal quantile would say. Values that are all equal have an interval of no
    width, which says more about the measure than about certainty.

    Args:
      values: finite, at least one.

    Returns:
      The mean and its bounds; no bounds for a single value.

    Raises:
      ValueError: there are no values, or one is not finite.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"{values!r}: a list of finite numbers is needed.")
    mean, num = float(array.mean()), array.size
    if num < 2:
        return Interval(mean, None, None, num)
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, num - 1))
    half = quantile * float(array.std(ddof=1)) / num**0.5
    return Interval(mean, mean - half, mean + half, num)
