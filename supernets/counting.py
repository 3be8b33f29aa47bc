"""Multiply-accumulates of any traceable function, counted from its program.

It knows nothing of what the function means, which makes it a check on costs that are
declared, and a measure of networks that declare none.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr


def count_macs(fn: Callable[..., Any], *args: Any) -> int:
    """Count the multiply-accumulates of matrix products and convolutions.

    Zeros of padding and dilation count as what is computed; elementwise work, pooling
    and reductions do not count.

    Args:
      fn: a traceable function.
      *args: what it is called with: arrays, or `jax.ShapeDtypeStruct`.

    Returns:
      Their number in one call.

    Raises:
      ValueError: the number depends on values: a `while` loop, or a branch whose sides
        differ.
    """
    return _count(jax.make_jaxpr(fn)(*args).jaxpr)


def _count(jaxpr: Jaxpr) -> int:
    return sum(_count_equation(equation) for equation in jaxpr.eqns)


def _count_equation(equation: Any) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracting, _), _ = params["dimension_numbers"]
        left = equation.invars[0].aval.shape
        summed = math.prod(left[axis] for axis in contracting)
        return summed * math.prod(equation.outvars[0].aval.shape)
    if name == "conv_general_dilated":
        # A kernel holds the channels that one output sums over: those of its group.
        kernel = equation.invars[1].aval.shape
        outputs = kernel[params["dimension_numbers"].rhs_spec[0]]
        summed = math.prod(kernel) // outputs
        return summed * math.prod(equation.outvars[0].aval.shape)
    inner = [_count(jaxpr) for jaxpr in _inside(params)]
    if name == "while" and any(inner):
        raise ValueError(
            "count_macs: a `while` loop with products in its body runs an unknown "
            "number of times; use `jax.lax.scan`, or count its body."
        )
    if name == "cond":
        if len(set(inner)) > 1:
            raise ValueError(
                f"count_macs: the branches of a condition have {sorted(set(inner))} "
                "multiply-accumulates; count a function without that choice, such as a "
                "subnet instead of its supernet."
            )
        return inner[0]
    return sum(inner) * (params["length"] if name == "scan" else 1)


def _inside(params: dict[str, Any]) -> Iterator[Jaxpr]:
    for value in params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, ClosedJaxpr):
                yield item.jaxpr
            elif isinstance(item, Jaxpr):
                yield item
