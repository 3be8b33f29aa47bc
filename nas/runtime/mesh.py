"""Which device holds what: a mesh of devices, and rules that lay out pytrees on it.

One device, many devices and several processes run the same code: a mesh of one device
is a mesh. Axis `data` splits batches, axis `model` splits weights by rules on their
paths, axis `supernets` holds sub-supernets side by side; what no rule names is on every
device.
"""

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding

from nas.errors import UserError
from nas.runtime import processes

SUPERNETS = "supernets"
AXES = (SUPERNETS, "data", "model")

# (regular expression searched for in the path of a leaf, axis of each dimension)
Rules = tuple[tuple[str, tuple[str | None, ...]], ...]


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """How many devices share the batch, the weights, and the sub-supernets.

    Attributes:
      data: devices along which batches are split; 0 takes all there are.
      model: devices along which weights are split.
      supernets: devices along which the sub-supernets of a partition lie side by side.
    """

    data: int = 0
    model: int = 1
    supernets: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.data < 0:
            raise UserError(f"mesh.data is {self.data}; allowed: 0 (all), 1, 2, ..")
        for name in ("model", "supernets"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"mesh.{name} is {getattr(self, name)}; allowed: 1, 2, .."
                )


def make_mesh(
    config: MeshConfig | None = None, devices: Sequence[Any] | None = None
) -> Mesh:
    """Arrange the devices in a mesh with axes `supernets`, `data` and `model`.

    Args:
      config: the size of each axis; all devices on `data` by default.
      devices: what to arrange; all devices of all processes by default.

    Raises:
      UserError: there are too few devices, they cannot be divided, or a run of several
        processes would leave some out.
    """
    config = MeshConfig() if config is None else config
    devices = jax.devices() if devices is None else devices
    others = config.model * config.supernets
    data = config.data or len(devices) // others
    wanted = max(data, 1) * others
    whole = processes.count() > 1 or not config.data
    if wanted > len(devices) or (whole and wanted != len(devices)):
        raise UserError(
            f"mesh.data = {config.data}, mesh.model = {config.model} and "
            f"mesh.supernets = {config.supernets} do not fit the {len(devices)} "
            "device(s) here: their product must be "
            f"{'exactly' if whole else 'at most'} that. Set mesh.data to 0 to take "
            "what the others leave."
        )
    auto = (AxisType.Auto,) * len(AXES)
    chosen = devices[:wanted]
    shape = (config.supernets, data, config.model)
    return jax.make_mesh(shape, AXES, axis_types=auto, devices=chosen)


