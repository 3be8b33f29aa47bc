"""Ways from genotypes to genotypes: sampling, mutation, crossover, neighbours.

These are the functions behind the methods of `SearchSpace`, where they are documented.
All results are canonical.
"""

import jax
import jax.numpy as jnp
import numpy as np

from search_spaces.conditions import alive, canonical
from search_spaces.decision import DecisionList


def sample(
    space: DecisionList,
    key: jax.Array,
    num: int,
    allowed: np.ndarray | jax.Array | None,
) -> jax.Array:
    """Draw genotypes, each decision uniform over its allowed options."""
    table = jnp.asarray(space.valid if allowed is None else allowed)
    logits = jnp.where(table, jnp.float32(0), -jnp.inf)
    drawn = jax.random.categorical(
        key, logits[None], axis=-1, shape=(num, space.num_decisions)
    )
    return canonical(space, drawn.astype(jnp.int32))


def mutate(
    space: DecisionList, key: jax.Array, genotypes: jax.Array, rate: float | None
) -> jax.Array:
    """Change some decisions of each genotype, a live one in any case."""
    num = jnp.asarray(space.num_options, jnp.int32)
    k_change, k_forced, k_step = jax.random.split(key, 3)
    p = 1 / space.num_decisions if rate is None else rate
    change = jax.random.bernoulli(k_change, p, genotypes.shape)
    movable = alive(space, genotypes) & (num > 1)[None]
    scores = jax.random.uniform(k_forced, genotypes.shape, jnp.float32)
    scores = jnp.where(movable, scores, jnp.float32(-1))
    forced = jnp.arange(space.num_decisions)[None] == scores.argmax(-1)[:, None]
    change = (change | forced) & (num > 1)[None]
    # A step of 1 to n-1 around the ring of options is uniform over the others.
    span = jnp.maximum(num - 1, 1)[None]
    step = 1 + jax.random.randint(k_step, genotypes.shape, 0, span)
    moved = (genotypes + step) % num[None]
    return canonical(space, jnp.where(change, moved, genotypes).astype(jnp.int32))


def crossover(
    space: DecisionList, key: jax.Array, a: jax.Array, b: jax.Array
) -> jax.Array:
    """Take each decision from one of two parents, evenly."""
    first = jax.random.bernoulli(key, 0.5, a.shape)
    return canonical(space, jnp.where(first, a, b))


def neighbours(space: DecisionList, genotype: np.ndarray) -> np.ndarray:
    """List the canonical genotypes one decision away from a valid one."""
    origin = canonical(space, genotype)
    rows = []
    for d, live in enumerate(alive(space, origin)):
        for option in range(space.num_options[d] if live else 0):
            row = origin.copy()
            row[d] = option
            rows.append(canonical(space, row))
    unique = np.unique(np.asarray(rows, np.int32), axis=0)
    return unique[(unique != origin[None]).any(1)]
