"""What a space of mobile networks and a few numbers say about its blocks."""

import dataclasses
import functools

from search_spaces import SearchSpace
from search_spaces.mobile import MobileStage, stages_of
from supernets.axis import Axis, Width
from supernets.blocks.inverted_residual import ACTIVATIONS, BlockSizes

PER_BLOCK = ("kernel", "expand")
_REDUCTION = 4  # of channels, to the hidden values of squeeze-and-excitation


@dataclasses.dataclass(frozen=True)
class MobileSizes:
    """The sizes of a mobile network's blocks, elastic and not.

    Stages and blocks are counted from 0 here, and from 1 in the space's names.

    Attributes:
      space: laid out as `search_spaces.mobile.mobile` does.
      stem_width: channels that enter the first stage.
      stem_stride: of what comes before the stages.
      strides: of the first block of each stage.
      squeeze: for each stage, whether its blocks have squeeze-and-excitation.
      activations: of each stage's blocks.
      channel_divisor: hidden widths are rounded to multiples of it.
      image: `(H, W)` of the input.
    """

    space: SearchSpace
    stem_width: int
    stem_stride: int
    strides: tuple[int, ...]
    squeeze: tuple[bool, ...]
    activations: tuple[str, ...]
    channel_divisor: int
    image: tuple[int, int]

    @functools.cached_property
    def stages(self) -> tuple[MobileStage, ...]:
        """What may vary in each stage."""
        return stages_of(self.space)

    def hidden_width(self, width: int, ratio: float) -> int:
        """Give the channels to which a block expands its input's."""
        return _divisible(round(width * ratio), self.channel_divisor)

    def squeezed_width(self, hidden: int) -> int:
        """Give the hidden values of squeeze-and-excitation."""
        return _divisible(hidden // _REDUCTION, self.channel_divisor)

    @functools.cached_property
    def images(self) -> list[tuple[int, int]]:
        """Height and width of what enters each stage, and of what leaves the last."""
        sizes = [self.image]
        for stride in (self.stem_stride, *self.strides):
            sizes.append((-(-sizes[-1][0] // stride), -(-sizes[-1][1] // stride)))
        return sizes[1:]

    @property
    def pixels(self) -> list[int]:
        """How many pixels these images have."""
        return [height * width for height, width in self.images]

    def entering(self, stage: int) -> tuple[int, ...]:
        """Give the numbers of channels that may enter a stage."""
        return self.stages[stage - 1].width if stage else (self.stem_width,)

    def first(self) -> BlockSizes:
        """Give the sizes of a block before the stages."""
        return BlockSizes(
            *(self.stem_width,) * 3,
            kernel=3,
            squeeze=None,
            expands=False,
            skips=True,
            activation="relu",
            stride=1,
            pixels=self.pixels[0],
            pixels_out=self.pixels[0],
        )

    def plain(
        self,
        stage: int,
        block: int,
        inputs: int,
        outputs: int,
        kernel: int,
        ratio: float,
    ) -> BlockSizes:
        """Give the sizes of a block of one architecture."""
        hidden = self.hidden_width(inputs, ratio)
        squeezed = self.squeezed_width(hidden)
        return self._block(stage, block, inputs, hidden, outputs, kernel, squeezed)

    def elastic(self, stage: int, block: int, kernel: str, expand: str) -> BlockSizes:
        """Declare how a block follows its decisions.

        Args:
          stage: of the block.
          block: 0, or 1 for all that follow.
          kernel: how its layers call the decision on its kernel.
          expand: how they call that on its ratio.

        Returns:
          The sizes, with an axis wherever something decides.
        """
        own = self.stages[stage]
        outputs = Axis.prefix((f"width_{stage + 1}",), (len(own.width),), own.width)
        inputs: Width = outputs
        entering: tuple[int, ...] = own.width
        names, counts = outputs.names, outputs.num_options
        if not block:
            entering = self.entering(stage)
            names, counts = (
                ((f"width_{stage}",), (len(entering),)) if stage else ((), ())
            )
            inputs = Axis.prefix(names, counts, entering) if stage else self.stem_width
        hidden = [self.hidden_width(n, ratio) for n in entering for ratio in own.expand]
        squeezed = [self.squeezed_width(n) for n in hidden]
        both = (*names, expand), (*counts, len(own.expand))
        return self._block(
            stage,
            block,
            inputs,
            Axis.prefix(*both, hidden),
            outputs,
            Axis.centre((kernel,), (len(own.kernel),), own.kernel),
            Axis.prefix(*both, squeezed),
        )

    def _block(
        self,
        stage: int,
        block: int,
        inputs: Width,
        hidden: Width,
        outputs: Width,
        kernel: Width,
        squeezed: Width,
    ) -> BlockSizes:
        before, after = self.pixels[stage : stage + 2]
        return BlockSizes(
            inputs,
            hidden,
            outputs,
            kernel,
            squeezed if self.squeeze[stage] else None,
            expands=True,
            skips=block > 0,
            activation=self.activations[stage],
            stride=1 if block else self.strides[stage],
            pixels=after if block else before,
            pixels_out=after,
        )

    def check(self) -> None:
        """Refuse sizes that make no network, or twice the same.

        Raises:
          ValueError: the message names the field.
        """
        for name in ("strides", "squeeze", "activations"):
            if len(getattr(self, name)) != len(self.stages):
                raise ValueError(
                    f"{name}: found {getattr(self, name)} for the {len(self.stages)} "
                    f"stages of {self.space.name!r}; give one for each."
                )
        for activation in self.activations:
            if activation not in ACTIVATIONS:
                raise ValueError(
                    f"activations: found {activation!r}; there are "
                    f"{', '.join(ACTIVATIONS)}."
                )
        self._check_hidden_widths()
        self._check_kernels()

    def _check_hidden_widths(self) -> None:
        for s, stage in enumerate(self.stages):
            for width in (*self.entering(s), *stage.width):
                hidden = [self.hidden_width(width, ratio) for ratio in stage.expand]
                if len(set(hidden)) < len(hidden):
                    raise ValueError(
                        f"space: at {width} channels the ratios {stage.expand} of "
                        f"stage {s + 1} of {self.space.name!r} make {hidden} hidden "
                        "channels, which must differ; give other ratios, or a smaller "
                        f"channel_divisor than {self.channel_divisor}."
                    )

    def _check_kernels(self) -> None:
        # A tap further out than the image is long meets padding alone, and kernels
        # that differ in such taps are the same function.
        for s, stage in enumerate(self.stages):
            smallest = self.images[s + 1 if max(stage.depth) > 1 else s]
            if max(smallest) <= max(stage.kernel) // 2:
                raise ValueError(
                    f"strides: in stage {s + 1} of {self.space.name!r} kernels of "
                    f"{max(stage.kernel)} meet images of {smallest[0]} x {smallest[1]} "
                    "pixels, too few to tell them from smaller ones; give smaller "
                    f"strides than {self.strides} (or stem_stride {self.stem_stride}), "
                    "smaller kernels or larger images."
                )


def _divisible(width: int, divisor: int) -> int:
    """Round to a multiple, at least once the divisor, and not down by over a tenth."""
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * width else rounded
