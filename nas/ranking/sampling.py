"""Which architectures of a space a truth is made of."""

from collections.abc import Callable

import jax
import numpy as np

from nas.errors import UserError
from search_spaces import SearchSpace

# More than this many are not listed but drawn.
MOST_LISTED = 100_000
_POOL = 50


def stratified_sample(
    space: SearchSpace, cost: Callable[[np.ndarray], np.ndarray], num: int, seed: int
) -> np.ndarray:
    """Take every architecture of a space, or a sample that covers all costs evenly.

    The architectures (or, of a large space, many random ones) are sorted by cost and
    cut into `num` strata of equal size, of each of which one is drawn.

    Args:
      space: the search space.
      cost: `int32[P, D] -> [P]`.
      num: how many; 0 for all.
      seed: decides the draw.

    Returns:
      `int32[P, D]`, canonical, each once.

    Raises:
      UserError: all are asked for and there are too many, or more than there are.
    """
    if num == 0 and space.size > MOST_LISTED:
        raise UserError(
            f"The space {space.name} has {space.size:,} architectures, too many to "
            "train all. Set truth.architectures to how many to draw."
        )
    if num > space.size:
        raise UserError(
            f"truth.architectures is {num:,}, and the space {space.name} has "
            f"{space.size:,}. Take fewer, or 0 for all."
        )
    if space.size <= MOST_LISTED:
        pool = space.enumerate()
        if num in (0, len(pool)):
            return pool
    else:
        drawn = space.sample(jax.random.key(seed), _POOL * num)
        pool = np.unique(np.asarray(drawn), axis=0)
    return pool[stratified_rows(cost(pool), num, seed)].astype(np.int32)


def stratified_rows(costs: np.ndarray, num: int, seed: int) -> np.ndarray:
    """Draw one row of each of `num` strata of rising cost.

    Args:
      costs: `[P]`.
      num: at most P.
      seed: decides the draw.

    Returns:
      `int64[num]`, ascending.
    """
    order = np.argsort(costs, kind="stable")
    rng = np.random.Generator(np.random.Philox(seed))
    return np.sort([rng.choice(stratum) for stratum in np.array_split(order, num)])
