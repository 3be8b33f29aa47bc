"""The supernet of the 64 two-node cells: alike cells, one operation on each edge.

Zhang et al., "Deeper Insights into Weight Sharing in Neural Architecture Search", 2020,
arXiv 2001.01431. The network is a reduced DARTS (Liu et al. 2019, arXiv 1806.09055):
four cells, each given the one before it alone, none of which reduces the image. A cell
first rectifies, convolves by 1x1 and normalises; each node is the sum of the
operations on its edges; the cell's output is the sum of its nodes. Norms inside of
cells have neither scale nor bias. Mean pooling and a linear map follow.

From the paper's text: the cell with its operations and sums, and how many cells there
are. From its released code: the stem of two convolutions, of which the first has three
times the channels, the norm after pooling, 16 channels, and that no cell reduces the
image. Otherwise here: the second convolution of the stem has the cells' channels
already, so that all cells are alike, where the code has three times as many and leaves
it to the first cell to reduce them. The code joins nodes as channels, not as a sum.
"""

import dataclasses

import jax
import numpy as np
from flax import nnx

from search_spaces import Architecture, Choice, SearchSpace
from search_spaces.two_node_cell import EDGES, edge_name, two_node_cell
from supernets.axis import Axis
from supernets.base import Outputs
from supernets.blocks.plain import plain_convolution, plain_norm
from supernets.blocks.separable import (
    PlainSeparable,
    PlainTwiceSeparable,
    SeparableConvolution,
    TwiceSeparable,
)
from supernets.elastic import ElasticSupernet, Path, Scope
from supernets.layers.convolution import ElasticConvolution
from supernets.layers.drawing import initializer
from supernets.layers.linear import ElasticLinear
from supernets.layers.marks import mark_block, mark_features
from supernets.layers.max_pooling import max_pool_3x3
from supernets.layers.mixed_operation import MixedOperation
from supernets.layers.mode import Mode
from supernets.layers.norm import ElasticBatchNorm
from supernets.layers.stacking import scan_layers, stacked
from supernets.sizes import check_least

STEM_MULTIPLIER = 3
SEPARABLE = {"sep_conv_3x3": 3, "sep_conv_5x5": 5}
DILATION = 2


@dataclasses.dataclass(frozen=True)
class TwoNodeCellSupernet(ElasticSupernet):
    """A supernet over the two-node cells.

    Attributes:
      space: the cells; an edge may have some of the operations.
      channels: C, of every cell. The released code has 16.
      cells: how many. The paper has 4.
      input_shape: `(H, W, C)` of the input.
      num_classes: the length of the logits.
    """

    space: SearchSpace = dataclasses.field(default_factory=two_node_cell)
    channels: int = 16
    cells: int = 4
    input_shape: tuple[int, int, int] = (32, 32, 3)
    num_classes: int = 10

    def __post_init__(self) -> None:
        """Refuse sizes that make no network."""
        check_least(self, channels=1, cells=1, num_classes=2)

    __hash__ = ElasticSupernet.__hash__

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        """Build the network; see `ElasticSupernet.network`."""
        return _Network(self, rngs)

    def scopes(self) -> tuple[Scope, ...]:
        """Say that cells are stacked, and when an edge's operation exists."""
        found = [Scope(("cells",), length=self.cells)]
        for e, decision in enumerate(self.space.decisions):
            num = len(decision.options)
            for k in range(num):
                path = ("cells", "edges", str(e), "operations", str(k))
                member = (np.arange(num) == k)[:, None]
                presence = Axis((decision.name,), (num,), member)
                found.append(Scope(path, presence=presence))
        return tuple(found)

    def subnet_path(self, path: Path, layer: int | None) -> Path:
        """Say where a weight lies in a subnet; see `ElasticSupernet.subnet_path`."""
        if path[0] != "cells":
            return path
        # cells/edges/e/operations/k/.. becomes cells/layer/edges/e/..
        inside = path[1:3] + path[5:] if path[1] == "edges" else path[1:]
        return ("cells", str(layer), *inside)

    def subnet(self, genotype: np.ndarray) -> nnx.Module:
        """Build an architecture as an ordinary module; see `Supernet.subnet`."""
        choices = self.choices(genotype)
        operations = [str(choices[edge_name(*edge)]) for edge in EDGES]
        return Subnet(self, operations, nnx.Rngs(0))


# ---------------------------------------------------------------- the shared network
class _MaxPool(nnx.Module):
    def __init__(self, channels: int) -> None:
        self.norm = ElasticBatchNorm(channels, affine=False)

    def __call__(self, x: jax.Array, mode: Mode) -> jax.Array:
        return self.norm(max_pool_3x3(x), {}, mode)


