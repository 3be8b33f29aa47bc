"""Find every policy of this package by its name."""

import inspect

import nas.policies
from nas.policies.base import Policy


def discover_policies() -> dict[str, type[Policy]]:
    """List who can draw: `{NAME: class}`, in the order of names."""
    found = {}
    for part in vars(nas.policies).values():
        if not inspect.isclass(part) or not issubclass(part, Policy):
            continue
        if not inspect.isabstract(part):
            found[part.NAME] = part
    return dict(sorted(found.items()))
