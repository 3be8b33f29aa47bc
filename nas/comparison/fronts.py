"""Fronts of several searches in one box, so that their volumes are of the same thing.

A search measures its own hypervolume from the first architectures that it met, so those
of two searches have different corners. Here the box holds the fronts of all of them.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nas.search.pareto import front_indices, hypervolume

# How far beyond the worst point the corner is, of the range of all points: the ends of
# a front count, too.
MARGIN = 0.1


def common_hypervolumes(
    fronts: Sequence[Sequence[Mapping[str, float]]], objectives: Sequence[str]
) -> list[float]:
    """Measure each front as a fraction of the box that holds all.

    Args:
      fronts: of each search, the objectives of its members by name; minimised.
      objectives: which of them count.

    Returns:
      The share of the box that a front dominates, in [0, 1]. It depends on which fronts
      are compared.
    """
    points = [
        np.array([[member[name] for name in objectives] for member in front], float)
        for front in fronts
    ]
    everything = np.concatenate(points)
    low, scale, corner = _box(everything)
    whole = float(np.prod(corner))
    return [hypervolume((part - low) / scale, corner) / whole for part in points]


def common_growths(searches: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Measure the front after each evaluation, as a share of the box that holds all.

    The box is that of the last fronts of all searches: what was evaluated early, and is
    far behind, would make it so large that nothing could be told apart.

    Args:
      searches: of each, `float64[A, M]`: what was evaluated, in order; minimised. What
        may not be chosen has entries that are not finite.

    Returns:
      `float64[A]` of each, never falling.
    """
    finite = [points[np.isfinite(points).all(axis=1)] for points in searches]
    fronts = [points[front_indices(points)] for points in finite]
    low, scale, corner = _box(np.concatenate(fronts))
    whole = float(np.prod(corner))
    found = []
    for points in searches:
        front, volume = points[:0], 0.0
        growth = np.zeros(len(points))
        for place, point in enumerate((points - low) / scale):
            known = np.isfinite(point).all()
            if known and not (front <= point).all(axis=1).any():
                front = np.vstack([front[~(point <= front).all(axis=1)], point])
                volume = max(volume, hypervolume(front, corner) / whole)
            growth[place] = volume
        found.append(growth)
    return found


def _box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the best of each objective, its range, and the corner in units of it."""
    low, high = points.min(0), points.max(0)
    scale = np.where(high > low, high - low, 1.0)
    return low, scale, np.full(points.shape[1], 1 + MARGIN)
