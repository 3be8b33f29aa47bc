"""A subnet's weights as a safetensors file: flat names, no code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from nas.errors import UserError
from supernets.paths import flatten, unflatten

_GROUPS = ("params", "stats")


def pack_weights(extracted: Mapping[str, Any]) -> bytes:
    """Write extracted weights under the names `params/..` and `stats/..`.

    Args:
      extracted: `{"params": .., "stats": ..}`, nested dictionaries of arrays.

    Returns:
      The contents of the file; equal weights give equal bytes.
    """
    # A copy in C order: safetensors writes the buffer as it lies in memory.
    tensors = {
        "/".join((group, *path)): np.array(value, order="C")
        for group in _GROUPS
        for path, value in flatten(extracted.get(group) or {}).items()
    }
    return safetensors.numpy.save(tensors)


def read_extracted(path: Path) -> dict[str, Any]:
    """Read what `pack_weights` wrote.

    Args:
      path: the file.

    Returns:
      `{"params": .., "stats": ..}`, nested dictionaries of numpy arrays.

    Raises:
      UserError: it is truncated, damaged, or holds something else.
    """
    try:
        tensors = safetensors.numpy.load(path.read_bytes())
    except safetensors.SafetensorError as error:
        raise UserError(
            f"{path} is truncated or damaged: {error}. Copy it or export it again."
        ) from error
    leaves = {tuple(name.split("/")): value for name, value in tensors.items()}
    strange = sorted("/".join(p) for p in leaves if p[0] not in _GROUPS or len(p) < 2)
    if strange:
        raise UserError(
            f"{path} holds {strange[0]!r}; the names of a subnet's weights begin with "
            "params/ or stats/."
        )
    tree = unflatten(leaves)
    return {group: tree.get(group, {}) for group in _GROUPS}
