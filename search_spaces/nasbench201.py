"""NAS-Bench-201: cells of 4 nodes, an operation on each of 6 edges, 15,625 cells.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020, arXiv 2001.00326. Names, architecture strings, indices and the
classes of isomorphic cells are those of the benchmark, and are computed here.
"""

import functools
import itertools
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search_spaces.base import Decision, SearchSpace
from search_spaces.errors import SpaceError

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

# (from, to), in the order of the benchmark's strings: by target, then by source.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def edge_name(source: int, target: int) -> str:
    """Name the decision on the edge between two nodes of the cell."""
    return f"edge_{source}_{target}"


def nasbench201(fixed: Mapping[str, str] | None = None) -> SearchSpace:
    """Make the space of cells.

    Args:
      fixed: operations of edges that shall not vary, by decision name, for the smaller
        spaces of studies.

    Returns:
      Six decisions `edge_<from>_<to>` over the five operations; a fixed edge keeps its
      decision, with one option.

    Raises:
      SpaceError: an unknown edge or operation.
    """
    fixed = dict(fixed or {})
    names = tuple(edge_name(*edge) for edge in EDGES)
    for name, operation in fixed.items():
        if name not in names or operation not in OPERATIONS:
            raise SpaceError(
                f"nasbench201: cannot fix {name!r} to {operation!r}; edges are "
                f"{names}, operations {OPERATIONS}."
            )
    decisions = tuple(
        Decision(name, (fixed[name],) if name in fixed else OPERATIONS)
        for name in names
    )
    return SearchSpace("nasbench201", decisions)


def to_string(operations: Sequence[str]) -> str:
    """Write a cell as the benchmark does.

    Args:
      operations: six, in the order of `EDGES`.

    Returns:
      Such as `|nor_conv_3x3~0|+|none~0|skip_connect~1|+|..~0|..~1|..~2|`.
    """
    nodes = []
    for target in (1, 2, 3):
        inputs = [
            f"{operation}~{source}"
            for (source, to), operation in zip(EDGES, operations, strict=True)
            if to == target
        ]
        nodes.append(f"|{'|'.join(inputs)}|")
    return "+".join(nodes)


def from_string(text: str) -> tuple[str, ...]:
    """Read a cell's six operations from the benchmark's string.

    Raises:
      SpaceError: the text is no such string.
    """
    operations = tuple(re.findall(r"\|?([a-z0-9_]+)~\d\|", text))
    unknown = [o for o in operations if o not in OPERATIONS]
    if len(operations) != len(EDGES) or unknown or to_string(operations) != text:
        raise SpaceError(
            f"{text!r} is no NAS-Bench-201 cell; a cell reads like "
            f"{to_string(['skip_connect'] * 6)!r}, with operations {OPERATIONS}."
        )
    return operations


@functools.cache
def _benchmark_order() -> tuple[tuple[int, ...], ...]:
    # The benchmark shuffled the lexicographic list once, with Python's generator.
    cells = list(itertools.product(range(len(OPERATIONS)), repeat=len(EDGES)))
    random.Random(88).shuffle(cells)
    return tuple(cells)


def cells() -> np.ndarray:
    """List all cells in the order of the benchmark's indices.

    Returns:
      `np.int32[15625, 6]`, operation indices; row i is architecture i.
    """
    return np.asarray(_benchmark_order(), np.int32)


def index(genotypes: Any) -> np.ndarray:
    """Give the benchmark's indices of cells.

    Args:
      genotypes: integers `[..., 6]` of the full space.

    Returns:
      `np.int32[...]`.
    """
    genotypes = nasbench201().validate(genotypes)
    weights = len(OPERATIONS) ** np.arange(len(EDGES) - 1, -1, -1)
    inverse = np.empty(len(OPERATIONS) ** len(EDGES), np.int32)
    inverse[(cells() * weights).sum(-1)] = np.arange(len(inverse))
    return inverse[(genotypes * weights).sum(-1)]


def live_edges(genotypes: Any) -> np.ndarray:
    """Tell which edges have an effect on the cell's output.

    Args:
      genotypes: integers `[..., 6]` of the full space.

    Returns:
      `bool[..., 6]`: the edge's operation is not `none`, and other such edges lead
      from the input to it and from it to the output.
    """
    passes = nasbench201().validate(genotypes) != OPERATIONS.index("none")
    last = len(EDGES) // 2
    one, zero = np.ones(passes.shape[:-1], bool), np.zeros(passes.shape[:-1], bool)
    reached = [one] + [zero] * last
    for e, (source, target) in enumerate(EDGES):
        reached[target] = reached[target] | (reached[source] & passes[..., e])
    leads = [zero] * last + [one]
    # Edges are ordered by target, so backwards each target is known before its sources.
    for e, (source, target) in reversed(list(enumerate(EDGES))):
        leads[source] = leads[source] | (leads[target] & passes[..., e])
    through = [reached[source] & leads[target] for source, target in EDGES]
    return passes & np.stack(through, axis=-1)


@functools.cache
def isomorphism_classes() -> np.ndarray:
    """Tell which cells compute the same function when trained alone.

    Two cells are isomorphic if their outputs are the same expression in the input:
    skips stand for their source, zeros cancel what they touch, sums are ordered. The
    benchmark orders each sum by text once, which leaves a few equal sums apart; the
    classes are exactly its 6,466.

    Returns:
      `np.int32[15625]`: for each cell the smallest index of its class.
    """
    first: dict[str, int] = {}
    classes = [
        first.setdefault(_expression([OPERATIONS[o] for o in cell]), i)
        for i, cell in enumerate(_benchmark_order())
    ]
    return np.asarray(classes, np.int32)


def _expression(operations: Sequence[str]) -> str:
    nodes = {0: "0"}
    for target in (1, 2, 3):
        terms = []
        for (source, to), operation in zip(EDGES, operations, strict=True):
            if to != target:
                continue
            if operation == "none" or nodes[source] == "#":
                terms.append("#")
            elif operation == "skip_connect":
                terms.append(nodes[source])
            else:
                terms.append(f"({nodes[source]})@{operation}")
        nodes[target] = "+".join(sorted(terms))
    return nodes[3]


PRESETS = {"nasbench201": nasbench201()}
