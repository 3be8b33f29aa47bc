"""Convolutions with gradients that XLA's CPU backend runs well, elastic in every way.

Inside the body of a switch or a scan, XLA's CPU backend lays out the gradients of a
convolution in a way that takes a very slow path. Written as ordinary convolutions of
their own they take the fast one. A convolution of 1x1 is a matrix product.
"""

import functools
import math
from collections.abc import Mapping

import jax
from flax import nnx

from search_spaces import Choice
from supernets.axis import Spec, Width, masked, width_of
from supernets.layers.drawing import HE, draw

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def conv2d(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Convolve with symmetric padding of `(k - 1) // 2`, as PyTorch does.

    Args:
      x: `[B, H, W, C_in]`.
      kernel: `[k, k, C_in, C_out]`, k odd.
      stride: of both axes.

    Returns:
      `[B, ceil(H / stride), ceil(W / stride), C_out]`.
    """
    if jax.default_backend() != "cpu":
        return _convolve(x, kernel, stride)
    if kernel.shape[0] == kernel.shape[1] == 1:
        return _pointwise(x[:, ::stride, ::stride], kernel)
    return _conv_canonical(x, kernel, stride)


def _pointwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    flat = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    return (flat @ kernel[0, 0]).reshape(*x.shape[:-1], kernel.shape[-1])


def _convolve(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    pad = (kernel.shape[0] - 1) // 2
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        ((pad, pad), (pad, pad)),
        dimension_numbers=_DIMENSIONS,
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv_canonical(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    return _convolve(x, kernel, stride)


def _conv_forward(
    x: jax.Array, kernel: jax.Array, stride: int
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve(x, kernel, stride), (x, kernel)


def _conv_backward(
    stride: int, residuals: tuple[jax.Array, jax.Array], dy: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    k = kernel.shape[0]
    pad = (k - 1) // 2
    low = k - 1 - pad

    def high(size: int, out: int) -> int:
        return size - (out - 1) * stride - 1 - low + k - 1

    dx = jax.lax.conv_general_dilated(
        dy,
        kernel[::-1, ::-1].swapaxes(2, 3),
        (1, 1),
        [(low, high(n, m)) for n, m in zip(x.shape[1:3], dy.shape[1:3], strict=True)],
        lhs_dilation=(stride, stride),
        dimension_numbers=_DIMENSIONS,
    )
    # The kernel's gradient correlates x with dy: the batch is what is summed over, so
    # it takes the place of the channels.
    spans = [
        (pad, (m - 1) * stride + k - pad - n)
        for n, m in zip(x.shape[1:3], dy.shape[1:3], strict=True)
    ]
    dkernel = jax.lax.conv_general_dilated(
        x.transpose(3, 1, 2, 0),
        dy.transpose(1, 2, 0, 3),
        (1, 1),
        spans,
        rhs_dilation=(stride, stride),
        dimension_numbers=_DIMENSIONS,
    )
    return dx, dkernel.transpose(1, 2, 0, 3)


_conv_canonical.defvjp(_conv_forward, _conv_backward)


class ElasticConvolution(nnx.Module):
    """A square convolution without bias; channels and kernel size fixed or elastic.

    A smaller kernel is the centre of the largest, so that the padding of the largest
    and a smaller one's own, `(k - 1) // 2`, put its taps on the same pixels at any
    stride. Softly, a tap counts by the weights of the kernels that cover it.

    Attributes:
      kernel: `float32[k, k, in, out]`, k the largest size.
      stride: of both axes.
    """

    def __init__(
        self,
        inputs: Width,
        outputs: Width,
        *,
        kernel_size: Width,
        positions: int,
        rngs: nnx.Rngs,
        stride: int = 1,
    ) -> None:
        """Draw the kernel from He's uniform distribution over the largest fan-in.

        Args:
          inputs: channels of x, or the axis that they are.
          outputs: channels of y, or the axis that they are.
          kernel_size: k, odd, or the axis that either side is, by `Axis.centre`.
          positions: output pixels of one example (for the MACs).
          rngs: the source of randomness.
          stride: of both axes.
        """
        num_in, in_axis = width_of(inputs)
        num_out, out_axis = width_of(outputs)
        k, side = width_of(kernel_size)
        self.kernel = nnx.Param(
            draw(rngs, (k, k, num_in, num_out), k**2 * num_in, gain=HE),
            spec=Spec((side, side, in_axis, out_axis), positions),
        )
        self.stride = stride

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        """Map `[B, H, W, in]` to `[B, H', W', out]`."""
        axes = self.kernel.get_metadata()["spec"].axes
        return conv2d(x, masked(self.kernel[...], axes, choices), self.stride)
