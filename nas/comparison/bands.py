"""Curves of several seeds as one line with a band."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from nas.comparison.intervals import student

Curve = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Band:
    """A mean over seeds along a budget.

    Attributes:
      at: `float64[N]`, the budget, rising.
      mean: `float64[N]`.
      low: `float64[N]`, the lower bound of the mean's 95 % interval; NaN for one seed.
      high: `float64[N]`, the upper one.
      seeds: how many runs.
    """

    at: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int


def band(curves: Mapping[int, Curve]) -> Band | None:
    """Average the curves of a method over its seeds.

    Seeds log at the same steps, but seconds, and examples of a step of random length,
    differ between them. So curves are read off, on straight lines, at the points of the
    one that ends first, from where all of them have begun.

    Args:
      curves: budget `float[N]`, rising, and value `float[N]`, by seed. Values that are
        not finite are left out.

    Returns:
      The band, or None where curves share nothing.
    """
    clean = [_finite(curve) for curve in curves.values()]
    clean = [(at, value) for at, value in clean if at.size]
    if not clean:
        return None
    begin = max(at[0] for at, _ in clean)
    shortest = min(clean, key=lambda curve: curve[0][-1])[0]
    at = shortest[shortest >= begin]
    if not at.size:
        return None
    table = np.stack([np.interp(at, x, y) for x, y in clean])  # [S, N]
    found = [student(column) for column in table.T]
    return Band(
        at,
        np.array([point.mean for point in found]),
        np.array([np.nan if point.low is None else point.low for point in found]),
        np.array([np.nan if point.high is None else point.high for point in found]),
        len(clean),
    )


def _finite(curve: Curve) -> Curve:
    at, value = (np.asarray(part, np.float64) for part in curve)
    keep = np.isfinite(at) & np.isfinite(value)
    return at[keep], value[keep]
