"""Transformer blocks that normalise first, elastic and as Flax's own layers.

Vaswani et al., "Attention Is All You Need", 2017, arXiv 1706.03762; the order of norm
and sum is that of Radford et al., "Language Models are Unsupervised Multitask
Learners", 2019.
"""

from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx

from search_spaces import Architecture, Choice
from supernets.axis import Axis
from supernets.blocks.transformer_sizes import TransformerSizes, hidden_units
from supernets.layers.attention import ElasticAttention, attend
from supernets.layers.depth import scan_to_depth
from supernets.layers.drawing import initializer
from supernets.layers.linear import ElasticLinear
from supernets.layers.mode import Mode
from supernets.layers.norm import ElasticLayerNorm, ElasticRMSNorm
from supernets.layers.stacking import stacked

EPSILON = 1e-6


# ------------------------------------------------------------------ the shared blocks
def elastic_norm(sizes: TransformerSizes) -> nnx.Module:
    """Build the norm of a token, of the kind that the sizes say."""
    kind = {"layer": ElasticLayerNorm, "rms": ElasticRMSNorm}[sizes.norm]
    return kind(sizes.width, epsilon=EPSILON)


def elastic_blocks(sizes: TransformerSizes, rngs: nnx.Rngs) -> Any:
    """Build as many blocks as the deepest architecture has, stacked."""
    return stacked(lambda own: _Block(sizes, own), rngs, sizes.num_blocks)


def run_blocks(
    blocks: Any,
    sizes: TransformerSizes,
    x: jax.Array,
    arch: Architecture,
    mode: Mode,
) -> jax.Array:
    """Run stacked blocks to the depth of an architecture.

    Args:
      blocks: from `elastic_blocks`.
      sizes: which they were built by.
      x: `[B, T, n]`, zero beyond the width.
      arch: hard or soft.
      mode: of the pass.

    Returns:
      `[B, T, n]`: what leaves the last block, over depths by their weights.
    """
    shared = {"embed": arch["embed"]}
    own = {name: arch.stack(names) for name, names in sizes.names().items()}
    return scan_to_depth(
        blocks,
        lambda block, x, choices: block(x, shared | choices),
        x,
        arch["depth"],
        mode,
        own,
    )


class _MLP(nnx.Module):
    def __init__(self, width: Axis, hidden: Axis, tokens: int, rngs: nnx.Rngs) -> None:
        self.up = ElasticLinear(width, hidden, positions=tokens, rngs=rngs)
        self.down = ElasticLinear(hidden, width, positions=tokens, rngs=rngs)

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        hidden = jax.nn.gelu(self.up(x, choices), approximate=False)
        return self.down(hidden, choices)


class _Block(nnx.Module):
    def __init__(self, sizes: TransformerSizes, rngs: nnx.Rngs) -> None:
        self.attention_norm = elastic_norm(sizes)
        self.attention = ElasticAttention(
            sizes.width,
            sizes.heads,
            head_size=sizes.head_size,
            positions=sizes.tokens,
            rngs=rngs,
            causal=sizes.causal,
        )
        self.mlp_norm = elastic_norm(sizes)
        self.mlp = _MLP(sizes.width, sizes.hidden, sizes.tokens, rngs)

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        x = x + self.attention(self.attention_norm(x, choices), choices)
        return x + self.mlp(self.mlp_norm(x, choices), choices)


# ------------------------------------------------------------------ one architecture
def flax_norm(sizes: TransformerSizes, width: int, rngs: nnx.Rngs) -> nnx.Module:
    """Build Flax's norm of a token."""
    if sizes.norm == "rms":
        return nnx.RMSNorm(width, epsilon=EPSILON, rngs=rngs)
    return nnx.LayerNorm(width, epsilon=EPSILON, use_fast_variance=False, rngs=rngs)


def flax_blocks(
    sizes: TransformerSizes, choices: Mapping[str, Any], rngs: nnx.Rngs
) -> nnx.List:
    """Build the blocks of an architecture from Flax's layers.

    Args:
      sizes: of the supernet's blocks.
      choices: the option of each decision.
      rngs: the source of randomness.

    Returns:
      As many modules, `[B, T, n]` to `[B, T, n]`, as the depth says.
    """
    blocks = range(1, choices["depth"] + 1)
    return nnx.List([_FlaxBlock(sizes, choices, i, rngs) for i in blocks])


# Flax's own attention rounds the softmax of any type to float32, which float64 would
# notice.
def _attend(query: jax.Array, key: jax.Array, value: jax.Array, **_: Any) -> jax.Array:
    return attend(query, key, value)


def _attend_to_earlier(
    query: jax.Array, key: jax.Array, value: jax.Array, **_: Any
) -> jax.Array:
    return attend(query, key, value, causal=True)


class _FlaxMLP(nnx.Module):
    def __init__(self, width: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(width, hidden, kernel_init=initializer(), rngs=rngs)
        self.down = nnx.Linear(hidden, width, kernel_init=initializer(), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.down(jax.nn.gelu(self.up(x), approximate=False))


class _FlaxBlock(nnx.Module):
    def __init__(
        self,
        sizes: TransformerSizes,
        choices: Mapping[str, Any],
        block: int,
        rngs: nnx.Rngs,
    ) -> None:
        width, heads = choices["embed"], choices[f"heads_{block}"]
        self.attention_norm = flax_norm(sizes, width, rngs)
        self.attention = nnx.MultiHeadAttention(
            heads,
            width,
            qkv_features=heads * sizes.head_size,
            decode=False,
            attention_fn=_attend_to_earlier if sizes.causal else _attend,
            kernel_init=initializer(),
            rngs=rngs,
        )
        self.mlp_norm = flax_norm(sizes, width, rngs)
        hidden = hidden_units(width, choices[f"mlp_ratio_{block}"])
        self.mlp = _FlaxMLP(width, hidden, rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))
