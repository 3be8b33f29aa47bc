"""All options in parts that alphas decide: DARTS.

Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, arXiv
1806.09055.
"""

import dataclasses

import jax
import jax.numpy as jnp

from nas.errors import UserError
from nas.relaxations.base import Relaxation, masked

ONTO = ("softmax", "sparsemax")


@dataclasses.dataclass(frozen=True)
class Softmax(Relaxation):
    """Mixes all options; nothing is drawn."""

    onto: str = "softmax"
    """The map from alphas to the simplex: softmax, or sparsemax (Martins and Astudillo
    2016, arXiv 1602.02068), which leaves options out altogether; the released code of
    weight entanglement (Sukthanker et al. 2024, arXiv 2312.10440) takes it."""

    def __post_init__(self) -> None:
        """Check the name."""
        if self.onto not in ONTO:
            raise UserError(
                f"relaxation: onto is {self.onto!r}; allowed: {', '.join(ONTO)}."
            )

    def sample(
        self,
        alphas: jax.Array,
        key: jax.Array,
        progress: jax.Array | float,
        allowed: jax.Array,
    ) -> jax.Array:
        """Give the probabilities; see `Relaxation.sample`."""
        del key, progress
        return self.probabilities(alphas, allowed)

    def probabilities(self, alphas: jax.Array, allowed: jax.Array) -> jax.Array:
        """Map alphas onto the simplex; see `Relaxation.probabilities`."""
        if self.onto == "sparsemax":
            return sparsemax(alphas, allowed)
        return jax.nn.softmax(masked(alphas, allowed))


def sparsemax(alphas: jax.Array, allowed: jax.Array) -> jax.Array:
    """Give the point of the simplex that is nearest to each row.

    Args:
      alphas: `float32[D, O]`.
      allowed: `bool[D, O]`.

    Returns:
      `float32[D, O]`: `max(alphas - t, 0)` with the t that makes rows sum to 1.
    """
    ranked = -jnp.sort(-masked(jax.lax.stop_gradient(alphas), allowed))
    count = jnp.arange(1, alphas.shape[-1] + 1, dtype=jnp.float32)[None]
    inside = 1 + count * ranked > jnp.cumsum(ranked, axis=-1)
    size = inside.sum(-1, keepdims=True)
    smallest = jnp.take_along_axis(ranked, size - 1, axis=-1)
    # What has mass at t = -infinity has some at t, or ties with what has.
    support = allowed & (alphas >= smallest)
    size = support.sum(-1, keepdims=True).astype(jnp.float32)
    total = jnp.where(support, alphas, 0).sum(-1, keepdims=True)
    return jnp.where(support, jnp.maximum(alphas - (total - 1) / size, 0), 0)
