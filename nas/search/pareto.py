"""Pareto dominance: sorting, crowding, fronts, hypervolume. Objectives are minimised.

A point dominates another when it is no worse in every objective and better in one;
equal points do not dominate each other.

References:
  Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm:
  NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002.
  Jensen, "Reducing the run-time complexity of multiobjective EAs: the NSGA-II and other
  algorithms", IEEE Transactions on Evolutionary Computation 7(5), 2003 (sorting two
  objectives in P log P).
  While, Hingston, Barone, Huband, "A faster algorithm for calculating hypervolume",
  IEEE Transactions on Evolutionary Computation 10(1), 2006 (hypervolume by slicing).
"""

import bisect

import numpy as np


def non_dominated_sort(
    objectives: np.ndarray, violation: np.ndarray | None = None
) -> np.ndarray:
    """Rank points by the front they belong to once the fronts before are taken away.

    With violations, Deb's constraint-domination: a point that meets the constraints
    dominates one that does not, and of two that do not, the lesser violation does.

    Args:
      objectives: float64[P, M].
      violation: float64[P], zero where every constraint is met; none means all zero.

    Returns:
      int64[P]; 0 is the Pareto front.

    Raises:
      ValueError: objectives that are not a matrix, or hold NaN.

    Reference:
      Deb et al. 2002, sections III.A and VI.A.
    """
    objectives = _checked(objectives)
    if violation is None:
        return _ranks(objectives)
    violation = np.asarray(violation, np.float64)
    met = violation == 0
    ranks = np.zeros(len(objectives), np.int64)
    ranks[met] = _ranks(objectives[met])
    # What misses a constraint comes behind, in the order of how far.
    _, behind = np.unique(violation[~met], return_inverse=True)
    ranks[~met] = ranks[met].max(initial=-1) + 1 + behind
    return ranks


def _ranks(objectives: np.ndarray) -> np.ndarray:
    """Rank points [P, M] that meet every constraint: int64[P]."""
    order, copies = _ordered(objectives.T[::-1])
    points = objectives[order[~copies]]
    sort = _staircases if points.shape[1] <= 2 else _peeled
    ranks = np.zeros(len(order), np.int64)
    ranks[order] = sort(points)[np.cumsum(~copies) - 1]
    return ranks


