"""A running mean of the weights, and which weights are looked at after training.

The exponential moving average of weights (Polyak and Juditsky 1992; in networks, Cai et
al. 2021, arXiv 2102.07200, and others) is less noisy than the last weights. It starts
at the initial weights and is not corrected for that; instead its decay warms up, as is
common: after t updates it is the least of the setting and (1 + t) / (10 + t), so that
the start is soon forgotten.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp


def moved(average: Any, params: Any, decay: float, updates: jax.Array) -> Any:
    """Move the average towards new weights.

    Args:
      average: a tree like the weights.
      params: the weights after an update.
      decay: the setting, the most of the old average that stays.
      updates: `int32[]`, how many there were before this one.

    Returns:
      The new average.
    """
    count = updates.astype(jnp.float32)
    kept = jnp.minimum(jnp.float32(decay), (1 + count) / (10 + count))
    # From the old average on, so that equal weights leave it as it is.
    return jax.tree.map(
        lambda old, new: old + (1 - kept) * (new - old), average, params
    )


def evaluated(state: Mapping[str, Any]) -> Any:
    """Give the weights to evaluate, search, compare, export and fine-tune from.

    Args:
      state: of training.

    Returns:
      The running mean if there is one, or else the last weights; leading axis S.
    """
    return state["average"] if "average" in state else state["params"]
