"""The supernet of vision transformers: elastic width, depth, heads and MLPs.

Chen, Peng, Fu and Ling, "AutoFormer: Searching Transformers for Visual Recognition",
ICCV 2021, arXiv 2107.00651. Blocks normalise first; the classifier sees the mean of the
tokens. A head has one size in all architectures, and the MLP's hidden width is the
product of two decisions: the embedding width and the block's ratio.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from search_spaces import Architecture, SearchSpace
from search_spaces.vision_transformer import PRESETS, vision_transformer
from supernets.base import Outputs
from supernets.blocks.transformer import (
    elastic_blocks,
    elastic_norm,
    flax_blocks,
    flax_norm,
    run_blocks,
)
from supernets.blocks.transformer_sizes import (
    TransformerSizes,
    check_space,
)
from supernets.cost import Term
from supernets.elastic import ElasticSupernet, Path, Scope
from supernets.layers.drawing import draw, initializer
from supernets.layers.linear import ElasticLinear
from supernets.layers.marks import mark_features
from supernets.layers.mode import Mode
from supernets.layers.patch_embedding import PatchEmbedding
from supernets.sizes import check_least


@dataclasses.dataclass(frozen=True)
class VisionTransformerSupernet(ElasticSupernet):
    """A supernet over vision transformers.

    Attributes:
      space: made by `search_spaces.vision_transformer.vision_transformer`.
      patch_size: side of a patch, in pixels; it divides the image's height and width.
      head_size: length of a head's queries, keys and values. The published spaces
        have 64.
      input_shape: `(H, W, C)` of the input.
      num_classes: the length of the logits.
    """

    space: SearchSpace = PRESETS["vit_tiny"]
    patch_size: int = 4
    head_size: int = 16
    input_shape: tuple[int, int, int] = (32, 32, 3)
    num_classes: int = 10

    def __post_init__(self) -> None:
        """Refuse spaces and sizes that make no network."""
        check_least(self, patch_size=1, head_size=1, num_classes=2)
        h, w, _ = self.input_shape
        if h % self.patch_size or w % self.patch_size:
            fit = [p for p in range(1, min(h, w) + 1) if h % p == w % p == 0]
            raise ValueError(
                f"patch_size: {self.patch_size} does not divide images of {h} x {w} "
                f"pixels; patch sizes that do: {', '.join(map(str, fit))}."
            )
        check_space(
            self.space, "vision transformer", "search_spaces.vision_transformer"
        )

    __hash__ = ElasticSupernet.__hash__

    @property
    def num_patches(self) -> int:
        """N, the number of tokens."""
        h, w, _ = self.input_shape
        return (h // self.patch_size) * (w // self.patch_size)

    @property
    def sizes(self) -> TransformerSizes:
        """The sizes of the blocks."""
        return TransformerSizes(self.space, self.head_size, self.num_patches)

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        """Build the network; see `ElasticSupernet.network`."""
        return _Network(self, rngs)

    def scopes(self) -> tuple[Scope, ...]:
        """Say that blocks are stacked, and that the depth says which exist."""
        return (self.sizes.scope(("blocks",)),)

    def subnet_path(self, path: Path, layer: int | None) -> Path:
        """Say where a weight lies in a subnet; see `ElasticSupernet.subnet_path`."""
        if path == ("patch_embedding", "position"):
            return ("position",)
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
    def __init__(self, supernet: VisionTransformerSupernet, rngs: nnx.Rngs) -> None:
        self.sizes = supernet.sizes
        width = self.sizes.width
        self.patch_embedding = PatchEmbedding(
            supernet.input_shape, width, patch_size=supernet.patch_size, rngs=rngs
        )
        self.blocks = elastic_blocks(self.sizes, rngs)
        self.norm = elastic_norm(self.sizes)
        self.classifier = ElasticLinear(
            width, supernet.num_classes, positions=1, rngs=rngs
        )

    def __call__(self, arch: Architecture, x: jax.Array, mode: Mode) -> Outputs:
        shared = {"embed": arch["embed"]}
        x = mark_features(self.patch_embedding(x, shared))
        x = run_blocks(self.blocks, self.sizes, x, arch, mode)
        features = self.norm(x, shared).mean(1)
        return Outputs(self.classifier(features, shared), features, {})


class Subnet(nnx.Module):
    """One vision transformer, made of Flax's own layers."""

    def __init__(
        self,
        supernet: VisionTransformerSupernet,
        choices: Mapping[str, Any],
        rngs: nnx.Rngs,
    ) -> None:
        """Build the network of an architecture.

        Args:
          supernet: for the sizes.
          choices: the option of each decision.
          rngs: the source of randomness.
        """
        width, patch = choices["embed"], (supernet.patch_size,) * 2
        self.patch_embedding = nnx.Conv(
            supernet.input_shape[2],
            width,
            patch,
            strides=patch,
            padding="VALID",
            kernel_init=initializer(),
            rngs=rngs,
        )
        self.position = nnx.Param(
            draw(rngs, (supernet.num_patches, width), 1, gain=0.02**2)
        )
        self.blocks = flax_blocks(supernet.sizes, choices, rngs)
        self.norm = flax_norm(supernet.sizes, width, rngs)
        self.classifier = nnx.Linear(
            width, supernet.num_classes, kernel_init=initializer(), rngs=rngs
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[B, H, W, C]` normalised images to `[B, num_classes]` logits."""
        x = self.patch_embedding(x)
        x = x.reshape(x.shape[0], -1, x.shape[-1]) + self.position[...][None]
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.norm(x).mean(1))


TINY = VisionTransformerSupernet(
    space=vision_transformer("tiny", (4, 6), (1, 2, 3), (1, 2), (1.0, 2.0)),
    head_size=4,
    input_shape=(8, 8, 2),
    num_classes=3,
)