def _ordered(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order columns of keys [K, P], the last key first; of equals, the first is first.

    Returns:
      int64[P], the order; bool[P], in it, what equals the one before it.
    """
    order = np.lexsort(keys)
    copies = np.zeros(len(order), bool)
    copies[1:] = (keys[:, order[1:]] == keys[:, order[:-1]]).all(axis=0)
    return order, copies


def _staircases(points: np.ndarray) -> np.ndarray:
    """Rank different points [P, 1] or [P, 2], in lexicographic order: int64[P].

    Nothing that comes later dominates, so a front dominates a point if its lowest
    point so far in the last objective is no higher; these heights ascend with the rank.
    """
    ranks, lowest = [], []
    for height in points[:, -1].tolist():
        rank = bisect.bisect_right(lowest, height)
        lowest[rank : rank + 1] = [height]
        ranks.append(rank)
    return np.asarray(ranks, np.int64)


def _peeled(points: np.ndarray) -> np.ndarray:
    """Rank different points [P, M] by who dominates whom: int64[P]."""
    dominates = np.ones((len(points), len(points)), bool)  # the row's the column's
    for column in points.T:
        dominates &= column[:, None] <= column[None, :]
    np.fill_diagonal(dominates, False)
    dominators = dominates.sum(axis=0)
    ranks = np.zeros(len(points), np.int64)
    level = 0
    front = np.flatnonzero(dominators == 0)
    while front.size:
        ranks[front] = level
        dominators[front] = -1  # never picked again
        dominators -= dominates[front].sum(axis=0)
        front = np.flatnonzero(dominators == 0)
        level += 1
    return ranks


def crowding_distance(
    objectives: np.ndarray, ranks: np.ndarray | None = None
) -> np.ndarray:
    """Measure how alone each point stands within its front: more is lonelier.

    The ends of a front are infinitely alone. Of equal points the first alone counts and
    the others have distance 0, so that copies are the first to go.

    Args:
      objectives: float64[P, M].
      ranks: int[P], the front of each point; none means that all are one front.

    Returns:
      float64[P].

    Raises:
      ValueError: objectives that are not a matrix, or hold NaN.

    Reference:
      Deb et al. 2002, section III.B.
    """
    objectives = _checked(objectives)
    if ranks is None:
        ranks = np.zeros(len(objectives), np.int64)
    order, copies = _ordered(np.stack([*objectives.T[::-1], ranks]))
    first = order[~copies]
    distance = np.zeros(len(objectives))
    distance[first] = _loneliness(objectives[first], np.asarray(ranks)[first])
    return distance


def _loneliness(points: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Measure different points [P, M] in ascending order of their fronts: float64[P].

    Fronts keep their places in the order of every objective, so that all are measured
    at once.
    """
    changes = np.flatnonzero(ranks[1:] != ranks[:-1])
    begin, end = np.append(0, changes + 1), np.append(changes, len(points) - 1)
    alone = np.zeros(len(points))
    for column in points.T if len(points) else ():
        order = np.lexsort((column, ranks))
        ordered = column[order]
        span = np.repeat(ordered[end] - ordered[begin], end - begin + 1)[1:-1]
        share = np.zeros_like(span)
        np.divide(ordered[2:] - ordered[:-2], span, out=share, where=span > 0)
        alone[order[1:-1]] += share
        alone[order[begin]] = alone[order[end]] = np.inf
    return alone


def front_indices(objectives: np.ndarray) -> np.ndarray:
    """Find the points that no other dominates; equal points are all kept.

    Args:
      objectives: float64[P, M].

    Returns:
      int64[F], ascending.

    Raises:
      ValueError: objectives that are not a matrix, or hold NaN.
    """
    objectives = _checked(objectives)
    # A dominator comes earlier in lexicographic order, so the first one left is in.
    left = np.lexsort(objectives.T[::-1])
    front = []
    while left.size:
        pivot = objectives[left[0]]
        same = (objectives[left] == pivot).all(axis=1)
        front.append(left[same])
        left = left[(objectives[left] < pivot).any(axis=1)]
    return np.sort(np.concatenate(front)) if front else np.zeros(0, np.int64)


def hypervolume(points: np.ndarray, reference: np.ndarray) -> float:
    """Measure the volume that the points dominate, up to a reference point. Exact.

    Points that are not better than the reference in every objective add nothing.

    Args:
      points: float64[P, M], any M of at least 1; duplicates and dominated points may be
        among them.
      reference: float64[M].

    Returns:
      The volume, in the product of the objectives' units.

    Raises:
      ValueError: points that are not a matrix or hold NaN, or a reference of another
        length than theirs.

    Reference:
      While et al. 2006.
    """
    points = _checked(points)
    reference = np.asarray(reference, np.float64)
    if reference.shape != points.shape[1:]:
        raise ValueError(
            f"the reference point has shape {reference.shape}, the points have "
            f"{points.shape[1]} objectives: give one number for each objective"
        )
    inside = points[(points < reference).all(axis=1)]
    return _volume(inside, reference) if len(inside) else 0.0


def _volume(points: np.ndarray, reference: np.ndarray) -> float:
    """Volume of at least one point, all inside the reference."""
    if points.shape[1] == 1:
        return float(reference[0] - points.min())
    if points.shape[1] == 2:
        return _area(points, reference)
    points = points[front_indices(points)]
    points = points[np.argsort(points[:, -1], kind="stable")]
    thickness = np.diff(np.append(points[:, -1], reference[-1]))
    # Slabs along the last objective; the shadow is all that reaches into the slab.
    shadow = points[:0, :-1]
    total = volume = 0.0
    for point, thick in zip(points[:, :-1], thickness, strict=True):
        if not (shadow <= point).all(axis=1).any():
            shadow = shadow[~(point <= shadow).all(axis=1)]
            shadow = np.vstack([shadow, point])
            volume = _volume(shadow, reference[:-1])
        total += volume * float(thick)
    return total


def _area(points: np.ndarray, reference: np.ndarray) -> float:
    """Area under the staircase of points [P, 2]; copies have steps of width 0."""
    ordered = points[np.argsort(points[:, 0], kind="stable")]
    widths = np.diff(np.append(ordered[:, 0], reference[0]))
    heights = reference[1] - np.minimum.accumulate(ordered[:, 1])
    return float(widths @ heights)


def _checked(objectives: np.ndarray) -> np.ndarray:
    objectives = np.asarray(objectives, np.float64)
    if objectives.ndim != 2 or objectives.shape[1] < 1:
        raise ValueError(
            f"objectives have shape {objectives.shape}: expected [points, objectives], "
            "with at least one objective"
        )
    if np.isnan(objectives).any():
        rows = np.flatnonzero(np.isnan(objectives).any(axis=1)).tolist()
        raise ValueError(
            f"objectives hold NaN in rows {rows[:5]}: dominance is not defined there, "
            "leave these points out"
        )
    return objectives
