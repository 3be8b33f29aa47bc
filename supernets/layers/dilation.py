"""Dilated convolutions out of ordinary ones.

An image of which every d-th row and column is taken, from each of the d x d first
pixels, is d x d smaller images. A kernel with gaps of d sees one of them at a time, and
without gaps. So a dilated convolution is the ordinary one, with its own gradients and
speed, on a larger batch; zeros that are padded stay zeros.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def dilated(
    convolve: Callable[[jax.Array], jax.Array], x: jax.Array, dilation: int
) -> jax.Array:
    """Convolve with the taps of a kernel apart.

    Args:
      convolve: a convolution at stride 1 that pads by zeros and keeps height and width,
        from `[N, h, w, C]` to `[N, h, w, C']`.
      x: `[B, H, W, C]`.
      dilation: d, the distance of neighbouring taps; 1 is the convolution itself.

    Returns:
      `[B, H, W, C']`.
    """
    if dilation == 1:
        return convolve(x)
    b, height, width, channels = x.shape
    d, h, w = dilation, -(-height // dilation), -(-width // dilation)
    spans = ((0, 0), (0, d * h - height), (0, d * w - width), (0, 0))
    parts = jnp.pad(x, spans).reshape(b, h, d, w, d, channels)
    parts = parts.transpose(2, 4, 0, 1, 3, 5).reshape(d * d * b, h, w, channels)
    y = convolve(parts)
    y = y.reshape(d, d, b, h, w, y.shape[-1]).transpose(2, 3, 0, 4, 1, 5)
    return y.reshape(b, d * h, d * w, y.shape[-1])[:, :height, :width]
