"""Find every search space of this package, so that a new one is one new file."""

import importlib
import pkgutil

import search_spaces
from search_spaces.base import SearchSpace


def discover() -> dict[str, SearchSpace]:
    """List the presets of every module.

    A module that defines a space has a `PRESETS` dictionary of named spaces.

    Returns:
      `{name: space}`, in the order of module names.
    """
    presets: dict[str, SearchSpace] = {}
    for module in pkgutil.iter_modules(search_spaces.__path__):
        loaded = importlib.import_module(f"search_spaces.{module.name}")
        presets.update(getattr(loaded, "PRESETS", {}))
    return presets
