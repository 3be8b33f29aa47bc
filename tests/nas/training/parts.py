"""Tiny experiments, and a train step that tests drive by hand."""

import dataclasses
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nas import Experiment, Run, Training
from nas.cli.experiments import load_experiment
from nas.data import Dataset, DataSource
from nas.evaluation import Evaluation
from nas.runtime.mesh import MeshConfig, put, replicated
from nas.runtime.metrics import CLOCK
from nas.runtime.signals import StopSignals
from nas.samplers import Draw, Sampler
from nas.search import RandomSearch, Search
from search_spaces import Architecture, SearchSpace
from search_spaces.nasbench201 import nasbench201
from supernets import NASBench201Supernet, Supernet

EXTEND = Path(__file__).parents[3] / "experiments" / "extend"


@dataclasses.dataclass(frozen=True)
class Blobs(DataSource):
    """Three noisy patterns; every image is different, so that it can be found again."""

    num: int = 240

    def load(self) -> Dataset:
        rng = np.random.default_rng(3)
        labels = (np.arange(self.num) % 3).astype(np.int32)
        patterns = rng.integers(60, 200, (3, 8, 8, 1))
        noise = rng.normal(0, 50, (self.num, 8, 8, 1))
        images = np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8)
        return Dataset(images, labels, ("a", "b", "c"), "blobs")


@dataclasses.dataclass(frozen=True)
class Cycle(Sampler):
    """Draws given genotypes in turn, K at a time."""

    genotypes: tuple[tuple[int, ...], ...] = ((0, 0),)
    paths: int = 1
    weight: float = 1.0

    def init(self, key: jax.Array, space: SearchSpace) -> Any:
        return jnp.int32(0)

    def sample(
        self, state: Any, context: Any, key: jax.Array, allowed: jax.Array
    ) -> Draw:
        rows = (state + jnp.arange(self.paths)) % len(self.genotypes)
        drawn = jnp.asarray(self.genotypes, jnp.int32)[rows]
        weight = jnp.full((self.paths,), self.weight, jnp.float32)
        return Draw(drawn, jnp.zeros((self.paths,), jnp.float32), weight)

    def update(self, state: Any, feedback: Any) -> Any:
        return state + self.paths


@functools.cache
def two_layers() -> Supernet:
    """The supernet of the example of extending, which has two decisions."""
    return load_experiment(str(EXTEND / "space.py"))[0].supernet


@functools.cache
def two_edges() -> Supernet:
    """Cells of which two edges vary: convolutions, and batch norms to calibrate."""
    space = nasbench201(
        {
            "edge_0_1": "none",
            "edge_0_2": "none",
            "edge_1_2": "none",
            "edge_1_3": "skip_connect",
        }
    )
    return NASBench201Supernet(space=space, channels=2, cells=1)


def tiny(**changes: Any) -> Experiment:
    """An experiment of a second, on one device."""
    experiment = Experiment(
        name="tiny",
        supernet=two_layers(),
        data=Blobs(),
        search=Search(RandomSearch(population=2), evaluations=6),
        training=Training(steps=12, batch_size=16, log_every=4, checkpoint_every=5),
        evaluation=Evaluation(
            batch_size=32, calibration_batches=2, calibration_batch_size=16
        ),
        mesh=MeshConfig(data=1),
    )
    return dataclasses.replace(experiment, **changes)


def ignore(message: str) -> None:
    """Hear nothing."""


class Bench:
    """A train step with its data, compiled once and without donation."""

    def __init__(self, experiment: Experiment) -> None:
        self.run = Run(experiment, notify=ignore)
        self.step = self.run.train_step
        self.supernet = self.run.supernet
        self.data = {
            name: {
                "inputs": self.run.on_device(name).inputs,
                "labels": self.run.on_device(name).labels,
            }
            for name in experiment.strategy.SPLITS
        }
        self.traces = 0

        def traced(state: Any, data: Any) -> Any:
            self.traces += 1
            return self.step(state, data)

        self.program = jax.jit(traced)

    def start(self) -> Any:
        return self.put(self.step.init(self.run.allowed))

    def put(self, state: Any) -> Any:
        return put(state, replicated(self.run.mesh))

    def states(self, num: int) -> Iterator[Any]:
        """The state to start from, and those after each of `num` steps."""
        state = self.start()
        yield state
        for _ in range(num):
            state = self.program(state, self.data)
            yield state

    def after(self, num: int) -> Any:
        *_, last = self.states(num)
        return last

    def activity(self, genotype: Any) -> Any:
        """Broadcast to the weights, numpy."""
        arch = Architecture.hard(self.supernet.space, jnp.asarray(genotype, jnp.int32))
        shapes = jax.eval_shape(self.supernet.init, jax.random.key(0))
        return jax.tree.map(
            lambda a, s: np.broadcast_to(np.asarray(a), s.shape),
            self.supernet.activity(arch),
            shapes,
        )


def same(a: Any, b: Any) -> bool:
    """Whether two trees are equal to the last bit."""
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(
        np.asarray(x).dtype == np.asarray(y).dtype
        and np.asarray(x).tobytes() == np.asarray(y).tobytes()
        for x, y in leaves
    )


def logged(folder: Path) -> list[str]:
    """The lines of a run's log, without what the clock decided."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [line for line in lines if json.loads(line)["name"] not in CLOCK]


def first(tree: Any) -> Any:
    """The only sub-supernet's part."""
    return jax.tree.map(lambda leaf: np.asarray(leaf[0]), tree)


def stop_at(monkeypatch: Any, step: int) -> None:
    """Have the next stage told to stop at its `step`-th question whether to."""
    asked = iter(range(1, 10**6))
    monkeypatch.setattr(
        StopSignals, "requested", property(lambda self: next(asked) >= step)
    )
