"""Samplers around another one, which they lead as training goes on."""

import abc
import dataclasses

import jax

from nas.samplers.base import Feedback, Sampler, State
from nas.training.context import Context
from search_spaces import SearchSpace


@dataclasses.dataclass(frozen=True)
class Wrapping(Sampler, abc.ABC):
    """A sampler that keeps nothing itself: state and feedback are the inner one's.

    The largest allowed architecture must stay what it is for the inner sampler.
    """

    inner: Sampler
    """What draws, within what this one lets it."""

    @property
    def needs(self) -> frozenset[str]:
        """What the inner sampler needs."""
        return self.inner.needs

    @property
    def leads(self) -> bool:
        """Whether the inner sampler does."""
        return self.inner.leads

    def init(self, key: jax.Array, space: SearchSpace) -> State:
        """Make the inner sampler's state; see `Sampler.init`."""
        return self.inner.init(key, space)

    def update(self, state: State, feedback: Feedback) -> State:
        """Let the inner sampler learn; see `Sampler.update`."""
        return self.inner.update(state, feedback)

    def health(
        self, state: State, context: Context, allowed: jax.Array
    ) -> dict[str, jax.Array]:
        """Give the inner sampler's; see `Sampler.health`."""
        return self.inner.health(state, context, allowed)
