"""Settings of an experiment, changed from the command line by dotted names.

An experiment is a tree of frozen dataclasses. What may be given is read from its
fields, and a value is read by the annotation of its field. Parts are built again with
the new values, so that each checks its own ranges.
"""

import dataclasses
import enum
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nas.cli.field_texts import field_texts
from nas.errors import UserError, nearest
from nas.policies import Policy
from nas.policies.discovery import discover_policies
from nas.search import Controller
from nas.search import discover as discover_controllers
from predictors.base import Predictor
from predictors.discovery import discover_predictors, discover_proxies
from predictors.zero_cost import Proxy
from search_spaces import SearchSpace, discover
from supernets import Supernet

_BOOLEANS = {
    # Nothing at all switches on: `--optimizer.nesterov`.
    "": True, "true": True, "yes": True, "on": True, "1": True,
    "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip
# The data and the precision of the experiment decide these.
_FITTED = ("input_shape", "num_classes", "compute_dtype")


@dataclasses.dataclass(frozen=True)
class Setting:
    """One value that may be given.

    Attributes:
      path: its dotted name.
      kind: its annotation.
      value: what the experiment has.
      text: what it means.
    """

    path: str
    kind: Any
    value: Any
    text: str

    @property
    def type_name(self) -> str:
        """The type in words."""
        return _describe(self.kind)

    @property
    def shown(self) -> str:
        """The value as one would type it."""
        return show(self.value)


def settings(part: Any, prefix: str = "") -> Iterator[Setting]:
    """List what may be overridden in a tree of dataclasses, in order.

    Args:
      part: an experiment or a part of one.
      prefix: its own dotted name, ending in a dot unless empty.
    """
    hints = typing.get_type_hints(type(part))
    texts = field_texts(type(part))
    for field in dataclasses.fields(part):
        if not field.init or (isinstance(part, Supernet) and field.name in _FITTED):
            continue
        value = getattr(part, field.name)
        path = prefix + field.name
        kind, group = hints[field.name], _is_group(value)
        # A name chooses another part; that of a search has --controller to choose it.
        if _reader(kind) is not None and not (group and kind is Controller):
            yield Setting(path, kind, value, texts.get(field.name, ""))
        if group:
            yield from settings(value, path + ".")


def apply(part: Any, given: Mapping[str, str]) -> Any:
    """Build a tree of dataclasses again with other values.

    Args:
      part: an experiment.
      given: texts by dotted name.

    Returns:
      A copy; `part` stays as it is.

    Raises:
      UserError: there is no such setting, its value has another type, or the part that
        it belongs to refuses it.
    """
    parts = {p: given[p] for p in given if any(q.startswith(p + ".") for q in given)}
    if parts:
        # Chosen first: what else is given may be settings of what is chosen.
        chosen = apply(part, parts)
        return apply(chosen, {p: t for p, t in given.items() if p not in parts})
    known = {setting.path: setting for setting in settings(part)}
    values = {}
    for path, text in given.items():
        if path not in known:
            raise UserError(_unknown(part, path, known))
        values[path] = _read(known[path], text)
    return _rebuild(part, values, given, "")


def show(value: Any) -> str:
    """Write a value as one would type it."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(show, value))
    if isinstance(value, SearchSpace):
        return value.name
    if isinstance(value, Controller | Policy | Predictor | Proxy):
        return value.NAME
    if isinstance(value, enum.Enum):
        return str(value.value)
    return str(value)


def _is_group(value: Any) -> bool:
    plain = isinstance(value, SearchSpace | type)
    return dataclasses.is_dataclass(value) and not plain


def _rebuild(
    part: Any, values: Mapping[str, Any], given: Mapping[str, str], prefix: str
) -> Any:
    """Replace what changed, the innermost parts first and each part once."""
    changed, typed = {}, []
    for field in dataclasses.fields(part):
        path = prefix + field.name
        if path in values:
            changed[field.name] = values[path]
            typed.append(f"--{path} {given[path]}")
        elif any(name.startswith(path + ".") for name in values):
            inner = getattr(part, field.name)
            changed[field.name] = _rebuild(inner, values, given, path + ".")
    try:
        return dataclasses.replace(part, **changed)
    except ValueError as error:
        if not typed:
            raise
        raise UserError(f"{' '.join(typed)}: {error}") from error


def _unknown(part: Any, path: str, known: Mapping[str, Setting]) -> str:
    """Say what is wrong with a name that is no setting."""
    inside = [name for name in known if name.startswith(path + ".")]
    if inside:
        return f"--{path} is a group of settings. Allowed: --{', --'.join(inside)}."
    head, _, last = path.rpartition(".")
    if head.split(".")[0] == "supernet" and last in _FITTED:
        return f"--{path} cannot be given: it follows from the data and --precision."
    here = [name for name in known if name.rpartition(".")[0] == head]
    names = [f"--{name}" for name in (here if head else known)]
    anywhere = [f"--{name}" for name in known if name.rpartition(".")[2] == last]
    hint = (
        f"Did you mean {' or '.join(anywhere)}?"
        if anywhere
        else nearest(f"--{path}", names or [f"--{name}" for name in known])
    )
    name = getattr(part, "name", "")
    return f"--{path}: experiment {name} has no such setting. {hint}"


def _read(setting: Setting, text: str) -> Any:
    reader = _reader(setting.kind)
    if not text and setting.kind is not bool:
        raise UserError(
            f"--{setting.path} needs a value: a {setting.type_name}. Here it is "
            f"{setting.shown}."
        )
    try:
        return reader(text) if reader else None
    except UserError:
        raise
    except (ValueError, KeyError) as error:
        raise UserError(
            f"--{setting.path}: {text!r} is no {setting.type_name}. Here it is "
            f"{setting.shown}."
        ) from error


def _reader(kind: Any) -> Callable[[str], Any] | None:
    """Give the function that reads a text as a type, None if no text can be one."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _optional(inner)
    if origin is tuple:
        return _tuple(inner)
    if origin is typing.Literal:
        return {str(option): option for option in inner}.__getitem__
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind
    return _READERS.get(kind)


def _optional(inner: tuple[Any, ...]) -> Callable[[str], Any] | None:
    rest = [_reader(kind) for kind in inner if kind is not type(None)]
    if len(rest) != 1 or rest[0] is None:
        return None
    reader = rest[0]
    return lambda text: None if text.lower() == "none" else reader(text)


def _tuple(inner: tuple[Any, ...]) -> Callable[[str], Any] | None:
    fixed = not (len(inner) == 2 and inner[1] is Ellipsis)
    each_kind = inner if fixed else inner[:1]
    readers = [_reader(kind) for kind in each_kind]
    nested = any(typing.get_origin(kind) is tuple for kind in each_kind)
    if not readers or None in readers or nested:
        return None

    def read(text: str) -> tuple[Any, ...]:
        parts = [part.strip() for part in text.split(",")]
        each = readers if fixed else readers * len(parts)
        return tuple(r(part) for r, part in zip(each, parts, strict=True) if r)

    return read


def _whole(text: str) -> int:
    value = float(text)
    if not value.is_integer():
        raise ValueError(text)
    return int(text) if text.strip().lstrip("+-").isdigit() else int(value)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _space(text: str) -> SearchSpace:
    spaces = discover()
    if text not in spaces:
        raise UserError(f"There is no search space {text!r}. {nearest(text, spaces)}")
    return spaces[text]


def _named(
    discover: Callable[[], Mapping[str, Any]], what: str
) -> Callable[[str], Any]:
    """Read a name as the part that is called so, with its defaults."""

    def read(text: str) -> Any:
        parts = discover()
        if text not in parts:
            raise UserError(f"There is no {what} {text!r}. {nearest(text, parts)}")
        return parts[text]()

    return read


_READERS: dict[Any, Callable[[str], Any]] = {
    bool: lambda text: _BOOLEANS[text.lower()],
    int: _whole,
    float: _number,
    str: str,
    Path: Path,
    SearchSpace: _space,
    Controller: _named(discover_controllers, "controller"),
    Policy: _named(discover_policies, "policy"),
    Predictor: _named(discover_predictors, "predictor"),
    Proxy: _named(discover_proxies, "proxy"),
}
_WORDS = {
    bool: "true or false",
    int: "whole number",
    float: "finite number",
    str: "text",
    Path: "path",
    SearchSpace: "name of a search space",
    Controller: "name of a controller",
    Policy: "name of a policy",
    Predictor: "name of a predictor",
    Proxy: "name of a proxy",
}


def _describe(kind: Any) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        rest = [_describe(part) for part in inner if part is not type(None)]
        return f"{' or '.join(rest)} or none"
    if origin is tuple:
        if len(inner) == 2 and inner[1] is Ellipsis:
            return f"list, with commas, each a {_describe(inner[0])}"
        return f"list, with commas, of {len(inner)}: {', '.join(map(_describe, inner))}"
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, inner))}"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return f"one of {', '.join(str(member.value) for member in kind)}"
    return _WORDS.get(kind, str(kind))
