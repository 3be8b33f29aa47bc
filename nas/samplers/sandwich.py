"""The sandwich rule: the largest architecture, the smallest, and a few between.

Yu and Huang, "Universally Slimmable Networks and Improved Training Techniques", ICCV
2019, arXiv 1903.05134; Yu et al., "BigNAS: Scaling Up Neural Architecture Search with
Big Single-Stage Models", ECCV 2020, arXiv 2003.11142.
"""

import dataclasses

import jax
import jax.numpy as jnp

from nas.errors import check_least
from nas.samplers.base import Draw, Sampler, State, log_uniform
from nas.training.context import Context


@dataclasses.dataclass(frozen=True)
class Sandwich(Sampler):
    """Draw the largest allowed architecture first, the smallest, then random ones."""

    random: int = 2
    """How many architectures are drawn uniformly besides."""

    smallest: bool = True
    """Whether the smallest is trained in each step, as the rule has it."""

    def __post_init__(self) -> None:
        """Check the range."""
        check_least("sampler", self, random=0)

    @property
    def leads(self) -> bool:
        """The largest is first; see `Sampler.leads`."""
        return True

    def sample(
        self, state: State, context: Context, key: jax.Array, allowed: jax.Array
    ) -> Draw:
        """Draw them; see `Sampler.sample`.

        The log-probability of what is in every draw is 0.
        """
        del state
        fixed = [context.largest(allowed)]
        if self.smallest:
            fixed.append(context.smallest(allowed))
        drawn = context.space.sample(key, self.random, allowed)
        genotypes = jnp.concatenate([jnp.stack(fixed), drawn])
        certain = jnp.zeros((len(fixed),), jnp.float32)
        return Draw(
            genotypes,
            jnp.concatenate([certain, log_uniform(allowed, drawn)]),
            jnp.ones(genotypes.shape[:1], jnp.float32),
        )
