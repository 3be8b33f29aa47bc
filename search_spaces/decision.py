"""Decisions, and an ordered list of them with its conditions resolved to arrays."""

import dataclasses
import functools
import math

import numpy as np

from search_spaces.errors import SpaceError, nearest

Option = str | int | float | bool


@dataclasses.dataclass(frozen=True)
class Decision:
    """One thing that may vary.

    Attributes:
      name: a stable name, unique in its space; files and logs refer to it.
      options: what it may be, at least one. JSON scalars of which no two are equal (1,
        1.0 and True are), so that an option can be found by its value.
      requires: the condition under which it has an effect: the name of an earlier
        decision, and those of its options under which this one is alive. None: always.
    """

    name: str
    options: tuple[Option, ...]
    requires: tuple[str, tuple[Option, ...]] | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be a decision."""
        if not self.name or not isinstance(self.name, str):
            raise SpaceError(f"A decision needs a name, found {self.name!r}.")
        if not self.options:
            raise SpaceError(f"Decision {self.name!r} has no options; give at least 1.")
        for option in self.options:
            if not isinstance(option, str | int | float | bool):
                raise SpaceError(
                    f"Decision {self.name!r} has the option {option!r} of type "
                    f"{type(option).__name__}; options are strings, numbers or "
                    "booleans."
                )
            if isinstance(option, float) and not math.isfinite(option):
                raise SpaceError(
                    f"Decision {self.name!r} has the option {option!r}, which JSON "
                    "cannot hold; give a finite number."
                )
        if len(set(self.options)) != len(self.options):
            raise SpaceError(
                f"Decision {self.name!r} repeats an option: {self.options}."
            )


@dataclasses.dataclass(frozen=True)
class DecisionList:
    """Decisions in order, and the arrays that follow from them.

    Attributes:
      name: of the space, for people and for messages.
      decisions: in the order of the genotype's entries. A condition refers to an
        earlier decision.
    """

    name: str
    decisions: tuple[Decision, ...]

    def __post_init__(self) -> None:
        """Refuse repeated names and conditions that cannot be resolved."""
        if not self.decisions:
            raise SpaceError(f"Space {self.name!r} has no decisions; give at least 1.")
        seen: dict[str, Decision] = {}
        for decision in self.decisions:
            if decision.name in seen:
                raise SpaceError(
                    f"Space {self.name!r} has two decisions named {decision.name!r}."
                )
            if decision.requires is not None:
                self._check_condition(decision, seen)
            seen[decision.name] = decision

    def _check_condition(self, decision: Decision, seen: dict[str, Decision]) -> None:
        parent, options = decision.requires or ("", ())
        if parent not in seen:
            raise SpaceError(
                f"Decision {decision.name!r} of space {self.name!r} requires "
                f"{parent!r}, which is no earlier decision. {nearest(parent, seen)}"
            )
        unknown = [o for o in options if o not in seen[parent].options]
        if unknown or not options:
            raise SpaceError(
                f"Decision {decision.name!r} of space {self.name!r} requires "
                f"{parent!r} to be in {options}; allowed are {seen[parent].options}."
            )

    @property
    def num_decisions(self) -> int:
        """D, the length of a genotype."""
        return len(self.decisions)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The decisions' names, in order."""
        return tuple(decision.name for decision in self.decisions)

    @functools.cached_property
    def num_options(self) -> tuple[int, ...]:
        """How many options each decision has."""
        return tuple(len(decision.options) for decision in self.decisions)

    @property
    def max_options(self) -> int:
        """O, to which options are padded in arrays."""
        return max(self.num_options)

    @functools.cached_property
    def valid(self) -> np.ndarray:
        """`bool[D, O]`: which padded options exist."""
        counts = np.asarray(self.num_options)
        return np.arange(self.max_options)[None, :] < counts[:, None]

    @functools.cached_property
    def conditions(self) -> tuple[tuple[int, np.ndarray] | None, ...]:
        """For each decision: its parent, and `bool[O]` under which of its options."""
        conditions: list[tuple[int, np.ndarray] | None] = []
        for decision in self.decisions:
            if decision.requires is None:
                conditions.append(None)
                continue
            parent = self.names.index(decision.requires[0])
            table = np.zeros(self.max_options, bool)
            for i, option in enumerate(self.decisions[parent].options):
                table[i] = option in decision.requires[1]
            conditions.append((parent, table))
        return tuple(conditions)
