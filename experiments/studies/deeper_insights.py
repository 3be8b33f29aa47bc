"""The 64 children of two-node cells: how far do rankings by shared weights agree?

Question: do supernets of other seeds rank the children alike, do they rank them as
training each alone does, and how much does a ranking move within one training? After
Zhang et al., "Deeper Insights into Weight Sharing in Neural Architecture Search", 2020,
arXiv 2001.01431. A reduced analogue: 8x8 digits for CIFAR-10, and the network of
`experiments.digits_64`.

Method: supernets of several seeds, one child drawn uniformly for each batch. After each
of the last mini-batches all children are measured by shared weights, on the search
split, with batch norm calibrated for each. The truth is measured on the report split.
  S-Tau          mean tau-b over pairs of supernets, after the last mini-batch
  GT-Tau         tau-b of a supernet and the truth, the mean over its seeds
  TnR            the best true rank among the n best by a supernet, 1 to 64
  GT-Tau-k       mean and standard deviation of GT-Tau over the last k mini-batches
Each is given by the last weights, by their running mean, and by the last weights'
estimates averaged over the recorded mini-batches. The ceiling is the truth itself: two
of its seeds, and one seed against the mean of all (as in the paper) or of the others.
Beside them stands what trains nothing: costs. Of the child that was trained last it is
said how many ranks better it stands right then than on average.

Command: python -m experiments.studies.deeper_insights --date 2026-01-31

Resumable: each supernet's measurements are a file in the workdir. The result is written
to experiments/results/deeper_insights.json, whatever it is.

Result of 3 supernets, 10 seeds of the truth (2026-11-21, 2 CPU cores): supernets agree
with one another as in the paper, S-Tau 0.53 by NLL (0.54 there), but hardly with the
truth: GT-Tau 0.08 by NLL and 0.04 by error (0.46 there), and multiply-accumulates reach
0.07. Within the last 64 mini-batches GT-Tau moves by 0.01. The truth itself says little
here: two of its seeds agree at 0.19, the means of five and of the other five at 0.49;
children differ by little on digits. So the low GT-Tau is of this reduced analogue, and
no statement on the paper's.

Expected time: 5 to 10 minutes of a core for each supernet; the truth took 25 minutes.
"""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.record import parse, parser, save, show
from experiments.benchmarks.workloads import train_program
from experiments.digits_64 import experiment
from experiments.studies.agreement import (
    best_rank,
    gt_tau,
    interference,
    s_tau,
    within,
)
from nas import Experiment
from nas.errors import UserError
from nas.ranking import TruthTable
from nas.ranking.baselines import cost_baselines, live_baseline
from nas.ranking.ceiling import ceiling
from nas.ranking.correlation import tau_b
from nas.run import Run
from nas.runtime.progress import Progress

RESULT = Path("experiments/results/deeper_insights.json")
FOLDER = Path("runs/deeper_insights")
BEST = (1, 3, 5, 10)
WINDOWS = (16, 32, 64)
LAST, AVERAGE, OVER_TIME = "last weights", "running mean", "mean over mini-batches"
# (measure of the estimates, measure of the truth)
SIGHTS = (("error", "error"), ("nll", "error"), ("nll", "nll"))

PAPER = {
    "of": "Zhang et al. 2020, arXiv 2001.01431, on CIFAR-10; not measured here",
    "s_tau": 0.5415,
    "s_tau_alone": 0.712,
    "gt_tau": {"mean": 0.4567, "std": 0.148},
    "gt_tau_alone": {"mean": 0.7985, "std": 0.026},
    "t1r": "15 to 19",
    "t1r_alone": 4.8,
    "t3r": "11 to 18",
    "gt_tau_within_128_batches": "0.0 to 0.6",
}


def main() -> None:
    """Train what is left of the supernets, and print the tables."""
    made = parser(__doc__)
    made.set_defaults(json=RESULT)
    made.add_argument("--seeds", type=int, default=5)
    made.add_argument("--steps", type=int, default=experiment.training.steps)
    made.add_argument("--batches", type=int, default=64, help="the last, to measure at")
    made.add_argument("--average", type=float, default=0.99, help="decay of the mean")
    made.add_argument("--truth", type=Path, help="a table of your own, from nas truth")
    made.add_argument("--workdir", type=Path, default=FOLDER)
    arguments = parse(made)
    if arguments.seeds < 2 or arguments.batches < 2:
        made.error("--seeds and --batches must be at least 2, to tell how they differ")
    try:
        children = np.asarray(experiment.supernet.space.enumerate())
        table = truth_table(arguments.truth)
        seeds = [instance(s, children, arguments) for s in range(arguments.seeds)]
        save(arguments, summary(seeds, children, table, arguments))
    except UserError as error:
        made.error(str(error))


