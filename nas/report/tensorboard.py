"""What TensorBoard shows beyond scalars: fronts, architectures, sampled options.

Each function is one call of a stage. Drawing takes tenths of a second, so the front is
drawn after the first generations, then ever more rarely, and at the end.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from nas.report.curves import hypervolume_figure
from nas.report.distance_figure import chosen, distance_figure
from nas.report.drawing import architecture_figure
from nas.report.draws_figure import (
    HEALTH,
    draws_figure,
    draws_over_time,
    health_figure,
)
from nas.report.front_figure import cost_of, front_figure, points_of
from nas.report.heat_map import options_figure
from nas.report.ranking_figure import baselines_figure, scatter_figure, tau_figure
from nas.report.record import curves_of, read_ranked
from nas.report.story import choices_text
from nas.report.style import GREEN
from nas.runtime import processes
from nas.runtime.metrics import MetricsWriter, read_scalars
from nas.runtime.workdir import Workdir
from nas.search.loop import SearchLoop
from search_spaces import SearchSpace


class Member(Protocol):
    """One architecture of a front, as the stage that measures it has it."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def genotype(self) -> tuple[int, ...]:
        """The option index of each decision."""
        ...

    @property
    def objectives(self) -> dict[str, float]:
        """What was measured."""
        ...

    @property
    def interval(self) -> tuple[float, float]:
        """Of the error, 95 %."""
        ...


def show_search(writer: MetricsWriter, loop: SearchLoop, state: Any) -> None:
    """Show the front as it is after a generation, and how it grew at the end.

    Args:
      writer: of the search.
      loop: the search.
      state: after a generation; drawn when its number is a power of two, or the last.
    """
    generation, done = int(state["generation"]), loop.done(state)
    if not processes.is_main() or (generation & (generation - 1) and not done):
        return
    step = int(state["evaluations"])
    archive = loop.archive(state)
    table, feasible = archive.table(), loop.feasible_rows(archive)
    front = loop.front(state)
    cost = cost_of(loop.search.objectives)
    if cost in table and len(front):
        rows = [{n: float(v[row]) for n, v in table.items()} for row in front]
        members = dataclasses.replace(
            points_of("the front so far (search split)", rows, cost=cost), colour=GREEN
        )
        evaluated = {name: values[feasible] for name, values in table.items()}
        qualities = [name for name in ("error", "nll") if name in table]
        figure = front_figure(evaluated, members, cost=cost, qualities=qualities)
        writer.figure("search/front", figure, step)
    if done:
        volumes = loop.hypervolumes(state)
        mine = archive.rows_in_use()[2] == int(state["search"])
        curve = np.concatenate([volumes[~mine][-1:], volumes[mine]])
        first = 1 - int((~mine).any())
        steps = np.arange(first, first + len(curve))
        if len(curve):
            figure = hypervolume_figure(
                {f"search {int(state['search'])}": (steps, curve)}
            )
            writer.figure("search/hypervolume_by_evaluation", figure, step)


def show_options(
    writer: MetricsWriter, space: SearchSpace, counts: np.ndarray, step: int
) -> None:
    """Show how often training took each option.

    Args:
      writer: of the training.
      space: what names the options.
      counts: `int[D, O]`, how often each was taken.
      step: of the training.
    """
    if not processes.is_main():
        return
    shares: dict[str, Mapping[str, float]] = {}
    for decision, row in zip(space.decisions, np.asarray(counts), strict=True):
        total = max(int(row.sum()), 1)
        shares[decision.name] = {
            str(option): int(row[k]) / total
            for k, option in enumerate(decision.options)
        }
    writer.figure("sampler/options", options_figure(shares), step)


def show_draws(writer: MetricsWriter, folder: Workdir, step: int) -> None:
    """Show when training took each option, and what samplers tell of their health.

    Args:
      writer: of the training.
      folder: of the run, whose log is read.
      step: of the training.
    """
    if not processes.is_main():
        return
    curves = curves_of(read_scalars(folder.metrics))
    draws = draws_over_time(curves)
    if draws:
        writer.figure("sampler/draws", draws_figure(draws), step)
    if any(name.startswith(HEALTH) for name in curves):
        writer.figure("sampler/health", health_figure(curves), step)


def show_ranking(writer: MetricsWriter, folder: Workdir, step: int) -> None:
    """Show how well the supernet ranks, from the files that ranking left.

    Args:
      writer: of the ranking.
      folder: of the run: `rank.json`, `rank.csv` and the log are read, those there are.
      step: of the training.
    """
    if not processes.is_main():
        return
    rank, ranked, curves = {}, {}, {}
    if folder.rank.exists():
        rank = json.loads(folder.rank.read_text(encoding="utf-8"))
    if folder.rank.with_suffix(".csv").exists():
        ranked = read_ranked(folder.rank.with_suffix(".csv"))
    if folder.metrics.exists():
        curves = curves_of(read_scalars(folder.metrics))
    figures = {
        "rank/truth_and_estimate": scatter_figure(rank, ranked),
        "rank/baselines": baselines_figure(rank),
        "rank/tau_by_step": tau_figure(curves, rank),
    }
    for name, figure in figures.items():
        if figure is not None:
            writer.figure(name, figure, step)


def show_splits(writer: MetricsWriter, splits: Sequence[Any], step: int) -> None:
    """Show the distances that options were grouped by.

    Args:
      writer: of the training.
      splits: of one refinement, as `partition.json` has them.
      step: of the training.
    """
    measured = [split for split in splits if chosen(split) is not None]
    if processes.is_main() and measured:
        writer.figure("partition/distances", distance_figure(measured), step)


def show_members(
    workdir: Workdir, space: SearchSpace, members: Sequence[Member]
) -> None:
    """Show the front that was measured again: as a table, and each architecture drawn.

    Args:
      workdir: of the run.
      space: what names the options.
      members: of the front.
    """
    if not processes.is_main():
        return
    with MetricsWriter(workdir, next_step=0, run="front") as writer:
        writer.text("front/architectures", members_table(space, members), 0)
        for place, member in enumerate(members):
            figure = architecture_figure(space, np.asarray(member.genotype))
            writer.figure(f"front/{place}_{member.id}", figure, 0)


def members_table(space: SearchSpace, members: Sequence[Member]) -> str:
    """Write the members of a front as a Markdown table.

    Args:
      space: what names the options.
      members: of the front.

    Returns:
      Markdown.
    """
    lines = [
        "| id | error, 95 % interval | NLL | MACs | parameters | choices |",
        "|---|---|---|---|---|---|",
    ]
    for member in members:
        values, (low, high) = member.objectives, member.interval
        lines.append(
            f"| {member.id} | {100 * values['error']:.2f} % "
            f"[{100 * low:.2f}, {100 * high:.2f}] | {values['nll']:.4f} "
            f"| {values['macs']:,} | {values['params']:,} "
            f"| {choices_text(space, member.genotype)} |"
        )
    return "\n".join(lines)
