"""The supernet of vision transformers: elastic width, depth, heads and MLPs.

Chen, Peng, Fu and Ling, "AutoFormer: Searching Transformers for Visual Recognition",
ICCV 2021, arXiv 2107.00651. Blocks normalise first; the classifier sees the mean of the
tokens. A head has one size in all architectures, and the MLP's hidden width is the
product of two decisions: the embedding width and the block's ratio.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import jax
import numpy as np
from flax import nnx

from search_spaces import Architecture, Choice, SearchSpace
from search_spaces.vision_transformer import PRESETS, vision_transformer
from supernets.axis import Axis
from supernets.base import Outputs
from supernets.cost import Term
from supernets.elastic import ElasticSupernet, Path, Scope
from supernets.layers.attention import ElasticAttention, attend
from supernets.layers.depth import scan_to_depth
from supernets.layers.drawing import draw, initializer
from supernets.layers.linear import ElasticLinear
from supernets.layers.mode import Mode
from supernets.layers.norm import ElasticLayerNorm
from supernets.layers.patch_embedding import PatchEmbedding
from supernets.layers.stacking import stacked

EPSILON = 1e-6


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
        for name, least in (("patch_size", 1), ("head_size", 1), ("num_classes", 2)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"{name}: found {getattr(self, name)}; at least {least} is needed."
                )
        h, w, _ = self.input_shape
        if h % self.patch_size or w % self.patch_size:
            fit = [p for p in range(1, min(h, w) + 1) if h % p == w % p == 0]
            raise ValueError(
                f"patch_size: {self.patch_size} does not divide images of {h} x {w} "
                f"pixels; patch sizes that do: {', '.join(map(str, fit))}."
            )
        _check_space(self.space)

    __hash__ = ElasticSupernet.__hash__

    def with_data(self, input_shape: tuple[int, int, int], num_classes: int) -> Self:
        """Fit a copy to a data set; see `Supernet.with_data`.

        Raises:
          ValueError: the patch size does not divide the images; it names those that do.
        """
        return dataclasses.replace(
            self, input_shape=tuple(input_shape), num_classes=num_classes
        )

    @property
    def num_patches(self) -> int:
        """N, the number of tokens."""
        h, w, _ = self.input_shape
        return (h // self.patch_size) * (w // self.patch_size)

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        """Build the network; see `ElasticSupernet.network`."""
        return _Network(self, rngs)

    def scopes(self) -> tuple[Scope, ...]:
        """Say that blocks are stacked, and that the depth says which exist."""
        depths = _options(self.space, "depth")
        blocks = range(1, max(depths) + 1)
        exists = np.asarray(depths)[:, None] >= np.asarray(blocks)
        names = {name: _per_block(name, len(blocks)) for name in ("heads", "mlp_ratio")}
        presence = Axis(("depth",), (len(depths),), exists)
        return (Scope(("blocks",), len(blocks), names, presence),)

    def subnet_path(self, path: Path, layer: int | None) -> Path:
        """Say where a weight lies in a subnet; see `ElasticSupernet.subnet_path`."""
        if path == ("patch_embedding", "position"):
            return ("position",)
        if layer is None:
            return path
        return ("blocks", str(layer), *path[1:])

    def extra_macs(self) -> tuple[Term, ...]:
        """Count attention's two products, of each block that exists."""
        depths = np.asarray(_options(self.space, "depth"))
        heads = np.asarray(_options(self.space, "heads_1"), np.int64)
        products = 2 * heads * self.head_size * self.num_patches**2
        return tuple(
            Term(("depth", f"heads_{i}"), np.outer(depths >= i, products))
            for i in range(1, max(depths) + 1)
        )

    def subnet(self, genotype: np.ndarray) -> nnx.Module:
        """Build an architecture as an ordinary module; see `Supernet.subnet`."""
        choices = self.space.decode(self.space.canonical(self.space.validate(genotype)))
        return Subnet(self, choices, nnx.Rngs(0))


def _options(space: SearchSpace, name: str) -> tuple[Any, ...]:
    return space.decisions[space.names.index(name)].options


def _per_block(name: str, num_blocks: int) -> tuple[str, ...]:
    return tuple(f"{name}_{i}" for i in range(1, num_blocks + 1))


def _hidden(embed: int, ratio: float) -> int:
    return round(embed * ratio)


def _check_space(space: SearchSpace) -> None:
    missing = [
        name
        for name in ("embed", "depth", "heads_1", "mlp_ratio_1")
        if name not in space.names
    ]
    if missing:
        raise ValueError(
            f"space: {space.name!r} has no decision {missing[0]!r}; a vision "
            "transformer's are made by search_spaces.vision_transformer."
        )
    embed, depth, heads, ratios = (
        _options(space, name) for name in ("embed", "depth", "heads_1", "mlp_ratio_1")
    )
    for name, sizes in (("embed", embed), ("depth", depth), ("heads_1", heads)):
        if not all(isinstance(size, int) and size >= 1 for size in sizes):
            raise ValueError(
                f"space: {name} of {space.name!r} has the options {sizes}; they are "
                "whole numbers, at least 1."
            )
    like = vision_transformer(space.name, embed, depth, heads, ratios)
    if like.decisions != space.decisions:
        raise ValueError(
            f"space: {space.name!r} is not laid out as "
            "search_spaces.vision_transformer makes it: embed, depth, then heads_<i> "
            "and mlp_ratio_<i> of each block, with the same options in all blocks, "
            "alive where the depth reaches."
        )
    for width in embed:
        hidden = [_hidden(width, ratio) for ratio in ratios]
        if min(hidden) < 1 or len(set(hidden)) < len(hidden):
            raise ValueError(
                f"space: at embed {width} the ratios {ratios} of {space.name!r} make "
                f"MLPs of {hidden} hidden units; they must differ, and be at least 1."
            )


