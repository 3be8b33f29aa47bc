"""Hold the trained supernet's estimates against a truth: `rank.json`, `rank.csv`.

Every architecture of the truth is measured by shared weights; measurements are kept as
they are made, so that a stopped ranking goes on. The baselines beside it train nothing,
or little.
"""

import csv
import dataclasses
import functools
import io
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from nas.data import Split
from nas.errors import UserError
from nas.evaluation.evaluate import COLUMNS
from nas.ranking.baselines import baselines, option_counts
from nas.ranking.held_out import SAMPLE, HeldOut, held_out
from nas.ranking.rank import rank as hold
from nas.ranking.sampling import stratified_rows
from nas.ranking.table import TruthTable
from nas.runtime.metrics import MetricsWriter
from nas.runtime.processes import barrier, is_main
from nas.runtime.progress import Progress
from nas.runtime.signals import StopSignals
from nas.runtime.workdir import (
    write_bytes_atomic,
    write_json_atomic,
    write_text_atomic,
)
from nas.stages.train import load_trained
from nas.training.averaging import evaluated
from predictors.zero_cost import Proxy
from supernets import Supernet

if TYPE_CHECKING:
    from nas.run import Run

FITTED = "fitted formula"
FIXED = "fixed formula"
_SAVE_EVERY = 20.0
_EXAMPLES = 32


def rank(run: "Run") -> dict[str, Any]:
    """Rank, or go on, or find that it is done; see `Run.rank`."""
    table = truth_of(run)
    estimates = _measure(run, table)
    return _write(run, table, estimates)


def truth_of(run: "Run") -> TruthTable:
    """Give the truth's architectures that the experiment's space has.

    Raises:
      UserError: there is none, or estimates would see what it was measured on.
    """
    settings = run.experiment.ranking
    if settings.truth is None:
        raise UserError(
            "There is no truth to rank against. Make one with nas truth "
            f"{run.experiment.name} and give it with --ranking.truth FILE.npz, or set "
            "ranking=Ranking(truth=..) in the experiment's file."
        )
    table = settings.truth.load().for_space(run.supernet.space).complete()
    if len(table) < 2:
        raise UserError(
            f"{table.name} has {len(table)} complete architectures of the space "
            f"{run.supernet.space.name}; a ranking needs at least 2."
        )
    _refuse_same_examples(run, table)
    num = settings.architectures
    if 0 < num < len(table):
        costs = run.supernet.costs(table.genotypes)["macs"]
        rows = stratified_rows(costs, num, run.experiment.data_seed)
        table = table.take(rows)
    return table


def _refuse_same_examples(run: "Run", table: TruthTable) -> None:
    """The truth and the estimates may not be measured on the same examples."""
    made = table.provenance.get("settings", {})
    split = run.experiment.ranking.split
    if made.get("measured_on") != split:
        return
    raise UserError(
        f"The truth {table.name} was measured on the {split} split, and so would the "
        "estimates be: set ranking.split to the other one."
    )


# ------------------------------------------------------------------------ measuring
def _measure(run: "Run", table: TruthTable) -> dict[str, np.ndarray]:
    """Evaluate the truth's architectures by shared weights: `float64[P]` by name."""
    trained = load_trained(run)
    path = None
    if run.workdir is not None:
        path = run.workdir.checkpoints / "rank.npz"
    mark = _mark(run, table)
    kept = _read(path, mark)
    split = _examples(run)
    done = len(kept)
    saved = time.monotonic()
    with (
        StopSignals() as stop,
        Progress("rank", len(table), done, "architectures") as bar,
    ):
        for number in range(done, len(table)):
            found = run.evaluator.evaluate(
                evaluated(trained),
                trained["allowed"],
                table.genotypes[number][None],
                split,
            )
            kept.append([float(found[name][0]) for name in COLUMNS])
            bar.update(number + 1)
            stopping = stop.agreed()
            if stopping or time.monotonic() - saved > _SAVE_EVERY:
                _keep(path, mark, kept)
                saved = time.monotonic()
            if stopping:
                raise stop.interrupted(number + 1)
    _keep(path, mark, kept)
    values = np.asarray(kept, np.float64)
    found = {name: values[:, c] for c, name in enumerate(COLUMNS)}
    for name in ("nll", "error"):
        bad = np.flatnonzero(~np.isfinite(found[name]))
        if len(bad):
            raise UserError(
                f"The {name} of architecture {table.space.id(table.genotypes[bad[0]])} "
                "by shared weights is not finite. Train with a smaller "
                "optimizer.learning_rate."
            )
    return found


