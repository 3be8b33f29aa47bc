"""Measure what architectures take on this device, and how well a model predicts it.

A sample spread over all costs is built as the networks that an export would write:
inputs as the user has them, preprocessing inside, in float32. Each is compiled and
timed, transfers included, and kept as it is measured, so that a stopped command goes
on. Some are held out; the error on them is told beside that of multiply-accumulates
alone.
"""

import dataclasses
import datetime
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nas.errors import UserError
from nas.export.card import describe_machine, measure_latency
from nas.export.programs import make_program
from nas.latency.features import COSTS, encode
from nas.latency.record import LatencyRecord
from nas.ranking.sampling import MOST_LISTED, stratified_rows
from nas.runtime.processes import barrier, is_main
from nas.runtime.progress import Progress
from nas.runtime.signals import StopSignals
from nas.runtime.workdir import Workdir
from predictors.latency import HeldOut, fitted_error, standard
from search_spaces import SearchSpace

if TYPE_CHECKING:
    from nas.run import Run

LEAST_HELD_OUT = 2
# A network of microseconds is run more often, until the machine's hiccups even out.
_ENOUGH_MS = 200.0
_MOST_RUNS = 1000
_POOL = 50
_BUSY = 0.25
MODEL, BASELINE = _MODELS = ("options and costs", "multiply-accumulates alone")


def profile_latency(run: "Run", workdir: Workdir | None) -> LatencyRecord:
    """Measure, or go on, or find that it is done; see `Run.profile_latency`.

    Args:
      run: whose supernet, data and settings.
      workdir: where `latency.json` goes; None writes nothing.

    Returns:
      What was measured.
    """
    genotypes, fit = sample(run)
    record = _empty(run)
    kept = None
    if workdir is not None:
        kept = workdir.checkpoints / "latency.json"
        record = _before(run, record, workdir.latency, kept)
    if is_main():
        record = _measure(run, record, genotypes, fit, kept)
        record = dataclasses.replace(record, held_out=_errors(run, record))
        if workdir is not None and kept is not None:
            record.save(workdir.latency)
            kept.unlink(missing_ok=True)
    barrier("latency")
    return record


def sample(run: "Run") -> tuple[np.ndarray, np.ndarray]:
    """Draw what is measured: strata of rising MACs, and both ends.

    Args:
      run: `latency.samples` are fitted and `latency.held_out` are not; of a smaller
        space all are measured, divided in the same proportion.

    Returns:
      `int32[N, D]`, canonical, each once, in an order that has nothing to do with
      cost, so that a device that warms up favours none; and `bool[N]`: which are
      fitted.

    Raises:
      UserError: the space is too small to hold any out.
    """
    settings, supernet = run.experiment.latency, run.supernet
    seed = run.experiment.data_seed
    pool = _pool(supernet.space, settings.total, seed)
    num = min(settings.total, len(pool))
    held = max(LEAST_HELD_OUT, round(num * settings.held_out / settings.total))
    if num < 2 * LEAST_HELD_OUT:
        raise UserError(
            f"The space {supernet.space.name!r} has {supernet.space.size} "
            f"architectures; to tell the error of a latency model takes "
            f"{2 * LEAST_HELD_OUT}."
        )
    costs = np.asarray(supernet.costs(pool)["macs"])
    rising = np.argsort(costs, kind="stable")
    chosen = stratified_rows(costs, num, seed)
    by_cost = chosen[np.argsort(costs[chosen], kind="stable")]
    # What is smaller or larger than all that was fitted would be a guess.
    by_cost[[0, -1]] = rising[[0, -1]]
    rng = np.random.Generator(np.random.Philox(seed))
    fit = np.ones(num, bool)
    fit[1 + stratified_rows(np.arange(num - 2), min(held, num - 2), seed)] = False
    order = rng.permutation(num)
    return pool[by_cost[order]].astype(np.int32), fit[order]


def _pool(space: SearchSpace, num: int, seed: int) -> np.ndarray:
    """Give the architectures to choose among: all, or many drawn at random."""
    if space.size <= MOST_LISTED:
        return space.enumerate()
    drawn = space.sample(jax.random.key(seed), _POOL * num)
    return np.unique(np.asarray(drawn), axis=0)


def rows_of(record: LatencyRecord) -> list[tuple[str, str]]:
    """Say what was measured, and how well it is predicted.

    Args:
      record: complete.

    Returns:
      (what, how much) in words.
    """
    spread = np.median(_spreads(record))
    found = record.held_out or {}
    return [
        ("device", f"{record.device}, batches of {record.settings['batch_size']}"),
        ("networks measured", f"{len(record.entries)}, {int(record.fit.sum())} fitted"),
        ("latency", f"{record.ms.min():.4g} to {record.ms.max():.4g} ms"),
        ("between quartiles of a network's runs", f"{spread:.1%} of it"),
        *((f"held out, by {name}", _text(error)) for name, error in found.items()),
    ]


