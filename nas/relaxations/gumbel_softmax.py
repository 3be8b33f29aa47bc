"""One option of each decision, drawn so that gradients pass: GDAS.

Dong and Yang, "Searching for A Robust Neural Architecture in Four GPU Hours", CVPR
2019, arXiv 1910.04465; the trick is that of Jang et al. (ICLR 2017, arXiv 1611.01144).

A supernet runs the option that was drawn and multiplies it by its weight, which is 1
and has the soft weight's gradient. The first released code also added the weights of
the other options, which are 0, as bare numbers to the edge's output: the same value,
but with the gradient of outputs that are all 1. Its later version leaves that out, and
so do we.
"""

import dataclasses

import jax
import jax.numpy as jnp

from nas.errors import UserError
from nas.relaxations.base import Relaxation, masked


@dataclasses.dataclass(frozen=True)
class GumbelSoftmax(Relaxation):
    """Draws options with the probabilities `softmax(alphas)`."""

    hottest: float = 10.0
    """The temperature at the start; it falls linearly."""

    coldest: float = 0.1
    """The temperature at the end."""

    hard: bool = True
    """Whether one option is run, with the gradient of the soft weights; otherwise all
    are mixed by the soft weights (SNAS, Xie et al. 2019, arXiv 1812.09926)."""

    def __post_init__(self) -> None:
        """Check the range."""
        if not 0 < self.coldest <= self.hottest:
            raise UserError(
                f"relaxation: hottest is {self.hottest} and coldest {self.coldest}; "
                "temperatures are above 0, and fall."
            )

    @property
    def discrete(self) -> bool:
        """Whether one option is run."""
        return self.hard

    def temperature(self, progress: jax.Array | float) -> jax.Array:
        """Give the temperature at a share of the search, `float32[]`."""
        done = jnp.clip(jnp.asarray(progress, jnp.float32), 0, 1)
        return self.hottest + (self.coldest - self.hottest) * done

    def sample(
        self,
        alphas: jax.Array,
        key: jax.Array,
        progress: jax.Array | float,
        allowed: jax.Array,
    ) -> jax.Array:
        """Draw an option for each decision; see `Relaxation.sample`."""
        noisy = alphas + jax.random.gumbel(key, alphas.shape, jnp.float32)
        soft = jax.nn.softmax(masked(noisy / self.temperature(progress), allowed))
        if not self.hard:
            return soft
        # By what was drawn, not by the soft weights, which may tie when it is hot.
        drawn = masked(jax.lax.stop_gradient(noisy), allowed).argmax(-1)
        one_hot = jax.nn.one_hot(drawn, alphas.shape[-1], dtype=jnp.float32)
        # In this order the difference is exactly zero, and the value exactly one-hot.
        return one_hot + (soft - jax.lax.stop_gradient(soft))

    def probabilities(self, alphas: jax.Array, allowed: jax.Array) -> jax.Array:
        """Give how often each option is drawn; see `Relaxation.probabilities`."""
        return jax.nn.softmax(masked(alphas, allowed))
