"""Find every supernet of this package, so that a new one is one new file."""

import importlib
import inspect
import pkgutil

import supernets
from supernets.base import Supernet


def discover() -> dict[str, type[Supernet]]:
    """List the concrete supernets that modules of this package define.

    A module that defines a supernet also has `TINY`, an instance small enough for
    examples, which every check of the supernet's contract runs on.

    Returns:
      `{class name: class}`, in the order of module names.
    """
    found: dict[str, type[Supernet]] = {}
    for module in pkgutil.iter_modules(supernets.__path__):
        loaded = importlib.import_module(f"supernets.{module.name}")
        for name, value in inspect.getmembers(loaded, inspect.isclass):
            if value.__module__ != loaded.__name__ or inspect.isabstract(value):
                continue
            if issubclass(value, Supernet):
                found[name] = value
    return found
