"""Gradient methods on trained weights that stay as they are: alphas alone move.

A population of alphas, one for each preference between the objectives, follows the
gradient of what the preference weighs. Each ask makes some steps for all of them in one
program, then proposes what they have come to prefer; what was proposed before makes
room for draws from the distributions that the alphas stand for, at a temperature that
rises until enough new ones are found.

Steps look at examples, and are paid for: a pass forward and back counts as three
forward, and a soft architecture as all the options that it runs. What an ask costs so
is charged to the same budget as evaluations.

With sub-supernets, each of which holds other architectures, preference p lives in the
p-th, over and over. Training alphas and weights together is a strategy's work.

Letters in shapes: N genotypes, P preferences, D decisions, O options, M objectives, S
sub-supernets.
"""

import abc
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nas.errors import UserError
from nas.preferences import spread
from nas.relaxations import (
    AlphaOptimizer,
    Relaxation,
    derive_all,
    describe,
)
from nas.runtime.mesh import host
from nas.search.base import (
    Controller,
    Objectives,
    Problem,
    Relaxed,
    State,
    fold,
    start,
    turn,
)
from nas.search.proposals import propose
from search_spaces import SearchSpace

# Forward passes that one pass forward and back costs.
PASSES = 3
# Draws of a round, at temperatures that double within it so many times.
DRAWS = 96
DOUBLINGS = 6
# What no probability falls below when draws are made: hot enough, all is possible.
LEAST = 1e-6
# The count whose key draws the first alphas, which no ask reaches.
_FIRST = 2**31 - 1

# So that each evaluation budget buys enough of them, steps are few and large.
FAST = AlphaOptimizer(learning_rate=0.1, weight_decay=0.0)


