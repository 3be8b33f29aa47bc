"""An experiment: the parts themselves, held by a frozen dataclass.

There is no registry and no configuration language. An experiment file is Python that
defines `experiment = Experiment(...)`; a user's own class needs no registration.
"""

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.data import Augment, DataSource
from nas.data_samplers import DataSampler, Uniform
from nas.errors import UserError
from nas.evaluation import Evaluation
from nas.latency import LatencySource
from nas.latency.source import LEAST
from nas.partition import Partition, Whole
from nas.ranking.sources import TruthSource
from nas.runtime.mesh import MeshConfig, Rules
from nas.search import Search
from nas.strategies import Paths, Strategy
from nas.training.optimizer import SGD, Optimizer
from nas.watch import Watcher
from predictors.base import Predictor
from predictors.zero_cost import Proxy
from search_spaces import SearchSpace
from supernets import Supernet

PRECISIONS = ("float32", "bfloat16")
MOST_SEED = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Training:
    """For how long the supernet is trained, and on what batches."""

    steps: int = 1000
    """Updates of the weights."""

    batch_size: int = 64
    """Examples in a step's batch, over all devices."""

    augment: Augment = dataclasses.field(default_factory=Augment)
    """Random crops and flips of training images."""

    data_sampler: DataSampler = dataclasses.field(default_factory=Uniform)
    """Which examples of the weights split a step sees."""

    average: float = 0.0
    """The decay of a running mean of the weights, which then is what is evaluated,
    searched and exported, such as 0.999; 0: the last weights."""

    log_every: int = 50
    """Steps between two lines of the log; a logged value is the mean over them."""

    checkpoint_every: int = 500
    """Steps between two checkpoints."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("steps", "batch_size", "log_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"training: {name} is {getattr(self, name)}, it must be at least 1."
                )
        if not 0 <= self.average < 1:
            raise UserError(
                f"training: average is {self.average}, it must be from 0 to below 1."
            )
        if not isinstance(self.data_sampler, DataSampler):
            raise UserError(
                f"training: data_sampler is {self.data_sampler!r}, which is no "
                "DataSampler."
            )


@dataclasses.dataclass(frozen=True)
class Export:
    """Which architectures leave, and what is checked when they do."""

    most: int = 8
    """Members of the front that are exported, spread evenly along it."""

    tolerance: float = 1e-4
    """The greatest difference of logits, relative to the greatest logit."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.most < 1 or self.tolerance <= 0:
            raise UserError(
                f"export: most is {self.most} and tolerance {self.tolerance}; at least "
                "1, and above 0."
            )


