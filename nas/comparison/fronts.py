"""Fronts of several searches in one box, so that their volumes are of the same thing.

A search measures its own hypervolume from the first architectures that it met, so those
of two searches have different corners. Here the box holds the fronts of all of them.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nas.search.pareto import hypervolume

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
    low, high = everything.min(0), everything.max(0)
    scale = np.where(high > low, high - low, 1.0)
    corner = np.full(len(objectives), 1 + MARGIN)
    whole = float(np.prod(corner))
    return [hypervolume((part - low) / scale, corner) / whole for part in points]
