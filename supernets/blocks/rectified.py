"""Convolutions of NAS-Bench-201: rectified, convolved, normalised; residual reduction.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020, arXiv 2001.00326. A reduction halves the image and doubles the
channels; its shortcut averages blocks of 2x2 pixels.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from search_spaces import Choice
from supernets.axis import Width
from supernets.blocks.plain import plain_convolution, plain_norm
from supernets.layers.convolution import ElasticConvolution
from supernets.layers.mode import Mode
from supernets.layers.norm import ElasticBatchNorm
from supernets.layers.pooling import average_pool_2x2


class RectifiedConvolution(nnx.Module):
    """A rectified input's convolution, normalised; its kernel may be elastic."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel_size: Width,
        positions: int,
        affine: bool,
        rngs: nnx.Rngs,
        stride: int = 1,
    ) -> None:
        """Draw the weights.

        Args:
          inputs: channels that enter.
          outputs: channels that leave.
          kernel_size: odd, or the axis that either side is.
          positions: output pixels of one example (for the MACs).
          affine: whether the norm has a scale and a bias.
          rngs: the source of randomness.
          stride: of both axes.
        """
        self.convolution = ElasticConvolution(
            inputs,
            outputs,
            kernel_size=kernel_size,
            positions=positions,
            rngs=rngs,
            stride=stride,
        )
        self.norm = ElasticBatchNorm(outputs, affine=affine)

    def __call__(
        self, x: jax.Array, mode: Mode, size: Choice | None = None
    ) -> jax.Array:
        """Map `[B, H, W, inputs]` to `[B, H', W', outputs]`; `size` is the kernel's."""
        choices = {} if size is None else {size.names[0]: size}
        return self.norm(self.convolution(jax.nn.relu(x), choices), {}, mode)


class Reduction(nnx.Module):
    """The residual block between two stages."""

    def __init__(
        self, inputs: int, *, positions: int, affine: bool, rngs: nnx.Rngs
    ) -> None:
        """Draw the weights.

        Args:
          inputs: C, channels that enter; 2C leave.
          positions: pixels of one example that leave (for the MACs).
          affine: whether the norms have a scale and a bias.
          rngs: the source of randomness.
        """
        sizes = {"positions": positions, "rngs": rngs}
        outputs = 2 * inputs
        self.first = RectifiedConvolution(
            inputs, outputs, kernel_size=3, affine=affine, stride=2, **sizes
        )
        self.second = RectifiedConvolution(
            outputs, outputs, kernel_size=3, affine=affine, **sizes
        )
        self.shortcut = ElasticConvolution(inputs, outputs, kernel_size=1, **sizes)

    def __call__(self, x: jax.Array, mode: Mode) -> jax.Array:
        """Map `[B, H, W, C]` to `[B, H / 2, W / 2, 2C]`, sizes rounded up."""
        y = self.second(self.first(x, mode), mode)
        return y + self.shortcut(_halve(x), {})


def _halve(x: jax.Array) -> jax.Array:
    """Average 2x2 blocks; an odd size is first extended, to match a stride of 2."""
    h, w = x.shape[1:3]
    edge = ((0, 0), (0, h % 2), (0, w % 2), (0, 0))
    return average_pool_2x2(jnp.pad(x, edge, mode="edge"))


# ------------------------------------------------------------------ one architecture
class PlainRectified(nnx.Module):
    """`RectifiedConvolution` made of Flax's own layers."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        rngs: nnx.Rngs,
        *,
        affine: bool,
        stride: int = 1,
    ) -> None:
        """Draw the weights; see `RectifiedConvolution`."""
        self.convolution = plain_convolution(
            inputs, outputs, kernel, rngs, stride=stride
        )
        self.norm = plain_norm(outputs, rngs, affine=affine)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[B, H, W, inputs]` to `[B, H', W', outputs]`."""
        return self.norm(self.convolution(jax.nn.relu(x)))


class PlainReduction(nnx.Module):
    """`Reduction` made of Flax's own layers."""

    def __init__(self, inputs: int, rngs: nnx.Rngs, *, affine: bool) -> None:
        """Draw the weights; see `Reduction`."""
        outputs = 2 * inputs
        self.first = PlainRectified(inputs, outputs, 3, rngs, affine=affine, stride=2)
        self.second = PlainRectified(outputs, outputs, 3, rngs, affine=affine)
        self.shortcut = plain_convolution(inputs, outputs, 1, rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[B, H, W, C]` to `[B, H / 2, W / 2, 2C]`, sizes rounded up."""
        return self.second(self.first(x)) + self.shortcut(_halve(x))
