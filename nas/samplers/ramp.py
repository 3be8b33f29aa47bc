"""A share of subnets that changes while training goes on; the rest is the largest.

Klein et al., "Structural Pruning of Pre-trained Language Models via Neural Architecture
Search", TMLR 2024, arXiv 2405.02267, whose probability rises linearly from 0 to 1;
VARiant (arXiv 2511.16546), whose is constant, then rises, then is 1.
"""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError
from nas.samplers.base import Draw, State
from nas.samplers.wrapping import Wrapping
from nas.training.context import Context


@dataclasses.dataclass(frozen=True)
class Ramp(Wrapping):
    """Replace what another sampler draws by the largest, less and less often.

    Each architecture of a step tosses its own coin. With one a step that is the
    published rule; with several, the published one tosses once for all of them.
    """

    points: tuple[tuple[float, float], ...] = ((0.0, 0.0), (1.0, 1.0))
    """(share of the training that is done, probability of a subnet), joined by straight
    lines, and constant before the first and after the last."""

    def __post_init__(self) -> None:
        """Check the points."""
        places = [place for place, _ in self.points]
        inside = all(0 <= value <= 1 for point in self.points for value in point)
        rising = all(a < b for a, b in itertools.pairwise(places))
        if not self.points or not inside or not rising:
            raise UserError(
                f"sampler: points is {self.points}; give pairs (progress, probability) "
                "from 0 to 1, at rising progress, such as ((0, 0), (1, 1))."
            )

    def probability(self, progress: jax.Array | float) -> jax.Array:
        """Give the probability that an architecture is the inner sampler's.

        Args:
          progress: `float32[]`, the share of the training that is done.

        Returns:
          `float32[]`.
        """
        places, values = np.array(self.points, np.float32).T
        return jnp.interp(jnp.asarray(progress, jnp.float32), places, values)

    def sample(
        self, state: State, context: Context, key: jax.Array, allowed: jax.Array
    ) -> Draw:
        """Draw a mixture; see `Sampler.sample`.

        The log-probability is of how it came about: of the coin, and of the inner
        sampler's draw where that was kept.
        """
        k_inner, k_coin = jax.random.split(key)
        inner = self.inner.sample(state, context, k_inner, allowed)
        largest = context.largest(allowed)
        p = self.probability(context.progress)
        num = inner.genotypes.shape[0]
        # Below the probability, which may be 1: uniform numbers never are.
        keep = jax.random.uniform(k_coin, (num,), jnp.float32) < p
        genotypes = jnp.where(keep[:, None], inner.genotypes, largest[None])
        return Draw(
            genotypes,
            jnp.where(keep, jnp.log(p) + inner.log_probability, jnp.log1p(-p)),
            jnp.where(keep, inner.weight, 1.0),
        )
