"""Which controller finds the best front on trained weights that stay as they are?

Question: on one trained supernet and with one budget, how much larger is the
hypervolume of the front that each controller finds than that of random search's?

Method: of each seed one supernet is trained, once, and every controller searches these
weights, with the keys of the same seed; the seed of training, data split and searches
vary together, so that seeds are independent repetitions. The budget counts what is
evaluated and, in the same unit, what gradient methods are charged for the examples that
they look at: a method that is charged evaluates less. The experiment's own controller
keeps its settings, others have their defaults; a controller that cannot search here,
because an objective has no gradient or the budget buys not one ask, is left out, and
the result says why. Objectives, constraints and costs are the experiment's.

Of each seed, the common front of all controllers sets the scale and the reference
point (its worst values and a tenth of its range more), for all alike; what is given is
the fraction of that box. It is taken on the search split, which the controllers saw,
along the budget and at its end, and of the last fronts, measured again, on the report
split, which nobody chose by. Numbers depend on which controllers are compared.
Differences from random search are paired by seed; intervals are Student's.

Commands:
  python -m experiments.studies.controllers_shared --experiment digits_cells --seeds 5
      --evaluations 300 --date 2026-01-31
  .. --experiment text_gpt --search.objectives nll,macs --where "macs<=1e6"
  .. --experiment vit_tiny --steps 50 --evaluations 60 --seeds 2 --workdir runs/try
      --json runs/try.json                 (to see it work)
Settings of the experiment are changed as `nas run` changes them.

Resumable: a trained supernet, and each search of it, stays in the workdir; run again to
go on, with more seeds or other controllers too. Written, whoever wins, to
experiments/results/controllers_shared_EXPERIMENT.json, and drawn in a PNG file beside.

Expected time, digits_cells: about 6 min of processor time a seed; a minute or two of it
is training, and each search takes 15 to 40 s.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.record import parser, save, show
from experiments.studies.controllers_summary import fields_of
from experiments.studies.shared_figure import shared_figure
from experiments.studies.shared_summary import BASELINE, Searched, rows, summarise
from nas import Experiment
from nas.cli import arguments as command_line
from nas.cli.experiments import load_experiment
from nas.cli.session import apply_given, given_pairs
from nas.errors import UserError
from nas.run import Run
from nas.runtime import compilation_cache
from nas.runtime.workdir import write_json_atomic
from nas.search import Controller, Search, SearchLoop, discover
from nas.stages.search import latency_of, make_loop
from nas.stages.searching import settings_of
from nas.training.averaging import evaluated
from nas.training.keys import role_key
from nas.training.step import State

RESULTS = Path("experiments/results")
RUNS = Path("runs/controllers_shared")
# Besides settings: parts of an experiment, as `nas run` takes them.
OPTIONS = (
    command_line.Option("data", "PATH", "other data"),
    command_line.Option("latency", "FILE", "measured latencies"),
    command_line.Option("where", "CONSTRAINT", "such as macs<=2e5; may be repeated"),
)


def main() -> None:
    """Run all seeds, or what is left of them, print the table and draw the picture."""
    made = parser(__doc__)
    made.allow_abbrev = False
    made.epilog = "What else is given are settings of the experiment, as in `nas run`."
    made.add_argument("--experiment", default="digits_cells", help="a name or a file")
    made.add_argument("--seeds", type=int, default=5)
    made.add_argument("--steps", type=int, help="of training; the experiment's")
    made.add_argument("--evaluations", type=int, help="of each search; likewise")
    made.add_argument("--controllers", help="names with commas; all unless given")
    made.add_argument("--workdir", type=Path, help=f"{RUNS}/EXPERIMENT unless given")
    arguments, rest = made.parse_known_args()
    if not arguments.date:
        made.error("the result needs --date, the day of the measurement")
    if arguments.seeds < 1:
        made.error(f"--seeds is {arguments.seeds}, it must be at least 1")
    compilation_cache.enable()
    try:
        experiment = chosen(arguments, rest)
        arguments.workdir = arguments.workdir or RUNS / experiment.name
        name = f"controllers_shared_{experiment.name}.json"
        arguments.json = arguments.json or RESULTS / name
        result = study(experiment, arguments)
    except UserError as error:
        made.error(str(error))
    show(
        f"{experiment.name}: share of the common box after "
        f"{experiment.search.evaluations} evaluations, charges among them; "
        f"{arguments.seeds} seeds",
        rows(result["controllers"]),
    )
    save(arguments, result)
    figure = arguments.json.with_suffix(".png")
    shared_figure(result, str(figure))
    print(f"Drawn in {figure}")


def chosen(arguments: argparse.Namespace, rest: Sequence[str]) -> Experiment:
    """Give the experiment with the settings of the command line.

    Args:
      arguments: the study's own.
      rest: what else was given.

    Raises:
      UserError: the experiment trains nothing, or a setting is wrong.
    """
    experiment, _ = load_experiment(arguments.experiment)
    if not isinstance(experiment, Experiment):
        raise UserError(
            f"--experiment {arguments.experiment} searches a table and trains no "
            "supernet. Take python -m experiments.studies.controllers_tabular."
        )
    given = given_pairs(command_line.parse(rest, OPTIONS, 0))
    short = {
        "training.steps": arguments.steps,
        "search.evaluations": arguments.evaluations,
    }
    given += tuple((name, str(n)) for name, n in short.items() if n is not None)
    changed: Any = apply_given(experiment, given, OPTIONS)
    return changed


def controllers_of(experiment: Experiment, names: str | None) -> dict[str, Controller]:
    """Make the controllers: random search, then the others.

    Args:
      experiment: whose own controller keeps its settings.
      names: with commas; None: all.

    Raises:
      UserError: there is no such controller.
    """
    own = experiment.search.controller
    known: dict[str, Controller] = {n: made() for n, made in discover().items()}
    known |= {own.NAME: own}
    wanted = sorted(known) if names is None else names.split(",")
    for name in wanted:
        if name not in known:
            raise UserError(
                f"--controllers: {name!r} is none. Allowed: {', '.join(sorted(known))}."
            )
    return {name: known[name] for name in dict.fromkeys([BASELINE, *wanted])}


def study(experiment: Experiment, arguments: argparse.Namespace) -> dict[str, Any]:
    """Carry out what is left, and sum it up.

    Args:
      experiment: what is trained and searched.
      arguments: seeds, controllers and workdir.

    Returns:
      JSON values.
    """
    controllers = controllers_of(experiment, arguments.controllers)
    searches = {
        name: dataclasses.replace(experiment.search, controller=controller)
        for name, controller in controllers.items()
    }
    found: list[dict[str, Searched]] = []
    left_out: dict[str, str] = {}
    for seed in range(arguments.seeds):
        folder = arguments.workdir / f"seed_{seed}"
        varied = dataclasses.replace(experiment, seed=seed, data_seed=seed)
        with Run(varied, folder) as run:
            found.append(seed_result(run, searches, folder, left_out))
    search = experiment.search
    return {
        "experiment": experiment.name,
        "training_steps": experiment.training.steps,
        "objectives": list(search.objectives),
        "where": list(search.where),
        "budget": search.evaluations,
        "seeds": list(range(arguments.seeds)),
        "settings": fields_of(controllers),
        "left_out": left_out,
    } | summarise(found, search.evaluations)


def seed_result(
    run: Run, searches: Mapping[str, Search], folder: Path, left_out: dict[str, str]
) -> dict[str, Searched]:
    """Train one seed and search it by everyone, or read what an earlier run left.

    Args:
      run: of the seed; it has opened its folder, which refuses other settings.
      searches: by controller, random search first.
      folder: of the seed.
      left_out: takes the reasons of controllers that cannot search here.

    Returns:
      What each controller found.
    """
    places = {name: folder / f"search_{name}.json" for name in searches}
    found = {name: read(places[name], run, searches[name]) for name in searches}
    if all(found.values()):
        return {name: known for name, known in found.items() if known is not None}
    loop = trained_loop(run, run.train())
    done: dict[str, Searched] = {}
    for name, search in searches.items():
        known = found[name]
        if known is None:
            try:
                known = carried_out(run, dataclasses.replace(loop, search=search))
            except UserError as error:
                if name == BASELINE:
                    raise  # then nobody can search
                left_out[name] = str(error)
                run.notify(f"{name} is left out: {error}")
                continue
            known = {"settings": settings_of(search, latency_of(run))} | known
            write_json_atomic(places[name], known)
            run.notify(f"seed {run.experiment.seed}, {name}: {known['seconds']:.0f} s")
        done[name] = known
    return done


def read(path: Path, run: Run, search: Search) -> Searched | None:
    """Read a search that is done; None if it is not, or had other settings."""
    if not path.exists():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if found["settings"] == settings_of(search, latency_of(run)) else None


def trained_loop(run: Run, trained: State) -> SearchLoop:
    """Bind the experiment's search to the trained weights."""

    def evaluate(genotypes: np.ndarray) -> dict[str, np.ndarray]:
        return measured(run, trained, genotypes, "search")

    return make_loop(run, evaluate, trained)


