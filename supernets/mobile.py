"""The supernet of mobile convolutional networks: elastic width, depth, kernels, ratios.

Cai, Gan, Wang, Zhang and Han, "Once-for-All: Train One Network and Specialize it for
Efficient Deployment", ICLR 2020, arXiv 1908.09791, over the blocks of Howard et al.,
"Searching for MobileNetV3", ICCV 2019, arXiv 1905.02244. A small kernel is the centre
of the largest; the released networks pass it through learned matrices on top of that,
with which a mixture of kernels would no longer be one mask. There is no dropout. The
first block of a stage adds no skip, as in the published network, where it always
changes the number of channels.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from search_spaces import Architecture, Choice, SearchSpace
from search_spaces.mobile import PRESETS, MobileStage, mobile
from supernets.axis import Axis
from supernets.base import Outputs
from supernets.blocks.inverted_residual import InvertedResidual, SubnetInvertedResidual
from supernets.blocks.mobile_sizes import PER_BLOCK, MobileSizes
from supernets.blocks.plain import plain_convolution, plain_norm
from supernets.elastic import ElasticSupernet, Path, Scope
from supernets.layers.convolution import ElasticConvolution
from supernets.layers.depth import scan_to_depth
from supernets.layers.drawing import initializer
from supernets.layers.linear import ElasticLinear
from supernets.layers.marks import mark_block, mark_features
from supernets.layers.mode import Mode
from supernets.layers.norm import ElasticBatchNorm
from supernets.layers.stacking import stacked
from supernets.sizes import check_least


@dataclasses.dataclass(frozen=True)
class MobileSupernet(ElasticSupernet):
    """A supernet over mobile convolutional networks.

    Attributes:
      space: made by `search_spaces.mobile.mobile`.
      stem_width: channels of the first convolution.
      stem_stride: of the first convolution.
      first_block: whether a block without decisions, and without expansion, comes
        before the stages.
      strides: of the first block of each stage.
      squeeze: for each stage, whether its blocks have squeeze-and-excitation.
      activations: of each stage's blocks: relu or hard_swish.
      final_width: channels of the last convolution.
      feature_width: what the classifier sees.
      channel_divisor: hidden widths are rounded to multiples of it; published: 8.
      input_shape: `(H, W, C)` of the input.
      num_classes: the length of the logits.
    """

    space: SearchSpace = PRESETS["mobile_tiny"]
    stem_width: int = 8
    stem_stride: int = 1
    first_block: bool = False
    strides: tuple[int, ...] = (1, 2, 2)
    squeeze: tuple[bool, ...] = (False, True, True)
    activations: tuple[str, ...] = ("relu", "hard_swish", "hard_swish")
    final_width: int = 96
    feature_width: int = 128
    channel_divisor: int = 4
    input_shape: tuple[int, int, int] = (32, 32, 3)
    num_classes: int = 10

    def __post_init__(self) -> None:
        """Refuse spaces and sizes that make no network."""
        check_least(self, stem_width=1, stem_stride=1, final_width=1, feature_width=1)
        check_least(self, channel_divisor=1, num_classes=2, strides=1)
        self.sizes.check()

    __hash__ = ElasticSupernet.__hash__

    @classmethod
    def once_for_all(
        cls, input_shape: tuple[int, int, int] = (224, 224, 3), num_classes: int = 1000
    ) -> "MobileSupernet":
        """Make the published network for ImageNet, at its width 1.0."""
        relu, hard_swish = "relu", "hard_swish"
        return cls(
            space=PRESETS["ofa_mobilenet_v3"],
            stem_width=16,
            stem_stride=2,
            first_block=True,
            strides=(2, 2, 2, 1, 2),
            squeeze=(False, True, False, True, True),
            activations=(relu, relu, hard_swish, hard_swish, hard_swish),
            final_width=960,
            feature_width=1280,
            channel_divisor=8,
            input_shape=input_shape,
            num_classes=num_classes,
        )

    @property
    def sizes(self) -> MobileSizes:
        """The sizes of the blocks."""
        return MobileSizes(
            self.space,
            self.stem_width,
            self.stem_stride,
            self.strides,
            self.squeeze,
            self.activations,
            self.channel_divisor,
            self.input_shape[:2],
        )

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        """Build the network; see `ElasticSupernet.network`."""
        return _Network(self, rngs)

    def scopes(self) -> tuple[Scope, ...]:
        """Say that a stage's blocks after the first are stacked, to its depth."""
        found = []
        for s, stage in enumerate(self.sizes.stages, 1):
            later = range(2, max(stage.depth) + 1)
            if later:
                names = {kind: _per_block(kind, s, later) for kind in PER_BLOCK}
                exists = np.asarray(stage.depth)[:, None] >= np.asarray(later)
                presence = Axis((f"depth_{s}",), (len(stage.depth),), exists)
                path = (f"stage_{s}", "later")
                found.append(Scope(path, len(later), names, presence))
        return tuple(found)

    def subnet_path(self, path: Path, layer: int | None) -> Path:
        """Say where a weight lies in a subnet; see `ElasticSupernet.subnet_path`."""
        if not path[0].startswith("stage_"):
            return path
        block = 1 if layer is None else layer + 2
        return ("stages", path[0].removeprefix("stage_"), str(block), *path[2:])

    def subnet(self, genotype: np.ndarray) -> nnx.Module:
        """Build an architecture as an ordinary module; see `Supernet.subnet`."""
        return Subnet(self, self.choices(genotype), nnx.Rngs(0))


