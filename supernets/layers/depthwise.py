"""Depthwise convolutions: a kernel for each channel, elastic in channels and in size.

XLA's CPU backend takes 10 to 40 times as long for a grouped convolution as for its
multiply-adds, written as one sum over shifted images. Elsewhere the grouped convolution
is the fast one. Both are here; `depthwise2d` picks by the backend.

The shifted form is linear in each of image, kernel and cotangent, so that its three
contractions are one another's derivatives, of any order.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from search_spaces import Choice
from supernets.axis import Spec, Width, masked, width_of
from supernets.layers.drawing import HE, draw

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def depthwise2d(
    x: jax.Array, kernel: jax.Array, stride: int = 1, *, shifted: bool | None = None
) -> jax.Array:
    """Convolve each channel with its own kernel, padded by `(k - 1) // 2`.

    Args:
      x: `[B, H, W, C]`.
      kernel: `[k, k, 1, C]`, k odd.
      stride: of both axes.
      shifted: whether to add up shifted images instead of using the backend's grouped
        convolution; None does so on CPUs.

    Returns:
      `[B, ceil(H / stride), ceil(W / stride), C]`.
    """
    if shifted is None:
        shifted = jax.default_backend() == "cpu"
    if shifted:
        return _outputs(x, kernel[:, :, 0], stride)
    pad = (kernel.shape[0] - 1) // 2
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        ((pad, pad), (pad, pad)),
        dimension_numbers=_DIMENSIONS,
        feature_group_count=x.shape[-1],
    )


def _padded(x: jax.Array, k: int) -> jax.Array:
    # Not `jnp.pad`, which is a compiled function: see the forward passes below.
    pad = (k - 1) // 2
    spans = [(0, 0, 0), (pad, pad, 0), (pad, pad, 0), (0, 0, 0)]
    return jax.lax.pad(x, jnp.zeros((), x.dtype), spans)


def _columns(rows: jax.Array, first: int, num: int, stride: int) -> jax.Array:
    return rows[:, :, first : first + (num - 1) * stride + 1 : stride]


def _add_up(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Add up shifted images, each times a tap; x is padded."""
    k = kernel.shape[0]
    height, width = ((n - k) // stride + 1 for n in x.shape[1:3])
    total = jnp.zeros((), x.dtype)
    for i in range(k):
        rows = x[:, i : i + (height - 1) * stride + 1 : stride]
        for j in range(k):
            tap = kernel[i, j][None, None, None]
            total = total + _columns(rows, j, width, stride) * tap
    return total


# The three contractions of x[b, s h + i - p, s w + j - p, c], kernel[i, j, c] and
# y[b, h, w, c], for a stride s and the padding p; x is kept without it for the backward
# pass. Each is differentiated by the other two.
def _to_outputs(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Contract x and kernel."""
    return _add_up(_padded(x, kernel.shape[0]), kernel, stride)


def _to_image(
    y: jax.Array, kernel: jax.Array, stride: int, shape: tuple[int, int]
) -> jax.Array:
    """Contract y and kernel, to images of a height and a width."""
    pad = (kernel.shape[0] - 1) // 2
    # Strides may leave rows and columns at the ends that no output is centred on.
    spans = [
        (pad, pad + size - (num - 1) * stride - 1, stride - 1)
        for size, num in zip(shape, y.shape[1:3], strict=True)
    ]
    zero = jnp.zeros((), y.dtype)
    spread = jax.lax.pad(y, zero, [(0, 0, 0), *spans, (0, 0, 0)])
    return _add_up(spread, kernel[::-1, ::-1], 1)


def _to_kernel(x: jax.Array, y: jax.Array, stride: int, k: int) -> jax.Array:
    """Contract x and y, to kernels of a size."""
    height, width = y.shape[1:3]
    padded = _padded(x, k)

    # A row at a time: the whole kernel at once is slower to compile and to run.
    def row(i: jax.Array) -> jax.Array:
        rows = jax.lax.dynamic_slice_in_dim(padded, i, (height - 1) * stride + 1, 1)
        rows = rows[:, ::stride]
        taps = [(_columns(rows, j, width, stride) * y).sum((0, 1, 2)) for j in range(k)]
        return jnp.stack(taps)

    return jax.lax.map(row, jnp.arange(k))


_outputs = jax.custom_vjp(_to_outputs, nondiff_argnums=(2,))
_image = jax.custom_vjp(_to_image, nondiff_argnums=(2, 3))
_kernel = jax.custom_vjp(_to_kernel, nondiff_argnums=(2, 3))


def _outputs_backward(
    stride: int, residuals: tuple[jax.Array, jax.Array], dy: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    return (
        _image(dy, kernel, stride, x.shape[1:3]),
        _kernel(x, dy, stride, kernel.shape[0]),
    )


def _image_backward(
    stride: int,
    shape: tuple[int, int],
    residuals: tuple[jax.Array, jax.Array],
    dx: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    del shape
    y, kernel = residuals
    return _outputs(dx, kernel, stride), _kernel(dx, y, stride, kernel.shape[0])


def _kernel_backward(
    stride: int,
    k: int,
    residuals: tuple[jax.Array, jax.Array],
    dkernel: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    del k
    x, y = residuals
    return _image(y, dkernel, stride, x.shape[1:3]), _outputs(x, dkernel, stride)


# The forward passes are the plain functions, of operations alone: inside of a `scan`,
# JAX 0.10 mixes up what is kept of a function whose forward pass calls that function
# itself, or, where a switch is in between, any compiled one.
_outputs.defvjp(lambda x, k, s: (_to_outputs(x, k, s), (x, k)), _outputs_backward)
_image.defvjp(lambda y, k, s, n: (_to_image(y, k, s, n), (y, k)), _image_backward)
_kernel.defvjp(lambda x, y, s, n: (_to_kernel(x, y, s, n), (x, y)), _kernel_backward)


class ElasticDepthwiseConvolution(nnx.Module):
    """A convolution of each channel alone, without bias; channels and size elastic.

    A smaller kernel is the centre of the largest, as in `ElasticConvolution`.

    Attributes:
      kernel: `float32[k, k, 1, C]`, k the largest size.
      stride: of both axes.
    """

    def __init__(
        self,
        channels: Width,
        *,
        kernel_size: Width,
        positions: int,
        rngs: nnx.Rngs,
        stride: int = 1,
    ) -> None:
        """Draw the kernel from He's uniform distribution over the largest fan-in.

        Args:
          channels: C, or the axis that they are.
          kernel_size: k, odd, or the axis that either side is, by `Axis.centre`.
          positions: output pixels of one example (for the MACs).
          rngs: the source of randomness.
          stride: of both axes.
        """
        num, axis = width_of(channels)
        k, side = width_of(kernel_size)
        self.kernel = nnx.Param(
            draw(rngs, (k, k, 1, num), k**2, gain=HE),
            spec=Spec((side, side, None, axis), positions),
        )
        self.stride = stride

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        """Map `[B, H, W, C]` to `[B, H', W', C]`; what is beyond the width is 0."""
        axes = self.kernel.get_metadata()["spec"].axes
        return depthwise2d(x, masked(self.kernel[...], axes, choices), self.stride)
