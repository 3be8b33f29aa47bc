"""The supernet of NAS-Bench-201: three stages of cells, operations chosen per edge.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020, arXiv 2001.00326. All cells of a network are alike; each has weights
of its own. Between the stages a residual block halves the image and doubles the
channels.

An edge's two convolutions may be entangled: one kernel of 3x3 whose centre is that of
1x1, and one batch norm (Sukthanker, Krishnakumar, Sharma and Hutter, "Weight
Entanglement Meets Gradient-Based NAS", 2024, arXiv 2312.10440). A subnet is then the
same network as before.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from search_spaces import Architecture, Choice, Decision, SearchSpace
from search_spaces.nasbench201 import EDGES, edge_name, live_edges, nasbench201
from supernets.axis import Axis
from supernets.base import Outputs
from supernets.blocks.plain import plain_convolution, plain_norm
from supernets.blocks.rectified import (
    PlainRectified,
    PlainReduction,
    RectifiedConvolution,
    Reduction,
)
from supernets.elastic import ElasticSupernet, Path, Scope
from supernets.layers.convolution import ElasticConvolution
from supernets.layers.drawing import initializer
from supernets.layers.linear import ElasticLinear
from supernets.layers.marks import mark_block, mark_features
from supernets.layers.mixed_operation import AveragePool, Identity, MixedOperation, Zero
from supernets.layers.mode import Mode
from supernets.layers.norm import ElasticBatchNorm
from supernets.layers.pooling import average_pool_3x3
from supernets.layers.stacking import scan_layers, stacked
from supernets.sizes import check_least

STAGES = 3
KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


@dataclasses.dataclass(frozen=True)
class NASBench201Supernet(ElasticSupernet):
    """A supernet over NAS-Bench-201's cells.

    Attributes:
      space: the cells; some edges may be fixed.
      channels: C of the first stage; the others have 2C and 4C. The benchmark has 16.
      cells: N, cells in each stage. The benchmark has 5.
      affine: whether batch norms have a scale and a bias. The benchmark's networks,
        trained alone, have them.
      entangled: whether the convolutions of an edge share their weights.
      input_shape: `(H, W, C)` of the input.
      num_classes: the length of the logits.
    """

    space: SearchSpace = dataclasses.field(default_factory=nasbench201)
    channels: int = 16
    cells: int = 5
    affine: bool = True
    entangled: bool = False
    input_shape: tuple[int, int, int] = (32, 32, 3)
    num_classes: int = 10

    def __post_init__(self) -> None:
        """Refuse sizes that make no network."""
        check_least(self, channels=1, cells=1, num_classes=2)
        if min(self.input_shape[:2]) < 4:
            raise ValueError(
                f"input_shape: found {self.input_shape}; the network halves the image "
                "twice, so height and width must be at least 4 pixels."
            )

    __hash__ = ElasticSupernet.__hash__

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        """Build the network; see `ElasticSupernet.network`."""
        return _Network(self, rngs)

    def scopes(self) -> tuple[Scope, ...]:
        """Say that cells are stacked, and when an edge's convolution exists."""
        found = []
        for stage in range(STAGES):
            found.append(Scope((f"stage_{stage}",), length=self.cells))
            for e, edge in enumerate(EDGES):
                name = edge_name(*edge)
                num = len(self.space.decisions[e].options)
                for k, group in enumerate(self.groups(e)):
                    path = (f"stage_{stage}", "edges", str(e), "operations", str(k))
                    # A shared kernel says itself which of it exists.
                    path += ("norm",) if len(group) > 1 else ()
                    member = np.isin(np.arange(num), group)[:, None]
                    found.append(Scope(path, presence=Axis((name,), (num,), member)))
        return tuple(found)

    def effective(self, genotypes: np.ndarray) -> np.ndarray:
        """Say which edges lie on a path through the cell; see `Supernet.effective`."""
        genotypes = self.space.validate(genotypes)
        whole = nasbench201()
        columns = [
            np.asarray([whole.decisions[d].options.index(o) for o in decision.options])
            for d, decision in enumerate(self.space.decisions)
        ]
        rows = [column[genotypes[:, d]] for d, column in enumerate(columns)]
        return live_edges(np.stack(rows, axis=1))

    def groups(self, edge: int) -> tuple[tuple[int, ...], ...]:
        """Say which options of an edge have one operation together."""
        options = self.space.decisions[edge].options
        shared = [k for k, o in enumerate(options) if self.entangled and o in KERNELS]
        alone = [(k,) for k in range(len(options)) if k not in shared]
        return tuple(sorted([*alone, tuple(shared)] if shared else alone))

    def subnet_path(self, path: Path, layer: int | None) -> Path:
        """Say where a weight lies in a subnet; see `ElasticSupernet.subnet_path`."""
        if not path[0].startswith("stage_"):
            return path
        # stage_s/edges/e/operations/k/.. becomes stages/s/layer/edges/e/..
        stage = path[0].removeprefix("stage_")
        return ("stages", stage, str(layer), "edges", path[2], *path[5:])

    def subnet(self, genotype: np.ndarray) -> nnx.Module:
        """Build an architecture as an ordinary module; see `Supernet.subnet`."""
        choices = self.choices(genotype)
        operations = [str(choices[edge_name(*edge)]) for edge in EDGES]
        return Subnet(self, operations, nnx.Rngs(0))


