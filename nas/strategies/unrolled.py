"""The gradient of alphas through the next step of the weights: second-order DARTS.

Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, arXiv
1806.09055, equations 6 to 8. With `w' = step(w, grad_w L_train(w, a))`,

  d/da L_search(w', a) = grad_a L_search(w', a) + d^2/da dw L_train(w, a) . v,

where v pulls `grad_w' L_search` back through the optimiser's step. For SGD of rate r, v
is `-r grad_w' L_search`, with momentum and decay in w' as published. Any optimiser that
can be differentiated will do here: the step is the one that the weights would take,
clipping included, where the released code leaves clipping out.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from search_spaces import Architecture

HESSIANS = ("differences", "exact")
# The norm of the move of the weights between which gradients are compared, published.
RADIUS = 0.01
# Stands for a gradient of zero, where square roots of optimisers have no slope.
TINY = 1e-12

Objective = Callable[[Any, jax.Array], jax.Array]
Trained = Callable[[Any, jax.Array], tuple[jax.Array, Architecture]]


def unrolled_slope(
    objective: Objective,
    trained: Trained,
    params: Any,
    alphas: jax.Array,
    ahead: Callable[[Any, Architecture], Any],
    hessian: str,
) -> jax.Array:
    """Differentiate an objective at the weights after their next step.

    Args:
      objective: `(params, alphas) -> float32[]`, on the search split.
      trained: `(params, alphas) -> (float32[], architectures)`, the training loss, and
        what was trained for the optimiser to know.
      params: the weights.
      alphas: `float32[D, O]`.
      ahead: `(gradients, architectures) -> params`, the optimiser's step.
      hessian: `differences`, of two gradients by alphas at weights a little apart, or
        `exact`, by differentiating twice.

    Returns:
      `float32[D, O]`.
    """
    grads, arch = jax.grad(trained, has_aux=True)(params, alphas)
    grads = jax.tree.map(lambda g: jnp.where(g == 0, TINY, g).astype(g.dtype), grads)
    moved, pull = jax.vjp(lambda g: ahead(g, arch), grads)
    by_weights, direct = jax.grad(objective, argnums=(0, 1))(moved, alphas)
    (direction,) = pull(by_weights)

    def slope(params: Any) -> jax.Array:
        return jax.grad(trained, argnums=1, has_aux=True)(params, alphas)[0]

    if hessian == "exact":
        return direct + _exact(trained, params, alphas, direction)
    return direct + _differences(slope, params, direction)


def _exact(
    trained: Trained, params: Any, alphas: jax.Array, direction: Any
) -> jax.Array:
    """Give `d/da <grad_w L_train(w, a), v>`: twice in reverse, as layers allow."""

    def along(alphas: jax.Array) -> jax.Array:
        grads, _ = jax.grad(trained, has_aux=True)(params, alphas)
        return jnp.asarray(optax.tree.vdot(grads, direction))

    return jax.grad(along)(alphas)


def _differences(
    slope: Callable[[Any], jax.Array], params: Any, direction: Any
) -> jax.Array:
    """Compare the gradient by alphas at weights on either side of the present ones."""
    norm = optax.tree.norm(direction)
    scale = jnp.where(norm > 0, RADIUS / jnp.where(norm > 0, norm, 1), 0)

    def at(sign: jax.Array) -> jax.Array:
        size = sign * scale
        near = jax.tree.map(
            lambda w, v: w + size.astype(w.dtype) * v, params, direction
        )
        return slope(near)

    # One program for both sides.
    plus, minus = jax.lax.map(at, jnp.asarray([1, -1], jnp.float32))
    return jnp.where(norm > 0, (plus - minus) / (2 * jnp.where(norm > 0, scale, 1)), 0)
