"""REINFORCE: raise the log-probability of what was better than the baseline.

What was told is not used again.

Reference:
  Williams, "Simple statistical gradient-following algorithms for connectionist
  reinforcement learning", Machine Learning 8, 1992; for architectures, Zoph, Le,
  "Neural architecture search with reinforcement learning", ICLR 2017,
  arXiv:1611.01578, and Pham et al., ICML 2018, arXiv:1802.03268.
"""

import dataclasses
from typing import ClassVar

import jax

from nas.search.policy_gradient import PolicyGradient


@dataclasses.dataclass(frozen=True)
class Reinforce(PolicyGradient):
    """Learns a policy to draw from, by one gradient step on each batch."""

    NAME: ClassVar[str] = "reinforce"

    def surrogate(
        self, new: jax.Array, old: jax.Array, advantage: jax.Array
    ) -> jax.Array:
        """Give the log-probability times the advantage."""
        del old
        return new.sum(axis=-1) * advantage
