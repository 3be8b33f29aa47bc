"""The numbers that runs are compared by: where each is found, and which way is up."""

import dataclasses
from collections.abc import Mapping
from typing import Any

HIGHER, LOWER = 1, -1


@dataclasses.dataclass(frozen=True)
class Quantity:
    """One number of a run.

    Attributes:
      name: under which it is written and asked for.
      title: what people call it.
      better: `HIGHER` or `LOWER`.
      ranks: whether it depends on the sample of architectures, so that only runs
        against the same truth may be compared by it.
    """

    name: str
    title: str
    better: int
    ranks: bool = False


QUANTITIES = (
    Quantity("tau", "Kendall's tau-b, by NLL", HIGHER, True),
    Quantity("tau_error", "Kendall's tau-b, by error", HIGHER, True),
    Quantity("partial_tau", "partial tau, given the best baseline", HIGHER, True),
    Quantity("beyond_copy", "partial tau beyond that of a copy", HIGHER, True),
    Quantity("tau_better_half", "Kendall's tau-b on the better half", HIGHER, True),
    Quantity("spearman", "Spearman's rho, by NLL", HIGHER, True),
    Quantity("best_k_median_rank", "median true rank of the best 10", LOWER, True),
    Quantity("regret_at_k", "regret of the best 10", LOWER, True),
    Quantity("loss", "training loss at the end, nats", LOWER),
    Quantity("hypervolume", "hypervolume of the front, one box for all", HIGHER),
    Quantity("growth", "hypervolume of all evaluated, at equal budgets", HIGHER),
    Quantity("regret", "regret of the best found in a table, reported", LOWER),
    Quantity("front_error", "lowest error of the front, report split", LOWER),
)
# The last value of these scalars.
SCALAR_OF = {"loss": "train/loss", "regret": "search/regret"}


def by_name() -> dict[str, Quantity]:
    """Index the quantities by name."""
    return {quantity.name: quantity for quantity in QUANTITIES}


def number(value: Any) -> float | None:
    """Read a number, also where it stands beside its interval.

    Args:
      value: a number, or a mapping with one under `tau`, `value` or `mean`.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(float(value)) < float("inf") else None
    if isinstance(value, Mapping):
        found = (value[key] for key in ("tau", "value", "mean") if key in value)
        return next((n for n in map(number, found) if n is not None), None)
    return None
