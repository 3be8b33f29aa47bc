"""Alike layers as one module with a leading axis, run by `lax.scan`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from supernets.layers.mode import Mode


def stacked(make: Callable[[nnx.Rngs], nnx.Module], rngs: nnx.Rngs, num: int) -> Any:
    """Build alike modules and stack their variables on a leading axis.

    Args:
      make: builds one; called once for each layer, with fresh randomness.
      rngs: the source of randomness.
      num: L, at least 1.

    Returns:
      A module of the same kind, each of whose variables has a leading axis L.
    """
    parts = [nnx.split(make(rngs)) for _ in range(num)]
    state = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[s for _, s in parts])
    return nnx.merge(parts[0][0], state)


def scan_layers(
    module: nnx.Module,
    body: Callable[[Any, Any, Any], Any],
    carry: Any,
    mode: Mode,
    xs: Any = None,
) -> Any:
    """Run stacked layers one after the other.

    Args:
      module: from `stacked`.
      body: `(layer, carry, x) -> carry`.
      carry: what enters the first layer.
      mode: when it collects, the layers' statistics are written back to `module`.
      xs: a tree of arrays with a leading layer axis, one slice for each layer.

    Returns:
      What leaves the last layer.
    """
    graphdef, params, stats = nnx.split(module, nnx.Param, nnx.BatchStat)

    def step(carry: Any, inputs: Any) -> tuple[Any, Any]:
        layer = nnx.merge(graphdef, *inputs[:2])
        carry = body(layer, carry, inputs[2])
        return carry, nnx.state(layer, nnx.BatchStat) if mode.collect else None

    carry, collected = jax.lax.scan(step, carry, (params, stats, xs))
    if mode.collect:
        nnx.update(module, collected)
    return carry
