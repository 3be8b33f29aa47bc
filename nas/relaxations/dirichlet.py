"""Mixtures drawn from a Dirichlet distribution that is learnt: DrNAS.

Chen, Wang, Cheng, Tang and Hsieh, "DrNAS: Dirichlet Neural Architecture Search", ICLR
2021, arXiv 2006.10355.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln

from nas.errors import UserError
from nas.relaxations.base import Relaxation, masked

LEAST = 1e-3


@dataclasses.dataclass(frozen=True)
class Dirichlet(Relaxation):
    """Draws mixtures, each decision from `Dirichlet(elu(alpha) + 1)`.

    Gradients are those of the draw's path: of gamma variates by implicit
    differentiation (Figurnov et al. 2018, arXiv 1805.08498). Concentrations stay at
    least 0.001, which the released code does not see to: below, draws underflow.
    """

    anchor: float = 0.0
    """By what the divergence from the flat distribution is multiplied in the loss of
    the alphas. The published alternatives are 0 with a weight decay of the alphas of
    0.001, which is what the released code runs by default, and 0.001 with none."""

    def __post_init__(self) -> None:
        """Check the range."""
        if not self.anchor >= 0:
            raise UserError(
                f"relaxation: anchor is {self.anchor}, it must not be below 0."
            )

    def concentration(self, alphas: jax.Array, allowed: jax.Array) -> jax.Array:
        """Give the parameters, `float32[D, O]`; 0 for what is not allowed."""
        return jnp.where(allowed, jnp.maximum(jax.nn.elu(alphas) + 1, LEAST), 0)

    def sample(
        self,
        alphas: jax.Array,
        key: jax.Array,
        progress: jax.Array | float,
        allowed: jax.Array,
    ) -> jax.Array:
        """Draw a mixture for each decision; see `Relaxation.sample`."""
        del progress
        # A Dirichlet variate is gamma variates over their sum; logarithms, because
        # gamma variates of small parameters underflow.
        parameters = jnp.where(allowed, self.concentration(alphas, allowed), 1)
        return jax.nn.softmax(masked(jax.random.loggamma(key, parameters), allowed))

    def probabilities(self, alphas: jax.Array, allowed: jax.Array) -> jax.Array:
        """Give the distribution's mean; see `Relaxation.probabilities`."""
        parameters = self.concentration(alphas, allowed)
        return parameters / parameters.sum(-1, keepdims=True)

    def regularization(self, alphas: jax.Array, allowed: jax.Array) -> jax.Array:
        """Give the divergence from the flat one; see `Relaxation.regularization`."""
        if not self.anchor:
            return jnp.float32(0)
        return self.anchor * self.divergence(alphas, allowed)

    def divergence(self, alphas: jax.Array, allowed: jax.Array) -> jax.Array:
        """Sum over decisions `KL(Dirichlet(concentration) || Dirichlet(1))`.

        Args:
          alphas: `float32[D, O]`.
          allowed: `bool[D, O]`.

        Returns:
          `float32[]`, in nats.
        """
        safe = jnp.where(allowed, self.concentration(alphas, allowed), 1)
        total = jnp.where(allowed, safe, 0).sum(-1, keepdims=True)
        each = (safe - 1) * (digamma(safe) - digamma(total)) - gammaln(safe)
        rows = jnp.where(allowed, each, 0).sum(-1) + gammaln(total[:, 0])
        return (rows - gammaln(allowed.sum(-1).astype(jnp.float32))).sum()