def _examples(run: "Run") -> Split:
    """Give the examples that estimates are made on: the first, which are shuffled."""
    split = run.on_device(run.experiment.ranking.split)
    num = run.experiment.ranking.examples
    if not 0 < num < len(split):
        return split
    return dataclasses.replace(
        split, inputs=split.inputs[:num], labels=split.labels[:num]
    )


def _mark(run: "Run", table: TruthTable) -> str:
    """Say what kept measurements must be of."""
    settings = run.experiment.ranking
    steps = run.experiment.training.steps
    kept = f"{settings.split} {settings.examples} {settings.architectures}"
    return f"{table.hash} {steps} {kept}"


def _read(path: Path | None, mark: str) -> list[list[float]]:
    if path is None or not path.exists():
        return []
    try:
        with np.load(path, allow_pickle=False) as file:
            same = str(file["mark"]) == mark
            return file["values"].tolist() if same else []
    except (OSError, ValueError, KeyError):
        # Measurements are made again; nothing else depends on the file.
        return []


def _keep(path: Path | None, mark: str, values: list[list[float]]) -> None:
    if path is None or not is_main():
        return
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, mark=np.asarray(mark), values=values)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(path, content.getvalue())


# ------------------------------------------------------------------------ comparing
def _write(
    run: "Run", table: TruthTable, estimates: dict[str, np.ndarray]
) -> dict[str, Any]:
    scores, learned, weights = _baselines(run, table)
    found = hold(
        table.error,
        {name: estimates[name] for name in ("nll", "error")},
        scores,
        learned=learned,
        provenance={
            "name": table.name,
            "hash": table.hash,
            "seeds": len(table.seeds),
            "space_hash": table.space.hash,
        },
    )
    found["split"] = run.experiment.ranking.split
    found["formula"] = weights
    barrier("ranked")
    if run.workdir is not None and _same(run.workdir.rank, found):
        run.notify("The ranking is done, and is what it was.")
        return found
    if run.workdir is not None and is_main():
        write_text_atomic(
            run.workdir.rank.with_suffix(".csv"), _csv(run, table, estimates, scores)
        )
        write_json_atomic(run.workdir.rank, found)
    _log(run, found)
    return found


def _same(path: Path, found: dict[str, Any]) -> bool:
    """Ask whether a ranking was written before."""
    if not path.exists():
        return False
    return json.loads(path.read_text(encoding="utf-8")) == found


def _baselines(
    run: "Run", table: TruthTable
) -> tuple[dict[str, np.ndarray], dict[str, HeldOut], dict[str, float]]:
    """Score the architectures by what trains nothing, and by few true values."""
    settings, supernet = run.experiment.ranking, run.supernet.plain
    names, counts = _counts(run, table)
    inputs = run.splits.weights.inputs[:_EXAMPLES]
    labels = run.splits.weights.labels[:_EXAMPLES]
    if settings.proxies:
        inputs = np.asarray(run.preprocessing(jnp.asarray(inputs)))
    scores = dict(
        _untrained(
            supernet.with_precision("float32"),
            settings.proxies,
            _Array(table.genotypes),
            _Array(inputs),
            _Array(np.asarray(labels)),
        )
    )
    if settings.formula:
        fixed = dict(settings.formula)
        unknown = sorted(set(fixed) - set(names))
        if unknown:
            raise UserError(
                f"ranking.formula names {', '.join(unknown)}; options of "
                f"{supernet.space.name} are {', '.join(names)}."
            )
        scores[FIXED] = -counts @ np.asarray([fixed.get(name, 0.0) for name in names])
    weights: dict[str, float] = {}
    if settings.rule is not None:
        other = _other(run)
        fitted = settings.rule.fit(_counts(run, other)[1], other.mean("error"))
        scores[FITTED] = fitted.predict(counts).mean
        # What one more of each option changes, which is all there is of a linear rule.
        ones = fitted.predict(np.eye(len(names))).mean
        none = fitted.predict(np.zeros((1, len(names)))).mean
        weights = dict(zip(names, (none - ones).tolist(), strict=True))
    learned = _learned(run, table, counts, scores["live_parameters"])
    return scores, learned, weights


