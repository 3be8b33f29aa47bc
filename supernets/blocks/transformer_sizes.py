"""What a space of transformers and a few numbers say about a stack of blocks."""

import dataclasses
from typing import Any

import numpy as np

from search_spaces import SearchSpace
from search_spaces.transformer import transformer
from supernets.axis import Axis
from supernets.cost import Term
from supernets.elastic import Path, Scope

NEEDED = ("embed", "depth", "heads_1", "mlp_ratio_1")
PER_BLOCK = ("heads", "mlp_ratio")
NORMS = ("layer", "rms")


@dataclasses.dataclass(frozen=True)
class TransformerSizes:
    """The sizes of a stack of transformer blocks, elastic and not.

    Attributes:
      space: laid out as `search_spaces.transformer.transformer` does.
      head_size: length of a head's queries, keys and values.
      tokens: T, of one example.
      norm: `"layer"` or `"rms"`.
      causal: whether a token sees only itself and earlier ones.
    """

    space: SearchSpace
    head_size: int
    tokens: int
    norm: str = "layer"
    causal: bool = False

    def options(self, name: str) -> tuple[Any, ...]:
        """Give the options of a decision; those of block 1 are those of all blocks."""
        return options_of(self.space, name)

    @property
    def num_blocks(self) -> int:
        """How many blocks the deepest architecture has."""
        return max(self.options("depth"))

    @property
    def width(self) -> Axis:
        """How the length of a token follows the embedding width."""
        embed = self.options("embed")
        return Axis.prefix(("embed",), (len(embed),), embed)

    @property
    def heads(self) -> Axis:
        """How a block's heads follow its decision."""
        heads = self.options("heads_1")
        return Axis.prefix(("heads",), (len(heads),), heads)

    @property
    def hidden(self) -> Axis:
        """How the hidden units of a block's MLP follow the width and its ratio."""
        embed, ratios = self.options("embed"), self.options("mlp_ratio_1")
        sizes = [hidden_units(width, ratio) for width in embed for ratio in ratios]
        return Axis.prefix(("embed", "mlp_ratio"), (len(embed), len(ratios)), sizes)

    def names(self) -> dict[str, tuple[str, ...]]:
        """Give the space's names of what each block decides, block by block."""
        blocks = range(1, self.num_blocks + 1)
        return {name: tuple(f"{name}_{i}" for i in blocks) for name in PER_BLOCK}

    def scope(self, path: Path) -> Scope:
        """Say that the blocks under a path are stacked, and which the depth has."""
        depths = self.options("depth")
        exists = np.asarray(depths)[:, None] >= np.arange(1, self.num_blocks + 1)
        presence = Axis(("depth",), (len(depths),), exists)
        return Scope(path, self.num_blocks, self.names(), presence)

    def attention_macs(self) -> tuple[Term, ...]:
        """Count attention's two products, of each block that exists.

        They are computed in full, T x T, when a token sees only earlier ones too.
        """
        depths = np.asarray(self.options("depth"))
        heads = np.asarray(self.options("heads_1"), np.int64)
        products = 2 * heads * self.head_size * self.tokens**2
        return tuple(
            Term(("depth", f"heads_{i}"), np.outer(depths >= i, products))
            for i in range(1, self.num_blocks + 1)
        )


def hidden_units(embed: int, ratio: float) -> int:
    """Give the hidden width of an MLP."""
    return round(embed * ratio)


def options_of(space: SearchSpace, name: str) -> tuple[Any, ...]:
    """Give the options of a decision."""
    return space.decisions[space.names.index(name)].options


def check_space(space: SearchSpace, kind: str, maker: str) -> None:
    """Refuse a space that is not laid out as spaces of transformers are.

    Args:
      space: the space.
      kind: of network, for the message.
      maker: the function that makes its spaces, for the message.

    Raises:
      ValueError: a decision is missing or has other options or conditions, or two
        ratios make one MLP.
    """
    missing = [name for name in NEEDED if name not in space.names]
    if missing:
        raise ValueError(
            f"space: {space.name!r} has no decision {missing[0]!r}; a {kind}'s are "
            f"made by {maker}."
        )
    embed, depth, heads, ratios = (options_of(space, name) for name in NEEDED)
    for name, sizes in (("embed", embed), ("depth", depth), ("heads_1", heads)):
        if not all(isinstance(size, int) and size >= 1 for size in sizes):
            raise ValueError(
                f"space: {name} of {space.name!r} has the options {sizes}; they are "
                "whole numbers, at least 1."
            )
    like = transformer(space.name, embed, depth, heads, ratios)
    if like.decisions != space.decisions:
        raise ValueError(
            f"space: {space.name!r} is not laid out as {maker} makes it: embed, "
            "depth, then heads_<i> and mlp_ratio_<i> of each block, with the same "
            "options in all blocks, alive where the depth reaches."
        )
    for width in embed:
        hidden = [hidden_units(width, ratio) for ratio in ratios]
        if min(hidden) < 1 or len(set(hidden)) < len(hidden):
            raise ValueError(
                f"space: at embed {width} the ratios {ratios} of {space.name!r} make "
                f"MLPs of {hidden} hidden units; they must differ, and be at least 1."
            )
