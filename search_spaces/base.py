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
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from search_spaces.errors import SpaceError, nearest

Option = str | int | float | bool
ArrayT = TypeVar("ArrayT", np.ndarray, jax.Array)

SCHEMA_VERSION = 1
ENUMERATION_LIMIT = 1_000_000


@dataclasses.dataclass(frozen=True)
class Decision:
    """One thing that may vary.

    Attributes:
      name: a stable name, unique in its space; files and logs refer to it.
      options: what it may be, JSON scalars without repetition, at least one.
      requires: the condition under which it has an effect: the name of an earlier
        decision, and those of its options under which this one is alive. None: always.
    """

    name: str
    options: tuple[Option, ...]
    requires: tuple[str, tuple[Option, ...]] | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be a decision."""
        if not self.name or not isinstance(self.name, str):
            raise SpaceError(f"A decision needs a name, found {self.name!r}.")
        if not self.options:
            raise SpaceError(f"Decision {self.name!r} has no options; give at least 1.")
        for option in self.options:
            if not isinstance(option, str | int | float | bool):
                raise SpaceError(
                    f"Decision {self.name!r} has the option {option!r} of type "
                    f"{type(option).__name__}; options are strings, numbers or booleans."
                )
        if len({json.dumps(option) for option in self.options}) != len(self.options):
            raise SpaceError(
                f"Decision {self.name!r} repeats an option: {self.options}."
            )


@dataclasses.dataclass(frozen=True)
class SearchSpace:
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

    name: str
    decisions: tuple[Decision, ...]

    def __post_init__(self) -> None:
        """Refuse repeated names and conditions that cannot be resolved."""
        if not self.decisions:
            raise SpaceError(f"Space {self.name!r} has no decisions; give at least 1.")
        seen: dict[str, Decision] = {}
        for decision in self.decisions:
            if decision.name in seen:
                raise SpaceError(
                    f"Space {self.name!r} has two decisions named {decision.name!r}."
                )
            if decision.requires is not None:
                self._check_condition(decision, seen)
            seen[decision.name] = decision

    def _check_condition(self, decision: Decision, seen: dict[str, Decision]) -> None:
        parent, options = decision.requires or ("", ())
        if parent not in seen:
            raise SpaceError(
                f"Decision {decision.name!r} of space {self.name!r} requires {parent!r},"
                f" which is no earlier decision. {nearest(parent, seen)}"
            )
        unknown = [o for o in options if o not in seen[parent].options]
        if unknown or not options:
            raise SpaceError(
                f"Decision {decision.name!r} of space {self.name!r} requires {parent!r} "
                f"to be in {options}; allowed are {seen[parent].options}."
            )

    # ------------------------------------------------------------------ sizes
    @property
    def num_decisions(self) -> int:
        """D, the length of a genotype."""
        return len(self.decisions)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The decisions' names, in order."""
        return tuple(decision.name for decision in self.decisions)

    @functools.cached_property
    def num_options(self) -> tuple[int, ...]:
        """How many options each decision has."""
        return tuple(len(decision.options) for decision in self.decisions)

    @property
    def max_options(self) -> int:
        """O, to which options are padded in arrays."""
        return max(self.num_options)

    @functools.cached_property
    def valid(self) -> np.ndarray:
        """`bool[D, O]`: which padded options exist."""
        counts = np.asarray(self.num_options)
        return np.arange(self.max_options)[None, :] < counts[:, None]

    @property
    def raw_size(self) -> int:
        """How many genotypes there are, equal computations counted apart."""
        return math.prod(self.num_options)

    @functools.cached_property
    def size(self) -> int:
        """How many canonical genotypes there are (exact, of any magnitude)."""
        total = 1
        counts = [0] * self.num_decisions
        # Children come after parents, so one pass from the end sees them first.
        for d in reversed(range(self.num_decisions)):
            counts[d] = sum(
                math.prod(
                    counts[c] for c, table in self._children[d] if bool(table[option])
                )
                for option in range(self.num_options[d])
            )
            if self._conditions[d] is None:
                total *= counts[d]
        return total

    # ------------------------------------------------------------- conditions
    @functools.cached_property
    def _conditions(self) -> tuple[tuple[int, np.ndarray] | None, ...]:
        """For each decision: its parent, and under which options it is alive."""
        conditions: list[tuple[int, np.ndarray] | None] = []
        for decision in self.decisions:
            if decision.requires is None:
                conditions.append(None)
                continue
            parent = self.names.index(decision.requires[0])
            table = np.zeros(self.max_options, bool)
            for i, option in enumerate(self.decisions[parent].options):
                table[i] = option in decision.requires[1]
            conditions.append((parent, table))
        return tuple(conditions)

    @functools.cached_property
    def _children(self) -> tuple[tuple[tuple[int, np.ndarray], ...], ...]:
        children: list[list[tuple[int, np.ndarray]]] = [[] for _ in self.decisions]
        for d, condition in enumerate(self._conditions):
            if condition is not None:
                children[condition[0]].append((d, condition[1]))
        return tuple(tuple(row) for row in children)

    def alive(self, genotypes: ArrayT) -> ArrayT:
        """Say which decisions have an effect.

        Args:
          genotypes: `int32[..., D]`, numpy or JAX; traceable.

        Returns:
          `bool[..., D]` of the same kind of array.
        """
        xp: Any = jnp if isinstance(genotypes, jax.Array) else np
        alive: list[Any] = []
        for condition in self._conditions:
            if condition is None:
                alive.append(xp.ones(genotypes.shape[:-1], bool))
            else:
                parent, table = condition
                alive.append(alive[parent] & xp.asarray(table)[genotypes[..., parent]])
        return xp.stack(alive, axis=-1)

    def canonical(self, genotypes: ArrayT) -> ArrayT:
        """Give option 0 to every dead decision.

        Args:
          genotypes: `int32[..., D]`, numpy or JAX; traceable.

        Returns:
          `int32[..., D]` of the same kind: equal computations, equal genotypes.
        """
        xp: Any = jnp if isinstance(genotypes, jax.Array) else np
        return xp.where(self.alive(genotypes), genotypes, 0)

    def canonical_weights(self, weights: jax.Array) -> jax.Array:
        """Give a soft architecture's dead decisions option 0, by their probability.

        A decision that is alive with probability p keeps p of its row and moves the
        rest to option 0. At one-hot rows this is `canonical`.

        Args:
          weights: `float[D, O]`, rows on the simplex.

        Returns:
          `float[D, O]`.
        """
        alive: list[Any] = []
        rows = []
        first = jnp.zeros(self.max_options, weights.dtype).at[0].set(1)
        for d, condition in enumerate(self._conditions):
            if condition is None:
                alive.append(None)
                rows.append(weights[d])
                continue
            parent, table = condition
            p = jnp.sum(jnp.where(table, weights[parent], 0))
            p = p if alive[parent] is None else p * alive[parent]
            alive.append(p)
            rows.append(p * weights[d] + (1 - p) * first)
        return jnp.stack(rows)

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
        table = np.asarray(allowed, bool) & self.valid
        for d in reversed(range(self.num_decisions)):
            condition = self._conditions[d]
            if condition is not None and not table[d, 0]:
                table[condition[0]] &= condition[1]
        empty = [self.names[d] for d in np.flatnonzero(~table.any(1))]
        if empty:
            raise SpaceError(
                f"No option of {', '.join(empty)} is allowed in space {self.name!r}; "
                "allow at least one option of each decision."
            )
        return table

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
        array = np.asarray(genotypes)
        if array.ndim == 0 or array.shape[-1] != self.num_decisions:
            raise SpaceError(
                f"{where}: found shape {array.shape}, but space {self.name!r} has "
                f"{self.num_decisions} decisions; the last axis must be that long."
            )
        if not np.issubdtype(array.dtype, np.integer):
            raise SpaceError(
                f"{where}: found dtype {array.dtype}; option indices are integers."
            )
        wrong = (array < 0) | (array >= np.asarray(self.num_options))
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            decision = self.decisions[at[-1]]
            row = f" of row {at[:-1]}" if len(at) > 1 else ""
            raise SpaceError(
                f"{where}: decision {decision.name!r}{row} has index {array[at]}; "
                f"allowed are 0 to {len(decision.options) - 1}, for the options "
                f"{decision.options}."
            )
        return array.astype(np.int32)

    def decode(self, genotype: Any) -> dict[str, Option]:
        """Name the option that each decision takes.

        Args:
          genotype: integers `[D]`.

        Returns:
          `{decision: option}` in the space's order.
        """
        indices = self.validate(genotype)
        return {
            decision.name: decision.options[int(i)]
            for decision, i in zip(self.decisions, indices, strict=True)
        }

    def encode(self, choices: Mapping[str, Option]) -> np.ndarray:
        """Read named options into a genotype.

        Args:
          choices: an option for every decision; dead ones may be left out.

        Returns:
          `np.int32[D]`, canonical.

        Raises:
          SpaceError: an unknown decision or option, or a live decision left out.
        """
        for name in choices:
            if name not in self.names:
                raise SpaceError(
                    f"Space {self.name!r} has no decision {name!r}. "
                    f"{nearest(name, self.names)}"
                )
        genotype = np.zeros(self.num_decisions, np.int32)
        for d, decision in enumerate(self.decisions):
            if decision.name not in choices:
                continue
            option = choices[decision.name]
            if option not in decision.options:
                raise SpaceError(
                    f"Decision {decision.name!r} of space {self.name!r} has no option "
                    f"{option!r}; allowed are {decision.options}."
                )
            genotype[d] = decision.options.index(option)
        missing = [
            name
            for name, alive in zip(self.names, self.alive(genotype), strict=True)
            if alive and name not in choices
        ]
        if missing:
            raise SpaceError(
                f"No option given for {', '.join(missing)} of space {self.name!r}."
            )
        return self.canonical(genotype)

    def id(self, genotype: Any) -> str:
        """Name a genotype, the same for equal computations.

        Args:
          genotype: integers `[D]`.

        Returns:
          Its canonical indices joined by dashes where that is short, otherwise the
          first 10 hexadecimal digits of their SHA-256. Safe as a file name.
        """
        canonical = self.canonical(self.validate(genotype))
        text = "-".join(str(int(i)) for i in canonical)
        if len(text) <= 24:
            return text
        return "g" + hashlib.sha256(text.encode()).hexdigest()[:10]

    # ------------------------------------------------------------ enumeration
    def enumerate(self) -> np.ndarray:
        """List every canonical genotype, in lexicographic order.

        Returns:
          `np.int32[size, D]`.

        Raises:
          SpaceError: there are more than a million.
        """
        if self.size > ENUMERATION_LIMIT:
            raise SpaceError(
                f"Space {self.name!r} has {self.size:.3g} canonical genotypes; at most "
                f"{ENUMERATION_LIMIT} are listed. Sample it instead."
            )
        rows = np.zeros((1, 0), np.int32)
        for d in range(self.num_decisions):
            blocks = []
            padded = np.zeros((len(rows), self.num_decisions), np.int32)
            padded[:, :d] = rows
            live = self.alive(padded)[:, d]
            for option in range(self.num_options[d]):
                keep = rows if option == 0 else rows[live]
                column = np.full((len(keep), 1), option, np.int32)
                blocks.append(np.concatenate([keep, column], axis=1))
            rows = np.concatenate(blocks)
        order = np.lexsort(rows.T[::-1])
        return rows[order]

    # -------------------------------------------------------------- encodings
    def one_hot(self, genotypes: ArrayT) -> ArrayT:
        """Encode genotypes by one indicator for each option.

        Args:
          genotypes: `int32[..., D]`; made canonical first.

        Returns:
          `float32[..., sum(num_options)]`.
        """
        xp: Any = jnp if isinstance(genotypes, jax.Array) else np
        canonical = self.canonical(genotypes)
        columns = [
            (canonical[..., d, None] == xp.arange(n)).astype(np.float32)
            for d, n in enumerate(self.num_options)
        ]
        return xp.concatenate(columns, axis=-1)

    def ordinal(self, genotypes: ArrayT) -> ArrayT:
        """Encode genotypes by each option's place among its decision's, 0 to 1.

        Args:
          genotypes: `int32[..., D]`; made canonical first.

        Returns:
          `float32[..., D]`.
        """
        last = np.maximum(np.asarray(self.num_options) - 1, 1).astype(np.float32)
        return self.canonical(genotypes).astype(np.float32) / last

    # ------------------------------------------------------------------- JSON
    def to_json(self) -> dict[str, Any]:
        """Write the space as JSON data, under a schema version."""
        return {
            "schema": SCHEMA_VERSION,
            "name": self.name,
            "decisions": [
                {
                    "name": decision.name,
                    "options": list(decision.options),
                    "requires": decision.requires
                    and [decision.requires[0], list(decision.requires[1])],
                }
                for decision in self.decisions
            ],
        }

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
        if data.get("schema") != SCHEMA_VERSION:
            raise SpaceError(
                f"Found a search space of schema {data.get('schema')!r}; this version "
                f"reads schema {SCHEMA_VERSION}."
            )
        try:
            decisions = tuple(
                Decision(
                    row["name"],
                    tuple(row["options"]),
                    (row["requires"][0], tuple(row["requires"][1]))
                    if row["requires"]
                    else None,
                )
                for row in data["decisions"]
            )
            return cls(data["name"], decisions)
        except (KeyError, TypeError, IndexError) as error:
            raise SpaceError(
                f"This is no search space: {error!r} in {data}."
            ) from error

    @functools.cached_property
    def hash(self) -> str:
        """16 hexadecimal digits that change when, and only when, a decision does."""
        content = json.dumps(self.to_json()["decisions"], sort_keys=True)
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
        table = jnp.asarray(self.valid if allowed is None else allowed)
        logits = jnp.where(table, 0.0, -jnp.inf)
        drawn = jax.random.categorical(
            key, logits[None], axis=-1, shape=(num, self.num_decisions)
        )
        return self.canonical(drawn.astype(jnp.int32))

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
        genotypes = jnp.asarray(genotypes)
        num = jnp.asarray(self.num_options, jnp.int32)
        k_change, k_forced, k_step = jax.random.split(key, 3)
        p = 1 / self.num_decisions if rate is None else rate
        change = jax.random.bernoulli(k_change, p, genotypes.shape)
        movable = self.alive(genotypes) & (num > 1)[None]
        scores = jnp.where(
            movable, jax.random.uniform(k_forced, genotypes.shape), jnp.float32(-1)
        )
        forced = jnp.arange(self.num_decisions)[None] == scores.argmax(-1)[:, None]
        change = (change | forced) & (num > 1)[None]
        # A step of 1 to n-1 around the ring of options is uniform over the others.
        span = jnp.maximum(num - 1, 1)[None]
        step = 1 + jax.random.randint(k_step, genotypes.shape, 0, span)
        moved = (genotypes + step) % num[None]
        return self.canonical(jnp.where(change, moved, genotypes).astype(jnp.int32))

    def crossover(self, key: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
        """Take each decision from one of two parents, evenly.

        Args:
          key: a JAX random key.
          a: `int32[P, D]`.
          b: `int32[P, D]`.

        Returns:
          `int32[P, D]`, canonical; traceable.
        """
        a, b = jnp.asarray(a), jnp.asarray(b)
        first = jax.random.bernoulli(key, 0.5, a.shape)
        return self.canonical(jnp.where(first, a, b))

    def neighbours(self, genotype: Any) -> np.ndarray:
        """List the canonical genotypes that differ in one decision.

        Args:
          genotype: integers `[D]`.

        Returns:
          `np.int32[N, D]`, each once, without the genotype itself.
        """
        origin = self.canonical(self.validate(genotype))
        rows = []
        for d, live in enumerate(self.alive(origin)):
            for option in range(self.num_options[d] if live else 0):
                row = origin.copy()
                row[d] = option
                rows.append(self.canonical(row))
        unique = np.unique(np.asarray(rows, np.int32), axis=0)
        return unique[(unique != origin[None]).any(1)]