def measured(
    run: Run, trained: State, genotypes: np.ndarray, split: str
) -> dict[str, np.ndarray]:
    """Measure `int32[P, D]` on a split: numbers `[P]` by column."""
    return run.evaluator.evaluate(
        evaluated(trained), trained["allowed"], genotypes, run.on_device(split)
    )


def carried_out(run: Run, loop: SearchLoop) -> dict[str, Any]:
    """Search the trained weights, and measure the front on the report split.

    Args:
      run: after training.
      loop: with the controller.

    Returns:
      `at` and `points` of what was evaluated, in order: how much of the budget was used
      then, and its objectives; whether each is `feasible`; rows of the `front`, and
      their objectives on the `report` split; `evaluations`, what was `charged` besides,
      and processor `seconds`.

    Raises:
      UserError: this controller cannot search here.
    """
    begin = time.process_time()
    state = loop.init(role_key(run.experiment.seed, "search", 0))
    at: list[float] = []
    while not loop.done(state):
        before = int(state["evaluations"])
        state = loop.step(state)
        counts = np.arange(before, int(state["evaluations"])) + 1
        at += (counts + float(state["charged"])).tolist()
    seconds = time.process_time() - begin
    archive, objectives = loop.archive(state), loop.search.objectives
    genotypes, front = archive.genotypes[: len(archive)], loop.front(state)
    report = np.zeros((0, len(objectives)))
    if run.state is not None and len(front):
        values = measured(run, run.state, genotypes[front], "report")
        report = np.stack([values[name] for name in objectives], 1)
    return {
        "evaluations": int(state["evaluations"]),
        "charged": float(state["charged"]),
        "seconds": seconds,
        "at": at,
        "points": archive.lookup(genotypes, objectives).tolist(),
        "feasible": loop.feasible_rows(archive).tolist(),
        "front": front.tolist(),
        "report": report.astype(np.float64).tolist(),
    }


if __name__ == "__main__":
    main()
