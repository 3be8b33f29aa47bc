"""What is read from `rank.json`: correlations, baselines and the ceiling.

A number that is missing or damaged is None, so that a report shows what is left.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

# What the names of formulas have in common.
FORMULA = "formula"


@dataclasses.dataclass(frozen=True)
class Tau:
    """A correlation with its interval, where it is known.

    Attributes:
      tau: Kendall's tau-b.
      low: lower end of the 95 % interval, or None.
      high: upper end, or None.
    """

    tau: float
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        """The value, and its interval in brackets."""
        if self.low is None or self.high is None:
            return f"{self.tau:.2f}"
        return f"{self.tau:.2f} [{self.low:.2f}, {self.high:.2f}]"


def read_tau(value: Any) -> Tau | None:
    """Read a number, or `{"tau", "low", "high"}`, as `rank.json` has them."""
    if _is_number(value):
        return Tau(float(value))
    if not isinstance(value, Mapping):
        return None
    tau: Any = value.get("tau")
    if not _is_number(tau):
        return None
    low: Any = value.get("low")
    high: Any = value.get("high")
    if not (_is_number(low) and _is_number(high)):
        return Tau(float(tau))
    return Tau(float(tau), float(low), float(high))


def baselines_of(rank: Mapping[str, Any]) -> dict[str, Tau]:
    """Read the baselines of `rank.json`, the best first."""
    entries = rank.get("baselines")
    if not isinstance(entries, Mapping):
        return {}
    found = {str(name): read_tau(value) for name, value in entries.items()}
    known = {name: tau for name, tau in found.items() if tau is not None}
    return dict(sorted(known.items(), key=lambda item: -item[1].tau))


def formula_of(rank: Mapping[str, Any]) -> Tau | None:
    """Find the tau of the formula that counts operations: the best one called so."""
    named = (tau for name, tau in baselines_of(rank).items() if FORMULA in name.lower())
    return next(named, None)


def ceiling_of(rank: Mapping[str, Any]) -> float | None:
    """Find how well the truth agrees with itself: a seed with the mean of the others.

    Args:
      rank: `rank.json`.

    Returns:
      Tau-b; None with a single seed.
    """
    value = rank.get("ceiling")
    known = read_tau(value)
    if known is not None:
        return known.tau
    if not isinstance(value, Mapping):
        return None
    taus = (read_tau(value.get(n)) for n in ("seed_to_others", "seed_to_seed"))
    return next((tau.tau for tau in taus if tau is not None), None)


def reference_of(rank: Mapping[str, Any]) -> tuple[str, Tau] | None:
    """Find the baseline that the supernet has to beat.

    Args:
      rank: `rank.json`.

    Returns:
      Name and tau of the one beyond which the partial tau looks, or else of the best
      one that trains nothing; None if there is no such baseline.
    """
    known, raw = baselines_of(rank), rank.get("baselines") or {}
    given = (rank.get("partial_tau") or {}).get("given")
    if given in known:
        return given, known[given]
    # What was fitted to a part of the truth says how large it was.
    free = [
        n for n in known if not isinstance(raw[n], Mapping) or "sample" not in raw[n]
    ]
    return (free[0], known[free[0]]) if free else None


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and bool(np.isfinite(value))
