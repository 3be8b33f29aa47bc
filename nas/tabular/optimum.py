"""How far a search is from the best that its table holds, which is known here.

Regret is the reported error of the architecture that the search would choose, less the
least reported error of any that it may choose. The least of many means of a few seeds
is lower than what any architecture is sure to reach again, and the best by the deciding
seeds need not be the best reported: a regret of zero is partly luck.
"""

import dataclasses
import functools

import numpy as np

from nas.search.base import State
from nas.search.loop import SearchLoop
from nas.search.pareto import front_indices, hypervolume
from nas.tabular.lookup import Lookup

MARGIN = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Optimum:
    """The best of a table under a search's constraints.

    Attributes:
      lookup: the table.
      loop: the search.
    """

    lookup: Lookup
    loop: SearchLoop

    @functools.cached_property
    def allowed(self) -> np.ndarray:
        """`int64[Q]`, rows of the table that the search may choose."""
        return np.flatnonzero(self.lookup.allowed(self.loop.search.where))

    @functools.cached_property
    def best(self) -> int:
        """The row of least reported error."""
        reported = self.lookup.reported()[self.allowed]
        return int(self.allowed[reported.argmin()])

    @functools.cached_property
    def best_deciding(self) -> int:
        """The row of least deciding error: what a perfect search would choose."""
        return int(self.allowed[self.lookup.measured["error"][self.allowed].argmin()])

    def histories(self, loop: SearchLoop, state: State) -> dict[str, np.ndarray]:
        """Give the regrets after each evaluation; see `nas.stages.searching`.

        Args:
          loop: the search.
          state: any state of it.

        Returns:
          `float64[A]` by name of a scalar; NaN before anything may be chosen.
        """
        archive = loop.archive(state)
        rows = self.lookup.rows(archive.genotypes[: len(archive)])
        return self.regrets(rows, loop.feasible_rows(archive))

    def regrets(self, rows: np.ndarray, feasible: np.ndarray) -> dict[str, np.ndarray]:
        """Give the regrets after each look-up.

        Args:
          rows: `int64[A]` of the table, in the order in which they were looked up.
          feasible: `bool[A]`, which of them the search may choose.

        Returns:
          `float64[A]` by name of a scalar; NaN before anything may be chosen.
        """
        deciding, reported = self.lookup.measured["error"], self.lookup.reported()
        chosen = incumbents(deciding[rows], feasible)
        regrets = {
            "search/regret": reported[rows] - reported[self.best],
            "search/regret_deciding": deciding[rows] - deciding[self.best_deciding],
        }
        return {
            name: np.where(chosen >= 0, values[chosen], np.nan)
            for name, values in regrets.items()
        }

    def share(self, points: np.ndarray) -> float:
        """Measure a front by the true one of the table, both by deciding seeds.

        Args:
          points: `float64[F, M]`, of the search's objectives.

        Returns:
          The hypervolume relative to the true front's. The reference point is the worst
          of the true front and a tenth of its range more, in each objective.
        """
        reference, scale, whole = self._box
        return hypervolume(points / scale, reference) / whole

    def shares(self, rows: np.ndarray) -> np.ndarray:
        """Measure the front after each look-up, as `share` does.

        Args:
          rows: `int64[A]` of the table, all of which the search may choose, in the
            order in which they were looked up.

        Returns:
          `float64[A]`, never falling.
        """
        reference, scale, whole = self._box
        points = self._points(rows) / scale
        found = np.zeros(len(rows))
        front, volume = points[:0], 0.0
        for place, point in enumerate(points):
            if not (front <= point).all(axis=1).any():
                front = np.vstack([front[~(point <= front).all(axis=1)], point])
                volume = max(volume, hypervolume(front, reference))
            found[place] = volume / whole
        return found

    @functools.cached_property
    def true_front(self) -> np.ndarray:
        """`int64[F]`, rows of the table that no other beats in every objective."""
        return self.allowed[front_indices(self._points(self.allowed))]

    @functools.cached_property
    def _box(self) -> tuple[np.ndarray, np.ndarray, float]:
        """The reference point, the units of the objectives, and the true volume."""
        points = self._points(self.true_front)
        low, high = points.min(0), points.max(0)
        scale = np.where(high > low, high - low, 1.0)
        reference = high / scale + MARGIN
        return reference, scale, hypervolume(points / scale, reference)

    def _points(self, rows: np.ndarray) -> np.ndarray:
        table = {**self.lookup.measured, **self.lookup.known}
        return np.stack([table[name][rows] for name in self.loop.search.objectives], 1)


def incumbents(error: np.ndarray, feasible: np.ndarray) -> np.ndarray:
    """Say which architecture would be chosen after each evaluation.

    Args:
      error: `float64[A]`, by which it is chosen, in the order of evaluation.
      feasible: `bool[A]`, which may be.

    Returns:
      `int64[A]`, the first of least error so far; -1 before there is any.
    """
    score = np.where(feasible, error, np.inf)
    before = np.concatenate([[np.inf], np.minimum.accumulate(score)[:-1]])
    better = np.where(score < before, np.arange(len(score)), -1)
    return np.maximum.accumulate(better)
