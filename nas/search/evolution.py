"""Regularised evolution: tournaments, mutation, and the oldest die.

Where the paper adds one child in each cycle, a batch of children is made from the same
population here, so that they can be evaluated together. With several objectives, where
the paper has one, a tournament is won by non-dominated rank, then by crowding distance
(the crowded comparison of NSGA-II); ageing stays as it is, and the front is kept by the
archive.

Reference:
  Real, Aggarwal, Huang, Le, "Regularized evolution for image classifier architecture
  search", AAAI 2019, arXiv:1802.01548, algorithm 1.
"""

import dataclasses
from typing import ClassVar

import jax
import numpy as np

from nas.errors import UserError, check_least
from nas.search import population as populations
from nas.search.base import Controller, Problem, State, start, turn
from nas.search.proposals import mutate, propose, sample
from nas.search.selection import places, tournament


@dataclasses.dataclass(frozen=True)
class RegularizedEvolution(Controller):
    """Mutates winners of tournaments in a population that ages.

    Attributes:
      population: how many of the latest genotypes are alive.
      sample_size: how many enter a tournament, drawn with replacement.
      batch: P, how many children are made at a time; random genotypes until the
        population is full.
      mutation_rate: the probability that a decision changes besides the one that always
        does. 0 is the paper's.
    """

    population: int = 50
    sample_size: int = 10
    batch: int = 10
    mutation_rate: float = 0.0

    NAME: ClassVar[str] = "evolution"

    def __post_init__(self) -> None:
        """Refuse sizes that make no tournament."""
        check_least("evolution", self, population=2)
        for name in ("sample_size", "batch"):
            value = getattr(self, name)
            if not 1 <= value <= self.population:
                raise UserError(
                    f"evolution: {name} is {value}, it must be from 1 to the "
                    f"population, {self.population}"
                )
        if not 0 <= self.mutation_rate <= 1:
            raise UserError(
                f"evolution: mutation_rate is {self.mutation_rate}, "
                "it must be from 0 to 1"
            )

    @property
    def blind(self) -> int:
        """See `Controller.blind`."""
        return -(-self.population // self.batch) * self.batch

    def init(self, key: jax.Array, problem: Problem) -> State:
        """Make a population without members."""
        space = problem.space
        return start(key) | populations.empty(
            self.population, space.num_decisions, problem.num_objectives
        )

    def ask(self, state: State, problem: Problem) -> tuple[State, np.ndarray]:
        """Propose children of winners, or random genotypes at first."""
        state, key = turn(state)
        alive = populations.load(state)
        space = problem.space
        place = places(alive.objectives, alive.violation)

        def children(child_key: jax.Array) -> np.ndarray:
            if len(alive) < self.population:
                return sample(space, child_key, self.batch)
            k_win, k_mutate = jax.random.split(child_key)
            winners = tournament(k_win, place, self.batch, self.sample_size)
            parents = alive.genotypes[winners]
            return mutate(space, k_mutate, parents, self.mutation_rate)

        return state, propose(key, problem, self.batch, children, alive.genotypes)

    def tell(
        self,
        state: State,
        problem: Problem,
        genotypes: np.ndarray,
        objectives: np.ndarray,
        violation: np.ndarray,
    ) -> State:
        """Add the young; the oldest leave, however good they are."""
        born = populations.Members(genotypes, objectives, violation)
        queue = populations.load(state).join(born)  # oldest first
        oldest = max(0, len(queue) - self.population)
        return populations.store(state, queue.take(np.arange(oldest, len(queue))))
