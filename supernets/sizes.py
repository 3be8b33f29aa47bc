"""What every supernet asks of its sizes when it is built."""

from typing import Any


def check_least(supernet: Any, **least: int) -> None:
    """Refuse a supernet of which a number is too small.

    Args:
      supernet: with the attributes that are checked; one may be a tuple of numbers.
      **least: the least value of each, by name.

    Raises:
      ValueError: an attribute, or a number in it, is less.
    """
    for name, low in least.items():
        value = getattr(supernet, name)
        for found in value if isinstance(value, tuple) else (value,):
            if found < low:
                raise ValueError(f"{name}: found {found}; at least {low} is needed.")
