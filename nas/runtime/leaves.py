"""What a checkpoint knows of each array: its name, its form, and a sum of its bytes."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from nas.errors import UserError
from nas.runtime import processes

_FORMAT = 1


class Unreadable(Exception):
    """This checkpoint is damaged; the message says how."""


def flatten(tree: Any) -> dict[str, Any]:
    """Return {path: array}, in the order of the tree.

    Args:
      tree: a pytree of numpy or JAX arrays, or of what describes them.

    Raises:
      ValueError: a leaf is a typed PRNG key, or two have the same path.
    """
    leaves: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path, simple=True, separator="/") or "state"
        if not hasattr(leaf, "dtype") or isinstance(leaf, np.generic):
            leaf = np.asarray(leaf)
        if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            raise ValueError(f"{name} is a typed PRNG key; save its key_data.")
        if name in leaves:
            raise ValueError(f"Two leaves of the state have the path {name!r}.")
        leaves[name] = leaf
    return leaves


def entry(leaf: Any) -> dict[str, Any]:
    """Return what the index holds of an array."""
    return {
        "dtype": str(leaf.dtype),
        "shape": list(np.shape(leaf)),
        "crc32": checksum(leaf),
    }


def checksum(leaf: Any) -> int | None:
    """Sum the bytes; None where this process does not hold all of them."""
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        if not leaf.is_fully_replicated:
            return None
        leaf = leaf.addressable_data(0)
    data = np.ascontiguousarray(np.asarray(leaf)).reshape(-1)
    return zlib.crc32(data.view(np.uint8).data)


def seal(entries: dict[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Wrap what is in the index with a sum of itself."""
    body = {"format": _FORMAT, "leaves": entries, "metadata": dict(metadata)}
    text = json.dumps(body)
    return {"body": text, "crc32": zlib.crc32(text.encode())}


def unseal(index: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the entries and the metadata that `seal` wrapped.

    Raises:
      Unreadable: something else is there.
      UserError: another version wrote it.
    """
    try:
        text = index["body"]
        if zlib.crc32(text.encode()) != index["crc32"]:
            raise Unreadable("its index has another checksum than when it was saved")
        body = json.loads(text)
        if body["format"] != _FORMAT:
            raise UserError(
                f"The checkpoint has format {body['format']}, and this version reads "
                f"format {_FORMAT}. Use the version that saved it."
            )
        return body["leaves"], body["metadata"]
    except (KeyError, TypeError, AttributeError) as error:
        raise Unreadable("its index is not what was saved") from error


def verify(leaves: Mapping[str, Any], entries: Mapping[str, Any]) -> None:
    """Raise `Unreadable` if the bytes of an array are not those that were saved."""
    for name, leaf in leaves.items():
        saved, found = entries[name]["crc32"], checksum(leaf)
        if saved is not None and found is not None and saved != found:
            raise Unreadable(f"{name} has another checksum than when it was saved")


def portable(leaf: Any) -> Any:
    """Return what Orbax can write: it refuses arrays of one of several processes."""
    local = isinstance(leaf, jax.Array) and leaf.is_fully_addressable
    return np.asarray(leaf) if local and processes.count() > 1 else leaf


def _restores_in_place(leaf: Any) -> bool:
    """Say whether Orbax can put the leaf where it belongs by itself."""
    sharding = getattr(leaf, "sharding", None)
    if sharding is None or getattr(leaf, "committed", True) is False:
        return False
    return processes.count() == 1 or not sharding.is_fully_addressable


def target(leaf: Any) -> Any:
    """Return what to ask Orbax for."""
    if _restores_in_place(leaf):
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
    return np.broadcast_to(np.zeros((), leaf.dtype), np.shape(leaf))


def place(name: str, found: Mapping[str, Any], leaf: Any) -> Any:
    """Put what Orbax read where the template wants it."""
    value = found.get(name)
    if value is None:
        value = np.zeros(np.shape(leaf), leaf.dtype)
    sharding = getattr(leaf, "sharding", None)
    if sharding is None or isinstance(value, jax.Array):
        return value
    # An array that was on no device in particular must stay so: a committed one would
    # compile the step anew.
    where = sharding if getattr(leaf, "committed", True) else None
    return jax.device_put(value, where)


def spell(dtype: Any, shape: Any) -> str:
    """Write a dtype and a shape in the way of `float32[3, 4]`."""
    return f"{dtype}[{', '.join(str(n) for n in shape)}]"