def replicated(mesh: Mesh) -> NamedSharding:
    """Return the layout of what every device holds whole."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(
    mesh: Mesh, axis: int = 0, over: tuple[str, ...] = ("data",)
) -> NamedSharding:
    """Return the layout of a batch.

    Args:
      mesh: the devices.
      axis: which dimension of the arrays is the batch.
      over: the axes of the mesh that share it.
    """
    return NamedSharding(mesh, PartitionSpec(*(None,) * axis, over))


def wide_batch(mesh: Mesh, batch_size: int) -> tuple[str, ...]:
    """Say which axes of the mesh share a batch where no sub-supernets lie side by side.

    Args:
      mesh: the devices.
      batch_size: examples; where all devices cannot share them equally, `data` does.
    """
    both = (SUPERNETS, "data")
    size = mesh.shape[SUPERNETS] * mesh.shape["data"]
    return both if batch_size % size == 0 else ("data",)


def side_by_side(num: int, mesh: Mesh) -> bool:
    """Say whether so many sub-supernets are spread over devices.

    Args:
      num: S.
      mesh: the devices; those of axis `supernets` take S / n each, if n divides S.
    """
    size = mesh.shape[SUPERNETS]
    return size > 1 and num % size == 0


def check_batch(mesh: Mesh, batch_size: int, where: str = "batch size") -> None:
    """Refuse a batch that the data axis does not divide.

    Args:
      mesh: the devices.
      batch_size: examples in the whole batch, over all processes.
      where: what to call it in the message.

    Raises:
      UserError: it does not divide.
    """
    size = mesh.shape["data"]
    if batch_size < 1 or batch_size % size:
        near = max(batch_size // size, 1) * size
        raise UserError(
            f"{where} is {batch_size}, which {size} device(s) along the data axis "
            f"cannot share equally. Take a multiple of {size}, such as {near}, or set "
            "mesh.data."
        )


def shardings(
    tree: Any, mesh: Mesh, rules: Rules = (), default: NamedSharding | None = None
) -> Any:
    """Lay out a pytree by rules on the paths of its leaves.

    Args:
      tree: arrays, or anything with shapes.
      mesh: the devices.
      rules: the first one whose expression is found in a leaf's path (`blocks/0/w`)
        gives the axis of each dimension; later dimensions are not split.
      default: of a leaf that no rule names; it is on every device unless given.

    Returns:
      A pytree of the same structure of `NamedSharding`.

    Raises:
      UserError: a rule is no expression, matches nothing, names an axis that is not in
        the mesh, has too many dimensions, or does not divide one.
    """
    compiled = [_compile(rule, mesh) for rule in rules]
    matched: set[int] = set()

    def lay_out(path: Any, leaf: Any) -> NamedSharding:
        name = _path(path)
        for number, (pattern, axes) in enumerate(compiled):
            if pattern.search(name):
                matched.add(number)
                return _sharding(name, np.shape(leaf), axes, mesh)
        return default or replicated(mesh)

    result = jax.tree_util.tree_map_with_path(lay_out, tree)
    for number, (expression, _) in enumerate(rules):
        if number not in matched:
            leaves = jax.tree_util.tree_leaves_with_path(tree)
            names = [_path(path) for path, _ in leaves]
            raise UserError(
                f"The sharding rule {expression!r} is the first to match no weight. "
                f"The paths are: {', '.join(names[:20])}. Remove the rule or mend it."
            )
    return result


def put(tree: Any, sharding: Any, may_alias: bool = False) -> Any:
    """Place a pytree on the devices; with several processes all give the same values.

    Args:
      tree: numpy or JAX arrays, whole on every process.
      sharding: one for all leaves, or a pytree of them like `tree`.
      may_alias: let the result share memory with `tree` where it can. By default it
        does not: a step that donates its state would delete arrays of `tree`, and
        changes to a numpy array would show in the result.
    """

    def place(leaf: Any, where: Sharding) -> jax.Array:
        if where.is_fully_addressable:
            return jax.device_put(leaf if may_alias else _copy(leaf), where)
        value = _fetch(leaf) if isinstance(leaf, jax.Array) else np.asarray(leaf)
        return jax.make_array_from_callback(value.shape, where, lambda i: value[i])

    return _map(place, tree, sharding)


def put_local(tree: Any, sharding: Any) -> Any:
    """Place batches of which every process holds its own part.

    Args:
      tree: numpy arrays, the part of this process: rows of the whole array.
      sharding: one for all leaves, or a pytree of them like `tree`.
    """
    return _map(
        lambda leaf, where: jax.make_array_from_process_local_data(
            where, np.asarray(leaf)
        ),
        tree,
        sharding,
    )


def host(tree: Any) -> Any:
    """Copy a pytree to numpy, whole, on every process.

    A collective when a leaf is split over processes: every process has to call it.

    Args:
      tree: arrays with any layout.
    """
    return jax.tree.map(_fetch, tree)


def _copy(leaf: Any) -> Any:
    # Not `device_put(may_alias=False)`: on CPU (JAX 0.10) it still shares aligned numpy
    # memory, and the buffer of an array that it replicates.
    return jnp.copy(leaf) if isinstance(leaf, jax.Array) else np.array(leaf)


def _path(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _fetch(leaf: Any) -> np.ndarray:
    if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable:
        return np.array(leaf)
    if leaf.is_fully_replicated:
        return np.array(leaf.addressable_data(0))
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(leaf, tiled=True))


def _map(place: Callable[[Any, Sharding], Any], tree: Any, sharding: Any) -> Any:
    if isinstance(sharding, Sharding):
        return jax.tree.map(lambda leaf: place(leaf, sharding), tree)
    return jax.tree.map(place, tree, sharding)


def _compile(
    rule: tuple[str, tuple[str | None, ...]], mesh: Mesh
) -> tuple[re.Pattern[str], tuple[str | None, ...]]:
    expression, axes = rule
    unknown = [a for a in axes if a is not None and a not in mesh.axis_names]
    if unknown:
        raise UserError(
            f"The sharding rule {expression!r} names the axis {unknown[0]!r}. Allowed: "
            f"{', '.join(mesh.axis_names)}, or None for a dimension that is not split."
        )
    try:
        return re.compile(expression), axes
    except re.error as error:
        raise UserError(
            f"The sharding rule {expression!r} is no regular expression: {error}."
        ) from None


def _sharding(
    name: str, shape: tuple[int, ...], axes: tuple[str | None, ...], mesh: Mesh
) -> NamedSharding:
    if len(axes) > len(shape):
        raise UserError(
            f"The sharding rule for {name} has {len(axes)} dimensions, and the weight "
            f"has shape {shape}."
        )
    for size, axis in zip(shape, axes, strict=False):
        if axis is not None and size % mesh.shape[axis]:
            raise UserError(
                f"{name} has shape {shape}; the {mesh.shape[axis]} device(s) of axis "
                f"{axis!r} do not divide its dimension of {size}. Change the rule, or "
                f"mesh.{axis}."
            )
    return NamedSharding(mesh, PartitionSpec(*axes))
