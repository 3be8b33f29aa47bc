"""How much of a search's budget was used up when an architecture was evaluated.

An evaluation costs one. What a controller looks at besides, as gradient methods do, is
charged in the same unit, and logged as a total so far after each ask.
"""

import numpy as np

from nas.comparison.bands import Curve

CHARGED = "search/charged"


def spent(searches: np.ndarray, charged: Curve | None) -> np.ndarray:
    """Give the budget that was used up by each evaluation, of all searches together.

    Args:
      searches: `int[A]`, the number of the search that evaluated each, rising.
      charged: evaluations of a search so far, and what its asks were charged by then;
        one search behind another. The log of a search that went on from an archive
        lacks the earlier ones: those are taken to be charged nothing.

    Returns:
      `float64[A]`, rising.
    """
    total = np.arange(1, len(searches) + 1, dtype=np.float64)
    parts = [] if charged is None else _parts(charged)
    numbers = np.unique(searches)
    for number, (steps, costs) in zip(numbers[::-1], parts[::-1], strict=False):
        rows = np.flatnonzero(searches == number)
        # The first ask after which so many were evaluated had been paid by then.
        place = np.searchsorted(steps, np.arange(1, len(rows) + 1))
        total[rows] += costs[np.minimum(place, len(costs) - 1)]
        total[searches > number] += costs[-1]
    return total


def _parts(charged: Curve) -> list[Curve]:
    """Part a log where another search begins.

    Within a search evaluations never fall, and an ask that evaluates nothing new costs
    more than none.
    """
    steps, costs = (np.asarray(part, np.float64) for part in charged)
    again = (np.diff(steps) == 0) & (np.diff(costs) <= 0)
    begins = np.flatnonzero((np.diff(steps) < 0) | again) + 1
    return list(zip(np.split(steps, begins), np.split(costs, begins), strict=True))
