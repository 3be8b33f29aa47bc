"""Train one subnet on its own inside a run: checkpoints, the log, and the final error.

What was trained is known by its name; a training that is done is not repeated, and one
whose settings changed starts anew.
"""

import contextlib
import dataclasses
import zlib
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from nas.data import BatchOrder
from nas.experiment import to_json
from nas.export.card import evaluate_program
from nas.export.programs import Program, make_program
from nas.runtime.checkpoint import Checkpoints
from nas.runtime.mesh import host
from nas.runtime.metrics import MetricsWriter
from nas.runtime.processes import is_main
from nas.training.standalone import (
    StandaloneTraining,
    State,
    standalone_key,
    train_standalone,
)
from supernets import Supernet
from supernets.paths import flatten
from supernets.standalone import Standalone, functional

if TYPE_CHECKING:
    from nas.run import Run

EVALUATION_BATCH = 256


@dataclasses.dataclass(frozen=True)
class Budget:
    """How one network is trained on its own."""

    steps: int
    """Updates of the weights."""

    batch_size: int
    """Examples in a step's batch."""

    learning_rate: float
    """The peak of the cosine schedule."""

    seed: int
    """Decides the first weights, the batches and all else that is random."""


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network after its training.

    Attributes:
      params: the weights, numpy.
      stats: the statistics, calibrated on the weights split as for an evaluation.
      measured: `error`, `error_interval`, `nll`, and on how much, of the report split.
    """

    params: Any
    stats: Any
    measured: dict[str, Any]


def subnet_of(run: "Run", genotype: np.ndarray) -> Standalone:
    """Build an architecture as an ordinary network, in float32.

    Args:
      run: whose supernet.
      genotype: `int32[D]`.

    Returns:
      The network, without weights.
    """
    return functional(float32_supernet(run).plain.subnet(genotype))


def float32_supernet(run: "Run") -> Supernet:
    """Give the supernet that computes in float32, whatever the experiment's type."""
    return run.supernet.with_precision("float32")


def fresh_weights(run: "Run", genotype: np.ndarray, seed: int) -> Any:
    """Draw an architecture's weights as the supernet draws shared ones.

    Args:
      run: whose supernet.
      genotype: `int32[D]`.
      seed: decides them.

    Returns:
      The weights of the subnet.
    """
    supernet = float32_supernet(run).plain
    drawn = jax.jit(supernet.init)(standalone_key(seed, "init"))
    return supernet.extract(drawn, None, genotype)["params"]


def measure(run: "Run", network: Standalone, params: Any, stats: Any) -> dict[str, Any]:
    """Measure a network on the report split, as `card.json` says it.

    Args:
      run: whose split.
      network: which.
      params: its weights.
      stats: its statistics.

    Returns:
      `error`, `error_interval` (95 %), `nll`, and on how much it was measured.
    """
    program = jax.jit(inference_program(run, network, params, stats))
    report = run.splits.report
    size = min(EVALUATION_BATCH, len(report))
    return evaluate_program(program, report, size).to_json(run.preprocessing.kind)


def inference_program(
    run: "Run", network: Standalone, params: Any, stats: Any
) -> Program:
    """Join preprocessing and network: from raw inputs to logits."""
    return make_program(lambda x: network.infer(params, stats, x), run.preprocessing)


def calibrated_stats(run: "Run", network: Standalone, params: Any) -> Any:
    """Calibrate given weights on the batches that evaluations calibrate on."""
    inputs = jnp.asarray(run.evaluator.calibration_inputs)
    return jax.jit(lambda p, x: network.calibrate(p, run.preprocessing(x)))(
        params, inputs
    )


def train_alone(
    run: "Run", stage: str, name: str, genotype: np.ndarray, start: Any, budget: Budget
) -> Trained:
    """Train a subnet on its own, or go on, or read what an earlier run trained.

    Args:
      run: whose data, optimiser and folder.
      stage: the first part of the log's names, such as `finetune`.
      name: of this training; it names the checkpoints and the curves.
      genotype: `int32[D]`.
      start: the weights to start from.
      budget: for how long, and how.

    Returns:
      The network after its last step, measured on the report split.
    """
    job = _Job.of(run, stage, name, genotype, start, budget)
    with contextlib.closing(job.checkpoints or contextlib.ExitStack()):
        state, metadata = job.restore(job.training.init(start))
        if "measured" in metadata:
            run.notify(f"{job.title} is done: {budget.steps} steps.")
            measured = metadata["measured"]
        else:
            state, measured = job.advance(state, metadata)
    return Trained(host(state["params"]), host(state["stats"]), measured)


