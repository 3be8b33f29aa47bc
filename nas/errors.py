"""The one error that means: what the user gave is wrong."""

import difflib
from collections.abc import Iterable
from typing import Any


class UserError(ValueError):
    """Something that the user gave is wrong, and the user can put it right.

    The message says what is wrong, where it stands, what was found, what is allowed,
    and what to do. The command line prints it alone, without a traceback, and exits
    with status 2; Python callers catch it as a `ValueError`.
    """


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Say which of the allowed names are close to a misspelt one.

    Args:
      name: what the user wrote.
      allowed: every name that would have been right.

    Returns:
      A sentence to end an error message with: the close names if there are any,
      otherwise all of them.
    """
    names = sorted(allowed)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Allowed: {', '.join(names)}."


def check_least(group: str, settings: Any, **least: float) -> None:
    """Refuse settings that are too small.

    Args:
      group: what people call the settings, such as `training`.
      settings: what has them as attributes.
      **least: the least value of each, by name.

    Raises:
      UserError: one is below its least value, or is no number.
    """
    for name, low in least.items():
        found = getattr(settings, name)
        if not found >= low:
            raise UserError(f"{group}: {name} is {found}, it must be at least {low}.")
