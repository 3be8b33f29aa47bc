"""Every example once an epoch, in an order of its own each time."""

import dataclasses

import jax

from nas.data import BatchOrder
from nas.data_samplers.base import DataDraw, DataSampler, State


@dataclasses.dataclass(frozen=True)
class Uniform(DataSampler):
    """Shuffled epochs of full batches; what is left of an epoch is dropped."""

    def init(self, key: jax.Array, num: int, batch_size: int) -> State:
        """Draw the first epoch; see `DataSampler.init`."""
        return BatchOrder(num, batch_size).init(key)

    def next(
        self,
        state: State,
        key: jax.Array,
        num: int,
        batch_size: int,
        progress: jax.Array | float,
    ) -> tuple[State, DataDraw]:
        """Take the next batch; see `DataSampler.next`."""
        del progress
        state, indices = BatchOrder(num, batch_size).next(state, key)
        return state, DataDraw(indices)
