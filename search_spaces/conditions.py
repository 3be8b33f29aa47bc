"""What conditions between decisions imply: liveness, canonical forms, counting.

These are the functions behind the methods of `SearchSpace`, where they are documented.
"""

import math
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from search_spaces.decision import DecisionList
from search_spaces.errors import SpaceError

ArrayT = TypeVar("ArrayT", np.ndarray, jax.Array)

ENUMERATION_LIMIT = 1_000_000
# A decision that is alive with less probability counts as never alive.
NEVER = 1e-14


def alive(space: DecisionList, genotypes: ArrayT) -> ArrayT:
    """Say which decisions have an effect, `bool[..., D]`."""
    xp: Any = jnp if isinstance(genotypes, jax.Array) else np
    live: list[Any] = []
    for condition in space.conditions:
        if condition is None:
            live.append(xp.ones(genotypes.shape[:-1], bool))
        else:
            parent, table = condition
            live.append(live[parent] & xp.asarray(table)[genotypes[..., parent]])
    return xp.stack(live, axis=-1)


def canonical(space: DecisionList, genotypes: ArrayT) -> ArrayT:
    """Give option 0 to every dead decision, `int32[..., D]`."""
    xp: Any = jnp if isinstance(genotypes, jax.Array) else np
    return xp.where(alive(space, genotypes), genotypes, 0)


def canonical_weights(space: DecisionList, weights: jax.Array) -> jax.Array:
    """Move a row to option 0 by the probability that it is dead, `float[D, O]`."""
    live: list[Any] = []
    rows = []
    first = jnp.zeros(space.max_options, weights.dtype).at[0].set(1)
    for d, condition in enumerate(space.conditions):
        if condition is None:
            live.append(None)
            rows.append(weights[d])
            continue
        parent, table = condition
        p = jnp.sum(jnp.where(table, weights[parent], 0))
        p = p if live[parent] is None else p * live[parent]
        live.append(p)
        rows.append(p * weights[d] + (1 - p) * first)
    return jnp.stack(rows)


def live_weights(space: DecisionList, weights: jax.Array) -> jax.Array:
    """Undo `canonical_weights`: each row given that it is alive, `float[D, O]`."""
    live: list[Any] = []
    rows: list[Any] = []
    first = jnp.zeros(space.max_options, weights.dtype).at[0].set(1)
    for d, condition in enumerate(space.conditions):
        if condition is None:
            live.append(None)
            rows.append(weights[d])
            continue
        parent, table = condition
        p = jnp.sum(jnp.where(table, rows[parent], 0))
        p = p if live[parent] is None else p * live[parent]
        live.append(p)
        # The inner `where` keeps 0 / 0, and its gradient, out of the graph; that of
        # the quotient holds 1 / p^2, which overflows before p is zero.
        reached = p > NEVER
        safe = jnp.where(reached, p, 1)
        row = (weights[d] - (1 - p) * first) / safe
        rows.append(jnp.where(reached, row, first))
    return jnp.stack(rows)


def restrict(space: DecisionList, allowed: np.ndarray) -> np.ndarray:
    """Close a table of allowed options under the conditions, `bool[D, O]`."""
    table = np.asarray(allowed, bool) & space.valid
    # Dead decisions take option 0, so one without it must live, and so must whatever
    # it depends on: children come after parents, one pass from the end sees them first.
    must_live = np.zeros(space.num_decisions, bool)
    for d in reversed(range(space.num_decisions)):
        condition = space.conditions[d]
        if condition is not None and (must_live[d] or not table[d, 0]):
            parent, under = condition
            table[parent] &= under
            must_live[parent] = True
    empty = [space.names[d] for d in np.flatnonzero(~table.any(1))]
    if empty:
        raise SpaceError(
            f"No option of {', '.join(empty)} is allowed in space {space.name!r}; "
            "allow at least one option of each decision."
        )
    return table


def size(space: DecisionList) -> int:
    """Count canonical genotypes, exactly and without listing them."""
    children: list[list[tuple[int, np.ndarray]]] = [[] for _ in space.decisions]
    for d, condition in enumerate(space.conditions):
        if condition is not None:
            children[condition[0]].append((d, condition[1]))
    total = 1
    counts = [0] * space.num_decisions
    for d in reversed(range(space.num_decisions)):
        counts[d] = sum(
            math.prod(counts[c] for c, table in children[d] if bool(table[option]))
            for option in range(space.num_options[d])
        )
        if space.conditions[d] is None:
            total *= counts[d]
    return total


def enumerate_canonical(space: DecisionList) -> np.ndarray:
    """List every canonical genotype, in lexicographic order, `np.int32[size, D]`."""
    count = size(space)
    if count > ENUMERATION_LIMIT:
        raise SpaceError(
            f"Space {space.name!r} has {count:.3g} canonical genotypes; at most "
            f"{ENUMERATION_LIMIT} are listed. Sample it instead."
        )
    rows = np.zeros((1, 0), np.int32)
    for d in range(space.num_decisions):
        blocks = []
        padded = np.zeros((len(rows), space.num_decisions), np.int32)
        padded[:, :d] = rows
        live = alive(space, padded)[:, d]
        for option in range(space.num_options[d]):
            keep = rows if option == 0 else rows[live]
            column = np.full((len(keep), 1), option, np.int32)
            blocks.append(np.concatenate([keep, column], axis=1))
        rows = np.concatenate(blocks)
    return rows[np.lexsort(rows.T[::-1])]
