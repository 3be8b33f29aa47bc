"""Pareto dominance: sorting, crowding, fronts, hypervolume. Objectives are minimised.

A point dominates another when it is no worse in every objective and better in one;
equal points do not dominate each other.

References:
  Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm:
  NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002.
  While, Hingston, Barone, Huband, "A faster algorithm for calculating hypervolume",
  IEEE Transactions on Evolutionary Computation 10(1), 2006 (hypervolume by slicing).
"""

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
    dominates = _dominance(_checked(objectives), violation)  # [P, P]
    dominators = dominates.sum(axis=0)
    ranks = np.zeros(len(dominators), np.int64)
    level = 0
    front = np.flatnonzero(dominators == 0)
    while front.size:
        ranks[front] = level
        dominators[front] = -1  # never picked again
        dominators -= dominates[front].sum(axis=0)
        front = np.flatnonzero(dominators == 0)
        level += 1
    return ranks


def _dominance(objectives: np.ndarray, violation: np.ndarray | None) -> np.ndarray:
    """Bool[P, P]: whether the row's point dominates the column's."""
    num_points = len(objectives)
    no_worse = np.ones((num_points, num_points), bool)
    for column in objectives.T:
        no_worse &= column[:, None] <= column[None, :]
    dominates = no_worse & ~no_worse.T
    if violation is None:
        return dominates
    violation = np.asarray(violation, np.float64)
    met = violation == 0
    return np.where(
        met[:, None] & met[None, :], dominates, violation[:, None] < violation[None, :]
    )


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
        return _front_crowding(objectives)
    distance = np.zeros(len(objectives))
    for rank in np.unique(ranks):
        members = np.flatnonzero(np.asarray(ranks) == rank)
        distance[members] = _front_crowding(objectives[members])
    return distance


def _front_crowding(objectives: np.ndarray) -> np.ndarray:
    distance = np.zeros(len(objectives))
    points, first = np.unique(objectives, axis=0, return_index=True)
    alone = np.zeros(len(points))
    for column in points.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        alone[order[[0, -1]]] = np.inf
        span = ordered[-1] - ordered[0]
        if span > 0:
            alone[order[1:-1]] += (ordered[2:] - ordered[:-2]) / span
    distance[first] = alone
    return distance


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
