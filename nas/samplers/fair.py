"""Strict fairness: in each step every option of a decision is trained exactly once.

Chu, Zhang and Xu, "FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural
Architecture Search", ICCV 2021, arXiv 1907.01845.
"""

import dataclasses

import jax
import jax.numpy as jnp

from nas.errors import check_least
from nas.samplers.base import Draw, Sampler, State, log_uniform
from nas.training.context import Context


@dataclasses.dataclass(frozen=True)
class Fair(Sampler):
    """Draw groups of architectures that share out each decision's options.

    A group has as many architectures as the decision with most options has options,
    whatever is allowed, so K never changes. A decision with as many options has each of
    them exactly once in a group; one with fewer has each as often as the others or once
    more, and which ones come more often is drawn anew. Decisions are shuffled
    independently. All architectures of a step share its batch and its one update.

    The counts are those of the raw draws: where a decision is dead, what was drawn for
    it has no effect, and the canonical genotype shows option 0 instead.
    """

    groups: int = 1
    """Groups of a step, each drawn on its own; K is that times the size of a group."""

    def __post_init__(self) -> None:
        """Check the range."""
        check_least("sampler", self, groups=1)

    def sample(
        self, state: State, context: Context, key: jax.Array, allowed: jax.Array
    ) -> Draw:
        """Draw the groups; see `Sampler.sample`.

        The log-probability is that of one architecture of a group by itself; those of a
        group depend on each other.
        """
        del state
        drawn = [
            deal(jax.random.fold_in(key, group), allowed)
            for group in range(self.groups)
        ]
        genotypes = context.space.canonical(jnp.concatenate(drawn))
        return Draw(
            genotypes,
            log_uniform(allowed, genotypes),
            jnp.ones(genotypes.shape[:1], jnp.float32),
        )


def deal(key: jax.Array, allowed: jax.Array) -> jax.Array:
    """Share out each decision's options among O architectures.

    Args:
      key: a JAX random key.
      allowed: `bool[D, O]`, at least one option of each decision.

    Returns:
      `int32[O, D]`, not canonical.
    """
    k_order, k_places = jax.random.split(key)
    order = jax.random.uniform(k_order, allowed.shape, jnp.float32)
    # The allowed options first, in random order; then again from the first of them.
    options = jnp.where(allowed, order, 2.0).argsort(-1)
    turns = jnp.arange(allowed.shape[1])[None] % allowed.sum(-1, keepdims=True)
    dealt = jnp.take_along_axis(options, turns, axis=1)
    return jax.random.permutation(k_places, dealt, axis=1, independent=True).T.astype(
        jnp.int32
    )
