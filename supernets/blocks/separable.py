"""Convolutions of DARTS' cells: rectified, depthwise, pointwise, normalised.

Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, arXiv
1806.09055. What is not dilated is applied twice there. The norms have neither scale nor
bias.
"""

import jax
from flax import nnx

from supernets.blocks.plain import plain_convolution, plain_norm
from supernets.layers.convolution import ElasticConvolution
from supernets.layers.depthwise import ElasticDepthwiseConvolution
from supernets.layers.dilation import dilated
from supernets.layers.mode import Mode
from supernets.layers.norm import ElasticBatchNorm


class SeparableConvolution(nnx.Module):
    """A rectified input's depthwise and pointwise convolution, normalised."""

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int,
        positions: int,
        rngs: nnx.Rngs,
        dilation: int = 1,
    ) -> None:
        """Draw the weights.

        Args:
          channels: C, that enter and leave.
          kernel_size: of the depthwise kernel, odd.
          positions: pixels of one example (for the MACs).
          rngs: the source of randomness.
          dilation: the distance of its neighbouring taps.
        """
        self.depthwise = ElasticDepthwiseConvolution(
            channels, kernel_size=kernel_size, positions=positions, rngs=rngs
        )
        self.pointwise = ElasticConvolution(
            channels, channels, kernel_size=1, positions=positions, rngs=rngs
        )
        self.norm = ElasticBatchNorm(channels, affine=False)
        self.dilation = dilation

    def __call__(self, x: jax.Array, mode: Mode) -> jax.Array:
        """Map `[B, H, W, C]` to the same shape."""
        y = dilated(lambda x: self.depthwise(x, {}), jax.nn.relu(x), self.dilation)
        return self.norm(self.pointwise(y, {}), {}, mode)


class TwiceSeparable(nnx.Module):
    """Two separable convolutions of one size, one after the other."""

    def __init__(
        self, channels: int, *, kernel_size: int, positions: int, rngs: nnx.Rngs
    ) -> None:
        """Draw the weights.

        Args:
          channels: C, that enter and leave.
          kernel_size: of both depthwise kernels, odd.
          positions: pixels of one example (for the MACs).
          rngs: the source of randomness.
        """
        self.first, self.second = (
            SeparableConvolution(
                channels, kernel_size=kernel_size, positions=positions, rngs=rngs
            )
            for _ in range(2)
        )

    def __call__(self, x: jax.Array, mode: Mode) -> jax.Array:
        """Map `[B, H, W, C]` to the same shape."""
        return self.second(self.first(x, mode), mode)


# ------------------------------------------------------------------ one architecture
class PlainSeparable(nnx.Module):
    """`SeparableConvolution` made of Flax's own layers."""

    def __init__(
        self, channels: int, kernel: int, rngs: nnx.Rngs, *, dilation: int = 1
    ) -> None:
        """Draw the weights; see `SeparableConvolution`."""
        self.depthwise = plain_convolution(
            channels, channels, kernel, rngs, groups=channels, dilation=dilation
        )
        self.pointwise = plain_convolution(channels, channels, 1, rngs)
        self.norm = plain_norm(channels, rngs, affine=False)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[B, H, W, C]` to the same shape."""
        return self.norm(self.pointwise(self.depthwise(jax.nn.relu(x))))


class PlainTwiceSeparable(nnx.Module):
    """`TwiceSeparable` made of Flax's own layers."""

    def __init__(self, channels: int, kernel: int, rngs: nnx.Rngs) -> None:
        """Draw the weights; see `TwiceSeparable`."""
        self.first, self.second = (
            PlainSeparable(channels, kernel, rngs) for _ in range(2)
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[B, H, W, C]` to the same shape."""
        return self.second(self.first(x))
