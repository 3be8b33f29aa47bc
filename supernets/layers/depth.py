"""How many of the stacked layers an architecture has."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from search_spaces import Choice
from supernets.layers.marks import mark_block, mark_ends
from supernets.layers.mode import Mode
from supernets.layers.stacking import scan_layers


def scan_to_depth(
    module: nnx.Module,
    body: Callable[[Any, jax.Array, Any], jax.Array],
    x: jax.Array,
    depth: Choice,
    mode: Mode,
    xs: Any = None,
    before: int = 0,
) -> jax.Array:
    """Run stacked layers, and give `sum_d w_d x_d` over what they put out.

    The sum is accumulated as the layers run, so it needs no memory for every layer. A
    hard choice weighs one output by 1; the layers after it are given exactly zero
    gradient.

    Args:
      module: from `stacked`, with as many layers as the greatest depth leaves to it.
      body: `(layer, x, inputs) -> x`, of one shape and type.
      x: what enters the first layer.
      depth: over numbers of layers.
      mode: of the pass.
      xs: a tree of arrays with a leading layer axis, one slice for each layer.
      before: how many layers of the depth came before, such as one of another shape;
        a depth of that many gives x itself.

    Returns:
      An array like `x`.

    Raises:
      ValueError: a depth is less than what came before.
    """
    if min(depth.options) < before:
        raise ValueError(
            f"scan_to_depth: the depths {depth.options}, of which one is less than the "
            f"{before} layers that came before the stack."
        )
    # Column 0 stands for x itself, the others for the layers' outputs.
    ends = before + np.arange(1 + max(depth.options) - before)
    member = np.asarray(depth.options)[:, None] == ends
    weights = mark_ends(depth.mask(member).astype(x.dtype))
    ends_at_once = before in depth.options

    def step(
        layer: Any, carry: tuple[jax.Array, jax.Array], inputs: tuple[jax.Array, Any]
    ) -> tuple[jax.Array, jax.Array]:
        weight, own = inputs
        y = mark_block(lambda x: body(layer, x, own), carry[0])
        return y, carry[1] + weight * y

    start = (x, weights[0] * x if ends_at_once else jnp.zeros_like(x))
    return scan_layers(module, step, start, mode, (weights[1:], xs))[1]
