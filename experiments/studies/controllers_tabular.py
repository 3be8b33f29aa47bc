"""Which controller finds most in a table, beside random search, and how soon?

Question: on NAS-Bench-201's CIFAR-10 table, where the best is known, what does each
black-box controller add to random search at equal look-ups? Regret with one objective;
with error and latency, the hypervolume relative to the true front's, on three devices.

Method: that of `nasbench201_tabular`: look-ups are of one training of 200 epochs and
have no noise, and the reported regret is by the mean of the other seeds. What a search
sees is the deciding regret; it can reach zero, which the reported one need not. Budgets
count distinct architectures that were looked up. Every controller has its defaults, and
searches with the keys of the same seeds, of which medians and quartiles are given. A
difference from random search is paired by seed; its interval is a percentile bootstrap
of the mean, 95 %. Controllers that need gradients have none in a table, and are left
out. With --pymoo, the NSGA-II of that library stands beside ours where there are two
objectives, with the same population, crossover and budget, and its own survival.

Command: python -m experiments.studies.controllers_tabular --seeds 100 --date 2026-01-31
With what comes with this package: .. --table mnist_625

Resumable: each search that is done is a line of a file under runs/; run again to go on.
Processes with different --controllers may share the work; the last one without sums up.

Expected time: 0.7 s a seed and task on one core with all controllers, 5 minutes for 100
seeds of the four tasks, and what compiling takes.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.record import parse, parser, save, show
from experiments.studies.controllers_figure import controllers_figure
from experiments.studies.controllers_summary import GRID_STEP, fields_of, summarise
from nas.cli.experiments import load_experiment
from nas.errors import UserError
from nas.search import Controller, discover
from nas.search.loop import SearchLoop
from nas.tabular import TabularRun
from nas.tabular.optimum import Optimum
from nas.training.keys import role_key

RESULT = Path("experiments/results/controllers_tabular.json")
FOLDER = Path("runs/controllers_tabular")
PYMOO = "pymoo_nsga2"
POPULATION = 50
TABLES = {
    "nasbench201": ("latency_ms_1080ti_1", "latency_ms_pixel3", "latency_ms_raspi4"),
    "digits_625": ("macs",),
    "mnist_625": ("macs",),
}
"""Tables by name, and the costs that each is searched with besides error alone."""

Curves = dict[str, np.ndarray]
"""float64[A] by name: what a search had reached after each look-up."""


@dataclasses.dataclass(frozen=True)
class Task:
    """One way of searching a table.

    Attributes:
      run: the table, bound to the objectives.
      evaluations: the budget.
    """

    run: TabularRun
    evaluations: int

    @property
    def name(self) -> str:
        """The objectives."""
        return "+".join(self.run.experiment.search.objectives)

    def loop(self, controller: Controller) -> SearchLoop:
        """Bind a controller to the table."""
        search = dataclasses.replace(
            self.run.loop.search, controller=controller, evaluations=self.evaluations
        )
        return dataclasses.replace(self.run.loop, search=search)


def main() -> None:
    """Run all seeds, or those that are left, print the table and draw the picture."""
    made = parser(__doc__)
    made.set_defaults(json=RESULT)
    made.add_argument("--table", choices=sorted(TABLES), default="nasbench201")
    made.add_argument("--root", default="", help="of the published files; or NAS_DATA")
    made.add_argument("--seeds", type=int, default=100)
    made.add_argument("--evaluations", type=int, default=300)
    made.add_argument("--controllers", help="names with commas; all unless given")
    made.add_argument("--pymoo", action="store_true", help="its NSGA-II beside ours")
    made.add_argument("--workdir", type=Path, default=FOLDER)
    arguments = parse(made)
    if arguments.json == RESULT and arguments.table != "nasbench201":
        arguments.json = RESULT.with_stem(f"controllers_{arguments.table}")
    try:
        result = study(arguments)
    except UserError as error:
        made.error(str(error))
    for title, rows in result.pop("tables").items():
        show(title, rows)
    save(arguments, result)
    figure = arguments.json.with_suffix(".png")
    controllers_figure(result, str(figure))
    print(f"Drawn in {figure}")


def study(arguments: argparse.Namespace) -> dict[str, Any]:
    """Carry out what is left of every task, and sum it up.

    Args:
      arguments: of the command line.

    Returns:
      JSON values, and `tables` to print.
    """
    tasks = list(make_tasks(arguments.table, arguments.root, arguments.evaluations))
    controllers = black_box(tasks[0].run, arguments.controllers)
    found: dict[str, Any] = {}
    for task in tasks:
        searches = {name: ours(task, made) for name, made in controllers.items()}
        if arguments.pymoo and len(task.run.loop.search.objectives) > 1:
            searches[PYMOO] = theirs(task)
        found[task.name] = {
            name: results(task, name, search, arguments)
            for name, search in searches.items()
        }
    facts = {task.name: describe(task.run.optimum) for task in tasks}
    return {
        "table": tasks[0].run.config["table"],
        "evaluations": arguments.evaluations,
        "seeds": arguments.seeds,
        "controllers": fields_of(controllers),
        "tasks": facts,
    } | summarise(found, arguments.evaluations)


def make_tasks(table: str, root: str, evaluations: int) -> Iterator[Task]:
    """Load a table once for each set of objectives.

    Args:
      table: of `TABLES`.
      root: of the published files.
      evaluations: the budget.

    Yields:
      The tasks: error alone, then error with each cost.
    """
    name = f"{table}_tabular"
    experiment: Any = load_experiment(name)[0]
    if root:
        truth = dataclasses.replace(experiment.truth, root=root)
        experiment = dataclasses.replace(experiment, truth=truth)
    for objectives in (("error",), *(("error", cost) for cost in TABLES[table])):
        search = dataclasses.replace(
            experiment.search, objectives=objectives, evaluations=evaluations
        )
        run = TabularRun(dataclasses.replace(experiment, search=search), None)
        yield Task(run, evaluations)


def black_box(run: TabularRun, names: str | None) -> dict[str, Controller]:
    """Make the controllers that need nothing but look-ups.

    Args:
      run: of a table, which has no gradients.
      names: with commas; None: all.

    Returns:
      Controllers with their defaults, by name.

    Raises:
      UserError: there is no such controller, or it needs gradients.
    """
    known = {name: made() for name, made in discover().items()}
    able = {}
    for name, controller in known.items():
        try:
            controller.init(role_key(0, "search"), run.loop.problem)
        except UserError:
            continue  # it says that it needs gradients
        able[name] = controller
    if names is None:
        return able
    for name in names.split(","):
        if name not in able:
            raise UserError(
                f"--controllers: {name!r} is none that a table can serve. Allowed: "
                f"{', '.join(able)}."
            )
    return {name: able[name] for name in names.split(",")}


def ours(task: Task, controller: Controller) -> Callable[[int], Curves]:
    """Give a function from a seed to the curves of one search."""
    loop = task.loop(controller)

    def search(seed: int) -> Curves:
        state = loop.init(role_key(seed, "search", 0))
        while not loop.done(state):
            state = loop.step(state)
        archive = loop.archive(state)
        return curves(task.run, archive.genotypes[: len(archive)])

    return search


def theirs(task: Task, population: int = POPULATION) -> Callable[[int], Curves]:
    """Do the same for the NSGA-II of pymoo."""
    from experiments.studies.pymoo_nsga2 import looked_up

    loop = task.run.loop

    def search(seed: int) -> Curves:
        genotypes = looked_up(loop, task.evaluations, population, seed)
        return curves(task.run, genotypes)

    return search


def curves(run: TabularRun, genotypes: np.ndarray) -> Curves:
    """Say what was reached after each look-up.

    Args:
      run: of the table, with the objectives.
      genotypes: `int32[A, D]`, in the order in which they were looked up.

    Returns:
      With one objective the regrets, with several the share of the hypervolume.
    """
    rows, optimum = run.lookup.rows(genotypes), run.optimum
    if len(run.loop.search.objectives) > 1:
        return {"hypervolume": optimum.shares(rows)}
    found = optimum.regrets(rows, np.ones(len(rows), bool))
    return {name.removeprefix("search/"): values for name, values in found.items()}


def results(
    task: Task,
    name: str,
    search: Callable[[int], Curves],
    arguments: argparse.Namespace,
) -> list[dict[str, Any]]:
    """Carry out the seeds that are left, each a line of a file.

    Args:
      task: what is searched.
      name: of the controller.
      search: gives the curves of a seed.
      arguments: for the seeds and the folder.

    Returns:
      Of each seed: `seed`, processor `seconds`, and its curves at the grid.
    """
    table = task.run.lookup.table.hash
    folder = arguments.workdir / arguments.table / str(arguments.evaluations)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task.name}.{name}.jsonl"
    done = read_lines(path, table)
    with path.open("a", encoding="utf-8") as file:
        for seed in range(arguments.seeds):
            if seed in done:
                continue
            begin = time.process_time()
            found = search(seed)
            line = {"seed": seed, "seconds": time.process_time() - begin}
            line |= {"table": table} | on_grid(found, arguments.evaluations)
            file.write(json.dumps(line) + "\n")
            file.flush()
            done[seed] = line
    latest = done[arguments.seeds - 1]
    print(f"{task.name}, {name}: {arguments.seeds} seeds, {latest['seconds']:.2f} s")
    return [done[seed] for seed in range(arguments.seeds)]


def read_lines(path: Path, table: str) -> dict[int, dict[str, Any]]:
    """Read the searches that are done; a line cut short by a kill is dropped."""
    if not path.exists():
        return {}
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if line.get("table") == table:
            lines.append(line)
    # Written again whole, so that a new line never follows half of one.
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {line["seed"]: line for line in lines}


def on_grid(found: Curves, evaluations: int) -> dict[str, list[float]]:
    """Keep every tenth value; a space that is exhausted keeps its last one."""
    grid = np.arange(GRID_STEP, evaluations + 1, GRID_STEP) - 1
    return {
        name: [float(f"{v:.6g}") for v in values[np.minimum(grid, len(values) - 1)]]
        for name, values in found.items()
    }


def describe(optimum: Optimum) -> dict[str, Any]:
    """Say what the best of a task is."""
    lookup, space = optimum.lookup, optimum.lookup.table.space
    best, perfect = optimum.best, optimum.best_deciding
    reported = lookup.reported()
    facts = {
        "architectures": len(optimum.allowed),
        "best": space.id(lookup.table.genotypes[best]),
        "best_error": float(reported[best]),
        "best_by_deciding_seed": space.id(lookup.table.genotypes[perfect]),
        "its_error": float(reported[perfect]),
    }
    if len(optimum.loop.search.objectives) > 1:
        facts["true_front"] = len(optimum.true_front)
    return facts


if __name__ == "__main__":
    main()
