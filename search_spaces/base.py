"""Search spaces as data: decisions, conditions between them, and genotypes.

A search space is an ordered list of decisions. A genotype, `int32[D]`, holds the index
of the option taken by each decision. Nothing here knows a network: a space can be
written to JSON, hashed, counted, sampled and searched without one.

Some decisions have no effect unless another decision takes certain options: the width
of a block matters only if the depth reaches it. Such a decision is *dead* when its
condition does not hold, and the *canonical* form of a genotype gives option 0 to every
dead decision, so that one computation has one genotype.

Letters in shapes: D decisions, O options of the decision that has most, P population.
"""

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from search_spaces import conditions, moves, schema
from search_spaces import genotypes as reading
from search_spaces.conditions import ArrayT
from search_spaces.decision import Decision as Decision
from search_spaces.decision import DecisionList, Option


@dataclasses.dataclass(frozen=True)
class SearchSpace(DecisionList):
    """An ordered list of decisions, and everything that follows from it.

    Example:
      >>> space = SearchSpace("toy", (
      ...     Decision("depth", (1, 2)),
      ...     Decision("width_2", (8, 16), requires=("depth", (2,))),
      ... ))
      >>> space.size, space.raw_size
      (3, 4)
      >>> space.decode([1, 1])
      {'depth': 2, 'width_2': 16}

    Attributes:
      name: what people call it.
      decisions: in the order of the genotype's entries. A condition refers to an
        earlier decision.
    """

    @property
    def raw_size(self) -> int:
        """How many genotypes there are, equal computations counted apart."""
        return math.prod(self.num_options)

    @functools.cached_property
    def size(self) -> int:
        """How many canonical genotypes there are (exact, of any magnitude)."""
        return conditions.size(self)

    # ------------------------------------------------------------- conditions
    def alive(self, genotypes: ArrayT) -> ArrayT:
        """Say which decisions have an effect.

        Args:
          genotypes: `int32[..., D]`, numpy or JAX; traceable.

        Returns:
          `bool[..., D]` of the same kind of array.
        """
        return conditions.alive(self, genotypes)

    def canonical(self, genotypes: ArrayT) -> ArrayT:
        """Give option 0 to every dead decision.

        Args:
          genotypes: `int32[..., D]`, numpy or JAX; traceable.

        Returns:
          `int32[..., D]` of the same kind: equal computations, equal genotypes.
        """
        return conditions.canonical(self, genotypes)

    def canonical_weights(self, weights: jax.Array) -> jax.Array:
        """Give a soft architecture's dead decisions option 0, by their probability.

        A decision that is alive with probability p keeps p of its row and moves the
        rest to option 0. At one-hot rows this is `canonical`.

        Args:
          weights: `float[D, O]`, rows on the simplex.

        Returns:
          `float[D, O]`.
        """
        return conditions.canonical_weights(self, weights)

    def live_weights(self, weights: jax.Array) -> jax.Array:
        """Give each row of a soft architecture as it is where its decision is alive.

        Undoes `canonical_weights`. Expectations over architectures need it: what a
        decision changes counts by the probability that it is alive, once.

        Args:
          weights: `float[D, O]`, from `canonical_weights`.

        Returns:
          `float[D, O]`; a decision that is never alive takes option 0.
        """
        return conditions.live_weights(self, weights)

    def restrict(self, allowed: np.ndarray) -> np.ndarray:
        """Close a table of allowed options under the conditions.

        A dead decision takes option 0. Where option 0 of a decision is not allowed,
        its parent may therefore not take an option under which it is dead.

        Args:
          allowed: `bool[D, O]`.

        Returns:
          `bool[D, O]`, the largest table inside `allowed` of which every raw choice
          has its canonical form in `allowed` too.

        Raises:
          SpaceError: a decision is left without an option.
        """
        return conditions.restrict(self, allowed)

    # -------------------------------------------------------------- genotypes
    def validate(self, genotypes: Any, where: str = "genotype") -> np.ndarray:
        """Refuse what is no genotype of this space; never repair it.

        Args:
          genotypes: integers `[..., D]`.
          where: what to call it in the message.

        Returns:
          The same as `np.int32[..., D]`.

        Raises:
          SpaceError: wrong length, no integers, or an index outside its decision.
        """
        return reading.validate(self, genotypes, where)

    def decode(self, genotype: Any) -> dict[str, Option]:
        """Name the option that each decision takes.

        Args:
          genotype: integers `[D]`.

        Returns:
          `{decision: option}` in the space's order.
        """
        return reading.decode(self, self.validate(genotype))

    def encode(self, choices: Mapping[str, Option]) -> np.ndarray:
        """Read named options into a genotype.

        Args:
          choices: an option for every decision; dead ones may be left out.

        Returns:
          `np.int32[D]`, canonical.

        Raises:
          SpaceError: an unknown decision or option, or a live decision left out.
        """
        return reading.encode(self, choices)

    def id(self, genotype: Any) -> str:
        """Name a genotype, the same for equal computations.

        Args:
          genotype: integers `[D]`.

        Returns:
          Its canonical indices joined by dashes where that is short, otherwise the
          first 10 hexadecimal digits of their SHA-256. Safe as a file name.
        """
        return reading.identify(self.canonical(self.validate(genotype)))

    # ------------------------------------------------------------ enumeration
    def enumerate(self) -> np.ndarray:
        """List every canonical genotype, in lexicographic order.

        Returns:
          `np.int32[size, D]`.

        Raises:
          SpaceError: there are more than a million.
        """
        return conditions.enumerate_canonical(self)

    # -------------------------------------------------------------- encodings
    def one_hot(self, genotypes: ArrayT) -> ArrayT:
        """Encode genotypes by one indicator for each option.

        Args:
          genotypes: `int32[..., D]`; made canonical first.

        Returns:
          `float32[..., sum(num_options)]`.
        """
        return reading.one_hot(self, genotypes)

    def ordinal(self, genotypes: ArrayT) -> ArrayT:
        """Encode genotypes by each option's place among its decision's, 0 to 1.

        Args:
          genotypes: `int32[..., D]`; made canonical first.

        Returns:
          `float32[..., D]`.
        """
        return reading.ordinal(self, genotypes)

    # ------------------------------------------------------------------- JSON
    def to_json(self) -> dict[str, Any]:
        """Write the space as JSON data, under a schema version."""
        return schema.write(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SearchSpace":
        """Read a space that `to_json` wrote.

        Args:
          data: the parsed JSON.

        Returns:
          An equal space.

        Raises:
          SpaceError: another schema version, or missing fields.
        """
        return cls(*schema.read(data))

    @functools.cached_property
    def hash(self) -> str:
        """16 hexadecimal digits that change when, and only when, a decision does."""
        content = json.dumps(schema.write_decisions(self), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    # ------------------------------------------------------------------ moves
    def sample(
        self, key: jax.Array, num: int, allowed: np.ndarray | jax.Array | None = None
    ) -> jax.Array:
        """Draw genotypes, each decision uniform over its allowed options.

        Args:
          key: a JAX random key.
          num: P, how many; static.
          allowed: `bool[D, O]` closed by `restrict`; None allows every option.

        Returns:
          `int32[P, D]`, canonical; traceable.
        """
        return moves.sample(self, key, num, allowed)

    def mutate(
        self, key: jax.Array, genotypes: jax.Array, rate: float | None = None
    ) -> jax.Array:
        """Change some decisions of each genotype to another of their options.

        Args:
          key: a JAX random key.
          genotypes: `int32[P, D]`.
          rate: the probability that a decision changes; None is 1 / D. One live
            decision that has another option changes in any case.

        Returns:
          `int32[P, D]`, canonical; traceable.
        """
        return moves.mutate(self, key, jnp.asarray(genotypes), rate)

    def crossover(self, key: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
        """Take each decision from one of two parents, evenly.

        Args:
          key: a JAX random key.
          a: `int32[P, D]`.
          b: `int32[P, D]`.

        Returns:
          `int32[P, D]`, canonical; traceable.
        """
        return moves.crossover(self, key, jnp.asarray(a), jnp.asarray(b))

    def neighbours(self, genotype: Any) -> np.ndarray:
        """List the canonical genotypes that differ in one decision.

        Args:
          genotype: integers `[D]`.

        Returns:
          `np.int32[N, D]`, each once, without the genotype itself.
        """
        return moves.neighbours(self, self.validate(genotype))
