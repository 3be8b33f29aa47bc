"""Find every predictor and every proxy, so that a new one is one new file."""

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import TypeVar

import predictors
from predictors import zero_cost
from predictors.base import Predictor
from predictors.zero_cost.base import Proxy

T = TypeVar("T", bound=Predictor | Proxy)


def discover_predictors() -> dict[str, type[Predictor]]:
    """List what learns accuracy from encodings: `{NAME: class}`, in order of names."""
    return _discover(predictors, Predictor)


def discover_proxies() -> dict[str, type[Proxy]]:
    """List the scores of untrained networks: `{NAME: class}`, in order of names."""
    return _discover(zero_cost, Proxy)


def _discover(package: ModuleType, kind: type[T]) -> dict[str, type[T]]:
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
