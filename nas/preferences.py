"""Preferences between objectives, spread evenly: each finds another part of a front.

A preference is a point on the simplex over the objectives: how much each matters. What
is made of it says who prefers: gradient methods minimise the weighted sum, and so find
the convex part of a front; policy gradients rank, and also find what is concave.

Letters in shapes: P preferences, M objectives.
"""

import itertools

import numpy as np


def spread(num: int, num_objectives: int) -> np.ndarray:
    """Choose preferences that are far from each other.

    Args:
      num: P.
      num_objectives: M.

    Returns:
      `float32[P, M]`, rows on the simplex. The first wants the first objective alone;
      with two objectives they go in equal steps to the other one alone; with more, each
      is the one of a fine grid that is farthest from those before it. With one
      objective all are alike.
    """
    if num_objectives == 1 or num == 1:
        return np.eye(num_objectives, dtype=np.float32)[np.zeros(num, int)]
    if num_objectives == 2:
        second = np.linspace(0, 1, num)
        return np.stack([1 - second, second], axis=1).astype(np.float32)
    grid = _grid(num_objectives, num)
    chosen = [0]
    distance = np.full(len(grid), np.inf)
    for _ in range(num - 1):
        latest = np.linalg.norm(grid - grid[chosen[-1]][None], axis=1)
        distance = np.minimum(distance, latest)
        chosen.append(int(distance.argmax()))
    return grid[chosen].astype(np.float32)


def _grid(num_objectives: int, num: int) -> np.ndarray:
    """List the points of the simplex in steps of which there are enough; [1, 0, ..]."""
    steps, rows = 1, np.eye(num_objectives)
    while len(rows) < num:
        steps += 1
        # Bars between stars: where the bars stand says how many stars each part has.
        bars = itertools.combinations(
            range(steps + num_objectives - 1), num_objectives - 1
        )
        edges = np.asarray([(-1, *b, steps + num_objectives - 1) for b in bars])
        rows = (np.diff(edges, axis=1) - 1)[::-1] / steps
    return rows
