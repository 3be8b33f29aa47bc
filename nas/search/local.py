"""Local search: try what is one decision away from the best; start again at an optimum.

The paper, which has one objective, measures all neighbours of an architecture and moves
to the best of them. Here neighbours are measured in batches, and the search moves as
soon as one is better. With several objectives, everything that no other architecture of
the climb dominates is climbed from at once, one random neighbour after another: Pareto
local search. A climb ends when all neighbours of all its best are measured.

References:
  White, Nolen, Savani, "Exploring the loss landscape in neural architecture search",
  UAI 2021, arXiv:2005.02960, algorithm 1.
  Paquete, Chiarandini, Stuetzle, "Pareto local optimum sets in the biobjective
  traveling salesman problem: an experimental study", Metaheuristics for Multiobjective
  Optimisation, 2004.
"""

import dataclasses
from typing import ClassVar

import jax
import numpy as np

from nas.errors import UserError
from nas.search import population as populations
from nas.search.base import Controller, Problem, State, start, turn
from nas.search.pareto import non_dominated_sort
from nas.search.proposals import propose, sample
from nas.search.selection import survivors
from search_spaces import SearchSpace

_CHUNK = 8
"""Neighbours looked at in one go for each that is still wanted; the constraints may
refuse most."""


@dataclasses.dataclass(frozen=True)
class LocalSearch(Controller):
    """Climbs from random architectures to local optima, or to local fronts."""

    batch: int = 10
    """P, how many are proposed at a time; a climb starts from the best of as many that
    are random."""

    members: int = 50
    """How many of a climb's best are kept, the loneliest of a front; with one objective
    there is one, unless values are equal."""

    NAME: ClassVar[str] = "local"

    def __post_init__(self) -> None:
        """Refuse a climb by nobody."""
        for name in ("batch", "members"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"local search: {name} is {getattr(self, name)}, it must be at "
                    "least 1."
                )

    def init(self, key: jax.Array, problem: Problem) -> State:
        """Make a climb without members."""
        moves = len(_moves(problem.space))
        return (
            start(key)
            | populations.empty(
                self.members, problem.space.num_decisions, problem.num_objectives
            )
            | {"tried": np.zeros((self.members, moves), bool)}
        )

    def ask(self, state: State, problem: Problem) -> tuple[State, np.ndarray]:
        """Propose neighbours not tried yet; without any, begin another climb."""
        state, key = turn(state)
        own, rest = jax.random.split(key)
        tried, neighbours = self._neighbours(own, state, problem)
        known = populations.load(state).genotypes
        if not len(neighbours):
            state = populations.store(state, populations.load(state).take(known[:0, 0]))
            tried, known = np.zeros_like(tried), known[:0]

        def draw(draw_key: jax.Array) -> np.ndarray:
            if len(neighbours):
                return neighbours
            return sample(problem.space, draw_key, self.batch)

        batch = propose(rest, problem, self.batch, draw, known)
        return state | {"tried": tried}, batch

    def tell(
        self,
        state: State,
        problem: Problem,
        genotypes: np.ndarray,
        objectives: np.ndarray,
        violation: np.ndarray,
    ) -> State:
        """Keep what none dominates; the rest of the climb is forgotten."""
        told = populations.Members(genotypes, objectives, violation)
        everyone = populations.load(state).join(told)
        tried = np.zeros((len(everyone), state["tried"].shape[1]), bool)
        count = int(state["count"])
        tried[:count] = state["tried"][:count]
        rows = populations.different(everyone.genotypes)
        some = everyone.take(rows)
        rows = rows[non_dominated_sort(some.objectives, some.violation) == 0]
        front = everyone.take(rows)
        rows = rows[survivors(front.objectives, front.violation, self.members)]
        kept = np.zeros_like(state["tried"])
        kept[: len(rows)] = tried[rows]
        return populations.store(state, everyone.take(rows)) | {"tried": kept}

    def _neighbours(
        self, key: jax.Array, state: State, problem: Problem
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pick up to P feasible neighbours at random, of those not tried yet.

        Args:
          key: a JAX random key.
          state: the latest.
          problem: what is searched.

        Returns:
          bool[N, K], what was tried, these included; and int32[F, D], all different.
        """
        tried = np.asarray(state["tried"]).copy()
        count = int(state["count"])
        order = np.asarray(jax.random.uniform(key, tried.shape)).ravel()
        left = np.flatnonzero(~tried[:count].ravel())
        left = left[np.argsort(order[left], kind="stable")]
        members = np.asarray(state["genotypes"])
        known = {row.tobytes() for row in members[:count]}
        found: dict[bytes, np.ndarray] = {}
        while len(left) and len(found) < self.batch:
            some, left = np.split(left, [min(len(left), _CHUNK * self.batch)])
            rows = _neighbour(problem.space, members, some, tried.shape[1])
            # Moving a dead decision leads nowhere.
            fine = (rows != members[some // tried.shape[1]]).any(axis=1)
            fine[fine] = problem.feasible(rows[fine])
            for at, row, accepted in zip(some, rows, fine, strict=True):
                if len(found) == self.batch:
                    break
                tried.flat[at] = True
                if accepted and row.tobytes() not in known:
                    found[row.tobytes()] = row
        rows = np.asarray(list(found.values()), np.int32)
        return tried, rows.reshape(-1, problem.space.num_decisions)


def _moves(space: SearchSpace) -> np.ndarray:
    """List the moves to a neighbour: int64[K, 2], a decision and steps around its ring.

    An option index and 1 to n - 1 steps, modulo the n options, is every other option.
    """
    return np.array(
        [(d, s) for d, n in enumerate(space.num_options) for s in range(1, n)], np.int64
    ).reshape(-1, 2)


def _neighbour(
    space: SearchSpace, members: np.ndarray, pairs: np.ndarray, num_moves: int
) -> np.ndarray:
    """Make moves.

    Args:
      space: of the genotypes.
      members: int32[N, D], canonical.
      pairs: int64[F], each a member's row times K and the number of a move.
      num_moves: K.

    Returns:
      int32[F, D], canonical; a move of a dead decision gives the member itself.
    """
    decision, steps = _moves(space)[pairs % num_moves].T
    rows = members[pairs // num_moves].copy()
    at = np.arange(len(rows)), decision
    rows[at] = (rows[at] + steps) % np.asarray(space.num_options)[decision]
    return np.asarray(space.canonical(rows), np.int32)
