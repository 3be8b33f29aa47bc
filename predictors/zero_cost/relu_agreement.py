"""On how many ReLUs do two examples agree: read from a function's own program.

A network need not show its insides. Its program (jaxpr) is run operation by operation,
and each `max(x, 0)` adds, for each pair of examples, the number of units at which both
are above zero or both are not. The sum goes along through loops (`scan`) and branches
(`cond`), so a supernet remains one program with the architecture as data.

Letters in shapes: B batch, U units.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

# What only calls an inner program, and under which name it keeps it.
CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "checkpoint": "jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}


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
    if not _has_relu(closed.jaxpr, batch):
        raise ValueError(
            f"relu_agreement: the program has no max(x, 0) over arrays [{batch}, ..]; "
            "this score is for networks with ReLUs."
        )
    total = jnp.zeros((batch, batch), jnp.result_type(float))
    leaves = jax.tree.leaves(args)
    _, total = _run(closed.jaxpr, closed.consts, leaves, total)
    return total, total[0, 0]


def _run(
    jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any], total: jax.Array
) -> tuple[list[Any], jax.Array]:
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    values |= dict(zip(jaxpr.invars, args, strict=True))

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, Literal) else values[variable]

    for equation in jaxpr.eqns:
        inputs = [read(variable) for variable in equation.invars]
        outputs, total = _step(equation, inputs, total)
        values |= dict(zip(equation.outvars, outputs, strict=True))
    return [read(variable) for variable in jaxpr.outvars], total


def _step(
    equation: Any, inputs: list[Any], total: jax.Array
) -> tuple[list[Any], jax.Array]:
    name, params = equation.primitive.name, equation.params
    if _is_relu(equation, len(total)):
        wide = max(inputs, key=jnp.ndim)
        total = total + _agreement(wide).astype(total.dtype)
    elif name in CALLS:
        return _run(*_parts(params[CALLS[name]]), inputs, total)
    elif name == "scan":
        num_carry = _num_carry(equation)
        return _scan(params, num_carry, inputs, total)
    elif name == "cond":
        return _cond(params, inputs, total)
    elif any(_has_relu(inner, len(total)) for inner in _inner(params)):
        raise ValueError(
            f"relu_agreement: there is a ReLU inside {name!r}, which cannot be "
            f"followed; allowed: scan, cond, {', '.join(CALLS)}."
        )
    rest = equation.primitive.get_bind_params(params)
    with equation.ctx.manager:
        outputs = equation.primitive.bind(*inputs, **rest)
    several = equation.primitive.multiple_results
    return (list(outputs) if several else [outputs]), total


def _parts(program: Jaxpr | ClosedJaxpr) -> tuple[Jaxpr, Sequence[Any]]:
    if isinstance(program, ClosedJaxpr):
        return program.jaxpr, program.consts
    return program, ()


def _scan(
    params: dict[str, Any], num_carry: int, inputs: list[Any], total: jax.Array
) -> tuple[list[Any], jax.Array]:
    body, constants = _parts(params["jaxpr"])
    # The order is constants, carry, and what the loop runs over, which has one axis
    # more outside. JAX says how many of each, but every release in other words.
    pairs = zip(inputs, body.invars, strict=True)
    num_xs = sum(jnp.ndim(x) > _rank(v) for x, v in pairs)
    second = len(inputs) - num_xs
    first = second - num_carry
    consts, carry, xs = inputs[:first], inputs[first:second], inputs[second:]

    def step(state: Any, x: Any) -> tuple[Any, Any]:
        own, total = state
        out, total = _run(body, constants, [*consts, *own, *x], total)
        return (tuple(out[:num_carry]), total), tuple(out[num_carry:])

    (carry, total), ys = jax.lax.scan(
        step,
        (tuple(carry), total),
        tuple(xs),
        length=params["length"],
        reverse=params["reverse"],
    )
    return [*carry, *ys], total


def _rank(variable: Any) -> int:
    return len(variable.aval.shape)


def _num_carry(equation: Any) -> int:
    """Count a loop's results that are no stack over its steps."""
    body, _ = _parts(equation.params["jaxpr"])
    pairs = zip(equation.outvars, body.outvars, strict=True)
    return sum(_rank(a) == _rank(b) for a, b in pairs)


def _cond(
    params: dict[str, Any], inputs: list[Any], total: jax.Array
) -> tuple[list[Any], jax.Array]:
    def follow(branch: Jaxpr | ClosedJaxpr) -> Callable[..., Any]:
        return lambda own, total: _run(*_parts(branch), own, total)

    branches = [follow(branch) for branch in params["branches"]]
    index, *own = inputs
    return jax.lax.switch(index, branches, own, total)


def _agreement(x: jax.Array) -> jax.Array:
    """Count, for each pair of rows of `float[B, ..]`, where their signs agree."""
    flat = x.reshape(len(x), -1)
    exists = jnp.any(flat != 0, axis=0, keepdims=True)
    on = ((flat > 0) & exists).astype(flat.dtype)
    off = (~(flat > 0) & exists).astype(flat.dtype)
    return on @ on.T + off @ off.T


def _is_relu(equation: Any, batch: int) -> bool:
    if equation.primitive.name != "max":
        return False
    zero = any(
        isinstance(v, Literal) and jnp.ndim(v.val) == 0 and v.val == 0
        for v in equation.invars
    )
    shape = equation.outvars[0].aval.shape
    return zero and len(shape) > 1 and shape[0] == batch


def _has_relu(jaxpr: Jaxpr, batch: int) -> bool:
    return any(
        _is_relu(equation, batch)
        or any(_has_relu(inner, batch) for inner in _inner(equation.params))
        for equation in jaxpr.eqns
    )


def _inner(params: dict[str, Any]) -> Iterator[Jaxpr]:
    for value in params.values():
        several = isinstance(value, tuple | list)
        for item in value if several else (value,):
            if isinstance(item, ClosedJaxpr):
                yield item.jaxpr
            elif isinstance(item, Jaxpr):
                yield item