@dataclasses.dataclass(frozen=True, eq=False)
class _Job:
    """One training, with where it is saved and logged.

    Attributes:
      run: the run.
      curve: the first parts of the log's names.
      title: for people.
      training: what is done.
      settings: what must be equal for a checkpoint to be of this training.
      checkpoints: None if nothing is written.
    """

    run: "Run"
    curve: str
    title: str
    training: StandaloneTraining
    settings: dict[str, Any]
    checkpoints: Checkpoints | None

    @classmethod
    def of(
        cls,
        run: "Run",
        stage: str,
        name: str,
        genotype: np.ndarray,
        start: Any,
        budget: Budget,
    ) -> "_Job":
        training = _training(run, genotype, budget)
        settings = to_json(budget) | {
            "genotype": [int(i) for i in genotype],
            "optimizer": to_json(training.optimizer),
            "start": _sum(start),
        }
        checkpoints = None
        if run.workdir is not None:
            folder = run.workdir.checkpoints / f"{stage}_{name}"
            checkpoints = Checkpoints(folder, warn=run.notify)
        title = f"{stage} {name}"
        return cls(run, f"{stage}/{name}", title, training, settings, checkpoints)

    def restore(self, state: State) -> tuple[State, dict[str, Any]]:
        """Read the latest checkpoint, unless it is of other settings."""
        restored = self.checkpoints and self.checkpoints.restore_latest(state)
        if not self.checkpoints or not restored:
            return state, {}
        _, found, metadata = restored
        if metadata["settings"] != self.settings:
            self.run.notify(f"{self.title} starts anew: its settings changed.")
            self.checkpoints.clear()
            return state, {}
        return found, metadata

    def advance(
        self, state: State, metadata: dict[str, Any]
    ) -> tuple[State, dict[str, Any]]:
        """Train to the end, calibrate, and measure on the report split."""
        run, training, writer = self.run, self.training, None
        if run.workdir is not None:
            writer = MetricsWriter(
                run.workdir,
                self._own_offset(metadata.get("metrics_offset")),
                int(state["step"]) + 1,
                run=self.curve.replace("/", "_"),
            )

        def log(step: int, values: dict[str, float]) -> None:
            if writer is not None:
                named = {f"{self.curve}/{name}": v for name, v in values.items()}
                writer.scalars(step, named)

        def save(step: int, state: State, **more: Any) -> None:
            if self.checkpoints is not None and writer is not None:
                metadata = {
                    "settings": self.settings,
                    "metrics_offset": writer.offset(),
                }
                self.checkpoints.save(step, state, metadata | more)

        with writer or contextlib.nullcontext():
            if not metadata:
                # Also says where the log was when this began.
                save(0, state)
            weights = run.on_device("weights")
            data: Any = {"inputs": weights.inputs, "labels": weights.labels}
            state = train_standalone(
                training, state, data, title=self.title, log=log, save=save
            )
            state = training.calibrated(state, run.evaluator.calibration_inputs)
            fetched = host({name: state[name] for name in ("params", "stats")})
            measured = measure(run, training.network, **fetched)
            log(training.steps, {"error": measured["error"]})
            # One more than the steps: the state after the last may be saved already,
            # by whom a signal stopped, but not measured.
            save(training.steps + 1, state, measured=measured)
        return state, measured

    def _own_offset(self, offset: int | None) -> int | None:
        """Cut the log to a checkpoint's offset only if nobody else wrote after it.

        Between a training that was stopped and its resumption, another one may have
        been done; its lines stay, and some of this one's are then there twice.
        """
        if offset is None or self.run.workdir is None or not is_main():
            return offset
        with self.run.workdir.metrics.open("rb") as file:
            file.seek(offset)
            lines = file.read().decode().splitlines()
        own = f'"name": "{self.curve}/'
        return offset if all(own in line for line in lines) else None


def _training(run: "Run", genotype: np.ndarray, budget: Budget) -> StandaloneTraining:
    experiment = run.experiment
    optimizer, whole = experiment.optimizer, experiment.training
    own = dataclasses.replace(
        optimizer,
        learning_rate=budget.learning_rate,
        schedule="cosine",
        # The same share of the training as in the supernet's.
        warmup_steps=optimizer.warmup_steps * budget.steps // whole.steps,
    )
    return StandaloneTraining(
        subnet_of(run, genotype),
        own,
        run.preprocessing,
        whole.augment,
        BatchOrder(len(run.splits.weights), budget.batch_size),
        budget.steps,
        whole.log_every,
        whole.checkpoint_every,
        budget.seed,
        run.mesh,
    )


def _sum(weights: Any) -> int:
    """Sum the bytes of the weights that a training starts from."""
    total = 0
    for path, leaf in sorted(flatten(weights).items()):
        total = zlib.crc32("/".join(path).encode(), total)
        total = zlib.crc32(np.ascontiguousarray(leaf).tobytes(), total)
    return total
