"""Squeeze-and-excitation: channels weighed by what the whole image holds.

Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR 2018, arXiv 1709.01507; with
the piecewise linear gate of Howard et al., "Searching for MobileNetV3", ICCV 2019,
arXiv 1905.02244.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from search_spaces import Choice
from supernets.axis import Spec, Width, masked, width_of
from supernets.layers.drawing import HE, draw


class _Map(nnx.Module):
    def __init__(self, inputs: Width, outputs: Width, rngs: nnx.Rngs) -> None:
        num_in, in_axis = width_of(inputs)
        num_out, out_axis = width_of(outputs)
        self.kernel = nnx.Param(
            draw(rngs, (num_in, num_out), num_in, gain=HE),
            spec=Spec((in_axis, out_axis), positions=1),
        )
        self.bias = nnx.Param(jnp.zeros((num_out,)), spec=Spec((out_axis,)))

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        axes = self.kernel.get_metadata()["spec"].axes
        kernel = masked(self.kernel[...], axes, choices)
        return x @ kernel + masked(self.bias[...], axes[1:], choices)[None]


class SqueezeExcitation(nnx.Module):
    """`x * hard_sigmoid(relu(mean(x) S + s) E + e)`, elastic on both sides.

    Softly, the two maps and their biases are superpositions of their slices. The gate
    of a channel beyond the width is not zero; the channel is.

    Attributes:
      squeeze: the map to the hidden values; `kernel: float32[C, h]` and `bias`.
      excite: the map back; `kernel: float32[h, C]` and `bias`.
    """

    def __init__(self, channels: Width, hidden: Width, *, rngs: nnx.Rngs) -> None:
        """Draw both maps from He's uniform distribution; biases are zero.

        Args:
          channels: C, or the axis that they are.
          hidden: h, or the axis that it is.
          rngs: the source of randomness.
        """
        self.squeeze = _Map(channels, hidden, rngs)
        self.excite = _Map(hidden, channels, rngs)

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        """Weigh the channels of `[B, H, W, C]`."""
        hidden = jax.nn.relu(self.squeeze(x.mean((1, 2)), choices))
        gate = jax.nn.hard_sigmoid(self.excite(hidden, choices))
        return x * gate[:, None, None]