def _per_block(kind: str, stage: int, blocks: range) -> tuple[str, ...]:
    return tuple(f"{kind}_{stage}_{i}" for i in blocks)


# ---------------------------------------------------------------- the shared network
class _Stage(nnx.Module):
    def __init__(self, sizes: MobileSizes, stage: int, rngs: nnx.Rngs) -> None:
        names = [f"{kind}_{stage + 1}_1" for kind in PER_BLOCK]
        self.first = InvertedResidual(sizes.elastic(stage, 0, *names), rngs)
        self.number, self.depth = stage + 1, max(sizes.stages[stage].depth)
        self.enters = bool(stage)
        if self.depth > 1:
            block = sizes.elastic(stage, 1, *PER_BLOCK)
            self.later = stacked(
                lambda r: InvertedResidual(block, r), rngs, self.depth - 1
            )

    def __call__(self, arch: Architecture, x: jax.Array, mode: Mode) -> jax.Array:
        s = self.number
        names = [f"{kind}_{s}_1" for kind in PER_BLOCK] + [f"width_{s}"]
        if self.enters:
            names.append(f"width_{s - 1}")
        choices = {name: arch[name] for name in names}
        x = mark_block(lambda x: self.first(x, choices, mode), x)
        depth = arch[f"depth_{s}"]
        if self.depth == 1:
            return depth.mask().astype(x.dtype) * x
        shared = {f"width_{s}": arch[f"width_{s}"]}
        later = range(2, self.depth + 1)

        def body(
            block: InvertedResidual, x: jax.Array, own: Mapping[str, Choice]
        ) -> jax.Array:
            return block(x, shared | dict(own), mode)

        own = {kind: arch.stack(_per_block(kind, s, later)) for kind in PER_BLOCK}
        return scan_to_depth(self.later, body, x, depth, mode, own, before=1)


