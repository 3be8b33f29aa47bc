"""Images as sequences of embedded patches, the embedding's width elastic."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from search_spaces import Choice
from supernets.axis import Spec, Width, masked, width_of
from supernets.layers.drawing import draw


class PatchEmbedding(nnx.Module):
    """Cut an image into patches, map each linearly, and add where it lies.

    Reference: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, arXiv
    2010.11929.

    Attributes:
      kernel: `float32[p, p, C, n]`, that of a convolution with stride p.
      bias: `float32[n]`.
      position: `float32[N, n]`, added to the N patches, row by row.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        width: Width,
        *,
        patch_size: int,
        rngs: nnx.Rngs,
    ) -> None:
        """Draw the kernel from LeCun's uniform distribution, positions at 0.02.

        Args:
          input_shape: `(H, W, C)`.
          width: n, or the axis that it is.
          patch_size: p, which divides H and W.
          rngs: the source of randomness.
        """
        num, axis = width_of(width)
        h, w, channels = input_shape
        num_patches = (h // patch_size) * (w // patch_size)
        shape = (patch_size, patch_size, channels, num)
        self.kernel = nnx.Param(
            draw(rngs, shape, patch_size**2 * channels),
            spec=Spec((None, None, None, axis), num_patches),
        )
        self.bias = nnx.Param(jnp.zeros((num,), jnp.float32), spec=Spec((axis,)))
        self.position = nnx.Param(
            draw(rngs, (num_patches, num), 1, gain=0.02**2),
            spec=Spec((None, axis)),
        )

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        """Map `[B, H, W, C]` to `[B, N, n]`; entries beyond the width are zero."""
        kernel, bias, position = (
            masked(param[...], param.get_metadata()["spec"].axes, choices)
            for param in (self.kernel, self.bias, self.position)
        )
        p, _, channels, width = kernel.shape
        b, h, w, _ = x.shape
        grid = x.reshape(b, h // p, p, w // p, p, channels).transpose(0, 1, 3, 2, 4, 5)
        flat = grid.reshape(-1, p * p * channels)
        y = flat @ kernel.reshape(p * p * channels, width) + bias[None]
        return y.reshape(b, -1, width) + position[None]
