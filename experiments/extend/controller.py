"""A controller of one's own: climb from the best architecture found so far.

nas run experiments/extend/controller.py
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from nas import Experiment, Training
from nas.data import Digits
from nas.search import Controller, Problem, Search
from nas.search.base import State, start, turn
from supernets import NASBench201Supernet


@dataclasses.dataclass(frozen=True)
class HillClimb(Controller):
    """Propose mutations of the best genotype by the first objective."""

    NAME: ClassVar[str] = "hill_climb"

    population: int = 8
    """Proposals of an ask."""

    def init(self, key: jax.Array, problem: Problem) -> State:
        """Start from one random genotype."""
        best = np.asarray(problem.space.sample(key, 1))[0]
        return start(key) | {"best": best, "value": np.array(np.inf)}

    def ask(self, state: State, problem: Problem) -> tuple[State, np.ndarray]:
        """Mutate the best one; what the constraints refuse becomes the best one."""
        state, key = turn(state)
        parents = np.repeat(state["best"][None], self.population, axis=0)
        children = np.asarray(problem.space.mutate(key, jnp.asarray(parents)))
        fine = problem.feasible(children)[:, None]
        return state, np.where(fine, children, parents)

    def tell(
        self,
        state: State,
        problem: Problem,
        genotypes: np.ndarray,
        objectives: np.ndarray,
        violation: np.ndarray,
    ) -> State:
        """Keep the best so far."""
        scores = np.where(violation > 0, np.inf, objectives[:, 0])
        i = int(scores.argmin())
        if scores[i] >= state["value"]:
            return state
        return state | {"best": genotypes[i], "value": np.array(scores[i])}


experiment = Experiment(
    name="extend_controller",
    supernet=NASBench201Supernet(channels=4, cells=1),
    data=Digits(),
    training=Training(steps=60, log_every=20, checkpoint_every=30),
    search=Search(HillClimb(), evaluations=24),
)
