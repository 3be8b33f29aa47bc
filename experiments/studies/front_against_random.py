"""Does NSGA-II find a better front than random search, at the same evaluations?

Question: on one trained supernet and with one budget, how much larger is the
hypervolume of the front that the experiment's controller finds than that of random
search? Both controllers of a seed query the same weights; the seed of the training and
that of the searches vary together, so that seeds are independent repetitions.

Method: of each seed, the front of both fronts together sets the scale and the reference
point (its worst values and a tenth of its range more), for both alike; what is given is
the fraction of the box between its best values and the reference. It is taken on the
search split, which the controllers saw, and again on the report split, which nobody
chose by. Differences are paired by seed; the interval is a percentile bootstrap of
their mean, which with five seeds is a rough one.

Command: python -m experiments.studies.front_against_random --date 2026-01-31

Resumable: each seed has a workdir; run again to go on. The result is written to
experiments/results/front_against_random.json, whichever wins.
"""

import argparse
import dataclasses
import json
from collections.abc import Mapping
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
from nas.search.loop import SearchLoop
from nas.search.pareto import front_indices, hypervolume
from nas.training.averaging import evaluated
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
      The objectives of both fronts on both splits.
    """
    folder = arguments.workdir / f"seed_{seed}"
    with Run(dataclasses.replace(experiment, seed=seed, data_seed=seed), folder) as run:
        # After the run opened its folder, which refuses other settings.
        path = folder / "front_against_random.json"
        budget = experiment.search.evaluations
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found.get("evaluations") == budget:
                return found
        found = compare(run, run.train(), seed) | {"evaluations": budget}
        write_json_atomic(path, found)
    return found


def compare(run: Run, trained: State, seed: int) -> dict[str, Any]:
    """Search with both controllers and measure their fronts."""
    search = run.experiment.search
    rival = dataclasses.replace(search, controller=RandomSearch())
    return {
        "seed": seed,
        "fronts": {
            each.controller.NAME: {
                split: measured(run, trained, front, split).tolist() for split in SPLITS
            }
            for each in (search, rival)
            for front in (search_front(run, trained, each, seed),)
        },
    }


def search_front(run: Run, trained: State, search: Search, seed: int) -> np.ndarray:
    """Search the trained weights.

    Args:
      run: for the evaluator and the search split.
      trained: the trained state.
      search: with the controller.
      seed: of the search.

    Returns:
      `int32[F, D]`, the front of all that was evaluated.
    """
    device = run.on_device("search")

    def evaluate(genotypes: np.ndarray) -> dict[str, np.ndarray]:
        return run.evaluator.evaluate(
            evaluated(trained), trained["allowed"], genotypes, device
        )

    supernet = run.supernet
    loop = SearchLoop(search, supernet.space, COLUMNS, evaluate, supernet.costs)
    state = loop.init(role_key(seed, "search", 0))
    while not loop.done(state):
        state = loop.step(state)
    return loop.archive(state).genotypes[loop.front(state)]


def measured(run: Run, trained: State, front: np.ndarray, split: str) -> np.ndarray:
    """Measure a front on a split: `float64[F, M]`."""
    values = run.evaluator.evaluate(
        evaluated(trained), trained["allowed"], front, run.on_device(split)
    )
    return np.stack([values[name] for name in run.experiment.search.objectives], 1)


def volumes(fronts: Mapping[str, Any]) -> dict[str, float]:
    """Measure fronts by one scale and reference.

    Args:
      fronts: `[F, M]` objectives for each name.

    Returns:
      Of each, the fraction of the box between the best values of all fronts together
      and the reference: the worst values of their common front and a tenth of its range
      more.
    """
    arrays = {name: np.asarray(front, np.float64) for name, front in fronts.items()}
    everything = np.concatenate(list(arrays.values()))
    common = everything[front_indices(everything)]
    best, worst = common.min(0), common.max(0)
    scale = np.where(worst > best, worst - best, 1.0)
    reference = (worst - best) / scale + MARGIN
    box = float(np.prod(reference))
    return {
        name: hypervolume((front - best) / scale, reference) / box
        for name, front in arrays.items()
    }


def summary(experiment: Experiment, seeds: list[dict[str, Any]]) -> dict[str, Any]:
    """Pair the seeds, print the table, and give all as JSON values."""
    own = experiment.search.controller.NAME
    for found in seeds:
        by_split = {
            split: volumes({n: front[split] for n, front in found["fronts"].items()})
            for split in SPLITS
        }
        found["hypervolume"] = {
            name: {split: by_split[split][name] for split in SPLITS}
            for name in found["fronts"]
        }
    rows: list[list[Any]] = [
        ["seed", f"{own}, search", "random, search", f"{own}, report", "random, report"]
    ]
    for found in seeds:
        volume = found["hypervolume"]
        cells = [f"{volume[name][s]:.4f}" for s in SPLITS for name in (own, "random")]
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
    each = np.array(
        [
            found["hypervolume"][own][split] - found["hypervolume"]["random"][split]
            for found in seeds
        ]
    )
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
