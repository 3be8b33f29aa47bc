"""A data sampler of one's own: what a batch got most wrong comes back in the next.

Half of each batch is drawn at random; the other half are the examples of the latest
batch whose loss had the largest gradient at the logits. Its state is checkpointed with
the weights, and the step computes the scores only because it asks for them.

    nas run experiments/extend/data_sampler.py
"""

import dataclasses

import jax
import jax.numpy as jnp

from nas import Experiment, Training
from nas.data import Digits
from nas.data_samplers import DataDraw, DataSampler
from nas.data_samplers.base import State
from nas.search import RandomSearch, Search
from supernets import NASBench201Supernet


@dataclasses.dataclass(frozen=True)
class Again(DataSampler):
    """Repeat half of a batch: its hardest examples."""

    @property
    def needs(self) -> frozenset[str]:
        """Ask for the norm of the gradient at the logits."""
        return frozenset({"example_score"})

    def init(self, key: jax.Array, num: int, batch_size: int) -> State:
        """Begin with any half batch."""
        return jax.random.randint(key, (batch_size // 2,), 0, num, jnp.int32)

    def next(
        self,
        state: State,
        key: jax.Array,
        num: int,
        batch_size: int,
        progress: jax.Array | float,
    ) -> tuple[State, DataDraw]:
        """Join what comes back and what is new."""
        rest = (batch_size - batch_size // 2,)
        fresh = jax.random.randint(key, rest, 0, num, jnp.int32)
        return state, DataDraw(jnp.concatenate([state, fresh]))

    def update(self, state: State, indices: jax.Array, scores: jax.Array) -> State:
        """Keep the hardest."""
        return indices[jnp.argsort(-scores)[: len(state)]]


experiment = Experiment(
    name="extend_data_sampler",
    supernet=NASBench201Supernet(channels=4, cells=1),
    data=Digits(),
    training=Training(
        steps=60, log_every=20, checkpoint_every=30, data_sampler=Again()
    ),
    search=Search(RandomSearch(population=8), evaluations=24),
)
