"""What a population of alphas says, for logs and for people.

Letters in shapes: P preferences, D decisions, O options.
"""

import functools
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nas.relaxations.base import Relaxation
from search_spaces import SearchSpace


def describe(
    relaxation: Relaxation, space: SearchSpace, alphas: np.ndarray, allowed: np.ndarray
) -> dict[str, float]:
    """Write alphas as named numbers.

    Args:
      relaxation: what they mean.
      space: what names the options.
      alphas: `float32[P, D, O]`.
      allowed: `bool[P, D, O]`.

    Returns:
      For preference p `p/entropy`, and for each decision with a choice
      `p/<decision>/derived`, an option's index, and `p/<decision>/<option>`, its
      probability.
    """
    told = _told(relaxation, space, jnp.asarray(alphas), jnp.asarray(allowed))
    rows, entropy, derived = map(np.asarray, told)
    found: dict[str, float] = {}
    for p in range(len(rows)):
        found[f"{p}/entropy"] = float(entropy[p])
        for d, decision in enumerate(space.decisions):
            if len(decision.options) < 2:
                continue
            found[f"{p}/{decision.name}/derived"] = int(derived[p, d])
            for o, option in enumerate(decision.options):
                found[f"{p}/{decision.name}/{option}"] = float(rows[p, d, o])
    return found


def derive_all(
    relaxation: Relaxation,
    space: SearchSpace,
    alphas: np.ndarray | jax.Array,
    allowed: np.ndarray | jax.Array,
) -> np.ndarray:
    """Take the most probable options of each of P alphas, `int32[P, D]`, canonical."""
    told = _told(relaxation, space, jnp.asarray(alphas), jnp.asarray(allowed))
    return np.asarray(told[2])


@functools.partial(jax.jit, static_argnames=("relaxation", "space"))
def _told(
    relaxation: Relaxation, space: SearchSpace, alphas: jax.Array, allowed: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Give probabilities, entropies and what is derived, of each of P alphas."""

    def one(alphas: jax.Array, allowed: jax.Array) -> Any:
        return (
            relaxation.probabilities(alphas, allowed),
            relaxation.entropy(alphas, allowed),
            relaxation.derive(alphas, allowed, space),
        )

    return jax.vmap(one)(alphas, allowed)


def derived_text(space: SearchSpace, derived: Iterable[np.ndarray]) -> str:
    """Write derived architectures as a Markdown list, a preference a line.

    Args:
      space: what names the options.
      derived: `int32[P, D]`.
    """
    lines = []
    for p, row in enumerate(derived):
        alive = space.alive(np.asarray(row))
        chosen = [
            f"{name} {option}"
            for (name, option), live in zip(
                space.decode(row).items(), alive, strict=True
            )
            if live
        ]
        lines.append(f"- {p}: {', '.join(chosen)}")
    return "\n".join(lines)
