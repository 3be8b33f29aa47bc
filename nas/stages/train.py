"""Train the supernet: the loop around the one train step.

The loop owns what a step does not: the log, checkpoints, signals and the progress bar.
Nothing here decides what is trained.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from nas.errors import UserError
from nas.relaxations import derived_text
from nas.runtime.checkpoint import Checkpoints
from nas.runtime.mesh import (
    SUPERNETS,
    host,
    put,
    replicated,
    shardings,
    side_by_side,
)
from nas.runtime.metrics import MetricsWriter
from nas.runtime.processes import count, is_main
from nas.runtime.progress import Progress
from nas.runtime.signals import StopSignals
from nas.runtime.stopwatch import Stopwatch
from nas.stages.initial import start_from
from nas.stages.split import read_record, split, step_after
from nas.training.step import PER_SUPERNET, State, make_train_step
from nas.watch.base import watch

if TYPE_CHECKING:
    from nas.run import Run

# Steps between two collectives that ask whether any process was told to stop.
AGREE_EVERY = 10
_LAID_OUT = ("params", "average", "opt_state")


def train(run: "Run", initial: str | os.PathLike[str] | None = None) -> State:
    """Train, or go on from the latest checkpoint; see `Run.train`."""
    training, at = run.experiment.training, run.experiment.partition.at
    checkpoints = _checkpoints(run)
    restored = None
    if checkpoints is not None:
        restored = checkpoints.restore_latest(lambda found: _template(run, found))
    if restored is not None:
        _, state, metadata = restored
        offset, splits = metadata["metrics_offset"], metadata["splits"]
        spent = metadata.get("seconds", 0.0)
    else:
        state, splits, spent = _start(run, initial), 0, 0.0
        offset = 0 if run.workdir is not None else None
    done = int(state["step"])
    if done >= training.steps:
        run.notify(f"Training is done: {done} steps.")
        return state
    if done:
        run.notify(f"Training goes on from step {done} of {training.steps}.")
    program, compiled = _program(run, state, splits), None
    data, clock = _data(run), Stopwatch(spent)
    writer = None
    if run.workdir is not None:
        writer = MetricsWriter(run.workdir, offset, done + 1 if done else None)
    with (
        StopSignals() as stop,
        Progress("train", training.steps, done) as bar,
        closing(writer, checkpoints),
    ):

        def pause() -> None:
            if stop.agreed():
                raise stop.interrupted(int(state["step"]))

        for number in range(done + 1, training.steps + 1):
            if splits < len(at) and number == at[splits] + 1:
                # The state before a split is saved; the split follows from it, and
                # its time is time of the training.
                state = split(run, state, splits, pause)
                splits += 1
                _show_splits(run, writer, number)
                state = put(state, layout_of(run, state))
                program = _program(run, state, splits)
            with clock.paused(program is not compiled):
                state = program(state, data)
                if program is not compiled:
                    state, compiled = jax.block_until_ready(state), program
            last = number == training.steps
            if number % training.log_every == 0 or last:
                _log(run, state, number, splits, writer, bar, clock)
            if writer is not None:
                with clock.paused():
                    watch(run, state, number, writer)
            stopping = _stopping(stop, number)
            if checkpoints is not None and (
                last
                or stopping
                or number in at
                or number % training.checkpoint_every == 0
            ):
                _refuse_bad(run, state)
                offset = writer.offset() if writer else 0
                metadata = {"metrics_offset": offset, "splits": splits}
                metadata["sub_supernets"] = len(state["allowed"])
                metadata["seconds"] = clock.seconds
                with clock.paused():
                    checkpoints.save(number, state, metadata)
            if stopping:
                raise stop.interrupted(number)
    return state


@contextlib.contextmanager
def closing(*files: MetricsWriter | Checkpoints | None) -> Iterator[None]:
    """Close what a loop writes to, however the loop ends."""
    try:
        yield
    finally:
        for file in files:
            if file is not None:
                file.close()


def load_trained(run: "Run") -> State:
    """Read the state that training left in the workdir.

    Raises:
      UserError: there is none, or training is not done.
    """
    if run.state is not None:
        return run.state
    checkpoints = _checkpoints(run)
    restored = None
    if checkpoints is not None:
        restored = checkpoints.restore_latest(lambda found: _template(run, found))
        checkpoints.close()
    steps = run.experiment.training.steps
    if restored is None or restored[0] < steps:
        found = "no trained weights" if restored is None else f"step {restored[0]}"
        where = run.workdir.path if run.workdir else "this run"
        raise UserError(
            f"{where} has {found}, and training has {steps} steps. Train first: "
            "nas train, or Run.train()."
        )
    run.state = restored[1]
    return restored[1]


def _stopping(stop: StopSignals, number: int) -> bool:
    """Ask whether to stop: all processes at the same step, which costs a collective."""
    if count() == 1:
        return stop.requested
    return number % AGREE_EVERY == 0 and stop.agreed()


def _checkpoints(run: "Run") -> Checkpoints | None:
    if run.workdir is None:
        return None
    return Checkpoints(run.workdir.checkpoints / "train", warn=run.notify)


def _program(run: "Run", state: State, splits: int) -> Callable[..., State]:
    """Compile the step of a phase: between two splits, of so many sub-supernets."""
    return make_train_step(step_after(run, splits), layout_of(run, state))


def _start(run: "Run", initial: Any) -> State:
    state = run.train_step.init(run.allowed)
    if initial is not None:
        state = start_from(run, state, initial)
    return put(state, layout_of(run, state))


def _template(run: "Run", metadata: dict[str, Any]) -> State:
    """Say of what structure, and where, a saved state is, without drawing weights."""
    allowed = np.ones(
        (metadata["sub_supernets"], *run.supernet.space.valid.shape), bool
    )
    shapes = jax.eval_shape(lambda: run.train_step.init(allowed))
    return jax.tree.map(
        lambda leaf, where: jax.ShapeDtypeStruct(
            leaf.shape, leaf.dtype, sharding=where
        ),
        shapes,
        layout_of(run, shapes),
    )


def layout_of(run: "Run", state: State) -> Any:
    """Say which devices hold what of a state."""
    everywhere = replicated(run.mesh)
    layout = jax.tree.map(lambda _: everywhere, state)
    spread = side_by_side(state["allowed"].shape[0], run.mesh)
    first = SUPERNETS if spread else None
    if spread:
        beside = NamedSharding(run.mesh, PartitionSpec(SUPERNETS))
        for name in (name for name in PER_SUPERNET if name in state):
            layout[name] = jax.tree.map(lambda _: beside, state[name])
    if run.experiment.sharding:
        # Rules are written for the weights' own dimensions; S comes before them.
        rules = tuple((path, (first, *axes)) for path, axes in run.experiment.sharding)
        default = NamedSharding(run.mesh, PartitionSpec(first))
        for name in (name for name in _LAID_OUT if name in state):
            layout[name] = shardings(state[name], run.mesh, rules, default)
    return layout


def _data(run: "Run") -> dict[str, dict[str, Any]]:
    return {
        name: {
            "inputs": run.on_device(name).inputs,
            "labels": run.on_device(name).labels,
        }
        for name in run.experiment.strategy.SPLITS
    }


def _log(
    run: "Run",
    state: State,
    number: int,
    splits: int,
    writer: MetricsWriter | None,
    bar: Progress,
    clock: Stopwatch,
) -> None:
    fetched = host({"log": state["log"], "counts": state["counts"]})
    _refuse_bad(run, state)
    every = run.experiment.training.log_every
    steps = number % every or every
    values = {
        f"train/{name}": float(total) / steps for name, total in fetched["log"].items()
    }
    bar.update(number, loss=values["train/loss"], accuracy=values["train/accuracy"])
    horizon = step_after(run, splits).horizon
    # A schedule that began anew after a split began that much later.
    updates = number - 1 - (run.experiment.training.steps - horizon)
    rate = run.experiment.optimizer.rate(horizon)
    values["train/learning_rate"] = float(np.asarray(rate(np.float32(updates))))
    values["train/sub_supernets"] = len(fetched["counts"])
    values["train/draws"] = int(fetched["counts"].sum((0, 2))[0])
    batch_size = run.experiment.training.batch_size
    values["budget/examples"] = values["train/draws"] * batch_size
    values["budget/device_seconds"] = clock.seconds * run.mesh.size
    values |= _shares(run, fetched["counts"].sum(0))
    values |= _health(run, state, number)
    values |= _strategy(run, state, number)
    if writer is None:
        return
    writer.scalars(number, values)
    _show_derived(run, state, writer, number)
    if number == run.experiment.training.steps:
        _show_draws(run, writer, fetched["counts"].sum(0), number)


def _show_draws(
    run: "Run", writer: MetricsWriter, counts: np.ndarray, number: int
) -> None:
    """Show in TensorBoard how often options were drawn, and when."""
    if run.workdir is None or not is_main():
        return
    # Here, because importing matplotlib takes as long as all the rest.
    from nas.report.tensorboard import show_draws, show_options

    show_options(writer, run.supernet.space, counts, number)
    show_draws(writer, run.workdir, number)


def _show_splits(run: "Run", writer: MetricsWriter | None, number: int) -> None:
    """Show in TensorBoard what the latest split was decided by."""
    if writer is None or run.workdir is None or not is_main():
        return
    # Here, because importing matplotlib takes as long as all the rest.
    from nas.report.tensorboard import show_splits

    latest = read_record(run.workdir.partition)[-1]
    show_splits(writer, latest["splits"], number)


def _health(run: "Run", state: State, number: int) -> dict[str, float]:
    """Give what shows that sampling goes wrong, the mean over sub-supernets."""
    step = run.train_step
    progress = number / run.experiment.training.steps
    context = dataclasses.replace(step.context, progress=progress)
    data = step.orders["weights"].sampler.health(state["order"]["weights"])
    found = {name: [value] for name, value in host(data).items()}
    strategies, tables = host((state["strategy"], state["allowed"]))
    for s, table in enumerate(tables):
        own = jax.tree.map(lambda leaf, s=s: leaf[s], strategies)
        paths = run.experiment.strategy.health(own, context, jnp.asarray(table))
        for name, value in paths.items():
            found.setdefault(name, []).append(value)
    return {
        f"sampler_health/{name}": float(np.mean([np.asarray(v) for v in values]))
        for name, values in found.items()
    }


def _strategy(run: "Run", state: State, number: int) -> dict[str, float]:
    """Give what the strategy tells of itself, of each sub-supernet."""
    progress = number / run.experiment.training.steps
    context = dataclasses.replace(run.train_step.context, progress=progress)
    strategies, tables = host((state["strategy"], state["allowed"]))
    told = {}
    for s, table in enumerate(tables):
        own = jax.tree.map(lambda leaf, s=s: leaf[s], strategies)
        prefix = "strategy" if len(tables) == 1 else f"strategy/sub_supernet_{s}"
        values = run.experiment.strategy.scalars(own, context, jnp.asarray(table))
        told |= {f"{prefix}/{name}": float(value) for name, value in values.items()}
    return told


def _show_derived(run: "Run", state: State, writer: MetricsWriter, number: int) -> None:
    """Show in TensorBoard which architectures the strategy prefers by now."""
    space = run.supernet.space
    strategies, tables = host((state["strategy"], state["allowed"]))
    for s, table in enumerate(tables):
        own = jax.tree.map(lambda leaf, s=s: leaf[s], strategies)
        rows = run.experiment.strategy.derive(own, space, table)
        if rows is not None:
            writer.text(f"strategy/derived_{s}", derived_text(space, rows), number)


def _shares(run: "Run", counts: np.ndarray) -> dict[str, float]:
    """Give how often each option was trained, as a fraction of its decision's draws."""
    shares = {}
    for decision, row in zip(run.supernet.space.decisions, counts, strict=True):
        total = max(int(row.sum()), 1)
        for k, option in enumerate(decision.options):
            shares[f"sampler/{decision.name}/{option}"] = int(row[k]) / total
    return shares


def _refuse_bad(run: "Run", state: State) -> None:
    """Stop at a loss that is not finite; the last good checkpoint stays."""
    bad, genotypes = host((state["bad_step"], state["bad_genotype"]))
    if (bad < 0).all():
        return
    s = int(np.argmax(bad >= 0))
    space = run.supernet.space
    raise UserError(
        f"The loss or its gradient was not finite at step {int(bad[s])}, training "
        f"architecture {space.id(genotypes[s])} ({space.decode(genotypes[s])}). The "
        "last good checkpoint is kept. Train in another workdir with a smaller "
        "optimizer.learning_rate, with optimizer.clip_norm, or in float32."
    )
