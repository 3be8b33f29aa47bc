"""Find every controller of this package, so that a new one is one new file."""

import nas.search
from nas.search.base import Controller
from predictors.discovery import named_classes


def discover() -> dict[str, type[Controller]]:
    """List the controllers that any module here defines.

    Returns:
      `{NAME: class}`, in the order of names.

    Raises:
      ValueError: two controllers have the same name.
    """
    return named_classes(nas.search, Controller)
