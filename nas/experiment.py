"""An experiment: the parts themselves, held by a frozen dataclass.

There is no registry and no configuration language. An experiment file is Python that
defines `experiment = Experiment(...)`; a user's own class needs no registration.
"""

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.data import DataSource
from nas.errors import UserError
from nas.evaluation import Evaluation
from nas.partition import Partition, Whole
from nas.runtime.mesh import MeshConfig, Rules
from nas.search import Search
from nas.settings import Export, Finetune, Latency, Ranking, Training, Truth
from nas.strategies import Paths, Strategy
from nas.training.optimizer import SGD, Optimizer
from nas.watch import Watcher
from search_spaces import SearchSpace
from supernets import Supernet

PRECISIONS = ("float32", "bfloat16")
MOST_SEED = 2**31 - 1


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
