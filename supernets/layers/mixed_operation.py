"""One of several operations, or their weighted sum."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from search_spaces import Choice
from supernets.layers.mode import Mode
from supernets.layers.pooling import average_pool_3x3


class Zero(nnx.Module):
    """Give zeros: no connection."""

    def __call__(self, x: jax.Array, mode: Mode) -> jax.Array:
        """Give zeros like x."""
        return jnp.zeros_like(x)


class Identity(nnx.Module):
    """Give the input: a skip connection."""

    def __call__(self, x: jax.Array, mode: Mode) -> jax.Array:
        """Give x."""
        return x


class AveragePool(nnx.Module):
    """Average over 3x3 neighbourhoods."""

    def __call__(self, x: jax.Array, mode: Mode) -> jax.Array:
        """Pool `[B, H, W, C]` at stride 1."""
        return average_pool_3x3(x)


class MixedOperation(nnx.Module):
    """Candidates for one place in a network, one for each option of a choice.

    A hard choice runs, and differentiates, the chosen candidate alone.

    Attributes:
      operations: modules called as `operation(x, mode)`, all to one shape.
    """

    def __init__(self, operations: Sequence[nnx.Module]) -> None:
        """Keep the candidates, in the order of the options."""
        self.operations = nnx.List(list(operations))

    def __call__(self, x: jax.Array, choice: Choice, mode: Mode) -> jax.Array:
        """Apply the choice's operations to x."""
        parts = [nnx.split(op, nnx.Param, nnx.BatchStat) for op in self.operations]
        states = [tuple(part[1:]) for part in parts]
        branches = [_branch(k, part[0], mode) for k, part in enumerate(parts)]
        if not mode.collect:
            return choice.select(branches, states, x)
        y, stats = choice.select(branches, states, x, has_aux=True)
        for operation, collected in zip(self.operations, stats, strict=True):
            nnx.update(operation, collected)
        return y


def _branch(k: int, graphdef: Any, mode: Mode) -> Callable[..., Any]:
    # Variables reach the branch as operands: a branch may not close over what is
    # differentiated.
    def run(states: list[tuple[Any, Any]], x: jax.Array) -> Any:
        operation = nnx.merge(graphdef, *states[k])
        y = operation(x, mode)
        if not mode.collect:
            return y
        stats = [jax.tree.map(jnp.zeros_like, stat) for _, stat in states]
        stats[k] = nnx.state(operation, nnx.BatchStat)
        return y, stats

    return run
