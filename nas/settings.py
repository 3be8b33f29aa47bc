"""Settings of the stages: of training, export, fine-tuning, truth, ranking, latency."""

import dataclasses

from nas.data import Augment
from nas.data_samplers import DataSampler, Uniform
from nas.errors import UserError, check_least
from nas.latency import LatencySource
from nas.latency.source import LEAST
from nas.ranking.sources import TruthSource
from predictors.base import Predictor
from predictors.zero_cost import Proxy


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
        check_least("training", self, steps=1, batch_size=1)
        check_least("training", self, log_every=1, checkpoint_every=1)
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
        check_least("finetune", self, steps=1, batch_size=1)
        check_least("finetune", self, learning_rate=0, scratch_learning_rate=0)


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
        check_least("truth", self, steps=1, batch_size=1, seeds=1)
        check_least("truth", self, architectures=0, learning_rate=0)


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
        check_least("ranking", self, architectures=0, examples=0)
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
        check_least("latency", self, samples=LEAST, held_out=2)
        check_least("latency", self, batch_size=1, runs=20, warm_up=1)
        if self.source is not None and not isinstance(self.source, LatencySource):
            raise UserError(
                f"latency: source is {self.source!r}, which is no LatencySource."
            )

    @property
    def total(self) -> int:
        """How many networks are measured."""
        return self.samples + self.held_out
