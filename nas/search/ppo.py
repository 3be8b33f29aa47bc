"""Proximal policy optimisation: several steps on each telling, none of them far.

Each decision is an action, with a probability ratio of its own; all decisions of an
architecture have its advantage. What was told is little, so that each step takes all of
it, not minibatches; there is no value function, but the baseline of all policy-gradient
controllers here.

Reference:
  Schulman, Wolski, Dhariwal, Radford, Klimov, "Proximal policy optimization
  algorithms", 2017, arXiv:1707.06347, equation 7.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from nas.errors import UserError
from nas.search.policy_gradient import PolicyGradient


@dataclasses.dataclass(frozen=True)
class PPO(PolicyGradient):
    """Learns a policy to draw from, by clipped gradient steps on each batch."""

    learning_rate: float = 0.01
    """Of Adam, at each of the steps."""

    epochs: int = 4
    """Gradient steps on each telling."""

    clip: float = 0.2
    """A decision's ratio of probabilities gains nothing beyond 1 - clip and 1 + clip;
    inf clips nothing."""

    NAME: ClassVar[str] = "ppo"

    def __post_init__(self) -> None:
        """Refuse no step, and no room for one."""
        super().__post_init__()
        if self.epochs < 1:
            raise UserError(f"ppo: epochs is {self.epochs}, it must be at least 1.")
        if not self.clip > 0:
            raise UserError(f"ppo: clip is {self.clip}, it must be above 0.")

    @property
    def num_epochs(self) -> int:
        """The setting `epochs`."""
        return self.epochs

    def surrogate(
        self, new: jax.Array, old: jax.Array, advantage: jax.Array
    ) -> jax.Array:
        """Give the clipped surrogate, summed over decisions."""
        ratio = jnp.exp(new - old)
        clipped = jnp.clip(ratio, 1 - self.clip, 1 + self.clip)
        gain = advantage[..., None]
        return jnp.minimum(ratio * gain, clipped * gain).sum(axis=-1)
