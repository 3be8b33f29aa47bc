"""What stands after `nas STAGE`: names, the stage's own options, and settings.

Settings of an experiment look like options, and which there are is only known once the
experiment is loaded. So everything that is no option of the stage is taken as a setting
with one value, and is checked later.
"""

import dataclasses
import difflib
from collections.abc import Sequence

from nas.errors import UserError

HELP = ("-h", "--help")


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a stage.

    Attributes:
      name: without the dashes.
      value: what to call its value in help texts; empty for a flag.
      text: what it does.
    """

    name: str
    value: str
    text: str


@dataclasses.dataclass(frozen=True)
class Arguments:
    """A command, taken apart.

    Attributes:
      names: what stands without dashes, in order.
      options: values of the stage's own options, in the order they were given; a flag
        has one empty value.
      settings: dotted name and text of each setting; the text is None where nothing
        followed.
      help: whether help was asked for.
    """

    names: tuple[str, ...]
    options: dict[str, list[str]]
    settings: tuple[tuple[str, str | None], ...]
    help: bool

    def one(self, name: str) -> str | None:
        """Give the last value of an option, None without one."""
        return self.options[name][-1] if name in self.options else None

    def flag(self, name: str) -> bool:
        """Say whether a flag was given."""
        return name in self.options


def parse(tokens: Sequence[str], allowed: Sequence[Option], most: int) -> Arguments:
    """Take a command apart.

    Args:
      tokens: what stands after the stage.
      allowed: the stage's own options.
      most: how many names without dashes there may be.

    Returns:
      The parts.

    Raises:
      UserError: an option lacks its value, or there are too many names.
    """
    by_name = {option.name: option for option in allowed}
    names: list[str] = []
    options: dict[str, list[str]] = {}
    settings: list[tuple[str, str | None]] = []
    rest = list(tokens)
    wants_help = any(token in HELP for token in rest)
    rest = [token for token in rest if token not in HELP]
    while rest:
        token = rest.pop(0)
        if not token.startswith("-") or token == "-":
            names.append(token)
            continue
        name, equals, inline = token.lstrip("-").partition("=")
        option = by_name.get(name)
        if option is not None and not option.value:
            if equals:
                raise UserError(f"--{name} takes no value; found {inline!r}.")
            options.setdefault(name, []).append("")
            continue
        value = inline if equals else _next(rest)
        if option is None:
            settings.append((name.replace("-", "_"), value))
        elif value is None and not wants_help:
            raise UserError(f"--{name} needs a value: --{name} {option.value}.")
        else:
            options.setdefault(name, []).append(value or "")
    if len(names) > most and not wants_help:
        raise UserError(_too_many(names, most))
    return Arguments(tuple(names), options, tuple(settings), wants_help)


def unknown_option(name: str, allowed: Sequence[str]) -> str:
    """Say that an option does not exist, and which ones are close.

    Args:
      name: what the user wrote, without dashes.
      allowed: every option and setting that would have been right.
    """
    close = difflib.get_close_matches(name, allowed, n=3, cutoff=0.6)
    hint = f" Did you mean --{' or --'.join(close)}?" if close else ""
    return f"--{name.replace('_', '-')}: there is no such option.{hint}"


def _next(rest: list[str]) -> str | None:
    return rest.pop(0) if rest and not rest[0].startswith("--") else None


def _too_many(names: list[str], most: int) -> str:
    extra = " ".join(names[most:])
    taken = f" after {' '.join(names[:most])}" if most else ""
    return (
        f"Cannot make sense of {extra!r}{taken}. Settings are written --name VALUE, "
        "and a value with spaces stands in quotes."
    )
