"""A subnet as programs: from what the user has to logits, everything inside.

`model.stablehlo` is portable bytecode for one example. `model.jax_export` takes any
number of examples, on every platform that its operations could be lowered for.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.export
import jax.numpy as jnp

from nas.errors import UserError

Program = Callable[[Any], jax.Array]

PLATFORMS = ("cpu", "cuda", "tpu")


def make_program(module: Program, preprocessing: Program) -> Program:
    """Join preprocessing and network.

    Args:
      module: from `[B, ..]` to logits `float32[B, num_classes]`, or `[B, T, V]` of
        tokens; in inference mode.
      preprocessing: from raw input to the module's.

    Returns:
      From raw input, such as `uint8[B, H, W, C]` or `int32[B, T]`, to `float32`
      logits. It can be traced; the weights become constants.
    """

    def program(x: jax.Array) -> jax.Array:
        # By default GPUs and TPUs round the factors of a product to 10 bits or less:
        # parity would hold on CPUs only.
        with jax.default_matmul_precision("highest"):
            return module(preprocessing(x)).astype(jnp.float32)

    return program


def lower_single(program: Program, shape: Sequence[int], dtype: str) -> bytes:
    """Lower a program for one example.

    Args:
      program: from `[1, *shape]`.
      shape: of one example.
      dtype: of the input.

    Returns:
      Portable StableHLO bytecode, which newer and somewhat older consumers read.
    """
    spec = jax.ShapeDtypeStruct((1, *shape), jnp.dtype(dtype))
    exported = jax.export.export(jax.jit(program), platforms=("cpu",))(spec)
    return exported.mlir_module_serialized


def lower_batched(program: Program, shape: Sequence[int], dtype: str) -> bytes:
    """Lower a program for any number of examples and, if possible, any platform.

    Args:
      program: from `[b, *shape]`.
      shape: of one example.
      dtype: of the input.

    Returns:
      What `jax.export.deserialize` of the same or a newer JAX reads.
    """
    text = ", ".join(["b", *map(str, shape)])
    symbolic = jax.export.symbolic_shape(text, constraints=["b >= 1"])
    spec = jax.ShapeDtypeStruct(symbolic, jnp.dtype(dtype))
    try:
        exported = jax.export.export(jax.jit(program), platforms=PLATFORMS)(spec)
    except NotImplementedError:  # an operation that not every platform has
        exported = jax.export.export(jax.jit(program))(spec)
    return bytes(exported.serialize())


def load_batched(contents: bytes) -> Program:
    """Read a program that `lower_batched` wrote.

    Args:
      contents: of `model.jax_export`.

    Returns:
      From raw input of any number of examples to logits; compiled for each number.

    Raises:
      UserError: the bytes are no such program; or, at the first call, one that this
        JAX is too old for.
    """
    try:
        call = jax.jit(jax.export.deserialize(bytearray(contents)).call)
    except Exception as error:  # flatbuffers raise nearly every type there is
        raise UserError(_unreadable(error)) from error

    def program(x: Any) -> jax.Array:
        try:
            return call(x)
        except jax.errors.JaxRuntimeError as error:
            if "deserialize" not in str(error):
                raise
            raise UserError(_unreadable(error)) from error

    return program


def _unreadable(error: Exception) -> str:
    return (
        "model.jax_export cannot be read: it is truncated, damaged, or written by a "
        f"JAX newer than {jax.__version__} ({error!r:.200}). Upgrade JAX, or "
        "export again."
    )
