"""Small problems whose answers are known, on real search spaces."""

import dataclasses

import numpy as np
import pytest

from nas.search import Archive, SearchLoop, front_indices
from search_spaces import Decision, SearchSpace

COLUMNS = ("nll", "macs")


@dataclasses.dataclass(frozen=True, eq=False)
class Landscape:
    """A table of values for every architecture of a space, and a count of look-ups."""

    space: SearchSpace
    nll: np.ndarray  # float64[D, O]
    macs: np.ndarray  # int64[D, O]
    calls: list[np.ndarray] = dataclasses.field(default_factory=list)

    def costs(self, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        alive = self.space.alive(genotypes)
        each = self.macs[np.arange(genotypes.shape[1]), genotypes]
        return {"macs": (each * alive).sum(axis=1)}

    def evaluate(self, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        self.calls.append(genotypes)
        alive = self.space.alive(genotypes)
        each = self.nll[np.arange(genotypes.shape[1]), genotypes]
        # The product term keeps decisions from being independent.
        twist = np.sin(genotypes[:, :-1] * genotypes[:, 1:]).sum(axis=1)
        nll = (each * alive).sum(axis=1) + 0.3 * twist
        return {"nll": nll, **self.costs(genotypes)}

    def points(self, genotypes: np.ndarray) -> np.ndarray:
        table = self.evaluate(genotypes)
        self.calls.pop()
        return np.stack([table[name] for name in COLUMNS], axis=1).astype(np.float64)

    def front(self) -> set[bytes]:
        every = self.space.enumerate()
        return {row.tobytes() for row in every[front_indices(self.points(every))]}

    def loop(self, search) -> SearchLoop:
        return SearchLoop(search, self.space, COLUMNS, self.evaluate, self.costs)

    def archive(self, genotypes: np.ndarray, capacity: int = 50) -> Archive:
        archive = Archive.empty(self.space, COLUMNS, capacity)
        table = dict(zip(COLUMNS, self.points(genotypes).T, strict=True))
        return archive.add(genotypes, table, 0)


def make(space: SearchSpace, seed: int = 0) -> Landscape:
    generator = np.random.default_rng(seed)
    shape = (space.num_decisions, space.max_options)
    macs = np.sort(generator.integers(1, 100, shape), axis=1)
    return Landscape(space, -np.sqrt(macs) + generator.normal(size=shape), macs)


@pytest.fixture
def cells() -> Landscape:
    """10 decisions of 5 options: 9.8 million architectures."""
    options = ("none", "skip", "conv1", "conv3", "pool")
    return make(
        SearchSpace("cells", tuple(Decision(f"edge_{i}", options) for i in range(10)))
    )


@pytest.fixture
def elastic() -> Landscape:
    """Depth 1 to 3, a width of 3 and a kernel of 2 options a block: 258 of 648."""
    blocks = [Decision("depth", (1, 2, 3))]
    for i in range(3):
        depths = tuple(d for d in (1, 2, 3) if d > i)
        blocks.append(Decision(f"width_{i}", (8, 16, 24), ("depth", depths)))
        blocks.append(Decision(f"kernel_{i}", (3, 5), ("depth", depths)))
    return make(SearchSpace("elastic", tuple(blocks)))
