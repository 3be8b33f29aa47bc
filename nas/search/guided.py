"""Search a predictor, measure what it holds for best, fit it again.

Any black-box controller searches, with its own operators, where looking costs nothing:
on what a predictor, fitted to all that was measured so far, expects. The most promising
of what it tried there is then measured. Uncertainty counts in favour of an
architecture, so that what nobody knows is tried too.

A predictor is fitted to ranks, not values, for a network that diverged would outweigh
the differences between all others; only the order of values matters to a front. Costs
that are known without measuring are not predicted. The fit is a function of what was
told and of settings, so it is made again after an interruption, and is not kept.

References:
  Liu et al., "Progressive neural architecture search", ECCV 2018, arXiv:1712.00559 (a
  predictor that is searched between measurements).
  White, Neiswanger, Savani, "BANANAS: Bayesian optimization with neural architectures
  for neural architecture search", AAAI 2021, arXiv:1910.11858.
  Srinivas, Krause, Kakade, Seeger, "Gaussian process optimization in the bandit
  setting", ICML 2010, arXiv:0912.3995 (the mean less a multiple of the deviation).
"""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import jax
import numpy as np
from scipy import stats

from nas.errors import UserError, check_least
from nas.search import population as populations
from nas.search.base import Controller, Problem, State, start, turn
from nas.search.discovery import discover
from nas.search.population import Members
from nas.search.proposals import propose, sample
from nas.search.selection import survivors
from predictors.base import Predictor
from predictors.discovery import discover_predictors

Estimate = Callable[[np.ndarray], Members]
"""int32[P, D] -> the same genotypes, and what is expected of them."""


@dataclasses.dataclass(frozen=True)
class Guided(Controller):
    """Lets another controller search a predictor between measurements."""

    controller: Controller | None = None
    """Who searches the predictor; none: nsga2."""

    predictor: Predictor | None = None
    """What is fitted to the measurements; none: ridge."""

    batch: int = 50
    """P, how many architectures are measured between two fits."""

    initial: int = 50
    """How many measurements there must be, of random architectures, before a fit."""

    generations: int = 4
    """How often the controller asks the predictor between two fits; less often, once it
    asks of nothing new."""

    optimism: float = 0.5
    """How many deviations better than expected an architecture is held for."""

    memory: int = 2000
    """How many measurements the predictor is fitted to at most: the latest ones."""

    NAME: ClassVar[str] = "guided"

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_least("guided", self, batch=1, initial=1, generations=1)
        if not 0 <= self.optimism < np.inf:
            raise UserError(
                f"guided: optimism is {self.optimism}, it must be 0 or more"
            )
        if self.memory < self._needed:
            raise UserError(
                f"guided: memory is {self.memory}, but {self._needed} measurements are "
                "needed before the first fit; it must be at least as many"
            )

    @property
    def blind(self) -> int:
        """See `Controller.blind`."""
        return -(-self._needed // self.batch) * self.batch

    @property
    def _inner(self) -> Controller:
        return self.controller or discover()["nsga2"]()

    @property
    def _learner(self) -> Predictor:
        return self.predictor or discover_predictors()["ridge"]()

    @property
    def _needed(self) -> int:
        return max(self.initial, self._learner.LEAST)

    def init(self, key: jax.Array, problem: Problem) -> State:
        """Make a memory without measurements."""
        return start(key) | populations.empty(
            self.memory, problem.space.num_decisions, problem.num_objectives
        )

    def ask(self, state: State, problem: Problem) -> tuple[State, np.ndarray]:
        """Propose what the predictor holds for best; at first, at random."""
        state, key = turn(state)
        told = populations.load(state)
        k_search, k_propose = jax.random.split(key)
        if len(told) < self._needed:

            def draw(draw_key: jax.Array) -> np.ndarray:
                return sample(problem.space, draw_key, self.batch)
        else:
            promising = self._promising(k_search, problem, told)

            def draw(draw_key: jax.Array) -> np.ndarray:
                del draw_key
                return promising

        known = told.genotypes[problem.feasible(told.genotypes)]
        return state, propose(k_propose, problem, self.batch, draw, known)

    def tell(
        self,
        state: State,
        problem: Problem,
        genotypes: np.ndarray,
        objectives: np.ndarray,
        violation: np.ndarray,
    ) -> State:
        """Remember the latest measurements, of each genotype the last."""
        queue = populations.load(state).join(Members(genotypes, objectives, violation))
        last = {row.tobytes(): i for i, row in enumerate(queue.genotypes)}
        rows = np.sort(np.fromiter(last.values(), np.int64, len(last)))
        return populations.store(state, queue.take(rows[-self.memory :]))

    def _promising(self, key: jax.Array, problem: Problem, told: Members) -> np.ndarray:
        """Search the predictor, and give the best P of all that was tried there."""
        if len(told) >= problem.space.size:
            return told.genotypes[:0]  # nothing is left to try
        estimate, ranked = self._fitted(problem, told)
        inside = dataclasses.replace(problem, relaxed=None)
        inner = self._inner
        state = _tell(inner, inner.init(key, inside), inside, ranked)
        seen = {row.tobytes() for row in told.genotypes}
        new: dict[bytes, np.ndarray] = {}
        for _ in range(self.generations):
            before = len(new)
            state, asked = inner.ask(state, inside)
            new |= {row.tobytes(): row for row in asked if row.tobytes() not in seen}
            if len(new) == before:
                break
            state = _tell(inner, state, inside, estimate(asked))
        if not new:
            return told.genotypes[:0]
        found = estimate(np.stack(list(new.values())))
        best = survivors(found.objectives, found.violation, self.batch)
        return found.genotypes[best]

    def _fitted(self, problem: Problem, told: Members) -> tuple[Estimate, Members]:
        """Fit to what was told; give the estimate, and the told as it sees them."""
        exact = problem.exact(told.genotypes)
        measured = np.isnan(exact).any(axis=0)
        ranks = stats.rankdata(told.objectives, axis=0) / len(told)
        ranked = Members(
            told.genotypes, np.where(measured, ranks, exact), told.violation
        )
        encodings = _encoded(problem, told.genotypes)
        models = {
            column: self._learner.fit(encodings, ranks[:, column])
            for column in np.flatnonzero(measured)
        }
        missed = None
        if (told.violation > 0).any():
            missed = self._learner.fit(encodings, told.violation)

        def estimate(genotypes: np.ndarray) -> Members:
            inputs = _encoded(problem, genotypes)
            values = problem.exact(genotypes)
            for column, model in models.items():
                expected = model.predict(inputs)
                spread = 0.0 if expected.std is None else expected.std
                values[:, column] = expected.mean - self.optimism * spread
            violation = np.zeros(len(genotypes))
            if missed is not None:
                violation = np.maximum(missed.predict(inputs).mean, 0)
            return Members(genotypes, values, violation)

        return estimate, ranked


def _tell(
    controller: Controller, state: State, problem: Problem, members: Members
) -> State:
    return controller.tell(
        state, problem, members.genotypes, members.objectives, members.violation
    )


def _encoded(problem: Problem, genotypes: np.ndarray) -> np.ndarray:
    return np.asarray(problem.space.one_hot(genotypes), np.float64)
