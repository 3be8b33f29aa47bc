"""Cost as data: sums of small integer tables over the options of a few decisions.

A network's multiply-accumulates and parameters are sums of terms, each of which depends
on a few decisions. Kept as tables, they are exact for populations of any size, and
their expectation under a soft architecture is differentiable.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from search_spaces import Architecture, SearchSpace, joint


@dataclasses.dataclass(frozen=True)
class Term:
    """A count that depends on some decisions.

    Attributes:
      names: the decisions; none for a constant.
      values: `int64`, one axis for each of them.
    """

    names: tuple[str, ...]
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class CostTable:
    """A sum of terms, no two over the same decisions."""

    terms: tuple[Term, ...]

    @classmethod
    def of(cls, terms: Sequence[Term]) -> "CostTable":
        """Add up terms over the same decisions."""
        merged: dict[tuple[str, ...], np.ndarray] = {}
        for term in terms:
            values = np.asarray(term.values, np.int64)
            merged[term.names] = merged.get(term.names, np.int64(0)) + values
        return cls(tuple(Term(names, values) for names, values in merged.items()))

    def count(self, space: SearchSpace, genotypes: np.ndarray) -> np.ndarray:
        """Count exactly.

        Args:
          space: of the genotypes.
          genotypes: canonical, `int[..., D]`.

        Returns:
          `int64[...]`.
        """
        total = np.zeros(genotypes.shape[:-1], np.int64)
        for term in self.terms:
            columns = tuple(genotypes[..., space.names.index(n)] for n in term.names)
            total = total + term.values[columns]
        return total

    def expect(self, arch: Architecture) -> jax.Array:
        """Give the expectation under an architecture, `float32[]`.

        Args:
          arch: as `Architecture.given_alive` gives it: a term that depends on when
            something exists holds that probability itself.
        """
        total = jnp.zeros((), arch.weights.dtype)
        for term in self.terms:
            values = jnp.asarray(term.values.reshape(-1), arch.weights.dtype)
            if not term.names:
                total = total + values[0]
                continue
            choice = joint(*(arch[name] for name in term.names))
            if choice.index is None:
                total = total + jnp.sum(choice.weights * values)
            else:
                total = total + choice.weights[choice.index] * values[choice.index]
        return total
