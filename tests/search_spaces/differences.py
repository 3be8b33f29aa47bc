"""Derivatives against central differences."""

import jax
import jax.numpy as jnp
import numpy as np


def check_slope(fn, point, step=1e-6, tolerance=1e-7):
    """Hold a second derivative, reverse over reverse, to the gradient's slope.

    Args:
      fn: to a scalar.
      point: a tree of float64 arrays.
      step: of the central difference.
      tolerance: absolute and relative.
    """
    rng = np.random.default_rng(0)
    direction = jax.tree.map(
        lambda leaf: jnp.asarray(rng.standard_normal(leaf.shape)), point
    )
    gradient = jax.jit(jax.grad(fn))

    def along(point):
        products = jax.tree.map(jnp.vdot, jax.grad(fn)(point), direction)
        return sum(jax.tree.leaves(products))

    sides = [
        gradient(jax.tree.map(lambda p, d, s=s: p + s * step * d, point, direction))
        for s in (1, -1)
    ]
    slope = jax.tree.map(lambda a, b: (a - b) / (2 * step), *sides)
    found = jax.jit(jax.grad(along))(point)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(slope), strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
