"""What the primary blocks of a network do: read from marks in its program.

A function marks where a block begins and ends by `jax.ad_checkpoint.checkpoint_name`,
which changes nothing, with the names below. Each block is then differentiated by
itself: from its output, a random vector of signs is sent back to its input.

Letters in shapes: B batch, I and O channels in and out, N blocks.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from predictors.zero_cost.program import Equation, Span, Values, count, run

BLOCK_INPUT = "block_input"
"""Marks what enters a block, `[B, .., I]`."""
BLOCK_OUTPUT = "block_output"
"""Marks what leaves it, `[B, .., O]`; alone, features that come before all blocks."""
BLOCK_ENDS = "block_ends"
"""Marks `float[1 + L]` before L blocks: a 1 at the last of them that has an effect,
in the first place if none has."""

Measure = Callable[[jax.Array], jax.Array]
"""Features `float[B, .., O]` -> `float[]`."""
Compare = Callable[[jax.Array, jax.Array], jax.Array]
"""Gradients of a block's input and output -> `float[]`."""


class Blocks(NamedTuple):
    """What was found, in the order of the network.

    Attributes:
      features: `float[N]`, the measure of what leaves each.
      transfer: `float[N]`, the comparison of gradients; NaN where no block was begun.
      alive: `bool[N]`, which have an effect on the output.
    """

    features: jax.Array
    transfer: jax.Array
    alive: jax.Array


def read_blocks(
    function: Callable[..., Any],
    key: jax.Array,
    measure: Measure,
    compare: Compare,
    *args: Any,
) -> Blocks:
    """Measure every block of a network; traceable.

    Args:
      function: the network, with its blocks marked.
      key: a JAX random key, of the signs.
      measure: looks at what leaves a block.
      compare: looks at the signs that were sent into a block's output, and at what
        arrives at its input. Signs of channels that are 0 for the whole batch, which
        the architecture has switched off, are 0.
      *args: what the function is called with.

    Returns:
      What was found.

    Raises:
      ValueError: fewer than two are marked, or one begins that does not end, or marks
        are inside an operation that cannot be followed, such as `while`.
    """
    closed = jax.make_jaxpr(function)(*args)
    reader = _Reader(key, measure, compare)
    num = count(reader, closed) - count(_Ends(), closed)
    if num < 2:
        raise ValueError(
            f"read_blocks: the program marks {num} blocks, and at least 2 are needed; "
            f"mark them by checkpoint_name with {BLOCK_INPUT!r} and {BLOCK_OUTPUT!r}."
        )
    nothing = jnp.full(num, jnp.nan, jnp.float32)
    state = Blocks(nothing, nothing, jnp.full(num, -1.0, jnp.float32))
    start = (jnp.zeros((), jnp.int32), state)
    _, (_, found) = run(reader, closed, jax.tree.leaves(args), start)
    return found._replace(alive=found.alive > 0)


def _marks(equation: Equation) -> str | None:
    named = equation.primitive.name == "name"
    return equation.params["name"] if named else None


class _Ends:
    """Looks at the marks of depth alone."""

    NAME: str = "read_blocks: a mark"

    def end(self, equations: Sequence[Equation], start: int) -> int | None:
        return start + 1 if _marks(equations[start]) == BLOCK_ENDS else None

    def read(self, span: Span, state: Any) -> tuple[Values, Any]:
        return span.run(), state


class _Reader:
    """Looks at every block; the state is how many came before, and `Blocks`.

    What is not known yet of `alive` is -1.
    """

    NAME: str = "read_blocks: a mark"

    def __init__(self, key: jax.Array, measure: Measure, compare: Compare) -> None:
        self._key, self._measure, self._compare = key, measure, compare

    def end(self, equations: Sequence[Equation], start: int) -> int | None:
        mark = _marks(equations[start])
        if mark in (BLOCK_OUTPUT, BLOCK_ENDS):
            return start + 1
        if mark != BLOCK_INPUT:
            return None
        for number in range(start + 1, len(equations)):
            if _marks(equations[number]) == BLOCK_OUTPUT:
                return number + 1
        raise ValueError(
            f"read_blocks: a block begins, of shape {equations[start].invars[0].aval}, "
            f"and does not end; mark its output by {BLOCK_OUTPUT!r} where its input is "
            f"marked by {BLOCK_INPUT!r}."
        )

    def read(self, span: Span, state: Any) -> tuple[Values, Any]:
        index, found = state
        mark = _marks(span.equations[0])
        if mark == BLOCK_ENDS:
            return span.run(), (index, _until(found, index, span.inputs[0]))
        if mark == BLOCK_OUTPUT:
            (y,), defined, transfer = span.inputs, span.run(), jnp.nan
        else:
            y, defined, transfer = self._differentiated(span, index)
        alive = found.alive[index]
        found = Blocks(
            found.features.at[index].set(self._measure(y).astype(jnp.float32)),
            found.transfer.at[index].set(jnp.asarray(transfer, jnp.float32)),
            found.alive.at[index].set(jnp.where(alive < 0, 1.0, alive)),
        )
        return defined, (index + 1, found)

    def _differentiated(
        self, span: Span, index: jax.Array
    ) -> tuple[jax.Array, Values, jax.Array]:
        (x,), out = span.inputs, span.equations[-1].outvars[0]
        names: list[Any] = []

        def block(x: jax.Array) -> tuple[jax.Array, list[Any]]:
            values = span.run([x])
            names[:] = values
            return values[out], list(values.values())

        y, back, values = jax.vjp(block, x, has_aux=True)
        defined = dict(zip(names, values, strict=True))
        key = jax.random.fold_in(self._key, index)
        signs = jax.random.rademacher(key, y.shape, y.dtype)
        exists = jnp.any(y != 0, axis=tuple(range(y.ndim - 1)), keepdims=True)
        signs = signs * exists.astype(y.dtype)
        (arrived,) = back(signs)
        return y, defined, self._compare(arrived, signs)


def _until(found: Blocks, index: jax.Array, ends: jax.Array) -> Blocks:
    """Say of the next blocks, before they run, which have an effect."""
    left = jnp.cumsum(ends[::-1])[::-1][1:].astype(found.alive.dtype)
    if not len(left):
        return found
    return found._replace(
        alive=jax.lax.dynamic_update_slice(found.alive, left, (index,))
    )


def beside(arrived: jax.Array, signs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Put gradients of input and output beside each other, place by place.

    Args:
      arrived: `[B, .., I]`; each axis of places is as long as the output's, or a
        multiple; a last, incomplete part is filled with zeros.
      signs: `[B, .., O]`.

    Returns:
      `[places, n I]` and `[places, O]`, with the n places of the input that lie over
      one of the output as further channels.
    """
    inner, outer = arrived.shape[1:-1], signs.shape[1:-1]
    strides = [-(-i // o) for i, o in zip(inner, outer, strict=True)]
    pads = [(0, o * s - i) for i, o, s in zip(inner, outer, strides, strict=True)]
    arrived = jnp.pad(arrived, [(0, 0), *pads, (0, 0)])
    split = [n for o, s in zip(outer, strides, strict=True) for n in (o, s)]
    arrived = arrived.reshape(arrived.shape[0], *split, arrived.shape[-1])
    axes = range(1, 1 + 2 * len(outer))
    order = (0, *axes[::2], *axes[1::2], arrived.ndim - 1)
    places = signs.shape[0] * math.prod(outer)
    return (
        arrived.transpose(order).reshape(places, -1),
        signs.reshape(places, signs.shape[-1]),
    )