class _Cell(nnx.Module):
    def __init__(self, supernet: TwoNodeCellSupernet, rngs: nnx.Rngs) -> None:
        self.channels = supernet.channels
        self.positions = supernet.input_shape[0] * supernet.input_shape[1]
        self.entry = ElasticConvolution(
            self.channels,
            self.channels,
            kernel_size=1,
            positions=self.positions,
            rngs=rngs,
        )
        self.entry_norm = ElasticBatchNorm(self.channels, affine=False)
        self.edges = nnx.List(
            [
                MixedOperation(
                    [self._operation(str(o), rngs) for o in decision.options]
                )
                for decision in supernet.space.decisions
            ]
        )

    def _operation(self, name: str, rngs: nnx.Rngs) -> nnx.Module:
        if name == "max_pool_3x3":
            return _MaxPool(self.channels)
        sizes = {"positions": self.positions, "rngs": rngs}
        if name in SEPARABLE:
            return TwiceSeparable(self.channels, kernel_size=SEPARABLE[name], **sizes)
        return SeparableConvolution(
            self.channels, kernel_size=3, dilation=DILATION, **sizes
        )

    def __call__(self, x: jax.Array, choices: list[Choice], mode: Mode) -> jax.Array:
        x = self.entry_norm(self.entry(jax.nn.relu(x), {}), {}, mode)
        first = self.edges[0](x, choices[0], mode)
        second = self.edges[1](x, choices[1], mode)
        second = second + self.edges[2](first, choices[2], mode)
        return first + second


class _Network(nnx.Module):
    def __init__(self, supernet: TwoNodeCellSupernet, rngs: nnx.Rngs) -> None:
        channels, positions = supernet.channels, supernet.input_shape[:2]
        wide = STEM_MULTIPLIER * channels
        sizes = {"kernel_size": 3, "positions": positions[0] * positions[1]}
        self.stem = ElasticConvolution(
            supernet.input_shape[2], wide, rngs=rngs, **sizes
        )
        self.stem_norm = ElasticBatchNorm(wide)
        self.second_stem = ElasticConvolution(wide, channels, rngs=rngs, **sizes)
        self.second_stem_norm = ElasticBatchNorm(channels)
        self.cells = stacked(lambda r: _Cell(supernet, r), rngs, supernet.cells)
        self.classifier = ElasticLinear(
            channels, supernet.num_classes, positions=1, rngs=rngs
        )

    def __call__(self, arch: Architecture, x: jax.Array, mode: Mode) -> Outputs:
        choices = [arch[edge_name(*edge)] for edge in EDGES]
        x = self.stem_norm(self.stem(x, {}), {}, mode)
        x = self.second_stem_norm(self.second_stem(x, {}), {}, mode)
        x = scan_layers(
            self.cells,
            lambda cell, x, _: mark_block(lambda x: cell(x, choices, mode), x),
            mark_features(x),
            mode,
        )
        features = x.mean((1, 2))
        return Outputs(self.classifier(features, {}), features, {})


# ------------------------------------------------------------------ one architecture
class _SubnetMaxPool(nnx.Module):
    def __init__(self, channels: int, rngs: nnx.Rngs) -> None:
        self.norm = plain_norm(channels, rngs, affine=False)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(max_pool_3x3(x))


class _SubnetCell(nnx.Module):
    def __init__(self, operations: list[str], channels: int, rngs: nnx.Rngs) -> None:
        self.entry = plain_convolution(channels, channels, 1, rngs)
        self.entry_norm = plain_norm(channels, rngs, affine=False)
        self.edges = nnx.List([self._operation(o, channels, rngs) for o in operations])

    @staticmethod
    def _operation(name: str, channels: int, rngs: nnx.Rngs) -> nnx.Module:
        if name == "max_pool_3x3":
            return _SubnetMaxPool(channels, rngs)
        if name in SEPARABLE:
            return PlainTwiceSeparable(channels, SEPARABLE[name], rngs)
        return PlainSeparable(channels, 3, rngs, dilation=DILATION)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.entry_norm(self.entry(jax.nn.relu(x)))
        first = self.edges[0](x)
        return first + (self.edges[1](x) + self.edges[2](first))


class Subnet(nnx.Module):
    """One network of two-node cells, made of Flax's own layers but for its pooling."""

    def __init__(
        self, supernet: TwoNodeCellSupernet, operations: list[str], rngs: nnx.Rngs
    ) -> None:
        """Build the network of a cell.

        Args:
          supernet: for the sizes.
          operations: of the three edges.
          rngs: the source of randomness.
        """
        channels = supernet.channels
        wide = STEM_MULTIPLIER * channels
        self.stem = plain_convolution(supernet.input_shape[2], wide, 3, rngs)
        self.stem_norm = plain_norm(wide, rngs)
        self.second_stem = plain_convolution(wide, channels, 3, rngs)
        self.second_stem_norm = plain_norm(channels, rngs)
        self.cells = nnx.List(
            [_SubnetCell(operations, channels, rngs) for _ in range(supernet.cells)]
        )
        self.classifier = nnx.Linear(
            channels, supernet.num_classes, kernel_init=initializer(), rngs=rngs
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[B, H, W, C]` normalised images to `[B, num_classes]` logits."""
        x = self.stem_norm(self.stem(x))
        x = self.second_stem_norm(self.second_stem(x))
        for cell in self.cells:
            x = cell(x)
        return self.classifier(x.mean((1, 2)))


# Every operation, and every edge, with the fewest programs.
TINY = TwoNodeCellSupernet(
    two_node_cell(
        {
            "edge_0_1": ("max_pool_3x3", "sep_conv_5x5"),
            "edge_0_2": ("dil_conv_3x3", "max_pool_3x3"),
            "edge_1_2": ("sep_conv_3x3", "dil_conv_3x3"),
        }
    ),
    channels=2,
    cells=2,
    input_shape=(6, 5, 2),
    num_classes=3,
)
