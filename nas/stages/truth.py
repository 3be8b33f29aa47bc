"""Train architectures alone, over seeds, into the table that rankings are held against.

A training that is in the table is not repeated, so that a stopped run goes on, and more
seeds can be added to a table that is there.
"""

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from nas.data import BatchOrder
from nas.errors import UserError
from nas.evaluation import Evaluator
from nas.experiment import to_json
from nas.ranking.sampling import stratified_sample
from nas.ranking.table import TruthTable
from nas.runtime.processes import is_main
from nas.runtime.progress import Progress
from nas.runtime.signals import StopSignals
from nas.training.alone import AloneTraining

if TYPE_CHECKING:
    from nas.run import Run

# Seconds between two writes of the table.
_SAVE_EVERY = 20.0


def truth(run: "Run") -> TruthTable:
    """Train what the table lacks; see `Run.make_truth`."""
    settings = run.experiment.truth
    path = run.workdir.truth if run.workdir is not None else None
    table = _begin(run, path)
    jobs = list(_missing(table))
    if not jobs:
        run.notify(f"The truth is done: {len(table)} architectures, every seed.")
        return table
    training = alone_training(run)
    evaluator = _evaluator(run)
    data = run.on_device("weights")
    operands: Any = {"inputs": data.inputs, "labels": data.labels}
    allowed = jnp.asarray(run.supernet.space.valid)[None]
    report = run.on_device("report")
    total = table.error.size
    saved = time.monotonic()
    with (
        StopSignals() as stop,
        Progress("truth", total, total - len(jobs), "trainings") as bar,
    ):
        for begin in range(0, len(jobs), training.workers):
            group = jobs[begin : begin + training.workers]
            rows, columns = np.asarray(group).T
            trained = training.train(
                table.genotypes[rows], table.seeds[columns], operands
            )
            for (p, s), (params, loss) in zip(group, trained, strict=True):
                _refuse_bad(run, table, p, s, loss)
                own = jax.tree.map(lambda leaf: leaf[None], params)
                found = evaluator.evaluate(
                    own, allowed, table.genotypes[p][None], report
                )
                table.error[p, s], table.nll[p, s] = found["error"][0], found["nll"][0]
            done = total - len(jobs) + begin + len(group)
            bar.update(done, error=float(np.nanmean(table.error)))
            stopping = stop.agreed()
            if stopping or time.monotonic() - saved > _SAVE_EVERY:
                _save(table, path)
                saved = time.monotonic()
            if stopping:
                raise stop.interrupted(done)
    _save(table, path)
    run.notify(
        f"{len(table)} architectures, {settings.seeds} seeds: error "
        f"{table.error.min():.4f} to {table.error.max():.4f}."
    )
    return table


def alone_training(run: "Run") -> AloneTraining:
    """Bind the experiment's truth settings to its parts."""
    settings = run.experiment.truth
    optimizer = run.experiment.optimizer
    if settings.learning_rate:
        optimizer = dataclasses.replace(optimizer, learning_rate=settings.learning_rate)
    return AloneTraining(
        run.supernet.plain.with_precision("float32"),
        optimizer,
        run.preprocessing,
        run.experiment.training.augment,
        BatchOrder(len(run.splits.weights), settings.batch_size),
        settings.steps,
        run.mesh,
    )


def _evaluator(run: "Run") -> Evaluator:
    return dataclasses.replace(
        run.evaluator, supernet=run.supernet.plain.with_precision("float32")
    )


def _begin(run: "Run", path: Path | None) -> TruthTable:
    """Make an empty table, or go on with the one that is there."""
    settings = run.experiment.truth
    space = run.supernet.space
    seeds = np.arange(settings.seeds, dtype=np.int32)
    genotypes = stratified_sample(
        space,
        lambda g: run.supernet.costs(g)["macs"],
        settings.architectures,
        run.experiment.data_seed,
    )
    shape = (len(genotypes), len(seeds))
    empty = np.full(shape, np.nan)
    fresh = TruthTable(space, genotypes, seeds, empty, empty.copy(), _provenance(run))
    if path is None or not path.exists():
        return fresh
    old = TruthTable.load(path)
    if old.provenance["settings"] != fresh.provenance["settings"] or not np.array_equal(
        old.genotypes, genotypes
    ):
        raise UserError(
            f"{path} was made with other settings. Give another --workdir, or remove "
            "the file to begin anew."
        )
    shared = min(len(old.seeds), len(seeds))
    for column in ("error", "nll"):
        getattr(fresh, column)[:, :shared] = getattr(old, column)[:, :shared]
    return fresh


def _provenance(run: "Run") -> dict[str, Any]:
    experiment, config = run.experiment, run.config
    settings = to_json(experiment.truth)
    del settings["seeds"]
    return {
        "name": experiment.name,
        "command": f"nas truth {experiment.name}",
        "settings": {
            "supernet": config["supernet"],
            "data": config["data"],
            "data_seed": experiment.data_seed,
            "split_sizes": config["split_sizes"],
            "optimizer": config["optimizer"],
            "augment": config["training"]["augment"],
            "training": settings,
            "measured_on": "report",
        },
        "versions": config["versions"],
        "backend": config["backend"],
    }


def _missing(table: TruthTable) -> Iterator[tuple[int, int]]:
    """List the trainings that are not done, a whole seed before the next."""
    for s in range(len(table.seeds)):
        for p in np.flatnonzero(~np.isfinite(table.error[:, s])):
            yield int(p), s


def _refuse_bad(run: "Run", table: TruthTable, p: int, s: int, loss: float) -> None:
    if not np.isfinite(loss):
        raise UserError(
            "The loss was not finite when architecture "
            f"{table.space.id(table.genotypes[p])} was trained alone with seed "
            f"{table.seeds[s]}. Set truth.learning_rate lower than "
            f"{run.experiment.optimizer.learning_rate}, or optimizer.clip_norm."
        )


def _save(table: TruthTable, path: Path | None) -> None:
    if path is not None and is_main():
        table.save(path)
