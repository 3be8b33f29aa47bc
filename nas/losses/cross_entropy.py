"""Cross-entropy with label smoothing."""

import dataclasses

import jax
import optax

from nas.errors import UserError
from nas.losses.base import Loss, mean_over_places
from supernets import Outputs


@dataclasses.dataclass(frozen=True)
class CrossEntropy(Loss):
    """Cross-entropy with the labels (Szegedy et al. 2016, arXiv 1512.00567)."""

    smoothing: float = 0.0
    """The share of the target spread evenly over all classes, 0 to below 1."""

    def __post_init__(self) -> None:
        """Check the range."""
        if not 0 <= self.smoothing < 1:
            raise UserError(
                f"loss: smoothing is {self.smoothing}, it must be from 0 to below 1."
            )

    def __call__(self, outputs: Outputs, labels: jax.Array) -> jax.Array:
        """Measure each example; see `Loss`."""
        one_hot = jax.nn.one_hot(labels, outputs.logits.shape[-1], dtype="float32")
        targets = optax.smooth_labels(one_hot, self.smoothing)
        return mean_over_places(optax.softmax_cross_entropy(outputs.logits, targets))
