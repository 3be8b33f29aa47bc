"""Drawing initial weights, in few compiled programs.

XLA compiles a random draw anew for each shape, slowly for those of several dimensions.
Drawn flat, at sizes rounded up to powers of two, a network's weights need a handful.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

# Variance times fan-in: He et al. 2015 for layers before or after a ReLU (arXiv
# 1502.01852), LeCun et al. 1998 for the others.
HE = 2.0
LECUN = 1.0


def initializer(gain: float = LECUN) -> nnx.Initializer:
    """Make an initializer for Flax's own layers, of the same distribution as `draw`.

    Args:
      gain: the variance times the fan-in, which is taken over all axes but the last.
    """

    def init(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32):
        return _draw(key, shape, math.prod(shape[:-1]), gain).astype(dtype)

    return init


def draw(
    rngs: nnx.Rngs, shape: Sequence[int], fan_in: int, gain: float = LECUN
) -> jax.Array:
    """Draw a tensor from a uniform distribution of a given variance.

    Args:
      rngs: the source of randomness.
      shape: of the tensor.
      fan_in: how many inputs an output sums over.
      gain: the variance times the fan-in.

    Returns:
      `float32`, of mean 0 and variance `gain / fan_in`.
    """
    return _draw(rngs.params(), shape, fan_in, gain)


def _draw(key: jax.Array, shape: Sequence[int], fan_in: int, gain: float) -> jax.Array:
    num = math.prod(shape)
    rounded = 1 << (num - 1).bit_length()
    flat = jax.random.uniform(key, (rounded,), jnp.float32, minval=-1.0)[:num]
    return (math.sqrt(3 * gain / fan_in) * flat).reshape(shape)
