"""A run: an experiment bound to its data, its devices and, if any, its folder.

The stages are methods, each of which continues where it was stopped. Without a workdir
nothing is written, and the same few lines work in a notebook.
"""

import dataclasses
import functools
import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.sharding import Mesh

from nas.any_run import AnyRun
from nas.data import Dataset, Preprocessing, Split, Splits, split_dataset
from nas.data_samplers import Order, Uniform
from nas.errors import UserError
from nas.evaluation import Evaluator
from nas.evaluation.evaluate import COLUMNS
from nas.experiment import Experiment
from nas.latency import COLUMN, LatencyModel, MeasuredLatency
from nas.latency.record import LatencyRecord
from nas.partition.base import check_steps, checked_tables
from nas.ranking.table import TruthTable
from nas.runtime.mesh import check_batch, make_mesh, put, replicated
from nas.stages.front import Member
from nas.training.step import State, TrainStep
from supernets import Supernet


class Run(AnyRun[Experiment]):
    """An experiment that is being carried out.

    Example:
      run = Run(experiment)
      run.train()
      run.search()
      for member in run.front():
          print(member.id, member.objectives)

    Attributes:
      state: the latest of the training, once there is one.
    """

    # None of it changes a weight.
    MAY_CHANGE = (
        "search",
        "export",
        "finetune",
        "truth",
        "ranking",
        "latency",
        "mesh",
        "sharding",
        "watch",
        "versions",
        "training.checkpoint_every",
        "command",
    )
    UNTOLD = ("versions", "command")
    PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")

    state: State | None = None

    # ------------------------------------------------------------------- parts
    @functools.cached_property
    def dataset(self) -> Dataset:
        """All examples, as loaded."""
        dataset = self.experiment.data.load()
        for note in dataset.notes:
            self.notify(note)
        return dataset

    @functools.cached_property
    def splits(self) -> Splits:
        """The three splits: weights, search and report never share an example."""
        return split_dataset(self.dataset, self.experiment.data_seed)

    @functools.cached_property
    def preprocessing(self) -> Preprocessing:
        """From raw inputs to the network's, by the weights split's statistics."""
        return self.dataset.kind.fit(self.splits.weights.inputs)

    @functools.cached_property
    def supernet(self) -> Supernet:
        """The supernet, fitted to the data."""
        supernet = self.experiment.supernet
        self.dataset.check_network(supernet.input_dtype, type(supernet).__name__)
        try:
            fitted = supernet.with_data(
                self.dataset.input_shape, self.dataset.num_classes
            )
            return fitted.with_precision(self.experiment.precision)
        except ValueError as error:
            raise UserError(
                f"The supernet does not fit the data of {self.dataset.source}: {error}"
            ) from error

    @functools.cached_property
    def mesh(self) -> Mesh:
        """The devices."""
        return make_mesh(self.experiment.mesh)

    @functools.cached_property
    def allowed(self) -> np.ndarray:
        """`bool[S, D, O]`, the sub-supernets' options."""
        return checked_tables(self.experiment.partition, self.supernet.space)

    @functools.cached_property
    def evaluator(self) -> Evaluator:
        """What measures architectures."""
        return Evaluator(
            self.supernet,
            self.experiment.evaluation,
            self.preprocessing,
            self.splits.weights,
            self.mesh,
            self._latencies if self.latency is not None else None,
        )

    @functools.cached_property
    def latency(self) -> LatencyModel | None:
        """What architectures take on a device; None when nobody measured it.

        Either the experiment's `latency.source`, or else `latency.json` in the workdir.
        """
        source = self.experiment.latency.source
        if source is None and self._folder is not None:
            # A folder that is not there yet has none.
            path = self._folder / "latency.json"
            source = MeasuredLatency(str(path)) if path.exists() else None
        if source is None:
            return None
        model = source.load(self.supernet)
        self.notify(f"{COLUMN}: {model.text}")
        return model

    @property
    def searches_latency(self) -> bool:
        """Whether an objective or a constraint of the search is the latency."""
        search = self.experiment.search
        named = [re.match(r"\s*(\w*)", text) for text in search.where]
        return COLUMN in (*search.objectives, *(m.group(1) for m in named if m))

    @property
    def columns(self) -> tuple[str, ...]:
        """What the archive of a search keeps of each architecture.

        The latency only if the search asks for it: a search goes on as it began when
        the latency is measured meanwhile.

        Raises:
          UserError: the search asks for a latency that nobody measured.
        """
        if not self.searches_latency:
            return COLUMNS
        if self.latency is None:
            raise UserError(
                f"search: {COLUMN} is asked for, and is not known. Measure this device "
                f"(nas profile {self.experiment.name} --latency, with the same "
                "--workdir), or give --latency FILE, or set latency=Latency(source=..) "
                "in the experiment's file."
            )
        return (*COLUMNS, COLUMN)

    def costs(self, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        """Give what is known of architectures without evaluating them.

        Args:
          genotypes: integers `[P, D]`.

        Returns:
          `macs`, `params` and `bytes`, each `int64[P]`, and where it is known
          `latency_ms`, `float64[P]`.
        """
        costs = dict(self.supernet.costs(genotypes))
        return costs if self.latency is None else costs | self._latencies(genotypes)

    def _latencies(self, genotypes: np.ndarray) -> dict[str, np.ndarray]:
        return {} if self.latency is None else {COLUMN: self.latency(genotypes)}

    @functools.cached_property
    def train_step(self) -> TrainStep:
        """The train step, bound to its parts."""
        training = self.experiment.training
        check_batch(self.mesh, training.batch_size, "training.batch_size")
        return TrainStep(
            self.supernet,
            self.experiment.strategy,
            self.experiment.optimizer,
            self.preprocessing,
            training.augment,
            {
                split: Order(
                    training.data_sampler if split == "weights" else Uniform(),
                    len(self.split(split)),
                    training.batch_size,
                )
                for split in self.experiment.strategy.SPLITS
            },
            training.steps,
            training.log_every,
            self.experiment.seed,
            self.mesh,
            average=training.average,
            latency=None if self.latency is None else self.latency.expected,
        )

    def split(self, name: str) -> Split:
        """Give a split by name."""
        return getattr(self.splits, name)

    def on_device(self, name: str) -> Split:
        """Give a split whose arrays are on every device."""
        return self._device_splits[name]

    @functools.cached_property
    def _device_splits(self) -> dict[str, Split]:
        return {
            name: dataclasses.replace(
                split,
                inputs=put(split.inputs, replicated(self.mesh)),
                labels=put(split.labels, replicated(self.mesh)),
            )
            for name in ("weights", "search", "report")
            for split in (self.split(name),)
        }

    def _facts(self) -> dict[str, Any]:
        splits = ("weights", "search", "report")
        return {
            "space_hash": self.supernet.space.hash,
            "inputs": self.dataset.kind.to_json(),
            "input_shape": list(self.dataset.input_shape),
            "num_classes": self.dataset.num_classes,
            "split_sizes": {name: len(self.split(name)) for name in splits},
        }

    def _check(self) -> None:
        # Now, not after hours of training.
        from nas.stages.search import make_loop

        _ = self.allowed, self.mesh, self.train_step
        augment = self.experiment.training.augment
        self.dataset.kind.refuse_augmentation(augment.augments)
        check_steps(self.experiment.partition, self.experiment.training.steps)
        self.experiment.optimizer.rate(self.experiment.training.steps)
        self.experiment.strategy.check(self.train_step.context, self.mesh)
        for watcher in self.experiment.watch:
            watcher.check(self)
        _ = make_loop(self, None)

    # ------------------------------------------------------------------ stages
    def train(self, initial: str | os.PathLike[str] | None = None) -> State:
        """Train the supernet, or go on, or find that it is done.

        Args:
          initial: weights of a trained largest subnet to start from.

        Returns:
          The trained state.
        """
        from nas.stages.train import train

        self.state = train(self, initial)
        return self.state

    def search(self) -> np.ndarray:
        """Search the trained supernet, or go on, or find that it is done.

        Returns:
          `int32[F, D]`, the Pareto front on the search split.
        """
        from nas.stages.search import search

        return search(self)

    def front(self) -> Sequence[Member]:
        """Measure the front of the latest search on the report split.

        Returns:
          Its members, by ascending cost.
        """
        from nas.stages.front import front

        return front(self)

    def export(self, pick: str = "all", folder: str | None = None) -> Sequence[Member]:
        """Write members of the front as networks of their own.

        Args:
          pick: `all`, `knee`, `best` or a member's id.
          folder: where to; the workdir's `subnets` unless given.

        Returns:
          The members that were exported, with the numbers of the exported files.
        """
        from nas.stages.export import export

        return export(self, pick, folder)

    def finetune(self, subnet_id: str, also_scratch: bool = False) -> dict[str, Any]:
        """Train a member of the front on, beside a hand-made network of its cost.

        Args:
          subnet_id: a member's id, `knee` or `best`.
          also_scratch: train both from scratch too.

        Returns:
          Errors, intervals and costs by network, as `card.json` says them under
          `finetune`.
        """
        from nas.stages.finetune import finetune

        return finetune(self, subnet_id, also_scratch)

    def make_truth(self) -> TruthTable:
        """Train architectures alone, over seeds, or go on, or find that it is done.

        Returns:
          The table; in a folder it is `truth.npz` as well.
        """
        from nas.stages.truth import truth

        return truth(self)

    def rank(self) -> dict[str, Any]:
        """Hold the trained supernet's estimates against the experiment's truth.

        Returns:
          What `rank.json` holds; see `nas.ranking.rank.rank`.
        """
        from nas.stages.rank import rank

        return rank(self)

    def profile_latency(self) -> LatencyRecord:
        """Measure what architectures take here, or go on, or find that it is done.

        Returns:
          What was measured; in a folder it is `latency.json` as well.
        """
        from nas.stages.latency import profile_latency

        record = profile_latency(self, self.workdir)
        for bound in ("latency", "evaluator"):  # to what was known before
            vars(self).pop(bound, None)
        return record
