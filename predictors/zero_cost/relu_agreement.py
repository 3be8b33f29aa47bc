"""On how many ReLUs do two examples agree: read from a function's own program.

Each `max(x, 0)` of the program adds, for each pair of examples, the number of units at
which both are above zero or both are not.

Letters in shapes: B batch, U units.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from predictors.zero_cost.program import Equation, Span, Values, count, run


def relu_agreement(
    function: Callable[..., Any], batch: int, *args: Any
) -> tuple[jax.Array, jax.Array]:
    """Count the units of all ReLUs at which two examples agree; traceable.

    A unit whose input is exactly 0 for the whole batch does not count: it is switched
    off, or sees nothing.

    Args:
      function: the network, with its ReLUs over arrays `[B, ..]`.
      batch: B. Maxima with 0 over arrays that do not start with B, or that have one
        axis alone, are no activations and do not count.
      *args: what the function is called with.

    Returns:
      `float[B, B]`, symmetric, on its diagonal the number of units; and the same
      number as `float[]`.

    Raises:
      ValueError: the program has no ReLU, or one inside an operation that cannot be
        followed, such as `while`.
    """
    closed = jax.make_jaxpr(function)(*args)
    reader = _Agreement(batch)
    if not count(reader, closed):
        raise ValueError(
            f"relu_agreement: the program has no max(x, 0) over arrays [{batch}, ..]; "
            "this score is for networks with ReLUs."
        )
    total = jnp.zeros((batch, batch), jnp.result_type(float))
    _, total = run(reader, closed, jax.tree.leaves(args), total)
    return total, total[0, 0]


class _Agreement:
    """Looks at ReLUs; the state is `float[B, B]`."""

    NAME: str = "relu_agreement: a ReLU"

    def __init__(self, batch: int) -> None:
        self._batch = batch

    def end(self, equations: Sequence[Equation], start: int) -> int | None:
        return start + 1 if self._is_relu(equations[start]) else None

    def read(self, span: Span, state: Any) -> tuple[Values, Any]:
        wide = max(span.inputs, key=jnp.ndim)
        return span.run(), state + _agreement(wide).astype(state.dtype)

    def _is_relu(self, equation: Equation) -> bool:
        if equation.primitive.name != "max":
            return False
        zero = any(
            isinstance(v, Literal) and jnp.ndim(v.val) == 0 and v.val == 0
            for v in equation.invars
        )
        shape = equation.outvars[0].aval.shape
        return zero and len(shape) > 1 and shape[0] == self._batch


def _agreement(x: jax.Array) -> jax.Array:
    """Count, for each pair of rows of `float[B, ..]`, where their signs agree."""
    flat = x.reshape(len(x), -1)
    exists = jnp.any(flat != 0, axis=0, keepdims=True)
    on = ((flat > 0) & exists).astype(flat.dtype)
    off = (~(flat > 0) & exists).astype(flat.dtype)
    return on @ on.T + off @ off.T
