"""Nested dictionaries of arrays, and the paths to their leaves."""

from collections.abc import Mapping
from typing import Any

Path = tuple[str, ...]


def flatten(tree: Mapping[str, Any], prefix: Path = ()) -> dict[Path, Any]:
    """List the leaves of a nested dictionary by path."""
    leaves: dict[Path, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            leaves.update(flatten(value, (*prefix, name)))
        else:
            leaves[(*prefix, name)] = value
    return leaves


def unflatten(leaves: Mapping[Path, Any]) -> dict[str, Any]:
    """Build a nested dictionary from its leaves by path."""
    tree: dict[str, Any] = {}
    for path, value in leaves.items():
        node = tree
        for name in path[:-1]:
            node = node.setdefault(name, {})
        node[path[-1]] = value
    return tree
