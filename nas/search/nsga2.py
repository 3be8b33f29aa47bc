"""NSGA-II: elitist multi-objective search by non-dominated rank and crowding distance.

Genotypes are discrete, so crossover is uniform and mutation moves decisions to other
options, in the place of the paper's operators on real numbers. Genotypes that the
population already holds are not proposed again.

Reference:
  Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm:
  NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002.
"""

import dataclasses
from typing import ClassVar

import jax
import numpy as np

from nas.errors import UserError
from nas.search import population as populations
from nas.search.base import Controller, Problem, State, start, turn
from nas.search.proposals import crossover, mutate, propose, sample
from nas.search.selection import places, survivors, tournament


@dataclasses.dataclass(frozen=True)
class NSGA2(Controller):
    """Crosses and mutates winners of binary tournaments; the best of all survive.

    Attributes:
      population: P, how many survive, and how many are proposed at a time.
      crossover_probability: the probability that a child has two parents.
      mutation_probability: the probability that a child is mutated at all. 0.6 is the
        share that changes when each decision does with probability 1 / D.
      mutation_rate: the probability that a decision of a mutated child changes besides
        the one that always does.
    """

    population: int = 50
    crossover_probability: float = 0.9
    mutation_probability: float = 0.6
    mutation_rate: float = 0.0

    NAME: ClassVar[str] = "nsga2"

    def __post_init__(self) -> None:
        """Refuse what is no population or no probability."""
        if self.population < 2:
            raise UserError(
                f"nsga2: population is {self.population}, it must be at least 2"
            )
        for name in ("crossover_probability", "mutation_probability", "mutation_rate"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise UserError(f"nsga2: {name} is {value}, it must be from 0 to 1")

    @property
    def blind(self) -> int:
        """See `Controller.blind`."""
        return self.population

    def init(self, key: jax.Array, problem: Problem) -> State:
        """Make a population without members."""
        return start(key) | populations.empty(
            self.population, problem.space.num_decisions, problem.num_objectives
        )

    def ask(self, state: State, problem: Problem) -> tuple[State, np.ndarray]:
        """Propose offspring, or random genotypes while there are no parents."""
        state, key = turn(state)
        parents = populations.load(state)
        space = problem.space
        place = places(parents.objectives, parents.violation)

        def offspring(child_key: jax.Array) -> np.ndarray:
            if not len(parents):
                return sample(space, child_key, self.population)
            k_win, k_cross, k_mutate, k_whether = jax.random.split(child_key, 4)
            winners = tournament(k_win, place, 2 * self.population, size=2)
            a, b = np.split(parents.genotypes[winners], 2)
            crossed = crossover(space, k_cross, a, b, self.crossover_probability)
            mutated = mutate(space, k_mutate, crossed, self.mutation_rate)
            whether = jax.random.bernoulli(
                k_whether, self.mutation_probability, (self.population, 1)
            )
            return np.where(np.asarray(whether), mutated, crossed)

        return state, propose(
            key, problem, self.population, offspring, parents.genotypes
        )

    def tell(
        self,
        state: State,
        problem: Problem,
        genotypes: np.ndarray,
        objectives: np.ndarray,
        violation: np.ndarray,
    ) -> State:
        """Keep the best of parents and offspring, each genotype once."""
        offspring = populations.Members(genotypes, objectives, violation)
        everyone = populations.load(state).join(offspring)
        everyone = everyone.take(populations.different(everyone.genotypes))
        best = survivors(everyone.objectives, everyone.violation, self.population)
        return populations.store(state, everyone.take(best))
