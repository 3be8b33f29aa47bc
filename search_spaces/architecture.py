"""Architectures: what a supernet receives, as a value.

For each decision an architecture holds a point on the simplex over its options, padded
to `float32[D, O]`. One-hot rows with their indices are a hard (discrete) architecture;
other rows are a soft (relaxed) one. It enters in canonical form, once, here.
"""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from search_spaces.base import SearchSpace
from search_spaces.choice import Choice
from search_spaces.errors import SpaceError, nearest


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("weights", "indices"),
    meta_fields=("space",),
)
@dataclasses.dataclass(frozen=True)
class Architecture:
    """A point on the simplex for each decision of a space.

    Build one by `hard` or `soft`, which make it canonical. It is a pytree, so it may be
    traced, mapped and differentiated.

    Attributes:
      weights: `float32[D, O]`, zero on padding.
      indices: `int32[D]` when hard, else None.
      space: whose decisions these are; static.
    """

    weights: jax.Array
    indices: jax.Array | None
    space: SearchSpace

    @classmethod
    def hard(
        cls,
        space: SearchSpace,
        genotype: jax.Array | np.ndarray,
        weights: jax.Array | None = None,
    ) -> "Architecture":
        """Make a discrete architecture.

        Args:
          space: the search space.
          genotype: `int32[D]`; may be traced.
          weights: `float32[D, O]` whose entries at the genotype stand for the chosen
            options, for straight-through estimators; None is the one-hot rows.

        Returns:
          The architecture, canonical.
        """
        indices = space.canonical(jnp.asarray(genotype, jnp.int32))
        one_hot = jax.nn.one_hot(indices, space.max_options, dtype=jnp.float32)
        if weights is not None:
            # The value stays one-hot for dead decisions, whose weights mean nothing.
            live = space.alive(jnp.asarray(genotype, jnp.int32))[:, None]
            one_hot = jnp.where(live, weights, one_hot)
        return cls(one_hot, indices, space)

    @classmethod
    def soft(cls, space: SearchSpace, weights: jax.Array) -> "Architecture":
        """Make a relaxed architecture.

        Args:
          space: the search space.
          weights: `float32[D, O]`, rows on the simplex, zero on padding.

        Returns:
          The architecture, canonical: dead decisions by their probability.
        """
        return cls(space.canonical_weights(weights), None, space)

    def given_alive(self) -> "Architecture":
        """Give every decision as it is where it is alive, for expectations.

        Returns:
          Itself when hard; when soft, an architecture that is not canonical: the
          rows of `SearchSpace.live_weights`.
        """
        if self.indices is not None:
            return self
        return dataclasses.replace(self, weights=self.space.live_weights(self.weights))

    def __getitem__(self, name: str) -> Choice:
        """Give the choice of one decision, by name."""
        d = _position(self.space, name)
        options = self.space.decisions[d].options
        index = None if self.indices is None else self.indices[d]
        return Choice(self.weights[d, : len(options)], index, (name,), options)

    def stack(self, names: Sequence[str]) -> Choice:
        """Give the choices of several alike decisions, stacked for a `scan`.

        Args:
          names: L decisions that have the same options.

        Returns:
          A choice with a leading layer axis: weights `[L, K]`, index `[L]`.

        Raises:
          SpaceError: their options differ.
        """
        positions = np.asarray([_position(self.space, name) for name in names])
        options = self.space.decisions[positions[0]].options
        for d in positions:
            if self.space.decisions[d].options != options:
                raise SpaceError(
                    f"stack: {self.space.names[d]!r} has other options than "
                    f"{names[0]!r}; only alike decisions can be stacked."
                )
        index = None if self.indices is None else self.indices[positions]
        weights = self.weights[positions, : len(options)]
        return Choice(weights, index, (f"{names[0]}..{names[-1]}",), options)


def _position(space: SearchSpace, name: str) -> int:
    if name not in space.names:
        raise SpaceError(
            f"Space {space.name!r} has no decision {name!r}. "
            f"{nearest(name, space.names)}"
        )
    return space.names.index(name)
