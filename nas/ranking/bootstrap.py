"""Intervals of rank correlations, over the architectures that happened to be drawn.

Architectures are drawn again with replacement, and the interval is that of the
percentiles (Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979). A
resample is a count of each architecture, c. With S and T the signs of all differences
of truth and estimate, concordant less discordant pairs are half of c' (S * T) c, so a
thousand resamples are one product of matrices, and every number of a report has the
same resamples.

A copy of an architecture is tied with itself on both sides, which tau-b leaves out.
The interval does not hold the noise of training: that is the ceiling's.

Letters in shapes: P architectures, R resamples, E estimates.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from nas.errors import UserError
from nas.ranking.correlation import checked

LEVEL = 0.95
RESAMPLES = 1000
# Above this, P^2 signs are more memory than a thousand sorts are time.
MATRIX = 3000


def draw_counts(
    rng: np.random.Generator,
    n: int,
    resamples: int = RESAMPLES,
    classes: Any = None,
) -> np.ndarray:
    """Draw how often each architecture is in each resample.

    Args:
      rng: the source of randomness.
      n: P.
      resamples: R.
      classes: `int[P]`, or None: architectures of one class compute the same function
        and are drawn together, for they are no independent evidence.

    Returns:
      `float64[R, P]`, counts.

    Raises:
      UserError: no resample, or classes of another length.
    """
    if resamples < 1:
        raise UserError(f"ranking: resamples is {resamples}, it must be at least 1.")
    groups = np.arange(n) if classes is None else np.asarray(classes)
    if groups.shape != (n,):
        raise UserError(
            f"ranking: classes has the shape {groups.shape}; one class for each of the "
            f"{n} architectures is needed."
        )
    member = np.unique(groups, return_inverse=True)[1]
    size = int(member.max()) + 1
    drawn = rng.multinomial(size, np.full(size, 1 / size), resamples)
    return drawn[:, member].astype(np.float64)


def taus(counts: np.ndarray, truth: Any, estimate: Any) -> np.ndarray:
    """Give tau-b in each resample.

    Args:
      counts: `float64[R, P]` from `draw_counts`.
      truth: `float[P]`.
      estimate: `float[P]`.

    Returns:
      `float64[R]`; NaN where a resample tells no pair apart.
    """
    truth = checked(truth, "truth", counts.shape[1])
    estimate = checked(estimate, "estimate", counts.shape[1])
    if len(truth) > MATRIX:
        return np.asarray([_tau_of_counts(c, truth, estimate) for c in counts])
    s, t = _signs(truth), _signs(estimate)
    agree, of_truth, of_estimate = (
        np.einsum("rp,rp->r", counts @ pairs, counts)
        for pairs in (s * t, np.abs(s), np.abs(t))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return agree / np.sqrt(of_truth * of_estimate)


def each(function: Callable[..., float | None], *drawn: np.ndarray) -> np.ndarray:
    """Apply a function of correlations to each resample.

    Args:
      function: such as `correlation.partial_tau`.
      drawn: `float64[R]` each, from `taus` with the same counts; NaN where there is
        none.

    Returns:
      `float64[R]`; NaN where the function, or what it needs, does not exist.
    """
    rows = zip(*(values.tolist() for values in drawn), strict=True)
    found = [function(*row) if np.isfinite(row).all() else None for row in rows]
    return np.asarray([np.nan if value is None else value for value in found])


def interval(
    values: np.ndarray, level: float = LEVEL
) -> tuple[float | None, float | None]:
    """Give the percentiles that hold the middle of the resamples.

    Args:
      values: `float64[R]`; NaN are left out.
      level: the fraction that lies between.

    Returns:
      (low, high); (None, None) if fewer than half of the resamples have a number.
    """
    finite = values[np.isfinite(values)]
    if 2 * len(finite) < len(values):
        return None, None
    tail = (1 - level) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)


def _signs(values: np.ndarray) -> np.ndarray:
    return np.sign(values[:, None] - values[None, :])


def _tau_of_counts(
    counts: np.ndarray, truth: np.ndarray, estimate: np.ndarray
) -> float:
    rows = np.repeat(np.arange(len(counts)), counts.astype(int))
    found: Any = stats.kendalltau(truth[rows], estimate[rows])
    return float(found.statistic)
