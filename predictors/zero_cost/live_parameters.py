"""Live parameters: how many weights the output depends on.

An operation whose output reaches nothing, or that sees only zeros, has weights that a
plain count of parameters counts and that no training moves.
"""

from typing import Any

import jax
import jax.numpy as jnp

from predictors.zero_cost.base import Apply


def live_parameters(
    apply: Apply, params: Any, activity: Any, x: jax.Array, key: jax.Array
) -> jax.Array:
    """Count the weights in arrays of which a gradient is not all zero; traceable.

    The test is by array: an array has effect if the gradient of a random weighing of
    the outputs, at weights moved at random from where they start, is not zero
    everywhere. Inside an array, activity says what is used. Arrays of layers that are
    stacked are live in all of them or in none.

    Biases (arrays named so) stay where they start, at zero: what sees nothing but a
    bias that was moved would count as live. The bias itself counts, for the output
    does depend on it.

    Args:
      apply: the network, normalised by the batch or not at all.
      params: its weights.
      activity: a tree like the parameters, broadcastable to them, in [0, 1].
      x: a batch that excites the network, such as gaussian noise.
      key: for the movement and the weighing.

    Returns:
      `float32[]`, a count.
    """
    leaves, tree = jax.tree_util.tree_flatten_with_path(params)
    moved = [
        _moved(path, leaf, jax.random.fold_in(key, i))
        for i, (path, leaf) in enumerate(leaves)
    ]

    def weighed(p: Any) -> jax.Array:
        out = apply(p, x)
        weight = jax.random.normal(jax.random.fold_in(key, len(leaves)), out.shape)
        return (out * weight).sum()

    gradients = jax.grad(weighed)(jax.tree.unflatten(tree, moved))
    counts = jax.tree.map(_used, gradients, activity)
    return jnp.stack(jax.tree.leaves(counts)).sum()


def _moved(path: Any, leaf: jax.Array, key: jax.Array) -> jax.Array:
    # A kernel or a scale that starts at zero would hide what comes before it.
    if jax.tree_util.keystr(path[-1:], simple=True) == "bias":
        return leaf
    return leaf + 0.1 * jax.random.normal(key, leaf.shape, leaf.dtype)


def _used(gradient: jax.Array, activity: jax.Array) -> jax.Array:
    used = jnp.broadcast_to(activity, gradient.shape).sum()
    return jnp.where(jnp.any(gradient != 0), used, 0).astype(jnp.float32)
