"""Linear maps whose input and output widths follow decisions."""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from search_spaces import Choice
from supernets.axis import Spec, Width, masked, width_of
from supernets.layers.drawing import draw


class ElasticLinear(nnx.Module):
    """`y = x W + b`, either side fixed or elastic, tied or independent.

    With soft choices the weight is the superposition of its zero-padded slices; the
    bias is superposed with the output width.

    Attributes:
      kernel: `float32[in, out]`.
      bias: `float32[out]`.
    """

    def __init__(
        self, inputs: Width, outputs: Width, *, positions: int, rngs: nnx.Rngs
    ) -> None:
        """Draw the kernel from LeCun's uniform distribution; the bias is zero.

        Args:
          inputs: the width of x, or the axis that it is.
          outputs: the width of y, or the axis that it is.
          positions: how many vectors of one example pass (for the MACs).
          rngs: the source of randomness.
        """
        num_in, in_axis = width_of(inputs)
        num_out, out_axis = width_of(outputs)
        self.kernel = nnx.Param(
            draw(rngs, (num_in, num_out), num_in),
            spec=Spec((in_axis, out_axis), positions),
        )
        self.bias = nnx.Param(
            jnp.zeros((num_out,), jnp.float32), spec=Spec((out_axis,))
        )

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        """Map `[.., in]` to `[.., out]`; entries beyond the width are zero."""
        kernel_axes = self.kernel.get_metadata()["spec"].axes
        kernel = masked(self.kernel[...], kernel_axes, choices)
        bias = masked(self.bias[...], kernel_axes[1:], choices)
        # Two dimensions: XLA's CPU backend is slow on batched matrix products here.
        flat = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        y = flat @ kernel + bias[None]
        return y.reshape(*x.shape[:-1], y.shape[-1])
