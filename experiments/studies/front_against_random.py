"""Does NSGA-II find a better front than random search, at the same evaluations?

Question: on one trained supernet and with one budget, how much larger is the
hypervolume of the front that the experiment's controller finds than that of random
search? Both controllers of a seed query the same weights; the seed of the training and
that of the searches vary together, so that seeds are independent repetitions.

Method: of each seed, the union of what both controllers evaluated sets the scale and
the reference point (its worst values and a tenth of its range more), for both alike.
The hypervolume of a front is taken on the search split, which the controllers saw, and
again on the report split, which nobody chose by. Differences are paired by seed; the
interval is a percentile bootstrap of their mean, which with five seeds is a rough one.

Command: python -m experiments.studies.front_against_random --date 2026-01-31

Resumable: each seed has a workdir; run again to go on. The result is written to
experiments/results/front_against_random.json, whichever wins.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.blocks import bootstrap
from experiments.benchmarks.record import parse, parser, save, show
from nas import Experiment
from nas.cli.experiments import load_experiment
from nas.errors import UserError
from nas.evaluation.evaluate import COLUMNS
from nas.run import Run
from nas.runtime.workdir import write_json_atomic
from nas.search import RandomSearch, Search
from nas.search.archive import Archive
from nas.search.loop import SearchLoop
from nas.search.pareto import hypervolume
from nas.training.step import State, role_key

RESULT = Path("experiments/results/front_against_random.json")
SPLITS = ("search", "report")
MARGIN = 0.1


def main() -> None:
    """Run all seeds, or those that are left, and print the table."""
    made = parser(__doc__)
    made.set_defaults(json=RESULT)
    made.add_argument("--experiment", default="digits_cells")
    made.add_argument("--seeds", type=int, default=5)
    made.add_argument("--steps", type=int, help="of training; the experiment's")
    made.add_argument("--evaluations", type=int, help="of each search; likewise")
    made.add_argument("--workdir", type=Path, default=Path("runs/front_against_random"))
    arguments = parse(made)
    try:
        experiment = chosen(arguments)
        seeds = [seed_result(experiment, s, arguments) for s in range(arguments.seeds)]
    except UserError as error:
        made.error(str(error))
    save(arguments, summary(experiment, seeds))


def chosen(arguments: argparse.Namespace) -> Experiment:
    """Give the experiment with the steps and evaluations of the command line."""
    experiment, _ = load_experiment(arguments.experiment)
    training, search = experiment.training, experiment.search
    if arguments.steps is not None:
        training = dataclasses.replace(training, steps=arguments.steps)
    if arguments.evaluations is not None:
        search = dataclasses.replace(search, evaluations=arguments.evaluations)
    return dataclasses.replace(experiment, training=training, search=search)


def seed_result(
    experiment: Experiment, seed: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Train one seed and search it twice, or read what an earlier run left.

    Args:
      experiment: what is trained and searched.
      seed: of the training and of the searches.
      arguments: for the workdir.

    Returns:
      The hypervolumes of both fronts on both splits, and the sizes of the fronts.
    """
    folder = arguments.workdir / f"seed_{seed}"
    with Run(dataclasses.replace(experiment, seed=seed), folder) as run:
        # After the run opened its folder, which refuses other settings.
        path = folder / "front_against_random.json"
        budget = experiment.search.evaluations
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["evaluations"] == budget:
                return found
        found = compare(run, run.train(), seed) | {"evaluations": budget}
        write_json_atomic(path, found)
    return found


def compare(run: Run, trained: State, seed: int) -> dict[str, Any]:
    """Search with both controllers and measure their fronts."""
    search = run.experiment.search
    own = search.controller.NAME
    fronts = {
        own: search_front(run, trained, search, seed),
        "random": search_front(
            run, trained, dataclasses.replace(search, controller=RandomSearch()), seed
        ),
    }
    points = np.concatenate([evaluated for evaluated, _ in fronts.values()])
    result: dict[str, Any] = {"seed": seed, "front": {}, "hypervolume": {}}
    for name, (_, front) in fronts.items():
        result["front"][name] = len(front)
        result["hypervolume"][name] = {
            split: volume(measured(run, trained, front, split), points)
            for split in SPLITS
        }
    return result


