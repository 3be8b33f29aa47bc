"""Marks in a program that say where a network's primary blocks begin and end.

They change no value and cost nothing once compiled; who reads the program, such as a
proxy that scores untrained networks, finds the blocks by them.
"""

from collections.abc import Callable

import jax
from jax.ad_checkpoint import checkpoint_name


def mark_block(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """Run a primary block of a network: a cell, a residual block, a reduction.

    Args:
      function: the block.
      x: `[B, .., I]`, what enters it.

    Returns:
      `[B, .., O]`, what leaves it.
    """
    return mark_features(function(checkpoint_name(x, "block_input")))


def mark_features(x: jax.Array) -> jax.Array:
    """Mark features `[B, .., O]`, such as those that enter the first block."""
    return checkpoint_name(x, "block_output")


def mark_ends(weights: jax.Array) -> jax.Array:
    """Mark the weights of the outputs of blocks that follow one another.

    Args:
      weights: `[1 + L]`, of what enters the first of L blocks and of what leaves each;
        the blocks after the last positive one have no effect.

    Returns:
      The same.
    """
    return checkpoint_name(weights, "block_ends")
