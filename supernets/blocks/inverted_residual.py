"""Inverted residual blocks, shared by all architectures and of one.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018,
arXiv 1801.04381; with squeeze-and-excitation and `hard_swish` as in Howard et al.,
"Searching for MobileNetV3", ICCV 2019, arXiv 1905.02244.
"""

import dataclasses
from collections.abc import Mapping

import jax
from flax import nnx

from search_spaces import Choice
from supernets.axis import Width
from supernets.blocks.plain import plain_convolution, plain_norm
from supernets.layers.convolution import ElasticConvolution
from supernets.layers.depthwise import ElasticDepthwiseConvolution
from supernets.layers.drawing import HE, initializer
from supernets.layers.mode import Mode
from supernets.layers.norm import ElasticBatchNorm
from supernets.layers.squeeze_excitation import SqueezeExcitation

ACTIVATIONS = {"relu": jax.nn.relu, "hard_swish": jax.nn.hard_swish}


@dataclasses.dataclass(frozen=True)
class BlockSizes:
    """What one block is; its widths are numbers where it is of one architecture.

    Attributes:
      inputs: channels that enter.
      hidden: channels of the depthwise convolution.
      outputs: channels that leave.
      kernel: the size of the depthwise kernel.
      squeeze: hidden values of the squeeze-and-excitation; None: there is none.
      expands: whether a convolution leads from the inputs to the hidden channels;
        otherwise they are the same.
      skips: whether the input is added to the output.
      activation: one of `ACTIVATIONS`.
      stride: of the depthwise convolution.
      pixels: of the image that enters.
      pixels_out: of the image that leaves.
    """

    inputs: Width
    hidden: Width
    outputs: Width
    kernel: Width
    squeeze: Width | None
    expands: bool
    skips: bool
    activation: str
    stride: int
    pixels: int
    pixels_out: int


class InvertedResidual(nnx.Module):
    """Expand, convolve each channel, weigh channels, project; all parts elastic."""

    def __init__(self, sizes: BlockSizes, rngs: nnx.Rngs) -> None:
        """Draw the weights.

        Args:
          sizes: of the block.
          rngs: the source of randomness.
        """
        if sizes.expands:
            self.expand = ElasticConvolution(
                sizes.inputs,
                sizes.hidden,
                kernel_size=1,
                positions=sizes.pixels,
                rngs=rngs,
            )
            self.expand_norm = ElasticBatchNorm(sizes.hidden)
        self.depthwise = ElasticDepthwiseConvolution(
            sizes.hidden,
            kernel_size=sizes.kernel,
            positions=sizes.pixels_out,
            rngs=rngs,
            stride=sizes.stride,
        )
        self.depthwise_norm = ElasticBatchNorm(sizes.hidden)
        if sizes.squeeze is not None:
            self.weigh = SqueezeExcitation(sizes.hidden, sizes.squeeze, rngs=rngs)
        self.project = ElasticConvolution(
            sizes.hidden,
            sizes.outputs,
            kernel_size=1,
            positions=sizes.pixels_out,
            rngs=rngs,
        )
        self.project_norm = ElasticBatchNorm(sizes.outputs)
        self.sizes = sizes

    def __call__(
        self, x: jax.Array, choices: Mapping[str, Choice], mode: Mode
    ) -> jax.Array:
        """Map `[B, H, W, inputs]` to `[B, H', W', outputs]`."""
        activate = ACTIVATIONS[self.sizes.activation]
        y = x
        if self.sizes.expands:
            y = self.expand_norm(self.expand(y, choices), choices, mode)
            y = activate(y)
        y = self.depthwise_norm(self.depthwise(y, choices), choices, mode)
        y = activate(y)
        if self.sizes.squeeze is not None:
            y = self.weigh(y, choices)
        y = self.project_norm(self.project(y, choices), choices, mode)
        return x + y if self.sizes.skips else y


# ------------------------------------------------------------------ one architecture
class _SubnetSqueezeExcitation(nnx.Module):
    def __init__(self, channels: int, hidden: int, rngs: nnx.Rngs) -> None:
        init = initializer(HE)
        self.squeeze = nnx.Linear(channels, hidden, kernel_init=init, rngs=rngs)
        self.excite = nnx.Linear(hidden, channels, kernel_init=init, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        hidden = jax.nn.relu(self.squeeze(x.mean((1, 2))))
        return x * jax.nn.hard_sigmoid(self.excite(hidden))[:, None, None]


class SubnetInvertedResidual(nnx.Module):
    """The block of one architecture, made of Flax's own layers."""

    def __init__(self, sizes: BlockSizes, rngs: nnx.Rngs) -> None:
        """Draw the weights.

        Args:
          sizes: of the block, all of them numbers.
          rngs: the source of randomness.
        """
        inputs, hidden, outputs, kernel = (
            _number(width)
            for width in (sizes.inputs, sizes.hidden, sizes.outputs, sizes.kernel)
        )
        if sizes.expands:
            self.expand = plain_convolution(inputs, hidden, 1, rngs)
            self.expand_norm = plain_norm(hidden, rngs)
        self.depthwise = plain_convolution(
            hidden, hidden, kernel, rngs, stride=sizes.stride, groups=hidden
        )
        self.depthwise_norm = plain_norm(hidden, rngs)
        if sizes.squeeze is not None:
            self.weigh = _SubnetSqueezeExcitation(hidden, _number(sizes.squeeze), rngs)
        self.project = plain_convolution(hidden, outputs, 1, rngs)
        self.project_norm = plain_norm(outputs, rngs)
        self.sizes = sizes

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[B, H, W, inputs]` to `[B, H', W', outputs]`."""
        activate = ACTIVATIONS[self.sizes.activation]
        y = x
        if self.sizes.expands:
            y = activate(self.expand_norm(self.expand(y)))
        y = activate(self.depthwise_norm(self.depthwise(y)))
        if self.sizes.squeeze is not None:
            y = self.weigh(y)
        y = self.project_norm(self.project(y))
        return x + y if self.sizes.skips else y


def _number(width: Width) -> int:
    if not isinstance(width, int):
        raise TypeError(f"A block of one architecture has no elastic width {width}.")
    return width
