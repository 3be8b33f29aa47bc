"""Reading and writing genotypes: validation, names of options, identifiers, features.

These are the functions behind the methods of `SearchSpace`, where they are documented.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from search_spaces.conditions import ArrayT, alive, canonical
from search_spaces.decision import DecisionList, Option
from search_spaces.errors import SpaceError, nearest

LONGEST_ID = 24


def validate(space: DecisionList, genotypes: Any, where: str) -> np.ndarray:
    """Refuse what is no genotype of this space, or give it as `np.int32[..., D]`."""
    array = np.asarray(genotypes)
    if array.ndim == 0 or array.shape[-1] != space.num_decisions:
        raise SpaceError(
            f"{where}: found shape {array.shape}, but space {space.name!r} has "
            f"{space.num_decisions} decisions; the last axis must be that long."
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise SpaceError(
            f"{where}: found dtype {array.dtype}; option indices are integers."
        )
    wrong = (array < 0) | (array >= np.asarray(space.num_options))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        decision = space.decisions[at[-1]]
        row = f" of row {at[:-1]}" if len(at) > 1 else ""
        raise SpaceError(
            f"{where}: decision {decision.name!r}{row} has index {array[at]}; "
            f"allowed are 0 to {len(decision.options) - 1}, for the options "
            f"{decision.options}."
        )
    return array.astype(np.int32)


def decode(space: DecisionList, genotype: np.ndarray) -> dict[str, Option]:
    """Name the option that each decision of a valid genotype takes."""
    return {
        decision.name: decision.options[int(i)]
        for decision, i in zip(space.decisions, genotype, strict=True)
    }


def encode(space: DecisionList, choices: Mapping[str, Option]) -> np.ndarray:
    """Read named options into a canonical genotype, `np.int32[D]`."""
    for name in choices:
        if name not in space.names:
            raise SpaceError(
                f"Space {space.name!r} has no decision {name!r}. "
                f"{nearest(name, space.names)}"
            )
    genotype = np.zeros(space.num_decisions, np.int32)
    for d, decision in enumerate(space.decisions):
        if decision.name not in choices:
            continue
        option = choices[decision.name]
        if option not in decision.options:
            raise SpaceError(
                f"Decision {decision.name!r} of space {space.name!r} has no option "
                f"{option!r}. {nearest(str(option), map(str, decision.options))}"
            )
        genotype[d] = decision.options.index(option)
    missing = [
        name
        for name, live in zip(space.names, alive(space, genotype), strict=True)
        if live and name not in choices
    ]
    if missing:
        raise SpaceError(
            f"No option given for {', '.join(missing)} of space {space.name!r}; "
            "every decision that has an effect needs one."
        )
    return canonical(space, genotype)


def identify(canonical_genotype: np.ndarray) -> str:
    """Write a canonical genotype as a short name."""
    text = "-".join(str(int(i)) for i in canonical_genotype)
    if len(text) <= LONGEST_ID:
        return text
    return "g" + hashlib.sha256(text.encode()).hexdigest()[:10]


def one_hot(space: DecisionList, genotypes: ArrayT) -> ArrayT:
    """Encode by one indicator for each option, `float32[..., sum(num_options)]`."""
    xp: Any = jnp if isinstance(genotypes, jax.Array) else np
    rows = canonical(space, genotypes)
    columns = [
        (rows[..., d] == option)
        for d, n in enumerate(space.num_options)
        for option in range(n)
    ]
    return xp.stack(columns, axis=-1).astype(np.float32)


def ordinal(space: DecisionList, genotypes: ArrayT) -> ArrayT:
    """Encode by each option's place among its decision's, `float32[..., D]`."""
    rows: Any = canonical(space, genotypes)
    last = np.maximum(np.asarray(space.num_options) - 1, 1).astype(np.float32)
    return rows.astype(np.float32) / np.broadcast_to(last, rows.shape)
