"""Search spaces as JSON, under a schema version."""

from collections.abc import Mapping
from typing import Any

from search_spaces.decision import Decision, DecisionList
from search_spaces.errors import SpaceError

SCHEMA_VERSION = 1


def write_decisions(space: DecisionList) -> list[dict[str, Any]]:
    """Write what the decisions are, without the space's name."""
    return [
        {
            "name": decision.name,
            "options": list(decision.options),
            "requires": decision.requires
            and [decision.requires[0], list(decision.requires[1])],
        }
        for decision in space.decisions
    ]


def write(space: DecisionList) -> dict[str, Any]:
    """Write a space as JSON data."""
    return {
        "schema": SCHEMA_VERSION,
        "name": space.name,
        "decisions": write_decisions(space),
    }


def read(data: Any) -> tuple[str, tuple[Decision, ...]]:
    """Read the name and the decisions of a space; see `SearchSpace.from_json`."""
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA_VERSION:
        found = data.get("schema") if isinstance(data, Mapping) else data
        raise SpaceError(
            f"Found a search space of schema {found!r}; this version reads schema "
            f"{SCHEMA_VERSION}."
        )
    try:
        decisions = tuple(_read_decision(row) for row in data["decisions"])
        return data["name"], decisions
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, SpaceError):
            raise
        raise SpaceError(f"This is no search space: {error!r} in {data}.") from error


def _read_decision(row: Any) -> Decision:
    if not isinstance(row["options"], list):
        raise TypeError(f"options: found {row['options']!r}, not a list")
    requires = None
    if row["requires"] is not None:
        parent, options = row["requires"]
        requires = (parent, tuple(options))
    return Decision(row["name"], tuple(row["options"]), requires)
