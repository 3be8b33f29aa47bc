"""Cells of two nodes and three edges with four operations: 64 that can all be trained.

Zhang, Lin, Jiang, Zhang, Wang, Xue, Zhang and Yang, "Deeper Insights into Weight
Sharing in Neural Architecture Search", 2020, arXiv 2001.01431. It is the space of DARTS
(Liu, Simonyan and Yang 2019, arXiv 1806.09055), so reduced that each member can be
trained alone, several times, and held against what shared weights say of it.

The fourth operation is as in the paper's text, of 3x3 with dilation 2; its released
code has 5x5 there.
"""

from collections.abc import Mapping, Sequence

from search_spaces.base import Decision, SearchSpace
from search_spaces.errors import SpaceError

OPERATIONS = ("max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3")

# (from, to); node 0 is the cell's input. By target, then by source, so that the rows of
# `SearchSpace.enumerate` are the children in the order of the released code.
EDGES = ((0, 1), (0, 2), (1, 2))


def edge_name(source: int, target: int) -> str:
    """Name the decision on the edge between two nodes of the cell."""
    return f"edge_{source}_{target}"


def two_node_cell(
    operations: Mapping[str, Sequence[str]] | None = None,
) -> SearchSpace:
    """Make the space of cells.

    Args:
      operations: those of edges that shall not have all, by decision name, for smaller
        spaces.

    Returns:
      Three decisions `edge_<from>_<to>` over the four operations, or over those given.

    Raises:
      SpaceError: an unknown edge or operation.
    """
    operations = dict(operations or {})
    names = tuple(edge_name(*edge) for edge in EDGES)
    for name, given in operations.items():
        if name not in names or not set(given) <= set(OPERATIONS):
            raise SpaceError(
                f"two_node_cell: cannot give {name!r} the operations {tuple(given)}; "
                f"edges are {names}, operations {OPERATIONS}."
            )
    decisions = (Decision(n, tuple(operations.get(n, OPERATIONS))) for n in names)
    return SearchSpace("two_node_cell", tuple(decisions))


PRESETS = {"two_node_cell": two_node_cell()}
