"""A loss of one's own: examples that are already right count less.

The focal loss of Lin et al. 2017 (arXiv 1708.02002).

    nas run experiments/extend/loss.py
"""

import dataclasses

import jax
import jax.numpy as jnp
import optax

from nas import Experiment, Training
from nas.data import Digits
from nas.losses import Loss
from nas.search import RandomSearch, Search
from nas.strategies import Paths
from supernets import NASBench201Supernet, Outputs


@dataclasses.dataclass(frozen=True)
class Focal(Loss):
    """Cross-entropy times `(1 - p) ** gamma`."""

    gamma: float = 2.0
    """How strongly confident examples are discounted; 0 is cross-entropy."""

    def __call__(self, outputs: Outputs, labels: jax.Array) -> jax.Array:
        """Measure each example, `float32[B]`."""
        nll = optax.softmax_cross_entropy_with_integer_labels(outputs.logits, labels)
        return (1 - jnp.exp(-nll)) ** self.gamma * nll


experiment = Experiment(
    name="extend_loss",
    supernet=NASBench201Supernet(channels=4, cells=1),
    data=Digits(),
    strategy=Paths(loss=Focal()),
    training=Training(steps=60, log_every=20, checkpoint_every=30),
    search=Search(RandomSearch(population=8), evaluations=24),
)
