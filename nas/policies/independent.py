"""Independent logits: each decision is drawn by itself.

Each objective has a table of logits, and a preference mixes them, so that the ends of
the front and what lies between are learnt together. With one objective this is the
plain table of Williams' bandit networks.

Reference:
  Williams, "Simple statistical gradient-following algorithms for connectionist
  reinforcement learning", Machine Learning 8, 1992.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from nas.policies.base import Params, Policy, normalised
from search_spaces import SearchSpace


@dataclasses.dataclass(frozen=True)
class Independent(Policy):
    """Logits of each decision's options, linear in the preference."""

    NAME: ClassVar[str] = "independent"

    def init(self, key: jax.Array, space: SearchSpace, num_objectives: int) -> Params:
        """Start uniform; nothing is drawn."""
        del key
        shape = (num_objectives, space.num_decisions, space.max_options)
        return {"logits": jnp.zeros(shape, jnp.float32)}

    def log_probabilities(
        self,
        params: Params,
        space: SearchSpace,
        genotypes: jax.Array,
        preference: jax.Array,
    ) -> jax.Array:
        """Give each decision's distribution; see `Policy.log_probabilities`."""
        del genotypes
        logits = jnp.einsum("pm,mdo->pdo", preference, params["logits"])
        return normalised(logits, jnp.asarray(space.valid)[None])

    def sample(
        self,
        params: Params,
        space: SearchSpace,
        key: jax.Array,
        preference: jax.Array,
    ) -> jax.Array:
        """Draw all decisions at once; see `Policy.sample`."""
        none = jnp.zeros((len(preference), space.num_decisions), jnp.int32)
        table = self.log_probabilities(params, space, none, preference)
        drawn = jax.random.categorical(key, table, axis=-1)
        return space.canonical(drawn.astype(jnp.int32))
