"""Find what the modules of a package define, so that a new part is one new file."""

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import ClassVar, Protocol, TypeVar

import predictors
from predictors import zero_cost
from predictors.base import Predictor
from predictors.zero_cost.base import Proxy


class Named(Protocol):
    """What is found by name.

    Attributes:
      NAME: what people call it.
    """

    NAME: ClassVar[str]


T = TypeVar("T", bound=Named)


def discover_predictors() -> dict[str, type[Predictor]]:
    """List what learns accuracy from encodings: `{NAME: class}`, in order of names."""
    return named_classes(predictors, Predictor)


def discover_proxies() -> dict[str, type[Proxy]]:
    """List the scores of untrained networks: `{NAME: class}`, in order of names."""
    return named_classes(zero_cost, Proxy)


def named_classes(package: ModuleType, kind: type[T]) -> dict[str, type[T]]:
    """List the concrete classes of a kind that any module of a package defines.

    Args:
      package: an imported package.
      kind: their base class.

    Returns:
      `{NAME: class}`, in the order of names.

    Raises:
      ValueError: two classes have the same name.
    """
    found: dict[str, type[T]] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for part in vars(importlib.import_module(module.name)).values():
            if not inspect.isclass(part) or not issubclass(part, kind):
                continue
            if part.__module__ != module.name or inspect.isabstract(part):
                continue
            if part.NAME in found:
                raise ValueError(
                    f"{part.__qualname__} and {found[part.NAME].__qualname__} are both "
                    f"named {part.NAME!r}: give one another NAME."
                )
            found[part.NAME] = part
    return dict(sorted(found.items()))
