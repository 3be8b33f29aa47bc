"""Carry out a search: the loop with its checkpoints, log, archive and progress.

What is searched, and how architectures are evaluated, is the `SearchLoop` that is
handed in: a trained supernet or a table of measurements alike. A search may be repeated
with another controller or other constraints; each is numbered, has checkpoints of its
own, and starts from the archive of those before it.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas.any_run import AnyRun
from nas.errors import UserError
from nas.experiment import to_json
from nas.runtime.checkpoint import Checkpoints
from nas.runtime.metrics import MetricsWriter
from nas.runtime.processes import barrier, is_main
from nas.runtime.progress import Progress
from nas.runtime.signals import StopSignals
from nas.runtime.workdir import Workdir, write_json_atomic
from nas.search.archive import Archive
from nas.search.base import State
from nas.search.loop import Search, SearchLoop
from nas.stages.train import closing
from nas.training.keys import role_key

SETTINGS = "settings.json"
QUALITIES = ("nll", "error")

Histories = Callable[[SearchLoop, State], Mapping[str, np.ndarray]]
"""float64[A] by name of a scalar: its value after each architecture evaluated."""


def carry_out(
    run: AnyRun[Any],
    loop: SearchLoop,
    seed: int,
    histories: Histories | None = None,
    latency: str | None = None,
) -> np.ndarray:
    """Search, or go on with the same search, or find that it is done.

    Args:
      run: what the search belongs to; its `searched` is set.
      loop: the search, bound to what evaluates.
      seed: of the experiment; with the number of the search, it decides everything.
      histories: what else to log, once for each evaluation.
      latency: the fingerprint of the latencies that the search asks for, if it does:
        with others it is another search.

    Returns:
      `int32[F, D]`, the Pareto front of what was evaluated.

    Raises:
      UserError: an evaluation gave no number, or files of the run are missing.
      Interrupted: told to stop; the same call goes on.
    """
    loop.check()  # before a folder says that this search has begun
    number, folder, offset = _which(run, settings_of(loop.search, latency))
    before = _archive_before(run, loop, number)
    state = loop.init(role_key(seed, "search", number), before)
    checkpoints = None
    if folder is not None and run.workdir is not None:
        checkpoints = Checkpoints(folder, warn=run.notify)
        restored = checkpoints.restore_latest(state)
        if restored is not None:
            _, state, metadata = restored
            offset = metadata["metrics_offset"]
            # Killed between the two, a run has this checkpoint but not its archive.
            _write_archive(run, loop, state)
    if loop.done(state):
        run.notify(f"Search {number} is done: {int(state['evaluations'])} evaluations.")
    else:
        _tell_blind(run, loop.search)
        state = _advance(run, loop, state, checkpoints, number, offset, histories)
        _tell_charged(run, loop, state)
    run.searched = (loop, state)
    archive = loop.archive(state)
    return archive.genotypes[loop.front(state)]


def _tell_blind(run: AnyRun[Any], search: Search) -> None:
    """Say so where the budget ends before the controller has learnt anything."""
    controller, budget = search.controller, search.evaluations
    if budget <= controller.blind:
        run.notify(
            f"{controller.NAME} draws its first {controller.blind} architectures at "
            f"random, and the budget is {budget}: this is random search. Raise "
            "search.evaluations, or let the controller propose fewer before it learns."
        )


def _tell_charged(run: AnyRun[Any], loop: SearchLoop, state: State) -> None:
    """Say what a controller spent besides evaluating, or the budget seems unused."""
    charged, done = float(state["charged"]), int(state["evaluations"])
    if charged > 0:
        run.notify(
            f"{done} architectures were evaluated; steps of "
            f"{loop.search.controller.NAME} cost as much as {charged:.1f} more. That "
            f"uses the budget of {loop.search.evaluations}: one more ask costs "
            f"{loop.overhead:.1f} before it proposes anything."
        )


def _advance(
    run: AnyRun[Any],
    loop: SearchLoop,
    state: State,
    checkpoints: Checkpoints | None,
    number: int,
    offset: int | None,
    histories: Histories | None,
) -> State:
    # Here, because importing matplotlib takes as long as all the rest.
    from nas.report.tensorboard import show_search

    writer = None
    if run.workdir is not None:
        writer = MetricsWriter(
            run.workdir, offset, int(state["evaluations"]) + 1, run=f"search_{number}"
        )
    total = loop.search.evaluations
    with (
        StopSignals() as stop,
        Progress("search", total, int(state["evaluations"]), "architectures") as bar,
        closing(writer, checkpoints),
    ):
        while not loop.done(state):
            begun = int(state["evaluations"])
            state = loop.step(state)
            values = _summary(loop, state)
            bar.update(
                int(state["evaluations"]),
                hypervolume=values["search/hypervolume"],
                front=values["search/front_size"],
            )
            if writer is not None:
                if histories is not None:
                    _log_each(writer, histories(loop, state), begun, state)
                writer.scalars(int(state["evaluations"]), values)
                show_search(writer, loop, state)
            if checkpoints is not None and writer is not None:
                generation = int(state["generation"])
                checkpoints.save(generation, state, {"metrics_offset": writer.offset()})
                _write_archive(run, loop, state)
            if stop.agreed():
                raise stop.interrupted(int(state["generation"]))
    return state


def _log_each(
    writer: MetricsWriter, found: Mapping[str, np.ndarray], begun: int, state: State
) -> None:
    """Log what is known after each of the latest evaluations; `begun` is before them.

    Rows of earlier searches come first in the archive, and are no steps of this one.
    """
    done = int(state["evaluations"])
    earlier = int(state["archive"]["count"]) - done
    for step in range(begun + 1, done + 1):
        row = earlier + step - 1
        writer.scalars(step, {name: values[row] for name, values in found.items()})


def _summary(loop: SearchLoop, state: State) -> dict[str, float]:
    archive = loop.archive(state)
    best = {
        f"search/best_{name}": float(archive.column(name).min())
        for name in QUALITIES
        if name in archive.columns
    }
    told = loop.search.controller.scalars(state["controller"], loop.problem)
    return {
        "search/evaluations": int(state["evaluations"]),
        "search/charged": float(state["charged"]),
        "search/front_size": len(loop.front(state)),
        "search/hypervolume": loop.hypervolume(state),
        **best,
        **{f"controller/{name}": value for name, value in told.items()},
    }


def _write_archive(run: AnyRun[Any], loop: SearchLoop, state: State) -> None:
    if run.workdir is not None and is_main():
        loop.archive(state).write_csv(run.workdir.archive)


def _which(
    run: AnyRun[Any], settings: dict[str, Any]
) -> tuple[int, Path | None, int | None]:
    """Say which search this is: the latest, if it has the same settings, or the next.

    Returns:
      Its number, its folder, and the size of the log when it began.
    """
    if run.workdir is None:
        return 0, None, None
    # Process 0 decides, and only then do all look: they must not see two answers.
    if is_main():
        _begin(run.workdir, settings)
    barrier("search settings")
    folders = search_folders(run.workdir.checkpoints)
    begun = json.loads((folders[-1] / SETTINGS).read_text())
    return len(folders) - 1, folders[-1], begun["metrics_offset"]


def settings_of(search: Search, latency: str | None = None) -> dict[str, Any]:
    """Write all that makes a search another one, as it is kept; see `carry_out`."""
    return to_json(search) | ({} if latency is None else {"latency": latency})


def _begin(workdir: Workdir, settings: dict[str, Any]) -> None:
    """Make the folder of the next search, unless the latest has the same settings."""
    folders = search_folders(workdir.checkpoints)
    if folders:
        begun = json.loads((folders[-1] / SETTINGS).read_text())
        if begun["search"] == settings:
            return
    folder = workdir.checkpoints / f"search_{len(folders)}"
    metrics = workdir.metrics
    offset = metrics.stat().st_size if metrics.exists() else 0
    folder.mkdir(parents=True, exist_ok=True)
    write_json_atomic(folder / SETTINGS, {"search": settings, "metrics_offset": offset})


def search_folders(checkpoints: Path) -> list[Path]:
    """List the folders of the searches that were begun, in order."""
    folders = []
    while (checkpoints / f"search_{len(folders)}" / SETTINGS).exists():
        folders.append(checkpoints / f"search_{len(folders)}")
    return folders


def latest_search(checkpoints: Path) -> Any:
    """Read the settings of the search that was begun last, None if there is none."""
    folders = search_folders(checkpoints)
    if not folders:
        return None
    return json.loads((folders[-1] / SETTINGS).read_text(encoding="utf-8"))["search"]


def _archive_before(run: AnyRun[Any], loop: SearchLoop, number: int) -> Archive | None:
    """Read what earlier searches evaluated."""
    if number == 0 or run.workdir is None:
        return None
    if not run.workdir.archive.exists():
        raise UserError(
            f"{run.workdir.archive} is missing; earlier searches of this run wrote it. "
            "Put it back, or search in another workdir."
        )
    return Archive.read_csv(
        run.workdir.archive, loop.space, loop.columns, number, loop.costs
    )
