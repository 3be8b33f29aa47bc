"""Tokens as vectors of an elastic width, and vectors as scores of tokens."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from search_spaces import Choice
from supernets.axis import Spec, Width, masked, width_of
from supernets.layers.drawing import draw
from supernets.layers.precision import at_least_float32

# Standard deviation of tables at the start: Radford et al. 2019.
SCALE = 0.02


class ElasticEmbedding(nnx.Module):
    """A table of tokens and one of places; the first may score tokens as well.

    Scoring by the table that is read from ties input and output: Press and Wolf,
    "Using the Output Embedding to Improve Language Models", 2017, arXiv 1608.05859.
    With soft choices the table is the superposition of its zero-padded slices, masked
    once where it is read and once where it scores.

    Attributes:
      table: `float32[V, n]`, a row for each token.
      position: `float32[T, n]`, added to the T tokens of an example.
    """

    def __init__(
        self,
        num_tokens: int,
        width: Width,
        *,
        positions: int,
        tied: bool,
        rngs: nnx.Rngs,
    ) -> None:
        """Draw both tables at a standard deviation of 0.02.

        Args:
          num_tokens: V, at least 2.
          width: n, or the axis that it is.
          positions: T, the greatest length of an example.
          tied: whether `score` is used, which has MACs; reading has none.
          rngs: the source of randomness.
        """
        num, axis = width_of(width)
        self.table = nnx.Param(
            draw(rngs, (num_tokens, num), 1, gain=SCALE**2),
            spec=Spec((None, axis), positions if tied else 0),
        )
        self.position = nnx.Param(
            draw(rngs, (positions, num), 1, gain=SCALE**2), spec=Spec((None, axis))
        )

    def __call__(self, tokens: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        """Map `int32[B, t]`, t up to T, to `[B, t, n]`; zero beyond the width."""
        axes = self.table.get_metadata()["spec"].axes
        places = self.position[...][None, : tokens.shape[1]]
        # Rows are masked after they are read: a batch may need few of the table's.
        rows = jnp.take(self.table[...], tokens, axis=0) + places
        return masked(rows, (None, *axes), choices)

    def score(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        """Map `[B, t, n]` to the logits of tokens, `[B, t, V]`, in float32 at least."""
        axes = self.table.get_metadata()["spec"].axes
        table = masked(self.table[...], axes, choices)
        flat = x.reshape(-1, x.shape[-1])
        wide = at_least_float32(x.dtype)
        logits = jnp.matmul(flat, table.T, preferred_element_type=wide)
        return logits.reshape(*x.shape[:-1], table.shape[0])
