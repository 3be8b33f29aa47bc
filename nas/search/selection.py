"""Who is better: ordering by rank, then crowding; tournaments; survivors.

With one objective, rank alone decides: it is the order of the values.

Reference:
  Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm:
  NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002, section III.B
  (crowded comparison).
"""

import jax
import numpy as np

from nas.search.pareto import crowding_distance, non_dominated_sort


def places(objectives: np.ndarray, violation: np.ndarray) -> np.ndarray:
    """Place points by the crowded comparison; equals share a place.

    Args:
      objectives: float64[P, M].
      violation: float64[P].

    Returns:
      int64[P]: 0 is best.
    """
    if not len(objectives):
        return np.zeros(0, np.int64)
    ranks = non_dominated_sort(objectives, violation)
    loneliness = crowding_distance(objectives, ranks)
    order = np.lexsort((-loneliness, ranks))
    ranks, loneliness = ranks[order], loneliness[order]
    later = (ranks[1:] != ranks[:-1]) | (loneliness[1:] != loneliness[:-1])
    place = np.zeros(len(order), np.int64)
    place[order[1:]] = np.cumsum(later)
    return place


def tournament(key: jax.Array, place: np.ndarray, num: int, size: int) -> np.ndarray:
    """Pick winners of tournaments whose entrants are drawn with replacement.

    Args:
      key: a JAX random key.
      place: int64[P], as `places` gives; the least wins, the first drawn among equals.
      num: how many tournaments.
      size: how many enter each.

    Returns:
      int64[num], indices of the winners.
    """
    drawn = np.asarray(jax.random.randint(key, (num, size), 0, len(place)), np.int64)
    return drawn[np.arange(num), place[drawn].argmin(axis=1)]


def survivors(objectives: np.ndarray, violation: np.ndarray, num: int) -> np.ndarray:
    """Keep the best by the crowded comparison; of equals, those that came first.

    Args:
      objectives: float64[P, M].
      violation: float64[P].
      num: how many to keep.

    Returns:
      int64[min(P, num)], indices, best first.
    """
    return np.argsort(places(objectives, violation), kind="stable")[:num]
