"""Normalisation over elastic widths."""

import abc
import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from search_spaces import Choice, joint
from supernets.axis import Spec, Width, masked, union, width_of
from supernets.layers.mode import Mode
from supernets.layers.precision import at_least_float32

# Accelerators would round the operands of a product to fewer bits.
_product = functools.partial(jnp.matmul, precision="highest")


class ElasticBatchNorm(nnx.Module):
    """Batch normalisation; each channel has its own statistics, whatever the width.

    In a pass that collects, the batch's statistics are kept in `mean` and `var`.

    Attributes:
      scale: `float32[n]`, or None.
      bias: `float32[n]`, or None.
      mean: `float32[n]`, of the activations.
      var: `float32[n]`, biased.
    """

    def __init__(
        self, width: Width, *, affine: bool = True, epsilon: float = 1e-5
    ) -> None:
        """Start from scale 1, bias 0.

        Args:
          width: channels, or the axis that they are.
          affine: whether there are a scale and a bias.
          epsilon: added to the variance.
        """
        num, axis = width_of(width)
        spec = Spec((axis,))
        self.scale = nnx.Param(jnp.ones((num,)), spec=spec) if affine else None
        self.bias = nnx.Param(jnp.zeros((num,)), spec=spec) if affine else None
        self.mean = nnx.BatchStat(jnp.zeros((num,)), spec=spec)
        self.var = nnx.BatchStat(jnp.ones((num,)), spec=spec)
        self.epsilon = epsilon

    def __call__(
        self, x: jax.Array, choices: Mapping[str, Choice], mode: Mode
    ) -> jax.Array:
        """Normalise `[B, H, W, n]` over all but the last axis, in float32."""
        wide = x.astype(at_least_float32(x.dtype))
        if mode.given:
            mean, var = self.mean[...], self.var[...]
        else:
            mean = wide.mean((0, 1, 2))
            var = jnp.square(wide - mean[None, None, None]).mean((0, 1, 2))
            if mode.collect:
                self.mean[...], self.var[...] = mean, var
        factor = jax.lax.rsqrt(var + self.epsilon)
        axes = self.mean.get_metadata()["spec"].axes
        if self.scale is not None:
            scale = masked(self.scale[...], axes, choices).astype(wide.dtype)
            factor = factor * scale
        y = (wide - mean[None, None, None]) * factor[None, None, None]
        if self.bias is not None:
            bias = masked(self.bias[...], axes, choices).astype(wide.dtype)
            y = y + bias[None, None, None]
        return y.astype(x.dtype)


class _VectorNorm(nnx.Module):
    """Normalisation of vectors over their active width, as a mixture over widths."""

    def __init__(self, width: Width, *, epsilon: float = 1e-6) -> None:
        """Start from scale 1.

        Args:
          width: the length of the vectors, or the axis that it is.
          epsilon: added to the variance.
        """
        num, axis = width_of(width)
        self.scale = nnx.Param(jnp.ones((num,)), spec=Spec((axis,)))
        self.epsilon = epsilon

    def __call__(self, x: jax.Array, choices: Mapping[str, Choice]) -> jax.Array:
        """Normalise the last axis of `[.., n]`, in float32."""
        dtype = at_least_float32(x.dtype)
        axis = self.scale.get_metadata()["spec"].axes[0]
        if axis is None:
            members, weights = jnp.ones((1, x.shape[-1]), dtype), jnp.ones(1, dtype)
        else:
            names, _ = union((axis,))
            choice = joint(*(choices[name] for name in names))
            members, weights = jnp.asarray(axis.member, dtype), choice.weights
            if choice.index is not None:
                members = members[choice.index][None]
                weights = weights[choice.index][None]
        flat = x.reshape(-1, x.shape[-1]).astype(dtype)
        # Kept for the backward pass is x alone: the rest is quickly computed again, and
        # arrays like x for each norm would make a step larger than the plain network's.
        mixture = jax.checkpoint(self._mixture)
        y = mixture(flat, members, weights.astype(dtype))
        return y.reshape(x.shape).astype(x.dtype)

    @abc.abstractmethod
    def _mixture(
        self, x: jax.Array, members: jax.Array, weights: jax.Array
    ) -> jax.Array:
        """Mix over K widths.

        Args:
          x: `[T, n]`.
          members: `[K, n]`, zeros and ones.
          weights: `[K]`.

        Returns:
          `[T, n]`.
        """


class ElasticLayerNorm(_VectorNorm):
    """Layer normalisation over the active width.

    With soft choices it is the mixture of the normalisations over each width,
    `sum_k w_k LN_k(x)`, computed from K means and variances for each vector, without K
    copies of it.

    Attributes:
      scale: `float32[n]`.
      bias: `float32[n]`.
    """

    def __init__(self, width: Width, *, epsilon: float = 1e-6) -> None:
        """Start from scale 1, bias 0.

        Args:
          width: the length of the vectors, or the axis that it is.
          epsilon: added to the variance.
        """
        super().__init__(width, epsilon=epsilon)
        num, axis = width_of(width)
        self.bias = nnx.Param(jnp.zeros((num,)), spec=Spec((axis,)))

    def _mixture(
        self, x: jax.Array, members: jax.Array, weights: jax.Array
    ) -> jax.Array:
        sizes = members.sum(1)
        mean = _product(x, members.T) / sizes[None]  # [T, K]
        # The variance is taken about a value near every mean (the mean itself when
        # there is one width), so that squares do not cancel.
        centre = (mean * weights[None]).sum(1, keepdims=True) / weights.sum()
        offset = mean - centre
        spread = _product(jnp.square(x - centre), members.T) / sizes[None]
        var = jnp.maximum(spread - jnp.square(offset), 0)
        inverse = jax.lax.rsqrt(var + self.epsilon) * weights[None]  # [T, K]
        factor = _product(inverse, members)  # [T, n]
        shift = _product(inverse * offset, members)
        scale = self.scale[...].astype(x.dtype)[None]
        bias = self.bias[...].astype(x.dtype) * _product(weights, members)
        return ((x - centre) * factor - shift) * scale + bias[None]


class ElasticRMSNorm(_VectorNorm):
    """Normalisation by the root mean square over the active width.

    Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019, arXiv 1910.07467.
    With soft choices it is the mixture over widths, `sum_k w_k RMS_k(x)`, computed from
    K mean squares for each vector.

    Attributes:
      scale: `float32[n]`.
    """

    def _mixture(
        self, x: jax.Array, members: jax.Array, weights: jax.Array
    ) -> jax.Array:
        power = _product(jnp.square(x), members.T) / members.sum(1)[None]  # [T, K]
        inverse = jax.lax.rsqrt(power + self.epsilon) * weights[None]
        factor = _product(inverse, members)  # [T, n]
        return x * factor * self.scale[...].astype(x.dtype)[None]
