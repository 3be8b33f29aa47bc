"""How far is a subnet's shared-weight loss from its loss when trained alone?

Question: does a mixture of experts, mixed by the architecture, bring shared weights
nearer to weights of one's own, and does it do so because its router sees the
architecture? After Jawahar et al., Findings of ACL 2024, arXiv 2306.04845; reviewers of
the paper asked for the controls below.

Method: small vision transformers on 8x8 digits. Of each seed, supernets with the same
first weights and batches are trained:
  plain           all architectures share one set of weights
  one_expert      a mixture of one, which must be the plain supernet again
  layer, neuron   two experts in the feed-forward layers, as published, but for what
                  the router sees: one-hot rows, of which the controls see others
  fixed           the router sees a constant: more parameters, no architecture
  shuffled        the router sees another architecture, drawn anew for each
  plain_longer    plain, for as many more steps as two experts take more time
The same random subnets are trained alone, in the supernet's way. The gap of a subnet is
its loss by shared weights minus its loss alone, on the report split, which nothing was
trained or chosen on. Differences to plain are paired by seed and subnet; intervals are
percentile bootstraps of their mean over these pairs, which takes the subnets of a seed
for independent, and so is too narrow. Kendall's tau-b is between both losses.

Command: python -m experiments.studies.mixture_gap --date 2026-01-31

Resumable: each supernet has a workdir; run again to go on. The result is written to
experiments/results/mixture_gap.json, whatever it is.

Result (2 cores of an AMD EPYC, busy with other work, JAX 0.10.2, 2026-11-21; 17 subnets
of 3 seeds, `--subnets 6 --steps 1500 --alone 750`): by layer, two experts do not reduce
the gap (0.182 nats against plain's 0.185), and no more than the controls whose router
cannot see the architecture. By neuron they do, to 0.160 (by 0.024, interval 0.014 to
0.037, in 14 of 17 subnets); whether because the router sees the architecture is open,
since the controls are by layer. Training plain shared weights for the 11 % more steps
that two experts cost reduces it further, to 0.138, in all subnets. Training was short
of its end, where more steps help most; rankings of six subnets say nothing.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy import stats

from experiments.benchmarks.blocks import CLOCKS, alternate, bootstrap, ratio
from experiments.benchmarks.record import parse, parser, save, show
from experiments.benchmarks.workloads import train_block
from nas import Experiment, Training
from nas.data import Augment, Digits
from nas.errors import UserError
from nas.run import Run
from nas.runtime.workdir import write_json_atomic
from nas.search import RandomSearch, Search
from nas.stages.standalone import Budget, fresh_weights, train_alone
from nas.training.averaging import evaluated
from nas.training.optimizer import AdamW
from search_spaces.vision_transformer import vision_transformer
from supernets import Supernet, VisionTransformerSupernet
from supernets.weights import published

RESULT = Path("experiments/results/mixture_gap.json")
FOLDER = Path("runs/mixture_gap")
PLAIN, LONGER = "plain", "plain_longer"

SUPERNET = VisionTransformerSupernet(
    vision_transformer("gap", (16, 24, 32), (1, 2, 3), (1, 2, 4), (1.0, 2.0, 4.0)),
    patch_size=4,
    head_size=8,
    input_shape=(8, 8, 1),
)
VARIANTS: dict[str, Supernet] = {
    PLAIN: SUPERNET,
    "one_expert": published(SUPERNET, experts=1),
    "layer": published(SUPERNET, encoding="one_hot"),
    "neuron": published(SUPERNET, encoding="one_hot", granularity="neuron"),
    "fixed": published(SUPERNET, encoding="fixed"),
    "shuffled": published(SUPERNET, encoding="shuffled"),
    LONGER: SUPERNET,
}


def main() -> None:
    """Run all seeds, or what is left of them, and print the table."""
    made = parser(__doc__)
    made.set_defaults(json=RESULT)
    made.add_argument("--seeds", type=int, default=3)
    made.add_argument("--subnets", type=int, default=8, help="of each seed")
    made.add_argument("--steps", type=int, default=2000, help="of a supernet")
    made.add_argument("--alone", type=int, default=1000, help="steps of a subnet alone")
    made.add_argument("--workdir", type=Path, default=FOLDER)
    arguments = parse(made)
    try:
        cost = relative_cost(arguments)
        seeds = [seed_result(s, cost, arguments) for s in range(arguments.seeds)]
    except UserError as error:
        made.error(str(error))
    save(arguments, summary(seeds, cost, arguments))


def experiment(supernet: Supernet, seed: int, steps: int) -> Experiment:
    """Give the training of one supernet."""
    return Experiment(
        name="mixture_gap",
        supernet=supernet,
        data=Digits(),
        optimizer=AdamW(learning_rate=2e-3, weight_decay=0.05, warmup_steps=100),
        training=Training(
            steps=steps,
            batch_size=64,
            augment=Augment(crop_padding=1),
            checkpoint_every=steps,
        ),
        search=Search(RandomSearch(), evaluations=1),
        seed=seed,
        data_seed=seed,
    )


def relative_cost(arguments: argparse.Namespace) -> float:
    """Measure the time of a step with two experts over that of a plain one, once."""
    path = arguments.workdir / "relative_cost.json"
    if path.exists():
        return float(json.loads(path.read_text(encoding="utf-8"))["ratio"])
    blocks = {
        name: train_block(Run(experiment(VARIANTS[name], 0, arguments.steps)), 10)
        for name in ("layer", PLAIN)
    }
    times = alternate(blocks, rounds=10, clock=CLOCKS[arguments.clock])
    found = max(ratio(times["layer"], times[PLAIN]).median, 1.0)
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    write_json_atomic(path, {"ratio": found})
    return found


def seed_result(
    seed: int, cost: float, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Train the supernets and the subnets of one seed, or read them.

    Args:
      seed: of everything random.
      cost: how many times the steps of plain the longest training has.
      arguments: for sizes and the workdir.

    Returns:
      The subnets' `ids`, their losses `alone`, and by each supernet (`shared`).
    """
    folder, space = arguments.workdir / f"seed_{seed}", SUPERNET.space
    key = jax.random.fold_in(jax.random.key(2024), seed)
    drawn = np.unique(np.asarray(space.sample(key, arguments.subnets)), axis=0)
    found: dict[str, Any] = {
        "seed": seed,
        "ids": [space.id(genotype) for genotype in drawn],
        "shared": {},
    }
    for name, supernet in VARIANTS.items():
        steps = round(arguments.steps * (cost if name == LONGER else 1))
        with Run(experiment(supernet, seed, steps), folder / name, _silent) as run:
            trained = run.train()
            values = run.evaluator.evaluate(
                evaluated(trained), trained["allowed"], drawn, run.on_device("report")
            )
            found["shared"][name] = values["nll"].tolist()
            if name == PLAIN:
                alone = [loss_alone(run, g, seed, arguments.alone) for g in drawn]
                found["alone"] = alone
    return found


