"""Intervals of measured fractions."""

import math


def wilson(errors: int, num: int, z: float = 1.959964) -> tuple[float, float]:
    """Give the Wilson score interval of a fraction (Wilson 1927).

    Args:
      errors: how many of them.
      num: how many were tried, at least 1.
      z: the normal quantile; the default gives 95 %.

    Returns:
      The lower and the upper bound, in [0, 1].
    """
    p = errors / num
    centre = (p + z * z / (2 * num)) / (1 + z * z / num)
    half = z / (1 + z * z / num) * math.sqrt(p * (1 - p) / num + (z / (2 * num)) ** 2)
    # At no or only errors a bound is the fraction itself, but for rounding.
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))