class _Network(nnx.Module):
    def __init__(self, supernet: MobileSupernet, rngs: nnx.Rngs) -> None:
        sizes = supernet.sizes
        stages, pixels = sizes.stages, sizes.pixels
        self.stem = ElasticConvolution(
            supernet.input_shape[2],
            supernet.stem_width,
            kernel_size=3,
            positions=pixels[0],
            rngs=rngs,
            stride=supernet.stem_stride,
        )
        self.stem_norm = ElasticBatchNorm(supernet.stem_width)
        self.has_first, self.num_stages = supernet.first_block, len(stages)
        if self.has_first:
            self.first = InvertedResidual(sizes.first(), rngs)
        for s in range(len(stages)):
            setattr(self, f"stage_{s + 1}", _Stage(sizes, s, rngs))
        last = stages[-1].width
        self.final = ElasticConvolution(
            Axis.prefix((f"width_{len(stages)}",), (len(last),), last),
            supernet.final_width,
            kernel_size=1,
            positions=pixels[-1],
            rngs=rngs,
        )
        self.final_norm = ElasticBatchNorm(supernet.final_width)
        self.mix = ElasticConvolution(
            supernet.final_width,
            supernet.feature_width,
            kernel_size=1,
            positions=1,
            rngs=rngs,
        )
        self.classifier = ElasticLinear(
            supernet.feature_width, supernet.num_classes, positions=1, rngs=rngs
        )

    def __call__(self, arch: Architecture, x: jax.Array, mode: Mode) -> Outputs:
        x = jax.nn.hard_swish(self.stem_norm(self.stem(x, {}), {}, mode))
        x = mark_features(x)
        if self.has_first:
            x = mark_block(lambda x: self.first(x, {}, mode), x)
        for s in range(1, self.num_stages + 1):
            x = getattr(self, f"stage_{s}")(arch, x, mode)
        name = f"width_{self.num_stages}"
        x = self.final(x, {name: arch[name]})
        x = jax.nn.hard_swish(self.final_norm(x, {}, mode))
        mean = x.mean((1, 2), keepdims=True)
        features = jax.nn.hard_swish(self.mix(mean, {}))[:, 0, 0]
        return Outputs(self.classifier(features, {}), features, {})


# ------------------------------------------------------------------ one architecture
class Subnet(nnx.Module):
    """One mobile network, made of Flax's own layers."""

    def __init__(
        self, supernet: MobileSupernet, choices: Mapping[str, Any], rngs: nnx.Rngs
    ) -> None:
        """Build the network of an architecture.

        Args:
          supernet: for the sizes.
          choices: the option of each decision.
          rngs: the source of randomness.
        """
        sizes, width = supernet.sizes, supernet.stem_width
        self.stem = plain_convolution(
            supernet.input_shape[2], width, 3, rngs, stride=supernet.stem_stride
        )
        self.stem_norm = plain_norm(width, rngs)
        if supernet.first_block:
            self.first = SubnetInvertedResidual(sizes.first(), rngs)
        self.has_first = supernet.first_block
        stages = {}
        for s in range(1, len(sizes.stages) + 1):
            blocks = {}
            for i in range(1, choices[f"depth_{s}"] + 1):
                outputs = choices[f"width_{s}"]
                own = [choices[f"{kind}_{s}_{i}"] for kind in PER_BLOCK]
                block = sizes.plain(s - 1, i - 1, width, outputs, *own)
                blocks[str(i)] = SubnetInvertedResidual(block, rngs)
                width = outputs
            stages[str(s)] = nnx.Dict(blocks)
        self.stages = nnx.Dict(stages)
        self.final = plain_convolution(width, supernet.final_width, 1, rngs)
        self.final_norm = plain_norm(supernet.final_width, rngs)
        self.mix = plain_convolution(
            supernet.final_width, supernet.feature_width, 1, rngs
        )
        self.classifier = nnx.Linear(
            supernet.feature_width,
            supernet.num_classes,
            kernel_init=initializer(),
            rngs=rngs,
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[B, H, W, C]` normalised images to `[B, num_classes]` logits."""
        x = jax.nn.hard_swish(self.stem_norm(self.stem(x)))
        if self.has_first:
            x = self.first(x)
        for s in range(1, len(self.stages) + 1):
            blocks = self.stages[str(s)]
            for i in range(1, len(blocks) + 1):
                x = blocks[str(i)](x)
        x = jax.nn.hard_swish(self.final_norm(self.final(x)))
        x = jax.nn.hard_swish(self.mix(x.mean((1, 2), keepdims=True)))
        return self.classifier(x[:, 0, 0])


TINY = MobileSupernet(
    space=mobile(
        "tiny",
        (
            MobileStage((2, 4), (1,), (3, 5), (1, 2)),
            MobileStage((3, 5), (1, 2), (3, 5), (1, 2)),
        ),
    ),
    stem_width=3,
    strides=(1, 2),
    squeeze=(False, True),
    activations=("relu", "hard_swish"),
    final_width=6,
    feature_width=5,
    channel_divisor=1,
    input_shape=(8, 8, 2),
    num_classes=3,
)
