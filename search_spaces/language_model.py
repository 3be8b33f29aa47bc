"""Decoder-only transformers: embedding width, depth, and each block's heads and MLP.

The published spaces are those of Sukthanker, Krishnakumar, Safari and Hutter, "Weight
Entanglement Meets Gradient-Based Neural Architecture Search", AutoML-Conf 2024, arXiv
2312.10440. They divide the embedding width by the number of heads; here a head has one
size in all architectures (see `supernets.language_model`), so that the decisions are
the published ones and the networks of few heads differ.
"""

from collections.abc import Sequence

from search_spaces.base import SearchSpace
from search_spaces.transformer import transformer


def language_model(
    name: str,
    embed: Sequence[int],
    depth: Sequence[int],
    heads: Sequence[int],
    mlp_ratio: Sequence[float],
) -> SearchSpace:
    """Make a space of language models.

    Args:
      name: what to call it.
      embed: embedding widths.
      depth: numbers of blocks.
      heads: numbers of attention heads of a block.
      mlp_ratio: hidden widths of a block's MLP, as multiples of the embedding width.

    Returns:
      Decisions `embed`, `depth`, and `heads_<i>` and `mlp_ratio_<i>` for each block i
      from 1 to the greatest depth; a block's are alive where the depth reaches it.
    """
    return transformer(name, embed, depth, heads, mlp_ratio)


PRESETS = {
    space.name: space
    for space in (
        # Characters of Shakespeare, and TinyStories: the published choices.
        language_model(
            "gpt_shakespeare", (96, 192, 384), (4, 5, 6), (2, 4, 6), (2.0, 3.0, 4.0)
        ),
        language_model(
            "gpt_tinystories", (384, 576, 768), (5, 6, 7), (6, 8, 12), (2.0, 3.0, 4.0)
        ),
        # For characters or bytes, on a laptop.
        language_model("gpt_tiny", (32, 48, 64), (2, 3, 4), (1, 2, 4), (1.0, 2.0, 4.0)),
    )
}