# ------------------------------------------------------------------------- measuring
def training(seed: int, steps: int, average: float) -> Experiment:
    """Give the training of one supernet."""
    changed = dataclasses.replace(experiment.training, steps=steps, average=average)
    return dataclasses.replace(experiment, training=changed, seed=seed)


def instance(
    seed: int, children: np.ndarray, arguments: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Train a supernet and measure the children after the last mini-batches, or read.

    Args:
      seed: of the weights, the children drawn and the batches.
      children: `int32[P, D]`.
      arguments: for sizes and the workdir.

    Returns:
      `nll`, `error`, `average_nll` and `average_error`, `float64[W, P]`, after each of
      the last W mini-batches; `trained`, `int32[W]`, the child that was trained.

    Raises:
      UserError: the file there is of other settings, or a step was not finite.
    """
    steps, last = arguments.steps, min(arguments.batches, arguments.steps)
    settings = np.asarray([steps, last, arguments.average], np.float64)
    path = arguments.workdir / f"seed_{seed}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            found = dict(file)
        if not np.array_equal(found.pop("settings"), settings):
            raise UserError(
                f"{path} was made with other --steps, --batches or --average. Give "
                "another --workdir, or remove the file."
            )
        return found
    run = Run(training(seed, steps, arguments.average), notify=_silent)
    found: Any = record(run, children, last)
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished.npz")
    np.savez_compressed(unfinished, settings=settings, **found)
    unfinished.replace(path)
    return found


def record(run: Run, children: np.ndarray, last: int) -> dict[str, np.ndarray]:
    """Train to the end, and measure after each of the last mini-batches."""
    program, state, data = train_program(run)
    split = run.on_device("search")
    steps = run.experiment.training.steps
    rows: dict[str, list[Any]] = {"trained": []}
    with Progress(f"seed {run.experiment.seed}", steps) as bar:
        for number in range(1, steps + 1):
            before = np.asarray(state["counts"][0]) if number > steps - last else None
            state = program(state, data)
            bar.update(number)
            if before is None:
                continue
            drawn = (np.asarray(state["counts"][0]) - before).argmax(-1)
            rows["trained"].append(_row(children, drawn))
            for prefix, weights in (("", "params"), ("average_", "average")):
                values = run.evaluator.evaluate(
                    state[weights], state["allowed"], children, split
                )
                for name in ("nll", "error"):
                    rows.setdefault(prefix + name, []).append(values[name])
    bad = int(state["bad_step"][0])
    if bad >= 0:
        raise UserError(
            f"The loss was not finite at step {bad} of seed {run.experiment.seed}."
        )
    return {name: np.asarray(values) for name, values in rows.items()}


def _row(children: np.ndarray, genotype: np.ndarray) -> int:
    return int(np.flatnonzero((children == genotype).all(1))[0])


def _silent(line: str) -> None:
    del line


def truth_table(path: Path | None) -> TruthTable:
    """Read a truth that `nas truth digits_64` made; without a path, the one shipped."""
    source = experiment.ranking.truth
    assert source is not None
    table = source.load() if path is None else TruthTable.load(path)
    return table.for_space(experiment.supernet.space).complete()


def aligned(table: TruthTable, children: np.ndarray) -> dict[str, np.ndarray]:
    """Give the truth in the order of the children.

    Args:
      table: of all of them.
      children: `int32[P, D]`.

    Returns:
      `float64[P, S]` for each of `error` and `nll`.

    Raises:
      UserError: a child is missing.
    """
    places = {tuple(genotype): p for p, genotype in enumerate(table.genotypes.tolist())}
    missing = [child for child in children.tolist() if tuple(child) not in places]
    if missing:
        raise UserError(
            f"{table.name} lacks {len(missing)} of {len(children)} children, the first "
            f"{missing[0]}. Make it with nas truth digits_64."
        )
    order = [places[tuple(child)] for child in children.tolist()]
    return {name: getattr(table, name)[order] for name in ("error", "nll")}


# --------------------------------------------------------------------------- summary
def estimates_of(
    seeds: list[dict[str, np.ndarray]], measure: str
) -> dict[str, np.ndarray]:
    """Give `float64[N, P]` by way of estimating, after all mini-batches."""
    return {
        LAST: np.asarray([seed[measure][-1] for seed in seeds]),
        AVERAGE: np.asarray([seed[f"average_{measure}"][-1] for seed in seeds]),
        OVER_TIME: np.asarray([seed[measure].mean(0) for seed in seeds]),
    }


def numbers(estimates: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Give the paper's numbers of N instances at one time.

    Args:
      estimates: `float64[N, P]`.
      truth: `float64[P]`.

    Returns:
      `s_tau`; `gt_tau`, mean, standard deviation and each; `tnr` by n.
    """
    taus = gt_tau(estimates, truth)
    return {
        "s_tau": s_tau(estimates),
        "gt_tau": {
            "mean": float(taus.mean()),
            "std": float(taus.std(ddof=1)),
            "each": taus.tolist(),
        },
        "tnr": {
            str(n): float(np.mean([best_rank(truth, e, n) for e in estimates]))
            for n in BEST
        },
    }


def summary(
    seeds: list[dict[str, np.ndarray]],
    children: np.ndarray,
    table: TruthTable,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Compute all, print it, and give it as JSON values."""
    truths = aligned(table, children)
    found: dict[str, Any] = {}
    rows: list[list[Any]] = [
        ["estimate / truth", "by", "S-Tau", "GT-Tau", *(f"T{n}R" for n in BEST)]
    ]
    for measure, of in SIGHTS:
        truth, title = truths[of].mean(1), f"{measure} / {of}"
        ways: Mapping[str, np.ndarray] = estimates_of(seeds, measure)
        found[title] = {way: numbers(e, truth) for way, e in ways.items()}
        rows += [_line(title, way, values) for way, values in found[title].items()]
    for of, values in truths.items():
        own = numbers(values.T, values.mean(1))
        found[f"truth by {of}"] = own | {"ceiling": ceiling(values).to_json()}
        rows.append(_line(f"truth by {of}", "one seed alone", own))
    rows.append(_paper_line())
    show(f"{len(seeds)} supernets after {arguments.steps} steps", rows)
    result = {
        "truth": table.hash,
        "truth_seeds": len(table.seeds),
        "steps": arguments.steps,
        "batches": len(seeds[0]["trained"]),
        "average": arguments.average,
        "numbers": found,
        "within_a_training": movement(seeds, truths),
        "last_trained": {
            measure: [interference(seed[measure], seed["trained"]) for seed in seeds]
            for measure in ("nll", "error")
        },
        "costs": costs(children, truths),
        "paper": PAPER,
    }
    return result


def _line(title: str, way: str, values: Mapping[str, Any]) -> list[Any]:
    tau = values["gt_tau"]
    return [
        title,
        way,
        f"{values['s_tau']['mean']:.3f}",
        f"{tau['mean']:.3f} +- {tau['std']:.3f}",
        *(f"{values['tnr'][str(n)]:.1f}" for n in BEST),
    ]


def _paper_line() -> list[Any]:
    tau: Any = PAPER["gt_tau"]
    text = f"{tau['mean']} +- {tau['std']}"
    shown = [PAPER["s_tau"], text, PAPER["t1r"], PAPER["t3r"], "", ""]
    return ["the paper, CIFAR-10", "last weights", *shown]


def movement(
    seeds: list[dict[str, np.ndarray]], truths: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Tell and print how GT-Tau moves within a training, by weights and measure."""
    found: dict[str, Any] = {}
    rows: list[list[Any]] = [["estimate / truth", "by", "k", "mean", "std", "range"]]
    for measure, of in SIGHTS:
        for way, name in ((LAST, measure), (AVERAGE, f"average_{measure}")):
            values = np.asarray([seed[name] for seed in seeds])
            taus = gt_tau(values, truths[of].mean(1))
            title = f"{measure} / {of}, {way}"
            windows = [k for k in WINDOWS if 1 < k <= taus.shape[1]]
            found[title] = {str(k): within(taus, k) for k in windows}
            rows += [
                [f"{measure} / {of}", way, k, *_moved(values)]
                for k, values in found[title].items()
            ]
    show("GT-Tau over the last k mini-batches", rows)
    return found


def _moved(values: Mapping[str, float]) -> tuple[str, str, str]:
    span = f"{values['least']:.2f} to {values['greatest']:.2f}"
    return f"{values['mean']:.3f}", f"{values['std']:.3f}", span


def costs(children: np.ndarray, truths: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Rank by costs, larger for better; print and give tau-b with each truth."""
    supernet = Run(experiment, notify=_silent).supernet
    scores = cost_baselines(supernet, children)
    scores["live_parameters"] = live_baseline(supernet, children)
    found = {
        name: {of: tau_b(truth.mean(1), score) for of, truth in truths.items()}
        for name, score in scores.items()
    }
    rows = [["larger is better", *truths]]
    rows += [
        [name, *("" if tau is None else f"{tau:.3f}" for tau in taus.values())]
        for name, taus in found.items()
    ]
    show("What trains nothing, tau-b", rows)
    return found


if __name__ == "__main__":
    main()
