"""Partitions: which architectures share weights at all.

A partition splits the genotypes of a space among S sub-supernets (Zhao et al.,
"Few-shot Neural Architecture Search", ICML 2021, arXiv 2006.06863). Each has weights of
its own and a table of the options it allows; every canonical genotype is allowed in
exactly one of them. A partition may start with several, and may refine them while
training goes on: at given steps, each sub-supernet is split by one decision.

Letters in shapes: S sub-supernets, D decisions, O options.
"""

import abc
import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError
from nas.strategies import Batch, Context
from search_spaces import SearchSpace

_PROBES = 512
_MOST_LISTED = 4096


@dataclasses.dataclass(frozen=True)
class Refinement:
    """How one sub-supernet is split.

    Attributes:
      decision: the decision whose options are divided.
      groups: of indices of its options; each allowed option is in one of them.
      evidence: what it was decided by, as JSON values.
    """

    decision: str
    groups: tuple[tuple[int, ...], ...]
    evidence: dict[str, Any] = dataclasses.field(default_factory=dict)


class Memory(Protocol):
    """Keeps measurements, so that a killed run does not repeat them."""

    def load(self, name: str) -> np.ndarray | None:
        """Give what was kept under a name, or None."""
        ...

    def save(self, name: str, values: np.ndarray) -> None:
        """Keep an array under a name, in place of what was there."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Probe:
    """What the engine gives a partition to look at the weights.

    Attributes:
      number: which split it is, from 0.
      context: the space, the forward pass and the activity.
      weights: the weights of one sub-supernet, by its index.
      data: the weights split, on the devices; an operand of `draw`.
      draw: `(data, key, batch size) -> Batch`, augmented; traceable.
      key: of this refinement alone.
      memory: where measurements are kept.
      progress: `(title, total) -> bar` with `bar.update(done, **values)`.
      pause: called between measurements; raises if the run was told to stop.
    """

    number: int
    context: Context
    weights: Callable[[int], Any]
    data: Any
    draw: Callable[[Any, jax.Array, int], Batch]
    key: jax.Array
    memory: Memory
    progress: Callable[[str, int], AbstractContextManager[Any]]
    pause: Callable[[], None]


class Partition(abc.ABC):
    """Says which options each sub-supernet allows. Concrete ones are frozen."""

    @abc.abstractmethod
    def tables(self, space: SearchSpace) -> np.ndarray:
        """Give the options allowed at first, before they are closed under conditions.

        Args:
          space: the search space.

        Returns:
          `bool[S, D, O]`.
        """

    @property
    def at(self) -> tuple[int, ...]:
        """The steps after which every sub-supernet is split; by default none."""
        return ()

    @property
    def restarts(self) -> bool:
        """Whether weights, optimiser and schedule begin anew after the last split."""
        return False

    def refine(
        self, space: SearchSpace, tables: np.ndarray, probe: Probe
    ) -> list[Refinement]:
        """Decide how each sub-supernet is split; called after each step of `at`.

        Args:
          space: the search space.
          tables: `bool[S, D, O]`, closed under the conditions.
          probe: for measuring.

        Returns:
          One refinement for each sub-supernet.
        """
        del space, tables, probe
        raise UserError(
            f"partition: {type(self).__name__} gives steps to split at, but does not "
            "say how; define its `refine`."
        )


def checked_tables(partition: Partition, space: SearchSpace) -> np.ndarray:
    """Close a partition's first tables under the space's conditions, and check them.

    Args:
      partition: the partition.
      space: the search space.

    Returns:
      `bool[S, D, O]`: each canonical genotype is allowed in exactly one of S.

    Raises:
      UserError: some genotype is allowed in no sub-supernet, or in several.
    """
    tables = np.stack([space.restrict(table) for table in partition.tables(space)])
    _check(tables, space)
    return tables


def check_steps(partition: Partition, steps: int) -> None:
    """Refuse splits that training does not reach.

    Args:
      partition: the partition.
      steps: of the whole training.

    Raises:
      UserError: the steps do not rise from 1 to below the end of training.
    """
    at = partition.at
    if list(at) != sorted(set(at)) or (at and not 1 <= at[0] <= at[-1] < steps):
        raise UserError(
            f"partition: it splits after the steps {', '.join(map(str, at))}, and "
            f"training has {steps}; the steps must rise, from 1 to {steps - 1}."
        )


def divide(
    tables: np.ndarray, refinements: list[Refinement], space: SearchSpace
) -> tuple[np.ndarray, np.ndarray]:
    """Split each sub-supernet as it was decided.

    Args:
      tables: `bool[S, D, O]`.
      refinements: one for each of S.
      space: the search space.

    Returns:
      The new tables, `bool[S', D, O]`, the parts of one sub-supernet side by side; and
      `int64[S']`, the sub-supernet that each is a part of.

    Raises:
      UserError: a genotype would be allowed in none of them, or in several.
    """
    parts, homes = [], []
    for s, (table, refinement) in enumerate(zip(tables, refinements, strict=True)):
        d = space.names.index(refinement.decision)
        for group in refinement.groups:
            part = table.copy()
            part[d] &= np.isin(np.arange(space.max_options), group)
            parts.append(space.restrict(part))
            homes.append(s)
    divided = np.stack(parts)
    _check(divided, space)
    return divided, np.asarray(homes)


def assign(tables: jax.Array, genotype: jax.Array) -> jax.Array:
    """Find the sub-supernet that a genotype belongs to.

    Args:
      tables: `bool[S, D, O]`.
      genotype: `int32[D]`, canonical; traceable.

    Returns:
      `int32[]`, the index of the sub-supernet.
    """
    columns = jnp.arange(tables.shape[1])
    return jnp.argmax(tables[:, columns, genotype].all(-1)).astype(jnp.int32)


def _check(tables: np.ndarray, space: SearchSpace) -> None:
    """Look up genotypes, all of a small space, and count their sub-supernets."""
    probes = np.asarray(space.sample(jax.random.key(0), _PROBES))
    if space.size <= _MOST_LISTED:
        probes = space.enumerate()
    columns = np.arange(space.num_decisions)
    homes = np.sum([table[columns, probes].all(-1) for table in tables], axis=0)
    if (homes != 1).any():
        worst = int(np.argmax(homes != 1))
        raise UserError(
            f"partition: architecture {space.decode(probes[worst])} is allowed in "
            f"{int(homes[worst])} sub-supernets of {len(tables)}; every architecture "
            "must be allowed in exactly one."
        )
