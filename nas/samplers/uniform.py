"""Every option equally likely, at each decision: single-path one-shot sampling.

Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform Sampling",
ECCV 2020, arXiv 1904.00420.
"""

import dataclasses

import jax
import jax.numpy as jnp

from nas.errors import check_least
from nas.samplers.base import Draw, Sampler, State, log_uniform
from nas.training.context import Context


@dataclasses.dataclass(frozen=True)
class Uniform(Sampler):
    """Draw each decision uniformly from its allowed options."""

    paths: int = 1
    """K, how many architectures a step trains on its batch."""

    def __post_init__(self) -> None:
        """Check the range."""
        check_least("sampler", self, paths=1)

    def sample(
        self, state: State, context: Context, key: jax.Array, allowed: jax.Array
    ) -> Draw:
        """Draw K architectures; see `Sampler.sample`."""
        del state
        genotypes = context.space.sample(key, self.paths, allowed)
        return Draw(
            genotypes,
            log_uniform(allowed, genotypes),
            jnp.ones((self.paths,), jnp.float32),
        )
