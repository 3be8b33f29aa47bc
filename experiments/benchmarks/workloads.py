"""Work for benchmarks: random images, a given order of architectures, a train step."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nas import Experiment, Training
from nas.data import Dataset, DataSource
from nas.run import Run
from nas.runtime.mesh import put, replicated
from nas.samplers import Draw, Feedback, Sampler
from nas.search import RandomSearch, Search
from nas.strategies import Context, Paths
from nas.training.optimizer import Optimizer
from nas.training.step import Arrays, State, make_train_step
from search_spaces import SearchSpace
from supernets import Supernet


@dataclasses.dataclass(frozen=True)
class RandomImages(DataSource):
    """Noise with labels: it takes as long as photographs do."""

    num: int = 1280
    side: int = 32
    channels: int = 3
    num_classes: int = 10

    def load(self) -> Dataset:
        """Draw the images, the same ones each time."""
        rng = np.random.default_rng(0)
        shape = (self.num, self.side, self.side, self.channels)
        return Dataset(
            rng.integers(256, size=shape).astype(np.uint8),
            np.resize(np.arange(self.num_classes, dtype=np.int32), self.num),
            tuple(str(i) for i in range(self.num_classes)),
            "random images",
        )


@dataclasses.dataclass(frozen=True)
class InOrder(Sampler):
    """Give one architecture a step, from a list, over and over."""

    genotypes: tuple[tuple[int, ...], ...]

    def init(self, key: jax.Array, space: SearchSpace) -> jax.Array:
        """Start at the first."""
        return jnp.int32(0)

    def sample(
        self, state: jax.Array, context: Context, key: jax.Array, allowed: jax.Array
    ) -> Draw:
        """Give the next; see `Sampler.sample`."""
        table = jnp.asarray(self.genotypes, jnp.int32)
        genotype = table[state % len(self.genotypes)][None]
        return Draw(genotype, jnp.zeros(1), jnp.ones(1))

    def update(self, state: jax.Array, feedback: Feedback) -> jax.Array:
        """Move on."""
        return state + 1


def benchmark_experiment(
    supernet: Supernet,
    genotypes: np.ndarray,
    optimizer: Optimizer,
    batch_size: int,
    images: RandomImages,
) -> Experiment:
    """Make an experiment that trains given architectures in turn on random images."""
    order = tuple(tuple(int(i) for i in genotype) for genotype in genotypes)
    return Experiment(
        name="benchmark",
        supernet=supernet,
        data=images,
        strategy=Paths(InOrder(order)),
        optimizer=optimizer,
        training=Training(steps=1_000_000, batch_size=batch_size, log_every=1000),
        search=Search(RandomSearch(), evaluations=1),
    )


def train_block(run: Run, steps: int) -> Callable[[int], None]:
    """Make a block of steps of a run's own train step.

    Args:
      run: whose step; nothing of the run is changed.
      steps: in a block.

    Returns:
      A block for `alternate`; the state goes on from one to the next.
    """
    program, state, data = train_program(run)

    def block(number: int) -> None:
        nonlocal state
        del number
        for _ in range(steps):
            state = program(state, data)
        jax.block_until_ready(state["step"])

    return block


def train_program(run: Run) -> tuple[Any, State, Arrays]:
    """Bind a run's own train step to the devices.

    Args:
      run: whose step; nothing of the run is changed.

    Returns:
      The jitted step, the state to start from, which a call consumes, and its data.
    """
    everywhere = replicated(run.mesh)
    state = put(run.train_step.init(run.allowed), everywhere)
    layout = jax.tree.map(lambda _: everywhere, state)
    data: Any = {
        name: {"inputs": split.inputs, "labels": split.labels}
        for name in run.experiment.strategy.SPLITS
        for split in (run.on_device(name),)
    }
    return make_train_step(run.train_step, layout), state, data
