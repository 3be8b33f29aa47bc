"""Put extracted weights into an ordinary module, and read them out of one."""

from collections.abc import Mapping
from typing import Any

from flax import nnx

from supernets.paths import flatten, unflatten


def load_weights(module: nnx.Module, extracted: Mapping[str, Any]) -> nnx.Module:
    """Write extracted weights and statistics into a module.

    Args:
      module: from `Supernet.subnet`.
      extracted: `{"params": .., "stats": ..}` from `Supernet.extract` of the same
        genotype; statistics may be empty.

    Returns:
      The module.

    Raises:
      ValueError: the weights are not those of this module; the message names the
        paths and shapes that differ.
    """
    given = {**flatten(extracted["params"]), **flatten(extracted.get("stats") or {})}
    state = nnx.state(module, (nnx.Param, nnx.BatchStat))
    expected = {
        tuple(map(str, p)): variable for p, variable in nnx.to_flat_state(state)
    }
    needed = {
        path
        for path, variable in expected.items()
        if issubclass(variable.type, nnx.Param) or extracted.get("stats")
    }
    problems = [f"{'/'.join(p)} is missing" for p in sorted(needed - set(given))]
    problems += [f"{'/'.join(p)} is unknown" for p in sorted(set(given) - needed)]
    problems += [
        f"{'/'.join(p)} has shape {tuple(given[p].shape)}, "
        f"not {tuple(expected[p].get_value().shape)}"
        for p in sorted(needed & set(given))
        if tuple(given[p].shape) != tuple(expected[p].get_value().shape)
    ]
    if problems:
        raise ValueError(
            "These weights are not those of this subnet: " + "; ".join(problems[:5])
        )
    flat = {
        path: variable.replace(given[tuple(map(str, path))])
        for path, variable in nnx.to_flat_state(state)
        if tuple(map(str, path)) in given
    }
    nnx.update(module, nnx.from_flat_state(flat))
    return module


def read_weights(module: nnx.Module) -> dict[str, Any]:
    """Read a module's weights and statistics, as `load_weights` takes them."""
    result = {}
    for name, kind in (("params", nnx.Param), ("stats", nnx.BatchStat)):
        result[name] = unflatten(
            {
                tuple(map(str, path)): variable.get_value()
                for path, variable in nnx.to_flat_state(nnx.state(module, kind))
            }
        )
    return result
