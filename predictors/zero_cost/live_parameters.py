"""Live parameters: how many weights the output depends on.

An operation whose output reaches nothing, or that sees only zeros, has weights that a
plain count of parameters counts and that no training moves.
"""

from typing import Any

import jax
import jax.numpy as jnp

from predictors.zero_cost.base import Apply

DRAWS = 4


def live_parameters(
    apply: Apply, params: Any, activity: Any, x: jax.Array, key: jax.Array
) -> jax.Array:
    """Count the weights in arrays of which a gradient is not all zero; traceable.

    The test is by array: an array has effect if the gradient of a random weighing of
    the outputs, at weights moved at random from where they start, is not zero
    everywhere. Inside an array, activity says what is used. Arrays of layers that are
    stacked are live in all of them or in none. A ReLU may be zero for a whole batch by
    chance, so there are several draws of weights, and one that finds an effect is
    enough.

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

    def effects(key: jax.Array) -> Any:
        def weighed(p: Any) -> jax.Array:
            out = apply(p, x)
            return (out * jax.random.normal(key, out.shape, out.dtype)).sum()

        gradients = jax.grad(weighed)(_moved(params, jax.random.fold_in(key, 0)))
        return jax.tree.map(lambda leaf: jnp.any(leaf != 0), gradients)

    found = jax.lax.map(effects, jax.random.split(key, DRAWS))
    counts = jax.tree.map(_count, found, params, activity)
    return jnp.stack(jax.tree.leaves(counts)).sum()


def _moved(params: Any, key: jax.Array) -> Any:
    # A kernel or a scale that starts at zero would hide what comes before it.
    leaves, tree = jax.tree_util.tree_flatten_with_path(params)
    moved = []
    for i, (path, leaf) in enumerate(leaves):
        noise = jax.random.normal(jax.random.fold_in(key, i), leaf.shape, leaf.dtype)
        size = jnp.maximum(jnp.std(leaf), jnp.asarray(0.1, leaf.dtype))
        bias = jax.tree_util.keystr(path[-1:], simple=True) == "bias"
        moved.append(leaf if bias else leaf + size * noise)
    return jax.tree.unflatten(tree, moved)


def _count(effects: jax.Array, leaf: jax.Array, activity: jax.Array) -> jax.Array:
    used = jnp.broadcast_to(activity, leaf.shape).sum()
    return jnp.where(jnp.any(effects), used, 0).astype(jnp.float32)