def _learned(
    run: "Run", table: TruthTable, counts: np.ndarray, live: np.ndarray
) -> dict[str, HeldOut]:
    """Fit predictors to few true values, and try each on the others."""
    given = run.experiment.ranking.learned
    if given and len(table) < 2 * SAMPLE:
        run.notify(
            f"Of {len(table)} architectures {SAMPLE} would be too many to fit a "
            f"predictor to: ranking.learned needs at least {2 * SAMPLE}, and is left "
            "out."
        )
        return {}
    return {
        f"{type(predictor).__name__} on {SAMPLE} true errors": held_out(
            predictor, counts, table.mean("error"), beside=live
        )
        for predictor in given
    }


class _Array:
    """An array that is equal to another of the same values, for a cache."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self._mark = (values.dtype.str, values.shape, values.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Array) and self._mark == other._mark

    def __hash__(self) -> int:
        return hash(self._mark)


@functools.lru_cache(maxsize=4)
def _untrained(
    supernet: Supernet,
    proxies: tuple[Proxy, ...],
    genotypes: _Array,
    inputs: _Array,
    labels: _Array,
) -> dict[str, np.ndarray]:
    """Score architectures by what no training changes: once for all runs of a sweep."""
    return baselines(
        supernet,
        genotypes.values,
        proxies={type(proxy).__name__: proxy for proxy in proxies},
        inputs=jnp.asarray(inputs.values) if proxies else None,
        labels=jnp.asarray(labels.values) if proxies else None,
    )


def _other(run: "Run") -> TruthTable:
    source = run.experiment.ranking.other
    assert source is not None
    return source.load().for_space(run.supernet.space).complete()


def _counts(run: "Run", table: TruthTable) -> tuple[tuple[str, ...], np.ndarray]:
    live = run.supernet.plain.effective(table.genotypes)
    return option_counts(run.supernet.space, table.genotypes, live)


def _csv(
    run: "Run",
    table: TruthTable,
    estimates: dict[str, np.ndarray],
    scores: dict[str, np.ndarray],
) -> str:
    """Write a line for each architecture."""
    columns = {
        "truth_error": table.mean("error"),
        "truth_nll": table.mean("nll"),
        **estimates,
        **scores,
        "macs": estimates["macs"],
        "params": estimates["params"],
    }
    columns = {name: v for name, v in columns.items() if not np.isnan(v).any()}
    if "live_parameters" in scores:
        columns["live_parameters"] = -scores["live_parameters"]
    names, counts = _counts(run, table)
    convolutions = [c for c, name in enumerate(names) if "conv" in name]
    if convolutions:
        columns["convolutions"] = counts[:, convolutions].sum(1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "genotype", *columns])
    for row, genotype in enumerate(table.genotypes):
        digits = "-".join(str(int(i)) for i in genotype)
        values = [f"{values[row]:.9g}" for values in columns.values()]
        writer.writerow([table.space.id(genotype), digits, *values])
    return text.getvalue()


def _log(run: "Run", found: dict[str, Any]) -> None:
    """Put the ranking into the log and TensorBoard."""
    if run.workdir is None:
        return
    # Here, because importing matplotlib takes as long as all the rest.
    from nas.report.tensorboard import show_ranking

    step = run.experiment.training.steps
    scalars = {
        "rank/tau": found["tau"],
        "rank/partial_tau": found["partial_tau"]["tau"],
        **{f"rank/{name}/tau": b["tau"] for name, b in found["baselines"].items()},
    }
    writer = MetricsWriter(run.workdir, None, step, run="rank")
    try:
        writer.scalars(
            step, {name: float(v) for name, v in scalars.items() if v is not None}
        )
        show_ranking(writer, run.workdir, step)
    finally:
        writer.close()
