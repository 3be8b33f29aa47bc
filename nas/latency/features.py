"""What a latency is explained by: the options in effect, and what the network costs.

Letters in shapes: P population, D decisions, O options, F features.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from search_spaces import Architecture, SearchSpace
from supernets import Supernet

# Two widths that meet are multiplied: a cost that no sum over options has.
COSTS = ("macs", "params")


def encode(supernet: Supernet, genotypes: np.ndarray) -> np.ndarray:
    """Encode genotypes.

    Args:
      supernet: of the genotypes.
      genotypes: `int32[P, D]`.

    Returns:
      `float64[P, F]`: for each option whether it is taken and has an effect, in the
      order of `SearchSpace.one_hot`; then the costs.
    """
    space = supernet.space
    taken = np.asarray(space.one_hot(genotypes), np.float64)
    alive = np.repeat(space.alive(genotypes), space.num_options, axis=1)
    costs = supernet.costs(genotypes)
    counts = np.stack([costs[name] for name in COSTS], axis=1)
    return np.concatenate([taken * alive, counts.astype(np.float64)], axis=1)


def encode_mixture(supernet: Supernet, weights: jax.Array) -> jax.Array:
    """Encode what a soft architecture is on average.

    Args:
      supernet: of the architecture.
      weights: `float32[D, O]`, rows on the simplex, as `Architecture.soft` takes them;
        traced.

    Returns:
      `float32[F]`; at one-hot rows what `encode` gives.
    """
    space = supernet.space
    live = alive_probability(space, weights)[:, None] * weights
    d, o = np.nonzero(space.valid)
    costs = supernet.cost(Architecture.soft(space, weights))
    counts = jnp.stack([costs[name] for name in COSTS])
    return jnp.concatenate([live[d, o], counts])


def alive_probability(space: SearchSpace, weights: jax.Array) -> jax.Array:
    """Say how probable it is that each decision has an effect.

    Args:
      space: whose decisions.
      weights: `float32[D, O]`, rows on the simplex: independent choices.

    Returns:
      `float32[D]`.
    """
    live: list[Any] = []
    for condition in space.conditions:
        if condition is None:
            live.append(jnp.ones((), weights.dtype))
            continue
        parent, table = condition
        live.append(live[parent] * jnp.sum(jnp.where(table, weights[parent], 0)))
    return jnp.stack(live)
