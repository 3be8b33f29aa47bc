"""Find every supernet of this package, so that a new one is one new file."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping

import supernets
from supernets.base import Supernet


def discover() -> dict[str, type[Supernet]]:
    """List the concrete supernets that modules of this package define.

    A module that defines a supernet also has `TINY`; see `discover_tiny`.

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


def discover_tiny() -> dict[str, Supernet]:
    """List small supernets, on which every check of the contract runs.

    A module that defines a supernet also has `TINY`, an instance small enough for
    examples. If fields of it choose between different programs, it may have
    `TINY_VARIANTS`, a dictionary of more instances by the names of the variants.

    Returns:
      `{class name: instance}`, and `{class name-variant: instance}`.

    Raises:
      AttributeError: a module defines a supernet and has no `TINY`.
    """
    found: dict[str, Supernet] = {}
    for name, cls in discover().items():
        module = importlib.import_module(cls.__module__)
        found[name] = module.TINY
        variants: Mapping[str, Supernet] = getattr(module, "TINY_VARIANTS", {})
        found |= {f"{name}-{variant}": tiny for variant, tiny in variants.items()}
    return found
