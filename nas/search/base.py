"""What a controller is: it proposes genotypes, and learns how they did.

A controller is a frozen dataclass of its settings; all that changes is its state, a
dictionary of arrays of fixed shapes, passed in and returned. Whoever saves the state
after any call and restores it later gets, bit for bit, the proposals that would have
come without the interruption.

Letters in shapes: P population, D decisions, M objectives, N genotypes.
"""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from search_spaces import Architecture, SearchSpace

Feasible = Callable[[np.ndarray], np.ndarray]
"""int32[P, D] -> bool[P]: which genotypes meet what is known without evaluating."""

State = dict[str, Any]
"""A pytree of numpy arrays. Restore it as numpy: float64 must not become float32."""


def everything(genotypes: np.ndarray) -> np.ndarray:
    """Call every genotype feasible: int32[P, D] -> bool[P]."""
    return np.ones(len(genotypes), bool)


def free(hard: bool) -> float:
    """Charge nothing, whether an architecture is hard or soft."""
    del hard
    return 0.0


Objectives = Callable[[Any, Architecture, jax.Array, jax.Array, jax.Array], jax.Array]
"""(data, architecture, rows float32[D, O], sub-supernet int32[], key) -> float32[M]."""


@dataclasses.dataclass(frozen=True, eq=False)
class Relaxed:
    """A problem's objectives as functions that can be differentiated.

    Attributes:
      objectives: what a relaxed architecture does, traced: qualities, on a batch that
        the key draws, of the architecture, soft or hard; costs, as a share of the
        largest one's, of the rows, its mean. The same object for the same function:
        what uses it is compiled once for each.
      data: a pytree of arrays, handed to `objectives`; no constant of the program.
      allowed: bool[S, D, O], the options of each sub-supernet.
      price: what measuring the objectives once costs, in evaluations, of an
        architecture that is hard or not: a soft one runs all of its options.
    """

    objectives: Objectives
    data: Any
    allowed: np.ndarray
    price: Callable[[bool], float] = free


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What a controller may know of the search it serves.

    Attributes:
      space: where the genotypes come from.
      num_objectives: M; all are minimised.
      feasible: the constraints that need no evaluation (MACs, parameters). Controllers
        propose nothing that it refuses.
      seeds: int32[N, D], feasible genotypes known beforehand, from which to start when
        sampling meets none; None: none are known.
      relaxed: the objectives for gradient methods; None: there are none.
      costs: int32[P, D] -> float64[P, M], the objectives that are known without
        evaluating, and NaN in the columns of the others; None: none is known.
    """

    space: SearchSpace
    num_objectives: int
    feasible: Feasible = everything
    seeds: np.ndarray | None = None
    relaxed: Relaxed | None = None
    costs: Callable[[np.ndarray], np.ndarray] | None = None

    def exact(self, genotypes: np.ndarray) -> np.ndarray:
        """Give the objectives that are known without evaluating.

        Args:
          genotypes: int32[P, D].

        Returns:
          float64[P, M], a new array; NaN in the columns of the others.
        """
        if self.costs is None:
            return np.full((len(genotypes), self.num_objectives), np.nan)
        return np.array(self.costs(genotypes), np.float64)

    @property
    def known(self) -> np.ndarray:
        """The seeds as int32[N, D], with N = 0 if there are none."""
        if self.seeds is None:
            return np.zeros((0, self.space.num_decisions), np.int32)
        return np.asarray(self.seeds, np.int32)


class Controller(abc.ABC):
    """Proposes genotypes to evaluate. Concrete ones are frozen dataclasses.

    Attributes:
      NAME: what users call it; unique among controllers.
    """

    NAME: ClassVar[str]

    @abc.abstractmethod
    def init(self, key: jax.Array, problem: Problem) -> State:
        """Make the state to start from.

        Args:
          key: a JAX random key; with the tellings, all that proposals depend on.
          problem: what is searched.

        Returns:
          The state.
        """

    @abc.abstractmethod
    def ask(self, state: State, problem: Problem) -> tuple[State, np.ndarray]:
        """Propose genotypes.

        Args:
          state: the latest state.
          problem: the same as for `init`.

        Returns:
          The next state, and int32[P, D]: canonical, feasible, P the same each time.
          Without repetition, unless fewer than P are left to propose.

        Raises:
          UserError: no feasible genotype was found.
        """

    def overhead(self, problem: Problem) -> float:
        """Say what an ask costs by itself, besides evaluating what it proposes.

        Args:
          problem: the same as for `init`.

        Returns:
          The cost in evaluations, charged to the budget with each ask.
        """
        del problem
        return 0.0

    @property
    def blind(self) -> int:
        """How many of its first proposals are random, whatever it was told."""
        return 0

    def scalars(self, state: State, problem: Problem) -> dict[str, float]:
        """Give what to log of the controller itself; by default nothing.

        Args:
          state: the latest state.
          problem: the same as for `init`.

        Returns:
          Numbers by name.
        """
        del state, problem
        return {}

    @abc.abstractmethod
    def tell(
        self,
        state: State,
        problem: Problem,
        genotypes: np.ndarray,
        objectives: np.ndarray,
        violation: np.ndarray,
    ) -> State:
        """Learn how genotypes did.

        They are usually those of the last `ask`. They may be fewer (the budget ended)
        or others (somebody else proposed them); a controller that learns only from its
        own proposals leaves the others out.

        Args:
          state: the latest state.
          problem: the same as for `init`.
          genotypes: int32[P, D], canonical; any P.
          objectives: float64[P, M], finite.
          violation: float64[P], how far the constraints that need evaluation are
            missed; zero where they are met.

        Returns:
          The next state.
        """


def start(key: jax.Array) -> State:
    """Make the part of a state that randomness needs.

    Args:
      key: a JAX random key, typed or raw.

    Returns:
      `{"key": uint32[..], "asks": int32[]}`: each ask draws from the key folded with
      the number of asks before it.
    """
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    return {"key": np.asarray(key), "asks": np.array(0, np.int32)}


def turn(state: State) -> tuple[State, jax.Array]:
    """Count one ask and give its key.

    Args:
      state: one that holds what `start` made.

    Returns:
      The next state, and a typed JAX key that no other ask gets.
    """
    asks = int(state["asks"])
    return state | {"asks": np.array(asks + 1, np.int32)}, fold(state, asks)


def fold(state: State, count: int) -> jax.Array:
    """Give the typed JAX key of a state's `key` folded with a count."""
    return _fold(np.asarray(state["key"], np.uint32), count)


# One program: op by op it takes ten times as long, once an ask.
@jax.jit
def _fold(data: jax.Array, count: jax.Array) -> jax.Array:
    return jax.random.fold_in(jax.random.wrap_key_data(data), count)