@dataclasses.dataclass(frozen=True)
class Finetune:
    """How a member of the front is trained on, or from scratch."""

    steps: int = 500
    """Updates of the weights."""

    batch_size: int = 64
    """Examples in a step's batch."""

    learning_rate: float = 0.0
    """The peak of the cosine schedule when weights are inherited; 0: a fifth of the
    optimizer's."""

    scratch_learning_rate: float = 0.0
    """The peak when training from scratch; 0: the optimizer's."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("steps", "batch_size"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"finetune: {name} is {getattr(self, name)}, it must be at least 1."
                )
        for name in ("learning_rate", "scratch_learning_rate"):
            if not getattr(self, name) >= 0:
                raise UserError(
                    f"finetune: {name} is {getattr(self, name)}, it must be above 0, "
                    "or 0 to follow the optimizer's."
                )


@dataclasses.dataclass(frozen=True)
class Truth:
    """How architectures are trained alone, for rankings to be held against."""

    steps: int = 1000
    """Updates of the weights of each."""

    batch_size: int = 64
    """Examples in a step's batch."""

    seeds: int = 3
    """Trainings of each architecture."""

    architectures: int = 0
    """How many, spread over all costs; 0: every one of the space."""

    learning_rate: float = 0.0
    """The peak of the schedule; 0: the optimizer's."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("steps", "batch_size", "seeds"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"truth: {name} is {getattr(self, name)}, it must be at least 1."
                )
        if self.architectures < 0 or not self.learning_rate >= 0:
            raise UserError(
                f"truth: architectures is {self.architectures} and learning_rate "
                f"{self.learning_rate}; neither may be below 0."
            )


@dataclasses.dataclass(frozen=True)
class Ranking:
    """What the supernet's estimates are held against."""

    truth: TruthSource | None = None
    """A table of architectures that were trained alone; none: nothing is ranked."""

    other: TruthSource | None = None
    """A table on other data, to which the rule is fitted."""

    rule: Predictor | None = None
    """A baseline: fitted to how often the other table's architectures use each option.
    """

    formula: tuple[tuple[str, float], ...] = ()
    """A baseline that is fitted to nothing: what each option adds where it is live."""

    learned: tuple[Predictor, ...] = ()
    """Baselines: each fitted to the true errors of 50 architectures, and tried on the
    others."""

    proxies: tuple[Proxy, ...] = ()
    """Baselines that score networks which were never trained."""

    architectures: int = 0
    """How many of the table's to rank, spread over all costs; 0: all."""

    examples: int = 0
    """How many of the split's examples to make estimates on; 0: all."""

    split: str = "search"
    """The examples on which estimates are made: search, or report if it is not the
    truth's."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("architectures", "examples"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"ranking: {name} is {getattr(self, name)}, it may not be below 0."
                )
        if (self.rule is None) != (self.other is None):
            raise UserError(
                "ranking: a rule is fitted to the other table; give both, rule and "
                "other, or neither."
            )
        kinds = [type(predictor).__name__ for predictor in self.learned]
        if len(set(kinds)) < len(kinds):
            raise UserError(
                f"ranking: learned is {', '.join(kinds)}; give each kind once."
            )
        if self.split not in ("search", "report"):
            raise UserError(
                f"ranking: split is {self.split!r}; allowed: search, report."
            )


@dataclasses.dataclass(frozen=True)
class Latency:
    """What networks take on a device, and how `nas profile --latency` measures it."""

    source: LatencySource | None = None
    """Where latencies come from; none: what was measured in the workdir, if anything.
    """

    samples: int = 40
    """Networks that are measured for a model to be fitted to."""

    held_out: int = 20
    """Networks that are measured to tell the error of the model."""

    batch_size: int = 1
    """Examples that a network is given at once; the latency is that of the batch."""

    runs: int = 30
    """Timed runs of each network, of which the median counts; of fast networks more,
    for a fifth of a second."""

    warm_up: int = 5
    """Runs of each network before them."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        least = {"samples": LEAST, "held_out": 2, "batch_size": 1, "runs": 20}
        for name, low in (least | {"warm_up": 1}).items():
            if getattr(self, name) < low:
                raise UserError(
                    f"latency: {name} is {getattr(self, name)}, it must be at least "
                    f"{low}."
                )
        if self.source is not None and not isinstance(self.source, LatencySource):
            raise UserError(
                f"latency: source is {self.source!r}, which is no LatencySource."
            )

    @property
    def total(self) -> int:
        """How many networks are measured."""
        return self.samples + self.held_out


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything that decides a run."""

    name: str
    """What people call it; the default workdir is runs/<name>."""

    supernet: Supernet
    """The network whose weights every architecture shares, and its search space."""

    data: DataSource
    """Where examples and labels come from."""

    search: Search
    """Which controller, objectives and budget."""

    strategy: Strategy = dataclasses.field(default_factory=Paths)
    """What a training step does."""

    partition: Partition = dataclasses.field(default_factory=Whole)
    """Which architectures share weights at all."""

    optimizer: Optimizer = dataclasses.field(default_factory=SGD)
    """How weights are updated."""

    training: Training = dataclasses.field(default_factory=Training)
    """For how long, and on what batches."""

    evaluation: Evaluation = dataclasses.field(default_factory=Evaluation)
    """How architectures are measured."""

    export: Export = dataclasses.field(default_factory=Export)
    """Which architectures leave."""

    finetune: Finetune = dataclasses.field(default_factory=Finetune)
    """How a member of the front is trained on."""

    watch: tuple[Watcher, ...] = ()
    """What is measured every so many steps of training, beside the log."""

    truth: Truth = dataclasses.field(default_factory=Truth)
    """How architectures are trained alone."""

    ranking: Ranking = dataclasses.field(default_factory=Ranking)
    """What estimates are held against."""

    latency: Latency = dataclasses.field(default_factory=Latency)
    """What networks take on a device."""

    mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)
    """How many devices share the batch, and how many the weights."""

    sharding: Rules = ()
    """Rules on the paths of weights: which dimension is split over which axis."""

    precision: str = "float32"
    """Of computing: float32, or bfloat16 over float32 weights."""

    seed: int = 0
    """Decides everything random, but which example is in which split."""

    data_seed: int = 0
    """Decides which example is in which split, so that runs of other seeds share the
    splits, and no ranking sees what its truth was measured on."""

    def __post_init__(self) -> None:
        """Check what no part checks by itself."""
        if not self.name or Path(self.name).name != self.name:
            raise UserError(
                f"experiment: name is {self.name!r}; it names a folder, so it needs a "
                "character and no slash."
            )
        if self.precision not in PRECISIONS:
            raise UserError(
                f"experiment: precision is {self.precision!r}; allowed: "
                f"{', '.join(PRECISIONS)}."
            )
        for name in ("seed", "data_seed"):
            if not 0 <= getattr(self, name) <= MOST_SEED:
                raise UserError(
                    f"experiment: {name} is {getattr(self, name)}, it must be from 0 "
                    f"to {MOST_SEED}."
                )
        for watcher in self.watch:
            if not isinstance(watcher, Watcher):
                raise UserError(
                    f"experiment: watch holds {watcher!r}, which is no Watcher."
                )
        kinds = {
            "supernet": Supernet,
            "data": DataSource,
            "search": Search,
            "strategy": Strategy,
            "partition": Partition,
            "optimizer": Optimizer,
        }
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise UserError(
                    f"experiment: {name} is {getattr(self, name)!r}, which is no "
                    f"{kind.__name__}."
                )


def to_json(value: Any) -> Any:
    """Write settings as JSON values: dataclasses with their class, spaces in full.

    Args:
      value: an experiment or any part of one.

    Returns:
      Dictionaries, lists and scalars.

    Raises:
      UserError: a field holds something that is no setting.
    """
    if isinstance(value, SearchSpace):
        return value.to_json() | {"hash": value.hash}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: to_json(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
        return {"class": type(value).__qualname__} | fields
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple | frozenset | set):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UserError(
        f"experiment: {value!r} of type {type(value).__name__} is no setting; use "
        "numbers, strings, tuples and frozen dataclasses."
    )
