"""Search the trained supernet: the loop around a controller.

A search may be repeated with another controller or other constraints; each is numbered,
has checkpoints of its own, and starts from the archive of those before it.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.errors import UserError
from nas.evaluation.evaluate import COLUMNS
from nas.experiment import to_json
from nas.runtime.checkpoint import Checkpoints
from nas.runtime.metrics import MetricsWriter
from nas.runtime.processes import barrier, is_main
from nas.runtime.progress import Progress
from nas.runtime.signals import StopSignals
from nas.runtime.workdir import write_json_atomic
from nas.search.archive import Archive
from nas.search.loop import SearchLoop
from nas.stages.train import closing, load_trained
from nas.training.averaging import evaluated
from nas.training.step import role_key

if TYPE_CHECKING:
    from nas.run import Run

SETTINGS = "settings.json"


def search(run: "Run") -> np.ndarray:
    """Search, or go on with the same search; see `Run.search`."""
    trained = load_trained(run)
    device = run.on_device("search")

    def evaluate(genotypes: np.ndarray) -> dict[str, np.ndarray]:
        return run.evaluator.evaluate(
            evaluated(trained), trained["allowed"], genotypes, device
        )

    loop = make_loop(run, evaluate)
    number, folder, offset = _which(run)
    before = _archive_before(run, number)
    state = loop.init(role_key(run.experiment.seed, "search", number), before)
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
        state = _advance(run, loop, state, checkpoints, number, offset)
    run.searched = (loop, state)
    archive = loop.archive(state)
    return archive.genotypes[loop.front(state)]


def make_loop(run: "Run", evaluate: Any) -> SearchLoop:
    """Bind the experiment's search to a way of evaluating."""
    supernet = run.supernet
    return SearchLoop(
        run.experiment.search, supernet.space, COLUMNS, evaluate, supernet.costs
    )


def _advance(
    run: "Run",
    loop: SearchLoop,
    state: Any,
    checkpoints: Checkpoints | None,
    number: int,
    offset: int | None,
) -> Any:
    # Here, because importing matplotlib takes as long as all the rest.
    from nas.report.tensorboard import show_search

    writer = None
    if run.workdir is not None:
        writer = MetricsWriter(
            run.workdir, offset, int(state["evaluations"]) + 1, run=f"search_{number}"
        )
    total = run.experiment.search.evaluations
    with (
        StopSignals() as stop,
        Progress("search", total, int(state["evaluations"]), "architectures") as bar,
        closing(writer, checkpoints),
    ):
        while not loop.done(state):
            state = loop.step(state)
            values = _summary(loop, state)
            bar.update(
                int(state["evaluations"]),
                hypervolume=values["search/hypervolume"],
                front=values["search/front_size"],
            )
            if writer is not None:
                writer.scalars(int(state["evaluations"]), values)
                show_search(writer, loop, state)
            if checkpoints is not None and writer is not None:
                generation = int(state["generation"])
                checkpoints.save(generation, state, {"metrics_offset": writer.offset()})
                _write_archive(run, loop, state)
            if stop.agreed():
                raise stop.interrupted(int(state["generation"]))
    return state


def _summary(loop: SearchLoop, state: Any) -> dict[str, float]:
    archive = loop.archive(state)
    return {
        "search/evaluations": int(state["evaluations"]),
        "search/front_size": len(loop.front(state)),
        "search/hypervolume": loop.hypervolume(state),
        "search/best_nll": float(archive.column("nll").min()),
        "search/best_error": float(archive.column("error").min()),
    }


def _write_archive(run: "Run", loop: SearchLoop, state: Any) -> None:
    if run.workdir is not None and is_main():
        loop.archive(state).write_csv(run.workdir.archive)


def _which(run: "Run") -> tuple[int, Path | None, int | None]:
    """Say which search this is: the latest, if it has the same settings, or the next.

    Returns:
      Its number, its folder, and the size of the log when it began.
    """
    if run.workdir is None:
        return 0, None, None
    # Process 0 decides, and only then do all look: they must not see two answers.
    if is_main():
        _begin(run)
    barrier("search settings")
    folders = search_folders(run.workdir.checkpoints)
    begun = json.loads((folders[-1] / SETTINGS).read_text())
    return len(folders) - 1, folders[-1], begun["metrics_offset"]


def _begin(run: "Run") -> None:
    """Make the folder of the next search, unless the latest has the same settings."""
    assert run.workdir is not None
    settings = to_json(run.experiment.search)
    folders = search_folders(run.workdir.checkpoints)
    if folders:
        begun = json.loads((folders[-1] / SETTINGS).read_text())
        if begun["search"] == settings:
            return
    folder = run.workdir.checkpoints / f"search_{len(folders)}"
    metrics = run.workdir.metrics
    offset = metrics.stat().st_size if metrics.exists() else 0
    folder.mkdir(parents=True, exist_ok=True)
    write_json_atomic(folder / SETTINGS, {"search": settings, "metrics_offset": offset})


def search_folders(checkpoints: Path) -> list[Path]:
    """List the folders of the searches that were begun, in order."""
    folders = []
    while (checkpoints / f"search_{len(folders)}" / SETTINGS).exists():
        folders.append(checkpoints / f"search_{len(folders)}")
    return folders


def _archive_before(run: "Run", number: int) -> Archive | None:
    """Read what earlier searches evaluated."""
    if number == 0 or run.workdir is None:
        return None
    if not run.workdir.archive.exists():
        raise UserError(
            f"{run.workdir.archive} is missing; earlier searches of this run wrote it. "
            "Put it back, or search in another workdir."
        )
    return Archive.read_csv(
        run.workdir.archive, run.supernet.space, COLUMNS, before=number
    )