# ---------------------------------------------------------------- the shared network
class _Cell(nnx.Module):
    def __init__(
        self,
        supernet: NASBench201Supernet,
        channels: int,
        positions: int,
        rngs: nnx.Rngs,
    ) -> None:
        self.edges = nnx.List(
            [
                self._edge(supernet, e, channels, positions, rngs)
                for e in range(len(EDGES))
            ]
        )

    @staticmethod
    def _edge(
        supernet: NASBench201Supernet,
        e: int,
        channels: int,
        positions: int,
        rngs: nnx.Rngs,
    ) -> MixedOperation:
        decision, groups = supernet.space.decisions[e], supernet.groups(e)
        simple = {"none": Zero, "skip_connect": Identity, "avg_pool_3x3": AveragePool}
        operations = []
        for group in groups:
            option = str(decision.options[group[0]])
            if option in simple:
                operations.append(simple[option]())
                continue
            size = KERNELS[option] if len(group) == 1 else _kernel_axis(decision)
            operations.append(
                RectifiedConvolution(
                    channels,
                    channels,
                    kernel_size=size,
                    positions=positions,
                    affine=supernet.affine,
                    rngs=rngs,
                )
            )
        return MixedOperation(operations, groups)

    def __call__(self, x: jax.Array, choices: list[Choice], mode: Mode) -> jax.Array:
        nodes = [x]
        for target in range(1, len(EDGES) // 2 + 1):
            total = jnp.zeros_like(x)
            for e, (source, to) in enumerate(EDGES):
                if to == target:
                    total = total + self.edges[e](nodes[source], choices[e], mode)
            nodes.append(total)
        return nodes[-1]


def _kernel_axis(decision: Decision) -> Axis:
    """Make either side of the kernel that an edge's convolutions share."""
    sizes = [KERNELS.get(str(option), 0) for option in decision.options]
    largest = Axis.centre((decision.name,), (len(sizes),), [max(s, 1) for s in sizes])
    member = largest.member & (np.asarray(sizes) > 0)[:, None]
    return dataclasses.replace(largest, member=member)


def _sizes(supernet: NASBench201Supernet) -> list[tuple[int, int]]:
    """Give the channels and the pixels of each stage."""
    h, w, _ = supernet.input_shape
    sizes = []
    for stage in range(STAGES):
        sizes.append((supernet.channels * 2**stage, h * w))
        h, w = -(-h // 2), -(-w // 2)
    return sizes


class _Network(nnx.Module):
    def __init__(self, supernet: NASBench201Supernet, rngs: nnx.Rngs) -> None:
        sizes, affine = _sizes(supernet), supernet.affine
        channels, positions = sizes[0]
        self.stem = ElasticConvolution(
            supernet.input_shape[2],
            channels,
            kernel_size=3,
            positions=positions,
            rngs=rngs,
        )
        self.stem_norm = ElasticBatchNorm(channels)
        for stage, (channels, positions) in enumerate(sizes):
            if stage:
                self._set(
                    "reduction",
                    stage,
                    Reduction(
                        channels // 2, positions=positions, affine=affine, rngs=rngs
                    ),
                )
            self._set(
                "stage",
                stage,
                stacked(
                    lambda r, c=channels, p=positions: _Cell(supernet, c, p, r),
                    rngs,
                    supernet.cells,
                ),
            )
        self.last_norm = ElasticBatchNorm(channels)
        self.classifier = ElasticLinear(
            channels, supernet.num_classes, positions=1, rngs=rngs
        )

    def _set(self, kind: str, stage: int, module: nnx.Module) -> None:
        setattr(self, f"{kind}_{stage}", module)

    def __call__(self, arch: Architecture, x: jax.Array, mode: Mode) -> Outputs:
        choices = [arch[edge_name(*edge)] for edge in EDGES]
        x = mark_features(self.stem_norm(self.stem(x, {}), {}, mode))
        for stage in range(STAGES):
            if stage:
                reduction = getattr(self, f"reduction_{stage}")
                x = mark_block(functools.partial(reduction, mode=mode), x)
            x = scan_layers(
                getattr(self, f"stage_{stage}"),
                lambda cell, x, _: mark_block(lambda x: cell(x, choices, mode), x),
                x,
                mode,
            )
        x = jax.nn.relu(self.last_norm(x, {}, mode))
        features = x.mean((1, 2))
        return Outputs(self.classifier(features, {}), features, {})


# ------------------------------------------------------------------ one architecture
class _SubnetCell(nnx.Module):
    def __init__(
        self, operations: list[str], channels: int, affine: bool, rngs: nnx.Rngs
    ) -> None:
        self.operations = tuple(operations)
        self.edges = nnx.Dict(
            {
                str(e): PlainRectified(
                    channels, channels, KERNELS[operation], rngs, affine=affine
                )
                for e, operation in enumerate(operations)
                if operation in KERNELS
            }
        )

    def _edge(self, e: int, x: jax.Array) -> jax.Array:
        operation = self.operations[e]
        if operation in KERNELS:
            return self.edges[str(e)](x)
        if operation == "avg_pool_3x3":
            return average_pool_3x3(x)
        return x if operation == "skip_connect" else jnp.zeros_like(x)

    def __call__(self, x: jax.Array) -> jax.Array:
        first = self._edge(0, x)
        second = self._edge(1, x) + self._edge(2, first)
        return self._edge(3, x) + self._edge(4, first) + self._edge(5, second)


class Subnet(nnx.Module):
    """One NAS-Bench-201 network, made of Flax's own layers."""

    def __init__(
        self, supernet: NASBench201Supernet, operations: list[str], rngs: nnx.Rngs
    ) -> None:
        """Build the network of a cell.

        Args:
          supernet: for the sizes.
          operations: of the six edges.
          rngs: the source of randomness.
        """
        affine = supernet.affine
        widths = [channels for channels, _ in _sizes(supernet)]
        self.stem = plain_convolution(supernet.input_shape[2], widths[0], 3, rngs)
        self.stem_norm = plain_norm(widths[0], rngs)
        self.stages = nnx.Dict(
            {
                str(stage): nnx.Dict(
                    {
                        str(n): _SubnetCell(operations, channels, affine, rngs)
                        for n in range(supernet.cells)
                    }
                )
                for stage, channels in enumerate(widths)
            }
        )
        self.reduction_1 = PlainReduction(widths[0], rngs, affine=affine)
        self.reduction_2 = PlainReduction(widths[1], rngs, affine=affine)
        self.last_norm = plain_norm(widths[-1], rngs)
        self.classifier = nnx.Linear(
            widths[-1], supernet.num_classes, kernel_init=initializer(), rngs=rngs
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[B, H, W, C]` normalised images to `[B, num_classes]` logits."""
        x = self.stem_norm(self.stem(x))
        for stage, cells in self.stages.items():
            if stage != "0":
                x = getattr(self, f"reduction_{stage}")(x)
            for n in range(len(cells)):
                x = cells[str(n)](x)
        x = jax.nn.relu(self.last_norm(x))
        return self.classifier(x.mean((1, 2)))


# Of the edges that vary, one leads to the output, one is between nodes, and one begins.
TINY = NASBench201Supernet(
    nasbench201(
        {
            "edge_0_2": "nor_conv_1x1",
            "edge_0_3": "none",
            "edge_1_3": "skip_connect",
        }
    ),
    channels=4,
    cells=2,
    input_shape=(8, 8, 2),
    num_classes=3,
)
TINY_VARIANTS = {
    "entangled": dataclasses.replace(
        TINY,
        entangled=True,
        space=nasbench201(
            {
                "edge_0_2": "none",
                "edge_0_3": "skip_connect",
                "edge_1_2": "none",
                "edge_2_3": "none",
            }
        ),
    )
}
