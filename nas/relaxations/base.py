"""Relaxations: how real numbers stand for a distribution over architectures.

A gradient method keeps alphas, `float32[D, O]`, one number for each option. A
relaxation says which distribution over the options they mean, draws from it a point on
each decision's simplex in a way that gradients pass, and says which architecture the
alphas have come to prefer. Everything here is traced; nothing knows a network.

Letters in shapes: D decisions, O options.
"""

import abc

import jax
import jax.numpy as jnp
from jax.scipy.special import entr

from search_spaces import Architecture, SearchSpace

# The standard deviation of alphas at the start (Liu et al. 2019).
START = 1e-3


class Relaxation(abc.ABC):
    """What alphas mean. Concrete ones are frozen dataclasses."""

    @property
    def discrete(self) -> bool:
        """Whether a sample is one-hot, so that a supernet runs one option of each."""
        return False

    def init(self, key: jax.Array, space: SearchSpace) -> jax.Array:
        """Draw alphas near zero.

        Args:
          key: a JAX random key.
          space: the search space.

        Returns:
          `float32[D, O]`.
        """
        return START * jax.random.normal(key, space.valid.shape, jnp.float32)

    @abc.abstractmethod
    def sample(
        self,
        alphas: jax.Array,
        key: jax.Array,
        progress: jax.Array | float,
        allowed: jax.Array,
    ) -> jax.Array:
        """Draw a point on each decision's simplex, differentiably.

        Args:
          alphas: `float32[D, O]`.
          key: a JAX random key.
          progress: `float32[]`, the share of the search that is done, 0 to 1.
          allowed: `bool[D, O]`, at least one option of each decision.

        Returns:
          `float32[D, O]`, zero on what is not allowed; one-hot if `discrete`.
        """

    @abc.abstractmethod
    def probabilities(self, alphas: jax.Array, allowed: jax.Array) -> jax.Array:
        """Give the mean of what is drawn, for expectations and for people.

        Args:
          alphas: `float32[D, O]`.
          allowed: `bool[D, O]`.

        Returns:
          `float32[D, O]`, rows on the simplex, differentiable.
        """

    def regularization(self, alphas: jax.Array, allowed: jax.Array) -> jax.Array:
        """Give what is added to the loss of the alphas, `float32[]`; nothing here."""
        del alphas, allowed
        return jnp.float32(0)

    def architecture(self, space: SearchSpace, rows: jax.Array) -> Architecture:
        """Make what a supernet receives of a sample.

        Args:
          space: the search space.
          rows: `float32[D, O]`, from `sample`.

        Returns:
          A soft architecture; if `discrete` a hard one, whose gradient passes by the
          rows' entries that were chosen.
        """
        if not self.discrete:
            return Architecture.soft(space, rows)
        chosen = rows.argmax(-1).astype(jnp.int32)
        return Architecture.hard(space, chosen, rows)

    def derive(
        self, alphas: jax.Array, allowed: jax.Array, space: SearchSpace
    ) -> jax.Array:
        """Take each decision's most probable option.

        Args:
          alphas: `float32[D, O]`.
          allowed: `bool[D, O]`, closed under the conditions.
          space: the search space.

        Returns:
          `int32[D]`, canonical.
        """
        # Not by probabilities: a sparse one ties at zero, and sums round.
        best = jnp.where(allowed, alphas, -jnp.inf).argmax(-1)
        return space.canonical(best.astype(jnp.int32))

    def entropy(self, alphas: jax.Array, allowed: jax.Array) -> jax.Array:
        """Say how undecided the alphas are.

        Args:
          alphas: `float32[D, O]`.
          allowed: `bool[D, O]`.

        Returns:
          `float32[]`, the mean over decisions that have a choice of the probabilities'
          entropy over that of equal ones: 1 at the start, 0 when all is decided.
        """
        num = allowed.sum(-1).astype(jnp.float32)
        free = num > 1
        mean = self.probabilities(alphas, allowed)
        # `entr` of 1 is 0 like that of 0, and has a slope.
        rows = entr(jnp.where(mean > 0, mean, 1)).sum(-1)
        share = jnp.where(free, rows / jnp.log(jnp.where(free, num, 2)), 0)
        return share.sum() / jnp.maximum(free.sum(), 1).astype(jnp.float32)


def masked(values: jax.Array, allowed: jax.Array) -> jax.Array:
    """Give minus infinity to what is not allowed, `float32[D, O]`."""
    return jnp.where(allowed, values, -jnp.inf)
