"""Rewrite a program into operations whose conversion to ONNX is right.

jax2onnx 0.17 converts some operations to graphs that do not load: ONNX reads a size of
0 in a reshape as "the same as before", padded sums over windows come out in wrong
shapes, and onnxruntime cannot choose between truth values. A program is therefore
traced first, then interpreted with those replaced.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

Program = Callable[[jax.Array], jax.Array]

# Calls that only group operations, and where they keep them.
_CALLS = {
    "jit": "jaxpr",
    "checkpoint": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}
_NHWC = ("NHWC", "HWIO", "NHWC")


def rewrite(program: Program, spec: jax.ShapeDtypeStruct) -> Program:
    """Trace a program and give back one that does the same in safe operations.

    Args:
      program: of one input and one output.
      spec: of the input; its batch size may be symbolic.

    Returns:
      A function of the same input.
    """
    traced = jax.make_jaxpr(program)(spec)
    return lambda x: _interpret(traced, [x])[0]


def _interpret(traced: core.ClosedJaxpr, inputs: Sequence[Any]) -> list[Any]:
    jaxpr = traced.jaxpr
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, traced.consts, strict=True))
    values |= zip(jaxpr.invars, inputs, strict=True)

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        outputs = _apply(equation, [read(atom) for atom in equation.invars])
        values |= zip(equation.outvars, outputs, strict=True)
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, inputs: list[Any]) -> Sequence[Any]:
    name, params = equation.primitive.name, equation.params
    shapes = [variable.aval for variable in equation.outvars]
    if all(0 in aval.shape for aval in shapes):
        return [jnp.zeros(aval.shape, aval.dtype) for aval in shapes]
    if name in _CALLS:
        inner = params[_CALLS[name]]
        if not isinstance(inner, core.ClosedJaxpr):
            inner = core.ClosedJaxpr(inner, ())
        return _interpret(inner, inputs)
    if name == "concatenate":
        axis = params["dimension"]
        filled = [x for x in inputs if x.shape[axis] != 0]
        return [jax.lax.concatenate(filled, axis)]
    if name == "reduce_window_sum" and _is_spatial(params["window_dimensions"]):
        return [_window_sum(*inputs, **params)]
    if name == "select_n" and shapes[0].dtype == jnp.bool_ and len(inputs) == 3:
        which, no, yes = inputs
        return [(which & yes) | (~which & no)]
    outputs = equation.primitive.bind(
        *inputs, **equation.primitive.get_bind_params(params)
    )
    return outputs if equation.primitive.multiple_results else [outputs]


def _is_spatial(window: Sequence[int]) -> bool:
    return len(window) == 4 and window[0] == window[3] == 1


def _window_sum(
    x: jax.Array,
    *,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> jax.Array:
    """Sum over windows by a depthwise convolution with ones; x is [B, H, W, C]."""
    channels = x.shape[-1]
    return jax.lax.conv_general_dilated(
        x,
        jnp.ones((*window_dimensions[1:3], 1, channels), x.dtype),
        window_strides[1:3],
        padding[1:3],
        lhs_dilation=base_dilation[1:3],
        rhs_dilation=window_dilation[1:3],
        dimension_numbers=_NHWC,
        feature_group_count=channels,
        precision=jax.lax.Precision.HIGHEST,
    )