@dataclasses.dataclass(frozen=True)
class GradientController(Controller):
    """What the concrete controllers share; they say what alphas mean."""

    population: int = 24
    """N, how many architectures an ask proposes: preferred ones, then drawn ones."""

    preferences: int = 8
    """P, how many alphas there are."""

    steps: int = 5
    """Steps of the alphas in each ask."""

    alphas: AlphaOptimizer = dataclasses.field(default_factory=lambda: FAST)
    """How alphas are updated: published rates are of many thousand steps."""

    memory: int = 4096
    """How many of the latest evaluated genotypes are not proposed again."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("population", "preferences", "steps", "memory"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"{self.NAME}: {name} is {getattr(self, name)}, it must be at "
                    "least 1"
                )

    @property
    @abc.abstractmethod
    def relaxation(self) -> Relaxation:
        """What alphas mean."""

    def progress(self, age: jax.Array) -> jax.Array:
        """Say how far the search is after so many steps, `float32[]` from 0 to 1.

        Args:
          age: `int32[]`, steps of the alphas.
        """
        del age
        return jnp.float32(0)

    # --------------------------------------------------------------------- contract
    def init(self, key: jax.Array, problem: Problem) -> State:
        """Draw alphas near zero; see `Controller.init`."""
        self._relaxed(problem)
        state, space = start(key), problem.space
        return state | {
            **host(_begin(self, space, fold(state, _FIRST))),
            "age": np.array(0, np.int32),
            "told": np.zeros((self.memory, space.num_decisions), np.int32),
            "num_told": np.array(0, np.int32),
        }

    def ask(self, state: State, problem: Problem) -> tuple[State, np.ndarray]:
        """Move the alphas, and propose what they prefer; see `Controller.ask`."""
        state, key = turn(state)
        relaxed, space = self._relaxed(problem), problem.space
        k_move, k_propose = jax.random.split(key)
        homes, allowed = self._homes(relaxed)
        moving = {name: state[name] for name in ("alphas", "optimizer", "age")}
        preferences = spread(self.preferences, problem.num_objectives)
        moving = host(
            _advance(
                self,
                space,
                relaxed.objectives,
                relaxed.data,
                moving,
                k_move,
                (preferences, homes, allowed),
            )
        )
        if not np.isfinite(moving["alphas"]).all():
            raise UserError(
                f"{self.NAME}: the gradient of an objective was not finite: the "
                "supernet's weights do not work for mixed architectures. Search by a "
                "controller without gradients, or train again in float32 or with a "
                "smaller learning rate"
            )
        state = state | moving
        derived = derive_all(self.relaxation, space, moving["alphas"], allowed)

        def candidates(key: jax.Array) -> np.ndarray:
            drawn = _draw(self, space, moving["alphas"], allowed, key)
            return np.concatenate([derived, np.asarray(drawn)])

        known = state["told"][: min(int(state["num_told"]), self.memory)]
        known = known[problem.feasible(known)]
        batch = propose(k_propose, problem, self.population, candidates, known)
        return state, batch

    def tell(
        self,
        state: State,
        problem: Problem,
        genotypes: np.ndarray,
        objectives: np.ndarray,
        violation: np.ndarray,
    ) -> State:
        """Remember what was evaluated; alphas learn from examples, not from it."""
        del problem, objectives, violation
        count = int(state["num_told"])
        told = np.array(state["told"])
        places = (count + np.arange(len(genotypes))) % self.memory
        told[places[-self.memory :]] = genotypes[-self.memory :]
        # The count stays in the second round of the ring, lest it ever overflow.
        count += len(genotypes)
        count = count if count < self.memory else self.memory + count % self.memory
        return state | {"told": told, "num_told": np.array(count, np.int32)}

    def overhead(self, problem: Problem) -> float:
        """Count the passes of an ask; see `Controller.overhead`."""
        relaxed = self._relaxed(problem)
        price = relaxed.price(self.relaxation.discrete)
        return PASSES * price * self.steps * self.preferences

    def scalars(self, state: State, problem: Problem) -> dict[str, float]:
        """Log probabilities and what is derived; see `Controller.scalars`."""
        _, allowed = self._homes(self._relaxed(problem))
        told = describe(self.relaxation, problem.space, state["alphas"], allowed)
        return {f"alphas/{name}": value for name, value in told.items()}

    def _homes(self, relaxed: Relaxed) -> tuple[np.ndarray, np.ndarray]:
        """Say where preferences live, `int32[P]`, and on what, `bool[P, D, O]`."""
        homes = np.arange(self.preferences, dtype=np.int32) % len(relaxed.allowed)
        return homes, np.asarray(relaxed.allowed, bool)[homes]

    def _relaxed(self, problem: Problem) -> Relaxed:
        if problem.relaxed is None:
            raise UserError(
                f"{self.NAME} follows the gradient of a supernet's loss, and what is "
                "searched here gives none, as a table of measurements does not. Search "
                "a trained supernet, or take a controller without gradients, such as "
                "evolution, nsga2, local or reinforce"
            )
        return problem.relaxed


@functools.partial(jax.jit, static_argnames=("controller", "space"))
def _begin(controller: GradientController, space: SearchSpace, key: jax.Array) -> State:
    """Draw the alphas `float32[P, D, O]` of a start, and make their optimiser."""
    keys = jax.random.split(key, controller.preferences)
    alphas = jax.vmap(lambda k: controller.relaxation.init(k, space))(keys)
    return {"alphas": alphas, "optimizer": controller.alphas.build().init(alphas)}


@functools.partial(jax.jit, static_argnames=("controller", "space", "objectives"))
def _advance(
    controller: GradientController,
    space: SearchSpace,
    objectives: Objectives,
    data: Any,
    moving: State,
    key: jax.Array,
    where: tuple[jax.Array, jax.Array, jax.Array],
) -> State:
    """Make the steps of an ask, for every preference.

    Args:
      controller: the settings.
      space: the search space.
      objectives: see `Relaxed`.
      data: what the objectives need.
      moving: `alphas` float32[P, D, O], their `optimizer`, and their `age`.
      key: of this ask.
      where: `float32[P, M]` preferences, `int32[P]` the sub-supernets they live in, and
        `bool[P, D, O]` what is allowed there.

    Returns:
      The next `moving`.
    """
    relaxation, tx = controller.relaxation, controller.alphas.build()

    def step(moving: State, key: jax.Array) -> tuple[State, None]:
        k_batch, k_draw = jax.random.split(key)
        done = controller.progress(moving["age"])

        def slope(inputs: Any) -> jax.Array:
            alphas, key, preference, home, allowed = inputs

            def value(alphas: jax.Array) -> jax.Array:
                rows = relaxation.sample(alphas, key, done, allowed)
                arch = relaxation.architecture(space, rows)
                mean = relaxation.probabilities(alphas, allowed)
                # All look at the same batch, so that they differ by what they want.
                values = objectives(data, arch, mean, home, k_batch)
                extra = relaxation.regularization(alphas, allowed)
                return preference @ values + extra

            return jax.grad(value)(alphas)

        keys = jax.random.split(k_draw, controller.preferences)
        # One after another, never batched: a branch would run all of its options.
        slopes = jax.lax.map(slope, (moving["alphas"], keys, *where))
        update, optimizer = tx.update(slopes, moving["optimizer"], moving["alphas"])
        alphas: Any = optax.apply_updates(moving["alphas"], update)
        return {
            "alphas": alphas,
            "optimizer": optimizer,
            "age": moving["age"] + 1,
        }, None

    return jax.lax.scan(step, moving, jax.random.split(key, controller.steps))[0]


@functools.partial(jax.jit, static_argnames=("controller", "space"))
def _draw(
    controller: GradientController,
    space: SearchSpace,
    alphas: jax.Array,
    allowed: jax.Array,
    key: jax.Array,
) -> jax.Array:
    """Draw from the distributions of all preferences in turn, ever hotter.

    Returns:
      `int32[N, D]`, canonical.
    """
    rows = jax.vmap(controller.relaxation.probabilities)(alphas, allowed)
    logits = jnp.where(allowed, jnp.log(rows + LEAST), -jnp.inf)
    num = max(DRAWS, DOUBLINGS * len(alphas))
    places = jnp.arange(num)
    heat = 2.0 ** (places * DOUBLINGS // num).astype(jnp.float32)
    chosen = logits[places % len(alphas)] / heat[:, None, None]
    drawn = jax.random.categorical(key, chosen, axis=-1).astype(jnp.int32)
    return space.canonical(drawn)
