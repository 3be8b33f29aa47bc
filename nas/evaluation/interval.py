"""Intervals of measured fractions."""

import math


def wilson(errors: float, num: float, z: float = 1.959964) -> tuple[float, float]:
    """Give the Wilson score interval of a fraction (Wilson 1927).

    Args:
      errors: how many of them.
      num: how many were tried, at least 1; not whole if it is an effective number.
      z: the normal quantile; the default gives 95 %.

    Returns:
      The lower and the upper bound, in [0, 1].
    """
    p = errors / num
    centre = (p + z * z / (2 * num)) / (1 + z * z / num)
    half = z / (1 + z * z / num) * math.sqrt(p * (1 - p) / num + (z / (2 * num)) ** 2)
    # At no or only errors a bound is the fraction itself, but for rounding.
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def error_interval(
    error: float, variance: float, num_examples: int, num_places: int
) -> tuple[float, float]:
    """Give the interval of an error that was counted over the places of examples.

    The places of an example, such as the tokens of a window, are not independent, but
    examples count as such. Their spread says how many independent places would have
    told as much (the design effect: Kish 1965; inside a Wilson interval: Korn and
    Graubard 1998). With one place an example this is Wilson's interval itself.

    Args:
      error: mean over examples of the fraction of an example's places that are wrong.
      variance: of that fraction, over examples.
      num_examples: N, at least 1.
      num_places: of an example.

    Returns:
      The lower and the upper bound, in [0, 1], 95 %.
    """
    num, most = float(num_examples), float(num_examples * num_places)
    if variance > 0:
        num = max(num, min(num * error * (1 - error) / variance, most))
    elif 0 < error < 1:
        num = most
    return wilson(error * num, num)
