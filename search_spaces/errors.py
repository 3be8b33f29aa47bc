"""What goes wrong when a space, a genotype or a set of choices is not valid."""

import difflib
from collections.abc import Iterable


class SpaceError(ValueError):
    """A space, genotype or set of choices is not valid; the message says why."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Say which of the allowed names are close to a misspelt one.

    Args:
      name: what was written.
      allowed: every name that would have been right.

    Returns:
      A sentence that ends an error message: the close names, or all of them.
    """
    names = list(allowed)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Allowed: {', '.join(names)}."
