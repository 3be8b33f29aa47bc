"""Vision transformers: embedding width, depth, and heads and MLP ratio of each block.

Chen, Peng, Fu and Ling, "AutoFormer: Searching Transformers for Visual Recognition",
ICCV 2021, arXiv 2107.00651. The embedding width is one decision for all blocks. The
size of a head is fixed, so that a head is the same function in every architecture.
Block i exists in architectures of depth at least i, and its decisions are conditional
on that.
"""

from collections.abc import Sequence

from search_spaces.base import SearchSpace
from search_spaces.transformer import transformer


def vision_transformer(
    name: str,
    embed: Sequence[int],
    depth: Sequence[int],
    heads: Sequence[int],
    mlp_ratio: Sequence[float],
) -> SearchSpace:
    """Make a space of vision transformers.

    Args:
      name: what to call it.
      embed: embedding widths.
      depth: numbers of blocks.
      heads: numbers of attention heads of a block.
      mlp_ratio: hidden widths of a block's MLP, as multiples of the embedding width.

    Returns:
      Decisions `embed`, `depth`, and `heads_<i>` and `mlp_ratio_<i>` for each block i
      from 1 to the greatest depth.
    """
    return transformer(name, embed, depth, heads, mlp_ratio)


PRESETS = {
    space.name: space
    for space in (
        # The three published spaces (the paper's table of search spaces).
        vision_transformer(
            "autoformer_tiny", (192, 216, 240), (12, 13, 14), (3, 4), (3.5, 4.0)
        ),
        vision_transformer(
            "autoformer_small",
            (320, 384, 448),
            (12, 13, 14),
            (5, 6, 7),
            (3.0, 3.5, 4.0),
        ),
        vision_transformer(
            "autoformer_base",
            (528, 576, 624),
            (14, 15, 16),
            (9, 10),
            (3.0, 3.5, 4.0),
        ),
        # For images of 8 to 64 pixels, on a laptop.
        vision_transformer(
            "vit_tiny", (32, 48, 64), (2, 3, 4), (1, 2, 4), (1.0, 2.0, 3.0)
        ),
    )
}
