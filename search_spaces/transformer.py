"""What spaces of transformers share: the decisions of a stack of blocks.

The embedding width is one decision for all blocks. The size of a head is fixed, so
that a head is the same function in every architecture. Block i exists in architectures
of depth at least i, and its decisions are conditional on that.
"""

from collections.abc import Sequence

from search_spaces.base import Decision, SearchSpace


def transformer(
    name: str,
    embed: Sequence[int],
    depth: Sequence[int],
    heads: Sequence[int],
    mlp_ratio: Sequence[float],
) -> SearchSpace:
    """Make a space of transformers.

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
    decisions = [Decision("embed", tuple(embed)), Decision("depth", tuple(depth))]
    for block in range(1, max(depth) + 1):
        deep_enough = tuple(d for d in depth if d >= block)
        requires = None if len(deep_enough) == len(depth) else ("depth", deep_enough)
        decisions.append(Decision(f"heads_{block}", tuple(heads), requires))
        decisions.append(Decision(f"mlp_ratio_{block}", tuple(mlp_ratio), requires))
    return SearchSpace(name, tuple(decisions))
