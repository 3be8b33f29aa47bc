"""Split the supernet while it is trained: from one state to one of more parts.

Everything here is a function of the checkpointed state and the seed, so that a run that
is killed in the middle of a split does the same split again; what was measured by then
is read back from the folder of the run.
"""

import contextlib
import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from nas.partition.base import Probe, Refinement, divide
from nas.runtime.mesh import host
from nas.runtime.processes import barrier, is_main
from nas.runtime.progress import Progress
from nas.runtime.workdir import write_bytes_atomic, write_json_atomic
from nas.training.keys import role_key
from nas.training.step import State, TrainStep

if TYPE_CHECKING:
    from nas.run import Run

RECORD_SCHEMA = 1
# What every part of a sub-supernet takes over from it.
_INHERITED = ("params", "average", "opt_state", "strategy", "bad_step", "bad_genotype")


def step_after(run: "Run", splits: int) -> TrainStep:
    """Give the train step of the phase after so many splits.

    Args:
      run: whose step.
      splits: how many were done.

    Returns:
      The step; after a last split that restarts, its schedule is the rest's.
    """
    step, partition = run.train_step, run.experiment.partition
    if partition.restarts and splits and splits == len(partition.at):
        rest = step.steps - partition.at[-1]
        return dataclasses.replace(step, schedule_steps=rest)
    return step


def split(run: "Run", state: State, number: int, pause: Callable[[], None]) -> State:
    """Split every sub-supernet, as the partition decides.

    Args:
      run: whose partition.
      state: after the step of `partition.at[number]`.
      number: of the split, from 0.
      pause: called between measurements; raises if the run was told to stop.

    Returns:
      The state of the new sub-supernets; not laid out on the devices.
    """
    partition, space = run.experiment.partition, run.supernet.space
    tables = host(state["allowed"])
    probe = make_probe(run, state, number, pause)
    refinements = partition.refine(space, tables, probe)
    parts, homes = divide(tables, refinements, space)
    _record(run, number, int(state["step"]), refinements, parts)
    for line in describe(run, refinements):
        run.notify(line)
    last = number + 1 == len(partition.at)
    if partition.restarts and last:
        return _restarted(step_after(run, number + 1), state, parts)
    return _inherited(state, parts, homes)


def describe(run: "Run", refinements: list[Refinement]) -> list[str]:
    """Say in a line for each sub-supernet how it is split."""
    space = run.supernet.space
    lines = []
    for s, refinement in enumerate(refinements):
        options = space.decisions[space.names.index(refinement.decision)].options
        groups = " | ".join(
            " ".join(str(options[i]) for i in group) for group in refinement.groups
        )
        lines.append(f"Sub-supernet {s} is split by {refinement.decision}: {groups}")
    return lines


def _inherited(state: State, parts: np.ndarray, homes: np.ndarray) -> State:
    """Give each part what its sub-supernet had."""
    new = dict(state)
    for name in _INHERITED:
        if name in state:
            new[name] = jax.tree.map(lambda leaf: leaf[homes], state[name])
    # Each draw is counted once, by the first part.
    first = np.concatenate([[True], homes[1:] != homes[:-1]])
    counts = jnp.where(first[:, None, None], state["counts"][homes], 0)
    return new | {"counts": counts, "allowed": jnp.asarray(parts)}


def _restarted(step: TrainStep, state: State, parts: np.ndarray) -> State:
    """Begin anew, but for what belongs to the whole run: step, data order and log."""
    kept = {name: state[name] for name in ("step", "seed", "order", "log")}
    return step.init(parts) | kept


def make_probe(
    run: "Run", state: State, number: int, pause: Callable[[], None]
) -> Probe:
    """Give a partition what it needs to look at the weights; see `split`."""
    step = run.train_step
    split = run.on_device("weights")
    data = {"inputs": split.inputs, "labels": split.labels}

    def draw(data: Any, key: jax.Array, size: int) -> Any:
        k_rows, k_augment = jax.random.split(key)
        num = data["labels"].shape[0]
        rows = jax.random.randint(k_rows, (size,), 0, num, jnp.int32)
        return step.batch(data, rows, k_augment)

    return Probe(
        number=number,
        context=step.context,
        weights=lambda s: jax.tree.map(lambda leaf: leaf[s], state["params"]),
        data=data,
        draw=draw,
        key=role_key(run.experiment.seed, "partition", number),
        memory=_memory(run, number),
        progress=lambda title, total: Progress(title, total, unit="batches"),
        pause=pause,
    )


class _Kept:
    """Measurements of one split, in memory and, if there is one, in a folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._values: dict[str, np.ndarray] = {}
        if folder is not None and folder.is_dir():
            for path in sorted(folder.glob("*.npy")):
                # What cannot be read is measured again.
                with contextlib.suppress(ValueError, OSError):
                    self._values[path.stem] = np.load(path, allow_pickle=False)

    def load(self, name: str) -> np.ndarray | None:
        return self._values.get(name)

    def save(self, name: str, values: np.ndarray) -> None:
        self._values[name] = values
        if self._folder is None or not is_main():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=False)
        write_bytes_atomic(self._folder / f"{name}.npy", buffer.getvalue())


def _memory(run: "Run", number: int) -> _Kept:
    folder = run.workdir.checkpoints / f"split_{number}" if run.workdir else None
    kept = _Kept(folder)
    # Nobody may write before all have read the same.
    barrier("measurements of a split")
    return kept


def _record(
    run: "Run",
    number: int,
    step: int,
    refinements: list[Refinement],
    parts: np.ndarray,
) -> None:
    """Write what was decided, and by what, into `partition.json`."""
    if run.workdir is None or not is_main():
        return
    path = run.workdir.partition
    before = read_record(path)[:number]
    space = run.supernet.space
    entry = {
        "step": step,
        "splits": [
            {
                "sub_supernet": s,
                "decision": r.decision,
                "groups": [
                    [
                        space.decisions[space.names.index(r.decision)].options[i]
                        for i in g
                    ]
                    for g in r.groups
                ],
                "evidence": r.evidence,
            }
            for s, r in enumerate(refinements)
        ],
        "allowed": [
            {
                decision.name: [o for k, o in enumerate(decision.options) if row[k]]
                for decision, row in zip(space.decisions, table, strict=True)
            }
            for table in parts
        ],
    }
    write_json_atomic(path, {"schema": RECORD_SCHEMA, "refinements": [*before, entry]})


def read_record(path: Path) -> list[dict[str, Any]]:
    """Read the refinements that `partition.json` tells of; none if there is no file."""
    if not path.exists():
        return []
    return json.loads(path.read_text(encoding="utf-8"))["refinements"]
