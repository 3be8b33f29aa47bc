"""How controllers come by genotypes that are feasible, new and all different.

Rejection in bounded rounds, each a whole batch: a constraint that almost nothing meets
costs a fixed number of draws, not an endless loop.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError
from nas.search.base import Problem
from search_spaces import SearchSpace

Draw = Callable[[jax.Array], np.ndarray]
"""A random key -> int32[N, D]: canonical candidates, feasible or not."""

ROUNDS = 8


def propose(
    key: jax.Array, problem: Problem, num: int, draw: Draw, known: np.ndarray
) -> np.ndarray:
    """Propose by a controller's own draw; where that falls short, by chance.

    Args:
      key: a JAX random key.
      problem: what is searched.
      num: P, how many to propose.
      draw: the controller's way of making candidates; called with a new key each round.
      known: int32[N, D], feasible genotypes that need not be proposed again.

    Returns:
      int32[P, D], feasible. New ones come first, then known ones if too few new were
      found; only if both are too few does any come twice.

    Raises:
      UserError: no feasible genotype was found.
    """
    own, chance = jax.random.split(key)
    batch = fresh(own, problem, num, draw, known)
    if len(batch) < num:
        taken = np.concatenate([known, batch])
        more = random_feasible(chance, problem, num - len(batch), taken)
        batch = np.concatenate([batch, more])
    if len(batch) == num:
        return batch
    spare = {row.tobytes(): row for row in (*batch, *known, *problem.known)}
    if not spare:
        raise UserError(
            f"no architecture of space {problem.space.name!r} that meets the "
            f"constraints on its costs was found in {2 * ROUNDS} rounds of sampling: "
            "loosen --where, or `nas profile` the experiment to see what costs it spans"
        )
    rows = np.asarray(list(spare.values()), np.int32)
    return rows[np.arange(num) % len(rows)]


def random_feasible(
    key: jax.Array, problem: Problem, num: int, avoid: np.ndarray
) -> np.ndarray:
    """Draw feasible genotypes; if sampling meets too few, walk from known ones.

    Args:
      key: a JAX random key.
      problem: what is searched; walks start from its seeds too.
      num: how many are wanted.
      avoid: int32[N, D], feasible genotypes that are not wanted; walks start from them.

    Returns:
      int32[F, D] with F at most `num`: feasible, all different, none to be avoided.
    """
    by_sample, by_walk = jax.random.split(key)
    # One size, or few: each is a program to compile.
    pool = max(256, 2 << (num - 1).bit_length())
    found = fresh(
        by_sample, problem, num, lambda k: sample(problem.space, k, pool), avoid
    )
    origins = np.concatenate([found, avoid, problem.known])
    if len(found) == num or not len(origins):
        return found

    def walk(walk_key: jax.Array) -> np.ndarray:
        k_pick, k_mutate = jax.random.split(walk_key)
        rows = np.asarray(jax.random.randint(k_pick, (pool,), 0, len(origins)))
        return mutate(problem.space, k_mutate, origins[rows], None)

    taken = np.concatenate([avoid, found])
    return np.concatenate(
        [found, fresh(by_walk, problem, num - len(found), walk, taken)]
    )


def fresh(
    key: jax.Array, problem: Problem, num: int, draw: Draw, avoid: np.ndarray
) -> np.ndarray:
    """Keep what is feasible and new of a bounded number of draws.

    Args:
      key: a JAX random key.
      problem: what is searched.
      num: how many are wanted.
      draw: makes candidates.
      avoid: int32[N, D], genotypes that are not wanted.

    Returns:
      int32[F, D] with F at most `num`: feasible, all different, none to be avoided.
    """
    seen = {row.tobytes() for row in np.asarray(avoid, np.int32)}
    kept: list[np.ndarray] = []
    for attempt in range(ROUNDS):
        candidates = np.asarray(draw(jax.random.fold_in(key, attempt)), np.int32)
        for row in candidates[problem.feasible(candidates)]:
            if len(kept) < num and row.tobytes() not in seen:
                seen.add(row.tobytes())
                kept.append(row)
        if len(kept) == num:
            break
    return np.asarray(kept, np.int32).reshape(-1, problem.space.num_decisions)


@functools.partial(jax.jit, static_argnames=("space", "num"))
def _sample(space: SearchSpace, key: jax.Array, num: int) -> jax.Array:
    return space.sample(key, num)


@functools.partial(jax.jit, static_argnames=("space", "rate"))
def _mutate(
    space: SearchSpace, key: jax.Array, genotypes: jax.Array, rate: float | None
) -> jax.Array:
    return space.mutate(key, genotypes, rate)


@functools.partial(jax.jit, static_argnames=("space", "probability"))
def _crossover(
    space: SearchSpace, key: jax.Array, a: jax.Array, b: jax.Array, probability: float
) -> jax.Array:
    k_mix, k_whether = jax.random.split(key)
    mixed = space.crossover(k_mix, a, b)
    whether = jax.random.bernoulli(k_whether, probability, (a.shape[0], 1))
    return jnp.where(whether, mixed, a)


def sample(space: SearchSpace, key: jax.Array, num: int) -> np.ndarray:
    """Draw int32[num, D] canonical genotypes; compiled once for each size."""
    return np.asarray(_sample(space, key, num))


def mutate(
    space: SearchSpace, key: jax.Array, genotypes: np.ndarray, rate: float | None
) -> np.ndarray:
    """Mutate int32[P, D] genotypes at a rate; compiled once for each size."""
    return np.asarray(_mutate(space, key, genotypes, rate))


def crossover(
    space: SearchSpace,
    key: jax.Array,
    a: np.ndarray,
    b: np.ndarray,
    probability: float,
) -> np.ndarray:
    """Cross int32[P, D] parents, each pair with a probability, otherwise keep `a`."""
    return np.asarray(_crossover(space, key, a, b, probability))
