"""A supernet as JSON, and back, without running anything that a file names.

A file says which class it needs. The class is looked up among those that the installed
supernets define and those that the caller hands over; nothing is imported by a name
that a file gives.
"""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any

import supernets
from nas.errors import UserError, nearest
from search_spaces import SearchSpace
from supernets.base import Supernet

_SCALARS = (str, int, float, bool, type(None))


def describe_supernet(supernet: Supernet) -> dict[str, Any]:
    """Write a supernet's class and hyper-parameters as JSON data.

    Args:
      supernet: a dataclass whose fields are scalars, tuples, its search space, or
        dataclasses of the same.

    Returns:
      `{"class": "module:qualname", "fields": {name: value}}`; a search space stands
      there by its hash only.

    Raises:
      UserError: a field holds something else.
    """
    return _describe(supernet, type(supernet).__qualname__)


def rebuild_supernet(
    data: Mapping[str, Any],
    space: SearchSpace,
    given: Mapping[str, type] | None = None,
) -> Supernet:
    """Build the supernet that `describe_supernet` described.

    Args:
      data: the parsed JSON.
      space: what it described by hash.
      given: classes that are not in the `supernets` package, by any name; those of
        nested parts too.

    Returns:
      An equal supernet.

    Raises:
      UserError: the class is unknown, or does not take these fields.
    """
    built = _rebuild(data, space, _classes(given or {}), "supernet")
    if not isinstance(built, Supernet):
        raise UserError(
            f"supernet: {data['class']} is no supernet. Export the subnet again."
        )
    return built


def class_path(cls: type) -> str:
    """Name a class as `module:qualname`."""
    return f"{cls.__module__}:{cls.__qualname__}"


def _describe(part: Any, where: str) -> dict[str, Any]:
    fields = {
        field.name: _encode(getattr(part, field.name), f"{where}.{field.name}")
        for field in dataclasses.fields(part)
        if field.init
    }
    return {"class": class_path(type(part)), "fields": fields}


def _encode(value: Any, where: str) -> Any:
    if isinstance(value, SearchSpace):
        return {"search_space": value.hash}
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, tuple):
        return [_encode(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _describe(value, where)
    raise UserError(
        f"{where} holds a {type(value).__name__}, which cannot be written to "
        "architecture.json. Fields of a supernet that is to be exported are strings, "
        "numbers, booleans, None, tuples, its search space, or dataclasses of these."
    )


def _rebuild(
    data: Any, space: SearchSpace, classes: Mapping[str, type], where: str
) -> Any:
    if not isinstance(data, Mapping) or set(data) != {"class", "fields"}:
        raise UserError(f"{where}: expected a class and its fields, found {data!r}.")
    name, fields = str(data["class"]), data["fields"]
    if name not in classes:
        raise UserError(
            f"{where}: the class {name} is not known here. "
            f"{nearest(name, classes)} If it is your own, hand it over: "
            f"load_subnet(path, supernets={{{name.rpartition(':')[2]!r}: TheClass}})."
        )
    values = {
        key: _decode(value, space, classes, f"{where}.{key}")
        for key, value in fields.items()
    }
    try:
        return classes[name](**values)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{where}: {name} cannot be built from the fields in architecture.json: "
            f"{error} Use the version of the class that exported it."
        ) from error


def _decode(
    value: Any, space: SearchSpace, classes: Mapping[str, type], where: str
) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item, space, classes, where) for item in value)
    if not isinstance(value, Mapping):
        return value
    if set(value) != {"search_space"}:
        return _rebuild(value, space, classes, where)
    if value["search_space"] != space.hash:
        raise UserError(
            f"{where}: found a search space of hash {value['search_space']}, but that "
            f"of the file has {space.hash}. The file was changed; export again."
        )
    return space


def _classes(given: Mapping[str, type]) -> dict[str, type]:
    """List what may be built: installed dataclasses, then the caller's own."""
    found: dict[str, type] = {}
    for info in pkgutil.walk_packages(supernets.__path__, "supernets."):
        for cls in vars(importlib.import_module(info.name)).values():
            if inspect.isclass(cls) and cls.__module__ == info.name:
                found[class_path(cls)] = cls
    found = {name: cls for name, cls in found.items() if _can_be_built(cls)}
    # A user's file is called something else each time that it is run, so its classes
    # are found by their own names too.
    for name, cls in given.items():
        found |= {name: cls, class_path(cls): cls}
    return found


def _can_be_built(cls: type) -> bool:
    return dataclasses.is_dataclass(cls) and not inspect.isabstract(cls)