# ---------------------------------------------------------------- the shared network
class _MLP(nnx.Module):
    def __init__(self, width: Axis, hidden: Axis, tokens: int, rngs: nnx.Rngs) -> None:
        self.up = ElasticLinear(width, hidden, positions=tokens, rngs=rngs)
        self.down = ElasticLinear(hidden, width, positions=tokens, rngs=rngs)

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        hidden = jax.nn.gelu(self.up(x, choices), approximate=False)
        return self.down(hidden, choices)


class _Block(nnx.Module):
    def __init__(
        self, supernet: VisionTransformerSupernet, width: Axis, rngs: nnx.Rngs
    ) -> None:
        heads = _options(supernet.space, "heads_1")
        ratios = _options(supernet.space, "mlp_ratio_1")
        embed = _options(supernet.space, "embed")
        sizes = [_hidden(n, ratio) for n in embed for ratio in ratios]
        hidden = Axis.prefix(("embed", "mlp_ratio"), (len(embed), len(ratios)), sizes)
        self.attention_norm = ElasticLayerNorm(width, epsilon=EPSILON)
        self.attention = ElasticAttention(
            width,
            Axis.prefix(("heads",), (len(heads),), heads),
            head_size=supernet.head_size,
            positions=supernet.num_patches,
            rngs=rngs,
        )
        self.mlp_norm = ElasticLayerNorm(width, epsilon=EPSILON)
        self.mlp = _MLP(width, hidden, supernet.num_patches, rngs)

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        x = x + self.attention(self.attention_norm(x, choices), choices)
        return x + self.mlp(self.mlp_norm(x, choices), choices)


class _Network(nnx.Module):
    def __init__(self, supernet: VisionTransformerSupernet, rngs: nnx.Rngs) -> None:
        embed = _options(supernet.space, "embed")
        width = Axis.prefix(("embed",), (len(embed),), embed)
        self.num_blocks = max(_options(supernet.space, "depth"))
        self.patch_embedding = PatchEmbedding(
            supernet.input_shape, width, patch_size=supernet.patch_size, rngs=rngs
        )
        self.blocks = stacked(
            lambda r: _Block(supernet, width, r), rngs, self.num_blocks
        )
        self.norm = ElasticLayerNorm(width, epsilon=EPSILON)
        self.classifier = ElasticLinear(
            width, supernet.num_classes, positions=1, rngs=rngs
        )

    def __call__(self, arch: Architecture, x: jax.Array, mode: Mode) -> Outputs:
        shared = {"embed": arch["embed"]}
        own = {
            name: arch.stack(_per_block(name, self.num_blocks))
            for name in ("heads", "mlp_ratio")
        }
        x = self.patch_embedding(x, shared)
        x = scan_to_depth(
            self.blocks,
            lambda block, x, choices: block(x, shared | choices),
            x,
            arch["depth"],
            mode,
            own,
        )
        features = self.norm(x, shared).mean(1)
        return Outputs(self.classifier(features, shared), features, {})


# ------------------------------------------------------------------ one architecture
def _attend(query: jax.Array, key: jax.Array, value: jax.Array, **_: Any) -> jax.Array:
    # Flax's own rounds the softmax of any type to float32, which float64 would notice.
    return attend(query, key, value)


class _SubnetMLP(nnx.Module):
    def __init__(self, width: int, hidden: int, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(width, hidden, kernel_init=initializer(), rngs=rngs)
        self.down = nnx.Linear(hidden, width, kernel_init=initializer(), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.down(jax.nn.gelu(self.up(x), approximate=False))


class _SubnetBlock(nnx.Module):
    def __init__(
        self, width: int, heads: int, head_size: int, hidden: int, rngs: nnx.Rngs
    ) -> None:
        self.attention_norm = _layer_norm(width, rngs)
        self.attention = nnx.MultiHeadAttention(
            heads,
            width,
            qkv_features=heads * head_size,
            decode=False,
            attention_fn=_attend,
            kernel_init=initializer(),
            rngs=rngs,
        )
        self.mlp_norm = _layer_norm(width, rngs)
        self.mlp = _SubnetMLP(width, hidden, rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


def _layer_norm(width: int, rngs: nnx.Rngs) -> nnx.LayerNorm:
    return nnx.LayerNorm(width, epsilon=EPSILON, use_fast_variance=False, rngs=rngs)


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
        self.blocks = nnx.List(
            [
                _SubnetBlock(
                    width,
                    choices[f"heads_{i}"],
                    supernet.head_size,
                    _hidden(width, choices[f"mlp_ratio_{i}"]),
                    rngs,
                )
                for i in range(1, choices["depth"] + 1)
            ]
        )
        self.norm = _layer_norm(width, rngs)
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