def loss_alone(run: Run, genotype: np.ndarray, seed: int, steps: int) -> float:
    """Train a subnet from weights of its own, and give its loss on the report split."""
    training = run.experiment.training
    rate = run.experiment.optimizer.learning_rate
    budget = Budget(steps, training.batch_size, rate, seed)
    name = run.supernet.space.id(genotype)
    start = fresh_weights(run, genotype, seed)
    return train_alone(run, "truth", name, genotype, start, budget).measured["nll"]


def _silent(line: str) -> None:
    del line


def summary(
    seeds: list[dict[str, Any]], cost: float, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Pair what was found, print the table, and give all as JSON values."""
    found = {name: statistics_of(seeds, name) for name in VARIANTS}
    rows: list[list[Any]] = [
        ["supernet", "gap, nats", "minus plain's (95 %)", "ahead of plain", "tau-b"]
    ]
    for name, values in found.items():
        difference = values["minus_plain"]
        rows.append(
            [
                name,
                f"{values['gap']:+.4f}",
                f"{difference['mean']:+.4f} ({difference['low']:+.4f} to "
                f"{difference['high']:+.4f})",
                f"{difference['smaller']} of {difference['n']}",
                " ".join(f"{tau:.2f}" for tau in values["tau"]),
            ]
        )
    num = sum(len(seed["ids"]) for seed in seeds)
    show(
        f"Loss by shared weights minus loss alone: {num} subnets of {len(seeds)} seeds "
        f"after {arguments.steps} steps; two experts take {cost:.2f} times the time",
        rows,
    )
    return {
        "steps": arguments.steps,
        "alone_steps": arguments.alone,
        "cost_of_two_experts": cost,
        "statistics": found,
        "seeds": seeds,
    }


def statistics_of(seeds: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Give a supernet's gap, how it differs from plain's, and its ranking.

    Args:
      seeds: from `seed_result`.
      name: of the supernet.

    Returns:
      `gap`, the mean over seeds and subnets; `gap_by_seed`; `minus_plain`, the mean of
      the paired differences with its interval, negative where the gap is smaller than
      plain's; and `tau`, Kendall's tau-b of each seed.
    """
    gaps, pairs, taus = [], [], []
    for seed in seeds:
        alone, shared = np.asarray(seed["alone"]), np.asarray(seed["shared"][name])
        gaps.append(float((shared - alone).mean()))
        pairs.append(shared - np.asarray(seed["shared"][PLAIN]))
        tau, _ = np.asarray(stats.kendalltau(shared, alone))
        taus.append(float(tau))
    each = np.concatenate(pairs)
    low, high = bootstrap(each, np.mean)
    return {
        "gap": float(np.mean(gaps)),
        "gap_by_seed": gaps,
        "minus_plain": {
            "mean": float(each.mean()),
            "low": low,
            "high": high,
            "smaller": int((each < 0).sum()),
            "n": len(each),
        },
        "tau": taus,
    }


if __name__ == "__main__":
    main()
