"""A strategy of one's own: a gradient controller that trains its alphas as it goes.

Each step moves the architecture parameters on a batch of the search split, then the
weights on one of the weights split, through one soft architecture (first-order DARTS,
Liu et al. 2019, arXiv 1806.09055). The alphas are part of the strategy's state.

    nas run experiments/extend/strategy.py
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nas import Experiment, Training
from nas.data import Digits
from nas.losses import CrossEntropy
from nas.search import RandomSearch, Search
from nas.strategies import Batch, Context, Gradients, Strategy
from nas.strategies.base import State
from search_spaces import Architecture, SearchSpace
from supernets import NASBench201Supernet


@dataclasses.dataclass(frozen=True)
class FirstOrder(Strategy):
    """Alternate between alphas and weights."""

    SPLITS: ClassVar[tuple[str, ...]] = ("weights", "search")

    alpha_rate: float = 3e-3
    """The learning rate of the alphas."""

    @property
    def _adam(self) -> optax.GradientTransformation:
        return optax.adam(self.alpha_rate, b1=0.5)

    def init(self, key: jax.Array, space: SearchSpace) -> State:
        """Draw alphas near zero."""
        alphas = 1e-3 * jax.random.normal(key, space.valid.shape)
        return {"alphas": alphas, "adam": self._adam.init(alphas)}

    def gradients(
        self,
        context: Context,
        state: State,
        params: Any,
        batches: dict[str, Batch],
        key: jax.Array,
        allowed: jax.Array,
    ) -> Gradients:
        """Move the alphas, then differentiate the weights."""

        def measure(params: Any, alphas: jax.Array, batch: Batch) -> Any:
            rows = jax.nn.softmax(jnp.where(allowed, alphas, -jnp.inf))
            arch = Architecture.soft(context.space, rows)
            outputs = context.forward(params, arch, batch.x, key)
            loss = CrossEntropy()(outputs, batch.labels).mean()
            return loss, (outputs.logits, arch)

        slope, _ = jax.grad(measure, 1, has_aux=True)(
            params, state["alphas"], batches["search"]
        )
        move, adam = self._adam.update(slope, state["adam"])
        alphas = state["alphas"] + move
        batch = batches["weights"]
        (loss, (logits, arch)), grads = jax.value_and_grad(measure, has_aux=True)(
            params, alphas, batch
        )
        correct = logits.argmax(-1).astype(jnp.int32) == batch.labels
        stacked = jax.tree.map(lambda leaf: leaf[None], arch)
        new = {"alphas": alphas, "adam": adam}
        accuracy = correct.mean(dtype=jnp.float32)
        return Gradients(grads, new, stacked, loss, accuracy)

    def derive(
        self, state: State, space: SearchSpace, allowed: np.ndarray | None = None
    ) -> np.ndarray:
        """Take the option of the greatest alpha."""
        table = space.valid if allowed is None else allowed
        alphas = np.where(table, np.asarray(state["alphas"]), -np.inf)
        return space.canonical(alphas.argmax(-1).astype(np.int32))[None]


experiment = Experiment(
    name="extend_strategy",
    supernet=NASBench201Supernet(channels=4, cells=1),
    data=Digits(),
    strategy=FirstOrder(),
    training=Training(steps=60, log_every=20, checkpoint_every=30),
    search=Search(RandomSearch(population=8), evaluations=24),
)
