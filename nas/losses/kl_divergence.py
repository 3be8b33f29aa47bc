"""The Kullback-Leibler divergence from the teacher: plain distillation.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv
1503.02531; in place, between architectures of one step, by Yu and Huang 2019, arXiv
1903.05134, and Yu et al. 2020, arXiv 2003.11142.
"""

import dataclasses

import jax

from nas.errors import UserError
from nas.losses.base import Divergence, Divergences, kl


@dataclasses.dataclass(frozen=True)
class KLDivergence(Divergence):
    """`sum_i p_i log(p_i / q_i)`, whose gradient is that of the soft cross-entropy."""

    temperature: float = 1.0
    """By which the logits of both are divided. The divergence is multiplied by its
    square, so that gradients keep their size."""

    def __post_init__(self) -> None:
        """Check the range."""
        if self.temperature <= 0:
            raise UserError(
                f"loss: temperature is {self.temperature}, it must be above 0."
            )

    def places(self, student: jax.Array, teacher: jax.Array) -> Divergences:
        """Measure each prediction; see `Divergence.places`."""
        log_q = jax.nn.log_softmax(student / self.temperature)
        log_p = jax.nn.log_softmax(teacher / self.temperature)
        value = self.temperature**2 * kl(log_p, log_q)
        return Divergences(value, value)
