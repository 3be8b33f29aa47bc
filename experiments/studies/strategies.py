"""Which training strategy ranks best at equal cost, and what of it is its control's.

A sweep of variants of `digits_625`, or of `mnist_625` in the file beside this one:

    nas sweep experiments/studies/strategies_digits.py --seeds 5
    nas compare runs/strategies_digits_sweep --baseline uniform

Every variant has the same budget: the multiply-accumulates of all architectures that it
trains, were they drawn evenly. A step of the sandwich rule trains four architectures,
one of them the largest, so that it has fewer steps; a split supernet trains every part
in each step; measuring distances for a split counts as well. What is drawn by
importance costs more than that, since costly options are important: as published, 1.4
times uniform sampling's on digits. The comparison gives each method's own count.

Controls: importance sampling of paths or of data alone; the published schedule without
any gradient (`schedule`), random importances (`random_scores`); few-shot splits at
random; mixtures whose router sees nothing (`mixture_fixed`) or another architecture
(`mixture_shuffled`).
"""

import dataclasses

import numpy as np

from experiments.published import panda
from nas.experiment import Experiment
from nas.losses import AlphaDivergence, KLDivergence
from nas.partition import FewShot, GradientMatching
from nas.samplers import Fair, ImportancePaths, Sandwich
from nas.strategies import Paths, Strategy
from nas.watch import Extremes, RankingDuringTraining
from supernets import Supernet
from supernets.weights import Mixture, WeightedSupernet

STEPS = 3000
BATCH = 32
REPEATS = 12
SHARED = r"stage_\d/edges/\d/operations/\d/convolution"


def variants_of(
    base: Experiment, examples: int, steps: int = STEPS
) -> dict[str, Experiment]:
    """Make every strategy at one budget.

    Args:
      base: the ranking experiment of a space of cells.
      examples: of the weights split, which say how long an epoch is.
      steps: of uniform sampling of one path a step.

    Returns:
      Experiments by name; `uniform` is the baseline.
    """
    base = with_steps(base, steps)
    epoch = examples // BATCH
    published, published_data = panda.published(epoch)
    ours, ours_data = panda.ours()

    def paths(strategy: Strategy, cost: float = 1.0) -> Experiment:
        return with_steps(
            dataclasses.replace(base, strategy=strategy), round(steps / cost)
        )

    sandwich = sandwich_cost(base.supernet)
    return {
        "uniform": base,
        "fair": paths(Paths(Fair()), 5.0),
        "sandwich": paths(Paths(Sandwich()), sandwich),
        "sandwich_kl": paths(Paths(Sandwich(), students=KLDivergence()), sandwich),
        "sandwich_alpha": paths(
            Paths(Sandwich(), students=AlphaDivergence()), sandwich
        ),
        "panda_published": _with_data(paths(published), published_data),
        "panda": _with_data(paths(ours), ours_data),
        "path_only": paths(ours),
        "data_only": _with_data(base, ours_data),
        "schedule": paths(panda.prior_only(epoch)),
        "random_scores": paths(Paths(ImportancePaths(importance="random"))),
        "few_shot": _few_shot(base, steps, matched=True),
        "few_shot_random": _few_shot(base, steps, matched=False),
        "mixture": _mixture(base, "one_hot"),
        "mixture_fixed": _mixture(base, "fixed"),
        "mixture_shuffled": _mixture(base, "shuffled"),
    }


def with_steps(base: Experiment, steps: int) -> Experiment:
    """Train for so many steps, and rank a sample six times on the way."""
    every = max(steps // 6, 1)
    return dataclasses.replace(
        base,
        training=dataclasses.replace(
            base.training, steps=steps, batch_size=BATCH, checkpoint_every=steps
        ),
        watch=(RankingDuringTraining(every), Extremes(every)),
    )


def sandwich_cost(supernet: Supernet) -> float:
    """Count a sandwich step in steps of one average architecture, on small images."""
    supernet = supernet.with_data((8, 8, 1), 10)
    macs = supernet.costs(supernet.space.enumerate())["macs"]
    ends = supernet.costs(np.stack([supernet.largest(), supernet.smallest()]))["macs"]
    return float(2 + ends.sum() / macs.mean())


def _with_data(base: Experiment, sampler: object) -> Experiment:
    training = dataclasses.replace(base.training, data_sampler=sampler)
    return dataclasses.replace(base, training=training)


def _few_shot(base: Experiment, steps: int, matched: bool) -> Experiment:
    """Split one edge in two after half of the steps; both parts train from then on."""
    # Five options of four edges are measured, each by a gradient on every batch.
    measuring = 4 * 5 * REPEATS if matched else 0
    updates = round((steps - measuring) / 1.5)
    score = GradientMatching(repeats=REPEATS, stability=0.0, batch_size=BATCH)
    partition = FewShot(
        at=(updates // 2,),
        decision="max_between" if matched else "random",
        cut="min_within" if matched else "random",
        score=score,
    )
    return dataclasses.replace(with_steps(base, updates), partition=partition)


def _mixture(base: Experiment, encoding: str) -> Experiment:
    """Mix the convolutions of cells from two experts."""
    supernet = WeightedSupernet(
        base.supernet, ((SHARED, Mixture(experts=2, encoding=encoding)),)
    )
    return dataclasses.replace(base, supernet=supernet)
