"""Self-attention whose width and number of heads follow decisions.

Queries, keys and values have kernels of their own, with an axis for heads: packed into
one, the slice of a small architecture would cut through all three.
"""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from search_spaces import Choice
from supernets.axis import Axes, Spec, Width, masked, width_of
from supernets.layers.drawing import draw
from supernets.layers.precision import at_least_float32


def attend(
    query: jax.Array, key: jax.Array, value: jax.Array, *, causal: bool = False
) -> jax.Array:
    """Mix values by the softmax of scaled dot products, in float32 at least.

    Reference: Vaswani et al., "Attention Is All You Need", 2017, arXiv 1706.03762.

    Args:
      query: `[B, N, H, h]`.
      key: `[B, N, H, h]`.
      value: `[B, N, H, h]`.
      causal: whether token n sees only tokens up to n.

    Returns:
      `[B, N, H, h]`.
    """
    wide = at_least_float32(query.dtype)
    logits = jnp.einsum("bnhd,bmhd->bhnm", query, key, preferred_element_type=wide)
    logits = logits * query.shape[-1] ** -0.5
    if causal:
        earlier = jnp.tril(jnp.ones(logits.shape[-2:], bool))[None, None]
        logits = jnp.where(earlier, logits, jnp.finfo(wide).min)
    weights = jax.nn.softmax(logits).astype(value.dtype)
    return jnp.einsum("bhnm,bmhd->bnhd", weights, value)


class _Projection(nnx.Module):
    """A kernel and a bias, which `ElasticAttention` applies."""

    def __init__(
        self,
        shape: tuple[int, ...],
        axes: Axes,
        inputs: int,
        positions: int,
        rngs: nnx.Rngs,
    ) -> None:
        fan_in, outputs = math.prod(shape[:inputs]), len(shape) - inputs
        self.kernel = nnx.Param(
            draw(rngs, shape, fan_in), spec=Spec(axes, positions, outputs)
        )
        self.bias = nnx.Param(
            jnp.zeros(shape[inputs:], jnp.float32),
            spec=Spec(axes[inputs:], outputs=outputs),
        )


class ElasticAttention(nnx.Module):
    """Multi-head self-attention; the size of a head is fixed.

    With soft choices, heads are weighed once: at the input of the output projection. A
    head's logits and values are then the same function in every architecture, and the
    output is linear in the heads' weights.

    Attributes:
      query: `kernel` `float32[n, H, h]` and `bias` `float32[H, h]`.
      key: like `query`.
      value: like `query`.
      out: `kernel` `float32[H, h, n]` and `bias` `float32[n]`.
      causal: whether a token sees only itself and earlier ones.
    """

    def __init__(
        self,
        width: Width,
        heads: Width,
        *,
        head_size: int,
        positions: int,
        rngs: nnx.Rngs,
        causal: bool = False,
    ) -> None:
        """Draw the kernels from LeCun's uniform distribution; biases are zero.

        Args:
          width: n, the length of a token, or the axis that it is.
          heads: H, or the axis that they are.
          head_size: h.
          positions: tokens of one example (for the MACs of the projections).
          rngs: the source of randomness.
          causal: whether a token sees only itself and earlier ones.
        """
        num, axis = width_of(width)
        num_heads, head_axis = width_of(heads)
        inward = (num, num_heads, head_size), (axis, head_axis, None), 1
        outward = (num_heads, head_size, num), (head_axis, None, axis), 2
        self.query = _Projection(*inward, positions, rngs)
        self.key = _Projection(*inward, positions, rngs)
        self.value = _Projection(*inward, positions, rngs)
        self.out = _Projection(*outward, positions, rngs)
        self.causal = causal

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        """Map `[B, N, n]` to `[B, N, n]`; entries beyond the width are zero."""
        b, n, width = x.shape
        # Two dimensions: XLA's CPU backend is slow on batched matrix products here.
        flat = x.reshape(b * n, width)
        heads = [
            self._project(projection, flat, choices).reshape(
                b, n, *projection.bias[...].shape
            )
            for projection in (self.query, self.key, self.value)
        ]
        mixed = attend(*heads, causal=self.causal)
        kernel = _masked(self.out.kernel, choices)
        bias = _masked(self.out.bias, choices)
        flat = mixed.reshape(b * n, math.prod(kernel.shape[:2]))
        y = flat @ kernel.reshape(flat.shape[1], width) + bias[None]
        return y.reshape(b, n, width)

    @staticmethod
    def _project(
        projection: _Projection, x: jax.Array, choices: Mapping[str, Choice]
    ) -> jax.Array:
        # The heads' mask is left to the output projection, though the kernel declares
        # it: an unused head is never read.
        kernel = projection.kernel[...]
        axes = projection.kernel.get_metadata()["spec"].axes
        kernel = masked(kernel, (axes[0], None, None), choices)
        flat = kernel.reshape(kernel.shape[0], math.prod(kernel.shape[1:]))
        return x @ flat + projection.bias[...].reshape(1, flat.shape[1])


def _masked(param: nnx.Param, choices: Mapping[str, Choice]) -> jax.Array:
    return masked(param[...], param.get_metadata()["spec"].axes, choices)
