"""A table small enough to know by heart."""

import dataclasses

import numpy as np

from nas.ranking import TruthTable
from nas.search import RandomSearch, Search
from nas.tabular.lookup import Lookup, bind
from search_spaces import Decision, SearchSpace

SPACE = SearchSpace("six", (Decision("a", (0, 1, 2)), Decision("b", ("x", "y"))))
GENOTYPES = SPACE.enumerate()
ERROR = np.array(
    [
        [0.5, 0.1, 0.3],  # the best reported is not the best of seed 0
        [0.4, 0.5, 0.5],
        [0.2, 0.3, 0.5],
        [0.3, 0.2, 0.2],
        [0.6, 0.6, 0.6],
        [0.1, 0.4, 0.2],
    ]
)


@dataclasses.dataclass(frozen=True)
class Counted:
    """As much of a supernet as a table needs."""

    space: SearchSpace = SPACE

    def costs(self, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        """Count something."""
        return {"macs": 10 * genotypes[:, 0] + genotypes[:, 1]}


def table(error: np.ndarray = ERROR, rows=slice(None), **columns) -> TruthTable:
    """The table, or some rows of it."""
    return TruthTable(
        SPACE,
        GENOTYPES[rows],
        np.arange(error.shape[1]),
        error[rows],
        np.full(error[rows].shape, np.nan),
        {"name": "six"},
        {name: np.asarray(v, float)[rows] for name, v in columns.items()},
    )


def searched(*objectives: str, where: tuple[str, ...] = ()) -> Search:
    """A search for objectives."""
    return Search(RandomSearch(population=2), objectives or ("error",), 6, where)


def bound(truth: TruthTable, search: Search | None = None, decide=(0,)) -> Lookup:
    """Bind a table."""
    return bind(truth, Counted(), decide, search or searched())
