"""Random search: the baseline that every other controller must beat.

Reference:
  Li, Talwalkar, "Random search and reproducibility for neural architecture search",
  UAI 2019, arXiv:1902.07638.
"""

import dataclasses
from typing import ClassVar

import jax
import numpy as np

from nas.errors import check_least
from nas.search.base import Controller, Problem, State, start, turn
from nas.search.proposals import propose, sample


@dataclasses.dataclass(frozen=True)
class RandomSearch(Controller):
    """Proposes genotypes drawn at random, each decision uniform over its options.

    Attributes:
      population: P, how many are proposed at a time.
    """

    population: int = 50

    NAME: ClassVar[str] = "random"

    def __post_init__(self) -> None:
        """Refuse a population of nobody."""
        check_least("random search", self, population=1)

    def init(self, key: jax.Array, problem: Problem) -> State:
        """Make the state: a key and a counter."""
        return start(key)

    def ask(self, state: State, problem: Problem) -> tuple[State, np.ndarray]:
        """Draw P genotypes; those of earlier asks may come again."""
        state, key = turn(state)
        batch = propose(
            key,
            problem,
            self.population,
            lambda k: sample(problem.space, k, self.population),
            known=problem.known[:0],
        )
        return state, batch

    def tell(
        self,
        state: State,
        problem: Problem,
        genotypes: np.ndarray,
        objectives: np.ndarray,
        violation: np.ndarray,
    ) -> State:
        """Learn nothing."""
        return state
