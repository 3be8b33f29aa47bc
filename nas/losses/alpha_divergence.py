"""The adaptive alpha-divergence from the teacher.

Wang et al., "AlphaNet: Improved Training of Supernets with Alpha-Divergence", ICML
2021, arXiv 2102.07954.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from nas.errors import UserError
from nas.losses.base import Divergence, Divergences, kl


@dataclasses.dataclass(frozen=True)
class AlphaDivergence(Divergence):
    """The larger of two alpha-divergences, chosen for each prediction.

    With `p` the teacher and `q` the student,

        D_alpha(p, q) = (sum_i q_i (p_i / q_i) ** alpha - 1) / (alpha (alpha - 1)),

    in the limit KL(p, q) at alpha 1, and KL(q, p) at 0. A large alpha punishes what the
    student underestimates, a small one what it overestimates: -1 is
    `(sum_i q_i ** 2 / p_i - 1) / 2`. The gradient is
    `-sum_i q_i w_i grad(log q_i) / alpha` with `w_i = (p_i / q_i) ** alpha`, which is
    bounded by `clip`, in the gradient and in the value, and taken as a constant; at
    alpha 0 and 1 nothing is bounded. Of texts, each place is a prediction.

    The value stays a divergence when clipped, at least 0 and 0 for equal predictions
    only, for alphas up to 1; with alphas above 1 it may fall below 0.
    """

    alpha_min: float = -1.0
    """The smaller of the two; the same as `alpha_max` for one alone."""

    alpha_max: float = 1.0
    """The larger of the two."""

    clip: float = 5.0
    """The upper bound of `(p / q) ** alpha`, at least 1 + |alpha_min|."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.alpha_min > self.alpha_max:
            raise UserError(
                f"loss: alpha_min is {self.alpha_min}, it must not be above alpha_max, "
                f"which is {self.alpha_max}."
            )
        least = 1 + max(-self.alpha_min, 0)
        if self.clip < least:
            raise UserError(
                f"loss: clip is {self.clip}, it must be at least {least}: below 1 + "
                "|alpha_min| a clipped value is no divergence."
            )

    def places(self, student: jax.Array, teacher: jax.Array) -> Divergences:
        """Measure each prediction; see `Divergence.places`."""
        log_q, log_p = jax.nn.log_softmax(student), jax.nn.log_softmax(teacher)
        upper = alpha_divergence(log_p, log_q, self.alpha_max, self.clip)
        if self.alpha_min == self.alpha_max:
            return upper
        lower = alpha_divergence(log_p, log_q, self.alpha_min, self.clip)
        first = lower.value > upper.value
        return jax.tree.map(lambda a, b: jnp.where(first, a, b), lower, upper)


def alpha_divergence(
    log_p: jax.Array, log_q: jax.Array, alpha: float, clip: float = math.inf
) -> Divergences:
    """Measure how far `q` is from `p`.

    Args:
      log_p: `float[.., C]`, log-probabilities of the teacher.
      log_q: the same of the student; gradients go here.
      alpha: any number.
      clip: the upper bound of `(p / q) ** alpha`; not applied at alpha 0 and 1.

    Returns:
      Value and surrogate, `float[..]`.
    """
    if alpha in (0.0, 1.0):
        value = kl(log_p, log_q) if alpha else kl(log_q, log_p)
        return Divergences(value, value)
    there = log_q > -jnp.inf
    ratio = jnp.where(there, log_p - log_q, 0)
    power = jnp.minimum(alpha * ratio, math.log(clip))
    value = (jnp.exp(log_q) * jnp.expm1(power)).sum(-1) / (alpha * (alpha - 1))
    share = jax.lax.stop_gradient(jnp.exp(log_q + power))
    surrogate = -(share * jnp.where(there, log_q, 0)).sum(-1) / alpha
    return Divergences(value, surrogate)
