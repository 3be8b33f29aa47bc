"""Pooling as shifted sums, which XLA's CPU backend runs faster than windows."""

import jax
import jax.numpy as jnp
import numpy as np


def average_pool_3x3(x: jax.Array) -> jax.Array:
    """Average over 3x3 neighbourhoods at stride 1; what is outside does not count.

    Args:
      x: `[B, H, W, C]`.

    Returns:
      `[B, H, W, C]`.
    """
    rows = _sum_of_three(x, axis=1)
    total = _sum_of_three(rows, axis=2)
    counts = np.multiply.outer(_counts(x.shape[1]), _counts(x.shape[2]))
    return total * jnp.asarray(1.0 / counts, x.dtype)[None, :, :, None]


def average_pool_2x2(x: jax.Array) -> jax.Array:
    """Average over 2x2 blocks at stride 2; an odd last row or column is dropped.

    Args:
      x: `[B, H, W, C]`.

    Returns:
      `[B, H // 2, W // 2, C]`.
    """
    b, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2]
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def _sum_of_three(x: jax.Array, axis: int) -> jax.Array:
    pad = [(0, 0)] * x.ndim
    pad[axis] = (1, 1)
    padded = jnp.pad(x, pad)
    n = x.shape[axis]
    return sum(
        (jax.lax.slice_in_dim(padded, i, i + n, axis=axis) for i in (1, 2)),
        jax.lax.slice_in_dim(padded, 0, n, axis=axis),
    )


def _counts(n: int) -> np.ndarray:
    return (
        np.convolve(np.ones(n), np.ones(3), mode="same")
        if n > 2
        else (np.full(n, float(n)))
    )
