"""A population as a state: at most N genotypes with what is known of each.

Arrays keep their shapes while the number of members grows, so that a checkpoint of any
moment fits any other.
"""

import dataclasses

import numpy as np

from nas.search.base import State


@dataclasses.dataclass(frozen=True, eq=False)
class Members:
    """Genotypes and how they did.

    Attributes:
      genotypes: int32[N, D].
      objectives: float64[N, M].
      violation: float64[N].
    """

    genotypes: np.ndarray
    objectives: np.ndarray
    violation: np.ndarray

    def __len__(self) -> int:
        """N."""
        return len(self.genotypes)

    def take(self, rows: np.ndarray) -> "Members":
        """Keep some rows, in the order given."""
        return Members(
            self.genotypes[rows], self.objectives[rows], self.violation[rows]
        )

    def join(self, others: "Members") -> "Members":
        """Put others behind these."""
        return Members(
            np.concatenate([self.genotypes, others.genotypes]),
            np.concatenate([self.objectives, others.objectives]),
            np.concatenate([self.violation, others.violation]),
        )


def different(genotypes: np.ndarray) -> np.ndarray:
    """Find the first of each genotype.

    Args:
      genotypes: int32[N, D].

    Returns:
      int64[F], rows, ascending.
    """
    first: dict[bytes, int] = {}
    for row, genotype in enumerate(genotypes):
        first.setdefault(genotype.tobytes(), row)
    return np.fromiter(first.values(), np.int64, len(first))


def empty(capacity: int, num_decisions: int, num_objectives: int) -> State:
    """Make the state of a population without members.

    Args:
      capacity: N.
      num_decisions: D.
      num_objectives: M.

    Returns:
      Arrays `genotypes` int32[N, D], `objectives` float64[N, M], `violation`
      float64[N] and `count` int32[].
    """
    return {
        "genotypes": np.zeros((capacity, num_decisions), np.int32),
        "objectives": np.zeros((capacity, num_objectives), np.float64),
        "violation": np.zeros(capacity, np.float64),
        "count": np.array(0, np.int32),
    }


def load(state: State) -> Members:
    """Read the members that a state holds."""
    count = int(state["count"])
    return Members(
        np.asarray(state["genotypes"])[:count],
        np.asarray(state["objectives"])[:count],
        np.asarray(state["violation"])[:count],
    )


def store(state: State, members: Members) -> State:
    """Write members, at most N of them, into a copy of a state; the rest is zero."""
    count = len(members)
    stored = {"count": np.array(count, np.int32)}
    for field in dataclasses.fields(members):
        array = np.zeros_like(state[field.name])
        array[:count] = getattr(members, field.name)
        stored[field.name] = array
    return state | stored