def advice(record: LatencyRecord) -> list[str]:
    """Say what speaks against the numbers, a sentence each; often nothing.

    Args:
      record: complete.
    """
    lines = []
    if np.median(_spreads(record)) > _BUSY:
        lines.append(
            "The runs of one network differ much, as when the machine is busy. Remove "
            "latency.json and measure again when it is idle."
        )
    taus = [(record.held_out or {}).get(name, {}).get("tau") for name in _MODELS]
    if None not in taus and taus[0] < taus[1]:
        lines.append(
            "Multiply-accumulates alone order the networks held out better than the "
            "model does: measure more, with --latency.samples."
        )
    return lines


def _spreads(record: LatencyRecord) -> list[float]:
    return [
        (high - low) / median
        for entry in record.entries
        for (low, high), median in [(entry["quartiles_ms"], entry["median_ms"])]
    ]


def _text(error: dict[str, Any]) -> str:
    tau = "none" if error["tau"] is None else f"{error['tau']:.3f}"
    return (
        f"mean error {error['mape']:.1%}, median {error['median']:.1%}, tau {tau}, n "
        f"{error['n']}"
    )


# ------------------------------------------------------------------------ measuring
def _empty(run: "Run") -> LatencyRecord:
    settings, space = run.experiment.latency, run.supernet.space
    now = datetime.datetime.now(datetime.UTC)
    return LatencyRecord(
        space.name,
        space.hash,
        {
            "batch_size": settings.batch_size,
            "runs": settings.runs,
            "warm_up": settings.warm_up,
            "precision": "float32",
        },
        describe_machine(),
        now.strftime("%Y-%m-%d %H:%M UTC"),
    )


def _before(run: "Run", fresh: LatencyRecord, done: Path, kept: Path) -> LatencyRecord:
    """Give what an earlier command measured under the same conditions."""
    for path in (kept, done):
        if not path.exists():
            continue
        found = LatencyRecord.load(path)
        if found.same_conditions(fresh):
            found.check(run.supernet, str(path))
            return dataclasses.replace(found, held_out=None)
        run.notify(
            f"{path} was measured on another device, with other versions or other "
            "settings; all is measured anew."
        )
    return fresh


def _measure(
    run: "Run",
    record: LatencyRecord,
    genotypes: np.ndarray,
    fit: np.ndarray,
    kept: Path | None,
) -> LatencyRecord:
    """Measure what is missing; keep each as it is made."""
    space = run.supernet.space
    ids = [space.id(genotype) for genotype in genotypes]
    asked = dict(zip(ids, fit.tolist(), strict=True))
    # Of an earlier, other sample; more to fit is better.
    entries = [e | {"fit": asked.get(e["id"], True)} for e in record.entries]
    known = {entry["id"] for entry in entries}
    missing = [i for i, name in enumerate(ids) if name not in known]
    done = len(ids) - len(missing)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
    with (
        StopSignals() as stop,
        Progress("latency", len(ids), done, "networks") as bar,
    ):
        for count, i in enumerate(missing, start=done + 1):
            entry = measured(run, genotypes[i]) | {"fit": bool(fit[i])}
            entries.append(entry)
            record = dataclasses.replace(record, entries=tuple(entries))
            if kept is not None:
                record.save(kept)
            bar.update(count, ms=entry["median_ms"], compile=entry["compile_seconds"])
            if stop.requested:
                raise stop.interrupted(count)
    return dataclasses.replace(record, entries=tuple(entries))


def measured(run: "Run", genotype: np.ndarray) -> dict[str, Any]:
    """Build, compile and time one architecture.

    Its weights are freshly drawn: what a network takes does not depend on them.

    Args:
      run: whose supernet and data.
      genotype: `int32[D]`, canonical.

    Returns:
      An entry of `LatencyRecord.entries`, without `fit`.
    """
    settings = run.experiment.latency
    supernet = run.supernet.plain.with_precision("float32")
    module: Any = supernet.subnet(genotype)
    module.eval()
    program = jax.jit(make_program(module, run.preprocessing))
    inputs = run.splits.search.inputs
    batch = np.resize(inputs, (settings.batch_size, *inputs.shape[1:]))
    begin = time.perf_counter()
    compiled = program.lower(batch).compile()
    seconds = time.perf_counter() - begin

    def call(x: np.ndarray) -> np.ndarray:
        return np.asarray(compiled(x))

    found = measure_latency(call, batch, settings.runs, settings.warm_up)
    more = int(_ENOUGH_MS / found["median_ms"])
    if more > settings.runs:
        found = measure_latency(call, batch, min(more, _MOST_RUNS), 0)
    costs = supernet.costs(genotype[None])
    return {
        "id": supernet.space.id(genotype),
        "genotype": [int(i) for i in genotype],
        "median_ms": found["median_ms"],
        "quartiles_ms": found["quartiles_ms"],
        "runs": found["num_runs"],
        "compile_seconds": seconds,
    } | {name: int(costs[name][0]) for name in COSTS}


def _errors(run: "Run", record: LatencyRecord) -> dict[str, Any]:
    """Hold out what is not for fitting: the model, and MACs alone."""
    features = encode(run.supernet, record.genotypes)
    macs = run.supernet.costs(record.genotypes)["macs"][:, None].astype(np.float64)
    errors: dict[str, HeldOut] = {
        name: fitted_error(standard(costs), x, record.ms, record.fit)
        for name, x, costs in ((MODEL, features, len(COSTS)), (BASELINE, macs, 1))
    }
    return {name: error.to_json() for name, error in errors.items()}
