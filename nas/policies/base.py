"""What a policy is: a distribution over genotypes that depends on a preference.

A policy's settings are a frozen dataclass; its parameters are a pytree of float32
arrays, passed in. Everything but the settings and the space is traced.

A preference is a point on the simplex: how much each objective matters. It is an input,
so that one set of parameters holds a policy for every trade-off between the objectives.

Letters in shapes: P genotypes, D decisions, O options, M objectives.
"""

import abc
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from search_spaces import SearchSpace

Params = Any
"""A pytree of float32 arrays."""

_NEVER = -1e9
"""The logit of an option that does not exist; finite, so that 0 times it is 0."""


class Policy(abc.ABC):
    """Draws genotypes decision by decision. Concrete ones are frozen dataclasses.

    Attributes:
      NAME: what users call it; unique among policies.
    """

    NAME: ClassVar[str]

    @abc.abstractmethod
    def init(self, key: jax.Array, space: SearchSpace, num_objectives: int) -> Params:
        """Make parameters to start from.

        Args:
          key: a JAX random key.
          space: where the genotypes come from.
          num_objectives: M, the length of a preference.

        Returns:
          Parameters of a policy that is uniform, or close to it.
        """

    @abc.abstractmethod
    def log_probabilities(
        self,
        params: Params,
        space: SearchSpace,
        genotypes: jax.Array,
        preference: jax.Array,
    ) -> jax.Array:
        """Give each decision's distribution where the decisions before are as given.

        Args:
          params: as `init` makes them.
          space: the same as for `init`.
          genotypes: `int32[P, D]`, canonical; entry d may only depend on those before.
          preference: `float32[P, M]`, rows on the simplex.

        Returns:
          `float32[P, D, O]`, normalised over the options that exist, whether the
          decision is alive or not; others are -1e9 or less.
        """

    @abc.abstractmethod
    def sample(
        self,
        params: Params,
        space: SearchSpace,
        key: jax.Array,
        preference: jax.Array,
    ) -> jax.Array:
        """Draw one genotype for each preference.

        Args:
          params: as `init` makes them.
          space: the same as for `init`.
          key: a JAX random key.
          preference: `float32[P, M]`, rows on the simplex.

        Returns:
          `int32[P, D]`, canonical.
        """

    def evaluate(
        self,
        params: Params,
        space: SearchSpace,
        genotypes: jax.Array,
        preference: jax.Array,
    ) -> tuple[jax.Array, jax.Array]:
        """Give `log_prob` and `entropy` in one pass."""
        table = self.log_probabilities(params, space, genotypes, preference)
        taken = jnp.take_along_axis(table, genotypes[..., None], axis=-1)[..., 0]
        entropy = -(jnp.exp(table) * table).sum(axis=-1)
        alive = space.alive(genotypes)
        return jnp.where(alive, taken, 0.0), jnp.where(alive, entropy, 0.0)

    def log_prob(
        self,
        params: Params,
        space: SearchSpace,
        genotypes: jax.Array,
        preference: jax.Array,
    ) -> jax.Array:
        """Give the log-probability of each decision given those before it.

        Args:
          params: as `init` makes them.
          space: the same as for `init`.
          genotypes: `int32[P, D]`, canonical.
          preference: `float32[P, M]`.

        Returns:
          `float32[P, D]`, whose sum over decisions is a genotype's log-probability.
          Dead decisions have no choice, so theirs is 0.
        """
        return self.evaluate(params, space, genotypes, preference)[0]

    def entropy(
        self,
        params: Params,
        space: SearchSpace,
        genotypes: jax.Array,
        preference: jax.Array,
    ) -> jax.Array:
        """Give the entropy of each decision given those before it, in nats.

        Args:
          params: as `init` makes them.
          space: the same as for `init`.
          genotypes: `int32[P, D]`, canonical.
          preference: `float32[P, M]`.

        Returns:
          `float32[P, D]`, 0 for dead decisions. The mean of its sum over decisions,
          over genotypes of the policy, is the policy's entropy.
        """
        return self.evaluate(params, space, genotypes, preference)[1]


def normalised(logits: jax.Array, valid: jax.Array) -> jax.Array:
    """Turn logits into log-probabilities of the options that exist.

    Args:
      logits: `float32[.., O]`.
      valid: `bool[.., O]`, of as many axes.

    Returns:
      `float32[.., O]`; -1e9 or less where an option does not exist.
    """
    return jax.nn.log_softmax(jnp.where(valid, logits, _NEVER), axis=-1)
