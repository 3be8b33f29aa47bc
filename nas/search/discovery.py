"""Find every controller of this package, so that a new one is one new file."""

import importlib
import inspect
import pkgutil

import nas.search
from nas.search.base import Controller


def discover() -> dict[str, type[Controller]]:
    """List the controllers that any module here defines.

    Returns:
      `{NAME: class}`, in the order of names.

    Raises:
      ValueError: two controllers have the same name.
    """
    found: dict[str, type[Controller]] = {}
    for module in pkgutil.iter_modules(nas.search.__path__, "nas.search."):
        for part in vars(importlib.import_module(module.name)).values():
            if not inspect.isclass(part) or not issubclass(part, Controller):
                continue
            if part.__module__ != module.name or inspect.isabstract(part):
                continue
            if part.NAME in found:
                raise ValueError(
                    f"{part.__qualname__} and {found[part.NAME].__qualname__} are both "
                    f"controllers named {part.NAME!r}: give one another NAME"
                )
            found[part.NAME] = part
    return dict(sorted(found.items()))
