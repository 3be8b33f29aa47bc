"""How the gradients of a step's architectures add up, on one device or on several.

Letters in shapes: K architectures of a step, B batch.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from nas.errors import UserError

# Arrays, or trees of them, by name.
Measured = dict[str, Any]
# (weights, examples with a leading axis B, inputs of one architecture)
One = Callable[[Any, Any, Any], tuple[Any, Measured]]

# What is measured of each example, not of each architecture.
SCORE = "score"


def accumulate(
    one: One, params: Any, examples: Any, inputs: Any
) -> tuple[Any, Measured]:
    """Sum gradients over architectures, one after another.

    Args:
      one: gives gradients and what was measured, of one architecture.
      params: the weights.
      examples: a tree with a leading axis B.
      inputs: a tree with a leading axis K.

    Returns:
      The sum of the gradients, and what was measured with a leading axis K; of `score`,
      `float32[B]`, the mean over architectures.
    """
    if jax.tree.leaves(inputs)[0].shape[0] == 1:
        first = jax.tree.map(lambda leaf: leaf[0], inputs)
        grads, measured = one(params, examples, first)
        measured = jax.tree.map(lambda leaf: leaf[None], measured)
    else:
        grads, measured = _scan(one, params, examples, inputs)
    if SCORE in measured:
        measured[SCORE] = measured[SCORE].mean(0)
    return grads, measured


def _scan(one: One, params: Any, examples: Any, inputs: Any) -> tuple[Any, Measured]:
    def add(total: Any, inputs: Any) -> tuple[Any, Measured]:
        grads, measured = one(params, examples, inputs)
        return jax.tree.map(jnp.add, total, grads), measured

    return jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), inputs)


def shares(mesh: Mesh | None, num: int) -> int:
    """Say among how many devices a step's architectures are shared out.

    Args:
      mesh: the devices.
      num: how many architectures there are to share out.

    Raises:
      UserError: they cannot be shared out equally.
    """
    devices = 1 if mesh is None else mesh.shape["data"]
    if num % devices:
        raise UserError(
            f"strategy: spread shares {num} architecture(s) of a step out among the "
            f"{devices} devices along the data axis, which do not divide them. Let the "
            f"sampler draw a multiple of {devices} (with students: besides the first), "
            "or set mesh.data, or spread to False."
        )
    return devices


def spread(
    one: One, mesh: Mesh, params: Any, examples: Any, inputs: Any, shift: jax.Array
) -> tuple[Any, Measured]:
    """Train other architectures on each device, each on the device's own examples.

    Of n devices each takes K / n architectures, and its B / n examples. The gradients
    are summed over devices. An architecture's mean over a device's examples has, over
    all n shifts, the mean over the batch as its own mean; so the sum's expectation is
    the sum over architectures of their gradients on the whole batch.

    Args:
      one: as of `accumulate`; it may not average over the batch beyond its examples.
      mesh: the devices; those along `data` take part.
      params: the weights.
      examples: a tree with a leading axis B.
      inputs: a tree with a leading axis K.
      shift: `int32[]`, by how many devices architectures are moved on.

    Returns:
      As `accumulate`; what was measured of an architecture is of the examples of its
      device, and `score` is a mean over the architectures of an example's device.
    """
    num = jax.tree.leaves(inputs)[0].shape[0]
    places = shift * (num // mesh.shape["data"])
    whole, split = PartitionSpec(), PartitionSpec("data")

    def device(params: Any, examples: Any, inputs: Any) -> tuple[Any, Measured]:
        grads, measured = accumulate(one, params, examples, inputs)
        return jax.lax.psum(grads, "data"), measured

    around = jax.sharding.get_abstract_mesh()
    grads, measured = jax.shard_map(
        device,
        # Inside of another shard_map its mesh is the only one that may be named.
        mesh=mesh if around.empty else around,
        in_specs=(whole, split, split),
        out_specs=(whole, split),
        axis_names={"data"},
        check_vma=False,
    )(params, examples, _roll(inputs, places))
    score = {name: measured.pop(name) for name in (SCORE,) if name in measured}
    return grads, _roll(measured, -places) | score


def _roll(tree: Any, places: jax.Array) -> Any:
    """Move entries on along the leading axis; of keys too, which `jnp.roll` refuses."""

    def roll(leaf: jax.Array) -> jax.Array:
        return leaf[(jnp.arange(len(leaf)) - places) % len(leaf)]

    return jax.tree.map(roll, tree)
