"""A sampler of one's own: options are drawn by the gradient that they last received.

It reads the feedback of each step, and its running means are checkpointed with the
weights (after Lu et al. 2023, arXiv 2302.14772). A floor keeps every option alive.

    nas run experiments/extend/sampler.py
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from nas import Experiment, Training
from nas.data import Digits
from nas.samplers import Draw, Feedback, Sampler
from nas.samplers.base import State
from nas.search import RandomSearch, Search
from nas.strategies import Context, Paths
from search_spaces import SearchSpace
from supernets import NASBench201Supernet


@dataclasses.dataclass(frozen=True)
class GradientNorm(Sampler):
    """Draw options by a running mean of their gradients' norms."""

    NEEDS: ClassVar[frozenset[str]] = frozenset({"option_sqnorm", "example_score"})

    mix: float = 0.5
    """The share of the norms in the probabilities; the rest is uniform."""

    paths: int = 2
    """Architectures of a step."""

    def init(self, key: jax.Array, space: SearchSpace) -> State:
        """Start without any gradient seen."""
        return {"norm": jnp.ones(space.valid.shape), "score": jnp.float32(0)}

    def sample(
        self, state: State, context: Context, key: jax.Array, allowed: jax.Array
    ) -> Draw:
        """Draw by the mixture of norms and uniform."""
        space = context.space
        norm = jnp.where(allowed, state["norm"], 0) + 1e-6 * allowed
        p = self.mix * norm / norm.sum(-1, keepdims=True)
        p = p + (1 - self.mix) * allowed / allowed.sum(-1, keepdims=True)
        shape = (self.paths, space.num_decisions)
        drawn = jax.random.categorical(key, jnp.log(p)[None], shape=shape)
        genotypes = drawn.astype(jnp.int32)
        rows = jnp.arange(space.num_decisions)[None]
        log_p = jnp.log(p)[rows, genotypes].sum(-1)
        return Draw(space.canonical(genotypes), log_p, jnp.ones((self.paths,)))

    def update(self, state: State, feedback: Feedback) -> State:
        """Follow the norms of the options that were drawn."""
        assert feedback.option_sqnorm is not None
        assert feedback.example_score is not None
        norm = jnp.sqrt(feedback.option_sqnorm).max(0)
        kept = jnp.where(norm > 0, 0.9 * state["norm"] + 0.1 * norm, state["norm"])
        return {"norm": kept, "score": feedback.example_score.mean()}


experiment = Experiment(
    name="extend_sampler",
    supernet=NASBench201Supernet(channels=4, cells=1),
    data=Digits(),
    strategy=Paths(sampler=GradientNorm()),
    training=Training(steps=60, log_every=20, checkpoint_every=30),
    search=Search(RandomSearch(population=8), evaluations=24),
)
