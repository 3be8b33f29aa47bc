"""Small problems whose answers are known, on real search spaces."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from nas.search import Archive, Problem, Relaxed, SearchLoop, front_indices
from nas.search.base import everything
from search_spaces import Architecture, Decision, SearchSpace

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

    @property
    def relaxed(self) -> Relaxed:
        tables = jnp.asarray(self.nll, jnp.float32), jnp.asarray(self.macs, jnp.float32)
        return Relaxed(expected, tables, self.space.valid[None])

    def problem(self, feasible=everything, seeds=None) -> Problem:
        return Problem(self.space, 2, feasible, seeds, self.relaxed)

    def loop(self, search) -> SearchLoop:
        return SearchLoop(
            search, self.space, COLUMNS, self.evaluate, self.costs, self.relaxed
        )

    def archive(self, genotypes: np.ndarray, capacity: int = 50) -> Archive:
        archive = Archive.empty(self.space, COLUMNS, capacity)
        table = dict(zip(COLUMNS, self.points(genotypes).T, strict=True))
        return archive.add(genotypes, table, 0)


def expected(data, arch, rows, home, key):
    """What `points` is on average if decisions are taken independently."""
    del home, key
    nll, macs = data
    k = jnp.arange(nll.shape[1], dtype=jnp.float32)
    twist = jnp.sin(k[:, None] * k[None])
    pairs = jnp.einsum("di,ij,dj->", arch.weights[:-1], twist, arch.weights[1:])
    mean = Architecture.soft(arch.space, rows)
    return jnp.stack([_live(arch, nll) + 0.3 * pairs, _live(mean, macs) / 500])


def _live(arch, table):
    """The sum over decisions of their expected entry, where they are alive."""
    rows, alive, total = arch.given_alive().weights, [], jnp.float32(0)
    for d, condition in enumerate(arch.space.conditions):
        p = jnp.float32(1)
        if condition is not None:
            p = (
                alive[condition[0]]
                * jnp.where(condition[1], rows[condition[0]], 0).sum()
            )
        alive.append(p)
        total = total + p * (rows[d] * table[d]).sum()
    return total


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