def search_front(
    run: Run, trained: State, search: Search, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Search the trained weights.

    Args:
      run: for the evaluator and the search split.
      trained: the trained state.
      search: with the controller.
      seed: of the search.

    Returns:
      `float64[A, M]`, the objectives of all that was evaluated, and `int32[F, D]`, the
      front.
    """
    device = run.on_device("search")

    def evaluate(genotypes: np.ndarray) -> dict[str, np.ndarray]:
        return run.evaluator.evaluate(
            trained["params"], trained["allowed"], genotypes, device
        )

    supernet = run.supernet
    loop = SearchLoop(search, supernet.space, COLUMNS, evaluate, supernet.costs)
    state = loop.init(role_key(seed, "search", 0))
    while not loop.done(state):
        state = loop.step(state)
    archive: Archive = loop.archive(state)
    genotypes = archive.genotypes[: len(archive)]
    points = archive.lookup(genotypes, search.objectives)
    return points, archive.genotypes[loop.front(state)]


def measured(run: Run, trained: State, front: np.ndarray, split: str) -> np.ndarray:
    """Measure a front on a split: `float64[F, M]`."""
    values = run.evaluator.evaluate(
        trained["params"], trained["allowed"], front, run.on_device(split)
    )
    return np.stack([values[name] for name in run.experiment.search.objectives], 1)


def volume(front: np.ndarray, points: np.ndarray) -> float:
    """Measure a front by the scale of given points.

    Args:
      front: `float64[F, M]`.
      points: `float64[A, M]`; one unit of an objective is their range.

    Returns:
      The hypervolume as a fraction of the box between the points' best values and the
      reference.
    """
    best, worst = points.min(0), points.max(0)
    scale = np.where(worst > best, worst - best, 1.0)
    reference = (worst - best) / scale + MARGIN
    return hypervolume((front - best) / scale, reference) / float(np.prod(reference))


def summary(experiment: Experiment, seeds: list[dict[str, Any]]) -> dict[str, Any]:
    """Pair the seeds, print the table, and give all as JSON values."""
    own = experiment.search.controller.NAME
    rows: list[list[Any]] = [
        ["seed", f"{own}, search", "random, search", f"{own}, report", "random, report"]
    ]
    for found in seeds:
        volumes = found["hypervolume"]
        cells = [f"{volumes[name][s]:.4f}" for s in SPLITS for name in (own, "random")]
        rows.append([found["seed"], *cells])
    show(
        f"{experiment.name}: hypervolume of the fronts after "
        f"{experiment.search.evaluations} evaluations, by split",
        rows,
    )
    paired = {split: difference(seeds, own, split) for split in SPLITS}
    for split, found in paired.items():
        print(
            f"  {split} split: {own} minus random {found['mean']:+.4f} "
            f"({found['low']:+.4f} to {found['high']:+.4f}), {own} is ahead in "
            f"{found['wins']} of {len(seeds)} seeds"
        )
    return {
        "experiment": experiment.name,
        "training_steps": experiment.training.steps,
        "evaluations": experiment.search.evaluations,
        "objectives": experiment.search.objectives,
        "controllers": [own, "random"],
        "seeds": seeds,
        "paired_difference": paired,
    }


def difference(seeds: list[dict[str, Any]], own: str, split: str) -> dict[str, Any]:
    """Give the mean paired difference of hypervolumes with its interval."""
    volumes = [found["hypervolume"] for found in seeds]
    each = np.array([v[own][split] - v["random"][split] for v in volumes])
    low, high = bootstrap(each, np.mean)
    return {
        "mean": float(each.mean()),
        "low": low,
        "high": high,
        "each": each.tolist(),
        "wins": int((each > 0).sum()),
    }


if __name__ == "__main__":
    main()
