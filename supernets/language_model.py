"""The supernet of decoder-only language models: elastic width, depth, heads and MLPs.

The decisions are those of Sukthanker, Krishnakumar, Safari and Hutter, "Weight
Entanglement Meets Gradient-Based Neural Architecture Search", AutoML-Conf 2024, arXiv
2312.10440. Two things differ from their networks, on purpose:

- A head has one size in all architectures. They divide the embedding width by the
  number of heads, so that the columns of a head, and the scale of its logits, change
  with either decision. Of one size, a head is the same function everywhere, which is
  what architectures that share its weights should agree on.
- Norms are over the active width, in every architecture, as in the extracted network.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import numpy as np
from flax import nnx

from search_spaces import Architecture, SearchSpace
from search_spaces.language_model import PRESETS, language_model
from supernets.base import Outputs
from supernets.blocks.transformer import (
    elastic_blocks,
    elastic_norm,
    flax_blocks,
    flax_norm,
    run_blocks,
)
from supernets.blocks.transformer_sizes import (
    NORMS,
    TransformerSizes,
    check_space,
)
from supernets.cost import Term
from supernets.elastic import ElasticSupernet, Path, Scope
from supernets.layers.drawing import draw, initializer
from supernets.layers.embedding import SCALE, ElasticEmbedding
from supernets.layers.linear import ElasticLinear
from supernets.layers.marks import mark_features
from supernets.layers.mode import Mode
from supernets.sizes import check_least


@dataclasses.dataclass(frozen=True)
class LanguageModelSupernet(ElasticSupernet):
    """A supernet over decoder-only transformers.

    Its logits are `[B, T, V]`: at each place, of the token that comes next.

    Attributes:
      space: made by `search_spaces.language_model.language_model`.
      head_size: length of a head's queries, keys and values.
      norm: `"layer"`, or `"rms"` for norms by the root mean square.
      tied: whether the table of tokens also gives the logits; otherwise a linear map
        of its own does, with a bias.
      input_shape: `(T,)`, the greatest length of an example. A shorter one may be
        given to `apply` and to a subnet; costs are those of T tokens.
      num_classes: V, the number of tokens that there are.
    """

    input_dtype: ClassVar[str] = "int32"

    space: SearchSpace = PRESETS["gpt_tiny"]
    head_size: int = 16
    norm: str = "layer"
    tied: bool = True
    input_shape: tuple[int, ...] = (64,)
    num_classes: int = 256

    def __post_init__(self) -> None:
        """Refuse spaces and sizes that make no network."""
        check_least(self, head_size=1, num_classes=2)
        if self.norm not in NORMS:
            raise ValueError(
                f"norm: found {self.norm!r}; allowed are {', '.join(NORMS)}."
            )
        if len(self.input_shape) != 1 or self.input_shape[0] < 1:
            raise ValueError(
                f"input_shape: found {self.input_shape}; a language model takes (T,), "
                "the number of tokens of an example."
            )
        check_space(self.space, "language model", "search_spaces.language_model")

    __hash__ = ElasticSupernet.__hash__

    @property
    def sizes(self) -> TransformerSizes:
        """The sizes of the blocks."""
        return TransformerSizes(
            self.space, self.head_size, self.input_shape[0], self.norm, causal=True
        )

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        """Build the network; see `ElasticSupernet.network`."""
        return _Network(self, rngs)

    def scopes(self) -> tuple[Scope, ...]:
        """Say that blocks are stacked, and that the depth says which exist."""
        return (self.sizes.scope(("blocks",)),)

    def subnet_path(self, path: Path, layer: int | None) -> Path:
        """Say where a weight lies in a subnet; see `ElasticSupernet.subnet_path`."""
        if path[0] == "embedding":
            return {"table": ("embedding", "embedding"), "position": ("position",)}[
                path[1]
            ]
        if layer is None:
            return path
        return ("blocks", str(layer), *path[1:])

    def extra_macs(self) -> tuple[Term, ...]:
        """Count attention's two products, of each block that exists."""
        return self.sizes.attention_macs()

    def subnet(self, genotype: np.ndarray) -> nnx.Module:
        """Build an architecture as an ordinary module; see `Supernet.subnet`."""
        return Subnet(self, self.choices(genotype), nnx.Rngs(0))


class _Network(nnx.Module):
    def __init__(self, supernet: LanguageModelSupernet, rngs: nnx.Rngs) -> None:
        self.sizes = supernet.sizes
        (tokens,), num_tokens = supernet.input_shape, supernet.num_classes
        self.embedding = ElasticEmbedding(
            num_tokens,
            self.sizes.width,
            positions=tokens,
            tied=supernet.tied,
            rngs=rngs,
        )
        self.blocks = elastic_blocks(self.sizes, rngs)
        self.norm = elastic_norm(self.sizes)
        self.head = (
            None
            if supernet.tied
            else ElasticLinear(
                self.sizes.width, num_tokens, positions=tokens, rngs=rngs
            )
        )

    def __call__(self, arch: Architecture, x: jax.Array, mode: Mode) -> Outputs:
        shared = {"embed": arch["embed"]}
        x = mark_features(self.embedding(x, shared))
        x = run_blocks(self.blocks, self.sizes, x, arch, mode)
        features = self.norm(x, shared)
        score = self.embedding.score if self.head is None else self.head
        return Outputs(score(features, shared), features, {})


class Subnet(nnx.Module):
    """One language model, made of Flax's own layers."""

    def __init__(
        self,
        supernet: LanguageModelSupernet,
        choices: Mapping[str, Any],
        rngs: nnx.Rngs,
    ) -> None:
        """Build the network of an architecture.

        Args:
          supernet: for the sizes.
          choices: the option of each decision.
          rngs: the source of randomness.
        """
        width, num_tokens = choices["embed"], supernet.num_classes
        self.embedding = nnx.Embed(
            num_tokens,
            width,
            embedding_init=_table,
            promote_dtype=_as_they_are,
            rngs=rngs,
        )
        self.position = nnx.Param(
            draw(rngs, (supernet.input_shape[0], width), 1, gain=SCALE**2)
        )
        self.blocks = flax_blocks(supernet.sizes, choices, rngs)
        self.norm = flax_norm(supernet.sizes, width, rngs)
        self.head = (
            None
            if supernet.tied
            else nnx.Linear(width, num_tokens, kernel_init=initializer(), rngs=rngs)
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `int32[B, t]` tokens, t up to T, to `[B, t, V]` logits."""
        x = self.embedding(x) + self.position[...][None, : x.shape[1]]
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.embedding.attend(x) if self.head is None else self.head(x)


def _table(key: jax.Array, shape: tuple[int, int], dtype: Any) -> jax.Array:
    del dtype
    return draw(nnx.Rngs(key), shape, 1, gain=SCALE**2)


def _as_they_are(arrays: Any, /, **_: Any) -> Any:
    # By itself Flax rounds a table to the type that it was drawn in.
    return arrays


TINY = LanguageModelSupernet(
    space=language_model("tiny", (4, 6), (1, 2, 3), (1, 2), (1.0, 2.0)),
    head_size=4,
    input_shape=(4,),
    num_classes=5,
)
