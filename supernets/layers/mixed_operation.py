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

    Options whose candidates share weights may be one group with one operation, which
    is then given the choice among them: convolutions of several sizes that are slices
    of one kernel (Sukthanker et al. 2024, arXiv 2312.10440). The mass of the group
    multiplies the operation from outside. Inside, the normalisation that follows a
    convolution would take it away, and a hard choice would have no gradient.

    Attributes:
      operations: modules called as `operation(x, mode)`, all to one shape; that of a
        group of several options as `operation(x, mode, within)`, the choice over all
        options under the condition that it is one of the group.
      groups: for each operation the indices of its options.
    """

    def __init__(
        self,
        operations: Sequence[nnx.Module],
        groups: Sequence[Sequence[int]] | None = None,
    ) -> None:
        """Keep the candidates.

        Args:
          operations: in the order of the options, or of the groups.
          groups: for each operation the indices of its options; None: one each.
        """
        self.operations = nnx.List(list(operations))
        self.groups = tuple(
            map(tuple, groups or [(k,) for k in range(len(operations))])
        )

    def __call__(self, x: jax.Array, choice: Choice, mode: Mode) -> jax.Array:
        """Apply the choice's operations to x."""
        parts = [nnx.split(op, nnx.Param, nnx.BatchStat) for op in self.operations]
        states = [tuple(part[1:]) for part in parts]
        within: dict[int, Choice] = {}
        if any(len(group) > 1 for group in self.groups):
            choice, within = _grouped(choice, self.groups)
        branches = [_branch(k, part[0], mode) for k, part in enumerate(parts)]
        if not mode.collect:
            return choice.select(branches, states, x, within)
        y, stats = choice.select(branches, states, x, within, has_aux=True)
        for operation, collected in zip(self.operations, stats, strict=True):
            nnx.update(operation, collected)
        return y


def _grouped(
    choice: Choice, groups: tuple[tuple[int, ...], ...]
) -> tuple[Choice, dict[int, Choice]]:
    """Give the choice between groups, and within those of several options.

    Within, options outside of the group have weight 0, so that a tensor's declaration
    over all options holds.
    """
    outer, inner = choice.group(groups)
    within = {}
    for g, (group, part) in enumerate(zip(groups, inner, strict=True)):
        if len(group) > 1:
            members = jnp.asarray(group, jnp.int32)
            weights = jnp.zeros_like(choice.weights).at[members].set(part.weights)
            index = None if part.index is None else members[part.index]
            within[g] = Choice(weights, index, choice.names, choice.options)
    return outer, within


def _branch(k: int, graphdef: Any, mode: Mode) -> Callable[..., Any]:
    # Variables reach the branch as operands: a branch may not close over what is
    # differentiated.
    def run(
        states: list[tuple[Any, Any]], x: jax.Array, within: dict[int, Choice]
    ) -> Any:
        operation = nnx.merge(graphdef, *states[k])
        y = operation(x, mode, within[k]) if k in within else operation(x, mode)
        if not mode.collect:
            return y
        stats = [jax.tree.map(jnp.zeros_like, stat) for _, stat in states]
        stats[k] = nnx.state(operation, nnx.BatchStat)
        return y, stats

    return run
