"""The front of a search: its members, measured again on data that nobody chose by."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.any_run import AnyRun
from nas.errors import UserError
from nas.evaluation import error_interval
from nas.runtime.processes import is_main
from nas.runtime.workdir import write_json_atomic
from nas.search.archive import Archive
from nas.search.base import State
from nas.search.loop import SearchLoop
from nas.search.pareto import non_dominated_sort
from nas.stages.train import load_trained
from nas.training.averaging import evaluated
from search_spaces import SearchSpace

if TYPE_CHECKING:
    from nas.run import Run

LEAST = 3


@dataclasses.dataclass(frozen=True)
class Member:
    """One architecture of the front.

    Attributes:
      id: its name, also that of its folder.
      genotype: the option index of each decision.
      choices: the option of each decision, by name.
      objectives: measured on the report split: `nll`, `error`, `macs`, `params`,
        `bytes`; and `latency_ms` where it is known, in general as predicted.
      interval: of the error, 95 %.
      dominated: whether another member was better on the search split; such members
        only fill up a front of fewer than three.
      remeasured: whether the numbers are of the report split.
    """

    id: str
    genotype: tuple[int, ...]
    choices: dict[str, Any]
    objectives: dict[str, float]
    interval: tuple[float, float]
    dominated: bool = False
    remeasured: bool = True

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        genotype: np.ndarray,
        objectives: Mapping[str, float],
        interval: tuple[float, float],
        dominated: bool,
    ) -> "Member":
        """Name an architecture of a space, `int32[D]`, that was measured."""
        return cls(
            space.id(genotype),
            tuple(int(i) for i in genotype),
            space.decode(genotype),
            dict(objectives),
            interval,
            dominated,
        )

    def to_json(self) -> dict[str, Any]:
        """Write as an entry of `front.json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Member":
        """Read an entry of `front.json`."""
        values: dict[str, Any] = dict(data)
        for name in ("genotype", "interval"):
            values[name] = tuple(values[name])
        return cls(**values)


def front(run: "Run") -> Sequence[Member]:
    """Measure the latest search's front on the report split; see `Run.front`."""
    genotypes, dominated = chosen(*run.latest_search(), run.experiment.export.most)
    trained = load_trained(run)
    device = run.on_device("report")
    values = run.evaluator.evaluate(
        evaluated(trained), trained["allowed"], genotypes, device
    )
    members = [
        evaluated_member(
            run,
            genotype,
            {name: v[i] for name, v in values.items()},
            bool(dominated[i]),
        )
        for i, genotype in enumerate(genotypes)
    ]
    write_front(run, members)
    if run.workdir is not None:
        from nas.report.tensorboard import show_members

        show_members(run.workdir, run.supernet.space, members)
    return members


def evaluated_member(
    run: "Run", genotype: np.ndarray, values: Mapping[str, float], dominated: bool
) -> Member:
    """Name an architecture that the evaluator measured on the report split.

    Args:
      run: whose space and split.
      genotype: `int32[D]`.
      values: its row of what `Evaluator.evaluate` gave.
      dominated: as in `Member`.

    Returns:
      The member.
    """
    labels = run.splits.report.labels
    interval = error_interval(
        values["error"],
        values["error_variance"],
        len(labels),
        math.prod(labels.shape[1:]),
    )
    return make_member(run, genotype, values, interval, dominated)


def make_member(
    run: "Run",
    genotype: np.ndarray,
    values: Mapping[str, float],
    interval: tuple[float, float],
    dominated: bool,
) -> Member:
    """Name an architecture that was measured on the report split.

    Args:
      run: whose space.
      genotype: `int32[D]`.
      values: `nll` and `error`; others are left out, as costs are counted anew.
      interval: of the error.
      dominated: as in `Member`.

    Returns:
      The member.
    """
    space = run.supernet.space
    objectives: dict[str, float] = {n: float(values[n]) for n in ("nll", "error")}
    for name, column in run.costs(np.asarray(genotype)[None]).items():
        objectives[name] = column[0].item()
    return Member.of(space, genotype, objectives, interval, dominated)


def write_front(run: AnyRun[Any], members: Sequence[Member]) -> None:
    """Write `front.json`, in place of an earlier one."""
    if run.workdir is not None and is_main():
        write_json_atomic(run.workdir.front, [m.to_json() for m in members])


def read_front(run: "Run") -> list[Member]:
    """Read `front.json`.

    Raises:
      UserError: there is none, or it is no front of this space.
    """
    if run.workdir is None or not run.workdir.front.exists():
        raise UserError("There is no front.json yet. Search first: nas search.")
    try:
        entries = json.loads(run.workdir.front.read_text())
        members = [Member.from_json(entry) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{run.workdir.front} is no front: {error}. Search again: nas search."
        ) from error
    for member in members:
        run.supernet.space.validate(np.asarray(member.genotype), str(run.workdir.front))
    return members


def chosen(loop: SearchLoop, state: State, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose who leaves: the front, filled up to three, thinned to the most allowed.

    Args:
      loop: of a search.
      state: its last.
      most: how many may leave.

    Returns:
      `int32[F, D]` by ascending cost, and `bool[F]`, which only fill up.

    Raises:
      UserError: nothing that was evaluated meets the constraints.
    """
    archive = loop.archive(state)
    rows = np.flatnonzero(loop.feasible_rows(archive))
    if not len(rows):
        raise UserError(_nothing_left(loop, archive))
    objectives = loop.search.objectives
    points = archive.lookup(archive.genotypes[rows], objectives)
    ranks = non_dominated_sort(points)
    # Of architectures that measure the same (isomorphic cells do), one is enough.
    _, first = np.unique(points, axis=0, return_index=True)
    distinct = np.isin(np.arange(len(rows)), first)
    on_front = rows[(ranks == 0) & distinct]
    # By cost, so that what is thinned out lies between what stays.
    cost = archive.column(objectives[-1])
    on_front = on_front[np.argsort(cost[on_front], kind="stable")]
    if len(on_front) > most:
        keep = np.unique(np.linspace(0, len(on_front) - 1, most).round().astype(int))
        on_front = on_front[keep]
    order = rows[distinct][np.argsort(ranks[distinct], kind="stable")]
    extra = [row for row in order if row not in on_front]
    extra = extra[: max(0, min(LEAST, most) - len(on_front))]
    chosen = np.concatenate([on_front, np.asarray(extra, np.int64)])
    dominated = np.arange(len(chosen)) >= len(on_front)
    order = np.argsort(cost[chosen], kind="stable")
    return archive.genotypes[chosen[order]], dominated[order]


def _nothing_left(loop: SearchLoop, archive: Archive) -> str:
    """Say that constraints exclude everything seen, and what was seen."""
    seen = ", ".join(
        f"{c.name} from {values.min():g} to {values.max():g}"
        for c in loop.constraints
        for values in (archive.column(c.name),)
    )
    return (
        f"None of the {len(archive):,} architectures that were evaluated meets "
        f"{' '.join(f'--where {str(c)!r}' for c in loop.constraints)}; they have "
        f"{seen}. Nothing is lost: loosen the constraints, or give more "
        "--search.evaluations, and search again."
    )
